"""The baselines that a model is compared with: which ones run, and how each is trained."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

from mlrec.artifacts.model_folder import Model
from mlrec.artifacts.prepared import Manifest
from mlrec.evaluation import listers
from mlrec.evaluation.jury import Jury
from mlrec.evaluation.listers import Known, Lister
from mlrec.model import baselines
from mlrec.model.learn import learn
from mlrec.model.matrix import signed_matrix
from mlrec.model.train import for_data
from mlrec.ranking.content import Content
from mlrec.ranking.fold_in import FoldIn
from mlrec.settings import BASELINES, BaselineName, EvaluateSettings, TrainSettings

QUICK_EVENTS = 2_000_000
"""With more training events than this, a baseline that must be trained takes minutes and runs on request only."""

_PRESETS: dict[BaselineName, Callable[[], TrainSettings]] = {
    "als-baseline": lambda: TrainSettings.preset("baseline"),
    "als-default": TrainSettings,
}


def chosen_baselines(
    model: Model, known: Known, settings: EvaluateSettings
) -> tuple[tuple[BaselineName, ...], dict[str, str]]:
    """Return the baselines to evaluate, and the reason for each that is skipped."""
    if settings.baselines is not None:
        return settings.baselines, {}
    skipped: dict[str, str] = {}
    n_events, n_movies = len(known.train.movie_idx), int(known.is_trained.sum())
    if n_events > QUICK_EVENTS:
        slow = f"takes minutes to train on {n_events:,} events"
        skipped = dict.fromkeys((name for name in BASELINES if name != "popularity"), slow)
    needed, available = baselines.ease_bytes(n_movies), _available_memory()
    if available is not None and needed > available / 2:
        skipped["ease"] = f"needs {needed / 2**30:.1f} GiB for {n_movies:,} movies"
    # A baseline with the model's own settings would be the same model again.
    own = replace(model.train_settings, threads=0, random_seed=0, on="train")
    same = {name for name, preset in _PRESETS.items() if own == replace(preset(), random_seed=0)}
    return tuple(name for name in BASELINES if name not in {*skipped, *same}), {
        name: reason for name, reason in skipped.items() if name not in same
    }


def _available_memory() -> int | None:
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return None


@dataclass(frozen=True)
class Contest:
    """Makes the listers of the baselines. Each is freed before the next one is trained.

    Attributes
    ----------
    jury
        The jury that they are evaluated by.
    manifest
        The manifest of the prepared data.
    """

    jury: Jury
    manifest: Manifest

    def lister(self, name: BaselineName) -> Lister:
        """Train a baseline on train. Raises `TrainingFailedError` if ALS finds no finite factors."""
        settings, threads = self.jury.settings, self.jury.judge.threads
        if name == "popularity":
            return self.jury.popularity()
        is_trained, known = self.jury.known.is_trained, self._core
        if name in _PRESETS:
            settings_of_its_own = for_data(_PRESETS[name](), self.manifest)
            return listers.over_all_movies(self._als(settings_of_its_own), is_trained)
        n_movies = len(known.popularity)
        train, likes = (baselines.likes_matrix(history, n_movies) for history in (known.train, known.history))
        with self.jury.progress.task(f"Training {name}"):
            if name == "cosine":
                weights = baselines.item_cosine(train, settings.cosine_neighbours, threads)
            else:
                weights = baselines.ease(train, settings.ease_regularization, threads)
        return listers.over_all_movies(listers.item_weights(known, likes, weights), is_trained)

    @cached_property
    def _core(self) -> Known:
        """What the models know that are trained on the core, as the evaluated model's movie factors are."""
        return self.jury.known.core()

    def _als(self, settings: TrainSettings) -> Lister:
        """Train ALS in memory on train. Users are folded in from their known history, as for the evaluated model."""
        known = self._core
        preferences = signed_matrix(known.train, len(known.popularity))
        content = Content([None] * len(known.popularity), known.genres)
        learned = learn(
            known.train,
            preferences,
            known.is_trained,
            content,
            settings,
            self.jury.judge.threads,
            progress=self.jury.progress,
        )
        half_life = settings.popularity_half_life
        known = replace(
            known,
            share=learned.share,
            half_life=half_life if math.isfinite(half_life) else None,
        )
        vectors, fold_in = learned.user_vectors, FoldIn(learned.movies.vectors, learned.settings.fold_in)
        if self.jury.settings.history_splits != ("train",):
            vectors = self.jury.folded_in(fold_in, known)
        return self.jury.lister(fold_in, vectors, learned.item_item, known)
