"""Running the SQL of a preparation, one step a file.

The steps in sql/shared/ are read by DuckDB and by Spark alike: they define views, and nothing else. A view named new_x
is kept: its rows become x, for the steps after it, as soon as the step has been read, in the order of the file. What
only one engine can read stands in a folder of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from importlib import resources
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from mlrec.dataset.text_rows import LineBlock, Record
from mlrec.errors import InputError
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
    """What a step leaves to be kept."""
    return re.findall(r"\bVIEW new_(\w+)", text)


class SqlSteps:
    """The steps that DuckDB runs, on one connection.

    Parameters
    ----------
    connection
        An open database.
    progress
        Told of each step.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, progress: Progress) -> None:
        self.connection = connection
        self.progress = progress

    def run(self, step: str, label: str, file: RawFile | None = None, **parameters: Any) -> None:
        """Execute the statements of one SQL file, and keep what is to be kept.

        Parameters
        ----------
        step
            Name of the file, without its ending.
        label
            What it does, for people.
        file
            The raw file that it reads, if it reads one: what DuckDB says of its content is bad input.
        parameters
            Values of the statements' parameters.
        """
        with self.progress.task(label):
            self.execute(step, file, **parameters)

    def execute(self, step: str, file: RawFile | None = None, **parameters: Any) -> None:
        """Do what `run` does as a part of a larger task."""
        import duckdb

        text = text_of("duckdb", step)
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
        """Put blocks of a text file into the table raw_lines, in the place of what was there."""
        self.connection.execute("DELETE FROM raw_lines")
        for block in blocks:
            self.connection.register("block", _columns(block))
            self.connection.execute("INSERT INTO raw_lines BY NAME FROM block")
            self.connection.unregister("block")

    def set(self, name: str, value: Any) -> None:
        """Give a variable of the SQL its value."""
        self.connection.execute(f"SET VARIABLE {name} = $value", {"value": value})

    def set_file(self, file: RawFile) -> None:
        """Tell the SQL of a raw file."""
        self.set(f"{file.role}_file", file.for_sql())

    def rows(self, query: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        return self.connection.execute(query, parameters or None).fetchall()

    def value(self, query: str, **parameters: Any) -> int:
        """The first value of a query's first row, a whole number."""
        return int(self.rows(query, **parameters)[0][0])


def _columns(block: LineBlock | list[Record]) -> dict[str, NDArray[Any]]:
    """The columns of raw_lines, as DuckDB takes them."""
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
    """The first line of what an error says."""
    return str(error).strip().partition("\n")[0]
