"""Runs of equal values in an array, such as the events of one user after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def run_starts(values: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Positions whose value is not that of the position before; the first one is among them."""
    changes = np.ones(len(values), dtype=bool)
    np.not_equal(values[1:], values[:-1], out=changes[1:])
    return np.flatnonzero(changes)
