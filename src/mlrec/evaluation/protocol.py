"""Judging a published model beside baselines, on the same split, history and masks."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from mlrec.artifacts import models
from mlrec.artifacts.models import History, Model
from mlrec.dataset.reading import HeldOut, read_held_out
from mlrec.errors import DataChangedError, EmptyResultError, StateError, TrainingFailedError
from mlrec.evaluation import scorers
from mlrec.evaluation.bootstrap import Bootstrap, difference, estimate, ratio
from mlrec.evaluation.estimates import Differences, Estimate, Figures, plain
from mlrec.evaluation.judging import Answers, Judge, Judged, rows_only
from mlrec.evaluation.metrics import METRICS, PUBLISHED_METRICS
from mlrec.evaluation.scorers import Known, Scorer
from mlrec.model import baselines
from mlrec.model.learn import learn
from mlrec.model.matrix import signed_matrix
from mlrec.progress import SILENT, Progress
from mlrec.ranking.fold_in import FoldIn
from mlrec.settings import (
    BASELINES,
    BaselineName,
    EvaluateSettings,
    FoldInSettings,
    ServeSettings,
    TrainSettings,
    available_threads,
)
from mlrec.workspace import Workspace

MODEL = "als"
"""Name of the judged model among the figures."""

# Above so many training events, a baseline that has to learn takes minutes, and runs on request only.
_QUICK_EVENTS = 2_000_000


@dataclass(frozen=True)
class Evaluation:
    """Figures of one model, beside the baselines, on one held-out part.

    Attributes
    ----------
    model_id
        The model that was judged.
    split, history, relevance
        What was looked for, what was known ("train" or "train+val"), and what counts as an answer.
    users
        Users that the figures run over: those with at least one relevant held-out movie, or a sample of them.
    users_left_out
        Users without a relevant held-out movie.
    users_without_taste
        Those of `users` of whose taste nothing is known; they get popular movies, here as in serving.
    sample
        How many users were drawn; None if all were judged.
    ks
        List lengths.
    models
        Name → metric ("ndcg@10") → estimate; "als" is the model, the others are baselines.
    differences
        "als - popularity" and so on → metric → paired difference.
    skipped
        Baselines that were not judged → why.
    """

    model_id: str
    split: str
    history: str
    relevance: str
    users: int
    users_left_out: int
    users_without_taste: int
    sample: int | None
    ks: tuple[int, ...]
    models: Figures
    differences: Differences
    skipped: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """Return what `mlrec evaluate --json` prints."""
        return {
            **vars(self),
            "ks": list(self.ks),
            "models": plain(self.models),
            "differences": plain(self.differences),
        }


def evaluate(
    workspace: Workspace,
    settings: EvaluateSettings | None = None,
    *,
    model_id: str | None = None,
    progress: Progress = SILENT,
) -> Evaluation:
    """Judge a model on a held-out part, and keep the result in its folder unless it is of a sample.

    Parameters
    ----------
    workspace
        The data directory.
    settings
        Defaults to `EvaluateSettings()`.
    model_id
        By default the published model.
    progress
        Told of the baselines that learn, and of the users that are done.

    Raises
    ------
    ModelMissingError
        If there is no such model.
    DataChangedError
        If the prepared data is not what the model was trained on.
    StateError
        If the model was trained on the answers.
    EmptyResultError
        If no user has a relevant held-out movie.
    """
    settings = settings or EvaluateSettings()
    files = models.resolve(workspace, model_id)
    model = models.open_model(files)
    if settings.split in model.info["trained_on"]:
        raise StateError(
            f"Model {model.model_id} was trained on the {settings.split} part, so it knows the answers.",
            "Evaluate a model trained with '--on train'.",
        )
    held_out = read_held_out(workspace, settings.split)
    if held_out.manifest["fingerprint"] != model.info["prepared_fingerprint"]:
        raise DataChangedError(
            f"The prepared data has changed since model {model.model_id} was trained.",
            "Train again, or prepare the data that it was trained on.",
        )
    with threadpool_limits(1, user_api="blas"):
        result = _judge(model, held_out, settings, progress)
    if result.sample is None:
        models.add_metrics(files, result.split, result.history, result.relevance, result.to_json())
    return result


def _judge(model: Model, held_out: HeldOut, settings: EvaluateSettings, progress: Progress) -> Evaluation:
    answers = Answers.of(model, held_out, settings.relevance)
    if not len(answers.users):
        raise EmptyResultError(
            f"No user has a relevant movie in the {settings.split} part.",
            "Evaluate the other part, with --relevance any, or prepare with other thresholds.",
        )
    judged = answers.sampled(settings.sample, settings.random_seed)
    threads = settings.threads or available_threads()
    known = Known(
        train=model.history.only(("train",)),
        history=model.history.only(settings.history_splits),
        popularity=np.asarray(model.popularity),
        genres=model.catalogue.genres,
    )
    vectors = _user_vectors(model, known.history, judged.users, settings, threads, progress)
    contest = _Contest(known, judged.users, settings, threads, progress, ServeSettings())
    chosen, skipped = _chosen(model, known, settings)
    judge = Judge(
        answers=judged,
        known=known,
        metrics={**METRICS, **PUBLISHED_METRICS} if settings.published_ndcg else METRICS,
        ks=settings.ks,
        threads=threads,
    )
    found: dict[str, Judged] = {}

    def judge_model(name: str, scorer: Scorer) -> None:
        with progress.task(f"Evaluating {name}", len(judged.users), "users") as task:
            found[name] = judge.judge(scorer, task.advance)

    judge_model(MODEL, scorers.factors(known, model.movie_factors, model.fold_in, vectors, contest.serve))
    for name in chosen:
        try:
            judge_model(name, contest.scorer(name))
        except TrainingFailedError as error:
            skipped[name] = f"cannot be trained ({error.message})"
    figures, differences = summarized(found, settings, MODEL)
    return Evaluation(
        model_id=model.model_id,
        split=settings.split,
        history="+".join(settings.history_splits),
        relevance=settings.relevance,
        users=len(judged.users),
        users_left_out=answers.users_left_out,
        users_without_taste=int(np.count_nonzero(~vectors[judged.users].any(axis=1))),
        sample=None if judged is answers else settings.sample,
        ks=settings.ks,
        models=figures,
        differences=differences,
        skipped=skipped,
    )


def _chosen(model: Model, known: Known, settings: EvaluateSettings) -> tuple[tuple[BaselineName, ...], dict[str, str]]:
    """The baselines that are judged, and why others are not."""
    if settings.baselines is not None:
        return settings.baselines, {}
    skipped: dict[str, str] = {}
    n_events, n_movies = len(known.train.movie_idx), len(known.popularity)
    if n_events > _QUICK_EVENTS:
        slow = f"learns for minutes from {n_events:,} events"
        skipped = dict.fromkeys((name for name in BASELINES if name != "popularity"), slow)
    needed, available = baselines.ease_bytes(n_movies), _available_memory()
    if available is not None and needed > available / 2:
        skipped["ease"] = f"needs {needed / 2**30:.1f} GiB for {n_movies:,} movies"
    # The model itself, trained again, would say nothing.
    own = replace(model.train_settings, threads=0, random_seed=0, on="train")
    same = {name for name, preset in _PRESETS.items() if own == replace(preset(), random_seed=0)}
    return tuple(name for name in BASELINES if name not in {*skipped, *same}), {
        name: reason for name, reason in skipped.items() if name not in same
    }


_PRESETS: dict[BaselineName, Callable[[], TrainSettings]] = {
    "als-baseline": lambda: TrainSettings.preset("baseline"),
    "als-default": TrainSettings,
}


def _available_memory() -> int | None:
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return None


@dataclass(frozen=True)
class _Contest:
    """Makes the scorers of the baselines; what one has learned is gone before the next one learns."""

    known: Known
    users: NDArray[np.int64]
    settings: EvaluateSettings
    threads: int
    progress: Progress
    serve: ServeSettings

    def scorer(self, name: BaselineName) -> Scorer:
        """Let a baseline learn from train. Raises `TrainingFailedError` if ALS finds no finite factors."""
        if name == "popularity":
            return scorers.popularity(self.known)
        if name in _PRESETS:
            return self._als(_PRESETS[name]())
        n_movies = len(self.known.popularity)
        train, likes = (baselines.likes_matrix(history, n_movies) for history in (self.known.train, self.known.history))
        with self.progress.task(f"Learning {name}"):
            if name == "cosine":
                weights = baselines.item_cosine(train, self.settings.cosine_neighbours, self.threads)
            else:
                weights = baselines.ease(train, self.settings.ease_regularization, self.threads)
        return scorers.item_weights(likes, weights)

    def _als(self, settings: TrainSettings) -> Scorer:
        """ALS, trained in memory on train; users are folded in from what is known, as the judged model's are."""
        preferences = signed_matrix(self.known.train, len(self.known.popularity))
        learned = learn(self.known.train, preferences, settings, self.threads, progress=self.progress)
        vectors, rule = learned.user_vectors, learned.settings.fold_in
        if self.settings.history_splits != ("train",):
            vectors = folded_in(
                learned.movie_factors, rule, self.known.history, self.users, self.threads, self.progress
            )
        return scorers.factors(self.known, learned.movie_factors, rule, vectors, self.serve)


def _user_vectors(
    model: Model,
    history: History,
    users: NDArray[np.int64],
    settings: EvaluateSettings,
    threads: int,
    progress: Progress,
) -> NDArray[np.float32]:
    """Vectors by user row: the saved ones if they know just this history, else folded in for the judged users."""
    exact = model.info["settings"]["user_vectors"] == "fold-in"
    if settings.history_splits == tuple(model.info["trained_on"]) and (exact or settings.split == "val"):
        return np.asarray(model.user_vectors)
    return folded_in(np.asarray(model.movie_factors), model.fold_in, history, users, threads, progress)


def folded_in(
    movie_factors: NDArray[np.float32],
    rule: FoldInSettings,
    history: History,
    users: NDArray[np.int64],
    threads: int,
    progress: Progress,
) -> NDArray[np.float32]:
    """Vectors by user row; zeros for all users but the judged ones."""
    judged = rows_only(history, users)
    vectors = np.zeros((len(history.indptr) - 1, movie_factors.shape[1]), dtype=np.float32)
    with progress.task("Folding in users", len(users), "users") as task:
        vectors[users] = FoldIn(movie_factors, rule).user_vectors(
            judged.indptr, judged.movie_idx, judged.preference, threads=threads, advance=task.advance
        )
    return vectors


def summarized(found: dict[str, Judged], settings: EvaluateSettings, first: str) -> tuple[Figures, Differences]:
    """Figures with intervals, and the paired differences of the first model to the others."""
    bootstrap = Bootstrap(found[first].n_users, settings.resamples, settings.random_seed)
    figures: Figures = {name: {} for name in found}
    differences: Differences = {f"{first} - {name}": {} for name in found if name != first}
    for metric in found[first].per_user:
        values, resampled = {}, {}
        for name, judged in found.items():
            columns = judged.per_user[metric]
            values[name] = ratio(columns.numerators, columns.denominators)
            resampled[name] = bootstrap.ratios(columns.numerators, columns.denominators)
            figures[name][metric] = estimate(values[name], resampled[name])
            if name != first:
                lead = difference(values[first] - values[name], resampled[first] - resampled[name])
                differences[f"{first} - {name}"][metric] = lead
    for name, judged in found.items():
        figures[name].update({metric: Estimate(value) for metric, value in judged.coverage.items()})
    return figures, differences
