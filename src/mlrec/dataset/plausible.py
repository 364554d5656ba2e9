"""Whether files are those of the edition that was asked for: by their first lines, and by their numbers of rows."""

from __future__ import annotations

import re
from pathlib import Path

from mlrec.dataset.editions import EDITIONS, ROWS, Edition, Rows
from mlrec.dataset.look_alikes import refuse_impostor
from mlrec.errors import FetchError, InputError

_BLOCK = 1 << 20
_LONGEST_LINE = 1 << 16
# The first line of each member, and how it looks; in a CSV file the columns may be more, and in another order.
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
    """Check that the files of a folder are an edition's.

    Parameters
    ----------
    folder
        Holds the edition's files.
    edition
        The edition that was asked for.
    origin
        Where the files come from, for messages.

    Returns
    -------
    tuple of str
        What the user should know though the files may be right.

    Raises
    ------
    FetchError
        If a file is something else, or its number of rows is not the edition's.
    """
    for name in edition.members:
        if (folder / name).is_file():
            _check_beginning(folder / name, f"{name} of {origin}")
    if edition not in ROWS:
        return ()
    warnings = []
    for place, name in enumerate(edition.members[: len(Rows._fields)]):
        found, expected = _count_rows(folder / name), ROWS[edition][place]
        if found == expected:
            continue
        counted = f"{name} of {origin} has {found:,} rows"
        other = next((name for name, other in EDITIONS.items() if ROWS[other][place] == found), None)
        if other:
            raise FetchError(
                f"{counted}, as that of {other}; that of {edition.name} has {expected:,}.",
                f"Fetch it as {other}, or get {edition.name} from elsewhere: --from names a place.",
            )
        if edition.checksum_is_firm:
            raise FetchError(
                f"{counted}; that of {edition.name} has {expected:,}.",
                "Name a complete copy with --from. Other data needs no fetch: mlrec prepare --raw PLACE",
            )
        warnings.append(
            f"{counted}; that of {edition.name}, which changes from time to time, had {expected:,} when this mlrec was"
            " released. Check that it is complete. Results may differ from earlier ones."
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
            f"{label} is not a file of MovieLens: {begins}.",
            f"It should begin like this: {example}. Get it again, or name another place with --from.",
        )


def _names(header: str) -> set[str]:
    return {name.strip(' "').lower().replace("_", "") for name in header.split(",")}


def _count_rows(path: Path) -> int:
    """Lines of a file, without a header and without blank ones at the end."""
    line_ends, end = 0, b""
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            line_ends += block.count(b"\n")
            end = (end + block)[-_LONGEST_LINE:]
    rows = line_ends - end[len(end.rstrip()) :].count(b"\n") + bool(end.strip())
    return rows - (path.name in _COLUMNS)
