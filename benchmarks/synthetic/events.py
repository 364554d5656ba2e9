"""When each picked movie is rated, and how much the user enjoyed it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .catalogue import Catalogue
from .marginals import LAST_SECOND
from .population import Population, Tastes

# What moves a rating, in stars. MovieLens latest-small: means of users spread by 0.47 stars, those of movies by 0.40.
BIAS_SPREAD, LIKING_STRENGTH, NOISE_SPREAD = 0.5, 0.7, 0.8

# What comes earlier in a user's time: the well-known first, what interest drifts to last, and chance.
DRIFT_STRENGTH, WELL_KNOWN_FIRST, CHANCE_IN_ORDER = 0.9, 0.25, 0.6

# Of the ratings of a visit this share has the timestamp of the one before; the other gaps are log-normal seconds
# (latest-small: 22% and median 15, quartiles 6 and 37). A third of ratings then share theirs with another.
SAME_SECOND, GAP_MEDIAN, GAP_SPREAD, MAX_GAP = 0.185, 15.0, 1.35, 7_200


def pleasure(
    catalogue: Catalogue,
    tastes: Tastes,
    user: NDArray[np.int64],
    column: NDArray[np.int64],
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """How much the user enjoyed each pick, on an unlimited scale. Ratings are derived from the ranks of these."""
    liking = np.einsum("ij,ij->i", tastes.liking[user], catalogue.factors[column])
    noise = rng.standard_normal(len(user), dtype=np.float32)
    common = BIAS_SPREAD * tastes.bias[user] + catalogue.quality[column]
    return np.asarray(common + LIKING_STRENGTH * liking + NOISE_SPREAD * noise, dtype=np.float32)


def timestamps(
    catalogue: Catalogue,
    population: Population,
    users: slice,
    tastes: Tastes,
    user: NDArray[np.int64],
    column: NDArray[np.int64],
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """The second of each pick: during one of the user's visits, and not before the movie's release."""
    visits = slice(population.first_visit[users.start], population.first_visit[users.stop])
    visit_start = population.visit_start[visits]
    visits_of_user = np.diff(population.first_visit[users.start : users.stop + 1])
    visitor = np.repeat(np.arange(len(visits_of_user)), visits_of_user)
    visit_end = visitor + population.visits_share[visits]  # ascends over the whole block

    # The first visit after the release, and the part of the user's time that begins with it.
    century = np.int64(1) << 32
    allowed = np.searchsorted(
        visitor * century + visit_start, user * century + catalogue.release[column].clip(min=0), side="left"
    )
    begin = np.append(0.0, visit_end)[allowed]
    place = begin + (user + 1 - begin) * _progress(catalogue, tastes, user, column, rng)
    visit = np.searchsorted(visit_end, place, side="right")

    order = np.argsort(place, kind="stable")
    second = np.empty(len(user), dtype=np.int64)
    second[order] = visit_start[visit[order]] + _seconds_into_visit(visit[order], rng)
    return np.minimum(second, LAST_SECOND)


def cut_points(values: NDArray[np.float32], counts: NDArray[np.int64]) -> NDArray[np.float32]:
    """Thresholds with an exact number of values between neighbours; equal values at a threshold are moved apart.

    Parameters
    ----------
    values
        Changed in place, by one unit in the last place and only where values tie at a threshold.
    counts
        How many values in each class, ascending; sums to the number of values.

    Returns
    -------
    ndarray
        Float32 (classes − 1,), ascending: class = how many of them are at most the value.
    """
    below = np.cumsum(counts)[:-1]
    cuts = np.partition(values, below)[below]
    for cut, count in zip(cuts, below, strict=True):
        tied = np.flatnonzero(values == cut)
        too_many = int(count) - int(np.count_nonzero(values < cut))
        values[tied[:too_many]] = np.nextafter(cut, np.float32(-np.inf))
    return cuts


def _progress(
    catalogue: Catalogue,
    tastes: Tastes,
    user: NDArray[np.int64],
    column: NDArray[np.int64],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """How far into the user's time each pick falls, 0 to below 1."""
    standing = np.log(catalogue.popularity)
    standing = (standing - np.average(standing, weights=catalogue.popularity)) / standing.std()
    drift = np.einsum("ij,ij->i", tastes.drift[user], catalogue.factors[column])
    lean = DRIFT_STRENGTH * drift - WELL_KNOWN_FIRST * standing[column]
    progress = 1 / (1 + np.exp(-lean - rng.logistic(0, CHANCE_IN_ORDER, len(user))))
    return np.asarray(np.minimum(progress, 1 - 1e-9))


def _seconds_into_visit(visit: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Cumulated gaps since each visit began; `visit` ascends."""
    gap = np.ceil(np.minimum(GAP_MEDIAN * rng.lognormal(0, GAP_SPREAD, len(visit)), MAX_GAP)).astype(np.int64)
    gap[rng.random(len(visit)) < SAME_SECOND] = 0
    begins = np.flatnonzero(np.diff(visit, prepend=-1))
    since = np.cumsum(gap)
    return since - np.repeat(since[begins], np.diff(np.append(begins, len(visit))))
