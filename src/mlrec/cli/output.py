"""Results that go to a file, which appears only when it is complete, or to stdout (`-`)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, TypeVar

from mlrec.cli.options import UsageError

T = TypeVar("T")

STDOUT = Path("-")


def checked_target(target: Path, *, source: str) -> Path:
    """Return the path of a result file. A mistake of the user is reported before any work is done."""
    path = target.resolve()  # replace the file that a link points to, not the link
    if not path.parent.is_dir():
        raise UsageError(f"There is no folder {path.parent}. Create it first.")
    if path.is_dir():
        raise UsageError(f"{target} is a folder. Name a file.")
    if path == Path(source).resolve():
        raise UsageError(f"{target} is the store of the swipes. Name another file.")
    return path


def write_output(target: Path, write: Callable[[IO[bytes]], T], *, source: str, private: bool = False) -> T:
    """Write a result to a file or to stdout, and return what `write` returns.

    `source` is where the result comes from. A file of that name is not replaced. If `private`, only the owner can read
    a new file.
    """
    if target == STDOUT:
        sys.stdout.flush()
        return write(sys.stdout.buffer)
    path = checked_target(target, source=source)
    if path.exists() and not path.is_file():
        with path.open("wb") as device:
            return write(device)
    from mlrec.artifacts.files import keep_private, write_atomically

    written: list[T] = []

    def fill(file: IO[bytes]) -> None:
        if private:
            keep_private(file.fileno(), path)
        written.append(write(file))

    write_atomically(path, fill)
    return written[0]
