"""Which popular movies to show to somebody of whom little is known.

Popularity is told on the scale of a personal score: the share of all users who liked a movie is the preference that
one would predict for somebody of whom nothing is known. Since all users count, not only those who rated the movie, five
fans of a rarity never beat five thousand.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mlrec.ranking.diversity import maximal_marginal_relevance

# The cards that a new user may come to see before the first like; behind them plain popularity ranks.
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
    """Scores that rank the popular movies for somebody new, spread over genres so that the first answers teach most.

    Parameters
    ----------
    share
        Share of users who liked each movie, float32 (movies,).
    movie_genres
        Genres by movie row.
    diversity
        How far genres are spread, 0 to 1; see `maximal_marginal_relevance`, with genres as traits.

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
    """Liked share for somebody who has disliked everything so far: less of what is like the disliked movies.

    Fold-in says nothing of such a user, because a dislike only pulls scores towards 0.

    Parameters
    ----------
    share
        Float32 (movies,).
    disliked
        Scores of a user who had liked just what this one disliked, float32 (movies,).

    Returns
    -------
    ndarray
        share · (1 − disliked), with disliked held between 0 and 1; float32 (movies,).
    """
    return share * (1.0 - np.clip(disliked, 0.0, 1.0))
