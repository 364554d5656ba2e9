"""Results that go to a file, which appears when it is complete, or with `-` to stdout."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, TypeVar

import typer

T = TypeVar("T")

STDOUT = Path("-")


def checked_target(target: Path, *, source: str) -> Path:
    """The file that a result is to go to; a mistake of the user's is told before any work is done for it."""
    path = target.resolve()  # the file that a link leads to is replaced, not the link
    if not path.parent.is_dir():
        raise typer.BadParameter(f"There is no folder {path.parent}.")
    if path.is_dir():
        raise typer.BadParameter(f"{target} is a folder.")
    if path == Path(source).resolve():
        raise typer.BadParameter(f"{target} holds the swipes themselves.")
    return path


def write_output(target: Path, write: Callable[[IO[bytes]], T], *, source: str, private: bool = False) -> T:
    """Write a result to where the user wants it, and return what `write` returns.

    `source` is where the result comes from: a file of that name is not replaced. A new file that is `private` is for
    its owner alone.
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
