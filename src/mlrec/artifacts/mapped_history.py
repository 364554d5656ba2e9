"""Users' events that are mapped from a model folder, and checked as they are read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlrec.errors import IncompatibleFormatError
from mlrec.ranking.histories import EVENT_ARRAYS, History
from mlrec.settings import SPLITS

REMEDY = "Train again, or use another model."
"""What to do about a damaged model."""


def damaged_model(folder: Path, what: str) -> IncompatibleFormatError:
    """The error of a model folder in which something cannot be true."""
    return IncompatibleFormatError(f"The model in {folder} is damaged: {what}.", REMEDY)


@dataclass(frozen=True)
class MappedHistory(History):
    """Events that nobody has looked at yet: they are too many to be looked at when a model is opened.

    Whoever needs them takes them through a method of `History`. Each looks at what it hands out, and raises
    `IncompatibleFormatError` if that cannot be true: a damaged file must not become a wrong list.

    Attributes
    ----------
    folder
        The model folder.
    n_movies
        Movies of the model.
    """

    folder: Path
    n_movies: int

    def of(self, user_idx: int) -> slice:
        """Positions of one user's events."""
        self.of_rows(user_idx, user_idx + 1)
        return super().of(user_idx)

    def checked(self) -> History:
        """All events, looked at.

        Raises
        ------
        IncompatibleFormatError
            If they cannot be true.
        """
        for name, fault in self._faults():
            raise damaged_model(self.folder, f"history_{name}.npy has {fault}")
        return History(self.indptr, **{name: getattr(self, name) for name in EVENT_ARRAYS})

    def _faults(self) -> Iterator[tuple[str, str]]:
        if not len(self.movie_idx):
            return
        if self.movie_idx.min() < -1 or self.movie_idx.max() >= self.n_movies:
            yield "movie_idx", "a movie that the model does not have"
        if self.preference.min() < -2 or self.preference.max() > 2 or not self.preference.all():
            yield "preference", "a preference that is none of −2, −1, +1 and +2"
        if self.split.min() < 0 or self.split.max() >= len(SPLITS):
            yield "split", "an event of no split"
        earlier_than_the_last = np.flatnonzero(self.timestamp[1:] < self.timestamp[:-1]) + 1
        if not np.isin(earlier_than_the_last, self.indptr).all():
            yield "timestamp", "events that are not in the order of time"
