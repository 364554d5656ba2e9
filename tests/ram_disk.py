"""Where tests write: in memory, if the machine has a file system there, and room.

A store, a prepared folder and a model are synced to the disk before they count, some tens of times in a test. Whether
they are is what tests ask, and a file system in memory answers as a disk does, at once. No test can ask what survives
a power failure. Set TMPDIR to have the tests write elsewhere.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

FOLDER = Path("/dev/shm")
ROOM = 4 << 30
"""Bytes. The tests use an eighth of them."""


def use_ram_disk() -> None:
    """Let this process, and those that it starts, keep their temporary files in memory."""
    if "TMPDIR" in os.environ or not _is_fit():
        return
    os.environ["TMPDIR"] = str(FOLDER)
    tempfile.tempdir = None  # found anew


def _is_fit() -> bool:
    if sys.platform != "linux" or not FOLDER.is_mount() or not os.access(FOLDER, os.W_OK):
        return False
    disk = os.statvfs(FOLDER)
    # Some tests write a program and start it, which containers may forbid there.
    may_run = not disk.f_flag & os.ST_NOEXEC
    return may_run and min(disk.f_bavail * disk.f_frsize, _free_memory()) >= ROOM


def _free_memory() -> int:
    """Bytes that processes can have before the system swaps, or ends one."""
    lines = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
    free = next((int(words[1]) * 1024 for words in lines if words[0] == "MemAvailable:"), 0)
    limit = Path("/sys/fs/cgroup/memory.max")  # of a container
    text = limit.read_text().strip() if limit.exists() else "max"
    return free if text == "max" else min(free, int(text) // 2)
