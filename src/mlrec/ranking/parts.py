"""Rank the movies that are likely to be listed, and others only as long as one of them might be.

The lists are exact: a part of the movies is enough for a user if the last of the list scores more than any other movie
can. `mlrec.ranking.best_unseen` does this for scores that are inner products; here, the scores may be anything that
has a bound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlrec.ranking.best_unseen import Lists, Seen, blocks

# As in `best_unseen`: the first part has at least so many movies of each order, and so many for each rank of the list;
# each further part has more.
_LEAST_MOVIES = 1024
_MOVIES_PER_RANK = 16
_GROWTH = 4


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
listed. And what no other movie's score exceeds, (users,): −∞ if there is none, and ∞ if that is not known.
"""


class Parts:
    """Larger and larger parts of the movies, up to all of them.

    Parameters
    ----------
    orders
        Orders of all movies, best first, each int64 (movies,). A part has the first movies of each.
    always
        Movies that every part has, as rows.
    """

    def __init__(self, orders: Sequence[NDArray[np.int64]], always: NDArray[np.integer] | None = None) -> None:
        self._orders, self._always = orders, always
        self._known: dict[int, Part] = {}

    def of_lists(self, n: int) -> Iterator[Part]:
        """The parts to rank one after another for lists of a length."""
        n_movies = len(self._orders[0])
        size = max(_LEAST_MOVIES, _MOVIES_PER_RANK * n)
        while n and size < n_movies:
            part = self._part(size)
            if 2 * len(part.rows) >= n_movies:
                break
            yield part
            size *= _GROWTH
        if n and n_movies:
            yield self._part(n_movies)

    def _part(self, size: int) -> Part:
        if size not in self._known:  # two threads may make the same part; one of them is kept
            is_in_it = np.zeros(len(self._orders[0]), dtype=bool)
            for order in self._orders:
                is_in_it[order[:size]] = True
            if self._always is not None:
                is_in_it[self._always] = True
            self._known.setdefault(size, Part.of(is_in_it))
        return self._known[size]


def lists_by_parts(parts: Iterable[Part], scores_of: ScoresOfPart, n_users: int, seen: Seen, n: int) -> Lists:
    """Rank for some users.

    Parameters
    ----------
    parts
        From `Parts.of_lists`.
    scores_of
        Scores the movies of a part.
    n_users
        Number of users.
    seen
        What these users have seen. None of it is listed.
    n
        Length of the lists.
    """
    found = Lists.nothing(n_users, n)
    left = np.arange(n_users)
    for part in parts:
        is_done = np.zeros(len(left), dtype=bool)
        for block in blocks(len(left), len(part.rows)):
            users = left[block]
            scores, most_of_others = scores_of(part, users)
            scores[seen.only(users, n_users).within(part.column)] = -np.inf
            found.rows[users], found.scores[users] = Lists.best(scores, part.rows, n)
            is_done[block] = found.scores[users, -1] > most_of_others
        left = left[~is_done]
        if not len(left):
            break
    return found
