"""The second opinion: what the movies that a user likes say about every other movie, beside the user's vector.

    score(m) = Σ d_i · B[i, m]     over the movies i that the user likes

B holds, for each movie, what the likes of its nearest movies say about a like of it (`mlrec.model.item_item`). A like
weighs d = 0.5 ^ (age / half-life) by its age, the number of the same user's later events, as in the fold-in. After
five half-lives it no longer counts. Of somebody who likes very many movies, the 500 newest likes count, so that a list
does not take longer. Dislikes and skips do not count here.

The score predicts a preference on the same scale as the inner product of vectors. So does their mean:

    personal = (1 − weight) · vector score + weight · item-item score

Both are sums over what the user likes. So a like is learned at once and exactly, and explanations add up over both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from mlrec.ranking.histories import History, picked, renumbered, slices
from mlrec.settings import ItemItemSettings

# An older like weighs less than a thirtieth of the newest.
_HALF_LIVES = 5
_MOST_LIKES = 500
# So few that what is added up for them stays in the processor's cache.
_USERS_AT_ONCE = 16


class Likes(NamedTuple):
    """What some users like, each like with its weight; all arrays are (likes,).

    Attributes
    ----------
    positions
        Positions of the users among those who are asked about, ascending.
    movie_idx
        Rows of movies that the model knows.
    weight
        Float64, above 0.
    """

    positions: NDArray[np.int64]
    movie_idx: NDArray[np.int32]
    weight: NDArray[np.float64]

    def only(self, users: NDArray[np.int64], n_users: int) -> Likes:
        """Keep some of the `n_users` users, by their positions, which ascend."""
        if len(users) == n_users:
            return self
        positions, kept = renumbered(self.positions, users, n_users)
        return Likes(positions, self.movie_idx[kept], self.weight[kept])


@dataclass(frozen=True, eq=False)
class ItemItem:
    """Weights between movies, by liked movie, and the rule by which they count.

    Attributes
    ----------
    indptr
        The entries of movie row i are indptr[i]:indptr[i + 1]; int64 (movies + 1,).
    movie_idx
        The movies that a like of movie i speaks for, ascending, int32 (entries,).
    weight
        B, above 0, float32 (entries,).
    rule
        The weight in the mean and the half-life.
    order
        All of `targets` in some order; None: ascending.
    """

    indptr: NDArray[np.int64]
    movie_idx: NDArray[np.int32]
    weight: NDArray[np.float32]
    rule: ItemItemSettings
    order: NDArray[np.int64] | None = None

    def with_rule(self, rule: ItemItemSettings) -> Self:
        """Return the same weights under another rule."""
        other = replace(self, rule=rule)
        # What is derived from the weights alone does not change.
        vars(other).update(targets=self.targets, _column=self._column)
        return other

    def in_order(self, order: NDArray[np.int64]) -> Self:
        """Return the same weights, with all of `targets` in another order."""
        return self if np.array_equal(order, self.targets) else replace(self, order=order)

    def with_rows(self, row: NDArray[np.int32], n_movies: int) -> Self:
        """Give the movies other rows, in the same order, int32 (movies,), among `n_movies`. `targets` then ascend."""
        lengths = np.zeros(n_movies, dtype=np.int64)
        lengths[row] = np.diff(self.indptr)
        indptr = np.concatenate([[0], np.cumsum(lengths)])
        return replace(self, indptr=indptr, movie_idx=row[self.movie_idx], order=None)

    @cached_property
    def targets(self) -> NDArray[np.int64]:
        """Rows of the movies that likes of others speak for, (targets,): the columns of `scores`."""
        if self.order is not None:
            return self.order
        return np.flatnonzero(np.bincount(self.movie_idx, minlength=len(self.indptr) - 1))

    @cached_property
    def _column(self) -> NDArray[np.int64]:
        """The position in `targets` of each entry, (entries,)."""
        position = np.zeros(len(self.indptr) - 1, dtype=np.int64)
        position[self.targets] = np.arange(len(self.targets))
        return position[self.movie_idx]

    def scores(self, likes: Likes, n_users: int) -> NDArray[np.float32]:
        """Score the movies of `targets` for some users, float32 (users, targets), which is only read."""
        if n_users == 1:
            return self._summed(likes, 1)
        found = np.empty((n_users, len(self.targets)), dtype=np.float32)
        for users in slices(n_users, _USERS_AT_ONCE):
            own = slice(*np.searchsorted(likes.positions, [users.start, users.stop]).tolist())
            part = Likes(likes.positions[own] - users.start, likes.movie_idx[own], likes.weight[own])
            found[users] = self._summed(part, users.stop - users.start)
        return found

    def _summed(self, likes: Likes, n_users: int) -> NDArray[np.float32]:
        bounds, entries = picked(self.indptr, likes.movie_idx.astype(np.int64))
        lengths, n_targets = bounds[1:] - bounds[:-1], len(self.targets)
        column = self._column.take(entries)
        if n_users > 1:
            column += np.repeat(likes.positions * n_targets, lengths)
        values = self.weight.take(entries) * np.repeat(likes.weight, lengths)
        summed = np.bincount(column, values, n_users * n_targets)
        return summed.astype(np.float32).reshape(n_users, n_targets)

    def towards(self, movie: int, movie_idx: NDArray[np.int32]) -> NDArray[np.float64]:
        """What each of some movies (−1: unknown) says about one movie if it is liked, float64 (movies,)."""
        entries = np.flatnonzero(self.movie_idx == movie)
        liked = np.append(np.searchsorted(self.indptr, entries, side="right") - 1, len(self.indptr))
        place = np.searchsorted(liked[:-1], movie_idx)
        return np.where(liked[place] == movie_idx, np.append(self.weight[entries], 0.0)[place], 0.0)

    def between(self, movie: int) -> NDArray[np.float32]:
        """The mean of what one movie and each other say about each other, float32 (movies,)."""
        found = np.zeros(len(self.indptr) - 1, dtype=np.float32)
        own = slice(*self.indptr[movie : movie + 2].tolist())
        found[self.movie_idx[own]] = self.weight[own]
        others = np.flatnonzero(self.movie_idx == movie)
        found[np.searchsorted(self.indptr, others, side="right") - 1] += self.weight[others]
        return found / np.float32(2)

    def likes(self, history: History, users: NDArray[np.int64], makes_older: NDArray[np.bool_]) -> Likes:
        """What some user rows of a history like.

        Parameters
        ----------
        history
            Events in time order.
        users
            The user rows, (users,).
        makes_older
            Which movie rows make a user's earlier events older, bool (movies + 1,): those of the core. The last is row
            −1, an unknown movie.
        """
        own = history.of_users(users)
        return self._likes(own.indptr, own.movie_idx, own.preference, makes_older, decay=True)

    def likes_of(
        self,
        opinions: Sequence[tuple[NDArray[np.int32], NDArray[np.int8]]],
        makes_older: NDArray[np.bool_],
        *,
        decay: bool = True,
    ) -> Likes:
        """What users like whose movie rows and preferences are given, in time order.

        Without `decay`, the order means nothing: every like weighs as much as the newest. For `makes_older` see
        `likes`.
        """
        if len(opinions) == 1:  # a single list should be fast
            indptr, (movie_idx, preference) = np.array([0, len(opinions[0][0])]), opinions[0]
        else:
            indptr = np.concatenate([[0], np.cumsum([len(rows) for rows, _ in opinions], dtype=np.int64)])
            movie_idx, preference = (np.concatenate(column) for column in zip(*opinions, strict=True))
        return self._likes(indptr, movie_idx, preference, makes_older, decay=decay)

    def _likes(
        self,
        indptr: NDArray[np.int64],
        movie_idx: NDArray[np.int32],
        preference: NDArray[np.int8],
        makes_older: NDArray[np.bool_],
        *,
        decay: bool,
    ) -> Likes:
        counts = np.flatnonzero((preference > 0) & (movie_idx >= 0))
        if len(indptr) == 2:  # a single list should be fast
            positions, newer = np.zeros(len(counts), dtype=np.int64), np.arange(len(counts), 0, -1)
        else:
            bounds = np.searchsorted(counts, indptr)
            positions = np.repeat(np.arange(len(indptr) - 1), np.diff(bounds))
            newer = bounds[positions + 1] - np.arange(len(counts))
        is_new = newer <= _MOST_LIKES
        weight = np.ones(len(counts))
        half_life = self.rule.half_life
        if decay and not math.isinf(half_life):
            ages = ages_of(indptr, makes_older[movie_idx])[counts]
            is_new &= ages <= _HALF_LIVES * half_life
            weight = np.exp2(-ages / half_life)
        if is_new.all():
            return Likes(positions, movie_idx[counts], weight)
        return Likes(positions[is_new], movie_idx[counts[is_new]], weight[is_new])

    def contributions(
        self,
        movie: int,
        opinions: tuple[NDArray[np.int32], NDArray[np.int8]],
        makes_older: NDArray[np.bool_],
        *,
        decay: bool = True,
    ) -> NDArray[np.float64]:
        """What each opinion of a user adds to the score of one movie, float64 (opinions,); 0 for a dislike.

        For the other parameters see `likes_of`.
        """
        movie_idx, preference = opinions
        likes = self.likes_of([opinions], makes_older, decay=decay)
        weight = np.zeros(len(self.indptr))
        weight[likes.movie_idx] = likes.weight  # each movie occurs at most once
        return np.where(preference > 0, weight[movie_idx], 0.0) * self.towards(movie, movie_idx)


def ages_of(indptr: NDArray[np.int64], makes_older: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Number of later events of the same user that make an event older, (events,).

    Parameters
    ----------
    indptr
        The events of user i are indptr[i]:indptr[i + 1], (users + 1,).
    makes_older
        Whether each event makes earlier ones older, bool (events,): not those on movies outside the core.
    """
    if len(indptr) == 2:  # a single list should be fast
        until = np.cumsum(makes_older)
        return until[-1:] - until
    before = np.concatenate([[0], np.cumsum(makes_older)])
    return np.asarray(np.repeat(before[indptr[1:]], np.diff(indptr)) - before[1:])
