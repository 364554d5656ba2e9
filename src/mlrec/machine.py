"""What this process runs on: processors, memory, and the version of mlrec that is installed."""

from __future__ import annotations

import os


def installed_version() -> str:
    """Return the version of mlrec, as its package metadata says."""
    from importlib.metadata import version

    return version("mlrec")


def available_threads() -> int:
    """Processors that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def total_memory() -> int | None:
    """Bytes of memory that this machine has, if it tells."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return None
