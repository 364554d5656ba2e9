"""The same data in every format that prepare reads."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import duckdb
import pytest

from mlrec.dataset.editions import ML_100K_GENRES
from mlrec.dataset.prepare import prepare
from mlrec.dataset.reading import read_prepared
from mlrec.workspace import Workspace
from tests.integration.prepare.definitions import core_rounds, drop_duplicates, expected_rows
from tests.integration.prepare.raw_data import (
    MOVIES_HEADER,
    RATINGS_HEADER,
    crowd,
    gzipped,
    loose,
    movie_rows,
    names,
    rejects,
    split_rows,
    text_of,
    write_raw,
    zipped,
)

# -- every format ----------------------------------------------------------------------------------------------------

FORMAT_RATINGS = [rating._replace(rating=float(math.ceil(rating.rating))) for rating in crowd(6, ratings=300)]
FORMAT_MOVIES: list[tuple[int, str, list[str]]] = [
    (1, "Amélie (2001)", ["Comedy", "Romance"]),
    (2, "American President, The (1995)", ["Children's", "Film-Noir", "Sci-Fi"]),
    (3, '"Great" Thing, A (1990)', []),
    *((movie_id, f"Movie {movie_id} (1999)", ["Drama"]) for movie_id in range(4, 26)),
]


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def csv_files() -> dict[str, bytes]:
    movies = [(movie_id, title, "|".join(genres) or "(no genres listed)") for movie_id, title, genres in FORMAT_MOVIES]
    return {
        "ratings.csv": csv_text([RATINGS_HEADER.split(","), *FORMAT_RATINGS]).encode(),
        "movies.csv": csv_text([MOVIES_HEADER.split(","), *movies]).encode(),
    }


def dat_files() -> dict[str, bytes]:
    movies = [f"{movie_id}::{title}::{'|'.join(genres)}\n" for movie_id, title, genres in FORMAT_MOVIES]
    ratings = [f"{r.user_id}::{r.movie_id}::{r.rating:g}::{r.timestamp}\n" for r in FORMAT_RATINGS]
    return {"ratings.dat": "".join(ratings).encode(), "movies.dat": "".join(movies).encode("latin-1")}


def early_files() -> dict[str, bytes]:
    movies = [
        "|".join([str(movie_id), title, "01-Jan-1990", "", "http://us.imdb.com/M/title-exact", *flags]) + "\n"
        for movie_id, title, genres in FORMAT_MOVIES
        for flags in [["1" if genre in genres else "0" for genre in ML_100K_GENRES]]
    ]
    ratings = [f"{r.user_id}\t{r.movie_id}\t{r.rating:g}\t{r.timestamp}\n" for r in FORMAT_RATINGS]
    return {"u.data": "".join(ratings).encode(), "u.item": "".join(movies).encode("latin-1")}


def parquet_files(folder: Path, *, genres_as_list: bool) -> dict[str, bytes]:
    with duckdb.connect() as connection:
        for name, data in csv_files().items():
            (folder / name).write_bytes(data)
        connection.execute(f"CREATE TABLE ratings AS FROM read_csv('{folder / 'ratings.csv'}')")
        connection.execute(f"CREATE TABLE movies AS FROM read_csv('{folder / 'movies.csv'}')")
        if genres_as_list:
            connection.execute("ALTER TABLE movies ALTER genres TYPE VARCHAR[] USING string_split(genres, '|')")
        for name in ("ratings", "movies"):
            connection.execute(f"COPY {name} TO '{folder / name}.parquet' (FORMAT parquet)")
    return {path.name: path.read_bytes() for path in folder.glob("*.parquet")}


FORMATS = {
    "csv": lambda _: csv_files(),
    "csv, Windows line ends": lambda _: {name: data.replace(b"\n", b"\r\n") for name, data in csv_files().items()},
    "csv, old Mac line ends": lambda _: {name: data.replace(b"\n", b"\r") for name, data in csv_files().items()},
    "csv, both line ends": lambda _: {name: data.replace(b"\n", b"\r\n", 7) for name, data in csv_files().items()},
    "csv with a byte order mark": lambda _: {name: b"\xef\xbb\xbf" + data for name, data in csv_files().items()},
    "csv.gz": lambda _: gzipped(csv_files()),
    "zip of csv": lambda _: zipped(csv_files()),
    "dat": lambda _: dat_files(),
    "zip of dat": lambda _: zipped(dat_files()),
    "100k": lambda _: early_files(),
    "zip of 100k": lambda _: zipped(early_files()),
    "parquet": lambda folder: parquet_files(folder, genres_as_list=False),
    "parquet with lists": lambda folder: parquet_files(folder, genres_as_list=True),
}


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_data_in_every_format_gives_the_same_rows(tmp_path, form):
    workspace = Workspace(tmp_path / "data")
    workspace.raw.mkdir(parents=True)
    for name, data in FORMATS[form](tmp_path).items():
        (workspace.raw / name).write_bytes(data)
    how = loose(min_user_ratings=3, min_movie_ratings=3)
    prepare(workspace, how)
    core = core_rounds(drop_duplicates(FORMAT_RATINGS), 3, 3)[-1]
    assert split_rows(workspace) == expected_rows(core, how)
    assert [row[:4] for row in movie_rows(workspace)] == [
        (movie_id, title[:-7], int(title[-5:-1]), genres) for movie_id, title, genres in FORMAT_MOVIES
    ]
    assert rejects(workspace.prepared.rejects) == []


@pytest.mark.parametrize("bad_line", ["", "boom"], ids=["quick", "row by row"])
def test_extra_and_reordered_columns(tmp_path, bad_line):
    workspace = write_raw(tmp_path, [])
    lines = ["5,seen twice,4.5,2,7", "6,fine,2,3,7", *filter(None, [bad_line])]
    (workspace.raw / "ratings.csv").write_text(text_of("timestamp,note,rating,movieId,userId", lines))
    prepare(workspace, loose())
    assert split_rows(workspace)["train"] == [(7, 2, 1, 5), (7, 3, -2, 6)]


def test_quoted_fields(tmp_path):
    workspace = write_raw(tmp_path, ['"7","2","4.5","5"', "7,3,2,6"])
    prepare(workspace, loose())
    assert split_rows(workspace)["train"] == [(7, 2, 1, 5), (7, 3, -2, 6)]
    assert rejects(workspace.prepared.rejects) == []


def test_links_give_the_ids_of_other_catalogues(tmp_path):
    workspace = write_raw(
        tmp_path, ["1,1,4.0,5"], movies=4, links=["1,0114709,862", "2,tt0113497,", "3,10366206,603692", "9,1,1"]
    )
    manifest = prepare(workspace, loose()).manifest.document
    assert [(movie_id, imdb_id, tmdb_id) for movie_id, _, _, _, imdb_id, tmdb_id, _ in movie_rows(workspace)] == [
        (1, "tt0114709", 862),
        (2, "tt0113497", None),
        (3, "tt10366206", 603692),
        (4, None, None),
    ]
    assert rejects(workspace.prepared.rejects) == [("links.csv", 5, "9,1,1", "unknown movie")]
    assert manifest["input"]["rows"] == {"movies": 4, "links": 4, "ratings": 1}


@pytest.fixture(scope="module")
def street(tmp_path_factory) -> Path:
    """A folder that holds one prepared workspace, "a"."""
    folder = tmp_path_factory.mktemp("street")
    prepare(write_raw(folder / "a", ["5,1,1.0,5", "6,1,1.0,5"]), loose())
    return folder


@pytest.mark.parametrize("folder", ["it's a Fälle", "user_id=77/year=2020", "[ab]", "*", "{a,b}"])
def test_the_name_of_the_data_directory_does_not_matter(street, folder):
    """DuckDB takes brackets and stars for patterns and 'key=value' for columns; the neighbour must stay out of it."""
    workspace = write_raw(street / folder, ["1,2,4.0,5"])
    manifest = prepare(workspace, loose()).manifest.document
    data = read_prepared(workspace)
    assert manifest["splits"] == {"train": 1, "val": 0, "test": 0}
    assert list(zip(data.events.user_id, data.events.movie_id, data.events.preference, strict=True)) == [(1, 2, 1)]
    assert data.movies.year == [1990] * 9


# -- the manifest and the folder -------------------------------------------------------------------------------------


def test_raw_files_may_lie_elsewhere(small, tmp_path):
    elsewhere = Workspace(tmp_path / "elsewhere")
    prepare(elsewhere, loose(), raw=small.raw)
    prepare(small, loose())
    assert split_rows(elsewhere) == split_rows(small)
    assert names(elsewhere.root) == [".lock", "prepared"]
