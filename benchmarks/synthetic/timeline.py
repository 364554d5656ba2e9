"""Years, seconds, and who is there when."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synthetic.marginals import FIRST_SECOND, LAST_SECOND

DAY = 86_400
YEAR_STARTS = np.arange("1890", "2017", dtype="datetime64[Y]").astype("datetime64[s]").astype(np.int64)

# Share of users who join in each year from 1995, roughly that of ML-20M's ratings.
JOINS = np.array([0.001, 8, 3.5, 1.6, 6, 10, 6, 4.4, 5.2, 5.9, 9, 6, 5.3, 5.8, 4.7, 4.6, 4.1, 4, 3, 2.8, 1.2])


def second_of(year: NDArray[np.float64]) -> NDArray[np.int64]:
    """Epoch second of a year with fraction, e.g. 1995.5."""
    return np.interp(year, np.arange(1890, 2017), YEAR_STARTS).astype(np.int64)


def year_of(second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Calendar year (UTC) of an epoch second."""
    return 1889 + np.searchsorted(YEAR_STARTS, second, side="right")


def draw_joins(n: int, rng: np.random.Generator, first_year: int = 1995) -> NDArray[np.int64]:
    """Seconds at which users join, from a year on; the last have two days left."""
    shares = JOINS[first_year - 1995 :]
    year = first_year + rng.choice(len(shares), n, p=shares / shares.sum())
    joined = second_of(year + rng.random(n))
    return np.where(
        (joined < FIRST_SECOND) | (joined > LAST_SECOND - 2 * DAY),
        # The first and the last year are cut short.
        rng.integers(second_of(np.array([max(1995.05, first_year)]))[0], LAST_SECOND - 2 * DAY, n),
        joined,
    )


def audience_left(second: NDArray[np.int64]) -> NDArray[np.float64]:
    """Share of users who join after a second, 0.003 or more."""
    gone = np.append(0.0, np.cumsum(JOINS) / JOINS.sum())
    return np.maximum(0.003, 1 - np.interp(second, second_of(np.arange(1995.0, 2017.0)), gone))
