"""Reports of rows that were left out, beside other files of the user: what such a report may replace."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from mlrec.errors import SettingsError

_ANOTHER = "Name another file with --rejects."


def require_replaceable(
    path: Path, header: Sequence[str], *, inputs: Iterable[Path] = (), by_hand: str | None = None
) -> None:
    """Raise an error unless a report may be written to a path, or removed from it.

    Nothing that a person could miss is replaced: only an earlier report, or an empty file.

    Parameters
    ----------
    path
        Where the report goes.
    header
        The columns of such a report.
    inputs
        Other files that the command reads or writes, whether they exist yet or not.
    by_hand
        A column that a person may have filled in. A report with anything in it is not replaced.

    Raises
    ------
    SettingsError
        If something else is there.
    """
    target = path.resolve()
    for source in inputs:
        if target == source.resolve() or (path.exists() and source.exists() and path.samefile(source)):
            raise SettingsError(f"The rejects would overwrite {source}.", _ANOTHER)
    if not path.exists():
        return
    if not path.is_file():
        raise SettingsError(f"The rejects would replace {path}, which is not a regular file.", _ANOTHER)
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.reader(file)
            first = next(rows, None)
            is_report = first is None or first == list(header)
            place = len(header) if by_hand is None else header.index(by_hand)
            is_filled_in = is_report and any("".join(row[place : place + 1]).strip() for row in rows)
    except (OSError, UnicodeError, csv.Error):
        is_report = is_filled_in = False
    if not is_report:
        raise SettingsError(f"The rejects would replace {path}, which is another file.", _ANOTHER)
    if is_filled_in:
        raise SettingsError(
            f"The rejects would replace {path}, in which {by_hand} has been filled in.",
            "Save that file under another name, and pass it with --match. Or name another report with --rejects.",
        )
