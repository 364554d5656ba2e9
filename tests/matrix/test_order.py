"""The order of a file counts in large files too, which several threads read in pieces."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb
import numpy as np
import pytest

from mlrec.pipeline import prepare
from mlrec.settings import PrepareSettings

N_ROWS, N_MOVIES = 400_000, 1_000
"""DuckDB hands 122,880 rows to a thread."""

LAST_ROWS = {
    "good": [],
    "a_bad_row": ["x,1,5,2001-09-09"],
    "an_unrated_row": ["1,1,-1,2001-09-09"],
}


def write_rows(raw: Path, form: str, last: Sequence[str]) -> None:
    """Row k is of user k // 1,000 and movie k % 1,000; all are of the same day. Bad rows come last."""
    raw.mkdir()
    row = np.arange(N_ROWS)
    user, movie, rating = row // N_MOVIES, row % N_MOVIES, row % 10 + 1
    path = raw / "ratings.csv"
    with duckdb.connect() as connection:
        connection.register("file", {"userId": user, "movieId": movie, "rating": rating})
        query = "SELECT userId, movieId, rating, '2001-09-09' AS date FROM file"
        connection.execute(f"COPY ({query}) TO '{path}' (FORMAT csv, HEADER)")
        if last:
            with path.open("a") as file:
                file.writelines(f"{line}\n" for line in last)
        if form == "parquet":
            source = f"read_csv('{path}', all_varchar = true)"
            connection.execute(f"COPY (FROM {source}) TO '{raw / 'ratings.parquet'}' (FORMAT parquet)")
            path.unlink()


def prepared(folder: Path) -> dict[str, np.ndarray]:
    with duckdb.connect() as connection:
        files = [str(folder / f"{name}.parquet") for name in ("train", "val", "test")]
        return connection.execute("FROM read_parquet($files)", {"files": files}).fetchnumpy()


@pytest.mark.parametrize("last", LAST_ROWS)
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_positions_are_those_in_the_file(form, last, tmp_path):
    write_rows(tmp_path / "raw", form, LAST_ROWS[last])
    how = PrepareSettings(min_user_ratings=1, min_movie_ratings=1, no_time="file", threads=4)
    rows = prepared(prepare(tmp_path / "data", how, raw=tmp_path / "raw").folder)
    assert len(rows["timestamp"]) == N_ROWS
    assert (rows["timestamp"] == rows["user_id"] * N_MOVIES + rows["movie_id"]).all()


@pytest.mark.parametrize("last", LAST_ROWS)
def test_the_order_within_a_day_is_that_of_the_file(last, tmp_path):
    """Every user's last fifth are the movies with the highest ids."""
    write_rows(tmp_path / "raw", "csv", LAST_ROWS[last])
    how = PrepareSettings(min_user_ratings=1, min_movie_ratings=1, threads=4)
    rows = prepared(prepare(tmp_path / "data", how, raw=tmp_path / "raw").folder)
    assert len(rows["movie_id"]) == N_ROWS
    for begin, end in ((0, 800), (800, 900), (900, 1_000)):
        first = begin * N_ROWS // N_MOVIES
        part = rows["movie_id"][first : end * N_ROWS // N_MOVIES]
        assert (part == np.tile(np.arange(begin, end), N_ROWS // N_MOVIES)).all()
