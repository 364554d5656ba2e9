"""Joining the part files of a folder into one file, so that the readers see a single file.

Which line of the joined file is which line of which part is kept, for the rejects.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING
from urllib.parse import unquote

from mlrec.dataset.database import connect, literal, located, quoted_name, quoted_text
from mlrec.dataset.examining import Examiner, parquet_columns
from mlrec.dataset.sources import Piece, RawFile, Role
from mlrec.dataset.sql_steps import first_line
from mlrec.dataset.text_files import survey
from mlrec.dataset.text_rows import LineBlock, record_blocks
from mlrec.dataset.unpacking import free
from mlrec.errors import InputError, shown

if TYPE_CHECKING:
    import duckdb

_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True)
class Part:
    """A part file.

    Attributes
    ----------
    path
        The file.
    label
        Its name in messages.
    keys
        What the names of its folders say, such as year=2024: further columns of each of its rows.
    """

    path: Path
    label: str
    keys: Mapping[str, str]


def keys_of(path: PurePath) -> dict[str, str]:
    """The columns in the names of a part's folders; `path` is relative to the folder of all parts."""
    found = {}
    for folder in path.parts[:-1]:
        if match := re.fullmatch(r"([^=]+)=(.*)", folder):
            found[unquote(match[1])] = "" if match[2] == _NO_VALUE else unquote(match[2])
    return found


def joined(
    examiner: Examiner, role: Role, parts: Sequence[Part], label: str, *, movie_name: str | None = None
) -> RawFile:
    """Join part files into one file in the scratch folder.

    Parameters
    ----------
    examiner
        Examines each part.
    role
        What the parts contain.
    parts
        In the order of the rows.
    label
        The name of the joined file in messages.
    movie_name
        The name of the movies' column in the ratings file.

    Raises
    ------
    InputError
        If a part cannot be read, or has other columns than the first.
    """
    filled = [part for part in parts if part.path.stat().st_size]
    if not filled:
        raise InputError(f"{label} has no part file with rows.", "Check the folder.")
    first = filled[0]
    for part in filled:
        if list(part.keys) != list(first.keys):
            raise InputError(
                f"{part.label} is in folders for {', '.join(part.keys) or 'no columns'}, and {first.label} in folders"
                f" for {', '.join(first.keys) or 'no columns'}.",
                "Put all part files below folders with the same keys, such as year=2024.",
            )
    examined = [
        examiner.examined(role, part.path, part.label, further=tuple(part.keys), movie_name=movie_name)
        for part in filled
    ]
    for file in examined[1:]:
        _require_alike(examined[0], file)
    folder = examiner.scratch / role
    folder.mkdir(exist_ok=True)
    if examined[0].layout == "parquet":
        return _joined_parquet(examined, filled, label, free(folder, "joined.parquet"))
    return _joined_text(examiner, examined, filled, label, free(folder, "joined.txt"))


def _require_alike(first: RawFile, file: RawFile) -> None:
    """Raise InputError if a part is of another form than the first."""
    if first.layout == file.layout == "json":
        return
    same_headers = (
        set(first.headers) == set(file.headers) if first.layout == "parquet" else first.headers == file.headers
    )
    if first.layout != file.layout or not same_headers:
        raise InputError(
            f"{file.label} has other columns than {first.label}: {', '.join(map(shown, file.headers))}, and not"
            f" {', '.join(map(shown, first.headers))}.",
            "All part files need the same columns. Move files that are no part away.",
        )
    if (first.delimiter, first.skip_blanks) != (file.delimiter, file.skip_blanks):
        raise InputError(
            f"{file.label} separates fields with {shown(file.delimiter)}, and {first.label} with"
            f" {shown(first.delimiter)}.",
            "All part files need the same separator.",
        )


def _joined_text(
    examiner: Examiner, files: Sequence[RawFile], parts: Sequence[Part], label: str, target: Path
) -> RawFile:
    pieces = []
    line = 1
    with (
        examiner.progress.task(f"Joining {label}", len(parts), "files") as task,
        target.open("x", encoding="utf-8", newline="\n") as out,
    ):
        for file, part in zip(files, parts, strict=True):
            pieces.append(Piece(line, part.label, file.header_lines + 1))
            own = replace(file, columns=file.columns[: len(file.columns) - len(part.keys)])
            for block in record_blocks(own, survey(file.path, file.label).encoding):
                rows = block.lines if isinstance(block, LineBlock) else [record.text for record in block]
                out.writelines(f"{_extended(row, file, part.keys)}\n" for row in rows)
                line += sum(row.count("\n") + 1 for row in rows)
            task.advance()
    first = files[0]
    names = {name: own for file in reversed(files) for name, own in file.names.items()}
    columns = first.columns
    if first.layout == "json":  # each part may have further keys
        columns = tuple(dict.fromkeys(column for file in files for column in file.columns))
    return replace(
        first,
        path=target,
        label=label,
        header_lines=0,
        encoding="utf-8",
        columns=columns,
        headers=tuple(dict.fromkeys(name for file in files for name in file.headers))
        if first.layout == "json"
        else first.headers,
        names=names,
        own_names={name: own for file in reversed(files) for name, own in file.own_names.items()},
        quoted_start=any(file.quoted_start for file in files),
        unusual=tuple(dict.fromkeys(one for file in files for one in file.unusual)),
        pieces=tuple(pieces),
        given=tuple(part.path for part in parts),
    )


def _extended(row: str, file: RawFile, keys: Mapping[str, str]) -> str:
    """A row with the values of its folders."""
    if not keys or not row.strip():
        return row
    if file.layout == "json":
        body = row.rstrip()
        if not body.endswith("}"):
            return row
        further = ", ".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in keys.items())
        return f"{body[:-1]}{'' if body[:-1].strip() == '{' else ', '}{further}}}"
    return file.delimiter.join([row, *(_quoted(value, file) for value in keys.values())])


def _quoted(value: str, file: RawFile) -> str:
    if file.knows_quotes and (file.delimiter in value or '"' in value):
        return '"' + value.replace('"', '""') + '"'
    return value


def _joined_parquet(files: Sequence[RawFile], parts: Sequence[Part], label: str, target: Path) -> RawFile:
    import duckdb

    pieces = []
    line = 1
    try:
        with connect() as connection:
            for file, part in zip(files, parts, strict=True):
                pieces.append(Piece(line, part.label, 1))
                line += _count(connection, file.path)
            own = list(parquet_columns(files[0].path, files[0].label))
            selected = ", ".join(map(quoted_name, own))
            sources = " UNION ALL BY NAME ".join(
                f"SELECT {selected}{''.join(_constant(key, value) for key, value in part.keys.items())}"
                f" FROM read_parquet({quoted_text(literal(file.path))}, hive_partitioning = false)"
                for file, part in zip(files, parts, strict=True)
            )
            connection.execute(f"COPY ({sources}) TO {quoted_text(located(target))} (FORMAT parquet)")
    except duckdb.Error as error:
        raise InputError(
            f"{label} cannot be read: {first_line(error)}", "Check its files, or get them again."
        ) from error
    return replace(files[0], path=target, label=label, pieces=tuple(pieces), given=tuple(part.path for part in parts))


def _count(connection: duckdb.DuckDBPyConnection, path: Path) -> int:
    query = "SELECT count(*) FROM read_parquet($path, hive_partitioning = false)"
    row = connection.execute(query, {"path": literal(path)}).fetchone()
    return int(row[0]) if row else 0


def _constant(key: str, value: str) -> str:
    return f", {quoted_text(value) if value else 'NULL'} AS {quoted_name(key)}"
