"""What to show when little is known of a user, and how the first swipes hand over from popular to personal.

Popularity is told on the scale of a personal score: the share of all users who liked a movie is the preference that
one would predict for somebody of whom nothing is known. Since all users count, not only those who rated the movie, five
fans of a rarity never beat five thousand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mlrec.ranking.diversity import maximal_marginal_relevance
from mlrec.ranking.fold_in import FoldIn
from mlrec.ranking.scores import user_scores

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

    score = (1 − weight) · personal + weight · liked share. Replay chose the rule and the default of `handover`:
    docs/decisions/0004.
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


Opinions = tuple[NDArray[np.int32], NDArray[np.int8]]
"""A user's opinions in time order: movie rows (−1 for a movie without factors) and signed preferences."""


@dataclass(frozen=True, eq=False)
class ColdStart:
    """Scores that rank movies for users, little as may be known of them; for serving and evaluation alike.

    Attributes
    ----------
    fold_in
        The rule of user vectors.
    movie_factors
        Float32 (movies, factors).
    share
        Share of users who liked each movie, float32 (movies,).
    spread
        What ranks for somebody of whom nothing is known; see `spread_order`.
    """

    fold_in: FoldIn
    movie_factors: NDArray[np.float32]
    share: NDArray[np.float32]
    spread: NDArray[np.float32]

    @classmethod
    def of(
        cls,
        fold_in: FoldIn,
        movie_factors: NDArray[np.float32],
        popularity: NDArray[np.int64],
        n_users: int,
        movie_genres: Sequence[Sequence[str]],
        diversity: float,
    ) -> Self:
        """Derive it from a model; see `liked_share` and `spread_order` for what they take."""
        share = liked_share(popularity, n_users)
        return cls(fold_in, movie_factors, share, spread_order(share, movie_genres, diversity))

    def without_taste(self, opinions: Opinions) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Scores for a user whose vector is zero: how much a movie is liked, and what ranks; float32 (movies,) each."""
        movie_idx, preference = opinions
        away = preference < 0
        if not away.any():
            return self.share, self.spread
        disliked = self.fold_in.user_vector(movie_idx[away], np.abs(preference[away]), decay=False)
        wary = wary_share(self.share, user_scores(disliked, self.movie_factors))
        return wary, wary

    def ranking(
        self,
        vectors: NDArray[np.float32],
        weight: NDArray[np.float64],
        opinions_of: Callable[[int], Opinions],
    ) -> NDArray[np.float32]:
        """What ranks for many users at once.

        Parameters
        ----------
        vectors
            Float32 (users, factors); zeros for a user without taste.
        weight
            Weight of popularity in the scores of the others, (users,); see `popular_weight`.
        opinions_of
            Opinions of the user at a position of `vectors`; asked only for those without taste.

        Returns
        -------
        ndarray
            Float32 (users, movies), a fresh array.
        """
        scores = user_scores(vectors, self.movie_factors)
        has_taste = vectors.any(axis=1)
        mixed = np.flatnonzero(has_taste & (weight > 0))
        scores[mixed] = blended(scores[mixed], self.share, weight[mixed])
        for position in np.flatnonzero(~has_taste).tolist():
            scores[position] = self.without_taste(opinions_of(position))[1]
        return scores
