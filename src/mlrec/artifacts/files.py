"""Write files so that a reader sees either the old or the new one, and read JSON that states its format version."""

from __future__ import annotations

import json
import math
import os
import re
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import IO, Any

from mlrec.errors import IncompatibleFormatError, StateError
from mlrec.locks import exclusive

# Files that are flushed to disk at the same time.
_AT_ONCE = 4
# Another process can mistake a new temporary file for a leftover only in the moment before it is locked.
_ATTEMPTS = 10
# mlrec's own documents are far shallower. Printing a much deeper one would exhaust the stack.
_DEEPEST = 50


def sync(path: Path) -> None:
    """Flush a file, or the entries of a folder, to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_tree(folder: Path) -> None:
    """Flush every file of a folder, and the folder itself, to disk."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for _ in pool.map(sync, folder.rglob("*")):
            pass
    sync(folder)


@contextmanager
def temporary_sibling(path: Path, *, folder: bool = False) -> Iterator[Path]:
    """Create a hidden file or folder beside a path, to be renamed to it once complete, and remove it at the end.

    The owner holds a lock on it, and the lock ends with the process. The next writer can therefore tell leftovers of a
    killed process, which it removes, from what a running process is writing. A process id in the name could not tell
    them apart: ids are reused, and mean nothing in another container that shares the volume.

    Parameters
    ----------
    path
        The final path.
    folder
        Whether to create a folder instead of a file.

    Yields
    ------
    Path
        An empty file or folder on the same file system.
    """
    _remove_leftovers(path)
    with ExitStack() as lock:
        temporary = _owned_sibling(path, folder, lock)
        try:
            yield temporary
        finally:
            _remove(temporary)


def _owned_sibling(path: Path, folder: bool, lock: ExitStack) -> Path:
    """Create a temporary sibling and lock it until the stack is closed."""
    for _ in range(_ATTEMPTS):
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
        temporary.mkdir(mode=0o700) if folder else temporary.touch(exist_ok=False)
        with suppress(OSError):  # on a file system without locks, no process can mistake it for a leftover either
            lock.enter_context(exclusive(temporary))
        if temporary.exists():
            return temporary
        lock.close()  # another process mistook it for a leftover before it was locked
    raise StateError(
        f"{path} cannot be written: the temporary files beside it keep disappearing.",
        "Find out what deletes files in that folder.",
    )


def _remove_leftovers(path: Path) -> None:
    """Remove temporary siblings of a path that no process holds. What cannot be removed stays and does no harm."""
    # Earlier versions wrote the process id in place of the random digits.
    leftover = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]+\.tmp")
    for sibling in path.parent.iterdir():
        if leftover.fullmatch(sibling.name):
            with suppress(OSError), exclusive(sibling, wait=False):
                _remove(sibling)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def write_atomically(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file through a temporary sibling, which is flushed to disk before it is renamed."""
    with temporary_sibling(path) as temporary:
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    sync(path.parent)


def keep_private(written: int | Path, target: Path) -> None:
    """Make a file of personal data readable by its owner only, or give it the mode of the file that it replaces.

    Parameters
    ----------
    written
        The file, as an open descriptor or a path, before it is renamed.
    target
        Its final path.
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


def read_json(
    path: Path,
    format_version: int,
    required: Mapping[str, type] | None = None,
    *,
    remedy: str = "Create the file again.",
    any_depth: bool = False,
) -> dict[str, Any]:
    """Read a JSON document that has a `format_version` and the required keys.

    Parameters
    ----------
    path
        The file.
    format_version
        The only format version that can be read.
    required
        Keys that the document must have, and the types of their values.
    remedy
        What to do if the file is damaged: the hint of the error.
    any_depth
        Accept any depth of nesting. For a large document of which only values of a known shape are used.

    Raises
    ------
    IncompatibleFormatError
        If the file is damaged, or was written by a version of mlrec with another format.
    FileNotFoundError
        If the file does not exist.
    StateError
        If the operating system cannot read the file.
    """
    try:
        document = json.loads(path.read_bytes(), parse_constant=_no_number, parse_float=_finite)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StateError(f"{path} cannot be read: {error.strerror}.", "Check the file and its permissions.") from error
    except (ValueError, RecursionError) as error:
        raise IncompatibleFormatError(f"{path} is damaged: {error}.", remedy) from error
    if not any_depth and _is_deeper_than(_DEEPEST, document):
        raise IncompatibleFormatError(f"{path} is damaged: it is nested too deeply.", remedy)
    found = document.get("format_version") if isinstance(document, dict) else None
    if type(found) is not int or found != format_version:
        newer = isinstance(found, int) and found > format_version
        stated = "no format version" if found is None else f"format version {_shortened(found)}"
        raise IncompatibleFormatError(
            f"{path} has {stated}, but this version of mlrec reads format version {format_version}.",
            "Upgrade mlrec." if newer else "Create the file again with this version of mlrec.",
        )
    required = required or {}
    if missing := [key for key in required if key not in document]:
        raise IncompatibleFormatError(f"{path} is damaged: it lacks {', '.join(missing)}.", remedy)
    if mistyped := [key for key, kind in required.items() if not isinstance(document[key], kind)]:
        raise IncompatibleFormatError(
            f"{path} is damaged: {mistyped[0]} cannot be {_shortened(document[mistyped[0]])}.", remedy
        )
    return dict(document)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits} is not a finite number")
    return number


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is not a number")


def _is_deeper_than(levels: int, document: object) -> bool:
    layer: list[Any] = [[document]]
    for _ in range(levels):
        children = chain.from_iterable(parent.values() if type(parent) is dict else parent for parent in layer)
        layer = [child for child in children if type(child) in (dict, list)]
        if not layer:
            return False
    return True


def _shortened(value: object) -> str:
    """A JSON value, short enough for a message."""
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
