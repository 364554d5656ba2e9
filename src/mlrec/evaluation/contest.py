"""The baselines that a model is compared with: which ones run, and how each is trained."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlrec.artifacts.model_folder import Model
from mlrec.artifacts.prepared import Manifest
from mlrec.evaluation import listers
from mlrec.evaluation.jury import Jury
from mlrec.evaluation.listers import Known, Lister
from mlrec.evaluation.memory import Memory
from mlrec.model import baselines
from mlrec.model.learn import Learned, learn
from mlrec.model.matrix import signed_matrix
from mlrec.model.train import for_data
from mlrec.ranking.content import Content
from mlrec.ranking.fold_in import FoldIn
from mlrec.ranking.scores import popularity_scores
from mlrec.settings import BASELINES, BaselineName, EvaluateSettings, ProtocolName, TrainSettings

_K = 10
QUICK_EVENTS = 2_000_000
"""With more training events than this, a baseline that must be trained takes minutes and runs on request only."""

_LIKES = 7.0, 3.0, 20.0, 60.0, math.inf
_DAYS = 365.0, 30.0, 100.0, 1_000.0, math.inf
_HALF_LIVES: Mapping[BaselineName, tuple[float, ...]] = {
    "recent": _DAYS,
    "cosine-recent": _LIKES,
    "ease-recent": _LIKES,
}
"""The half-lives that these may have, in days or in later events; the first is the usual one."""

# The user's last events count that much beside the vectors. Chosen once, on the demo data's validation split.
_SEQUENCE_WEIGHT = 0.3

_NO_ORDER = "needs the order of events"
# These look at what a user did last.
_ORDERED: tuple[BaselineName, ...] = ("cosine-recent", "ease-recent", "sequence")

_PRESETS: dict[BaselineName, Callable[[], TrainSettings]] = {
    "als-baseline": lambda: TrainSettings.preset("baseline"),
    "als-default": TrainSettings,
}


def chosen_baselines(
    model: Model, known: Known, manifest: Manifest, protocol: ProtocolName, settings: EvaluateSettings
) -> tuple[tuple[BaselineName, ...], dict[str, str]]:
    """Return the baselines to evaluate, and the reason for each that is skipped."""
    if settings.baselines is not None:
        return settings.baselines, {}
    skipped: dict[str, str] = {}
    if not manifest.reading.has_times:
        skipped["recent"] = "needs times"
    if protocol == "held-out-users" or manifest.reading.order == "random":
        skipped |= dict.fromkeys(_ORDERED, _NO_ORDER)
    n_events, n_movies = len(known.train.movie_idx), int(known.is_trained.sum())
    if n_events > QUICK_EVENTS:
        slow = f"takes minutes to train on {n_events:,} events"
        skipped |= dict.fromkeys((name for name in BASELINES if name not in {"popularity", *skipped}), slow)
    needed, available = baselines.ease_bytes(n_movies), _available_memory()
    if available is not None and needed > available / 2:
        too_large = f"needs {needed / 2**30:.1f} GiB for {n_movies:,} movies"
        skipped |= dict.fromkeys((name for name in ("ease", "ease-recent") if name not in skipped), too_large)
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


@dataclass(frozen=True, eq=False)
class Contest:
    """Makes the listers of the baselines.

    Attributes
    ----------
    jury
        The jury that they are evaluated by.
    manifest
        The manifest of the prepared data.
    validation
        Makes the jury by which those that look at dates choose their half-life, on the validation split. None: they
        take the usual one.
    fold_in, vectors
        The evaluated model's fold-in, and its vectors by user row, float32 (users, factors).
    memory
        Keeps what they learn, if it is small, for an evaluation on another split. Otherwise at most two of them are in
        memory at once.
    half_lives
        The half-lives that were chosen so far.
    """

    jury: Jury
    manifest: Manifest
    validation: Callable[[], Jury] | None
    fold_in: FoldIn
    vectors: NDArray[np.float32]
    memory: Memory = field(default_factory=Memory)
    half_lives: dict[str, float] = field(default_factory=dict)

    def lister(self, name: BaselineName) -> Lister:
        """Train a baseline on train. Raises `TrainingFailedError` if ALS finds no finite factors."""
        if name == "popularity":
            return self.jury.popularity()
        if name == "recent":
            return self._dated(name, lambda jury, half_life: jury.recent(half_life))
        if name in _PRESETS:
            als = self._als(for_data(_PRESETS[name](), self.manifest))
            return listers.over_all_movies(als, self.jury.known.is_trained)
        if name == "sequence":
            return self._sequence()
        kind = name.removesuffix("-recent")
        settings = self.jury.settings
        key = kind, settings.cosine_neighbours if kind == "cosine" else settings.ease_regularization
        of_half_life = partial(_by_item_weights, weights=self.memory.once(key, partial(self._item_weights, kind)))
        return of_half_life(self.jury, math.inf) if name == kind else self._dated(name, of_half_life)

    def _dated(self, name: BaselineName, of_half_life: Callable[[Jury, float], Lister]) -> Lister:
        """Choose the half-life on validation by NDCG@10, and return the lister."""

        def chosen() -> float:
            jury = self._choosing
            if jury is None or not len(jury.users):
                return _HALF_LIVES[name][0]
            figures = {
                half_life: float(jury.ndcg(of_half_life(jury, half_life), _K).mean()) for half_life in _HALF_LIVES[name]
            }
            return max(figures, key=figures.__getitem__)

        settings = self.jury.settings
        on_what = self.validation is None, settings.relevance, settings.relevance_within, settings.random_seed
        by_what = settings.ease_regularization, settings.cosine_neighbours
        self.half_lives[name] = self.memory.once(("half-life", name, on_what, by_what), chosen, is_small=True)
        return of_half_life(self.jury, self.half_lives[name])

    def _item_weights(self, kind: str) -> Any:
        settings, known = self.jury.settings, self.jury.known.core
        likes = baselines.likes_matrix(known.train, len(known.popularity))
        with self.jury.progress.task(f"Training {kind}"):
            if kind == "cosine":
                return baselines.item_cosine(likes, settings.cosine_neighbours)
            return baselines.ease(likes, settings.ease_regularization, self.jury.judge.threads)

    def _sequence(self) -> Lister:
        """What followed the user's last events in other histories, beside the evaluated model's vectors."""
        known, is_trained = self.jury.known.core, self.jury.known.is_trained
        n_movies = len(known.popularity)

        def learned() -> Any:
            with self.jury.progress.task("Training sequence"):
                return baselines.following(known.train, n_movies)

        follows = self.memory.once("sequence", learned)
        latest, factors = baselines.latest(known.history, n_movies), self.fold_in.movie_factors[is_trained]
        popular = popularity_scores(known.popularity)

        def scores(rows: NDArray[np.int64]) -> NDArray[np.float32]:
            own = latest[rows]
            found = np.asarray((own @ follows).toarray(), dtype=np.float32)
            found *= _SEQUENCE_WEIGHT / np.maximum(found.max(axis=1, keepdims=True), np.finfo(np.float32).tiny)
            found += self.vectors[rows] @ factors.T
            found[np.diff(own.indptr) == 0] = popular
            return found

        return listers.over_all_movies(listers.by_scores(scores, n_movies), is_trained)

    @cached_property
    def _choosing(self) -> Jury | None:
        """The jury on the validation split, which is read only if a half-life is to be chosen."""
        return None if self.validation is None else self.validation()

    def _als(self, settings: TrainSettings) -> Lister:
        """Train ALS in memory on train. Users are folded in from their known history, as for the evaluated model."""
        known = self.jury.known.core

        def fitted() -> Learned:
            preferences = signed_matrix(known.train, len(known.popularity))
            content = Content([None] * len(known.popularity), known.genres)
            threads, progress = self.jury.judge.threads, self.jury.progress
            return learn(known.train, preferences, known.is_trained, content, settings, threads, progress=progress)

        learned = self.memory.once(settings, fitted)
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


def _by_item_weights(jury: Jury, half_life: float, weights: Any) -> Lister:
    known = jury.known.core
    likes = baselines.likes_matrix(known.history, len(known.popularity), half_life)
    return listers.over_all_movies(listers.item_weights(known, likes, weights), jury.known.is_trained)
