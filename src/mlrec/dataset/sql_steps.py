"""Running the SQL of a preparation, one file per step.

Both DuckDB and Spark run the steps in sql/shared/, which only define views. A view named new_x is kept: after the step,
its rows become x for the following steps. If a step defines several such views, they are kept in the order of the file.
Steps for one engine only are in that engine's own folder.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from mlrec.dataset.database import quoted_text
from mlrec.dataset.text_rows import LineBlock, Record
from mlrec.errors import InputError, SettingsError, shown
from mlrec.progress import Progress

if TYPE_CHECKING:
    import duckdb

    from mlrec.dataset.sources import RawFile

Dialect = Literal["duckdb", "spark"]


def text_of(dialect: Dialect, step: str) -> str:
    """The SQL of a step: the engine's own, or the shared one."""
    folder = resources.files("mlrec.dataset").joinpath("sql")
    own = folder.joinpath(dialect, f"{step}.sql")
    return (own if own.is_file() else folder.joinpath("shared", f"{step}.sql")).read_text(encoding="utf-8")


def kept_by(text: str) -> list[str]:
    """Names of the tables that a step marks to be kept."""
    return re.findall(r"\bVIEW new_(\w+)", text)


class SqlSteps:
    """The steps that DuckDB runs, on one connection.

    Parameters
    ----------
    connection
        An open database.
    progress
        Reports each step.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, progress: Progress) -> None:
        self.connection = connection
        self.progress = progress

    def run(self, step: str, label: str, file: RawFile | None = None, **parameters: Any) -> None:
        """Execute the statements of one SQL file, and keep the tables that it marks.

        Parameters
        ----------
        step
            Name of the file without its ending.
        label
            Description of the step for the progress display.
        file
            The raw file that the step reads, if any. DuckDB's complaints about its content become an InputError. Its
            columns replace {selected} in the SQL.
        parameters
            Values of the statements' parameters.
        """
        with self.progress.task(label):
            self.execute(step, file, **parameters)

    def execute(self, step: str, file: RawFile | None = None, **parameters: Any) -> None:
        """Do the same as `run`, as part of a larger task."""
        import duckdb

        text = text_of("duckdb", step)
        if file is not None:
            text = text.replace("{selected}", file.selected())
        try:
            for statement in self.connection.extract_statements(text):
                self.connection.execute(statement, parameters or None)
            for name in kept_by(text):
                self.connection.execute(f"CREATE OR REPLACE TABLE {name} AS FROM new_{name}")
        except (duckdb.InterruptException, duckdb.OutOfMemoryException):
            raise
        except (duckdb.Error, UnicodeDecodeError, OverflowError) as error:
            is_of_disk = isinstance(error, duckdb.IOException) and "write" in str(error)
            if file is None or is_of_disk:
                raise
            raise InputError(
                f"{file.label} cannot be read: {first_line(error)}", "Check the file, or get it again."
            ) from error

    def load(self, blocks: Iterable[LineBlock | list[Record]]) -> None:
        """Replace the content of the table raw_lines with blocks of a text file."""
        self.connection.execute("DELETE FROM raw_lines")
        for block in blocks:
            self.connection.register("block", _columns(block))
            self.connection.execute("INSERT INTO raw_lines BY NAME FROM block")
            self.connection.unregister("block")

    def set(self, name: str, value: Any) -> None:
        """Set an SQL variable."""
        self.connection.execute(f"SET VARIABLE {name} = $value", {"value": value})

    def load_table(self, name: str, columns: Mapping[str, tuple[Sequence[Any], str]]) -> None:
        """Create a table of columns, each with its values and its SQL type."""
        arrays = {column: _objects(values) for column, (values, _) in columns.items()}
        self.connection.register("given", arrays)
        selected = ", ".join(f"CAST({column} AS {kind}) AS {column}" for column, (_, kind) in columns.items())
        self.connection.execute(f"CREATE TABLE {name} AS SELECT {selected} FROM given")
        self.connection.unregister("given")

    def use_timezone(self, name: str) -> None:
        """Set the zone of times that name none."""
        import duckdb

        try:
            self.connection.execute(f"SET TimeZone = {quoted_text(name)}")
        except duckdb.Error as error:
            raise SettingsError(
                f"{shown(name)} is not a time zone.", "Use a name such as Europe/Berlin or UTC."
            ) from error

    def set_file(self, file: RawFile) -> None:
        """Tell the SQL of a raw file."""
        self.set(f"{file.role}_file", file.for_sql())

    def rows(self, query: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        return self.connection.execute(query, parameters or None).fetchall()

    def value(self, query: str, **parameters: Any) -> int:
        """The first value of a query's first row, as an integer."""
        return int(self.rows(query, **parameters)[0][0])


def _columns(block: LineBlock | list[Record]) -> dict[str, NDArray[Any]]:
    """The columns of raw_lines, in the form that DuckDB reads."""
    if isinstance(block, LineBlock):
        return {"line": np.arange(block.first, block.first + len(block.lines)), "text": _objects(block.lines)}
    return {
        "line": np.array([record.line for record in block], dtype=np.int64),
        "text": _objects([record.text for record in block]),
        "quoted": _objects([record.quoted for record in block]),
    }


def _objects(values: Sequence[object]) -> NDArray[Any]:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def first_line(error: object) -> str:
    """The first line of an error's message."""
    return str(error).strip().partition("\n")[0]
