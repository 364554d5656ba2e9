"""The steps of sql/ on tables small enough to work out by hand: a database, and files and tables to put into it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import duckdb

from mlrec.dataset.scales import FIVE_STARS, Scale
from mlrec.dataset.sources import CSV_COLUMNS, Layout, RawFile, Role
from mlrec.dataset.sql_steps import SqlSteps
from mlrec.dataset.text_files import Encoding
from mlrec.dataset.text_rows import record_blocks
from mlrec.progress import SILENT

INT64_MAX = 2**63 - 1
INT64_MIN = -(2**63)
DOUBLE_EXACT = 2**53
"""Beyond it not every whole number has a DOUBLE of its own."""

PREFERENCES = [-2, -1, 1, 2]
"""Of buckets 1 to 4."""

RATING_COLUMNS = "user_id BIGINT, movie_id BIGINT, rating DOUBLE, timestamp BIGINT"

SPLIT_COLUMNS = "user_id BIGINT, movie_id BIGINT, preference TINYINT, timestamp BIGINT, split VARCHAR"


class Database:
    """A database in memory, set up as for a preparation, in which one step at a time runs."""

    _names = count()

    def __init__(self, server: duckdb.DuckDBPyConnection) -> None:
        # Opening DuckDB takes longer than all else here: each test gets a database and a session of its own within one.
        name = f"database_{next(self._names)}"
        self.connection = server.cursor()
        self.connection.execute(f"ATTACH ':memory:' AS {name}")
        self.connection.execute(f"USE {name}")
        self.file: RawFile | None = None
        self.run("00_setup")
        self.set(user_offset=0, user_prefix="", words=False, clock="s", ticks_per_second=1, has_catalogue=True)
        self.set_scale(FIVE_STARS)
        for step in ("01_users_integer", "02_movies_integer", "22_look"):
            self.run(step)

    def set_scale(self, scale: Scale) -> None:
        self.set(scale=scale.to_sql())

    def cut(self, *cut_points: float, high: float = 5.0) -> None:
        first, second, third = cut_points
        self.set_scale(replace(FIVE_STARS, cut_points=(first, second, third), high=high))

    def set(self, **variables: Any) -> None:
        for name, value in variables.items():
            self.connection.execute(f"SET VARIABLE {name} = $value", {"value": value})

    def table(self, name: str, columns: str, rows: Sequence[Sequence[Any]]) -> None:
        self.connection.execute(f"CREATE OR REPLACE TABLE {name} ({columns})")
        if rows:
            by_column = [list(values) for values in zip(*rows, strict=True)]
            self.connection.execute(f"INSERT INTO {name} SELECT {', '.join('unnest(?)' for _ in by_column)}", by_column)

    def set_file(self, file: RawFile) -> None:
        """Make a text file known to the SQL, and load its lines."""
        self.file = file
        steps = SqlSteps(self.connection, SILENT)
        steps.set_file(file)
        steps.load(record_blocks(file, file.encoding))

    def movies(self, *movie_ids: int) -> None:
        self.connection.execute("INSERT INTO movies (movie_id) SELECT unnest(?)", [list(movie_ids)])

    def run(self, step: str, **parameters: Any) -> None:
        file = self.file if step.startswith(("10", "12", "2", "8")) else None
        SqlSteps(self.connection, SILENT).run(step, "", file, **parameters)

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        return self.connection.execute(query, list(values) or None).fetchall()

    def value(self, query: str, *values: Any) -> Any:
        return self.rows(query, *values)[0][0]

    def reasons(self) -> list[str]:
        return [reason for (reason,) in self.rows("SELECT reason FROM rejects ORDER BY line")]


def raw_file(
    role: Role,
    path: Path,
    content: str,
    *,
    layout: Layout = "delimited",
    delimiter: str = ",",
    encoding: Encoding = "utf-8",
    columns: tuple[str, ...] = (),
) -> RawFile:
    """Write a text file and describe it; CSV files have a header line."""
    path.write_bytes(content.encode(encoding))
    return RawFile(
        role,
        path,
        path.name,
        layout,
        delimiter,
        encoding,
        header_lines=1 if delimiter == "," else 0,
        columns=columns or CSV_COLUMNS[role],
    )


def parquet_file(db: Database, role: Role, path: Path, query: str) -> dict[str, Any]:
    """Write the rows of a query as Parquet and describe the file as the SQL expects."""
    db.connection.execute(f"COPY ({query}) TO $path (FORMAT parquet)", {"path": str(path)})
    own = [name for name, *_ in db.rows("DESCRIBE FROM read_parquet(?)", str(path))]
    by_name = {name.lower().replace("_", ""): name for name in own}
    names = {name: by_name[name.replace("_", "")] for name in CSV_COLUMNS[role]}
    db.file = RawFile(role, path, path.name, "parquet", columns=CSV_COLUMNS[role], own_names=names)
    return db.file.for_sql()


def load_ratings(db: Database, *ratings: tuple[int, int, float, int]) -> None:
    db.table("ratings", RATING_COLUMNS, ratings)
