"""People's own files: every container, name and form that prepare takes gives the same rows."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest

from mlrec.dataset.prepare import prepare
from mlrec.errors import InputError, TooManyRejectsError
from mlrec.workspace import Workspace
from tests.integration.prepare.definitions import core_rounds, drop_duplicates, expected_rows
from tests.integration.prepare.raw_data import crowd, csv_lines, loose, movie_rows, rejects, split_rows, text_of

RATINGS = crowd(3, users=8, movies=6, ratings=80)
LINES = csv_lines(RATINGS)
RATINGS_CSV = text_of("userId,movieId,rating,timestamp", LINES).encode()
MOVIES_CSV = text_of("movieId,title,genres", [f"{n},Film {n} (1990),Drama|War" for n in range(1, 7)]).encode()
HOW = loose()
EXPECTED = expected_rows(core_rounds(drop_duplicates(RATINGS), 1, 1)[-1], HOW)


def zstd(data: bytes) -> bytes:
    if sys.version_info >= (3, 14):
        from compression.zstd import compress
    else:
        compress = pytest.importorskip("backports.zstd").compress
    return bytes(compress(data))


COMPRESSORS: Mapping[str, Callable[[bytes], bytes]] = {
    "": lambda data: data, ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zst": zstd,
}  # fmt: skip


def tar(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def zipped(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def write(folder: Path, files: Mapping[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def json_lines(objects: Iterable[Mapping[str, Any]]) -> str:
    return "".join(f"{json.dumps(one)}\n" for one in objects)


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    (tmp_path / "data" / "raw").mkdir(parents=True)
    return Workspace(tmp_path / "data")


def check(workspace: Workspace, **how: Any) -> None:
    """Prepare, and compare the rows."""
    settings = {name: how.pop(name) for name in list(how) if name not in ("raw", "ratings", "movies", "links")}
    prepare(workspace, loose(**settings), **how)
    assert split_rows(workspace) == EXPECTED
    assert rejects(workspace.prepared.rejects) == []


# -- containers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", COMPRESSORS)
@pytest.mark.parametrize("is_named_so", [True, False])
def test_each_compression_is_told_by_content(workspace, ending, is_named_so):
    compress, name = COMPRESSORS[ending], ending if is_named_so else ""
    write(workspace.raw, {f"ratings.csv{name}": compress(RATINGS_CSV), f"movies.csv{name}": compress(MOVIES_CSV)})
    check(workspace)
    assert movie_rows(workspace)[0][:4] == (1, "Film 1", 1990, ["Drama", "War"])


@pytest.mark.parametrize("ending", COMPRESSORS)
@pytest.mark.parametrize("nested", [False, True])
def test_each_compression_of_tar(workspace, ending, nested):
    files = {"d/ratings.csv": RATINGS_CSV, "d/movies.csv": MOVIES_CSV, "d/README": b"hello"}
    if nested:
        files = {"d/ratings.csv.gz": gzip.compress(RATINGS_CSV), "d/movies.csv.xz": lzma.compress(MOVIES_CSV)}
    write(workspace.raw, {f"my.tar{ending}": COMPRESSORS[ending](tar(files))})
    check(workspace)


@pytest.mark.parametrize("inner", [".gz", ".bz2", ".xz"])
def test_compressed_members_of_a_zip(workspace, inner):
    compress = COMPRESSORS[inner]
    write(workspace.raw, {"my.zip": zipped({f"Rating.csv{inner}": compress(RATINGS_CSV), "Movie.csv": MOVIES_CSV})})
    check(workspace)
    manifest = json.loads(workspace.prepared.manifest.read_text())
    assert [file["file"] for file in manifest["input"]["files"]] == [f"my.zip:Rating.csv{inner}", "my.zip:Movie.csv"]


@pytest.mark.parametrize("name", ["a.b.c", "Log.TSV", "with space.csv", "x[1]*.csv", "é.csv"])
def test_single_files_of_any_name(workspace, tmp_path, name):
    write(tmp_path / "else", {name: RATINGS_CSV, "films": MOVIES_CSV})
    check(workspace, ratings=str(tmp_path / "else" / name), movies=str(tmp_path / "else" / "films"))


def test_an_archive_with_the_only_file(workspace, tmp_path):
    packed = gzip.compress(tar({"f.csv": MOVIES_CSV}))
    write(tmp_path, {"a.zip": zipped({"x/Log 1.csv": RATINGS_CSV, "x/README": b""}), "b.tgz": packed})
    check(workspace, ratings=str(tmp_path / "a.zip"), movies=str(tmp_path / "b.tgz"))


def test_an_archive_with_several_files_is_asked_about(workspace, tmp_path):
    write(tmp_path, {"a.zip": zipped({"one.csv": RATINGS_CSV, "two.csv": RATINGS_CSV})})
    with pytest.raises(InputError, match=r"a\.zip contains 2 files that could have the ratings: one\.csv, two\.csv"):
        prepare(workspace, HOW, ratings=str(tmp_path / "a.zip"))


def test_without_movies_their_ids_are_titles(workspace):
    write(workspace.raw, {"ratings.csv": RATINGS_CSV, "links.csv": b"movieId,imdbId,tmdbId\n1,0114709,862\n"})
    check(workspace)
    n_ratings = sum(rating.movie_id == 1 for rating in drop_duplicates(RATINGS))
    assert movie_rows(workspace)[0] == (1, "1", None, [], "tt0114709", 862, n_ratings)


# -- parts -------------------------------------------------------------------------------------------------------------


def parts(lines: list[str], header: str = "userId,movieId,rating,timestamp") -> dict[str, bytes]:
    return {
        f"part-{number:05}.csv": text_of(header, lines[number * 30 : number * 30 + 30]).encode() for number in range(3)
    } | {"_SUCCESS": b"", ".part.crc": b"x", "part-00009.csv": b""}


def test_a_folder_of_parts_in_the_raw_folder(workspace):
    write(workspace.raw / "ratings", parts(LINES))
    write(workspace.raw, {"movies.csv": MOVIES_CSV})
    check(workspace)


@pytest.mark.parametrize("place", ["logs", "logs/*.csv", "logs/part-*"])
def test_a_folder_or_a_pattern(workspace, tmp_path, monkeypatch, place):
    write(tmp_path / "logs", parts(LINES))
    monkeypatch.chdir(tmp_path)
    check(workspace, ratings=place)


def test_rejects_name_the_part_and_its_own_line(workspace, tmp_path):
    lines = [*LINES[:30], "1,1,boom,5", *LINES[30:59], "2,x,3,5", "", *LINES[59:]]
    files = parts(lines)
    files["part-00001.csv"] = b"# a comment\n" + files["part-00001.csv"]
    write(tmp_path / "logs", files)
    prepare(workspace, HOW, ratings=str(tmp_path / "logs"))
    assert split_rows(workspace) == EXPECTED
    label = str(Path("logs", "part-00001.csv"))
    assert rejects(workspace.prepared.rejects) == [
        (label, 3, "1,1,boom,5", "unparsable rating"),
        (str(Path("logs", "part-00002.csv")), 2, "2,x,3,5", "unparsable movieId"),
    ]


ARCHIVES = {"a.zip": zipped, "a.tar": tar, "a.tar.gz": lambda files: gzip.compress(tar(files))}


@pytest.mark.parametrize("archive", ARCHIVES)
@pytest.mark.parametrize("folder", ["", "ratings/", "my/ratings/", "my/logs/"])
def test_parts_in_an_archive(workspace, tmp_path, archive, folder):
    lines = [*LINES[:30], "1,1,boom,5", *LINES[30:]]
    files = {f"{folder}{name}": content for name, content in parts(lines).items()}
    place = str(write(tmp_path, {archive: ARCHIVES[archive](files)}) / archive)
    how: dict[str, Any] = {"raw": place} if "ratings" in folder else {"ratings": place}
    prepare(workspace, HOW, **how)
    assert split_rows(workspace) == EXPECTED
    label = f"{archive if 'ratings' in folder else place}:{folder}".removesuffix(":" if not folder else "")
    assert rejects(workspace.prepared.rejects) == [
        (str(Path(label, "part-00001.csv")), 2, "1,1,boom,5", "unparsable rating")
    ]


def test_parts_in_an_archive_beside_movies(workspace):
    files = {f"d/ratings/{name}": content for name, content in parts(LINES).items()}
    write(workspace.raw, {"my.zip": zipped({**files, "d/movies.csv": MOVIES_CSV, "README.csv": b"no\n"})})
    check(workspace)
    assert movie_rows(workspace)[0][:4] == (1, "Film 1", 1990, ["Drama", "War"])


@pytest.mark.parametrize("year", ["2020", "2021"])
def test_hive_folders_in_an_archive_are_columns(workspace, tmp_path, year):
    lines = {one: [line for n, line in enumerate(LINES) if (n % 2 == 0) == (one == "2020")] for one in ("2020", year)}
    header = "userId,movieId,rating,timestamp"
    files = {f"x/year={one}/1.csv": text_of(header, own).encode() for one, own in lines.items()}
    place = str(write(tmp_path, {"a.zip": zipped({**files, f"x/year={year}/2.csv": header.encode()})}) / "a.zip")
    prepare(workspace, HOW, ratings=place)
    kept = [RATINGS[LINES.index(line)] for own in lines.values() for line in own]
    assert split_rows(workspace) == expected_rows(core_rounds(drop_duplicates(kept), 1, 1)[-1], HOW)
    by_year = loose(columns=(("movie", "year"),))
    prepare(workspace, by_year, ratings=place)
    assert {row[1] for rows in split_rows(workspace).values() for row in rows} == set(map(int, lines))


@pytest.mark.parametrize("outer", ARCHIVES)
@pytest.mark.parametrize("inner", ARCHIVES)
@pytest.mark.parametrize("option", ["raw", "ratings"])
def test_an_archive_in_an_archive(workspace, tmp_path, outer, inner, option):
    packed = ARCHIVES[inner]({"d/ratings.csv.gz": gzip.compress(RATINGS_CSV), "d/movies.csv": MOVIES_CSV})
    write(tmp_path, {outer: ARCHIVES[outer]({f"x/{inner}": packed, "x/README": b"hello"})})
    check(workspace, **{option: str(tmp_path / outer)})
    files = json.loads(workspace.prepared.manifest.read_text())["input"]["files"]
    assert files[0]["file"].endswith(f"{outer}:x/{inner}:d/ratings.csv.gz")


def test_no_deeper_archives_are_opened(workspace, tmp_path):
    deep = zipped({"b.zip": zipped({"c.zip": zipped({"ratings.csv": RATINGS_CSV})})})
    write(tmp_path, {"a.zip": deep})
    with pytest.raises(InputError, match=r"a\.zip does not contain ratings"):
        prepare(workspace, HOW, raw=tmp_path / "a.zip")
    with pytest.raises(InputError, match=r"a\.zip:b\.zip contains 0 files that could have the ratings"):
        prepare(workspace, HOW, ratings=str(tmp_path / "a.zip"))


@pytest.mark.parametrize("pack", [tar, zipped])
def test_parts_that_point_outside_are_refused(workspace, tmp_path, pack):
    files = {f"ratings/part-{number}.csv": RATINGS_CSV for number in range(2)}
    write(tmp_path, {"a.zip": pack({**files, "ratings/../../../evil/part-3.csv": RATINGS_CSV})})
    (tmp_path / "a.zip").rename(tmp_path / ("a.tar" if pack is tar else "a.zip"))
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match="points outside"):
        prepare(workspace, HOW, raw=tmp_path / ("a.tar" if pack is tar else "a.zip"))
    assert [path for path in sorted(tmp_path.rglob("*")) if path not in before] == [workspace.root / ".lock"]


def test_the_first_bad_row_of_too_many_is_named_by_its_line_in_the_joined_file(workspace, tmp_path):
    write(tmp_path / "logs", parts([*LINES[:40], "x,1,1,1", *LINES[40:]]))
    with pytest.raises(TooManyRejectsError, match="unparsable userId"):
        prepare(workspace, loose(max_reject_share=0.0), ratings=str(tmp_path / "logs"))
    assert rejects(workspace.failed_rejects)[0][:2] == (str(Path("logs", "part-00001.csv")), 12)


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_hive_folders_are_columns(workspace, tmp_path, form):
    folder = tmp_path / "logs"
    for rating in RATINGS:
        where = folder / f"movie={rating.movie_id}"
        where.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection:
        for movie_id in range(1, 7):
            own = [rating for rating in RATINGS if rating.movie_id == movie_id]
            where = folder / f"movie={movie_id}" / f"part.{form}"
            if form == "csv":
                where.write_text(text_of("user,rating,ts", [f"{r.user_id},{r.rating},{r.timestamp}" for r in own]))
            elif form == "jsonl":
                where.write_text(json_lines({"user": r.user_id, "rating": r.rating, "ts": r.timestamp} for r in own))
            else:
                rows = ", ".join(f"({r.user_id}, {r.rating}::DOUBLE, {r.timestamp})" for r in own)
                table = f'(VALUES {rows}) AS r("user", rating, ts)'
                connection.execute(f"COPY (FROM {table}) TO '{where}' (FORMAT parquet)")
    check(workspace, ratings=str(folder))


def test_parts_with_other_columns_are_refused(workspace, tmp_path):
    write(tmp_path / "logs", {**parts(LINES), "part-00003.csv": b"userId,movieId,timestamp,rating\n1,1,1,1\n"})
    with pytest.raises(InputError) as caught:
        prepare(workspace, HOW, ratings=str(tmp_path / "logs"))
    assert caught.value.message == (
        "logs/part-00003.csv has other columns than logs/part-00000.csv: 'userId', 'movieId', 'timestamp', 'rating',"
        " and not 'userId', 'movieId', 'rating', 'timestamp'."
    )


def test_a_pattern_without_a_match(workspace, tmp_path):
    with pytest.raises(InputError, match=r"--ratings: no file matches .*\*\.csv"):
        prepare(workspace, HOW, ratings=str(tmp_path / "*.csv"))


# -- text --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("separator", [",", "\t", ";", "|", "::"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("bad", [False, True])
def test_separators_and_encodings(workspace, separator, encoding, bad):
    lines = [line.replace(",", separator) for line in [*LINES, *(["boom"] if bad else [])]]
    text = text_of(separator.join(["user", "item", "score", "date"]), lines)
    write(workspace.raw, {"events.txt": text.encode(encoding)})
    prepare(workspace, HOW)
    assert split_rows(workspace) == EXPECTED
    assert rejects(workspace.prepared.rejects) == (
        [("events.txt", len(LINES) + 2, "boom", "missing field")] if bad else []
    )


def test_no_header_blanks_after_commas_and_comments(workspace):
    columns = (("user", "1"), ("movie", "2"), ("rating", "3"), ("time", "4"))
    write(workspace.raw, {"ratings.csv": "\n".join(LINES).encode()})
    check(workspace, columns=columns)
    spaced = text_of("userId, movieId, rating, timestamp", [line.replace(",", ", ") for line in LINES])
    write(workspace.raw, {"ratings.csv": spaced.encode()})
    check(workspace)
    commented = "# one\n# two\n" + RATINGS_CSV.decode().replace("\n", "\n# 1,2,3,4\n", 20)
    write(workspace.raw, {"ratings.csv": commented.encode()})
    check(workspace)
    write(workspace.raw, {"ratings.csv": b"sep=,\r\n" + RATINGS_CSV})
    check(workspace)


@pytest.mark.parametrize(
    ("movies", "name"),
    [
        (b"anime_id,name,genre,type\n1,A (1990),\"Comedy, Slice of Life\",TV\n2,B,Drama,\n", "movies.csv"),
        (b"anime_id;name;genre;type\n1;A (1990);Comedy, Slice of Life;TV\n2;B;Drama;\n", "movies.csv"),
        (b'{"anime_id": 1, "name": "A", "genre": ["Comedy", "Slice of Life"], "type": "TV"}\n'
         b'{"anime_id": 2, "name": "B", "genre": "[{\'id\': 1, \'name\': \'Drama\'}]"}\n', "movies.jsonl"),
    ],
)  # fmt: skip
def test_movies_of_other_columns(workspace, movies, name):
    ratings = [line for line in LINES if line.split(",")[1] in "12"]
    write(workspace.raw, {"rating.csv": text_of("user_id,anime_id,rating,date", ratings).encode(), name: movies})
    prepare(workspace, HOW)
    with duckdb.connect() as connection:
        rows = connection.execute(
            "SELECT movie_id, title, genres, details FROM read_parquet($path)", {"path": str(workspace.prepared.movies)}
        ).fetchall()
    assert [row[:2] for row in rows] == [(1, "A"), (2, "B")]
    assert [row[2] for row in rows] == [["Comedy", "Slice of Life"], ["Drama"]]
    assert [row[3] for row in rows] == ['{"type":"TV"}', None]


def test_json_lines_with_nasty_values(workspace):
    objects = [{"a/b~": r.user_id, "asin": r.movie_id, "overall": r.rating, "ts": r.timestamp} for r in RATINGS]
    nasty = '[1]\n{"a/b~": {"x": 1}, "asin": 1, "overall": 1, "ts": 5}\n{"a/b~": 1\n\n"{}"\n{}\n'
    write(workspace.raw, {"ratings.ndjson": (json_lines(objects) + nasty).encode()})
    prepare(workspace, loose(columns=(("user", "a/b~"),)))
    assert split_rows(workspace) == EXPECTED
    first = len(RATINGS) + 1
    assert [row[1:] for row in rejects(workspace.prepared.rejects)] == [
        (first, "[1]", "not a JSON object"),
        (first + 1, '{"a/b~": {"x": 1}, "asin": 1, "overall": 1, "ts": 5}', "unparsable userId"),
        (first + 2, '{"a/b~": 1', "not a JSON object"),
        (first + 4, '"{}"', "not a JSON object"),
        (first + 5, "{}", "empty userId"),
    ]
