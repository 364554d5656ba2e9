"""What to show when little is known of a user, and how the first swipes hand over from popular to personal.

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


def popular_weight(n_opinions: NDArray[np.int64] | int, handover: int) -> NDArray[np.float64]:
    """Weight of popularity in a user's scores: 1 without an opinion, 0 from `handover` opinions on, a line between.

    score = (1 − weight) · personal + weight · liked share. docs/decisions has the replay that chose the rule.
    """
    return np.maximum(0.0, 1.0 - np.asarray(n_opinions) / handover) if handover else np.zeros(np.shape(n_opinions))


def blended(
    personal: NDArray[np.float32], share: NDArray[np.float32], weight: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Mix personal scores with the liked share; both float32 (movies,), or (users, movies) with one weight a user."""
    w = np.asarray(weight, dtype=np.float32)[..., None]
    return (1 - w) * personal + w * share


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
