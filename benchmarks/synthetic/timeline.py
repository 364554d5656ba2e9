"""Years and seconds, when users join, and how many are still to join."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .marginals import FIRST_SECOND, LAST_SECOND

DAY = 86_400
_FIRST_YEAR, _END_YEAR = 1890, 2017
_YEAR_STARTS = np.arange(str(_FIRST_YEAR), str(_END_YEAR), dtype="datetime64[Y]").astype("datetime64[s]").astype(int)

# Shares of users who join in each year from 1995 to 2015; about as ML-20M's ratings are spread over them.
_JOINS = (0.001, 8, 3.5, 1.6, 6, 10, 6, 4.4, 5.2, 5.9, 9, 6, 5.3, 5.8, 4.7, 4.6, 4.1, 4, 3, 2.8, 1.2)
_JOINED = np.append(0.0, np.cumsum(_JOINS) / np.sum(_JOINS))
# The last to join have some days left for their ratings.
_JOIN_EDGES = np.array([FIRST_SECOND, *_YEAR_STARTS[1996 - _FIRST_YEAR : 2016 - _FIRST_YEAR], LAST_SECOND - 3 * DAY])


def second_of(year: NDArray[np.float64]) -> NDArray[np.int64]:
    """Epoch second of a year with fraction, e.g. 1995.5."""
    return np.asarray(np.interp(year, np.arange(_FIRST_YEAR, _END_YEAR), _YEAR_STARTS), dtype=np.int64)


def year_of(second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Calendar year (UTC) of an epoch second."""
    return _FIRST_YEAR - 1 + np.searchsorted(_YEAR_STARTS, second, side="right")


def draw_joins(n: int, rng: np.random.Generator, after: float = 0.0) -> NDArray[np.int64]:
    """Seconds at which people join, all of them after a share of users has done so."""
    return np.asarray(np.interp(after + (1 - after) * rng.random(n), _JOINED, _JOIN_EDGES), dtype=np.int64)


def audience_left(second: NDArray[np.int64]) -> NDArray[np.float64]:
    """Share of users who join after a second; 0.003 at least, for some have joined before and stay."""
    return np.asarray(np.maximum(0.003, 1 - np.interp(second, _JOIN_EDGES, _JOINED)))
