"""Lists in which the place of a movie depends on the movies above it: diverse ones, and those with a genre limit."""

from __future__ import annotations

from itertools import islice

import numpy as np
from numpy.typing import NDArray

from mlrec.ranking.diversity import maximal_marginal_relevance
from mlrec.ranking.genre_limit import GenreLimit
from mlrec.ranking.top_n import top_n

# Movies are picked from this many times the requested ones, and at least from this many.
_POOL_FACTOR, _POOL_LEAST = 10, 100


def picked(
    order: NDArray[np.float32],
    n: int,
    movie_factors: NDArray[np.float32],
    diversity: float,
    limit: GenreLimit | None,
) -> NDArray[np.int64]:
    """Pick the movies of a list one by one.

    The candidates are a pool of the best-scored movies. If a genre limit refuses so many of them that the list is too
    short, the next pool follows. It has no movie of a full genre, so there are at most as many pools as genres, and one
    more.

    Parameters
    ----------
    order
        Scores, float32 (movies,), −∞ for movies that must not be listed. They are overwritten.
    n
        Length of the list.
    movie_factors
        Float32 (movies, factors): by these, movies resemble each other.
    diversity
        0 to 1; see `maximal_marginal_relevance`. At 0, movies are picked in order of score.
    limit
        How many movies of each genre the list may have. None: any number.

    Returns
    -------
    ndarray
        Movie rows in the order picked, int64, at most n.
    """
    size, found = max(n * _POOL_FACTOR, _POOL_LEAST), np.empty(0, dtype=np.int64)
    while True:
        pool = top_n(order, size)
        own = pool[_places(order, pool, n - len(found), movie_factors, diversity, limit, found)]
        found = np.concatenate([found, own])
        if limit is None or len(found) >= n or len(pool) < size:
            return found
        order[pool] = -np.inf
        np.putmask(order, limit.refused(), -np.inf)


def _places(
    order: NDArray[np.float32],
    pool: NDArray[np.int64],
    n: int,
    movie_factors: NDArray[np.float32],
    diversity: float,
    limit: GenreLimit | None,
    found: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Pick at most n movies of a pool, given what the list has already. Returns their places in the pool."""
    if not diversity:
        rows = pool.tolist()
        takes = range(len(rows)) if limit is None else (place for place, row in enumerate(rows) if limit.take(row))
        return np.fromiter(islice(takes, n), dtype=np.int64)
    refused_after = None
    if limit is not None:

        def refused_after(place: int) -> NDArray[np.bool_]:
            limit.take(int(pool[place]))
            return limit.refused()[pool]

    return maximal_marginal_relevance(
        order[pool],
        movie_factors[pool],
        n,
        diversity,
        picked_before=movie_factors[found],
        refused_after=refused_after,
    )
