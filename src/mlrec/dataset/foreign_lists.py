"""Reading lists that another system made, from a file of any form that raw files may have, or from a data frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from numpy.typing import NDArray

from mlrec.artifacts.prepared import IdKinds
from mlrec.dataset.database import connect, load_duckdb, located
from mlrec.dataset.finding import Table, find_recommendations
from mlrec.dataset.pieces import piece_of
from mlrec.dataset.sources import RawFile
from mlrec.dataset.sql_steps import SqlSteps, first_line
from mlrec.dataset.text_rows import record_blocks
from mlrec.errors import InputError, StateError, shown
from mlrec.ids import IdArray, IdKind, array_of, text_fault
from mlrec.progress import SILENT, Progress

ListOrder = Literal["rank", "score", "row"]
"""What the order of a list comes from: ranks; scores, of which higher ones are better; or the order of the rows."""

# Fault → what it says about the field, and what to do.
_FAULTS: Mapping[str, tuple[str, str]] = {
    "object": ("this is not an object of JSON: {field}", "Write one object per line."),
    "quote": ("a quote is not closed: {field}", "Close it, or double quotes within a field."),
    "few": ("fields are missing: {field}", "Every row needs as many fields as the header."),
    "many": ("there are more fields than in the header: {field}", "Put fields with separators into quotes."),
    "rank": ("the rank {field} is not a whole number", "Number the movies of each list: 1, 2, 3 and so on."),
    "low rank": ("the rank {field} is below 1", "Count ranks from 1."),
    "score": ("the score {field} is not a finite number", "Give every movie a score, or leave its row out."),
}


@dataclass(frozen=True)
class ReadLists:
    """Lists as they are in a file.

    Attributes
    ----------
    label
        Name of the file in messages.
    ordered_by
        What the order of the lists comes from. Ranks win over scores.
    rows
        Number of rows of the file.
    repeated
        Number of rows that were skipped because the same list has the movie already, nearer to the top.
    uneven_ranks
        Number of lists whose ranks are not 1, 2, 3 and so on.
    user_id, movie_id
        The other rows, (entries,), by user and then best first. Equal ranks or scores are in the order of movie ids.
    """

    label: str
    ordered_by: ListOrder
    rows: int
    repeated: int
    uneven_ranks: int
    user_id: IdArray
    movie_id: IdArray


def read_lists(table: Table, ids: IdKinds, *, progress: Progress = SILENT) -> ReadLists:
    """Read the lists of another system.

    Parameters
    ----------
    table
        A file, an archive, a folder of part files or a pattern, as text; or a data frame. It has columns of users and
        movies, and may have one of ranks or scores.
    ids
        What the ids are.
    progress
        Reports each step.

    Raises
    ------
    InputError
        If the file is missing, lacks a column or has no rows; also if any row cannot be used. The error names the first
        such row.
    StateError
        If memory or the disk for temporary files is too small.
    """
    with TemporaryDirectory(prefix="mlrec-") as folder, _opened(Path(folder)) as scratch:
        file = find_recommendations(table, scratch, progress)
        with connect(temp_directory=located(scratch / "spill")) as connection:
            sql = SqlSteps(connection, progress)
            sql.execute("00_setup")
            for name, value in {"user_offset": 0, "user_prefix": "", "words": False}.items():
                sql.set(name, value)
            sql.execute(f"01_users_{ids.users}")
            sql.execute(f"02_movies_{ids.movies}")
            order: ListOrder = "rank" if "rank" in file.columns else "score" if "score" in file.columns else "row"
            sql.set("list_order", order)
            with progress.task(f"Reading {file.label}"):
                _read(sql, file, ids)
                return _ordered(sql, file, order, ids)


@contextmanager
def _opened(scratch: Path) -> Iterator[Path]:
    """Turn what may be wrong with memory or disk into a StateError."""
    load_duckdb()
    import duckdb

    try:
        yield scratch
    except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
        raise StateError(
            f"The lists cannot be read: {first_line(error)}",
            "Free memory, or space on the disk for temporary files. The environment variable TMPDIR names another.",
        ) from error


def _read(sql: SqlSteps, file: RawFile, ids: IdKinds) -> None:
    """Read all rows. Raises InputError if one of them cannot be used."""
    sql.set_file(file)
    step = f"80_recommendation_rows_{file.layout}"
    sql.execute(step, file)
    if file.layout == "parquet":
        sql.execute("81_judge_recommendations", file)
    else:
        for block in chain([[]], record_blocks(file, file.encoding)):  # an empty file also needs its tables
            sql.load([block])
            sql.execute("81_judge_recommendations", file)
    if faulty := sql.value("SELECT count(*) FROM list_faults"):
        line, fault, field = sql.rows("FROM list_faults ORDER BY line LIMIT 1")[0]
        raise _error(file, int(line), fault, field or "", faulty, ids)
    if not sql.value("SELECT count(*) FROM list_rows"):
        raise InputError(f"{file.label} has no rows.", "Give a file with a row for each movie of each list.")


def _error(file: RawFile, line: int, fault: str, field: str, faulty: int, ids: IdKinds) -> InputError:
    label, number = piece_of(file, line)
    if fault in ("user", "movie"):
        said = f"the {fault} id {{field}} {_id_fault(field, ids.users if fault == 'user' else ids.movies)}"
        hint = "Use the ids of the prepared data, as they are in train.parquet."
    else:
        said, hint = _FAULTS[fault]
    place = f"{label}, {'row' if file.layout == 'parquet' else 'line'} {number}"
    in_all = f" In all, {faulty:,} rows cannot be used." if faulty > 1 else ""
    return InputError(f"{place}: {said.format(field=shown(field))}.{in_all}", hint)


def _id_fault(field: str, kind: IdKind) -> str:
    if not field:
        return "is empty"
    if kind == "text":
        return text_fault(field) or "cannot be used"
    return "is not a whole number of 64 bits, as the ids of the data are"


def _ordered(sql: SqlSteps, file: RawFile, order: ListOrder, ids: IdKinds) -> ReadLists:
    sql.execute("82_ordered_lists")
    rows = sql.value("SELECT count(*) FROM list_rows")
    columns = sql.connection.execute("FROM ordered_lists").fetchnumpy()
    return ReadLists(
        label=file.label,
        ordered_by=order,
        rows=rows,
        repeated=rows - len(columns["user_id"]),
        uneven_ranks=sql.value("SELECT count(*) FROM uneven_lists") if order == "rank" else 0,
        user_id=_ids(columns["user_id"], ids.users),
        movie_id=_ids(columns["movie_id"], ids.movies),
    )


def _ids(column: NDArray[Any], kind: IdKind) -> IdArray:
    return column if kind == "integer" else array_of(column.tolist(), kind)
