"""Judging how a model learns from swipes: users whom it has never seen are replayed event by event.

A moment divides the data. Users whose first event lies at or after it are held out; the model learns from what the
other users did before it. So nothing that is replayed, and nobody who is replayed, has been seen, and no other user's
future either. Before each event that is a like, every arm ranks the movies that the user has not seen so far; then the
event is learned.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
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
from mlrec.evaluation.summary import Columns, compared, figures_of
from mlrec.machine import available_threads
from mlrec.progress import SILENT, Progress
from mlrec.settings import ReplaySettings, ServeSettings, TrainSettings
from mlrec.workspace import Workspace

# The curve is told for likes with so many events before them, up to the next number.
_SWIPES = (0, 1, 2, 5, 10, 20, 50)


@dataclass(frozen=True)
class Part:
    """Likes with so many events before them.

    Attributes
    ----------
    swipes
        The fewest events before.
    below
        One more than the most; None: no limit.
    likes, users
        How many likes, and of how many users.
    arms
        Name → metric → estimate.
    """

    swipes: int
    below: int | None
    likes: int
    users: int
    arms: Figures


@dataclass(frozen=True)
class Replay:
    """Figures of the arms.

    Attributes
    ----------
    settings_of
        Id of the model whose training settings were used; None: the defaults.
    starts_at
        The moment that divides the data, epoch seconds.
    learned_events
        Events before it that the model learned from.
    users, events, likes
        Replayed users, their events, and those of them that are likes and so to be predicted.
    held_out_users
        All held-out users, of whom `users` are a sample or all.
    unknown_likes
        Likes of movies that the model does not know: misses of every arm.
    settings, train, serve
        How it was replayed, trained and ranked.
    arms
        Name → "hit_rate@10", "mrr@10" and "disliked@10" → estimate.
    differences
        "fold-in - popularity" and so on → metric → paired difference.
    curve
        How figures change with what has been swiped: one part for each span of events before the like.
    update_seconds
        Arm → median seconds that an update takes by its rule; wall clock, so not the same twice.
    skipped
        Arms that were not replayed → why.
    """

    settings_of: str | None
    starts_at: int
    learned_events: int
    users: int
    held_out_users: int
    events: int
    likes: int
    unknown_likes: int
    settings: ReplaySettings
    train: TrainSettings
    serve: ServeSettings
    arms: Figures
    differences: Differences
    curve: list[Part]
    update_seconds: dict[str, float]
    skipped: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """Return what `mlrec evaluate --replay --json` prints."""
        return {"protocol": "replay", "k": self.settings.k, **to_json(self)}


def replay(
    workspace: Workspace,
    settings: ReplaySettings | None = None,
    *,
    model_id: str | None = None,
    serve: ServeSettings | None = None,
    progress: Progress = SILENT,
) -> Replay:
    """Train without the latest users, in memory, and replay them. Nothing is written, and no lock is held.

    Parameters
    ----------
    workspace
        The data directory; it must hold prepared data.
    settings
        Defaults to `ReplaySettings()`.
    model_id
        The model whose training settings are used; by default the published one, or the default settings without one.
    serve
        How the fold-in arm hands over from popularity, and the step of the gradient arm; defaults to `ServeSettings()`.
    progress
        Told of training and of the users that are done.

    Raises
    ------
    PreparedDataMissingError
        If nothing has been prepared.
    ModelMissingError
        If there is no such model.
    EmptyResultError
        If nobody is held out, nothing can be learned, or there is no like to predict.
    """
    settings, serve = settings or ReplaySettings(), serve or ServeSettings()
    threads = settings.threads or available_threads()
    settings_of, train = registry.settings_of(workspace, model_id)
    with progress.task("Reading prepared data"):
        data = read_prepared(workspace)
    held_out = hold_out(data.events, settings.held_out_share)
    window = held_out.sampled(settings.sample, settings.random_seed)
    model = learn_before(window, data.movies, train, serve, threads, progress)
    seconds = update_seconds(window, model, serve)
    arms, skipped = default_arms(model, serve), {}
    if len(window.learned) > QUICK_EVENTS:
        skipped[CEILING] = f"learns for minutes from {len(window.learned):,} events, {len(_SWIPES) - 1} times"
    else:
        arms[CEILING], seconds[CEILING] = _ceiling(held_out, model, train, serve, threads, progress)
    trials = predict(window.replayed, model, arms, settings.k, threads, progress)
    if not len(trials.user_id):
        raise EmptyResultError(
            "The held-out users like nothing, so there is nothing to predict.", "Hold out a larger share of the users."
        )
    figures, differences = summarized(trials, settings)
    return Replay(
        settings_of=settings_of,
        starts_at=window.starts_at,
        learned_events=len(window.learned),
        users=window.n_users,
        held_out_users=held_out.n_users,
        events=len(window.replayed),
        likes=len(trials.user_id),
        unknown_likes=int(np.count_nonzero(~trials.is_known)),
        settings=settings,
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
    """The arm that retrains at each point of the curve, and seconds that one retraining takes."""
    learned, started = {0: model}, time.perf_counter()
    for n_swipes in _SWIPES[1:]:
        learned[n_swipes] = learn_with_swipes(model, window, n_swipes, train, serve, threads, progress)
    return retrain_arm(learned), (time.perf_counter() - started) / (len(_SWIPES) - 1)


def summarized(trials: Trials, settings: ReplaySettings) -> tuple[Figures, Differences]:
    """Hit rate, MRR and disliked movies of the arms, and the served arm's lead over each other one."""
    return compared(*_columns(trials, settings), SERVED)


def _columns(trials: Trials, settings: ReplaySettings) -> tuple[Columns, Bootstrap]:
    """What the arms have of each user, and the bootstrap of these users.

    Every like counts the same. Users without a like have nothing to be predicted, and are not drawn.
    """
    _, user_idx, n_likes = np.unique(trials.user_id, return_inverse=True, return_counts=True)
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
    """The figures by how many events came before the like; spans without a like are left out."""
    parts = []
    for first, below in zip(_SWIPES, (*_SWIPES[1:], None), strict=True):
        chosen = trials.n_before >= first
        if below is not None:
            chosen &= trials.n_before < below
        if chosen.any():
            part = trials.only(chosen)
            arms = figures_of(*_columns(part, settings))
            parts.append(Part(first, below, len(part.user_id), len(np.unique(part.user_id)), arms))
    return parts
