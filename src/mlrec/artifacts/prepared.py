"""The prepared folder as a whole: its manifest, and swapping a new one in."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, get_args

from mlrec.artifacts.checksums import Seal
from mlrec.artifacts.files import read_json, sync, sync_tree, write_json
from mlrec.errors import IncompatibleFormatError, PreparedDataMissingError
from mlrec.settings import SPLITS, PrepareSettings, SplitKind
from mlrec.workspace import PreparedFiles, Workspace

FORMAT_VERSION = 1
SEAL = Seal(section="engine")
"""Of the manifest: the same data from another engine has the same manifest but for what tells of the engine's files."""
_REQUIRED = {"fingerprint": str, "settings": dict, "splits": dict}
REMEDY = "Run 'mlrec prepare' again."
"""What to do about damaged prepared data."""
# A swap takes two renames; nobody needs to look for longer than a second.
_LOOKS = 200
_PAUSE = 0.005


def complete(files: PreparedFiles, manifest: dict[str, Any]) -> None:
    """Complete a prepared folder: all of it goes to the disk, then the manifest. From here on readers may use it."""
    sync_tree(files.root)
    content = [path for path in files.root.rglob("*") if path.is_file() and path != files.rejects]
    document = {"format_version": FORMAT_VERSION, **manifest}
    write_json(files.manifest, SEAL.put_on(document, files.manifest, content))


def read_manifest(workspace: Workspace) -> dict[str, Any]:
    """Return the manifest of the prepared folder, finishing a swap that was interrupted halfway.

    Raises
    ------
    PreparedDataMissingError
        If nothing has been prepared yet.
    IncompatibleFormatError
        If it is damaged or of another format.
    """
    for _ in range(_LOOKS):
        with suppress(FileNotFoundError):
            return _read_manifest(workspace.prepared)
        # The prepared folder is the last to be looked for: a swap that has ended meanwhile has put it in its place.
        places = (workspace.prepared_new, workspace.prepared_old, workspace.prepared)
        if not any(files.manifest.exists() for files in places):
            break
        # Either a writer is between its two renames and needs no help, or one was killed there.
        with workspace.unless_writing() as free:
            if free:
                finish_swap(workspace)
        time.sleep(_PAUSE)
    raise PreparedDataMissingError(f"There is no prepared data in {workspace.root}.", workspace.next_step_hint)


def _read_manifest(files: PreparedFiles) -> dict[str, Any]:
    manifest = read_json(files.manifest, FORMAT_VERSION, _REQUIRED, remedy=REMEDY)
    intact = SEAL.is_intact(manifest, files.manifest)
    if intact is None:
        intact = _is_usable(manifest["settings"], manifest["splits"])
    if not intact:
        raise IncompatibleFormatError(f"{files.manifest} is damaged: it is not what was written.", REMEDY)
    return manifest


def _is_usable(settings: dict[str, Any], splits: dict[str, Any]) -> bool:
    """Whether a manifest without a seal, of an earlier version, has what its readers rely on."""
    match settings.get("split_ratio", list(PrepareSettings.split_ratio)):
        case [int(), int(), int()]:
            return (
                settings.get("split") in get_args(SplitKind)
                and isinstance(settings.get("user_offset"), int)
                and set(splits) >= set(SPLITS)
                and all(isinstance(count, int) for count in splits.values())
            )
    return False


@contextmanager
def replacing(workspace: Workspace) -> Iterator[PreparedFiles]:
    """Write the next prepared folder: it takes the place of the last one if the block ends well, and is removed if not.

    The caller holds the write lock, and calls `complete` last.

    Yields
    ------
    PreparedFiles
        An empty folder.
    """
    finish_swap(workspace)
    new = workspace.prepared_new
    shutil.rmtree(new.root, ignore_errors=True)
    new.root.mkdir(parents=True)
    try:
        yield new
    except BaseException:
        shutil.rmtree(new.root, ignore_errors=True)
        raise
    shutil.rmtree(workspace.prepared_old.root, ignore_errors=True)
    if workspace.prepared.root.exists():
        workspace.prepared.root.rename(workspace.prepared_old.root)
    finish_swap(workspace)
    sync(workspace.root)
    shutil.rmtree(workspace.prepared_old.root, ignore_errors=True)


def finish_swap(workspace: Workspace) -> None:
    """Complete or undo a swap that stands between its two renames. The caller holds the write lock.

    Between the renames `prepared` is missing. The new folder takes its place if it is complete (its manifest is written
    last), else the old one comes back.
    """
    if workspace.prepared.root.exists():
        return
    for candidate in (workspace.prepared_new, workspace.prepared_old):
        if candidate.manifest.exists():
            candidate.root.rename(workspace.prepared.root)
            return
