"""Data frames as input: writes pandas, polars and Arrow tables, and DuckDB relations, to Parquet files.

DuckDB copies the rows. It reads a pandas frame itself, and everything else through the Arrow C stream, for which
neither side needs pyarrow. None of these libraries is imported here: whoever passes a frame has imported its library.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlrec.dataset.database import connect, load_duckdb, located, quoted_name
from mlrec.dataset.examining import Examiner, nested_columns
from mlrec.dataset.sources import RawFile, Role
from mlrec.dataset.sql_steps import first_line
from mlrec.errors import InputError, StateError
from mlrec.ids import IdKind

if TYPE_CHECKING:
    import duckdb

# What pandas' `infer_dtype` says of columns of Python objects that are all of one kind.
_UNIFORM = frozenset(
    ("empty", "string", "integer", "floating", "mixed-integer-float", "decimal", "boolean", "date", "datetime", "bytes")
)
# Python types, beyond those, that DuckDB turns into columns of one type.
_NESTED = frozenset(("list", "tuple", "ndarray", "dict", "UUID"))


@dataclass(frozen=True)
class WrittenFrame:
    """A data frame as a Parquet file.

    Attributes
    ----------
    path
        The file.
    columns
        Names of its columns.
    texts
        Names of the columns that hold text.
    integers
        Names of the columns that hold whole numbers.
    nested
        Names of the columns that hold objects or lists.
    """

    path: Path
    columns: tuple[str, ...]
    texts: frozenset[str]
    integers: frozenset[str]
    nested: frozenset[str]


def is_frame(value: object) -> bool:
    """Return whether a value is a data frame: pandas, polars, Arrow, DuckDB, or whatever has an Arrow C stream."""
    return _is_pandas(value) or _is_lazy(value) or hasattr(value, "__arrow_c_stream__")


def open_frame(role: Role, frame: Any, examiner: Examiner, movie_name: str | None) -> RawFile:
    """Copy a data frame of ratings, movies or links into the scratch folder, and describe the copy to the SQL.

    Raises
    ------
    InputError
        If a column cannot be read, or a required one is missing.
    StateError
        If the copy cannot be written.
    """
    label, settings = f"{role} (data frame)", examiner.settings
    folder = examiner.scratch / "frames"
    folder.mkdir(exist_ok=True)
    threads = {"threads": settings.threads} if settings.threads else {}
    with examiner.progress.task(f"Copying {role}"):
        written = write_frame(frame, folder / f"{role}.parquet", label, memory_limit=settings.memory_limit, **threads)
    found = examiner.parquet(role, written.path, label, written.columns, nested=written.nested, movie_name=movie_name)
    kinds: dict[str, IdKind] = {}
    for one in ("user", "movie"):
        if (name := found.names.get(one)) in written.texts | written.integers:
            kinds[one] = "text" if name in written.texts else "integer"
    return replace(found, id_kinds=kinds)


def write_frame(frame: Any, path: Path, label: str, **config: str | int) -> WrittenFrame:
    """Write a data frame to a Parquet file, in the order of its rows.

    Parameters
    ----------
    frame
        The frame. Named levels of a pandas index become columns. A stream is read once.
    path
        The file to write.
    label
        Name of the frame in messages.
    config
        DuckDB settings.

    Raises
    ------
    InputError
        If a column cannot be read.
    StateError
        If the file cannot be written.
    """
    load_duckdb()
    import duckdb

    table = _readable(frame, label)
    with connect(":memory:", temp_directory=located(path.with_name("spill")), **config) as connection:
        try:
            connection.register("frame", _registrable(table))
            rows = _exactly(connection) if _is_pandas(table) else "FROM frame"
            connection.execute(f"COPY ({rows}) TO $path (FORMAT parquet)", {"path": located(path)})
            columns = connection.execute("DESCRIBE FROM read_parquet($path)", {"path": located(path)}).fetchall()
        except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
            raise StateError(
                f"{label} cannot be copied to {path.parent}: {first_line(error)}",
                "Check the disk and the free space on it, or increase memory_limit.",
            ) from error
        except (duckdb.InterruptException, MemoryError):
            raise
        except (duckdb.Error, UnicodeError, OverflowError, ValueError, TypeError, ImportError) as error:
            raise _fault(table, label, error) from error
    kinds = {str(name): str(kind) for name, kind, *_ in columns}
    return WrittenFrame(
        path,
        columns=tuple(kinds),
        texts=frozenset(name for name, kind in kinds.items() if kind in ("VARCHAR", "UUID")),
        integers=frozenset(name for name, kind in kinds.items() if kind.endswith(("INT", "INTEGER", ",0)"))),
        nested=nested_columns(kinds),
    )


# -- the kinds of frames -----------------------------------------------------------------------------------------------


class _Stream:
    """Hides everything of a table but its Arrow C stream, so that DuckDB does not look for its library."""

    def __init__(self, table: Any) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)


def _is_pandas(value: object) -> bool:
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(value, pandas.DataFrame)


def _is_lazy(value: object) -> bool:
    """Whether it is a query of polars that has not run yet."""
    polars = sys.modules.get("polars")
    return polars is not None and isinstance(value, polars.LazyFrame)


def _registrable(table: Any) -> Any:
    return table if _is_pandas(table) else _Stream(table)


def _exactly(connection: duckdb.DuckDBPyConnection) -> str:
    """A query of the registered frame whose whole numbers all stay exact: beyond 64 bits, Parquet would round them."""
    huge = [name for name, kind, *_ in connection.execute("DESCRIBE FROM frame").fetchall() if kind.endswith("HUGEINT")]
    exact = ", ".join(f"CAST({name} AS DECIMAL(38, 0)) AS {name}" for name in map(quoted_name, huge))
    return f"SELECT * REPLACE ({exact}) FROM frame" if huge else "FROM frame"


def _readable(frame: Any, label: str) -> Any:
    """The frame in a form that DuckDB reads, or an error that names what it would misread."""
    if _is_lazy(frame):
        frame = frame.collect()
    if _is_pandas(frame):
        frame = _with_index(frame, label)
    names = _names(frame)
    if _is_pandas(frame) and frame.columns.nlevels > 1:
        raise InputError(
            f"{label}: the columns have {frame.columns.nlevels} levels of names.",
            "Give each column one name, such as user_id.",
        )
    seen: dict[str, str] = {}
    for name in map(str, names):
        if (other := seen.setdefault(name.lower(), name)) != name or names.count(name) > 1:
            raise InputError(
                f"{label}: two columns are named '{name}'."
                if other == name
                else f"{label}: the columns '{other}' and '{name}' differ in capitals only.",
                "Give each column a different name.",
            )
    if _is_pandas(frame):
        for position, name in enumerate(names):
            _check_objects(frame.iloc[:, position], name, label)
    return frame


def _names(frame: Any) -> list[Any]:
    """The names of its columns; an empty list for a stream, which does not show them."""
    if hasattr(frame, "column_names"):  # Arrow
        return list(frame.column_names)
    found = getattr(frame, "columns", [])
    return list(found) if isinstance(found, Iterable) else []


def _with_index(frame: Any, label: str) -> Any:
    """A pandas frame with the named levels of its index as columns, unless a column has the name already."""
    named = [name for name in frame.index.names if name is not None and name not in frame.columns]
    if not named:
        return frame
    try:
        return frame.reset_index(level=named)
    except (ValueError, TypeError) as error:
        raise InputError(
            f"{label}: the index cannot become a column: {first_line(error)}", "Call reset_index() first."
        ) from error


def _check_objects(column: Any, name: object, label: str) -> None:
    """Refuse a pandas column that mixes kinds of objects, which DuckDB would turn into text: 1 and '1' would be one."""
    if column.dtype != object:
        return
    from pandas.api.types import infer_dtype  # the caller has imported pandas

    found = infer_dtype(column, skipna=True)
    if found in _UNIFORM:
        return
    kinds = sorted({type(value).__name__ for value in column[column.notna()]})
    if len(kinds) == 1 and kinds[0] in _NESTED:
        return
    what = f"mixes {', '.join(kinds[:4])}" if len(kinds) > 1 else f"holds objects of type {kinds[0]}"
    raise InputError(
        f"{label}: the column '{name}' {what}.",
        f"Convert it first, for example with frame['{name}'].astype(str), or leave it out.",
    )


def _fault(table: Any, label: str, error: Exception) -> InputError:
    """The error for a frame that DuckDB cannot read. It names the first column that cannot be read on its own."""
    for name in _names(table):
        try:
            one = table[[name]] if _is_pandas(table) else table.select([name])
            with connect() as connection:
                connection.register("one", _registrable(one))
                connection.execute("CREATE TABLE probe AS FROM one")
        except Exception as of_column:  # whichever library fails: the column is to blame
            return InputError(
                f"{label}: the column '{name}' cannot be read: {_reason(of_column)}",
                "Convert it to numbers, text or timestamps first, or leave it out.",
            )
    return InputError(f"{label} cannot be read: {_reason(error)}", "Check the data frame.")


def _reason(error: Exception) -> str:
    """DuckDB's first line without the name of its error class."""
    return first_line(error).partition(" Error: ")[2] or first_line(error)
