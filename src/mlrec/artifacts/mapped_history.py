"""Users' events, memory-mapped from a model folder and checked as they are read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlrec.errors import IncompatibleFormatError
from mlrec.ranking.histories import EVENT_ARRAYS, History
from mlrec.settings import SPLITS

REMEDY = "Train again, or use another model: mlrec models list"
"""What to do about a damaged model."""


def damaged_model(folder: Path, what: str) -> IncompatibleFormatError:
    """Return the error for a model folder with impossible content."""
    return IncompatibleFormatError(f"The model in {folder} is damaged: {what}.", REMEDY)


@dataclass(frozen=True)
class MappedHistory(History):
    """Events that have not been checked yet, because there are too many to check when a model is opened.

    Read them through a method of `History`. Each method checks what it returns and raises `IncompatibleFormatError` if
    it is impossible, so that a damaged file cannot become a wrong list.

    Attributes
    ----------
    folder
        The model folder.
    n_movies
        How many movies the model has.
    """

    folder: Path
    n_movies: int

    def of(self, user_idx: int) -> slice:
        """Return the positions of one user's events."""
        self.of_rows(user_idx, user_idx + 1)
        return super().of(user_idx)

    def checked(self) -> History:
        """Check all events and return them.

        Raises
        ------
        IncompatibleFormatError
            If they are impossible.
        """
        for name, fault in self._faults():
            raise damaged_model(self.folder, f"history_{name}.npy has {fault}")
        return History(self.indptr, **{name: getattr(self, name) for name in EVENT_ARRAYS})

    def _faults(self) -> Iterator[tuple[str, str]]:
        if not len(self.movie_idx):
            return
        if self.movie_idx.min() < -1 or self.movie_idx.max() >= self.n_movies:
            yield "movie_idx", "a movie that is not in the model"
        if self.preference.min() < -2 or self.preference.max() > 2 or not self.preference.all():
            yield "preference", "a preference other than −2, −1, +1 and +2"
        if self.split.min() < 0 or self.split.max() >= len(SPLITS):
            yield "split", "an event that belongs to no split"
        earlier_than_the_last = np.flatnonzero(self.timestamp[1:] < self.timestamp[:-1]) + 1
        if len(earlier_than_the_last) and not np.isin(earlier_than_the_last, self.indptr).all():
            yield "timestamp", "events that are not in time order"
