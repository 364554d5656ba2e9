"""Locks on files between processes. A lock ends with the process that holds it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def exclusive(path: Path, *, wait: bool = True, create: bool = False) -> Iterator[int]:
    """Hold an exclusive lock on a file or a folder, for changes that read, modify and write.

    Parameters
    ----------
    path
        The file or folder to lock.
    wait
        Whether to wait for another holder. If not, `BlockingIOError` is raised at once.
    create
        Open it for writing, and create it if it does not exist. By default it is only read.

    Yields
    ------
    int
        The open file.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT if create else os.O_RDONLY, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield handle
    finally:
        os.close(handle)
