"""Detect whether a folder has changed since it was completed.

The JSON document that describes a folder is written last and is sealed. Its record `files` holds the size and SHA-256
of the other files in the folder, and the SHA-256 of the document itself without that last entry. Documents of earlier
versions have no seal.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mlrec.artifacts.documents import DocumentError, from_json

_RECORD = "files"
# Files that are read at the same time.
_AT_ONCE = 2


def checksum(path: Path, kind: str = "sha256") -> str:
    """Return the checksum of a file in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.new(kind, usedforsecurity=False)).hexdigest()


@dataclass(frozen=True)
class FileRecord:
    """Size in bytes and checksum of a file when its folder was completed."""

    bytes: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> FileRecord:
        """Measure a file."""
        return cls(path.stat().st_size, checksum(path))


@dataclass(frozen=True)
class Seal:
    """The seal of one kind of document.

    Attributes
    ----------
    section
        The part of the document that holds the record. None is the top level.
    """

    section: str | None = None

    def put_on(self, document: Mapping[str, Any], path: Path, others: Iterable[Path]) -> dict[str, Any]:
        """Return a document with its seal, ready to be written.

        Parameters
        ----------
        document
            Plain JSON values.
        path
            Where the document will be written.
        others
            The other files of the folder and its subfolders. They must be complete.
        """
        files = sorted(others)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            record: dict[str, Any] = {
                file.relative_to(path.parent).as_posix(): asdict(one)
                for file, one in zip(files, pool.map(FileRecord.of, files), strict=True)
            }
        own = {"sha256": self._own_sha256(document, record)}
        return self._with_record(document, record | {path.name: own})

    def is_intact(self, document: Mapping[str, Any], path: Path) -> bool | None:
        """Return whether a document is unchanged since it was written; None if it has no seal."""
        record = self._record(document)
        if record is None:
            return None
        others = {name: entry for name, entry in record.items() if name != path.name}
        return record.get(path.name) == {"sha256": self._own_sha256(document, others)}

    def difference(self, document: Mapping[str, Any], path: Path, *, read_up_to: float = math.inf) -> str | None:
        """Compare the other files of a folder with the record in its document.

        Parameters
        ----------
        document
            The folder's document, already known to be intact.
        path
            The file that the document was read from.
        read_up_to
            Largest file, in bytes, whose content is compared. Of larger files only the size is.

        Returns
        -------
        str or None
            The first difference in words, such as "user_ids.npy is missing"; None if there is none.
        """
        record = {name: entry for name, entry in (self._record(document) or {}).items() if name != path.name}

        def look_at(name: str) -> str | None:
            try:
                then = from_json(FileRecord, record[name], at=f"{_RECORD}.{name}")
                found = (path.parent / name).stat().st_size
                if found != then.bytes:
                    return f"{name} has {found:,} bytes instead of {then.bytes:,}"
                if found <= read_up_to and checksum(path.parent / name) != then.sha256:
                    return f"{name} has changed since it was written"
            except DocumentError as error:
                return f"in {path.name}, {error}"
            except FileNotFoundError:
                return f"{name} is missing"
            except OSError as error:
                return f"{name} cannot be read ({error.strerror})"
            return None

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return next(filter(None, pool.map(look_at, record)), None)

    def is_altered(self, document: Mapping[str, Any], path: Path, other: Path) -> bool:
        """Return whether a file has its recorded size but other content. No program rewrites a file like that.

        Parameters
        ----------
        document, path
            As in `difference`.
        other
            The file to check.
        """
        entry = (self._record(document) or {}).get(other.relative_to(path.parent).as_posix())
        if entry is None:
            return False
        try:
            then = from_json(FileRecord, entry)
        except DocumentError:
            return True  # without a readable record, the file cannot be trusted
        return other.stat().st_size == then.bytes and checksum(other) != then.sha256

    def _record(self, document: Mapping[str, Any]) -> dict[str, Any] | None:
        part = document if self.section is None else document.get(self.section)
        record = part.get(_RECORD) if isinstance(part, Mapping) else None
        return record if isinstance(record, dict) or record is None else {}

    def _with_record(self, document: Mapping[str, Any], record: dict[str, Any]) -> dict[str, Any]:
        if self.section is None:
            return {**document, _RECORD: record}
        return {**document, self.section: {**document.get(self.section, {}), _RECORD: record}}

    def _own_sha256(self, document: Mapping[str, Any], others: dict[str, Any]) -> str:
        text = json.dumps(self._with_record(document, others), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()
