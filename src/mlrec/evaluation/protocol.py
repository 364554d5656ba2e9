"""Judging a model: every user's held-out movies are looked for in the list that the user would get.

All users are scored in blocks whose size depends on the number of movies only, so memory does not grow with the users.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from mlrec.artifacts import models
from mlrec.artifacts.models import History, Model
from mlrec.dataset.reading import HeldOut, read_held_out
from mlrec.errors import DataChangedError, EmptyResultError, StateError
from mlrec.evaluation.metrics import METRICS, PUBLISHED_METRICS, Metric
from mlrec.progress import SILENT, Progress
from mlrec.ranking.cold_start import ColdStart, Opinions, popular_weight
from mlrec.ranking.fold_in import FoldIn
from mlrec.ranking.scores import popularity_scores
from mlrec.ranking.top_n import top_n_rows
from mlrec.settings import EvaluateSettings, ServeSettings, available_threads
from mlrec.workspace import Workspace

# Scores held at once by one thread (16 MB of float32).
_BLOCK_SCORES = 4_000_000

Scorer = Callable[[NDArray[np.int64]], NDArray[np.float32]]
"""User rows (users,) to scores, float32 (users, movies); the array is the caller's to change."""


@dataclass(frozen=True)
class Estimate:
    """A metric's mean over users; `low` and `high` bound it where an interval was computed."""

    value: float
    low: float | None = None
    high: float | None = None


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
        Users with at least one relevant held-out movie: those that the means run over.
    users_left_out
        Users without a relevant held-out movie.
    users_without_taste
        Those of `users` of whose taste nothing is known; they get popular movies, here as in serving.
    ks
        List lengths.
    models
        Name → metric ("ndcg@10") → estimate; "als" is the model, the others are baselines.
    """

    model_id: str
    split: str
    history: str
    relevance: str
    users: int
    users_left_out: int
    users_without_taste: int
    ks: tuple[int, ...]
    models: dict[str, dict[str, Estimate]]

    def to_json(self) -> dict[str, Any]:
        """Return what `mlrec evaluate --json` prints."""
        return {
            **vars(self),
            "ks": list(self.ks),
            "models": {
                name: {metric: vars(estimate) for metric, estimate in figures.items()}
                for name, figures in self.models.items()
            },
        }


def evaluate(
    workspace: Workspace,
    settings: EvaluateSettings | None = None,
    *,
    model_id: str | None = None,
    progress: Progress = SILENT,
) -> Evaluation:
    """Judge a model on a held-out part, and keep the result in its folder.

    Parameters
    ----------
    workspace
        The data directory.
    settings
        Defaults to `EvaluateSettings()`.
    model_id
        By default the published model.
    progress
        Told of the users that are done.

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
    models.add_metrics(files, result.split, result.history, result.relevance, result.to_json())
    return result


def _judge(model: Model, held_out: HeldOut, settings: EvaluateSettings, progress: Progress) -> Evaluation:
    history = model.history.only(settings.history_splits)
    answers = _answers(model, held_out, settings)
    users = answers.users
    if not len(users):
        raise EmptyResultError(
            f"No user has a relevant movie in the {settings.split} part.",
            "Evaluate the other part, with --relevance any, or prepare with other thresholds.",
        )
    threads = settings.threads or available_threads()
    popular = popularity_scores(model.popularity)
    vectors = _user_vectors(model, history, users, settings, threads, progress)
    tasteless = np.asarray(~vectors.any(axis=1))
    serve = ServeSettings()
    factors = np.ascontiguousarray(model.movie_factors)
    cold_start = ColdStart.of(
        FoldIn(factors, model.fold_in),
        factors,
        model.popularity,
        len(model.user_ids),
        model.catalogue.genres,
        serve.cold_diversity,
    )
    popular_weights = popular_weight(np.diff(history.indptr), serve.handover)

    def als_scores(rows: NDArray[np.int64]) -> NDArray[np.float32]:
        def opinions(position: int) -> Opinions:
            events = history.of(int(rows[position]))
            return history.movie_idx[events], history.preference[events]

        return cold_start.ranking(vectors[rows], popular_weights[rows], opinions)

    scorers: dict[str, Scorer] = {
        "als": als_scores,
        "popularity": lambda rows: np.tile(popular, (len(rows), 1)),
    }
    metrics = {**METRICS, **PUBLISHED_METRICS} if settings.published_ndcg else METRICS
    figures: dict[str, dict[str, Estimate]] = {}
    for name, scorer in scorers.items():
        with progress.task(f"Evaluating {name}", len(users), "users") as task:
            per_user = _per_user(scorer, answers, history, len(popular), metrics, settings.ks, threads, task.advance)
        figures[name] = {metric: Estimate(float(values.mean())) for metric, values in per_user.items()}
    return Evaluation(
        model_id=model.model_id,
        split=settings.split,
        history="+".join(settings.history_splits),
        relevance=settings.relevance,
        users=len(users),
        users_left_out=answers.users_left_out,
        users_without_taste=int(tasteless[users].sum()),
        ks=settings.ks,
        models=figures,
    )


@dataclass(frozen=True)
class _Answers:
    """What is to be found.

    Attributes
    ----------
    users
        Rows of the users with a relevant held-out movie, (users,).
    n_relevant
        How many each has, also movies that the model does not know, (users,).
    indptr, movie_idx
        Those that the model knows: user i of `users` has movie_idx[indptr[i]:indptr[i + 1]].
    users_left_out
        All other users of the model.
    """

    users: NDArray[np.int64]
    n_relevant: NDArray[np.int64]
    indptr: NDArray[np.int64]
    movie_idx: NDArray[np.int64]
    users_left_out: int


def _answers(model: Model, held_out: HeldOut, settings: EvaluateSettings) -> _Answers:
    relevant = held_out.preference > 0 if settings.relevance == "liked" else np.ones(len(held_out.user_id), dtype=bool)
    user_ids, n_relevant = np.unique(held_out.user_id[relevant], return_counts=True)
    movie_ids = held_out.movie_id[relevant]
    position = np.searchsorted(user_ids, held_out.user_id[relevant])
    movie_idx = np.minimum(np.searchsorted(model.movie_ids, movie_ids), len(model.movie_ids) - 1)
    known = model.movie_ids[movie_idx] == movie_ids
    # Held-out rows are ordered by user, so the known ones already lie as rows of a CSR matrix do.
    return _Answers(
        users=np.searchsorted(model.user_ids, user_ids),
        n_relevant=n_relevant,
        indptr=np.searchsorted(position[known], np.arange(len(user_ids) + 1)),
        movie_idx=movie_idx[known],
        users_left_out=len(model.user_ids) - len(user_ids),
    )


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
    judged = _rows_only(history, users)
    vectors = np.zeros_like(model.user_vectors)
    with progress.task("Folding in users", len(users), "users") as task:
        vectors[users] = FoldIn(model.movie_factors, model.fold_in).user_vectors(
            judged.indptr, judged.movie_idx, judged.preference, threads=threads, advance=task.advance
        )
    return vectors


def _rows_only(history: History, users: NDArray[np.int64]) -> History:
    """History of some users, in their order."""
    lengths = history.indptr[users + 1] - history.indptr[users]
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    events = np.arange(indptr[-1]) + np.repeat(history.indptr[users] - indptr[:-1], lengths)
    return History(
        indptr,
        **{name: getattr(history, name)[events] for name in ("movie_idx", "preference", "timestamp", "split")},
    )


def _per_user(
    scorer: Scorer,
    answers: _Answers,
    history: History,
    n_movies: int,
    metrics: Mapping[str, Metric],
    ks: tuple[int, ...],
    threads: int,
    advance: Callable[[int], object],
) -> dict[str, NDArray[np.float64]]:
    """Every metric at every k for every judged user: name → float64 (users,)."""
    per_user = {f"{name}@{k}": np.empty(len(answers.users)) for name in metrics for k in ks}

    def judge(block: slice) -> int:
        rows = answers.users[block]
        scores = scorer(rows)
        masked = _rows_only(history, rows)
        known = masked.movie_idx >= 0
        scores[np.repeat(np.arange(len(rows)), np.diff(masked.indptr))[known], masked.movie_idx[known]] = -np.inf
        ranked = top_n_rows(scores, max(ks))
        relevant = np.zeros(scores.shape, dtype=bool)
        starts = answers.indptr[block.start : block.stop + 1]
        relevant[np.repeat(np.arange(len(rows)), np.diff(starts)), answers.movie_idx[starts[0] : starts[-1]]] = True
        hits = np.take_along_axis(relevant, np.maximum(ranked, 0), axis=1) & (ranked >= 0)
        for name, metric in metrics.items():
            for k in ks:
                per_user[f"{name}@{k}"][block] = metric(hits, answers.n_relevant[block], k)
        return len(rows)

    with ThreadPoolExecutor(threads) as pool:
        for done in pool.map(judge, _blocks(len(answers.users), n_movies)):
            advance(done)
    return per_user


def _blocks(n_users: int, n_movies: int) -> Iterator[slice]:
    size = max(1, _BLOCK_SCORES // n_movies)
    for start in range(0, n_users, size):
        yield slice(start, min(start + size, n_users))
