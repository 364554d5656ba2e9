"""Files that are not what their name says, such as a Git LFS pointer or a web page in place of a data file."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mlrec.errors import InputError

_BEGINNING = 1 << 10


@dataclass(frozen=True)
class LookAlike:
    """What a file really is.

    Attributes
    ----------
    what
        A description that completes the sentence "It is …".
    hint
        What to do about it.
    """

    what: str
    hint: str


# How each begins, and the file name endings for which that beginning is right.
_LOOK_ALIKES: tuple[tuple[bytes, tuple[str, ...], LookAlike], ...] = (
    (
        rb"version https?://(git-lfs\.github|hawser\.github|git-media)",
        (),
        LookAlike("a Git LFS pointer, not the file itself", "Get the file itself: git lfs pull"),
    ),
    (
        rb"/annex/objects/",
        (),
        LookAlike("a git-annex pointer, not the file itself", "Get the file itself: git annex get"),
    ),
    (
        rb"(\xef\xbb\xbf)?\s*<[!?A-Za-z]",
        (),
        LookAlike("a web page", "Download the file again and look at its first lines."),
    ),
    (
        rb"(\xef\xbb\xbf)?\s*\{\s*[\"}]",
        (),
        LookAlike(
            "a JSON document, perhaps an error from a server", "Download the file again and look at its first lines."
        ),
    ),
    (rb"PK\x03\x04", (".zip",), LookAlike("a zip archive", "Rename it to end in .zip, or unpack it.")),
    (rb"\x1f\x8b", (".gz",), LookAlike("a gzipped file", "Rename it to end in .gz, or unpack it.")),
    (rb"PAR1", (".parquet",), LookAlike("a Parquet file", "Rename it to end in .parquet.")),
    (rb"\xff\xfe|\xfe\xff", (), LookAlike("text in UTF-16", "Save it as UTF-8.")),
)


def look_alike(path: Path, ending: str = "") -> LookAlike | None:
    """What a file really is if its first bytes do not fit its name; None if they may fit.

    Parameters
    ----------
    path
        The file.
    ending
        The ending to check against, if not that of the file's own name.
    """
    ending = ending or path.suffix.lower()
    with path.open("rb") as file:
        return look_alike_of(file.read(_BEGINNING), ending)


def look_alike_of(beginning: bytes, ending: str = "") -> LookAlike | None:
    """What a file with these first bytes really is, unless its name has that ending; None if they may fit."""
    for pattern, endings, found in _LOOK_ALIKES:
        if re.match(pattern, beginning) and ending not in endings:
            return found
    return None


def refuse_pointer(path: Path, label: str) -> None:
    """Raise InputError if a file stands for another one, is a zip archive, or cannot be read."""
    _refuse(path, label, lambda found: found.what.startswith(("a Git LFS", "a git-annex", "a zip")))


def refuse_impostor(path: Path, label: str) -> None:
    """Raise InputError, naming the file by its label, if the file does not fit its name or cannot be read."""
    _refuse(path, label, lambda _: True)


def _refuse(path: Path, label: str, is_wrong: Callable[[LookAlike], bool]) -> None:
    try:
        found = look_alike(path)
    except OSError as error:
        raise InputError(
            f"{label} cannot be read: {error}.", "Check the file's permissions. If it is damaged, get it again."
        ) from error
    if found and is_wrong(found):
        raise InputError(f"{label} is not a data file: it is {found.what}.", found.hint)
