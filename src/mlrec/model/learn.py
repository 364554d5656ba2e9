"""Learning the vectors of movies and users from preferences, in memory; shared by training and replay."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlrec.artifacts.choice import Choice
from mlrec.errors import EmptyResultError
from mlrec.model import als
from mlrec.model.item_item import ItemItemSize, learn_item_item
from mlrec.progress import SILENT, Progress
from mlrec.ranking.content import Content
from mlrec.ranking.fold_in import FoldIn
from mlrec.ranking.histories import History
from mlrec.ranking.item_item import ItemItem
from mlrec.ranking.movie_vectors import Core, MovieVectors, OpinionsByMovie, movie_vectors
from mlrec.ranking.popularity import recent_share
from mlrec.settings import FoldInSettings, TrainSettings

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


@dataclass(frozen=True)
class Learned:
    """The result of training, as serving needs it.

    Attributes
    ----------
    settings
        The training settings. What follows the amount of data is resolved to its value.
    core
        What ALS has learned.
    movies
        Vectors of all movies.
    share
        Share of users who liked each movie, by date, float32 (movies,); see `recent_share`.
    item_item, item_item_size
        The second opinion, and what it was learned from. None: there is none.
    user_vectors
        Float32 (users, factors).
    choice
        What was chosen on validation, as the model records it; None if nothing was.
    """

    settings: TrainSettings
    core: Core
    movies: MovieVectors
    share: NDArray[np.float32]
    item_item: ItemItem | None
    item_item_size: ItemItemSize | None
    user_vectors: NDArray[np.float32]
    choice: Choice | None = None


@dataclass(frozen=True)
class Candidates:
    """What has been learned when the last settings are chosen.

    Attributes
    ----------
    settings
        The training settings, with a resolved regularization.
    history
        The events that were learned from.
    content
        The content of all movies.
    movies
        Vectors of all movies.
    is_trained
        Which movies are in the core, bool (movies,).
    share
        As in `Learned`.
    item_item
        The second opinion. None: there is none.
    """

    settings: TrainSettings
    history: History
    content: Content
    movies: MovieVectors
    is_trained: NDArray[np.bool_]
    share: NDArray[np.float32]
    item_item: ItemItem | None

    def settled(self, choose: Choose) -> tuple[TrainSettings, ItemItem | None, Choice | None]:
        """Choose the last settings. Returns them, the second opinion by its rule in them, and the record of it."""
        settings, choice = choose(self)
        rule, item_item = settings.second_opinion, self.item_item
        return settings, item_item if item_item is None or rule is None else item_item.with_rule(rule), choice


Choose = Callable[[Candidates], tuple[TrainSettings, Choice | None]]
"""Chooses the settings that are left to the training: those of the fold-in and of the second opinion.

It returns the settings, and what the model records about the choice, if there was one.
"""


def start_values(candidates: Candidates) -> tuple[TrainSettings, None]:
    """Choose the values to start from, without looking at data."""
    return candidates.settings.started(), None


def learn(
    history: History,
    preferences: csr_matrix,
    is_trained: NDArray[np.bool_],
    content: Content,
    settings: TrainSettings,
    threads: int,
    *,
    progress: Progress = SILENT,
    stage: Callable[[str], AbstractContextManager[object]] = nullcontext,
    choose: Choose = start_values,
    movie_start: NDArray[np.float32] | None = None,
) -> Learned:
    """Learn movie factors, the vectors of all other movies, the second opinion, and the vectors of the users.

    Parameters
    ----------
    history
        The events to learn from, also those outside the core.
    preferences
        Those in the core as a matrix; see `core_matrix`.
    is_trained
        Which movies the columns of the matrix are, bool (movies,).
    content
        The content of all movies.
    settings
        How to train.
    threads
        Threads for ALS and the fold-in. BLAS should be limited to one thread meanwhile.
    progress
        Reports iterations and users.
    stage
        Entered with the name of each stage: "fit", "movies", "item_item", "choose" and "fold_in".
    choose
        Chooses what the settings leave to the training. By default, these are the values to start from.
    movie_start
        Movie factors to begin with, one row for each column of the matrix; see `als.fit`.

    Raises
    ------
    EmptyResultError
        If the data has no liked movie.
    TrainingFailedError
        If a factor is not finite.
    """
    check_learnable(preferences, settings)
    settings = settings.resolved(int(np.count_nonzero(preferences.data > 0)))
    with stage("fit"):
        factors = als.fit(preferences, settings, threads, progress, movie_start=movie_start)
    with stage("movies"):
        core = core_of(factors.movies, factors.users, is_trained)
        movies = vectors_of_movies(core, history, content, settings, threads)
        share = recent_share(history, len(is_trained), settings.popularity_half_life)
    item_item, size = None, None
    if settings.second_opinion is not None:
        with stage("item_item"):
            item_item, size = learn_item_item(history, is_trained, settings.second_opinion, threads, progress)
    with stage("choose"):
        candidates = Candidates(settings, history, content, movies, is_trained, share, item_item)
        settings, item_item, choice = candidates.settled(choose)
    with stage("fold_in"):
        if settings.user_vectors == "trained":
            return Learned(settings, core, movies, share, item_item, size, factors.users, choice)
        with progress.task("Folding in users", len(history.indptr) - 1, "users") as task:
            user_vectors = FoldIn(movies.vectors, settings.fold_in, is_trained).user_vectors(
                history.indptr, history.movie_idx, history.preference, threads=threads, advance=task.advance
            )
        als.check_finite(settings, user_vectors)
    return Learned(settings, core, movies, share, item_item, size, user_vectors, choice)


def core_of(
    movie_factors: NDArray[np.float32], user_factors: NDArray[np.float32], is_trained: NDArray[np.bool_]
) -> Core:
    """What ALS has learned, with rows for all movies.

    Parameters
    ----------
    movie_factors
        Float32 (trained movies, factors).
    user_factors
        Those of ALS, float32 (users, factors).
    is_trained
        Bool (movies,).
    """
    spread = np.zeros((len(is_trained), movie_factors.shape[1]), dtype=np.float32)
    spread[is_trained] = movie_factors
    X = user_factors.astype(np.float64)
    return Core(spread, is_trained, X.T @ X)


def vectors_of_movies(
    core: Core, history: History, content: Content, settings: TrainSettings, threads: int
) -> MovieVectors:
    """Solve for the movies outside the core, with the settings of a training; see `movie_vectors`."""
    liked = (history.preference > 0) & (history.movie_idx >= 0)
    likes = np.bincount(history.movie_idx[liked], minlength=len(core.is_trained)).astype(np.int64)
    rule = rule_of_training(settings)
    outside = np.flatnonzero((history.movie_idx >= 0) & ~core.is_trained[history.movie_idx])
    user = np.searchsorted(history.indptr, outside, side="right") - 1
    opinions = OpinionsByMovie.of(user, history.movie_idx[outside], history.preference[outside], len(likes), rule)
    known = history.of_users(opinions.users).on(core.is_trained)
    if rule.dislikes == "ignore":  # without decay, events that weigh nothing can be left out
        known = known.liked()
    X = FoldIn(core.movie_factors, rule, core.is_trained).user_vectors(
        known.indptr, known.movie_idx, known.preference, threads=threads
    )
    movies = movie_vectors(core, opinions, X, likes, content, rule, threads)
    als.check_finite(settings, movies.vectors)
    return movies


def rule_of_training(settings: TrainSettings) -> FoldInSettings:
    """The confidences of training as a rule of the fold-in: neither decay nor a feedback weight."""
    return replace(settings.fold_in, dislikes=settings.dislikes, half_life=float("inf"), feedback_weight=1.0)


def check_learnable(preferences: csr_matrix, settings: TrainSettings) -> None:
    """Raise if the data has no liked movie."""
    require_likes(preferences.nnz if settings.dislikes == "as-likes" else int(np.count_nonzero(preferences.data > 0)))


def require_likes(n_likes: int) -> None:
    """Raise if the number of likes, that is of entries with preference 1, is zero."""
    if not n_likes:
        raise EmptyResultError(
            "There is nothing to learn from: the training split has no liked movie.",
            "Prepare the data with lower thresholds (--min-user-ratings, --min-movie-ratings) or with another --split.",
        )
