"""Queries of tests, on one connection: to open a database takes DuckDB longer than to read a small file."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import duckdb


@cache
def _connection() -> duckdb.DuckDBPyConnection:
    # Tests write other files to the same place.
    return duckdb.connect(config={"enable_external_file_cache": False})


def query(sql: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
    """All rows of a query."""
    return _connection().execute(sql, dict(parameters or {})).fetchall()
