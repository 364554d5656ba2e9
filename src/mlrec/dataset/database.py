"""Opening DuckDB so that it does only what it is told: no downloads, no look into Python's variables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb


@contextmanager
def connect(database: str = ":memory:", **config: str | int) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database for the time of a block.

    Parameters
    ----------
    database
        A file, or by default nothing but memory.
    config
        DuckDB settings.

    Raises
    ------
    KeyboardInterrupt
        If a query was interrupted, which DuckDB itself tells as another error.
    """
    import duckdb

    settings: dict[str, str | bool | int | float | list[str]] = {
        "python_enable_replacements": False,
        "autoinstall_known_extensions": False,
        **config,
    }
    with duckdb.connect(database, config=settings) as connection:
        connection.execute("SET enable_progress_bar = false")
        try:
            yield connection
        except (RuntimeError, duckdb.InterruptException) as error:
            if "interrupt" in str(error).lower():
                raise KeyboardInterrupt from error
            raise


def literal(path: object) -> str:
    """Spell a path so that read_csv and read_parquet, which take patterns, mean just this file."""
    return re.sub(r"([*?\[])", r"[\1]", str(path))
