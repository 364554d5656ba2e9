"""The rule that ranks movies for a user: personal taste, mixed with popularity while the user has few opinions.

    score = (1 - weight) * personal + weight * liked share

The weight of popularity falls with the number of opinions. A user without taste (an unknown user, or one who has only
disliked or only skipped) has no personal score and gets the popular movies. Lists, batches, explanations, evaluation
and replay all rank by this rule.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mlrec.ranking.fold_in import Contributions, FoldIn
from mlrec.ranking.popularity import liked_share, spread_order, wary_share
from mlrec.ranking.scores import user_scores
from mlrec.settings import ServeSettings

PopularWeight = Callable[[NDArray[np.integer[Any]] | int], NDArray[np.float64]]
"""Maps numbers of opinions, (users,) or one, to the weight of popularity, 0 to 1, in the same shape."""


def popular_weight(n_opinions: NDArray[np.int64] | int, handover: int) -> NDArray[np.float64]:
    """Weight of popularity in a user's scores: 1 without opinions, 0 from `handover` opinions on, linear in between.

    score = (1 − weight) · personal + weight · liked share. The rule and the default of `handover` were chosen by
    replay: docs/decisions/0004.
    """
    return np.maximum(0.0, 1.0 - np.asarray(n_opinions) / handover) if handover else np.zeros(np.shape(n_opinions))


@dataclass(frozen=True)
class Opinions:
    """A user's opinions in time order; both arrays are (opinions,).

    Attributes
    ----------
    movie_idx
        Movie rows, −1 for a movie without factors.
    preference
        Signed preferences, int8.
    """

    movie_idx: NDArray[np.int32]
    preference: NDArray[np.int8]

    def __len__(self) -> int:
        """Return the number of opinions."""
        return len(self.movie_idx)


@dataclass(frozen=True)
class Scores:
    """Scores of all movies for one user; arrays are float32 (movies,).

    Attributes
    ----------
    shown
        The score that a recommendation shows.
    order
        The values to rank by. These are the scores, except for a new user, whose list is spread over genres.
    popular_part
        The part of `shown` that comes from popularity.
    """

    shown: NDArray[np.float32]
    order: NDArray[np.float32]
    popular_part: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Ranker:
    """Scores movies for users, including users with few or no opinions.

    Attributes
    ----------
    fold_in
        The rule of user vectors.
    movie_factors
        Float32 (movies, factors).
    share
        Share of users who liked each movie, float32 (movies,).
    spread
        The values to rank by for an unknown user; see `spread_order`.
    popular_weight
        How popularity gives way to taste as opinions come in.
    """

    fold_in: FoldIn
    movie_factors: NDArray[np.float32]
    share: NDArray[np.float32]
    spread: NDArray[np.float32]
    popular_weight: PopularWeight

    @classmethod
    def of(
        cls,
        fold_in: FoldIn,
        movie_factors: NDArray[np.float32],
        popularity: NDArray[np.int64],
        n_users: int,
        movie_genres: Sequence[Sequence[str]],
        settings: ServeSettings,
    ) -> Self:
        """Derive a ranker from a model; see `liked_share` and `spread_order` for the parameters."""
        share = liked_share(popularity, n_users)
        return cls(
            fold_in,
            movie_factors,
            share,
            spread_order(share, movie_genres, settings.cold_diversity),
            partial(popular_weight, handover=settings.handover),
        )

    def scores(self, vector: NDArray[np.float32], opinions: Opinions) -> Scores:
        """Score all movies for one user. The vector is float32 (factors,), zeros for a user without taste."""
        return self._scores(user_scores(vector, self.movie_factors) if vector.any() else None, opinions)

    def order(
        self,
        vectors: NDArray[np.float32],
        n_opinions: NDArray[np.integer[Any]],
        opinions_of: Callable[[int], Opinions],
    ) -> NDArray[np.float32]:
        """`Scores.order` for many users at once.

        Parameters
        ----------
        vectors
            Float32 (users, factors); zeros for a user without taste.
        n_opinions
            How many opinions each user has, (users,).
        opinions_of
            Returns the opinions of the user at a position in `vectors`. Called only for users with popularity in their
            scores.

        Returns
        -------
        ndarray
            Float32 (users, movies), a new array.
        """
        order = user_scores(vectors, self.movie_factors)
        for position in np.flatnonzero(~self.is_personal(vectors, n_opinions)).tolist():
            personal = order[position] if vectors[position].any() else None
            order[position] = self._scores(personal, opinions_of(position)).order
        return order

    def is_personal(self, vectors: NDArray[np.float32], n_opinions: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
        """Which users are ranked by taste alone, without popularity; parameters as in `order`."""
        has_taste = np.asarray(vectors.any(axis=1))
        return np.asarray(has_taste & (self.popular_weight(n_opinions) == 0))

    def contributions(self, movie_idx: int, opinions: Opinions, *, decay: bool = True) -> tuple[Contributions, float]:
        """Split the score of one movie for a user with taste into what each opinion adds and what popularity adds.

        See `FoldIn.contributions`. The parts sum to `Scores.shown`.
        """
        parts = self.fold_in.contributions(movie_idx, opinions.movie_idx, opinions.preference, decay=decay)
        weight = float(self.popular_weight(len(opinions)))
        personal = replace(parts, liked=(1 - weight) * parts.liked, disliked=(1 - weight) * parts.disliked)
        return personal, weight * float(self.share[movie_idx])

    def _scores(self, personal: NDArray[np.float32] | None, opinions: Opinions) -> Scores:
        """Apply the rule to one user; `personal` is None for a user without taste."""
        if personal is None:
            disliked = opinions.preference < 0
            if not disliked.any():
                return Scores(self.share, self.spread, self.share)
            liked_instead = self.fold_in.user_vector(
                opinions.movie_idx[disliked], np.abs(opinions.preference[disliked]), decay=False
            )
            wary = wary_share(self.share, user_scores(liked_instead, self.movie_factors))
            return Scores(wary, wary, wary)
        weight = np.float32(self.popular_weight(len(opinions)))
        if not weight:
            return Scores(personal, personal, np.zeros_like(personal))
        popular_part = weight * self.share
        mixed = (1 - weight) * personal + popular_part
        return Scores(mixed, mixed, popular_part)
