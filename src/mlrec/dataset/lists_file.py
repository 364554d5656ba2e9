"""Everybody's lists in one Parquet or CSV file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from mlrec.artifacts.files import keep_private, sync, temporary_sibling
from mlrec.dataset.database import connect, load_duckdb, located
from mlrec.dataset.sql_steps import first_line
from mlrec.errors import StateError

_COLUMNS = "user_id BIGINT, rank INTEGER, movie_id BIGINT, score FLOAT, source VARCHAR"


def write_lists(path: Path, blocks: Iterable[Mapping[str, NDArray[Any]]]) -> int:
    """Write blocks of rows to a file, which appears when it is complete.

    Parameters
    ----------
    path
        Where to; a name that ends in .csv gives CSV with a header, any other Parquet.
    blocks
        Columns user_id, rank, movie_id, score and source; the rows keep their order.

    Returns
    -------
    int
        How many rows were written.

    Raises
    ------
    StateError
        If the disk is full, or fails.
    """
    kind = "(FORMAT csv, HEADER true)" if path.suffix == ".csv" else "(FORMAT parquet, COMPRESSION zstd)"
    with temporary_sibling(path, folder=True) as folder:
        unfinished = folder / path.name
        with (
            _disk_faults(path),
            connect(located(folder / "lists.duckdb"), temp_directory=located(folder / "spill")) as lists,
        ):
            lists.execute(f"CREATE TABLE lists ({_COLUMNS})")
            for block in blocks:
                # DuckDB reads columns of objects as text.
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


@contextmanager
def _disk_faults(path: Path) -> Iterator[None]:
    """Tell in our words what DuckDB says of a disk; the data and the queries are ours, so nothing else can be wrong."""
    load_duckdb()
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        raise StateError(
            f"Writing {path} failed: {first_line(error)}", "Check the disk, and free space on it."
        ) from error
