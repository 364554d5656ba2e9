"""Taking files out of a zip archive that is not to be trusted."""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path, PurePosixPath

from mlrec.errors import FetchError
from mlrec.progress import SILENT, Progress

LARGEST_MEMBER = 4_000_000_000
"""Bytes; more than four times the largest ratings file of any edition."""
_BLOCK = 1 << 20
_HINT = "The archive is damaged or not the right one: get it again, or name another with --from."


def unpack(
    archive: Path,
    members: Sequence[str],
    target: Path,
    *,
    optional: Collection[str] = (),
    label: str = "",
    progress: Progress = SILENT,
) -> None:
    """Unpack the files of the given base names, in whatever folder of the archive they lie, directly into `target`.

    Parameters
    ----------
    archive
        The zip archive.
    members
        Base names to unpack. Of several entries with the same one, the outermost is taken.
    target
        An existing folder; nothing is written elsewhere.
    optional
        Members that may be missing.
    label
        How messages name the archive, if not by its file name.
    progress
        Told of the bytes.

    Raises
    ------
    FetchError
        If the archive is damaged or encrypted, lacks a member, or has an entry that points out of its own folder.
    OSError
        If there is not enough room.
    """
    label = label or archive.name
    try:
        file = zipfile.ZipFile(archive)
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError, struct.error) as error:
        raise FetchError(f"{label} is not a readable zip archive: {error}.", _HINT) from error
    with file:
        chosen = _choose(file.infolist(), members, optional, label)
        needed, free = sum(info.file_size for info in chosen.values()), shutil.disk_usage(target).free
        if needed > free:
            raise OSError(errno.ENOSPC, f"{label} unpacks to {needed:,} bytes and {free:,} are free", str(target))
        with progress.task(f"Unpacking {label}", needed, "bytes") as task:
            for name, info in chosen.items():
                written = 0
                with (target / name).open("xb") as out:
                    for block in _blocks(file, info, label):
                        written += out.write(block)
                        task.advance(len(block))
                    out.flush()
                    os.fsync(out.fileno())
                if written != info.file_size:
                    raise FetchError(
                        f"{label}: {info.filename} is {written:,} bytes long, not {info.file_size:,}.", _HINT
                    )


def _blocks(archive: zipfile.ZipFile, info: zipfile.ZipInfo, label: str) -> Iterator[bytes]:
    """Read one entry; the last block is followed by the check of its CRC."""
    try:
        with archive.open(info) as source:
            while block := source.read(_BLOCK):
                yield block
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError, struct.error) as error:
        raise FetchError(f"{label}: {info.filename} cannot be unpacked: {error}.", _HINT) from error


def _choose(
    entries: Sequence[zipfile.ZipInfo], members: Sequence[str], optional: Collection[str], label: str
) -> dict[str, zipfile.ZipInfo]:
    """Pick the entry of each member, and refuse an archive that no honest packer has made."""
    chosen: dict[str, zipfile.ZipInfo] = {}
    for info in sorted(entries, key=lambda info: info.filename.count("/")):
        path = PurePosixPath(info.filename)
        outside = path.is_absolute() or ".." in path.parts or "\\" in info.filename or re.match("[A-Za-z]:", str(path))
        if outside or stat.S_ISLNK(info.external_attr >> 16):
            raise FetchError(
                f"{label} is refused: its entry {info.filename} {'points outside' if outside else 'is a link'}.",
                _HINT,
            )
        if path.name in members and not info.is_dir() and path.parts[0] != "__MACOSX":
            chosen.setdefault(path.name, info)
    for name in members:
        if name not in chosen:
            if name in optional:
                continue
            raise FetchError(f"{label} does not contain {name}.", _HINT)
        info = chosen[name]
        if info.flag_bits & 0x1:
            raise FetchError(f"{label}: {info.filename} is encrypted.", "Unpack it, and name its folder with --from.")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise FetchError(f"{label}: {info.filename} is packed in a way that mlrec does not read.", _HINT)
        if info.file_size > LARGEST_MEMBER:
            raise FetchError(f"{label} is refused: {info.filename} claims {info.file_size:,} bytes.", _HINT)
    return chosen
