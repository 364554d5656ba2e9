"""What this process runs on: processors and their use, memory, and the version of mlrec that is installed."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from typing import Any


def installed_version() -> str:
    """Return the version of mlrec, as its package metadata says."""
    from importlib.metadata import version

    return version("mlrec")


def available_threads() -> int:
    """Processors that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def blas_threads(n: int = 1) -> AbstractContextManager[Any]:
    """Let BLAS, which is below NumPy and SciPy, use n threads while this context lasts.

    One is right wherever our own threads share the work out: BLAS would start a thread per processor in each of them,
    for products too small to gain from it. Sums would also run in another order on another machine, and figures would
    differ in the last digits. The limit reaches the libraries that are loaded when the context begins.
    """
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[Any] = threadpool_limits(n, user_api="blas")
    return limits


def total_memory() -> int | None:
    """Bytes of memory that this machine has, if it tells."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return None
