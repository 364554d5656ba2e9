"""Opening DuckDB with its surprises disabled: no downloads of extensions, no access to Python's variables."""

from __future__ import annotations

import re
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mlrec.errors import InputError

if TYPE_CHECKING:
    import duckdb


def load_duckdb() -> None:
    """Import DuckDB, and handle a Ctrl-C pressed meanwhile only when the import is done.

    An interrupt in the middle of the import would also end the process, but with a message about DuckDB's internals.
    """
    before = signal.getsignal(signal.SIGINT)
    # Only the main thread receives signals, and a handler not installed from Python cannot be restored.
    if "duckdb" in sys.modules or threading.current_thread() is not threading.main_thread() or before is None:
        return
    pressed: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        import duckdb  # noqa: F401
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        signal.raise_signal(signal.SIGINT)


@contextmanager
def connect(database: str = ":memory:", **config: str | int) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database within a `with` block.

    Parameters
    ----------
    database
        A file; by default the database is in memory.
    config
        DuckDB settings.

    Raises
    ------
    KeyboardInterrupt
        If a query was interrupted. DuckDB itself raises another error.
    """
    load_duckdb()
    import duckdb

    settings: dict[str, str | bool | int | float | list[str]] = {
        "python_enable_replacements": False,
        "autoinstall_known_extensions": False,
        # Asynchronous writes of DuckDB 2.0 can block each other when a Ctrl-C ends them, and then wait forever.
        "async_threads": 0,
        **config,
    }
    with duckdb.connect(database, config=settings) as connection:
        # In Jupyter without ipywidgets, DuckDB can draw no bar, and refuses to be told not to.
        with suppress(duckdb.InvalidInputException):
            connection.execute("SET enable_progress_bar = false")
        with as_interrupts():
            yield connection


@contextmanager
def as_interrupts() -> Iterator[None]:
    """Turn the errors that DuckDB raises for an interrupted query into a KeyboardInterrupt."""
    import duckdb

    try:
        yield
    except (RuntimeError, duckdb.InterruptException) as error:
        if "interrupt" in str(error).lower():
            raise KeyboardInterrupt from error
        raise


def located(path: Path) -> str:
    """Spell a path so that DuckDB opens exactly this file: in a relative path, DuckDB expands a leading ~.

    Raises
    ------
    InputError
        If the path is not UTF-8, which DuckDB cannot open.
    """
    absolute = str(path.absolute())
    try:
        absolute.encode()
    except UnicodeEncodeError:
        raise InputError(
            f"DuckDB cannot open {path}: the path is not valid UTF-8.",
            "Rename the file or folder, or pass a link to it.",
        ) from None
    return absolute


def quoted_text(text: str) -> str:
    """A text as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


def quoted_name(name: str) -> str:
    """The name of a column, of any characters, in SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(path: Path) -> str:
    """Escape a path for read_csv and read_parquet, which take patterns, so that it matches only this file."""
    return re.sub(r"([*?\[])", r"[\1]", located(path))
