"""Every row of a raw file is kept, dropped as a duplicate or rejected; kept rows are what Python reads there."""

from __future__ import annotations

import csv
import io
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from mlrec.dataset.prepare import Prepared, prepare
from mlrec.dataset.reading import read_prepared
from mlrec.errors import InputError, TooManyRejectsError
from mlrec.settings import PrepareSettings
from mlrec.workspace import Workspace

EVERYBODY = PrepareSettings(
    min_user_ratings=1, min_movie_ratings=1, max_reject_share=1, max_rating=5.0, user_ids="integer",
    movie_ids="integer", time_format="s",
)  # fmt: skip
LINE_ENDS = (["\n"], ["\r"], ["\r\n"], ["\n", "\r"], ["\n", "\r\n"], ["\r", "\r\n"], ["\n", "\r", "\r\n"])
LAYOUTS = {"ratings.csv": ",", "ratings.dat": "::", "u.data": "\t"}
MOVIE_IDS = range(10, 40)
BAD = ["x", "", "1_2", "007", "1e1", "0x1F", "+7", "3.7", "nan"]


def with_movies(folder: Path, ratings: str) -> Path:
    """A raw folder with the movies that go with a ratings file of that name."""
    folder.mkdir(parents=True)
    if ratings == "u.data":
        lines = ["|".join([str(i), f"Movie {i} (1990)", "", "", "", *["0"] * 19]) for i in MOVIE_IDS]
        (folder / "u.item").write_text("\n".join(lines))
    elif ratings == "ratings.dat":
        (folder / "movies.dat").write_text("\n".join(f"{i}::Movie {i} (1990)::Drama" for i in MOVIE_IDS))
    else:
        lines = [f"{i},Movie {i} (1990),Drama" for i in MOVIE_IDS]
        (folder / "movies.csv").write_text("\n".join(["movieId,title,genres", *lines]))
    return folder


def generated(chance: random.Random, name: str) -> str:
    """A ratings file with ids of two and more digits, bad and blank lines, and one of the mixtures of line ends."""
    ends = chance.choice(LINE_ENDS)
    text = "userId,movieId,rating,timestamp" + chance.choice(ends) if name == "ratings.csv" else ""
    for _ in range(chance.choice([1, 3, 50, 400])):
        fields = [
            str(chance.randrange(10, 10_000)),
            str(chance.choice(MOVIE_IDS)),
            str(chance.randrange(1, 11) / 2),
            str(10**9 + chance.randrange(500)),
        ]
        if chance.random() < 0.05:
            place, bad = chance.randrange(4), chance.choice(BAD)
            fields[place] = "x" if (place, bad) == (3, "3.7") else bad  # a time may have a fraction
        if name == "ratings.csv" and chance.random() < 0.05:
            fields = [f'"{field}"' for field in fields]
        text += LAYOUTS[name].join(fields) + chance.choice(ends)
        if chance.random() < 0.03:
            text += chance.choice(ends)
    return text.rstrip("\r\n") if chance.random() < 0.3 else text


def expected(text: str, name: str) -> tuple[dict[tuple[int, int], tuple[int, float]], int, int]:
    """What plain Python reads: the standing rating of each user and movie, how many rows there are, how many bad."""
    file = io.StringIO(text, newline="")
    if name == "ratings.csv":
        rows = [row for row in csv.reader(file) if row][1:]
    else:
        rows = [line.split(LAYOUTS[name]) for line in io.StringIO(text, newline=None).read().split("\n") if line]
    standing: dict[tuple[int, int], tuple[int, float]] = {}
    bad = 0
    for fields in rows:
        try:
            user_id, movie_id, timestamp = (int(fields[i]) for i in (0, 1, 3))
            assert [str(user_id), str(movie_id), str(timestamp)] == [fields[i] for i in (0, 1, 3)]
            assert fields[2][0].isdecimal()
            rating = float(fields[2].replace("_", "x"))
            assert 0 < rating <= 5
        except (ValueError, AssertionError, IndexError):
            bad += 1
        else:
            pair = (user_id, movie_id)
            standing[pair] = max(standing.get(pair, (0, 0.0)), (timestamp, rating))
    return standing, len(rows), bad


def rows_of(workspace: Workspace) -> Counter[tuple[int, int, int, int]]:
    """The prepared rows of all splits."""
    events = read_prepared(workspace).events
    columns = (events.user_id, events.movie_id, events.timestamp, events.preference)
    return Counter(zip(*(column.tolist() for column in columns), strict=True))


def preference(rating: float) -> int:
    return -2 if rating <= 2.5 else -1 if rating <= 3.5 else 1 if rating <= 4.5 else 2


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("seed", range(12))
def test_every_row_is_kept_dropped_or_rejected(tmp_path, name, seed):
    text = generated(random.Random(f"{name} {seed}"), name)
    raw = with_movies(tmp_path / "raw", name)
    (raw / name).write_bytes(text.encode())
    standing, n_rows, bad = expected(text, name)
    workspace = Workspace(tmp_path / "data")
    if not standing:
        return
    manifest = prepare(workspace, EVERYBODY, raw=raw).manifest.document
    assert manifest["input"]["rows"]["ratings"] == n_rows
    assert manifest["rejects"]["rows"] == bad
    assert manifest["steps"][0]["ratings"] == n_rows - bad
    assert rows_of(workspace) == Counter(
        (user_id, movie_id, timestamp, preference(rating))
        for (user_id, movie_id), (timestamp, rating) in standing.items()
    )


def prepared_from(tmp_path: Path, ratings: bytes, movies: bytes | None = None) -> tuple[Workspace, Prepared]:
    raw = with_movies(tmp_path / "raw", "ratings.csv")
    (raw / "ratings.csv").write_bytes(ratings)
    if movies is not None:
        (raw / "movies.csv").write_bytes(movies)
    workspace = Workspace(tmp_path / "data")
    return workspace, prepare(workspace, EVERYBODY, raw=raw)


HEADER = b"userId,movieId,rating,timestamp"


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_a_lone_carriage_return_takes_nothing_from_the_next_line(tmp_path, end):
    content = HEADER + end + b"11,11,5,100\r12,12,4,200" + end + b"13,13,3,300" + end
    workspace, result = prepared_from(tmp_path, content)
    assert sorted(rows_of(workspace)) == [(11, 11, 100, 2), (12, 12, 200, 1), (13, 13, 300, -1)]
    assert result.manifest.document["rejects"]["rows"] == 0


def test_ids_that_differ_in_a_character_stay_apart(tmp_path):
    users = ["1_23", "12_3", "1_2_3", "1_25", "12_5", "1_255"]
    lines = [f"{user},{movie},4,{100 + movie}" for user in users for movie in MOVIE_IDS]
    raw = with_movies(tmp_path / "raw", "ratings.csv")
    (raw / "ratings.csv").write_text("\n".join([HEADER.decode(), *lines]))
    how = replace(EVERYBODY, max_reject_share=0.01)
    with pytest.raises(TooManyRejectsError, match=r"180 of 180 rows of ratings\.csv are bad .* unparsable userId"):
        prepare(Workspace(tmp_path / "data"), how, raw=raw)
    workspace = Workspace(tmp_path / "data")
    prepare(workspace, replace(how, user_ids="auto"), raw=raw)
    assert read_prepared(workspace).events.user_ids.tolist() == sorted(user.encode() for user in users)


def test_times_that_a_spreadsheet_has_rounded_are_refused(tmp_path):
    lines = [f"{user},{movie},4,1.26E+09" for user in range(10, 20) for movie in MOVIE_IDS]
    raw = with_movies(tmp_path / "raw", "ratings.csv")
    (raw / "ratings.csv").write_text("\n".join([HEADER.decode(), *lines]))
    with pytest.raises(InputError, match=r"the times, such as '1\.26E\+09', are written in no way that mlrec knows"):
        prepare(Workspace(tmp_path / "data"), replace(EVERYBODY, time_format="auto"), raw=raw)
    with pytest.raises(TooManyRejectsError, match="unparsable timestamp"):
        prepare(Workspace(tmp_path / "data"), replace(EVERYBODY, max_reject_share=0.01), raw=raw)


def test_a_title_with_a_line_break_keeps_its_movie_and_its_ratings(tmp_path):
    movies = b'movieId,title,genres\n11,"Two\nlines (1994)",Drama\n12,"One, line (1995)",Drama\n'
    workspace, result = prepared_from(tmp_path, HEADER + b"\n11,11,5,100\n12,12,4,200\n", movies)
    catalogue = read_prepared(workspace).movies
    assert (catalogue.title, catalogue.year) == (["Two lines", "One, line"], [1994, 1995])
    assert sorted(rows_of(workspace)) == [(11, 11, 100, 2), (12, 12, 200, 1)]
    assert result.manifest.document["rejects"]["rows"] == 0


@pytest.mark.parametrize("bad", [b"", b"boom,\n"], ids=["all rows good", "one row bad"])
@pytest.mark.parametrize("note", ["caf\u00e9", "it\u2019s", "\u20ac"])
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_the_characters_of_a_column_that_is_passed_over_do_not_matter(tmp_path, bad, note, encoding):
    content = b"userId,movieId,rating,timestamp,note\n11,11,5,100," + note.encode(encoding) + b"\n12,12,4,200,x\n" + bad
    workspace, result = prepared_from(tmp_path, content)
    assert sorted(rows_of(workspace)) == [(11, 11, 100, 2), (12, 12, 200, 1)]
    assert result.manifest.document["rejects"]["rows"] == bool(bad)


def test_a_row_within_a_quoted_field_is_no_row(tmp_path):
    content = b'userId,movieId,rating,timestamp,note\n11,11,5,100,"see\n12,12,4,200,there"\n13,13,3,300,x\n'
    workspace, result = prepared_from(tmp_path, content)
    assert sorted(rows_of(workspace)) == [(11, 11, 100, 2), (13, 13, 300, -1)]
    assert result.manifest.document["input"]["rows"]["ratings"] == 2
