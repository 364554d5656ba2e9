"""Fixtures: a database in memory for each test."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from tests.unit.sql.steps import Database


@pytest.fixture(scope="module")
def server() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"python_enable_replacements": "false", "threads": 4}) as connection:
        yield connection


@pytest.fixture
def db(server: duckdb.DuckDBPyConnection) -> Iterator[Database]:
    database = Database(server)
    yield database
    database.connection.close()
