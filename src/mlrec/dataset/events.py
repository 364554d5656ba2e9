"""Events of prepared data, and how the splits and the events outside the core become one order: by user and time.

Each file is in that order already. So nothing is sorted: a byte for each event says which file it comes from, and the
columns of each file are poured into the places that are its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlrec.ids import IdArray, kind_of
from mlrec.ranking.runs import run_starts

Part = Mapping[str, NDArray[Any]]
"""The columns of a file: user_id, movie_id, preference and timestamp; outside the core also position and split."""

_OUTSIDE = -1


class OfUsersAndMovies:
    """The public ids of events that hold positions of their users and movies."""

    user: NDArray[np.int32]
    movie: NDArray[np.int32]
    user_ids: IdArray
    movie_ids: IdArray

    @property
    def user_id(self) -> IdArray:
        """The public id of each event's user, (events,)."""
        return self.user_ids[self.user]

    @property
    def movie_id(self) -> IdArray:
        """The public id of each event's movie, (events,)."""
        return self.movie_ids[self.movie]


@dataclass(frozen=True)
class Events(OfUsersAndMovies):
    """The events of the users of the core, ordered by user, time and movie; all arrays but the ids are (events,).

    Attributes
    ----------
    user, movie
        Positions in `user_ids` and `movie_ids`, int32.
    preference
        −2, −1, +1 or +2, int8.
    timestamp
        Epoch seconds, int64.
    split
        Position in `SPLITS`, int8.
    in_core
        Whether the event is in the core, bool. The movies of the others were dropped by the core filter.
    user_ids, movie_ids
        Public ids, ascending; see `mlrec.ids`. Some may have no event.
    """

    user: NDArray[np.int32]
    movie: NDArray[np.int32]
    preference: NDArray[np.int8]
    timestamp: NDArray[np.int64]
    split: NDArray[np.int8]
    in_core: NDArray[np.bool_]
    user_ids: IdArray
    movie_ids: IdArray

    @classmethod
    def of(
        cls,
        user_id: IdArray,
        movie_id: IdArray,
        preference: NDArray[np.int8],
        timestamp: NDArray[np.int64],
        split: NDArray[np.int8],
    ) -> Events:
        """Make events in the core from the public ids of each; all arrays are (events,)."""
        user_ids, (user,) = numbered([user_id])
        movie_ids, (movie,) = numbered([movie_id])
        return cls(user, movie, preference, timestamp, split, np.ones(len(user), dtype=bool), user_ids, movie_ids)

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.user)

    def only(self, keep: NDArray[np.bool_] | NDArray[np.int64]) -> Events:
        """Keep some events: bool (events,), or their positions in the order that they get."""
        return replace(self, **{name: getattr(self, name)[keep] for name in _COLUMNS})

    @property
    def are_in_time_order(self) -> bool:
        """Whether each user's events are in time order."""
        is_same_user = self.user[1:] == self.user[:-1]
        return not ((self.timestamp[1:] < self.timestamp[:-1]) & is_same_user).any()

    def by_time(self) -> Events:
        """Put each user's events in time order, where those in the core are already.

        An event outside the core comes after those of the same time in it.
        """
        # The events of all other users are in order already.
        has_outside = np.zeros(len(self.user_ids), dtype=bool)
        has_outside[self.user[~self.in_core]] = True
        own = np.flatnonzero(has_outside[self.user])
        order = np.arange(len(self))
        order[own] = own[np.lexsort((~self.in_core[own], self.timestamp[own], self.user[own]))]
        return self.only(order)


_COLUMNS = ("user", "movie", "preference", "timestamp", "split", "in_core")


def joined(splits: Mapping[int, Part], outside: Part | None = None) -> Events:
    """Join files whose users ascend.

    Parameters
    ----------
    splits
        Each split by its number in `SPLITS`, in their order in time: of each user, the events of the first come first.
    outside
        Events outside the core, each with its position among the user's events in the core. One whose user has fewer
        events comes last.
    """
    parts = dict(splits)
    user_ids, counts = _counted([part["user_id"] for part in [*splits.values(), *filter(None, [outside])]])
    n_in_core = counts[:, : len(splits)]
    source = np.repeat(np.tile(np.array(list(splits), dtype=np.int8), len(user_ids)), n_in_core.ravel())
    if outside is not None:
        order, places = _places(outside, user_ids, n_in_core.sum(axis=1))
        parts[_OUTSIDE] = outside if order is None else {name: values[order] for name, values in outside.items()}
        source = np.insert(source, places, np.int8(_OUTSIDE))
    movie_ids, movies = numbered([part["movie_id"] for part in parts.values()])
    n = len(source)
    movie, preference, timestamp = np.empty(n, np.int32), np.empty(n, np.int8), np.empty(n, np.int64)
    split = source.copy()
    for (number, part), own_movies in zip(parts.items(), movies, strict=True):
        own = source == number
        movie[own], preference[own], timestamp[own] = own_movies, part["preference"], part["timestamp"]
        if number == _OUTSIDE:
            split[own] = part["split"]
    user = np.repeat(np.arange(len(user_ids), dtype=np.int32), counts.sum(axis=1))
    return Events(user, movie, preference, timestamp, split, source != _OUTSIDE, user_ids, movie_ids)


def _counted(users: Sequence[NDArray[np.int64]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The distinct users of some files, ascending, and how many events of each are in each file, (users, files)."""
    starts = [run_starts(own) for own in users]
    present = [own[start] for own, start in zip(users, starts, strict=True)]
    every = np.sort(np.concatenate(present), kind="stable")
    user_ids = every[run_starts(every)]
    counts = np.zeros((len(user_ids), len(users)), dtype=np.int64)
    for number, (own, start) in enumerate(zip(users, starts, strict=True)):
        counts[np.searchsorted(user_ids, present[number]), number] = np.diff(start, append=len(own))
    return user_ids, counts


def _places(
    outside: Part, user_ids: NDArray[np.int64], n_in_core: NDArray[np.int64]
) -> tuple[NDArray[np.int64] | None, NDArray[np.int64]]:
    """The order of the events outside the core (None: as they are), and before which event of the core each comes."""
    user = np.searchsorted(user_ids, outside["user_id"])
    places = (np.cumsum(n_in_core) - n_in_core)[user] + np.minimum(outside["position"], n_in_core[user])
    if (places[1:] >= places[:-1]).all():
        return None, places
    order = np.argsort(places, kind="stable")  # several users may share a place: their order stays
    return order, places[order]


def numbered(ids: Sequence[IdArray]) -> tuple[IdArray, list[NDArray[np.int32]]]:
    """The distinct ids of some arrays, ascending, and the position of each given id among them.

    Like `np.unique` with `return_inverse`, but with a table instead of a sort if the ids are dense enough.
    """
    n = sum(map(len, ids))
    if n and all(kind_of(own) == "integer" for own in ids):
        lowest = min(int(own.min()) for own in ids if len(own))
        highest = max(int(own.max()) for own in ids if len(own))
        if highest - lowest <= 4 * n + 1_000_000:
            is_present = np.zeros(highest - lowest + 1, dtype=bool)
            for own in ids:
                is_present[own - lowest] = True
            positions = (np.cumsum(is_present) - 1).astype(np.int32)
            return np.flatnonzero(is_present) + lowest, [positions[own - lowest] for own in ids]
    values, inverse = np.unique(np.concatenate(ids), return_inverse=True)
    return values, np.split(inverse.astype(np.int32), np.cumsum([len(own) for own in ids])[:-1])
