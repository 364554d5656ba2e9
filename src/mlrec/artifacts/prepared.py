"""The prepared folder as a whole: its manifest, and swapping a new one in."""

from __future__ import annotations

import shutil
from typing import Any

from mlrec.artifacts.files import read_json, sync, sync_tree, write_json
from mlrec.errors import PreparedDataMissingError
from mlrec.workspace import PreparedFiles, Workspace

FORMAT_VERSION = 1


def write_manifest(files: PreparedFiles, manifest: dict[str, Any]) -> None:
    """Write the manifest, which completes a prepared folder."""
    write_json(files.manifest, {"format_version": FORMAT_VERSION, **manifest})


def read_manifest(files: PreparedFiles) -> dict[str, Any]:
    """Read the manifest of a complete prepared folder."""
    return read_json(files.manifest, FORMAT_VERSION)


def open_prepared(workspace: Workspace) -> PreparedFiles:
    """Return the prepared folder, finishing a swap that was interrupted halfway.

    Raises
    ------
    PreparedDataMissingError
        If nothing has been prepared yet.
    """
    finish_swap(workspace)
    if not workspace.prepared.manifest.exists():
        raise PreparedDataMissingError(f"There is no prepared data in {workspace.root}.", "Run 'mlrec prepare' first.")
    return workspace.prepared


def begin(workspace: Workspace) -> PreparedFiles:
    """Return an empty folder to write the next prepared data into. The caller holds the write lock."""
    finish_swap(workspace)
    new = workspace.prepared_new
    shutil.rmtree(new.root, ignore_errors=True)
    new.root.mkdir(parents=True)
    return new


def swap_in(workspace: Workspace) -> None:
    """Put the finished new folder in the place of the old one. The caller holds the write lock."""
    sync_tree(workspace.prepared_new.root)
    shutil.rmtree(workspace.prepared_old.root, ignore_errors=True)
    if workspace.prepared.root.exists():
        workspace.prepared.root.rename(workspace.prepared_old.root)
    finish_swap(workspace)
    sync(workspace.root)
    shutil.rmtree(workspace.prepared_old.root, ignore_errors=True)


def finish_swap(workspace: Workspace) -> None:
    """Complete or undo a swap that stands between its two renames; safe to call by several readers at once.

    Between the renames `prepared` is missing. The new folder takes its place if it is complete (its manifest is written
    last), else the old one comes back.
    """
    if workspace.prepared.root.exists():
        return
    for candidate in (workspace.prepared_new, workspace.prepared_old):
        if candidate.manifest.exists():
            try:
                candidate.root.rename(workspace.prepared.root)
            except OSError:  # another process was quicker
                if not workspace.prepared.root.exists():
                    raise
            return
