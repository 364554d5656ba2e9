"""The rule that ranks movies for a user: personal taste, mixed with popularity while the user has few opinions.

The personal score is that of the user's vector, in the mean with the item-item score if the model has one
(`mlrec.ranking.item_item`).

    score = (1 - weight) * personal + weight * bound * liked share

The weight of popularity falls with the number of opinions, and the share looks at dates (`mlrec.ranking.popularity`).
The bound keeps popularity from drowning a taste that is still weak, such as that of a single like of a rare movie: the
most popular movie gets at most the user's own best score, and from the second opinion on at most twice that score. A
user without taste (an unknown user, or one who has only
disliked or only skipped) has no personal score and gets the popular movies. Lists, batches, explanations, evaluation
and replay all rank by this rule.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from mlrec.ranking.fold_in import Contributions, FoldIn
from mlrec.ranking.histories import History
from mlrec.ranking.item_item import ItemItem, Likes
from mlrec.ranking.personal import Personal
from mlrec.ranking.popularity import spread_order, wary_share
from mlrec.ranking.scores import user_scores
from mlrec.settings import ServeSettings

PopularWeight = Callable[[NDArray[np.integer[Any]] | int], NDArray[np.float64]]
"""Maps numbers of opinions, (users,) or one, to the weight of popularity, 0 to 1, in the same shape."""


# Already the first opinion counts for more than popularity.
_MOST_POPULAR_WEIGHT = 0.4
# The most popular movie gets at most this many times the user's own best score.
_MOST_TIMES = 2.0


def popular_weight(n_opinions: NDArray[np.integer[Any]] | int, handover: int) -> NDArray[np.float64]:
    """Weight of popularity in a user's scores: 1 without opinions, 0 from h = `handover` opinions on.

    In between, it is max(0, h − n) / (h + 4n), but at most 0.4. The rule and the default of `handover` were chosen by
    replay: docs/decisions/0014.
    """
    if isinstance(n_opinions, int) and n_opinions >= max(handover, 1):
        return np.zeros(())
    n = np.asarray(n_opinions, dtype=np.float64)
    curve = np.maximum(0.0, handover - n) / np.maximum(handover + 4.0 * n, 1.0)
    return np.where((n == 0) & (handover > 0), 1.0, np.minimum(curve, _MOST_POPULAR_WEIGHT))


@dataclass(frozen=True, eq=False)
class Popular:
    """What most people like at some moment.

    Attributes
    ----------
    share
        Share of users who liked each movie, by date, float32 (movies,); see `recent_share`.
    movie_genres
        Genres by movie row.
    diversity
        How far a new user's list is spread over genres, 0 to 1.
    """

    share: NDArray[np.float32]
    movie_genres: Sequence[Sequence[str]]
    diversity: float

    @cached_property
    def spread(self) -> NDArray[np.float32]:
        """The values to rank by for an unknown user, float32 (movies,); see `spread_order`."""
        return spread_order(self.share, self.movie_genres, self.diversity)


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


class Mixed(NamedTuple):
    """What popularity adds to the scores of users with taste.

    Attributes
    ----------
    popular_part
        The part of each score that comes from popularity, float32 (users, movies).
    factor
        What the shares are multiplied by, beside the weight, float32 (users,).
    best
        The best personal score of a movie that no opinion is about, float32 (users,).
    largest
        The largest share, float32 (users,), or (1,) if the shares are the same for all users.
    """

    popular_part: NDArray[np.float32]
    factor: NDArray[np.float32]
    best: NDArray[np.float32]
    largest: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Ranker:
    """Scores movies for users, including users with few or no opinions.

    Attributes
    ----------
    fold_in
        The rule of user vectors.
    personal
        Scores movies by vectors, and by the second opinion if the model has one.
    popular
        What most people like now.
    popular_weight
        How popularity gives way to taste as opinions come in.
    most_times
        The most popular movie gets at most so many times the user's own best score (once, with one opinion). Infinity:
        there is no such bound.
    """

    fold_in: FoldIn
    personal: Personal
    popular: Popular
    popular_weight: PopularWeight
    most_times: float = _MOST_TIMES

    @classmethod
    def of(
        cls,
        fold_in: FoldIn,
        share: NDArray[np.float32],
        movie_genres: Sequence[Sequence[str]],
        settings: ServeSettings,
        item_item: ItemItem | None = None,
    ) -> Self:
        """Derive a ranker from a model; see `Popular` for the parameters."""
        return cls(
            fold_in,
            Personal(fold_in.movie_factors, item_item),
            Popular(share, movie_genres, settings.cold_diversity),
            partial(popular_weight, handover=settings.handover),
        )

    def likes(self, history: History, users: NDArray[np.int64]) -> Likes | None:
        """What some user rows of a history like; None if there is no second opinion."""
        item_item = self.personal.item_item
        return None if item_item is None else item_item.likes(history, users, self.fold_in.makes_older)

    def likes_of(self, opinions: Sequence[Opinions], *, decay: bool = True) -> Likes | None:
        """What some users like; None if there is no second opinion. Without `decay`, the order means nothing."""
        item_item = self.personal.item_item
        if item_item is None:
            return None
        own = [(one.movie_idx, one.preference) for one in opinions]
        return item_item.likes_of(own, self.fold_in.makes_older, decay=decay)

    def scores(self, vector: NDArray[np.float32], opinions: Opinions, *, decay: bool = True) -> Scores:
        """Score all movies for one user. The vector is float32 (factors,), zeros for a user without taste.

        Without `decay`, the order of the opinions means nothing.
        """
        personal = None
        if vector.any():
            personal = self.personal.scores(vector[None], self.likes_of([opinions], decay=decay))[0]
        return self._scores(personal, np.float32(self.popular_weight(len(opinions))), opinions, self.popular)

    def order(
        self,
        vectors: NDArray[np.float32],
        likes: Likes | None,
        n_opinions: NDArray[np.integer[Any]],
        opinions_of: Callable[[int], Opinions],
        popular_of: Callable[[int], Popular] | None = None,
    ) -> NDArray[np.float32]:
        """`Scores.order` for many users at once.

        Parameters
        ----------
        vectors
            Float32 (users, factors); zeros for a user without taste.
        likes
            What these users like, from `likes` or `likes_of`.
        n_opinions
            How many opinions each user has, (users,).
        opinions_of
            Returns the opinions of the user at a position in `vectors`. Called only for users with popularity in their
            scores.
        popular_of
            Returns what most people liked at that user's moment. None: now, for all users.

        Returns
        -------
        ndarray
            Float32 (users, movies), a new array.
        """
        personal = self.personal.scores(vectors, likes)
        has_taste = np.asarray(vectors.any(axis=1))
        weights = np.asarray(self.popular_weight(n_opinions), dtype=np.float32)
        for position in np.flatnonzero(~has_taste | (weights > 0)).tolist():
            own = personal[position] if has_taste[position] else None
            popular = self.popular if popular_of is None else popular_of(position)
            personal[position] = self._scores(own, weights[position], opinions_of(position), popular).order
        return personal

    def is_personal(
        self, vectors: NDArray[np.float32], n_opinions: NDArray[np.integer[Any]] | int
    ) -> NDArray[np.bool_]:
        """Which users are ranked by taste alone, without popularity; parameters as in `order`, or of a single user."""
        has_taste = np.asarray(vectors.any(axis=-1))
        return np.asarray(has_taste & (self.popular_weight(n_opinions) == 0))

    def contributions(
        self, movie_idx: int, vector: NDArray[np.float32], opinions: Opinions, *, decay: bool = True
    ) -> tuple[Contributions, float]:
        """Split the score of one movie for a user with taste into what each opinion adds and what popularity adds.

        See `FoldIn.contributions`. The parts sum to `Scores.shown`.
        """
        parts = self.fold_in.contributions(movie_idx, opinions.movie_idx, opinions.preference, decay=decay)
        item_item = self.personal.item_item
        if item_item is not None:
            own = (opinions.movie_idx, opinions.preference)
            second = item_item.contributions(movie_idx, own, self.fold_in.makes_older, decay=decay)
            weight = item_item.rule.weight
            parts = replace(
                parts, liked=(1 - weight) * parts.liked + weight * second, disliked=(1 - weight) * parts.disliked
            )
        weight = float(self.popular_weight(len(opinions)))
        personal = replace(parts, liked=(1 - weight) * parts.liked, disliked=(1 - weight) * parts.disliked)
        if not weight:
            return personal, 0.0
        return personal, float(self.scores(vector, opinions, decay=decay).popular_part[movie_idx])

    def _scores(
        self, personal: NDArray[np.float32] | None, weight: np.float32, opinions: Opinions, popular: Popular
    ) -> Scores:
        """Apply the rule to one user, with a weight of popularity; `personal` is None for a user without taste.

        The personal scores are changed in place, because evaluation asks often.
        """
        if personal is None:
            disliked = opinions.preference < 0
            if not disliked.any():
                return Scores(popular.share, popular.spread, popular.share)
            liked_instead = self.fold_in.user_vector(
                opinions.movie_idx[disliked], np.abs(opinions.preference[disliked]), decay=False
            )
            wary = wary_share(popular.share, user_scores(liked_instead, self.personal.movie_factors))
            return Scores(wary, wary, wary)
        if not weight:
            return Scores(personal, personal, np.broadcast_to(np.float32(0), personal.shape))
        known = opinions.movie_idx[opinions.movie_idx >= 0]
        mixed = self.mix(personal, weight, len(opinions), known, popular.share)
        return Scores(personal, personal, mixed.popular_part)

    def mix(
        self,
        personal: NDArray[np.float32],
        weight: NDArray[np.float32] | np.float32,
        n_opinions: NDArray[np.integer[Any]] | int,
        known: NDArray[np.integer[Any]] | tuple[NDArray[np.integer[Any]], ...],
        share: NDArray[np.float32],
    ) -> Mixed:
        """Apply the rule to users with taste, for all or some of the movies. The scores are changed in place.

        Parameters
        ----------
        personal
            Personal scores, float32 (users, movies), or (movies,) for one user.
        weight
            The weight of popularity, float32 (users,).
        n_opinions
            How many opinions each user has, (users,).
        known
            The index of the movies that these are about, in `personal`.
        share
            Liked shares, float32 (users, movies), or (1, movies) if they are the same for all users.
        """
        weight = np.asarray(weight)
        kept = personal[known]
        personal[known] = -np.inf  # for a moment: a copy of all would take longer than the rest
        best = personal.max(axis=-1)
        personal[known] = kept
        largest = share.max(axis=-1)
        factor = self._popular_factor(n_opinions, best, largest)
        popular_part = (weight * factor)[..., None] * share
        personal *= (1 - weight)[..., None]
        personal += popular_part
        return Mixed(popular_part, factor, best, largest)

    def _popular_factor(
        self, n_opinions: NDArray[np.integer[Any]] | int, best: NDArray[np.float32], largest: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """What keeps popularity from drowning a weak taste, 0 to 1, for one user or for several."""
        if math.isinf(self.most_times):
            return np.ones_like(best)
        allowed = np.minimum(n_opinions, self.most_times) * np.maximum(np.asarray(best, dtype=np.float64), 0.0)
        return np.minimum(allowed / np.maximum(largest, np.finfo(np.float32).tiny), 1.0).astype(np.float32)
