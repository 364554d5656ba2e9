"""The best unseen movies of many users, without a score for every movie.

A score is an inner product, so it is at most the product of both lengths (Cauchy-Schwarz). Movies are scored in the
order of the length of their vectors, until no other one can reach the last place of a list. The lists are exact. Most
vectors are short, since most movies have few likes: of 27,000 movies, about a thousand are scored for a user.

Source: Teflioudi, Gemulla and Mykytiuk, LEMP: Fast Retrieval of Large Entries in a Matrix Product, SIGMOD 2015.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from mlrec.ranking.histories import History, picked, renumbered, slices
from mlrec.ranking.scores import user_scores
from mlrec.ranking.top_n import top_n, top_n_rows

# The first part has at least so many movies, and so many for each rank of the list; each further part has more.
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


class _Part(NamedTuple):
    """The movies with the longest vectors, in the order of their rows."""

    rows: NDArray[np.int64]
    factors: NDArray[np.float32]
    column: NDArray[np.int32]  # of each movie row in this part, or −1
    longest_other: float  # length of the longest vector outside; −1 if there is none


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

    def times(self, factor: float) -> Longest:
        """The order if all vectors are multiplied by a number of at least 0."""
        return Longest(self.rows, self.lengths * np.float32(factor))


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
        self._factors = movie_factors
        self._rows, self._lengths = (longest or Longest.of(movie_factors)).only(candidates)
        # How far rounding may raise a score above the product of the lengths.
        self._rounding = 1 + 2 * movie_factors.shape[1] * float(np.finfo(np.float32).eps)
        self._known_parts: dict[int, _Part] = {}

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
            Scores that a movie must reach to be listed, float32 (users,). Lower ones may be listed or not. None: all
            are.
        """
        found = Lists.nothing(len(vectors), n)
        lengths = np.linalg.norm(vectors, axis=1)
        left = np.arange(len(vectors))
        if reached is not None and len(self._lengths):
            left = left[reached <= lengths * self._lengths[0] * self._rounding]
            if not len(left):
                return found
        for part in self._parts(n):
            for own in blocks(len(left), len(part.rows)):
                self._list(found, part, vectors, seen, left[own])
            last = found.scores[left, -1] if reached is None else np.maximum(found.scores[left, -1], reached[left])
            left = left[last <= lengths[left] * part.longest_other * self._rounding]
            if not len(left):
                break
        return found

    @staticmethod
    def _list(found: Lists, part: _Part, vectors: NDArray[np.float32], seen: Seen, users: NDArray[np.int64]) -> None:
        """Rank the movies of a part for some of the users, by their positions."""
        scores = user_scores(vectors if len(vectors) == 1 else vectors[users], part.factors)
        scores[seen.only(users, len(vectors)).within(part.column)] = -np.inf
        found.rows[users], found.scores[users] = Lists.best(scores, part.rows, found.rows.shape[1])

    def _parts(self, n: int) -> Iterator[_Part]:
        """Larger and larger parts, up to all candidates."""
        size = max(_LEAST_MOVIES, _MOVIES_PER_RANK * n)
        while n and 2 * size < len(self._rows):
            yield self._part(size)
            size *= _GROWTH
        if n and len(self._rows):
            yield self._part(len(self._rows))

    def _part(self, size: int) -> _Part:
        if size not in self._known_parts:  # two threads may make the same part; one of them is kept
            rows = np.sort(self._rows[:size])
            column = np.full(len(self._factors), -1, dtype=np.int32)
            column[rows] = np.arange(len(rows))
            factors = self._factors if len(rows) == len(self._factors) else self._factors[rows]
            longest_other = float(self._lengths[size]) if size < len(self._rows) else -1.0
            self._known_parts[size] = _Part(rows, factors, column, longest_other)
        return self._known_parts[size]


def blocks(n_users: int, n_movies: int) -> Iterator[slice]:
    """Divide users so that the scores of a block, (users, movies), take little memory."""
    return slices(n_users, max(1, BLOCK_SCORES // max(n_movies, 1)))
