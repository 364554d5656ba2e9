"""What accuracy hides: how new, how diverse and how popular the listed movies are; docs/evaluation.md has the formulas.

`ranked` holds rows of movies, int64 (users, places), best first; −1 fills the places of a shorter list, which do not
count here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Ranked = NDArray[np.int64]


def self_information(popularity: NDArray[np.int64], n_users: int) -> NDArray[np.float64]:
    """−log₂ of the share of users who liked a movie, in bits (Zhou et al. 2010); (movies,).

    A movie that nobody liked counts as liked by one.
    """
    return -np.log2(np.maximum(popularity, 1) / max(n_users, 1))


def genre_directions(genres: Sequence[Sequence[str]]) -> NDArray[np.float64]:
    """Genres of each movie as a vector of length 1, (movies, genres); zeros for a movie without."""
    names = sorted({name for own in genres for name in own})
    column = {name: position for position, name in enumerate(names)}
    directions = np.zeros((len(genres), len(names)))
    for row, own in enumerate(genres):
        if own:
            directions[row, [column[name] for name in own]] = 1.0 / np.sqrt(len(own))
    return directions


def mean_over_list(ranked: Ranked, values: NDArray[np.floating], k: int) -> NDArray[np.float64]:
    """Mean of a value over the first k movies of each list; 0 for an empty list. `values` is (movies,)."""
    first = ranked[:, :k]
    is_movie = first >= 0
    sums = np.where(is_movie, values[first], 0.0).sum(axis=1)
    return np.asarray(sums / np.maximum(is_movie.sum(axis=1), 1))


def intra_list_diversity(ranked: Ranked, directions: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """Mean of 1 − cosine over all pairs among the first k movies of each list (Ziegler et al. 2005); (users,).

    0 for a list of fewer than two movies. `directions` has rows of length 1, or of zeros, which are like nothing.
    """
    first = ranked[:, :k]
    is_movie = first >= 0
    vectors = np.where(is_movie[:, :, None], directions[first], 0.0)
    n = is_movie.sum(axis=1)
    # The cosines of all ordered pairs sum to |Σv|² − Σ|v|².
    of_pairs = np.square(vectors.sum(axis=1)).sum(axis=1) - np.square(vectors).sum(axis=(1, 2))
    pairs = n * (n - 1)
    return np.where(pairs > 0, 1.0 - of_pairs / np.maximum(pairs, 1), 0.0)
