"""What this process runs on: processors and their use, memory, and the installed version of mlrec."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from typing import Any


def installed_version() -> str:
    """Return the version of mlrec from its package metadata."""
    from importlib.metadata import version

    return version("mlrec")


def available_threads() -> int:
    """Number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def blas_threads(n: int = 1) -> AbstractContextManager[Any]:
    """Let BLAS, which NumPy and SciPy compute with, use n threads while this context lasts.

    One is right wherever mlrec's own threads share the work. Otherwise BLAS would start a thread per processor in each
    of them, for products too small to gain from it. Sums would also run in another order on another machine, and
    results would differ in the last digits. The limit applies to libraries that are loaded when the context begins.
    """
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[Any] = threadpool_limits(n, user_api="blas")
    return limits


def total_memory() -> int | None:
    """Memory of this machine in bytes, or None if unknown."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return None
