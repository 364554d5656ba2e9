"""Runs of equal values in an array, such as the user ids of events sorted by user."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def run_starts(values: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Positions where a run begins: the first position, and each one whose value differs from the one before."""
    changes = np.ones(len(values), dtype=bool)
    np.not_equal(values[1:], values[:-1], out=changes[1:])
    return np.flatnonzero(changes)


def stable_order(values: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """The order of ascending values, equal ones as they are: `np.argsort(values, kind="stable")` for integers, (n,).

    The position is put below the value in one number. NumPy sorts numbers several times as fast as it sorts positions
    by numbers in no order.
    """
    n = len(values)
    bits = max(n - 1, 0).bit_length()
    if not n or max(abs(int(values.min())), abs(int(values.max()))) >= 1 << (62 - bits):
        return np.argsort(values, kind="stable")
    keys = np.sort((values.astype(np.int64) << bits) | np.arange(n))
    return keys & ((1 << bits) - 1)
