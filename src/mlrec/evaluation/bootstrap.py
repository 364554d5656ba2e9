"""How far a rate would move with other users: percentile bootstrap over users (Efron & Tibshirani 1993, chapter 13)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Times that users are drawn in one block of resamples (32 MB of float64).
_BLOCK_DRAWS = 4_000_000


def resampled_rates(
    hits: NDArray[np.int64], trials: NDArray[np.int64], resamples: int, random_seed: int
) -> NDArray[np.float64]:
    """Rates Σ hits / Σ trials in samples of as many users, drawn with replacement.

    Users are drawn, not trials: one user's trials resemble each other. All rows of `hits` see the same samples, so that
    a difference of two of them is a paired one.

    Parameters
    ----------
    hits
        Int64 (rates, users).
    trials
        Int64 (users,), each at least 1.
    resamples
        How many samples.
    random_seed
        Seed of the draws.

    Returns
    -------
    ndarray
        Float64 (resamples, rates).
    """
    draw = np.random.default_rng(random_seed)
    n_users = len(trials)
    block = max(1, _BLOCK_DRAWS // n_users)
    rates = np.empty((resamples, len(hits)))
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        times = draw.multinomial(n_users, np.full(n_users, 1 / n_users), size=size).astype(np.float64)
        rates[start : start + size] = (times @ hits.T) / (times @ trials)[:, None]
    return rates


def interval(resampled: NDArray[np.float64], level: float = 0.95) -> tuple[float, float]:
    """Bounds that hold the middle `level` of resampled figures, (resamples,)."""
    low, high = np.quantile(resampled, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
