"""Which popular movies to show to a user with few or no opinions.

Popularity uses the scale of a personal score: the share of all users who liked a movie is the preference that one would
predict for an unknown user. All users count, not only those who rated the movie, so five fans of a rare movie never
outweigh five thousand of a popular one.

Popularity looks at dates. A like weighs 2 ^ (−age / half-life), and so does a user, by the age of the user's last like:

    share = (Σ weights of the movie's likes + 5 · share without dates) / (Σ weights of the users + 5)

The 5 users without dates keep the first few users of a new year from filling everybody's first cards. All ages count
from the latest like. So only one thing depends on the moment: which likes there are. In serving, these are all that the
model has learned; in evaluation, those before the event that is predicted. Half-life and formula were chosen by replay:
docs/decisions/0014.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlrec.ranking.best_unseen import Part
from mlrec.ranking.diversity import maximal_marginal_relevance
from mlrec.ranking.histories import History

# As many cards as a new user may see before the first like; after these, plain popularity ranks.
_SPREAD_OVER = 300
_SECONDS_PER_DAY = 86_400
# Sums of weights are kept at this many moments, so that those at any other need only the likes in between.
_MOMENTS = 256
_USERS_WITHOUT_DATES = 5.0
# With fewer likes in between, sums are not worth keeping.
_FEWEST_LIKES = 1024
# Likes and sums that one thread looks at together, unless a single moment needs more.
_MOST_SUMS = 500_000
# For so many parts of the movies, the bounds on all other shares are kept.
_KEPT_PARTS = 8
# How far rounding may raise a share above its bound.
_ROUNDING = 1 + 1e-4


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


def recent_share(history: History, n_movies: int, half_life: float) -> NDArray[np.float32]:
    """Share of users who liked each movie, by date, after all likes of a history.

    Parameters
    ----------
    history
        The events that the model may learn from.
    n_movies
        Number of movies.
    half_life
        Days after which a like weighs half; infinity: dates do not matter, and the share is `liked_share`.

    Returns
    -------
    ndarray
        Float32 (movies,), 0 to 1.
    """
    likes = np.flatnonzero((history.preference > 0) & (history.movie_idx >= 0))
    movie_idx = history.movie_idx[likes]
    counts = np.bincount(movie_idx, minlength=n_movies)
    if math.isinf(half_life):
        return liked_share(counts, len(history.indptr) - 1)
    if not len(likes):
        return np.zeros(n_movies, dtype=np.float32)
    timestamp = history.timestamp[likes]
    weight = _weights(timestamp, timestamp.max(), half_life)
    ends = np.searchsorted(likes, history.indptr)
    last = ends[1:][ends[:-1] < ends[1:]] - 1  # each user's
    dated = _summed(movie_idx, weight, n_movies)
    sums = _Sums(dated[None], counts[None], weight[last].sum(keepdims=True), np.array([len(last)]))
    share: NDArray[np.float32] = sums.share[0]
    return share


class _Sums(NamedTuple):
    """Sums over the likes before some moments; weights are those at the moment.

    Attributes
    ----------
    likes
        Weights of the likes of each movie, (moments, movies).
    n_likes
        Their number, (moments, movies).
    users
        Weights of the users, float64 (moments,).
    n_users
        Their number, int64 (moments,).
    """

    likes: NDArray[np.floating[Any]]
    n_likes: NDArray[np.floating[Any]] | NDArray[np.integer[Any]]
    users: NDArray[np.float64]
    n_users: NDArray[np.int64]

    @property
    def share(self) -> NDArray[np.float32]:
        """The share of users who liked each movie, by date; see the docstring of this module."""
        mixed: NDArray[np.float64] = self.n_likes / np.maximum(self.n_users, 1)[:, None]  # without dates
        mixed *= _USERS_WITHOUT_DATES
        mixed += self.likes
        mixed /= (self.users + _USERS_WITHOUT_DATES)[:, None]
        return mixed.astype(np.float32)


def _weights(
    timestamp: NDArray[np.int64], moment: NDArray[np.int64] | np.int64, half_life: float
) -> NDArray[np.float64]:
    weights: NDArray[np.float64] = np.exp2((timestamp - moment) / (half_life * _SECONDS_PER_DAY))
    return weights


class PopularityByDate:
    """The share of users who liked each movie at any moment, from the likes before it.

    Parameters
    ----------
    history
        The events that the model may learn from.
    n_movies
        Number of movies.
    half_life
        Days after which a like weighs half; infinity: all likes before the moment weigh the same.
    """

    def __init__(self, history: History, n_movies: int, half_life: float) -> None:
        likes = np.flatnonzero((history.preference > 0) & (history.movie_idx >= 0))
        timestamp = history.timestamp[likes]
        has_former = np.ones(len(likes), dtype=bool)
        bounds = np.searchsorted(likes, history.indptr)
        has_former[bounds[:-1][bounds[:-1] < bounds[1:]]] = False
        order = _in_time(timestamp)
        self._movie_idx = history.movie_idx[likes[order]]
        self._timestamp, self._former, self._has_former = timestamp[order], timestamp[order - 1], has_former[order]
        self._n_movies, self._half_life = n_movies, half_life
        self._block = max(_FEWEST_LIKES, -(-len(order) // _MOMENTS))
        self._kept = self._sums_after_blocks()
        self._largest: dict[bytes, NDArray[np.float64]] = {}

    def _sums_after_blocks(self) -> _Sums:
        """The sums after 0, 1, 2 and more blocks of likes, in single precision because there may be many movies."""
        n = 1 + len(self._timestamp) // self._block
        found = _Sums(
            np.zeros((n, self._n_movies), np.float32),
            np.zeros((n, self._n_movies), np.int32),
            np.zeros(n),
            np.zeros(n, np.int64),
        )
        for number in range(1, n):
            own = slice((number - 1) * self._block, number * self._block)
            now = self._timestamp[own.stop - 1]
            weight = _weights(self._timestamp[own], now, self._half_life)
            # A user's earlier like no longer counts for the user, but still for its movie.
            former = _weights(self._former[own][self._has_former[own]], now, self._half_life)
            past = _weights(self._timestamp[own.start - 1], now, self._half_life) if own.start else np.float64(0)
            movies = self._movie_idx[own]
            found.likes[number] = found.likes[number - 1] * past + np.bincount(movies, weight, self._n_movies)
            found.n_likes[number] = found.n_likes[number - 1] + np.bincount(movies, minlength=self._n_movies)
            found.users[number] = found.users[number - 1] * past + weight.sum() - former.sum()
            found.n_users[number] = found.n_users[number - 1] + len(weight) - len(former)
        return found

    def n_before(self, moments: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the number of likes before each moment, in epoch seconds. Moments of the same number are alike."""
        return np.searchsorted(self._timestamp, moments)

    def at(
        self, moments: NDArray[np.int64], part: Part | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Return the shares at some moments, and what no other movie's share exceeds.

        Parameters
        ----------
        moments
            Epoch seconds, in any order, (moments,).
        part
            The movies. None: all.

        Returns
        -------
        tuple
            Float32 (moments, movies of the part), 0 to 1; zeros before the first like. And float64 (moments,); 0 if
            there is no other movie.
        """
        part = part or Part.of(np.ones(self._n_movies, dtype=bool))
        n_likes, position = np.unique(self.n_before(moments), return_inverse=True)
        shares, most = np.zeros((len(n_likes), len(part.rows)), dtype=np.float32), np.zeros(len(n_likes))
        largest = self._largest_others(part)
        for own in self._groups(n_likes, len(part.rows)):
            sums = self._sums_after(n_likes[own], part)
            shares[own] = sums.share
            weight, number = largest[:, self._block_of(n_likes[own])]
            most[own] = weight + _USERS_WITHOUT_DATES * number / np.maximum(sums.n_users, 1)
            most[own] *= _ROUNDING / (sums.users + _USERS_WITHOUT_DATES)
        if len(n_likes) == len(moments) and (position[1:] > position[:-1]).all():
            return shares, most
        return shares[position], most[position]

    def _groups(self, n_likes: NDArray[np.int64], n_movies: int) -> Iterator[slice]:
        """Divide ascending numbers of likes so that summing takes little memory; those of 0 are left out."""
        first = int(np.searchsorted(n_likes, 0, side="right"))
        rest = n_likes[first:]
        numbers = np.cumsum(rest - self._starts(rest)[0] + n_movies) // _MOST_SUMS
        bounds = first + np.concatenate([[0], np.flatnonzero(np.diff(numbers)) + 1, [len(rest)]])
        yield from (slice(start, end) for start, end in pairwise(bounds.tolist()) if start < end)

    def _starts(self, n_likes: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """How many of the first likes are summed already, and whether that is in the sums before this number.

        Otherwise, it is in those that are kept.
        """
        before, kept = np.concatenate([[-1], n_likes])[:-1], self._block_of(n_likes) * self._block
        return np.maximum(before, kept), before > kept

    def _block_of(self, n_likes: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many blocks are complete within the first likes."""
        return np.minimum(n_likes // self._block, len(self._kept.users) - 1)

    def _sums_after(self, n_likes: NDArray[np.int64], part: Part) -> _Sums:
        """The sums over the first likes for a part of the movies, given ascending numbers of likes, at least 1.

        Each goes on from the sums before, or from those that are kept, whichever have more of the likes.
        """
        n, width, kept = len(n_likes), len(part.rows) + 1, self._kept  # the likes of all other movies go into the last
        start, goes_on = self._starts(n_likes)
        number = np.repeat(np.arange(n), n_likes - start)
        likes = np.arange(len(number)) + (n_likes - np.cumsum(n_likes - start))[number]

        now = self._timestamp[n_likes - 1]
        weight = _weights(self._timestamp[likes], now[number], self._half_life)
        has_former = self._has_former[likes]
        leaving = number[has_former]
        former = _weights(self._former[likes[has_former]], now[leaving], self._half_life)
        past = np.where(start > 0, _weights(self._timestamp[np.maximum(start - 1, 0)], now, self._half_life), 0.0)

        column = part.column[self._movie_idx[likes]]
        cell = number * width + np.where(column < 0, width - 1, column)
        of_likes = _summed(cell, weight, n * width).reshape(n, width)[:, :-1]
        of_n_likes = np.bincount(cell, minlength=n * width).reshape(n, width)[:, :-1].astype(np.float64)
        users = _summed(number, weight, n) - _summed(leaving, former, n)
        n_users = n_likes - start - np.bincount(leaving, minlength=n)
        for row, own in enumerate(self._block_of(n_likes).tolist()):
            if goes_on[row]:
                of_likes[row] += past[row] * of_likes[row - 1]
                of_n_likes[row] += of_n_likes[row - 1]
                users[row] += past[row] * users[row - 1]
                n_users[row] += n_users[row - 1]
            else:
                of_likes[row] += past[row] * kept.likes[own, part.rows]
                of_n_likes[row] += kept.n_likes[own, part.rows]
                users[row] += past[row] * kept.users[own]
                n_users[row] += kept.n_users[own]
        return _Sums(of_likes, of_n_likes, users, n_users)

    def _largest_others(self, part: Part) -> NDArray[np.float64]:
        """The most weight and the most likes that a movie outside a part can have within each block, (2, blocks).

        The weight is that before the block, and all likes in the block as if they did not age.
        """
        others = part.others
        if not len(others):
            return np.zeros((2, len(self._kept.users)))
        key = part.rows.tobytes()
        found = self._largest.get(key)
        if found is None:
            rest = self._movie_idx[(len(self._kept.users) - 1) * self._block :]
            at_the_end = self._kept.n_likes[-1] + np.bincount(rest, minlength=self._n_movies)
            found = np.zeros((2, len(self._kept.users)))
            for block, end in enumerate([*self._kept.n_likes[1:], at_the_end]):
                more = (end - self._kept.n_likes[block])[others]
                found[:, block] = (self._kept.likes[block, others] + more).max(), end[others].max()
            if len(self._largest) >= _KEPT_PARTS:  # threads may work it out twice
                self._largest = {}
            self._largest[key] = found
        return found


def _summed(positions: NDArray[np.integer[Any]], values: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """The sum of the values at each of n positions, float64 (n,)."""
    return np.bincount(positions, values, n).astype(np.float64, copy=False)  # integers if there is nothing to sum


def _in_time(timestamp: NDArray[np.int64]) -> NDArray[np.int64]:
    """The order of ascending times. Likes of the same second are always taken together.

    The position is put below the time in one number. NumPy sorts numbers several times as fast as it sorts positions.
    """
    n = len(timestamp)
    bits = max(n - 1, 0).bit_length()
    first = int(timestamp.min(initial=0))
    if int(timestamp.max(initial=0)) - first >= 1 << (63 - bits):
        return np.argsort(timestamp)
    keys = timestamp - first  # and all else in place, for there may be very many
    keys <<= bits
    keys |= np.arange(n)
    keys.sort()
    keys &= (1 << bits) - 1
    return keys


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
