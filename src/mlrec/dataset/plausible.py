"""Checking that files belong to the requested edition, by their first lines and their numbers of rows."""

from __future__ import annotations

import re
from pathlib import Path

from mlrec.dataset.editions import EDITIONS, ROWS, Edition, Rows
from mlrec.dataset.look_alikes import refuse_impostor
from mlrec.errors import FetchError, InputError

_BLOCK = 1 << 20
_LONGEST_LINE = 1 << 16
# The first line of each member, and an example. A CSV file may have more columns, in any order.
_COLUMNS = {
    "ratings.csv": "userId,movieId,rating,timestamp",
    "movies.csv": "movieId,title,genres",
    "links.csv": "movieId,imdbId,tmdbId",
}
_FIRST_ROWS = {
    "ratings.dat": (rb"\d+::\d+::\d(\.\d)?::\d+", "1::122::5::838985046"),
    "movies.dat": (rb"\d+::.+::.+", "1::Toy Story (1995)::Animation|Comedy"),
    "u.data": (rb"\d+\t\d+\t\d\t\d+", "196 242 3 881250949, with tabs"),
    "u.item": (rb"\d+(\|[^|]*){23}", "1|Toy Story (1995)|01-Jan-1995|…, with 24 fields"),
}


def check(folder: Path, edition: Edition, origin: str) -> tuple[str, ...]:
    """Check that the files in a folder are those of an edition.

    Parameters
    ----------
    folder
        The folder with the edition's files.
    edition
        The requested edition.
    origin
        Where the files come from, for messages.

    Returns
    -------
    tuple of str
        Warnings about files that differ but may be right.

    Raises
    ------
    FetchError
        If a file is something else, or does not have the edition's number of rows.
    """
    for name in edition.members:
        if (folder / name).is_file():
            _check_beginning(folder / name, f"{name} of {origin}")
    if edition not in ROWS:
        return ()
    warnings = []
    for position, name in enumerate(edition.members[: len(Rows._fields)]):
        found, expected = _count_rows(folder / name), ROWS[edition][position]
        if found == expected:
            continue
        counted = f"{name} of {origin} has {found:,} rows"
        other = next((name for name, other in EDITIONS.items() if ROWS[other][position] == found), None)
        if other:
            raise FetchError(
                f"{counted}, which is the size of {other}; {edition.name} has {expected:,}.",
                f"Fetch it as {other}, or get {edition.name} from another place with --from.",
            )
        if edition.checksum_is_firm:
            raise FetchError(
                f"{counted}; {edition.name} has {expected:,}.",
                "Pass a complete copy with --from. To use other data, skip fetch: mlrec prepare --raw FOLDER",
            )
        warnings.append(
            f"{counted}; {edition.name} had {expected:,} when this version of mlrec was released. This edition changes"
            " from time to time. Check that the file is complete. Results may differ from earlier ones."
        )
    return tuple(warnings)


def _check_beginning(path: Path, label: str) -> None:
    """Raise FetchError if a member does not begin as it should."""
    try:
        refuse_impostor(path, label)
    except InputError as error:
        raise FetchError(error.message, error.hint) from error
    with path.open("rb") as file:
        line = file.readline(_LONGEST_LINE).removeprefix(b"\xef\xbb\xbf").rstrip(b"\r\n")
    if path.name in _COLUMNS:
        example = _COLUMNS[path.name]
        fits = _names(example) <= _names(line.decode("latin-1"))
    else:
        pattern, example = _FIRST_ROWS[path.name]
        fits = re.fullmatch(pattern, line) is not None
    if not fits:
        begins = f"its first line is {line[:60].decode(errors='replace')!r}" if line else "it is empty"
        raise FetchError(
            f"{label} is not a MovieLens file: {begins}.",
            f"The first line should look like this: {example}. Get the file again, or pass another place with --from.",
        )


def _names(header: str) -> set[str]:
    return {name.strip(' "').lower().replace("_", "") for name in header.split(",")}


def _count_rows(path: Path) -> int:
    """The number of lines in a file, without the header and without blank lines at the end."""
    line_ends, end = 0, b""
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            line_ends += block.count(b"\n")
            end = (end + block)[-_LONGEST_LINE:]
    rows = line_ends - end[len(end.rstrip()) :].count(b"\n") + bool(end.strip())
    return rows - (path.name in _COLUMNS)
