"""Evaluate how a model learns from swipes: replay users whom it has never seen, event by event.

A point in time divides the data. Users whose first event is at or after it are held out. The model learns from what the
other users did before it. So the model has not seen any replayed user or event, nor any other user's future. Before
each like of a replayed user, every arm ranks the movies that the user has not seen yet. Then the event is learned.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlrec.artifacts import registry
from mlrec.artifacts.documents import to_json
from mlrec.dataset.reading import read_prepared
from mlrec.errors import EmptyResultError
from mlrec.evaluation.bootstrap import Bootstrap
from mlrec.evaluation.contest import QUICK_EVENTS
from mlrec.evaluation.estimates import Differences, Figures
from mlrec.evaluation.judging import PerUser
from mlrec.evaluation.replay.arms import (
    CEILING,
    SERVED,
    Arm,
    ReplayModel,
    default_arms,
    learn_before,
    learn_with_swipes,
    retrain_arm,
    update_seconds,
)
from mlrec.evaluation.replay.trials import Trials, predict
from mlrec.evaluation.replay.window import Window, hold_out
from mlrec.evaluation.splits import require_times
from mlrec.evaluation.summary import Columns, compared, figures_of
from mlrec.machine import available_threads
from mlrec.progress import SILENT, Progress
from mlrec.settings import ReplaySettings, ServeSettings, TrainSettings
from mlrec.workspace import Workspace

# The parts of the learning curve: likes with at least this many events before them, up to the next number.
_SWIPES = (0, 1, 2, 5, 10, 20, 50)


@dataclass(frozen=True)
class Part:
    """A part of the learning curve: likes with a certain number of events before them.

    Attributes
    ----------
    swipes
        The smallest number of earlier events.
    below
        The largest number plus 1; None if there is no limit.
    likes, users
        Number of likes, and of users who gave them.
    arms
        Arm → metric → estimate.
    """

    swipes: int
    below: int | None
    likes: int
    users: int
    arms: Figures


@dataclass(frozen=True)
class Replay:
    """The results of a replay: metrics of every arm.

    Attributes
    ----------
    settings_of
        Id of the model whose training settings were used; None for the default settings.
    starts_at
        The time that divides the data, in epoch seconds.
    learned_events
        Number of earlier events that the model learned from.
    users, events, likes
        Number of replayed users, of their events, and of their likes, which are to be predicted.
    held_out_users
        Number of all held-out users; `users` is this number or that of a sample.
    unknown_likes
        Number of likes of movies that the model does not know. Every arm misses these.
    outside_core_likes
        Number of likes of movies outside the core, which have few ratings.
    settings, train, serve
        Settings of the replay, of the training and of the ranking.
    arms
        Arm → metric ("hit_rate@10", "mrr@10", "disliked@10") → estimate.
    differences
        Pair ("fold-in - popularity") → metric → paired difference.
    curve
        The learning curve: figures by number of events before the like.
    update_seconds
        Arm → median wall-clock seconds of an update with its rule. They differ from run to run.
    skipped
        Arm that was not replayed → reason.
    """

    settings_of: str | None
    starts_at: int
    learned_events: int
    users: int
    held_out_users: int
    events: int
    likes: int
    unknown_likes: int
    outside_core_likes: int
    settings: ReplaySettings
    train: TrainSettings
    serve: ServeSettings
    arms: Figures
    differences: Differences
    curve: list[Part]
    update_seconds: dict[str, float]
    skipped: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """Return the document that `mlrec evaluate --replay --json` prints."""
        return {"protocol": "replay", "k": self.settings.k, **to_json(self)}


def replay(
    workspace: Workspace,
    settings: ReplaySettings | None = None,
    *,
    model_id: str | None = None,
    serve: ServeSettings | None = None,
    progress: Progress = SILENT,
) -> Replay:
    """Train a model in memory without the latest users, and replay these users.

    Nothing is written, and no lock is held.

    Parameters
    ----------
    workspace
        The data directory. It must have prepared data.
    settings
        Which users are replayed, and how. Defaults to `ReplaySettings()`.
    model_id
        The model whose training settings are used; by default the published one. If none is published, the default
        settings are used.
    serve
        How the fold-in arm hands over from popularity, and the step size of the gradient arm. Defaults to
        `ServeSettings()`.
    progress
        Is told about training, and how many users are done.

    Raises
    ------
    PreparedDataMissingError
        If no data has been prepared.
    ModelMissingError
        If the model does not exist.
    EmptyResultError
        If no user is held out, nothing is left to learn from, or there is no like to predict.
    """
    settings, serve = settings or ReplaySettings(), serve or ServeSettings()
    threads = settings.threads or available_threads()
    settings_of, train = registry.settings_of(workspace, model_id)
    with progress.task("Reading prepared data"):
        data = read_prepared(workspace)
    require_times(data.manifest)
    held_out = hold_out(data.events, settings.held_out_share)
    window = held_out.sampled(settings.sample, settings.random_seed)
    model = learn_before(window, data.movies, train, serve, threads, progress)
    seconds = update_seconds(window, model, serve)
    arms, skipped = default_arms(model, serve), {}
    if len(window.learned) > QUICK_EVENTS:
        skipped[CEILING] = f"takes minutes to train {len(_SWIPES) - 1} times on {len(window.learned):,} events"
    else:
        arms[CEILING], seconds[CEILING] = _ceiling(held_out, model, train, serve, threads, progress)
    within_core = settings.relevance_within == "core" or data.manifest.outside_core is None
    trials = predict(window.replayed, model, arms, settings.k, threads, progress, within_core=within_core)
    if not len(trials.user):
        raise EmptyResultError(
            "The held-out users like no movie, so there is nothing to predict.", "Hold out a larger share of the users."
        )
    figures, differences = summarized(trials, settings)
    return Replay(
        settings_of=settings_of,
        starts_at=window.starts_at,
        learned_events=len(window.learned),
        users=window.n_users,
        held_out_users=held_out.n_users,
        events=len(window.replayed),
        likes=len(trials.user),
        unknown_likes=int(np.count_nonzero(~trials.is_known)),
        outside_core_likes=int(np.count_nonzero(~trials.in_core)),
        settings=replace(settings, relevance_within="core" if within_core else "all"),
        train=train,
        serve=serve,
        arms=figures,
        differences=differences,
        curve=learning_curve(trials, settings),
        update_seconds=seconds,
        skipped=skipped,
    )


def _ceiling(
    window: Window,
    model: ReplayModel,
    train: TrainSettings,
    serve: ServeSettings,
    threads: int,
    progress: Progress,
) -> tuple[Arm, float]:
    """Return the arm that retrains at each point of the curve, and the mean seconds of one retraining."""
    learned, started = {0: model}, time.perf_counter()
    for n_swipes in _SWIPES[1:]:
        learned[n_swipes] = learn_with_swipes(model, window, n_swipes, train, serve, threads, progress)
    return retrain_arm(learned), (time.perf_counter() - started) / (len(_SWIPES) - 1)


def summarized(trials: Trials, settings: ReplaySettings) -> tuple[Figures, Differences]:
    """Return hit rate, MRR and disliked share of the arms, and the difference between the served arm and each other."""
    return compared(*_columns(trials, settings), SERVED)


def _columns(trials: Trials, settings: ReplaySettings) -> tuple[Columns, Bootstrap]:
    """Return the results of the arms by user, and the bootstrap of these users.

    Every like has the same weight. Users without a like have nothing to predict and are not drawn.
    """
    _, user_idx, n_likes = np.unique(trials.user, return_inverse=True, return_counts=True)
    metrics: dict[str, Mapping[str, NDArray[Any]]] = {
        "hit_rate": trials.hits(settings.k),
        "mrr": trials.reciprocal_ranks(settings.k),
        "disliked": trials.disliked,
    }
    columns = {
        arm: {
            f"{metric}@{settings.k}": PerUser(
                np.bincount(user_idx, by_arm[arm], len(n_likes)).astype(np.float64), n_likes.astype(np.float64)
            )
            for metric, by_arm in metrics.items()
        }
        for arm in trials.ranks
    }
    return columns, Bootstrap(len(n_likes), settings.resamples, settings.random_seed)


def learning_curve(trials: Trials, settings: ReplaySettings) -> list[Part]:
    """Return the figures by number of events before the like. Parts without a like are omitted."""
    parts = []
    for first, below in zip(_SWIPES, (*_SWIPES[1:], None), strict=True):
        chosen = trials.n_before >= first
        if below is not None:
            chosen &= trials.n_before < below
        if chosen.any():
            part = trials.only(chosen)
            arms = figures_of(*_columns(part, settings))
            parts.append(Part(first, below, len(part.user), len(np.unique(part.user)), arms))
    return parts
