"""Opening DuckDB so that it does only what it is told: no downloads, no look into Python's variables."""

from __future__ import annotations

import re
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mlrec.errors import InputError

if TYPE_CHECKING:
    import duckdb


def load_duckdb() -> None:
    """Import DuckDB; whoever presses Ctrl-C meanwhile is heard when that is done.

    An interrupt in the midst of it would end the process all the same, but with a message about DuckDB's insides.
    """
    before = signal.getsignal(signal.SIGINT)
    # Only the main thread hears signals, and a handler that is not Python's cannot be put back.
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
    load_duckdb()
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


def located(path: Path) -> str:
    """Spell a path so that DuckDB means just this place: of a relative one it takes a leading ~ for the home folder.

    Raises
    ------
    InputError
        If the path is not UTF-8, which DuckDB cannot open.
    """
    place = str(path.absolute())
    try:
        place.encode()
    except UnicodeEncodeError:
        raise InputError(
            f"{path} cannot be opened by DuckDB: the path is not UTF-8.",
            "Rename the file or folder, or name a link to it.",
        ) from None
    return place


def literal(path: Path) -> str:
    """Spell a path so that read_csv and read_parquet, which take patterns, mean just this file."""
    return re.sub(r"([*?\[])", r"[\1]", located(path))
