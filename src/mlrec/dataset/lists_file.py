"""Writing the lists of all users to one Parquet or CSV file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from mlrec.artifacts.files import keep_private, sync, temporary_sibling
from mlrec.dataset.database import connect, load_duckdb, located
from mlrec.dataset.sql_steps import first_line
from mlrec.errors import StateError

_COLUMNS = "user_id {user_ids}, rank INTEGER, movie_id {movie_ids}, score FLOAT, source VARCHAR"


def write_lists(path: Path, blocks: Iterable[Mapping[str, NDArray[Any]]]) -> int:
    """Write blocks of rows to a file, which appears only when it is complete.

    Parameters
    ----------
    path
        The file. A name that ends in .csv gives CSV with a header, any other name Parquet.
    blocks
        Columns user_id, rank, movie_id, score and source; the rows keep their order. Ids are int64, or objects if they
        are texts.

    Returns
    -------
    int
        The number of rows written.

    Raises
    ------
    StateError
        If the disk is full or fails.
    """
    kind = "(FORMAT csv, HEADER true)" if path.suffix == ".csv" else "(FORMAT parquet, COMPRESSION zstd)"
    with temporary_sibling(path, folder=True) as folder:
        unfinished = folder / path.name
        with (
            _disk_faults(path),
            connect(located(folder / "lists.duckdb"), temp_directory=located(folder / "spill")) as lists,
        ):
            unread = iter(blocks)
            first = next(unread, {})
            described = _COLUMNS.format(user_ids=_type(first, "user_id"), movie_ids=_type(first, "movie_id"))
            lists.execute(f"CREATE TABLE lists ({described})")
            for block in filter(None, chain([first], unread)):
                # DuckDB reads object columns as text.
                columns = {name: column.astype(object) if column.dtype.kind == "U" else column
                           for name, column in block.items()}  # fmt: skip
                lists.register("block", columns)
                lists.execute("INSERT INTO lists SELECT user_id, rank, movie_id, score, source FROM block")
                lists.unregister("block")
            rows = lists.execute("SELECT count(*) FROM lists").fetchone()
            lists.execute(f"COPY lists TO $path {kind}", {"path": located(unfinished)})
        keep_private(unfinished, path)
        sync(unfinished)
        unfinished.replace(path)
    sync(path.parent)
    return int(rows[0]) if rows else 0


def _type(block: Mapping[str, NDArray[Any]], name: str) -> str:
    """The type of a column of ids: whole numbers, unless they are texts."""
    return "VARCHAR" if name in block and block[name].dtype.kind == "O" else "BIGINT"


@contextmanager
def _disk_faults(path: Path) -> Iterator[None]:
    """Raise DuckDB's errors as a StateError about the disk: data and queries are mlrec's, so nothing else can fail."""
    load_duckdb()
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        raise StateError(
            f"{path} cannot be written: {first_line(error)}", "Check the disk and the free space on it."
        ) from error
