"""Results that go to a file, which appears only when it is complete, or to stdout (`-`)."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, TypeVar

from mlrec.cli import render
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


def checked_json_target(target: Path | None, *, source: str) -> None:
    """Report a mistake in the value of `--json-out` before any work is done."""
    if target == STDOUT:
        raise UsageError("--json-out needs the name of a file. Use --json to print the document.")
    if target is not None:
        checked_target(target, source=source)


def write_json_output(target: Path | None, document: dict[str, Any], *, source: str) -> None:
    """Write the JSON document of a result to a file, if one was named, and say so."""
    if target is None:
        return
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2) + "\n"
    write_output(target, lambda file: file.write(text.encode()), source=source)
    render.note(f"Wrote the JSON document to {target}.")


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
