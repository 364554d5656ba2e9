"""The models of a replay and its arms: the update rules that are compared."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlrec.dataset.reading import Movies
from mlrec.evaluation.replay.window import Window
from mlrec.ids import IdArray, rows_of
from mlrec.machine import blas_threads
from mlrec.model.learn import learn
from mlrec.model.matrix import catalogue_of, core_matrix, number_rows
from mlrec.progress import SILENT, Progress
from mlrec.ranking.content import Content
from mlrec.ranking.fold_in import FoldIn
from mlrec.ranking.gradient import gradient_vector, gradient_vectors
from mlrec.ranking.histories import History, bounds_of_kept
from mlrec.ranking.personal import Personal
from mlrec.ranking.popularity import recent_share
from mlrec.ranking.ranker import Opinions, Ranker
from mlrec.ranking.scores import popularity_scores, user_scores
from mlrec.settings import SPLITS, ServeSettings, TrainSettings

SERVED = "fold-in"
"""The arm that does what serving does. The others are compared with it."""

VECTORS_ALONE = "vectors alone"
"""The arm without the second opinion."""

# How many updates are timed.
_TIMED_UPDATES = 500

CEILING = "retrain"
"""The arm that retrains on everything, including each user's first swipes."""

RECENT_DAYS = 365.0
"""The half-life of the list of what was popular lately, in days."""

Arm = Callable[[NDArray[np.int32], NDArray[np.int8], NDArray[np.int64]], NDArray[np.float32]]
"""Scores all movies for one user before some of the user's events.

It takes the user's movie rows (−1 for an unknown movie) and preferences in time order, and positions in them. It
returns the scores before each of these events, float32 (positions, movies). Events at or after a position must not
affect its scores.
"""


@dataclass(frozen=True, eq=False)
class ReplayModel:
    """A model that learned from the events before the window.

    Attributes
    ----------
    movie_ids
        Public ids by row, ascending, (movies,).
    is_trained
        Which movies are in the core, bool (movies,).
    content
        Genres and more by movie row.
    history
        The events that it learned from.
    ranker
        Movie factors, fold-in and popularity.
    average_vector
        Mean of the user vectors, float32 (factors,).
    popularity
        Likes by movie row, int64 (movies,).
    """

    movie_ids: IdArray
    is_trained: NDArray[np.bool_]
    content: Content
    history: History
    ranker: Ranker
    average_vector: NDArray[np.float32]
    popularity: NDArray[np.int64]


def learn_before(
    window: Window,
    movies: Movies,
    settings: TrainSettings,
    serve: ServeSettings,
    threads: int,
    progress: Progress = SILENT,
) -> ReplayModel:
    """Train a model in memory on the events before the window.

    Raises
    ------
    EmptyResultError
        If none of these events is a like.
    TrainingFailedError
        If a factor is not finite.
    """
    interactions = number_rows(window.learned, SPLITS, movies.movie_id if settings.movies == "all" else None)
    content = catalogue_of(movies, interactions.movie_ids).content
    return _learned(
        interactions.movie_ids,
        interactions.is_trained,
        content,
        interactions.history,
        settings,
        serve,
        threads,
        progress,
    )


def learn_with_swipes(
    model: ReplayModel,
    window: Window,
    n_swipes: int,
    settings: TrainSettings,
    serve: ServeSettings,
    threads: int,
    progress: Progress = SILENT,
) -> ReplayModel:
    """Retrain on the events before the window and on the first events of every held-out user.

    Parameters
    ----------
    model
        The model of the events before the window. The new model has the same movies; swipes of other movies are
        ignored.
    window
        The window with the held-out users.
    n_swipes
        How many events of each held-out user to learn from.
    settings, serve, threads, progress
        As in `learn_before`.
    """
    events = window.replayed
    _, starts, counts = np.unique(events.user, return_index=True, return_counts=True)
    movie_idx = rows_of(model.movie_ids, events.movie_ids)[events.movie]
    n_before = np.arange(len(events)) - np.repeat(starts, counts)
    keep = (n_before < n_swipes) & (movie_idx >= 0)
    kept_before = bounds_of_kept(np.append(starts, len(events)), keep)
    old = model.history
    both = History(
        indptr=np.concatenate([old.indptr, old.indptr[-1] + kept_before[1:]]),
        movie_idx=np.concatenate([old.movie_idx, movie_idx[keep]]),
        preference=np.concatenate([old.preference, events.preference[keep]]),
        timestamp=np.concatenate([old.timestamp, events.timestamp[keep]]),
        split=np.concatenate([old.split, np.zeros(np.count_nonzero(keep), dtype=np.int8)]),
    )
    is_trained = model.is_trained.copy()
    is_trained[movie_idx[keep & events.in_core]] = True
    return _learned(model.movie_ids, is_trained, model.content, both, settings, serve, threads, progress)


def _learned(
    movie_ids: IdArray,
    is_trained: NDArray[np.bool_],
    content: Content,
    history: History,
    settings: TrainSettings,
    serve: ServeSettings,
    threads: int,
    progress: Progress,
) -> ReplayModel:
    popularity = np.bincount(history.movie_idx[history.preference > 0], minlength=len(movie_ids)).astype(np.int64)
    with blas_threads():
        preferences = core_matrix(history, is_trained)
        learned = learn(history, preferences, is_trained, content, settings, threads, progress=progress)
        # All that was learned is earlier than what is predicted, so the popularity is the same at all those moments.
        fold_in = FoldIn(learned.movies.vectors, learned.settings.fold_in, is_trained)
        ranker = Ranker.of(fold_in, learned.share, content.genres, serve, learned.item_item)
    average: NDArray[np.float64] = np.mean(learned.user_vectors, axis=0, dtype=np.float64)
    return ReplayModel(movie_ids, is_trained, content, history, ranker, average.astype(np.float32), popularity)


def default_arms(model: ReplayModel, serve: ServeSettings) -> dict[str, Arm]:
    """Return the arms: the served rule, its variants without dislikes or decay, the gradient rule, and fixed lists."""
    factors = model.ranker.personal.movie_factors

    def gradient(
        movie_idx: NDArray[np.int32], preference: NDArray[np.int8], positions: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        vectors = gradient_vectors(model.average_vector, factors, movie_idx, preference, serve.gradient)
        return user_scores(vectors[positions], factors)

    def served(**changes: Any) -> Arm:
        rule, personal = replace(model.ranker.fold_in.settings, **changes), model.ranker.personal
        if "half_life" in changes and personal.item_item is not None:
            second = replace(personal.item_item.rule, half_life=changes["half_life"])
            personal = Personal(personal.movie_factors, personal.item_item.with_rule(second))
        return served_arm(replace(model.ranker, fold_in=model.ranker.fold_in.with_settings(rule), personal=personal))

    alone = {}
    if model.ranker.personal.item_item is not None:
        alone[VECTORS_ALONE] = served_arm(replace(model.ranker, personal=Personal(factors, None)))

    return {
        SERVED: served_arm(model.ranker),
        **alone,
        "fold-in, no dislikes": served(dislikes="ignore"),
        "fold-in, no decay": served(half_life=math.inf),
        "gradient": gradient,
        "static": unchanging(user_scores(model.average_vector, factors)),
        "recent": unchanging(recent_share(model.history, len(model.popularity), RECENT_DAYS)),
        "popularity": unchanging(popularity_scores(model.popularity)),
    }


def served_arm(ranker: Ranker) -> Arm:
    """Return the arm that ranks as serving does: by exact fold-in, and by popularity for users with few opinions."""

    def scores(
        movie_idx: NDArray[np.int32], preference: NDArray[np.int8], positions: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        before = [Opinions(movie_idx[:position], preference[:position]) for position in positions]
        vectors = np.stack([ranker.fold_in.user_vector(own.movie_idx, own.preference) for own in before])
        return ranker.order(vectors, ranker.likes_of(before), positions, before.__getitem__)

    return scores


def unchanging(scores: NDArray[np.float32]) -> Arm:
    """Return the arm that ranks all movies by the same scores at any moment; float32 (movies,)."""
    return lambda _movies, _preferences, positions: np.broadcast_to(scores, (len(positions), len(scores)))


def retrain_arm(models: Mapping[int, ReplayModel]) -> Arm:
    """Return the arm that ranks as serving would after retraining a few swipes ago: the ceiling for any update rule.

    Parameters
    ----------
    models
        Number of first events of each held-out user that were learned → model. 0 must be among the keys. For a user
        with n events, the model with the largest number up to n is used, and the user is folded into it.
    """
    learned = np.array(sorted(models))
    arms = [served_arm(models[n].ranker) for n in learned.tolist()]

    def scores(
        movie_idx: NDArray[np.int32], preference: NDArray[np.int8], positions: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        found = np.empty((len(positions), len(models[0].movie_ids)), dtype=np.float32)
        latest = np.searchsorted(learned, positions, side="right") - 1
        for number in np.unique(latest):
            chosen = latest == number
            found[chosen] = arms[number](movie_idx, preference, positions[chosen])
        return found

    return scores


def update_seconds(window: Window, model: ReplayModel, serve: ServeSettings) -> dict[str, float]:
    """Return the median seconds that an update of a user's vector takes with each rule, over some replayed swipes.

    Storing the swipe and ranking the new list are not included.
    """
    events = window.replayed
    _, first, n_events = np.unique(events.user, return_index=True, return_counts=True)
    starts = np.repeat(first, n_events)
    movie_idx = rows_of(model.movie_ids, events.movie_ids)[events.movie]
    fold_in, factors = model.ranker.fold_in, model.ranker.personal.movie_factors

    def median_of(update: Callable[[slice], object]) -> float:
        seconds = []
        for event in np.linspace(0, len(events) - 1, _TIMED_UPDATES).astype(int).tolist():
            started = time.perf_counter()
            update(slice(int(starts[event]), event + 1))
            seconds.append(time.perf_counter() - started)
        return float(np.median(seconds))

    with blas_threads():
        return {
            SERVED: median_of(lambda own: fold_in.user_vector(movie_idx[own], events.preference[own])),
            "gradient": median_of(
                lambda own: gradient_vector(
                    model.average_vector, factors, movie_idx[own][-1:], events.preference[own][-1:], serve.gradient
                )
            ),
        }
