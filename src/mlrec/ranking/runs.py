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
