"""The best unseen movies of many users, without a score for every movie.

The movies that are likely to be listed are scored first, and others only as long as one of them might be. The lists are
exact: a part of the movies is enough for a user if the last of the list scores more than any other movie can.

A score that is an inner product is at most the product of both lengths (Cauchy-Schwarz). So movies are scored in the
order of the length of their vectors. Most vectors are short, since most movies have few likes: of 27,000 movies, about
a thousand are scored for a user. Scores with popularity in them have a bound as well: `mlrec.ranking.best_mixed`.

Source: Teflioudi, Gemulla and Mykytiuk, LEMP: Fast Retrieval of Large Entries in a Matrix Product, SIGMOD 2015.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from mlrec.ranking.histories import History, picked, renumbered, slices
from mlrec.ranking.scores import user_scores
from mlrec.ranking.top_n import top_n, top_n_rows

# The first part has at least so many movies of each order, and so many for each rank of the list; each further part has
# more.
_LEAST_MOVIES = 1024
_MOVIES_PER_RANK = 16
_GROWTH = 4
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
        """Keep some of the `n_users` users, by their positions, in that order."""
        if len(users) == n_users == 1:  # a single list should be fast
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

    def of_lists(self, n: int) -> Iterator[Part]:
        """The parts to rank one after another for lists of a length."""
        n_listed = len(self._orders[0])
        size = max(_LEAST_MOVIES, _MOVIES_PER_RANK * n)
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


def lists_by_parts(
    parts: Iterable[Part],
    scores_of: ScoresOfPart,
    seen: Seen,
    n_users: int,
    n: int,
    *,
    users: NDArray[np.int64] | None = None,
    reached: NDArray[np.float32] | None = None,
) -> Lists:
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
    users
        Positions of the users to list for; the lists of all others are empty. None: all.
    reached
        Scores that a movie must reach to be listed, float32 (users,). Lower ones may be listed or not. None: all are.
    """
    found = Lists.nothing(n_users, n)
    left = np.arange(n_users) if users is None else users
    for part in parts:
        is_done = np.zeros(len(left), dtype=bool)
        for block in blocks(len(left), len(part.rows)):
            own = left[block]
            scores, most_of_others = scores_of(part, own)
            scores[seen.only(own, n_users).within(part.column)] = -np.inf
            found.rows[own], found.scores[own] = Lists.best(scores, part.rows, n)
            last = found.scores[own, -1] if reached is None else np.maximum(found.scores[own, -1], reached[own])
            is_done[block] = last > most_of_others
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


class PartOfFactors(NamedTuple):
    """The vectors of a part, and how long others are.

    Attributes
    ----------
    factors
        Float32 (movies of the part, factors).
    longest_other
        Length of the longest vector outside; −1 if there is none.
    """

    factors: NDArray[np.float32]
    longest_other: float


class FactorsOfParts:
    """The vectors of each part that is asked for, picked once.

    Parameters
    ----------
    movie_factors
        Float32 (movies, factors).
    longest
        The movies that may be listed, by length.
    """

    def __init__(self, movie_factors: NDArray[np.float32], longest: Longest) -> None:
        self._factors, self._longest = movie_factors, longest
        self._known: dict[int, PartOfFactors] = {}

    def of(self, part: Part) -> PartOfFactors:
        """Those of a part, which its size tells from the others of a `Parts`."""
        size = len(part.rows)
        if size not in self._known:  # two threads may pick the same; one of them is kept
            own = self._factors if size == len(self._factors) else self._factors[part.rows]
            self._known.setdefault(size, PartOfFactors(own, self._longest.outside(part)))
        return self._known[size]


class BestUnseen:
    """Lists the best unseen movies of users whose scores are inner products.

    Parameters
    ----------
    movie_factors
        Float32 (movies, factors).
    candidates
        Which movies may be listed, bool (movies,); None: all.
    longest
        The movies by length, if that is known.
    """

    def __init__(
        self,
        movie_factors: NDArray[np.float32],
        candidates: NDArray[np.bool_] | None = None,
        longest: Longest | None = None,
    ) -> None:
        self._longest = (longest or Longest.of(movie_factors)).only(candidates)
        # How far rounding may raise a score above the product of the lengths.
        self._rounding = 1 + 2 * movie_factors.shape[1] * float(np.finfo(np.float32).eps)
        self._parts = Parts([self._longest.rows], len(movie_factors))
        self._of_parts = FactorsOfParts(movie_factors, self._longest)

    def lists(
        self, vectors: NDArray[np.float32], seen: Seen, n: int, reached: NDArray[np.float32] | None = None
    ) -> Lists:
        """Rank for some users.

        Parameters
        ----------
        vectors
            Float32 (users, factors).
        seen
            What these users have seen. None of it is listed.
        n
            Length of the lists.
        reached
            As in `lists_by_parts`.
        """
        lengths, users = np.linalg.norm(vectors, axis=1), None
        if reached is not None and len(self._longest.lengths):
            users = np.flatnonzero(reached <= lengths * self._longest.lengths[0] * self._rounding)
            if not len(users):
                return Lists.nothing(len(vectors), n)

        def scores(part: Part, own: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.floating]]:
            of_part = self._of_parts.of(part)
            found = user_scores(vectors if len(vectors) == 1 else vectors[own], of_part.factors)
            return found, lengths[own] * of_part.longest_other * self._rounding

        return lists_by_parts(self._parts.of_lists(n), scores, seen, len(vectors), n, users=users, reached=reached)


def blocks(n_users: int, n_movies: int) -> Iterator[slice]:
    """Divide users so that the scores of a block, (users, movies), take little memory."""
    return slices(n_users, max(1, BLOCK_SCORES // max(n_movies, 1)))
