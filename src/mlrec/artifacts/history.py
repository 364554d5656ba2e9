"""What users did, as arrays: made in memory, or mapped from a model folder and looked at as it is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlrec.errors import IncompatibleFormatError
from mlrec.settings import SPLITS, SplitName

EVENT_ARRAYS = ("movie_idx", "preference", "timestamp", "split")
REMEDY = "Train again, or use another model."
"""What to do about a damaged model."""


def damaged_model(folder: Path, what: str) -> IncompatibleFormatError:
    """The error of a model folder in which something cannot be true."""
    return IncompatibleFormatError(f"The model in {folder} is damaged: {what}.", REMEDY)


@dataclass(frozen=True)
class Unchecked:
    """The folder that a history is mapped from, and its number of movies; nobody has looked at the events yet."""

    folder: Path
    n_movies: int


@dataclass(frozen=True)
class History:
    """What the model's data says that each user did: all splits, in time order.

    Events that are mapped from a model folder are too many to look at when it is opened. Whoever needs them takes them
    through a method. Each looks at what it hands out, and raises `IncompatibleFormatError` if that cannot be true: a
    damaged file must not become a wrong list.

    Attributes
    ----------
    indptr
        The events of user row i are indptr[i]:indptr[i + 1]; int64 (users + 1,).
    movie_idx
        Movie rows, int32 (events,); −1 for a movie that the model does not know, whose event still ages the others.
    preference
        −2, −1, +1 or +2, int8 (events,).
    timestamp
        Epoch seconds, int64 (events,).
    split
        Position in `SPLITS`, int8 (events,).
    unchecked
        Where the events come from, as long as nobody has looked at all of them.
    """

    indptr: NDArray[np.int64]
    movie_idx: NDArray[np.int32]
    preference: NDArray[np.int8]
    timestamp: NDArray[np.int64]
    split: NDArray[np.int8]
    unchecked: Unchecked | None = None

    def of(self, user_idx: int) -> slice:
        """Positions of one user's events."""
        if self.unchecked is not None:
            self.of_rows(user_idx, user_idx + 1)
        return slice(int(self.indptr[user_idx]), int(self.indptr[user_idx + 1]))

    def of_rows(self, first: int, end: int) -> History:
        """The events of the users of some adjacent rows; the first user has row 0."""
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
        return events._picked(np.searchsorted(np.flatnonzero(keep), events.indptr), keep)

    def checked(self) -> History:
        """All events, looked at.

        Raises
        ------
        IncompatibleFormatError
            If they cannot be true.
        """
        if self.unchecked is None:
            return self
        for name, fault in self._faults(self.unchecked.n_movies):
            raise damaged_model(self.unchecked.folder, f"history_{name}.npy has {fault}")
        return replace(self, unchecked=None)

    def _faults(self, n_movies: int) -> Iterator[tuple[str, str]]:
        if not len(self.movie_idx):
            return
        if self.movie_idx.min() < -1 or self.movie_idx.max() >= n_movies:
            yield "movie_idx", "a movie that the model does not have"
        if self.preference.min() < -2 or self.preference.max() > 2 or not self.preference.all():
            yield "preference", "a preference that is none of −2, −1, +1 and +2"
        if self.split.min() < 0 or self.split.max() >= len(SPLITS):
            yield "split", "an event of no split"
        earlier_than_the_last = np.flatnonzero(self.timestamp[1:] < self.timestamp[:-1]) + 1
        if not np.isin(earlier_than_the_last, self.indptr).all():
            yield "timestamp", "events that are not in the order of time"

    def _picked(self, indptr: NDArray[np.int64], events: slice | NDArray[Any]) -> History:
        columns = {name: getattr(self, name)[events] for name in EVENT_ARRAYS}
        return History(indptr, **columns, unchecked=self.unchecked)


def picked(indptr: NDArray[np.int64], users: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Bounds of some users' entries once they are put together, and where these entries lie now."""
    lengths = indptr[users + 1] - indptr[users]
    bounds = np.concatenate([[0], np.cumsum(lengths)])
    return bounds, np.arange(bounds[-1]) + np.repeat(indptr[users] - bounds[:-1], lengths)
