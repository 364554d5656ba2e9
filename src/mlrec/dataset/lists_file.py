"""Everybody's lists in one Parquet or CSV file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from numpy.typing import NDArray

from mlrec.artifacts.files import keep_private, sync
from mlrec.dataset.database import connect

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
    """
    kind = "(FORMAT csv, HEADER true)" if path.suffix == ".csv" else "(FORMAT parquet, COMPRESSION zstd)"
    with TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        unfinished = Path(folder) / path.name
        with connect(str(Path(folder) / "lists.duckdb"), temp_directory=str(Path(folder) / "spill")) as connection:
            connection.execute(f"CREATE TABLE lists ({_COLUMNS})")
            for block in blocks:
                # DuckDB reads columns of objects as text.
                columns = {name: column.astype(object) if column.dtype.kind == "U" else column
                           for name, column in block.items()}  # fmt: skip
                connection.register("block", columns)
                connection.execute("INSERT INTO lists SELECT user_id, rank, movie_id, score, source FROM block")
                connection.unregister("block")
            rows = connection.execute("SELECT count(*) FROM lists").fetchone()
            connection.execute(f"COPY lists TO $path {kind}", {"path": str(unfinished)})
        keep_private(unfinished, path)
        sync(unfinished)
        unfinished.replace(path)
    sync(path.parent)
    return int(rows[0]) if rows else 0
