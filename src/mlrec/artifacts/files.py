"""Writing files so that a reader sees the old one or the new one, and reading JSON that says its format."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import IO, Any

from mlrec.errors import IncompatibleFormatError, StateError
from mlrec.locks import exclusive

# A new temporary file is taken for a leftover only in the moment before it is locked.
_ATTEMPTS = 10
# No document of ours comes near; one that is deeper would exhaust the stack of whoever prints it.
_DEEPEST = 50


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


@contextmanager
def temporary_sibling(path: Path, *, folder: bool = False) -> Iterator[Path]:
    """Own a hidden file or folder beside a path, for what shall take its name once it is complete; removed at the end.

    The owner holds a lock on it, which dies with the process. So whoever writes there next can tell what a killed
    process has left, which is removed first, from what a living one is writing. A process id in the name could not:
    ids are used again, and mean nothing in another container that shares the volume.

    Parameters
    ----------
    path
        What shall be written in the end.
    folder
        Whether a folder is wanted instead of a file.

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
    """Create a temporary sibling, and lock it until the stack is closed."""
    for _ in range(_ATTEMPTS):
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
        temporary.mkdir(mode=0o700) if folder else temporary.touch(exist_ok=False)
        with suppress(OSError):  # on a file system without locks, nobody can take it for a leftover either
            lock.enter_context(exclusive(temporary))
        if temporary.exists():
            return temporary
        lock.close()  # another process took it for a leftover before it was locked
    raise StateError(f"{path} cannot be written: temporary files beside it vanish.", "See what deletes them there.")


def _remove_leftovers(path: Path) -> None:
    """Remove temporary siblings of a path that nobody holds. What cannot be removed stays: it is in nobody's way."""
    # Earlier versions put the process id where the random digits are.
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
    """Write a file through a temporary sibling, flushed to the disk before it takes the name."""
    with temporary_sibling(path) as temporary:
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
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


def read_json(
    path: Path,
    format_version: int,
    required: Mapping[str, type] | None = None,
    *,
    remedy: str = "Make it again.",
    any_depth: bool = False,
) -> dict[str, Any]:
    """Read a JSON document that carries a `format_version` and the required keys.

    Parameters
    ----------
    path
        The file.
    format_version
        The one version that can be read.
    required
        Keys that must be there, and the types of their values.
    remedy
        What to do about a damaged one.
    any_depth
        Whether it may be nested as deep as it likes: for a large one of which only values of a known shape are used.

    Raises
    ------
    IncompatibleFormatError
        If it is damaged, or written by a version of mlrec with another format.
    FileNotFoundError
        If it is not there.
    StateError
        If the operating system does not let it be read.
    """
    try:
        document = json.loads(path.read_bytes(), parse_constant=_no_number)
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
        its = "no format version" if found is None else f"format version {_shortened(found)}"
        raise IncompatibleFormatError(
            f"{path} has {its}; this mlrec reads version {format_version}.",
            "Upgrade mlrec." if newer else "Make it again with this version of mlrec.",
        )
    required = required or {}
    if missing := [key for key in required if key not in document]:
        raise IncompatibleFormatError(f"{path} is damaged: it lacks {', '.join(missing)}.", remedy)
    if mistyped := [key for key, kind in required.items() if not isinstance(document[key], kind)]:
        raise IncompatibleFormatError(
            f"{path} is damaged: {mistyped[0]} cannot be {_shortened(document[mistyped[0]])}.", remedy
        )
    return dict(document)


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
    """A JSON value as a message may quote it."""
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
