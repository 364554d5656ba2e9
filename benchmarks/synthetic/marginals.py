"""The marginals of MovieLens 20M, and what they become at another scale.

Counts, dates and histogram are those published of ml-20m (Harper & Konstan 2015; the archive's README; LensKit's
description of the data set). Minimum, quartiles and maximum of activity and popularity are as commonly reported; the
other points of the two curves are approximate, and fitted so that totals come out exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MIN_SCALE, MAX_SCALE = 0.001, 10.0

N_RATINGS, N_USERS, N_LISTED, N_RATED = 20_000_263, 138_493, 27_278, 26_744
MAX_MOVIE_ID = 131_262
FIRST_SECOND = 789_652_004  # 1995-01-09 11:46:44 UTC
LAST_SECOND = 1_427_784_002  # 2015-03-31 06:40:02 UTC
RATINGS_BY_VALUE = (
    *(239_125, 680_732, 279_252, 1_430_997, 883_398),  # 0.5 to 2.5
    *(4_291_193, 2_200_156, 5_561_926, 1_534_824, 2_898_660),  # 3 to 5
)

# Ratings of a user at quantiles of users. From 0.9 they are near those of MovieLens latest-small (323, 520, 1,131), and
# `_activity` bends the upper half to the exact total.
ACTIVITY_QUANTILES = (0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999)
ACTIVITY_COUNTS = (20, 35, 68, 155, 334, 520, 1_114, 2_600)
MEDIAN_ACTIVITY, MAX_ACTIVITY = 68, 9_254

# Ratings of the movie at a rank. Those at 100 to 3,000 are fitted so that the total comes out right, and the Gini index
# that LensKit gives for the data set, 0.903.
POPULARITY_RANKS = (1, 10, 100, 300, 1_000, 3_000, 6_686, 10_000, 13_131, 13_372, 20_058, 22_772, N_RATED)
POPULARITY_COUNTS = (67_310, 50_054, 26_500, 14_500, 4_900, 1_250, 205, 60, 20, 18, 3, 1, 1)

# Movies grow like scale^0.4 below the real size, so that a small set is denser but not all movies are blockbusters,
# and slower above it.
MOVIES_EXPONENT_BELOW, MOVIES_EXPONENT_ABOVE = 0.4, 0.3
# Nobody has seen more than this share of the catalogue; it matters at small scales only.
MAX_SHARE_OF_CATALOGUE = 0.5


@dataclass(frozen=True)
class Shape:
    """What a data set of some scale has to look like."""

    n_listed: int
    """Movies in movies.csv."""
    ratings_by_value: NDArray[np.int64]
    """How many ratings of 0.5, 1, … 5."""
    activity: NDArray[np.int64]
    """Ratings of each user, ascending."""
    popularity: NDArray[np.float64]
    """Expected ratings of each rated movie, descending, at least 1; sums to the number of ratings."""

    @property
    def n_users(self) -> int:
        """Users, each with 20 ratings or more."""
        return len(self.activity)

    @property
    def n_rated(self) -> int:
        """Movies with a rating."""
        return len(self.popularity)

    @property
    def n_ratings(self) -> int:
        """Ratings in all."""
        return int(self.ratings_by_value.sum())


def shape_at(scale: float) -> Shape:
    """Marginals at a scale: users and ratings times `scale`, movies sub-linearly, the curves bent to fit.

    Raises
    ------
    ValueError
        If the scale is not within 0.001 to 10.
    """
    if not MIN_SCALE <= scale <= MAX_SCALE:
        raise ValueError(f"a scale is from {MIN_SCALE:g} to {MAX_SCALE:g}, not {scale:g}")
    movies = scale ** (MOVIES_EXPONENT_BELOW if scale < 1 else MOVIES_EXPONENT_ABOVE)
    n_users, n_ratings, n_rated = round(N_USERS * scale), round(N_RATINGS * scale), round(N_RATED * movies)
    return Shape(
        n_listed=round(N_LISTED * movies),
        ratings_by_value=_apportion(np.array(RATINGS_BY_VALUE), n_ratings),
        activity=_activity(n_users, n_rated, n_ratings),
        popularity=_popularity(n_users, n_rated, n_ratings),
    )


def gini(counts: NDArray[np.int64] | NDArray[np.float64]) -> float:
    """Gini index: 0 if all counts are equal, towards 1 if one has everything."""
    ascending = np.sort(counts)
    lorenz = (np.cumsum(ascending) - ascending / 2) / ascending.sum()
    return float(1 - 2 * lorenz.mean())


def _apportion(weights: NDArray[np.int64], total: int) -> NDArray[np.int64]:
    """Whole numbers in proportion to the weights that sum to the total (largest remainders)."""
    exact = weights / weights.sum() * total
    whole: NDArray[np.int64] = np.floor(exact).astype(np.int64)
    whole[np.argsort(whole - exact, kind="stable")[: total - int(whole.sum())]] += 1
    return whole


def _activity(n_users: int, n_rated: int, n_ratings: int) -> NDArray[np.int64]:
    """Quantile curve with minimum, median and maximum held, its upper half bent until the total is right."""
    # Over −ln(1 − quantile) the logarithm of activity is nearly a straight line: the tail is close to a power law.
    places = -np.log1p(-np.array(ACTIVITY_QUANTILES))
    tail = np.interp(
        -np.log1p(-(np.arange(n_users) + 0.5) / n_users),
        [*places, np.log(2 * N_USERS)],
        np.log([*ACTIVITY_COUNTS, MAX_ACTIVITY]),
    )
    above = tail - np.log(MEDIAN_ACTIVITY)
    most = min(float(above[-1]), np.log(MAX_SHARE_OF_CATALOGUE * n_rated / MEDIAN_ACTIVITY))

    def bent(bend: float) -> NDArray[np.int64]:
        upper = most * (np.maximum(above, 0) / above[-1]) ** bend
        return np.asarray(np.rint(MEDIAN_ACTIVITY * np.exp(np.where(above > 0, upper, above))), dtype=np.int64)

    activity = bent(_bisect(lambda bend: float(bent(bend).sum()), n_ratings, 0.1, 10))
    missing = n_ratings - int(activity.sum())
    # Rounding leaves a few over; they go one each to users between median and maximum.
    takers = np.linspace(0.6 * n_users, 0.95 * n_users, abs(missing)).astype(np.int64)
    np.add.at(activity, takers, np.sign(missing))
    return np.sort(activity)


def _popularity(n_users: int, n_rated: int, n_ratings: int) -> NDArray[np.float64]:
    """Long tail over relative rank: the most rated movie keeps its share of users, the rest is bent to the total."""
    rank = np.linspace(1, N_RATED, n_rated)
    share = np.exp(np.interp(np.log(rank), np.log(POPULARITY_RANKS), np.log(POPULARITY_COUNTS))) / N_USERS

    def bent(bend: float) -> NDArray[np.float64]:
        return np.asarray(np.maximum(1.0, n_users * share[0] * (share / share[0]) ** bend))

    return bent(_bisect(lambda bend: float(bent(bend).sum()), n_ratings, 0.01, 10))


def _bisect(falling: Callable[[float], float], target: float, low: float, high: float) -> float:
    """Where a falling function meets a target."""
    for _ in range(60):
        middle = (low + high) / 2
        if falling(middle) > target:
            low = middle
        else:
            high = middle
    return high
