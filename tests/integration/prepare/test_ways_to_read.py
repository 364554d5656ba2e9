"""Which of its ways `prepare` reads a file: as numbers, of 32 bits if all fit, as texts, or row by row."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from mlrec.dataset.database import connect
from mlrec.dataset.prepare import prepare
from mlrec.dataset.reading import read_prepared
from mlrec.dataset.sql_steps import SqlSteps
from mlrec.settings import PrepareSettings
from mlrec.workspace import Workspace

NARROW, NUMBERS = "21_ratings_narrow", "21_ratings_numbers"
TEXTS, BY_ROW = "21_ratings_typed", "22_rating_rows_delimited"
HEADER = "userId,movieId,rating,timestamp"
ROWS = [f"{user},{movie},{(user + movie) % 5 + 1}.0,{10**9 + movie}" for user in range(1, 8) for movie in range(1, 8)]
SETTINGS = PrepareSettings(min_user_ratings=1, min_movie_ratings=1)


@pytest.fixture
def ways(monkeypatch) -> list[str]:
    """The ways in which ratings have been read since, in their order; the sample is not one of them."""
    found: list[str] = []
    execute = SqlSteps.execute

    def recorded(self: SqlSteps, step: str, *arguments: object, **parameters: object) -> None:
        if step in (NARROW, NUMBERS, TEXTS, BY_ROW):
            found.append(step)
        execute(self, step, *arguments, **parameters)  # type: ignore[arg-type]

    monkeypatch.setattr(SqlSteps, "execute", recorded)
    return found


def read(folder: Path, content: bytes, ways: list[str], name: str = "ratings.csv") -> list[str]:
    """Prepare a file, and return the ways without those of the sample."""
    path = folder / name
    path.write_bytes(content)
    prepare(Workspace(folder / "data"), SETTINGS, ratings=str(path))
    return [way for number, way in enumerate(ways) if number or way != BY_ROW]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("last", ["", "end"])
def test_a_file_of_numbers_is_read_once_as_numbers(tmp_path, ways, end, separator, last):
    text = end.join([HEADER, *ROWS]).replace(",", separator) + (end if last else "")
    assert read(tmp_path, text.encode(), ways) == [NARROW]


@pytest.mark.parametrize("row", [f"{2**31},1,4.0,5", f"{-(2**31) - 1},1,4.0,5", f"1,{2**31},4.0,5", f"1,8,4.0,{2**32}"])
def test_numbers_beyond_32_bits_are_read_again(tmp_path, ways, row):
    assert read(tmp_path, "\n".join([HEADER, *ROWS, row]).encode(), ways) == [NARROW, NUMBERS]
    user, movie, *_ = map(float, row.split(","))
    events = read_prepared(Workspace(tmp_path / "data")).events
    assert (user, movie) in zip(events.user_id.tolist(), events.movie_id.tolist(), strict=True)


def test_the_largest_numbers_of_32_bits_and_the_files_they_are_written_to(tmp_path, ways):
    settings = PrepareSettings(min_user_ratings=7, min_movie_ratings=1)
    path = tmp_path / "ratings.csv"
    path.write_text("\n".join([HEADER, *ROWS, f"{-(2**31)},{2**31 - 1},4.0,{2**32 - 1}"]))
    workspace = Workspace(tmp_path / "data")
    prepare(workspace, settings, ratings=str(path))
    assert ways[-1] == NARROW
    with connect() as connection:

        def rows(columns: str, path: Path) -> list[tuple[object, ...]]:
            return connection.execute(f"SELECT {columns} FROM read_parquet($path)", {"path": str(path)}).fetchall()

        outside = workspace.prepared.outside
        assert rows("user_id, movie_id, timestamp", outside) == [(-(2**31), 2**31 - 1, 2**32 - 1)]
        kinds = "DISTINCT typeof(user_id), typeof(movie_id), typeof(timestamp)"
        for file in (outside, workspace.prepared.split("train")):
            assert rows(kinds, file) == [("BIGINT",) * 3]


def test_so_is_a_compressed_one_and_one_with_other_ratings(tmp_path, ways):
    rows = [*ROWS, f"1,8,4,{10**8}", f"2,8,.5,{10**10}", "3,8,4.50,0", f"-4,8,3.5,{10**9}"]
    text = "\n".join([HEADER, *rows]) + "\n"
    assert read(tmp_path, gzip.compress(text.encode()), ways, "ratings.csv.gz") == [NARROW, NUMBERS]
    assert -4 in read_prepared(Workspace(tmp_path / "data")).events.user_id.tolist()


@pytest.mark.parametrize("separator", ["|", "::"])
def test_a_file_with_another_separator(tmp_path, ways, separator):
    text = "\n".join([HEADER, *ROWS]).replace(",", separator) + "\n"
    assert read(tmp_path, text.encode(), ways) == [TEXTS if separator == "|" else NARROW]


def test_ids_of_pandas_are_read_again_as_texts(tmp_path, ways):
    text = "\n".join([HEADER, *ROWS, f"8.0,1,4.0,{10**9}"]) + "\n"
    assert read(tmp_path, text.encode(), ways) == [NARROW, TEXTS]
    assert 8 in read_prepared(Workspace(tmp_path / "data")).events.user_id.tolist()


def test_texts_after_many_numbers_are_read_by_row_only_to_find_out(tmp_path, ways):
    """What was rejected as a number counts no more once the ids are texts."""
    many = [f"{user},{movie},{movie % 5 + 1},{10**9}" for user in range(1, 320) for movie in range(1, 8)]
    text = "\n".join([HEADER, *many, *(f"x{row}" for row in many)]) + "\n"
    assert read(tmp_path, text.encode(), ways) == [NARROW, BY_ROW, TEXTS]
    assert b"x1" in read_prepared(Workspace(tmp_path / "data")).events.user_id.tolist()
