"""How far a figure would move with other users: the percentile bootstrap (Efron & Tibshirani 1993, chapter 13)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mlrec.evaluation.estimates import Difference, Estimate

# Many users are put into so many random groups of equal size, and groups are drawn: their sums vary as those of users
# drawn one by one do, at a cost that does not depend on the number of users. It leaves an interval's width uncertain by
# some 2%.
_MOST_GROUPS = 2_000


Numbers = NDArray[np.floating] | NDArray[np.integer]


class Bootstrap:
    """Samples of users, drawn once: all figures see the same samples, so that a difference of two is a paired one.

    Users are drawn, not their events: one user's events resemble each other. From a single user nothing follows for
    others: then there is no interval.

    Parameters
    ----------
    n_users
        How many users there are, at least 1.
    resamples
        How many samples.
    random_seed
        Seed of the draws.
    """

    def __init__(self, n_users: int, resamples: int, random_seed: int) -> None:
        draw = np.random.default_rng(random_seed)
        self._n_groups = min(n_users, _MOST_GROUPS)
        self._group = draw.permutation(n_users) % self._n_groups
        drawn = draw.integers(self._n_groups, size=(resamples, self._n_groups), dtype=np.int32)
        self._times = np.empty((resamples, self._n_groups))
        for row, groups in zip(self._times, drawn, strict=True):
            row[:] = np.bincount(groups, minlength=self._n_groups)

    def ratios(self, numerators: Numbers, denominators: Numbers) -> NDArray[np.float64]:
        """Σ numerators / Σ denominators in each sample; both (users,), the result float64 (resamples,).

        With denominators of 1 these are means. A sample whose denominators sum to 0 gives 0. NaN where fewer than two
        users have a denominator.
        """
        if np.count_nonzero(denominators) < 2:
            return np.full(len(self._times), np.nan)
        above, below = (self._times @ self._sums(values) for values in (numerators, denominators))
        return np.divide(above, below, out=np.zeros_like(above), where=below != 0)

    def _sums(self, values: Numbers) -> NDArray[np.float64]:
        weights = values.astype(np.float64)
        return np.bincount(self._group, weights=weights, minlength=self._n_groups).astype(np.float64)


def ratio(numerators: Numbers, denominators: Numbers) -> float:
    """Σ numerators / Σ denominators; 0 where the denominators sum to 0."""
    below = float(np.sum(denominators, dtype=np.float64))
    return float(np.sum(numerators, dtype=np.float64)) / below if below else 0.0


def estimate(value: float, resampled: NDArray[np.float64]) -> Estimate:
    """A figure with the interval of its resampled values, (resamples,)."""
    return Estimate(value, *_interval(resampled))


def difference(value: float, resampled: NDArray[np.float64]) -> Difference:
    """A paired difference with interval and p; its resampled values, (resamples,)."""
    if np.isnan(resampled).any():
        return Difference(value, None, None, None)
    # One more on either side: with finite samples no probability is 0 (Davison & Hinkley 1997, section 4.2).
    tail = 1 + min(int(np.count_nonzero(resampled <= 0)), int(np.count_nonzero(resampled >= 0)))
    return Difference(value, *_interval(resampled), p=min(1.0, 2 * tail / (len(resampled) + 1)))


def _interval(resampled: NDArray[np.float64], level: float = 0.95) -> tuple[float | None, float | None]:
    if np.isnan(resampled).any():
        return None, None
    low, high = np.quantile(resampled, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
