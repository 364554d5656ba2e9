"""Judging how a model learns from swipes: users whom it has never seen are replayed event by event.

A moment divides the data. Users whose first event lies at or after it are held out; the model learns from what the
other users did before it. So nothing that is replayed, and nobody who is replayed, has been seen, and no other user's
future either. Before each event that is a like, every arm ranks the movies that the user has not seen so far; then the
event is learned.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from mlrec.artifacts import models
from mlrec.dataset.reading import Events, Movies, read_prepared
from mlrec.errors import EmptyResultError
from mlrec.evaluation.bootstrap import Bootstrap, difference, estimate, ratio
from mlrec.evaluation.estimates import Differences, Figures, plain
from mlrec.model.learn import learn
from mlrec.model.matrix import catalogue_of, number_rows, signed_matrix
from mlrec.progress import SILENT, Progress
from mlrec.ranking.cold_start import ColdStart, popular_weight
from mlrec.ranking.effective_history import rows_of
from mlrec.ranking.fold_in import FoldIn
from mlrec.ranking.gradient import gradient_vectors
from mlrec.ranking.scores import popularity_scores, user_scores
from mlrec.ranking.top_n import places
from mlrec.settings import SPLITS, ReplaySettings, ServeSettings, TrainSettings, available_threads
from mlrec.workspace import Workspace

# Scores held at once by one thread for one arm (16 MB of float32).
_BLOCK_SCORES = 4_000_000

# A place that no list has.
_MISSED = np.iinfo(np.int64).max // 2

# The curve is told for likes with so many events before them, up to the next number.
_SWIPES = (0, 1, 2, 5, 10, 20, 50)

SERVED = "fold-in"
"""The arm that does what serving does; the others are there to be compared with it."""

Arm = Callable[[NDArray[np.int32], NDArray[np.int8], NDArray[np.int64]], NDArray[np.float32]]
"""One user's movie rows (−1 for an unknown movie) and preferences in time order, and positions among them, to scores
before each of these events, float32 (positions, movies). What comes at or after a position must not matter to it."""


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
        Held-out users, their events, and those of them that are likes and so to be predicted.
    unknown_likes
        Likes of movies that the model does not know: misses of every arm.
    settings, train, serve
        How it was replayed, trained and ranked.
    arms
        Name → "hit_rate@10" and "mrr@10" → estimate.
    differences
        "fold-in - popularity" and so on → metric → paired difference.
    curve
        How figures rise with what has been swiped: one part for each span of events before the like.
    """

    settings_of: str | None
    starts_at: int
    learned_events: int
    users: int
    events: int
    likes: int
    unknown_likes: int
    settings: ReplaySettings
    train: TrainSettings
    serve: ServeSettings
    arms: Figures
    differences: Differences
    curve: list[Part]

    def to_json(self) -> dict[str, Any]:
        """Return what `mlrec evaluate --replay --json` prints."""
        return {
            "protocol": "replay",
            "k": self.settings.k,
            **vars(self),
            **{name: getattr(self, name).to_json() for name in ("settings", "train", "serve")},
            "arms": plain(self.arms),
            "differences": plain(self.differences),
            "curve": [{**vars(part), "arms": plain(part.arms)} for part in self.curve],
        }


@dataclass(frozen=True)
class Window:
    """What is learned and what is replayed; both in the order user, time, movie.

    Attributes
    ----------
    starts_at
        The moment that divides them, epoch seconds.
    learned
        Events before it, of users who are not held out.
    replayed
        All events of the held-out users.
    """

    starts_at: int
    learned: Events
    replayed: Events


@dataclass(frozen=True, eq=False)
class ReplayModel:
    """A model of the events before the window.

    Attributes
    ----------
    movie_ids
        Public ids by row, ascending.
    cold_start
        Movie factors, fold-in and popularity.
    average_vector
        Mean of the user vectors, float32 (factors,).
    popularity
        Likes by movie row.
    """

    movie_ids: NDArray[np.int64]
    cold_start: ColdStart
    average_vector: NDArray[np.float32]
    popularity: NDArray[np.int64]


@dataclass(frozen=True)
class Trials:
    """The likes that were predicted; arrays are (likes,), ordered by user and time.

    Attributes
    ----------
    user_id
        Whose like it is.
    n_before
        How many events of the user came before it.
    is_known
        Whether the model knows the movie.
    places
        Arm → how many movies ranked before it, int64; a large number for a movie that the model does not know.
    """

    user_id: NDArray[np.int64]
    n_before: NDArray[np.int64]
    is_known: NDArray[np.bool_]
    places: dict[str, NDArray[np.int64]]

    def hits(self, k: int) -> dict[str, NDArray[np.bool_]]:
        """Arm → whether the movie was among the first k."""
        return {name: place < k for name, place in self.places.items()}

    def reciprocal_ranks(self, k: int) -> dict[str, NDArray[np.float64]]:
        """Arm → 1 / (place of the movie, from 1) if it was among the first k, else 0."""
        return {name: np.where(place < k, 1.0 / (place + 1.0), 0.0) for name, place in self.places.items()}

    def only(self, chosen: NDArray[np.bool_]) -> Trials:
        """Some of them."""
        return Trials(
            self.user_id[chosen],
            self.n_before[chosen],
            self.is_known[chosen],
            {name: place[chosen] for name, place in self.places.items()},
        )


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
    settings_of = models.published_id(workspace) if model_id is None else model_id
    train = TrainSettings()
    if settings_of is not None:
        train = models.open_model(models.resolve(workspace, settings_of)).train_settings
    with progress.task("Reading prepared data"):
        data = read_prepared(workspace)
    window = hold_out(data.events, settings.held_out_share)
    model = learn_before(window, data.movies, train, serve.cold_diversity, threads, progress)
    trials = predict(window.replayed, model, default_arms(model, serve), threads, progress)
    if not len(trials.user_id):
        raise EmptyResultError(
            "The held-out users like nothing, so there is nothing to predict.", "Hold out a larger share of the users."
        )
    arms, differences = summarized(trials, settings)
    return Replay(
        settings_of=settings_of,
        starts_at=window.starts_at,
        learned_events=len(window.learned),
        users=len(np.unique(window.replayed.user_id)),
        events=len(window.replayed),
        likes=len(trials.user_id),
        unknown_likes=int(np.count_nonzero(~trials.is_known)),
        settings=settings,
        train=train,
        serve=serve,
        arms=arms,
        differences=differences,
        curve=learning_curve(trials, settings),
    )


def hold_out(events: Events, share: float) -> Window:
    """Divide the data at the first event of the earliest of the users who come last.

    Parameters
    ----------
    events
        All events, in the order user, time, movie.
    share
        Share of users to hold out, by first event, then by id. All who begin in the same second are held out together.

    Raises
    ------
    EmptyResultError
        If nobody is held out, or nothing is left to learn from.
    """
    _, starts, user_idx = np.unique(events.user_id, return_index=True, return_inverse=True)
    first = events.timestamp[starts]
    n_held_out = round(share * len(first))
    if n_held_out == 0:
        raise EmptyResultError(
            f"A share of {share:g} of {len(first):,} users holds nobody out.", "Hold out a larger share of the users."
        )
    starts_at = int(np.sort(first)[-n_held_out])
    is_held_out = (first >= starts_at)[user_idx]
    learned = _only(events, ~is_held_out & (events.timestamp < starts_at))
    if not len(learned):
        raise EmptyResultError(
            "There is nothing to learn from: no user begins before those who are held out.",
            "Hold out a smaller share of the users.",
        )
    return Window(starts_at, learned, _only(events, is_held_out))


def _only(events: Events, keep: NDArray[np.bool_]) -> Events:
    return Events(**{name: column[keep] for name, column in vars(events).items()})


def learn_before(
    window: Window,
    movies: Movies,
    settings: TrainSettings,
    cold_diversity: float,
    threads: int,
    progress: Progress = SILENT,
) -> ReplayModel:
    """Train on what came before the window, in memory.

    Raises
    ------
    EmptyResultError
        If nothing is liked there.
    TrainingFailedError
        If a factor is not finite.
    """
    interactions = number_rows(window.learned, SPLITS)
    history = interactions.history
    with threadpool_limits(1, user_api="blas"):
        preferences = signed_matrix(history, len(interactions.movie_ids))
        learned = learn(history, preferences, settings, threads, progress=progress)
        cold_start = ColdStart.of(
            FoldIn(learned.movie_factors, learned.settings.fold_in),
            np.ascontiguousarray(learned.movie_factors),
            interactions.popularity,
            len(interactions.user_ids),
            catalogue_of(movies, interactions.movie_ids).genres,
            cold_diversity,
        )
    average: NDArray[np.float64] = np.mean(learned.user_vectors, axis=0, dtype=np.float64)
    return ReplayModel(interactions.movie_ids, cold_start, average.astype(np.float32), interactions.popularity)


def default_arms(model: ReplayModel, serve: ServeSettings) -> dict[str, Arm]:
    """The arms that are compared: what serving does, the same without dislikes or decay, the other rule of update, and
    two lists that never learn.
    """
    factors = model.cold_start.movie_factors

    def gradient(
        movie_idx: NDArray[np.int32], preference: NDArray[np.int8], positions: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        vectors = gradient_vectors(model.average_vector, factors, movie_idx, preference, serve.gradient)
        return user_scores(vectors[positions], factors)

    def served(**changes: Any) -> Arm:
        rule = replace(model.cold_start.fold_in.settings, **changes)
        cold_start = replace(model.cold_start, fold_in=FoldIn(factors, rule)) if changes else model.cold_start
        return served_arm(
            replace(model, cold_start=cold_start), lambda n_opinions: popular_weight(n_opinions, serve.handover)
        )

    return {
        SERVED: served(),
        "fold-in, no dislikes": served(dislikes="ignore"),
        "fold-in, no decay": served(half_life=math.inf),
        "gradient": gradient,
        "static": _unchanging(user_scores(model.average_vector, factors)),
        "popularity": _unchanging(popularity_scores(model.popularity)),
    }


def served_arm(model: ReplayModel, weight: Callable[[NDArray[np.int64]], NDArray[np.float64]]) -> Arm:
    """What serving lists: the exact fold-in, with popularity where little is known.

    Parameters
    ----------
    model
        The model.
    weight
        Weight of popularity by the number of opinions; `popular_weight` is the rule of serving.
    """
    cold_start = model.cold_start

    def scores(
        movie_idx: NDArray[np.int32], preference: NDArray[np.int8], positions: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        vectors = np.stack(
            [cold_start.fold_in.user_vector(movie_idx[:position], preference[:position]) for position in positions]
        )
        return cold_start.ranking(
            vectors, weight(positions), lambda i: (movie_idx[: positions[i]], preference[: positions[i]])
        )

    return scores


def _unchanging(scores: NDArray[np.float32]) -> Arm:
    return lambda _movies, _preferences, positions: np.broadcast_to(scores, (len(positions), len(scores)))


def predict(
    events: Events,
    model: ReplayModel,
    arms: Mapping[str, Arm],
    threads: int,
    progress: Progress = SILENT,
) -> Trials:
    """Look for each liked movie in the list of each arm just before the user liked it.

    Parameters
    ----------
    events
        The held-out users' events, in the order user, time, movie.
    model
        What the movies' rows mean.
    arms
        Name → arm.
    threads
        Threads to replay with; the figures do not depend on it.
    progress
        Told of the users that are done.
    """
    movie_idx = rows_of(events.movie_id, model.movie_ids)
    user_ids, starts = np.unique(events.user_id, return_index=True)
    bounds = np.append(starts, len(events))
    is_like = events.preference > 0
    found = {name: np.full(len(events), _MISSED) for name in arms}

    def replay_user(user: int) -> None:
        own = slice(bounds[user], bounds[user + 1])
        to_predict = np.flatnonzero(is_like[own] & (movie_idx[own] >= 0))
        for positions, unseen in _blocks(movie_idx[own], to_predict, len(model.movie_ids)):
            for name, arm in arms.items():
                scores = arm(movie_idx[own], events.preference[own], positions)
                found[name][bounds[user] + positions] = places(scores, movie_idx[own][positions], unseen)

    with (
        threadpool_limits(1, user_api="blas"),
        ThreadPoolExecutor(threads) as pool,
        progress.task("Replaying", len(user_ids), "users") as task,
    ):
        for _ in pool.map(replay_user, range(len(user_ids))):
            task.advance()
    n_before = np.arange(len(events)) - np.repeat(starts, np.diff(bounds))
    return Trials(
        user_id=events.user_id[is_like],
        n_before=n_before[is_like],
        is_known=movie_idx[is_like] >= 0,
        places={name: place[is_like] for name, place in found.items()},
    )


def _blocks(
    movie_idx: NDArray[np.int32], to_predict: NDArray[np.int64], n_movies: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.bool_]]]:
    """Positions among a user's events, with the movies that the user has not seen before each; (positions, movies)."""
    seen_at = np.full(n_movies, len(movie_idx))
    known = np.flatnonzero(movie_idx >= 0)
    seen_at[movie_idx[known]] = known
    size = max(1, _BLOCK_SCORES // n_movies)
    for start in range(0, len(to_predict), size):
        positions = to_predict[start : start + size]
        yield positions, seen_at >= positions[:, None]


def summarized(trials: Trials, settings: ReplaySettings) -> tuple[Figures, Differences]:
    """Hit rate and MRR of the arms, and the served arm's lead over each other one, with intervals over users.

    Every like counts the same. Users without a like have nothing to be predicted, and are not drawn.
    """
    _, user_idx, n_likes = np.unique(trials.user_id, return_inverse=True, return_counts=True)
    bootstrap = Bootstrap(len(n_likes), settings.resamples, settings.random_seed)
    figures: Figures = {name: {} for name in trials.places}
    differences: Differences = {f"{SERVED} - {name}": {} for name in trials.places if name != SERVED}
    metrics: dict[str, Mapping[str, NDArray[Any]]] = {
        "hit_rate": trials.hits(settings.k),
        "mrr": trials.reciprocal_ranks(settings.k),
    }
    for metric, by_arm in metrics.items():
        sums = {name: np.bincount(user_idx, found, len(n_likes)) for name, found in by_arm.items()}
        values = {name: ratio(own, n_likes) for name, own in sums.items()}
        resampled = {name: bootstrap.ratios(own, n_likes) for name, own in sums.items()}
        for name in sums:
            figures[name][f"{metric}@{settings.k}"] = estimate(values[name], resampled[name])
            if name != SERVED:
                lead = difference(values[SERVED] - values[name], resampled[SERVED] - resampled[name])
                differences[f"{SERVED} - {name}"][f"{metric}@{settings.k}"] = lead
    return figures, differences


def learning_curve(trials: Trials, settings: ReplaySettings) -> list[Part]:
    """The figures by how many events came before the like; spans without a like are left out."""
    parts = []
    for first, below in zip(_SWIPES, (*_SWIPES[1:], None), strict=True):
        chosen = trials.n_before >= first
        if below is not None:
            chosen &= trials.n_before < below
        if chosen.any():
            part = trials.only(chosen)
            arms, _ = summarized(part, settings)
            parts.append(Part(first, below, len(part.user_id), len(np.unique(part.user_id)), arms))
    return parts
