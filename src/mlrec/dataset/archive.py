"""Taking files out of a zip archive that is not to be trusted."""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import zipfile
import zlib
from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath

from mlrec.errors import FetchError
from mlrec.progress import SILENT, Progress

LARGEST_MEMBER = 4_000_000_000
"""More than four times the largest ratings file of any edition."""
_BLOCK = 1 << 20
_DAMAGED = "The archive is damaged or not what it should be; get it again, or from another place with --from."


def unpack(
    archive: Path,
    members: Sequence[str],
    target: Path,
    *,
    optional: Collection[str] = (),
    label: str = "",
    progress: Progress = SILENT,
) -> None:
    """Unpack the files of given base names, in whatever folder of the archive they lie, directly into `target`.

    Parameters
    ----------
    archive
        The zip archive.
    members
        Base names to unpack. Of several with the same name, the one in the outermost folder is taken.
    target
        An existing folder; nothing is written elsewhere.
    optional
        Members that may be missing.
    label
        How messages name the archive, if not by its file name.

    Raises
    ------
    FetchError
        If the archive is damaged or encrypted, lacks a member, or has an entry that points out of its own folder.
    """
    label = label or archive.name
    try:
        with zipfile.ZipFile(archive) as file:
            chosen = _choose(file.infolist(), members, optional, label)
            needed, free = sum(info.file_size for info in chosen), shutil.disk_usage(target).free
            if needed > free:
                raise OSError(errno.ENOSPC, f"{label} unpacks to {needed:,} bytes, but only {free:,} are free", target)
            with progress.task(f"Unpacking {label}", needed, "bytes") as task:
                for info in chosen:
                    path, written = target / PurePosixPath(info.filename).name, 0
                    with _Member(file, info, label) as source, path.open("wb") as out:
                        while block := source.read():
                            written += out.write(block)
                            task.advance(len(block))
                        out.flush()
                        os.fsync(out.fileno())
                    if written != info.file_size:
                        raise FetchError(
                            f"{label}: {info.filename} has {written:,} bytes instead of {info.file_size:,}.", _DAMAGED
                        )
    except zipfile.BadZipFile as error:
        raise FetchError(f"{label} is not a readable zip archive: {error}.", _DAMAGED) from error
