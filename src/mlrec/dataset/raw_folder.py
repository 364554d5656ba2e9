"""What fetch has put into the raw folder, and putting something else in its place.

A marker file records it, so that fetch never touches anybody else's files, and so that a replacement that was
interrupted is known to be half done.
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
from mlrec.dataset.sources import DATA_FILE_NAMES
from mlrec.errors import IncompatibleFormatError, StateError
from mlrec.progress import Progress
from mlrec.workspace import RawFiles

MARKER_FORMAT_VERSION = 1


@dataclass(frozen=True)
class FetchedFile:
    """A file as fetch has put it into the raw folder."""

    name: str
    bytes: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> FetchedFile:
        """Describe a file."""
        return cls(path.name, path.stat().st_size, checksum(path))

    def is_in(self, folder: Path) -> bool:
        """Whether it lies in a folder as it was described."""
        path = folder / self.name
        return path.is_file() and path.stat().st_size == self.bytes and FetchedFile.of(path) == self


@dataclass(frozen=True)
class _Said:
    """What the file of a marker says; `from` is no name in Python."""

    edition: str
    origin: str
    sha256: str | None
    files: Mapping[str, FileRecord]
    incomplete: bool = False
    replaced: tuple[FetchedFile, ...] = ()


@dataclass(frozen=True)
class Marker:
    """What fetch has put into the raw folder.

    While one set of files replaces another, the marker says `incomplete`, and `replaced` holds the former files.
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
        """Whether all files are there as they were fetched, and the required ones among them."""
        complete = not self.incomplete and set(required) <= set(self.names)
        return complete and all(file.is_in(raw.root) for file in self.files)

    @classmethod
    def read(cls, raw: RawFiles) -> Marker | None:
        """Read the marker; one that cannot be read vouches for nothing."""
        try:
            document = read_json(raw.marker, MARKER_FORMAT_VERSION)
            said = from_json(_Said, {**document, "origin": document.get("from")})
        except (FileNotFoundError, IncompatibleFormatError, DocumentError):
            return None
        files = tuple(FetchedFile(name, entry.bytes, entry.sha256) for name, entry in said.files.items())
        return cls(said.edition, said.origin, said.sha256, files, said.incomplete, said.replaced)

    def write(self, raw: RawFiles, replaced: Iterable[FetchedFile] | None = None) -> None:
        """Write the marker; as that of a beginning replacement, if the former files are given."""
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
    return [path for path in raw.root.iterdir() if path.name in DATA_FILE_NAMES]


def refuse_foreign(raw: RawFiles, marker: Marker | None, force: bool) -> None:
    """Raise StateError if data files lie there that fetch did not put there; with `force`, only for a folder."""
    own = set(marker.files + marker.replaced) if marker else set()
    for path in _data_files(raw):
        if path.is_dir() or not (force or (not path.is_symlink() and FetchedFile.of(path) in own)):
            raise StateError(
                f"{path} was not put there, or not in its present form, by 'mlrec fetch', which leaves it alone.",
                "Move it away, use another --data-dir, or let --force delete it.",
            )


def put_in_place(raw: RawFiles, marker: Marker, force: bool, progress: Progress) -> None:
    """Move the incoming files into the raw folder, in the place of the former ones.

    The former ratings go first and the new ones come last, so that whenever this stops, prepare finds the former data
    set, the new one, or none, but never a mixture.
    """
    former = Marker.read(raw)
    refuse_foreign(raw, former, force)
    with progress.task("Putting the files in place"):
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
