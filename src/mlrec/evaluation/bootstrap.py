"""Confidence intervals over users: the percentile bootstrap (Efron & Tibshirani 1993, chapter 13)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mlrec.evaluation.estimates import Difference, Estimate

# More users than this are put into this many random groups of equal size, and groups are drawn. Sums of groups vary
# like sums of users drawn one by one, but the cost does not depend on the number of users. The width of an interval
# becomes uncertain by about 2%.
_MOST_GROUPS = 2_000


Numbers = NDArray[np.floating] | NDArray[np.integer]


class Bootstrap:
    """Bootstrap samples of users. All figures use the same samples, so that their differences are paired.

    Users are drawn rather than events, because the events of one user resemble each other. A single user says nothing
    about others, so there is no interval then.

    Parameters
    ----------
    n_users
        Number of users, at least 1.
    resamples
        Number of samples.
    random_seed
        Seed for drawing.
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
        """Return Σ numerators / Σ denominators of each sample.

        Parameters
        ----------
        numerators, denominators
            (users,). With denominators of 1, the results are means.

        Returns
        -------
        ndarray
            float64 (resamples,). NaN for a sample whose denominators sum to 0; all NaN if fewer than two users have a
            denominator other than 0.
        """
        found: NDArray[np.float64] = self.ratios_of([(numerators, denominators)])[0]
        return found

    def ratios_of(self, columns: Sequence[tuple[Numbers, Numbers]]) -> NDArray[np.float64]:
        """Return `ratios` for many pairs of numerators and denominators at once, float64 (pairs, resamples)."""
        n, (n_samples, n_groups) = len(columns), self._times.shape
        # The samples are summed in one product. One after another, each would read them all again.
        sums = np.empty((2 * n, n_groups))
        for row, (numerators, denominators) in enumerate(columns):
            sums[row], sums[n + row] = self._sums(numerators), self._sums(denominators)
            if np.count_nonzero(denominators) < 2:
                sums[n + row] = 0
        drawn = sums @ self._times.T
        above, below = drawn[:n], drawn[n:]
        found = np.full((n, n_samples), np.nan)
        np.divide(above, below, out=found, where=below != 0)
        return found

    def _sums(self, values: Numbers) -> NDArray[np.float64]:
        """The sum of some values, (users,), in each group, (groups,)."""
        weights = values.astype(np.float64, copy=False)
        return np.asarray(np.bincount(self._group, weights=weights, minlength=self._n_groups), dtype=np.float64)


def ratio(numerators: Numbers, denominators: Numbers) -> float:
    """Return Σ numerators / Σ denominators; NaN, undefined, if the denominators sum to 0."""
    below = float(np.sum(denominators, dtype=np.float64))
    return float(np.sum(numerators, dtype=np.float64)) / below if below else math.nan


def estimate(value: float, resampled: NDArray[np.float64]) -> Estimate:
    """Return a figure with the confidence interval of its resampled values, (resamples,). NaN is left out."""
    return Estimate(value, *_interval(resampled[~np.isnan(resampled)]))


def difference(value: float, resampled: NDArray[np.float64]) -> Difference:
    """Return a paired difference with the confidence interval and p of its resampled values, (resamples,)."""
    resampled = resampled[~np.isnan(resampled)]
    if not len(resampled):
        return Difference(value, None, None, None)
    # Add 1 on either side: with finitely many samples, no probability is 0 (Davison & Hinkley 1997, section 4.2).
    tail = 1 + min(int(np.count_nonzero(resampled <= 0)), int(np.count_nonzero(resampled >= 0)))
    return Difference(value, *_interval(resampled), p=min(1.0, 2 * tail / (len(resampled) + 1)))


def _interval(resampled: NDArray[np.float64], level: float = 0.95) -> tuple[float | None, float | None]:
    if not len(resampled):
        return None, None
    low, high = np.quantile(resampled, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
