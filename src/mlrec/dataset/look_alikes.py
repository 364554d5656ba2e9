"""Files that are not what their name says: what a version control or a website left in a data file's place."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from mlrec.errors import InputError

_BEGINNING = 1 << 10


@dataclass(frozen=True)
class LookAlike:
    """What a file is in truth.

    Attributes
    ----------
    what
        In words, to stand behind "it is".
    hint
        What to do about it.
    """

    what: str
    hint: str


# By how they begin, and the endings with which a file is rightly so.
_LOOK_ALIKES: tuple[tuple[bytes, tuple[str, ...], LookAlike], ...] = (
    (
        rb"version https?://(git-lfs\.github|hawser\.github|git-media)",
        (),
        LookAlike("a pointer of Git LFS, which stands for the file", "Get the file itself: git lfs pull"),
    ),
    (
        rb"/annex/objects/",
        (),
        LookAlike("a pointer of git-annex, which stands for the file", "Get the file itself: git annex get"),
    ),
    (
        rb"(\xef\xbb\xbf)?\s*<[!?A-Za-z]",
        (),
        LookAlike("a web page, shown in the file's place", "Get the file again, and look at its beginning."),
    ),
    (
        rb"(\xef\xbb\xbf)?\s*\{\s*[\"}]",
        (),
        LookAlike("a JSON document, perhaps a server's error", "Get the file again, and look at its beginning."),
    ),
    (rb"PK\x03\x04", (".zip",), LookAlike("a zip archive", "Give it the ending .zip, or unpack it.")),
    (rb"\x1f\x8b", (".gz",), LookAlike("a gzipped file", "Give it the ending .gz, or unpack it.")),
    (rb"PAR1", (".parquet",), LookAlike("a Parquet file", "Give it the ending .parquet.")),
    (rb"\xff\xfe|\xfe\xff", (), LookAlike("text in UTF-16", "Save it as UTF-8.")),
)


def look_alike(path: Path, ending: str = "") -> LookAlike | None:
    """What a file is that is not what it is taken for, by its first bytes; None if nothing speaks against it.

    Parameters
    ----------
    path
        The file.
    ending
        The one that its name should have, if its name does not tell.
    """
    ending = ending or path.suffix.lower()
    with path.open("rb") as file:
        beginning = file.read(_BEGINNING)
    for pattern, endings, found in _LOOK_ALIKES:
        if re.match(pattern, beginning) and ending not in endings:
            return found
    return None


def refuse_impostor(path: Path, label: str) -> None:
    """Raise InputError, naming the file by its label, if it is not what it is taken for, or cannot be read."""
    try:
        found = look_alike(path)
    except OSError as error:
        raise InputError(
            f"{label} cannot be read: {error}.", "Check that it is readable, or get it again: it may be damaged."
        ) from error
    if found:
        raise InputError(f"{label} is not a data file: it is {found.what}.", found.hint)
