"""What baselines have learned, kept between evaluations of one model: on both splits, they learn from train."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from mlrec.artifacts.model_folder import Model

T = TypeVar("T")

# With more movies than this, weights between all of them are large enough to matter beside all else (64 MB each).
_MOST_MOVIES = 4_000
# With more events than this, so are the vectors of ALS.
_MOST_EVENTS = 2_000_000


class Memory:
    """Keeps what baselines have learned from the train split of a model, unless that is large.

    Large results are kept one at a time, because a baseline and its variants come one after another.
    """

    def __init__(self) -> None:
        self._model_id = ""
        self._is_small = False
        self._found: dict[Hashable, Any] = {}
        self._small: dict[Hashable, Any] = {}

    def turn_to(self, model: Model) -> None:
        """Forget what belongs to another model."""
        if model.model_id != self._model_id:
            self._found.clear()
            self._small.clear()
        self._model_id = model.model_id
        n_movies, n_events = int(model.is_trained.sum()), len(model.history.movie_idx)
        self._is_small = n_movies <= _MOST_MOVIES and n_events <= _MOST_EVENTS

    def once(self, key: Hashable, learn: Callable[[], T], *, is_small: bool = False) -> T:
        """Return what is kept under a key, or learn it and keep it.

        Parameters
        ----------
        key
            What is learned, and by which settings.
        learn
            Learns it.
        is_small
            Whether it is small whatever the model.
        """
        kept = self._small if is_small else self._found
        if key not in kept:
            if not (is_small or self._is_small):
                kept.clear()
            kept[key] = learn()
        found: T = kept[key]
        return found
