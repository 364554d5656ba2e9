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
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlrec.ranking.diversity import maximal_marginal_relevance
from mlrec.ranking.histories import History

# As many cards as a new user may see before the first like; after these, plain popularity ranks.
_SPREAD_OVER = 300
_SECONDS_PER_DAY = 86_400
# Sums of weights are kept at this many moments, so that those at any other need only the likes in between.
_MOMENTS = 256
_USERS_WITHOUT_DATES = 5.0
_FEWEST_LIKES = 1024


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
    weight = _weights(timestamp, int(timestamp.max()), half_life)
    ends = np.searchsorted(likes, history.indptr)
    last = ends[1:][ends[:-1] < ends[1:]] - 1  # each user's
    dated = np.bincount(movie_idx, weight, n_movies).astype(np.float64)
    return _Sums(dated, float(weight[last].sum()), counts, len(last)).share


class _Sums(NamedTuple):
    """Weights of the likes of each movie, (movies,), and of the users; and their numbers."""

    likes: NDArray[np.floating[Any]]
    users: float
    n_likes: NDArray[np.integer[Any] | np.floating[Any]]
    n_users: int

    def in_single(self) -> _Sums:
        """The same in half the memory."""
        return self._replace(likes=self.likes.astype(np.float32), n_likes=self.n_likes.astype(np.int32))

    @property
    def share(self) -> NDArray[np.float32]:
        """The share of users who liked each movie, by date; see the docstring of this module."""
        mixed = self.n_likes / max(self.n_users, 1)  # without dates; and all else in place, for evaluation asks often
        mixed *= _USERS_WITHOUT_DATES
        mixed += self.likes
        mixed /= self.users + _USERS_WITHOUT_DATES
        return mixed.astype(np.float32)


def _weights(timestamp: NDArray[np.int64], moment: int, half_life: float) -> NDArray[np.float64]:
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
        nothing = _Sums(np.zeros(n_movies, np.float32), 0.0, np.zeros(n_movies, np.int32), 0)
        self._kept = [nothing]
        for start in range(0, len(order) - self._block + 1, self._block):
            self._kept.append(self._after(self._kept[-1], start, start + self._block).in_single())

    def n_before(self, moment: int) -> int:
        """Return the number of likes before a moment, in epoch seconds. Moments of the same number are alike."""
        return int(np.searchsorted(self._timestamp, moment))

    def walk(self) -> Callable[[int], NDArray[np.float32]]:
        """Return a function that says the shares after the first likes, given their number.

        The shares are float32 (movies,), 0 to 1; zeros before the first like. The function goes on from the number
        before, so it is fast for ascending ones.
        """
        there, sums = 0, self._kept[0]

        def at(n_likes: int) -> NDArray[np.float32]:
            nonlocal there, sums
            block = min(n_likes // self._block, len(self._kept) - 1)
            if not block * self._block <= there <= n_likes:
                there, sums = block * self._block, self._kept[block]
            there, sums = n_likes, self._after(sums, there, n_likes)
            return sums.share

        return at

    def _after(self, sums: _Sums, start: int, end: int) -> _Sums:
        """The sums after the like `end − 1`, from those after `start − 1`."""
        if start == end:
            return sums
        own = slice(start, end)
        now = int(self._timestamp[end - 1])
        weight = _weights(self._timestamp[own], now, self._half_life)
        # A user's earlier like no longer counts for the user, but still for its movie.
        former = _weights(self._former[own][self._has_former[own]], now, self._half_life)
        past = float(_weights(self._timestamp[start - 1 : start], now, self._half_life)[0]) if start else 0.0
        movies = self._movie_idx[own]
        likes, n_likes = np.multiply(sums.likes, past, dtype=np.float64), sums.n_likes.astype(np.float64)
        if len(movies) < self._n_movies:
            np.add.at(likes, movies, weight)
            np.add.at(n_likes, movies, 1.0)
        else:
            likes += np.bincount(movies, weight, self._n_movies)
            n_likes += np.bincount(movies, minlength=self._n_movies)
        n_users = sums.n_users + len(weight) - len(former)
        return _Sums(likes, sums.users * past + float(weight.sum() - former.sum()), n_likes, n_users)


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
