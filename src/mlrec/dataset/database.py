"""Opening DuckDB so that it does only what it is told: no downloads, no look into Python's variables."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb


def connect(database: str = ":memory:", **config: str | int) -> duckdb.DuckDBPyConnection:
    """Open a database.

    Parameters
    ----------
    database
        A file, or by default nothing but memory.
    config
        DuckDB settings.
    """
    import duckdb

    connection = duckdb.connect(
        database, config={"python_enable_replacements": False, "autoinstall_known_extensions": False, **config}
    )
    connection.execute("SET enable_progress_bar = false")
    return connection


def literal(path: object) -> str:
    """Spell a path so that read_csv and read_parquet, which take patterns, mean just this file."""
    return re.sub(r"([*?\[])", r"[\1]", str(path))
