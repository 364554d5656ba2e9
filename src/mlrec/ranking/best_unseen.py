"""The best unseen movies of many users, without a score for every movie.

The movies that are likely to be listed are scored first, and others only as long as one of them might be. The lists are
exact: a part of the movies is enough for a user if the last of the list scores more than any other movie can.

A score that is an inner product is at most the product of both lengths (Cauchy-Schwarz). So movies are scored in the
order of the length of their vectors. Most vectors are short, since most movies have few likes: of 27,000 movies, about
a thousand are scored for a user. Scores with a second opinion or with popularity in them have a bound as well:
`mlrec.ranking.personal`, `mlrec.ranking.best_mixed`.

Source: Teflioudi, Gemulla and Mykytiuk, LEMP: Fast Retrieval of Large Entries in a Matrix Product, SIGMOD 2015.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from mlrec.ranking.histories import History, picked, renumbered, slices
from mlrec.ranking.top_n import top_n, top_n_rows

# Parts have so many movies of each order, and each further part so many times as many. Only these sizes occur, because
# what is derived from a part is kept.
_LEAST_MOVIES = 1024
_GROWTH = 4
# The first part has at least so many for each rank of the list.
_MOVIES_PER_RANK = 16
# And so many for each movie that a user has seen, because these are often among those with the longest vectors.
_MOVIES_PER_SEEN = 2
# Scores that one thread holds at once (16 MB of float32).
BLOCK_SCORES = 4_000_000


class Seen(NamedTuple):
    """What some users have seen; both arrays are (events,).

    Attributes
    ----------
    positions
        Positions of the users among those who are asked about, ascending.
    movie_idx
        Rows of movies that the model knows.
    """

    positions: NDArray[np.int64]
    movie_idx: NDArray[np.int32]

    @classmethod
    def of(cls, history: History, users: NDArray[np.int64]) -> Self:
        """Look it up for some user rows of a history, (users,)."""
        indptr, events = picked(history.indptr, users)
        movie_idx = history.movie_idx[events]
        has_row = movie_idx >= 0
        return cls(np.repeat(np.arange(len(users)), np.diff(indptr))[has_row], movie_idx[has_row])

    @classmethod
    def by_one(cls, movie_idx: NDArray[np.integer]) -> Self:
        """What a single user has seen, as rows of movies that the model knows."""
        return cls(np.zeros(len(movie_idx), dtype=np.int64), movie_idx.astype(np.int32))

    def only(self, users: NDArray[np.int64], n_users: int) -> Seen:
        """Keep some of the `n_users` users, by their positions, which ascend."""
        if len(users) == n_users:
            return self
        positions, kept = renumbered(self.positions, users, n_users)
        return Seen(positions, self.movie_idx[kept])

    def within(self, row: NDArray[np.int32]) -> Seen:
        """Give movies other rows, int32 (movies,); those with row −1 are left out."""
        movie_idx = row[self.movie_idx]
        has_row = movie_idx >= 0
        return Seen(self.positions[has_row], movie_idx[has_row])


class Lists(NamedTuple):
    """Ranked lists of some users; both arrays are (users, n).

    Attributes
    ----------
    rows
        Movie rows, best first, int64; −1 where a list has fewer candidates. Equal scores rank by row.
    scores
        Float32; −∞ where there is no movie.
    """

    rows: NDArray[np.int64]
    scores: NDArray[np.float32]

    @classmethod
    def nothing(cls, n_users: int, n: int) -> Self:
        """Lists without a movie."""
        return cls(np.full((n_users, n), -1, np.int64), np.full((n_users, n), -np.inf, np.float32))

    @classmethod
    def best(cls, scores: NDArray[np.float32], rows: NDArray[np.int64], n: int) -> Self:
        """Rank some movies for some users.

        Parameters
        ----------
        scores
            Float32 (users, movies), no NaN; −∞ where a movie must not be listed.
        rows
            The rows of these movies, ascending, (movies,).
        n
            Length of the lists.
        """
        if len(scores) == 1:  # a single list should be fast
            own = top_n(scores[0], n)
            if len(own) == n:
                return cls(rows[own][None], scores[:, own])
        found = cls.nothing(len(scores), n)
        ranked = top_n_rows(scores, n)
        best, width = np.take_along_axis(scores, np.maximum(ranked, 0), axis=1), ranked.shape[1]
        found.rows[:, :width] = np.where(ranked < 0, -1, rows[ranked])
        found.scores[:, :width] = np.where(ranked < 0, np.float32(-np.inf), best)
        return found


class Part(NamedTuple):
    """Some of the movies.

    Attributes
    ----------
    rows
        Their rows, ascending, int64 (movies of the part,).
    column
        The position of each movie among these, −1 for all others, int32 (movies,).
    """

    rows: NDArray[np.int64]
    column: NDArray[np.int32]

    @classmethod
    def of(cls, is_in_it: NDArray[np.bool_]) -> Part:
        """The movies that are marked, bool (movies,)."""
        rows = np.flatnonzero(is_in_it)
        column = np.full(len(is_in_it), -1, dtype=np.int32)
        column[rows] = np.arange(len(rows))
        return cls(rows, column)

    @property
    def others(self) -> NDArray[np.int64]:
        """Rows of all other movies."""
        return np.flatnonzero(self.column < 0)


ScoresOfPart = Callable[[Part, NDArray[np.int64]], tuple[NDArray[np.float32], NDArray[np.floating]]]
"""Takes a part, and the positions of some of the users, (users,).

Returns the users' scores of its movies, float32 (users, movies of the part), a new array; −∞ where a movie must not be
listed. And what no other movie's score exceeds, (users,): ∞ if that is not known. If there is no other movie, it does
not matter.
"""


class Parts:
    """Larger and larger parts of the movies that may be listed, up to all of them.

    Parameters
    ----------
    orders
        Orders of these movies as rows, best first, each int64 (listed movies,). A part has the first movies of each.
    n_movies
        Number of all movies.
    always
        Movies that every part has, as rows.
    """

    def __init__(
        self, orders: Sequence[NDArray[np.int64]], n_movies: int, always: NDArray[np.integer] | None = None
    ) -> None:
        self._orders, self._n_movies, self._always = orders, n_movies, always
        self._known: dict[int, Part] = {}

    def of_lists(self, n: int, n_seen: int = 0) -> Iterator[Part]:
        """The parts to rank one after another, for lists of n movies for users who have seen `n_seen` on average."""
        n_listed, size = len(self._orders[0]), _LEAST_MOVIES
        while size < min(max(_MOVIES_PER_RANK * n, _MOVIES_PER_SEEN * n_seen), n_listed):
            size *= _GROWTH
        while n and size < n_listed:
            part = self._part(size)
            if 2 * len(part.rows) >= n_listed:
                break
            yield part
            size *= _GROWTH
        if n and n_listed:
            yield self._part(n_listed)

    def _part(self, size: int) -> Part:
        if size not in self._known:  # two threads may make the same part; one of them is kept
            is_in_it = np.zeros(self._n_movies, dtype=bool)
            for order in self._orders:
                is_in_it[order[:size]] = True
            if self._always is not None:
                is_in_it[self._always] = True
            self._known.setdefault(size, Part.of(is_in_it))
        return self._known[size]


def lists_by_parts(parts: Iterable[Part], scores_of: ScoresOfPart, seen: Seen, n_users: int, n: int) -> Lists:
    """Rank for some users.

    Parameters
    ----------
    parts
        From `Parts.of_lists`.
    scores_of
        Scores the movies of a part.
    seen
        What the users have seen. None of it is listed.
    n_users
        Number of users.
    n
        Length of the lists.
    """
    found = Lists.nothing(n_users, n)
    left = np.arange(n_users)
    for part in parts:
        is_done = np.zeros(len(left), dtype=bool)
        for block in blocks(len(left), len(part.rows)):
            own = left[block]
            scores, most_of_others = scores_of(part, own)
            scores[seen.only(own, n_users).within(part.column)] = -np.inf
            found.rows[own], found.scores[own] = Lists.best(scores, part.rows, n)
            is_done[block] = found.scores[own, -1] > most_of_others
        left = left[~is_done]
        if not len(left):
            break
    return found


class Longest(NamedTuple):
    """Movies in the order of the length of their vectors, longest first; both arrays are (movies,).

    Attributes
    ----------
    rows
        Movie rows, int64.
    lengths
        Their lengths, float32.
    """

    rows: NDArray[np.int64]
    lengths: NDArray[np.float32]

    @classmethod
    def of(cls, movie_factors: NDArray[np.float32]) -> Self:
        """Order all movies, given float32 (movies, factors)."""
        lengths = np.linalg.norm(movie_factors, axis=1)
        rows = np.argsort(-lengths, kind="stable")
        return cls(rows, lengths[rows])

    def only(self, candidates: NDArray[np.bool_] | None) -> Longest:
        """Keep some of the movies, bool (movies,); None: all."""
        if candidates is None:
            return self
        kept = candidates[self.rows]
        return Longest(self.rows[kept], self.lengths[kept])

    def outside(self, part: Part) -> float:
        """The length of the longest vector outside a part; −1 if there is none."""
        is_outside = part.column[self.rows] < 0
        return float(self.lengths[np.argmax(is_outside)]) if is_outside.any() else -1.0


def blocks(n_users: int, n_movies: int) -> Iterator[slice]:
    """Divide users so that the scores of a block, (users, movies), take little memory."""
    return slices(n_users, max(1, BLOCK_SCORES // max(n_movies, 1)))
