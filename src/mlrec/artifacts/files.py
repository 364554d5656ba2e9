"""Writing files so that a reader sees the old one or the new one, and reading JSON that says its format."""

from __future__ import annotations

import fcntl
import json
import os
import stat
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from mlrec.errors import IncompatibleFormatError


def sync(path: Path) -> None:
    """Flush a file, or the entries of a folder, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_tree(folder: Path) -> None:
    """Flush every file of a folder, and the folder itself, to the disk."""
    for path in folder.rglob("*"):
        sync(path)
    sync(folder)


def write_atomically(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file through a temporary sibling, flushed to the disk before it takes the name."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync(path.parent)


def keep_private(written: int | Path, target: Path) -> None:
    """Before a file that tells what people like takes its name: nobody else may read it. Where one of that name is
    there already, its mode stands.

    Parameters
    ----------
    written
        The open file, as a number, or its path.
    target
        The name that it is going to have.
    """
    try:
        mode = stat.S_IMODE(target.stat().st_mode)
    except FileNotFoundError:
        mode = 0o600
    os.chmod(written, mode)  # noqa: PTH101  # a path or an open file


def write_json(path: Path, document: dict[str, Any], *, indent: int | None = 2) -> None:
    """Write a JSON document atomically."""
    text = json.dumps(document, indent=indent, ensure_ascii=False, allow_nan=False) + "\n"
    write_atomically(path, lambda file: file.write(text.encode()))


def read_json(path: Path, format_version: int, required: Collection[str] = ()) -> dict[str, Any]:
    """Read a JSON document that carries a `format_version` and the required keys.

    Raises
    ------
    IncompatibleFormatError
        If it is damaged, or written by a version of mlrec with another format.
    FileNotFoundError
        If it is not there.
    """
    try:
        document = json.loads(path.read_bytes())
    except ValueError as error:
        raise IncompatibleFormatError(f"{path} is damaged: {error}.", "Make it again.") from error
    found = document.get("format_version") if isinstance(document, dict) else None
    if found != format_version:
        newer = isinstance(found, int) and found > format_version
        raise IncompatibleFormatError(
            f"{path} has format version {found}; this mlrec reads version {format_version}.",
            "Upgrade mlrec." if newer else "Make it again with this version of mlrec.",
        )
    if missing := [key for key in required if key not in document]:
        raise IncompatibleFormatError(f"{path} is damaged: it lacks {', '.join(missing)}.", "Make it again.")
    return dict(document)


@contextmanager
def exclusive(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold a file that no other process holds: for changes that read, modify and write.

    Without `wait`, a file that is held raises `BlockingIOError` at once.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)
