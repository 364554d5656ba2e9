"""Which popular movies to show to a user with few or no opinions.

Popularity uses the scale of a personal score: the share of all users who liked a movie is the preference that one would
predict for an unknown user. All users count, not only those who rated the movie, so five fans of a rare movie never
outweigh five thousand of a popular one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mlrec.ranking.diversity import maximal_marginal_relevance

# As many cards as a new user may see before the first like; after these, plain popularity ranks.
_SPREAD_OVER = 300


def liked_share(popularity: NDArray[np.int64], n_users: int) -> NDArray[np.float32]:
    """Share of all users who liked each movie.

    Parameters
    ----------
    popularity
        Likes in training by movie row, int64 (movies,).
    n_users
        Users of the model.

    Returns
    -------
    ndarray
        Float32 (movies,), 0 to 1.
    """
    return (popularity / max(n_users, 1)).astype(np.float32)


def spread_order(
    share: NDArray[np.float32], movie_genres: Sequence[Sequence[str]], diversity: float
) -> NDArray[np.float32]:
    """Scores that rank the popular movies for a new user, spread over genres so that the first swipes teach the most.

    Parameters
    ----------
    share
        Share of users who liked each movie, float32 (movies,).
    movie_genres
        Genres by movie row.
    diversity
        How far the list is spread over genres, 0 to 1; see `maximal_marginal_relevance`, with genres as traits.

    Returns
    -------
    ndarray
        Float32 (movies,), all different: n for the first movie, 1 for the last.
    """
    ranked = np.argsort(-share, kind="stable")
    pool = ranked[:_SPREAD_OVER]
    names = sorted({name for row in pool for name in movie_genres[row]})
    column = {name: position for position, name in enumerate(names)}
    traits = np.zeros((len(pool), len(names)))
    for position, row in enumerate(pool):
        traits[position, [column[name] for name in movie_genres[row]]] = 1.0
    picked = maximal_marginal_relevance(share[pool], traits, len(pool), diversity)
    order = np.concatenate([pool[picked], ranked[_SPREAD_OVER:]])
    scores = np.empty(len(share), dtype=np.float32)
    scores[order] = np.arange(len(share), 0, -1)
    return scores


def wary_share(share: NDArray[np.float32], disliked: NDArray[np.float32]) -> NDArray[np.float32]:
    """Liked share for a user who has disliked everything so far: lower for movies similar to the disliked ones.

    Fold-in gives such a user no taste, because a dislike only pulls scores towards 0.

    Parameters
    ----------
    share
        Float32 (movies,).
    disliked
        Scores for a user who liked exactly what this one disliked, float32 (movies,).

    Returns
    -------
    ndarray
        share · (1 − disliked), with disliked clipped to 0 to 1; float32 (movies,).
    """
    return share * (1.0 - np.clip(disliked, 0.0, 1.0))
