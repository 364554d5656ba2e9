"""Whether a folder is what it was when it was complete.

The JSON document that describes a folder, and is written last, is sealed: under `files` it holds size and SHA-256 of
other files of the folder, and SHA-256 of itself without that last entry. Documents of earlier versions have no seal.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

_RECORD = "files"


def sealed(document: Mapping[str, Any], path: Path, others: Iterable[Path]) -> dict[str, Any]:
    """A document with its seal, ready to be written.

    Parameters
    ----------
    document
        Plain JSON values.
    path
        Where it will be written.
    others
        Files of the same folder, or of folders in it, that are complete.
    """
    record: dict[str, dict[str, Any]] = {
        other.relative_to(path.parent).as_posix(): {"bytes": other.stat().st_size, "sha256": _sha256(other)}
        for other in sorted(others)
    }
    result = {**document, _RECORD: record}
    record[path.name] = {"sha256": _own_sha256(result, path.name)}
    return result


def is_as_written(document: Mapping[str, Any], path: Path) -> bool:
    """Whether a document that was read from a file is what was written there; True if it has no seal."""
    if _RECORD not in document:
        return True
    record = document[_RECORD]
    return isinstance(record, dict) and record.get(path.name) == {"sha256": _own_sha256(document, path.name)}


def difference(document: Mapping[str, Any], path: Path, *, read_up_to: float = math.inf) -> str | None:
    """Compare the other files of a folder with what they were.

    Parameters
    ----------
    document
        What was read from the folder's description; it is as it was written.
    path
        The file of the description.
    read_up_to
        Files of more bytes than this are not read: only their size is compared.

    Returns
    -------
    str or None
        The first difference in words, such as "user_ids.npy is missing"; None if there is none.
    """
    for name, entry in document.get(_RECORD, {}).items():
        if name == path.name:
            continue
        try:
            found = (path.parent / name).stat().st_size
            if found != entry["bytes"]:
                return f"{name} has {found:,} bytes instead of {entry['bytes']:,}"
            if found <= read_up_to and _sha256(path.parent / name) != entry["sha256"]:
                return f"{name} is not what was written"
        except FileNotFoundError:
            return f"{name} is missing"
        except OSError as error:
            return f"{name} cannot be read ({error.strerror})"
    return None


def is_altered(document: Mapping[str, Any], path: Path, other: Path) -> bool:
    """Whether a file of the folder has the size that it had, and another content: no program rewrites a file so.

    Parameters
    ----------
    document, path
        As in `difference`.
    other
        The file.
    """
    entry = document.get(_RECORD, {}).get(other.relative_to(path.parent).as_posix())
    return entry is not None and other.stat().st_size == entry["bytes"] and _sha256(other) != entry["sha256"]


def _own_sha256(document: Mapping[str, Any], name: str) -> str:
    others = {other: entry for other, entry in document[_RECORD].items() if other != name}
    return hashlib.sha256(json.dumps({**document, _RECORD: others}, sort_keys=True).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
