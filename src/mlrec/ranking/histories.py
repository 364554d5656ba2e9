"""Users' events as arrays, one user after another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mlrec.settings import SPLITS, SplitName

EVENT_ARRAYS = ("movie_idx", "preference", "timestamp", "split")


@dataclass(frozen=True)
class History:
    """The model's events of all users: all splits, each user's events in time order.

    Attributes
    ----------
    indptr
        The events of user row i are indptr[i]:indptr[i + 1]; int64 (users + 1,).
    movie_idx
        Movie rows, int32 (events,). −1 is a movie that the model does not know; its event still makes earlier ones
        older.
    preference
        −2, −1, +1 or +2, int8 (events,).
    timestamp
        Epoch seconds, int64 (events,).
    split
        Position in `SPLITS`, int8 (events,).
    """

    indptr: NDArray[np.int64]
    movie_idx: NDArray[np.int32]
    preference: NDArray[np.int8]
    timestamp: NDArray[np.int64]
    split: NDArray[np.int8]

    def of(self, user_idx: int) -> slice:
        """Positions of one user's events."""
        return slice(int(self.indptr[user_idx]), int(self.indptr[user_idx + 1]))

    def of_rows(self, first: int, end: int) -> History:
        """The events of the users in a range of rows; the first of them becomes row 0."""
        indptr = self.indptr[first : end + 1]
        events = slice(int(indptr[0]), int(indptr[-1]))
        return self._picked(indptr - events.start, events).checked()

    def of_users(self, users: NDArray[np.int64]) -> History:
        """Keep some users, in their order."""
        return self._picked(*picked(self.indptr, users)).checked()

    def only(self, splits: tuple[SplitName, ...]) -> History:
        """Keep the events of some splits; user rows stay the same."""
        events = self.checked()
        if set(splits) == set(SPLITS):
            return events
        keep = np.array([name in splits for name in SPLITS])[events.split]
        return events._picked(bounds_of_kept(events.indptr, keep), keep)

    def on(self, movies: NDArray[np.bool_]) -> History:
        """Keep the events on some movies, bool (movies,); user and movie rows stay the same."""
        events = self.checked()
        if movies.all() and not (events.movie_idx < 0).any():
            return events
        keep = np.append(movies, False)[events.movie_idx]  # the last is row −1
        return events._picked(bounds_of_kept(events.indptr, keep), keep)

    def liked(self) -> History:
        """Keep the likes; user rows stay the same."""
        events = self.checked()
        keep = events.preference > 0
        return events._picked(bounds_of_kept(events.indptr, keep), keep)

    def checked(self) -> History:
        """All events, validated. Events made in memory need no check; a subclass may check what it reads."""
        return self

    def _picked(self, indptr: NDArray[np.int64], events: slice | NDArray[Any]) -> Self:
        return replace(self, indptr=indptr, **{name: getattr(self, name)[events] for name in EVENT_ARRAYS})


def renumbered(
    positions: NDArray[np.int64], users: NDArray[np.int64], n_users: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Give users' entries the positions that some of `n_users` users have among those, and say which entries stay.

    Parameters
    ----------
    positions
        The user of each entry, (entries,).
    users
        The users that stay, by their positions, (users,).
    n_users
        Number of users that the entries are of.
    """
    new = np.full(n_users, -1, dtype=np.int64)
    new[users] = np.arange(len(users))
    found = new[positions]
    return found[found >= 0], found >= 0


def bounds_of_kept(indptr: NDArray[np.integer[Any]], keep: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Bounds of users' entries once some of all entries are left out; `keep` is (entries,)."""
    return np.searchsorted(np.flatnonzero(keep), indptr)


def picked(indptr: NDArray[np.int64], users: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Bounds of some users' entries once they are joined, and the positions where those entries are now."""
    lengths = indptr[users + 1] - indptr[users]
    bounds = np.concatenate([[0], np.cumsum(lengths)])
    return bounds, np.arange(bounds[-1]) + np.repeat(indptr[users] - bounds[:-1], lengths)


def slices(n: int, size: int) -> Iterator[slice]:
    """Divide n positions into runs of a size; the last may be shorter."""
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))
