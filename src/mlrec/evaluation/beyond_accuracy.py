"""Metrics other than accuracy: novelty, diversity and popularity of the lists. docs/evaluation.md has the formulas.

`ranked` holds movie rows, int64 (users, ranks), best first. A shorter list is filled up with −1, which is not counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ranked = NDArray[np.int64]


def self_information(popularity: NDArray[np.int64], n_users: int) -> NDArray[np.float64]:
    """Return −log₂ of the share of users who liked each movie, in bits (Zhou et al. 2010), float64 (movies,).

    A movie that nobody liked counts as liked by one user.
    """
    return -np.log2(np.maximum(popularity, 1) / max(n_users, 1))


class Directions(NamedTuple):
    """The genres of each movie as a vector of length 1.

    The vector is zeros for a movie without genres, and in the last row, which stands for row −1 of a list.

    Attributes
    ----------
    vectors
        float64 (movies + 1, genres).
    squared_lengths
        1 or 0, float64 (movies + 1,).
    """

    vectors: NDArray[np.float64]
    squared_lengths: NDArray[np.float64]


def genre_directions(genres: Sequence[Sequence[str]]) -> Directions:
    """Return the genre vectors of movies whose genres are given by row."""
    names = sorted({name for own in genres for name in own})
    column = {name: position for position, name in enumerate(names)}
    vectors = np.zeros((len(genres) + 1, len(names)))
    n_genres = np.array([len(own) for own in genres], dtype=np.int64)
    columns = np.array([column[name] for own in genres for name in own], dtype=np.int64)
    rows = np.repeat(np.arange(len(genres)), n_genres)
    vectors[rows, columns] = 1.0 / np.sqrt(n_genres[rows])
    return Directions(vectors, np.any(vectors, axis=1).astype(np.float64))


def mean_over_list(ranked: Ranked, values: NDArray[np.floating], k: int) -> NDArray[np.float64]:
    """Return the mean of `values` (movies,) over the first k movies of each list, (users,); 0 for an empty list."""
    first = ranked[:, :k]
    sums = np.append(values, 0.0)[first].sum(axis=1)  # row −1 is the 0 at the end
    return np.asarray(sums / np.maximum(np.count_nonzero(first >= 0, axis=1), 1))


def intra_list_diversity(ranked: Ranked, directions: Directions, k: int) -> NDArray[np.float64]:
    """Return the mean of 1 − cosine over all pairs of the first k movies of each list (Ziegler et al. 2005), (users,).

    A list of fewer than two movies has 0. A movie without genres has a cosine of 0 with every movie.
    """
    from scipy import sparse

    first = ranked[:, :k]
    n = np.count_nonzero(first >= 0, axis=1)
    n_rows = len(directions.vectors)
    # A list is a row of ones in a sparse matrix. Its product with the vectors is Σv.
    bounds = np.arange(len(first) + 1) * first.shape[1]
    lists = sparse.csr_matrix((np.ones(first.size), first.ravel() % n_rows, bounds), shape=(len(first), n_rows))
    # The cosines of all ordered pairs sum to |Σv|² − Σ|v|².
    of_pairs = np.square(lists @ directions.vectors).sum(axis=1) - lists @ directions.squared_lengths
    pairs = n * (n - 1)
    return np.where(pairs > 0, 1.0 - of_pairs / np.maximum(pairs, 1), 0.0)
