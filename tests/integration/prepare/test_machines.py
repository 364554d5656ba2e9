"""The same rows, however many threads and however little memory the machine has."""

from __future__ import annotations

import random

import duckdb
import numpy as np
import pytest

from mlrec.dataset.prepare import prepare
from mlrec.errors import SettingsError
from mlrec.settings import PrepareSettings
from mlrec.workspace import Workspace
from tests.integration.prepare.raw_data import movie_rows, names, write_raw

# -- the same rows whatever the machine ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def many(tmp_path_factory) -> Workspace:
    """Prepared with two threads: more rows than DuckDB gives to one, with ties and duplicates."""
    chance = random.Random(8)
    lines = [
        f"{chance.randrange(3000)},{chance.randrange(1, 401)},{chance.randrange(1, 11) / 2},{chance.randrange(5000)}"
        for _ in range(130_000)
    ]
    workspace = write_raw(tmp_path_factory.mktemp("many"), lines, movies=400)
    prepare(workspace, PrepareSettings(threads=2))
    return workspace


def assert_same_rows(one: Workspace, other: Workspace) -> None:
    with duckdb.connect() as connection:
        for name in ("train", "val", "test"):
            columns, others = (
                connection.execute(
                    "FROM read_parquet($path)", {"path": str(workspace.prepared.root / f"{name}.parquet")}
                ).fetchnumpy()
                for workspace in (one, other)
            )
            assert all(np.array_equal(columns[key], others[key]) for key in columns)
    assert movie_rows(one) == movie_rows(other)


@pytest.mark.parametrize("threads", [1, 4])
def test_the_same_rows_in_the_same_order_with_any_number_of_threads(many, tmp_path, threads):
    workspace = Workspace(tmp_path)
    prepare(workspace, PrepareSettings(threads=threads), raw=many.raw)
    assert_same_rows(workspace, many)


def test_the_same_rows_in_the_same_order_where_a_bad_row_makes_it_go_slowly(many, tmp_path):
    ratings = (many.raw / "ratings.csv").read_text()
    workspace = write_raw(tmp_path, [], movies=400)
    (workspace.raw / "ratings.csv").write_text(f"{ratings}boom\n")
    prepare(workspace, PrepareSettings(threads=4))
    assert_same_rows(workspace, many)


def test_little_memory_gives_the_same_rows_and_spills_inside_the_data_directory(many, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    workspace = Workspace(tmp_path / "data")
    prepare(workspace, PrepareSettings(memory_limit="40MB", threads=1), raw=many.raw)
    assert_same_rows(workspace, many)
    assert names(elsewhere) == []
    assert names(workspace.root) == [".lock", "prepared"]


# -- the manifest and the folder -------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", ["lots", "", "1", "-1GB"])
def test_a_memory_limit_that_is_none_is_refused(limit):
    with pytest.raises(SettingsError, match="memory_limit"):
        PrepareSettings(memory_limit=limit)
