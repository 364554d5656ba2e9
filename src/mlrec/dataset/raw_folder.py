"""Recording what fetch put into the raw folder, and replacing it.

A marker file holds the record. Fetch therefore never touches files that it did not put there, and it recognizes a
replacement that was interrupted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mlrec.artifacts.checksums import FileRecord, checksum
from mlrec.artifacts.documents import DocumentError, from_json
from mlrec.artifacts.files import read_json, sync, sync_tree, write_json
from mlrec.dataset.names import is_data_name
from mlrec.errors import IncompatibleFormatError, StateError
from mlrec.progress import Progress
from mlrec.workspace import RawFiles

MARKER_FORMAT_VERSION = 1


@dataclass(frozen=True)
class FetchedFile:
    """A file as fetch put it into the raw folder."""

    name: str
    bytes: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> FetchedFile:
        """Describe a file."""
        return cls(path.name, path.stat().st_size, checksum(path))

    def is_in(self, folder: Path) -> bool:
        """Whether a folder holds the file, unchanged."""
        path = folder / self.name
        return path.is_file() and path.stat().st_size == self.bytes and FetchedFile.of(path) == self


@dataclass(frozen=True)
class _MarkerDocument:
    """The content of a marker file. `origin` is `from` there, which cannot be a name in Python."""

    edition: str
    origin: str
    sha256: str | None
    files: Mapping[str, FileRecord]
    incomplete: bool = False
    replaced: tuple[FetchedFile, ...] = ()


@dataclass(frozen=True)
class Marker:
    """What fetch put into the raw folder.

    While one set of files replaces another, `incomplete` is true and `replaced` holds the former files.
    """

    edition: str
    origin: str
    sha256: str | None
    files: tuple[FetchedFile, ...]
    incomplete: bool = False
    replaced: tuple[FetchedFile, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the files."""
        return tuple(file.name for file in self.files)

    def is_intact(self, raw: RawFiles, required: Iterable[str]) -> bool:
        """Whether all files are there, unchanged, and include the required ones."""
        complete = not self.incomplete and set(required) <= set(self.names)
        return complete and all(file.is_in(raw.root) for file in self.files)

    @classmethod
    def read(cls, raw: RawFiles) -> Marker | None:
        """Read the marker. Returns None if there is none or it cannot be read."""
        try:
            document = read_json(raw.marker, MARKER_FORMAT_VERSION)
            content = from_json(_MarkerDocument, {**document, "origin": document.get("from")})
        except (FileNotFoundError, IncompatibleFormatError, DocumentError):
            return None
        files = tuple(FetchedFile(name, entry.bytes, entry.sha256) for name, entry in content.files.items())
        return cls(content.edition, content.origin, content.sha256, files, content.incomplete, content.replaced)

    def write(self, raw: RawFiles, replaced: Iterable[FetchedFile] | None = None) -> None:
        """Write the marker. With the former files, mark the beginning of a replacement."""
        document: dict[str, Any] = {
            "format_version": MARKER_FORMAT_VERSION,
            "edition": self.edition,
            "from": self.origin,
            "sha256": self.sha256,
            "fetched_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "files": {file.name: {"bytes": file.bytes, "sha256": file.sha256} for file in self.files},
        }
        if replaced is not None:
            document |= {"incomplete": True, "replaced": [asdict(file) for file in replaced]}
        write_json(raw.marker, document)


def _data_files(raw: RawFiles) -> list[Path]:
    return [path for path in raw.root.iterdir() if is_data_name(path.name)]


def refuse_foreign(raw: RawFiles, marker: Marker | None, force: bool) -> None:
    """Raise StateError if the folder has data files that fetch did not put there; with `force`, only for a folder."""
    own = set(marker.files + marker.replaced) if marker else set()
    for path in _data_files(raw):
        if path.is_dir() or not (force or (not path.is_symlink() and FetchedFile.of(path) in own)):
            raise StateError(
                f"{path} was not put there by 'mlrec fetch', or has changed since. It was left as it is.",
                "Move it away, use another --data-dir, or delete it with --force.",
            )


def put_in_place(raw: RawFiles, marker: Marker, force: bool, progress: Progress) -> None:
    """Move the incoming files into the raw folder, replacing the former ones.

    The former ratings are removed first and the new ratings are moved last. Wherever this stops, prepare therefore
    finds the former data set, the new one or none, but never a mixture.
    """
    former = Marker.read(raw)
    refuse_foreign(raw, former, force)
    with progress.task("Moving the files into place"):
        sync_tree(raw.incoming)
        marker.write(raw, replaced=former.files + former.replaced if former else ())
        for path in sorted(_data_files(raw), key=_ratings_first):
            path.unlink()
        for path in sorted(raw.incoming.iterdir(), key=_ratings_first, reverse=True):
            path.replace(raw.root / path.name)
        sync(raw.root)
        marker.write(raw)


def _ratings_first(path: Path) -> bool:
    return not path.name.startswith(("ratings.", "u.data"))
