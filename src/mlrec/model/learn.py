"""Preferences to movie factors and user vectors, in memory: what training and replay have in common."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlrec.errors import EmptyResultError
from mlrec.model import als
from mlrec.progress import SILENT, Progress
from mlrec.ranking.fold_in import FoldIn
from mlrec.ranking.histories import History
from mlrec.settings import TrainSettings

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


@dataclass(frozen=True)
class Learned:
    """What serving needs of a training.

    Attributes
    ----------
    settings
        Those that it was made with; a regularization that follows the data has its value.
    movie_factors, user_vectors
        Float32 (movies, factors) and (users, factors).
    """

    settings: TrainSettings
    movie_factors: NDArray[np.float32]
    user_vectors: NDArray[np.float32]


def learn(
    history: History,
    preferences: csr_matrix,
    settings: TrainSettings,
    threads: int,
    *,
    progress: Progress = SILENT,
    stage: Callable[[str], AbstractContextManager[object]] = nullcontext,
) -> Learned:
    """Learn movie factors, and the vectors of the users they were learned from.

    Parameters
    ----------
    history
        What is learned from.
    preferences
        The same as a matrix; see `signed_matrix`.
    settings
        How to train.
    threads
        Threads of ALS and of the fold-in. BLAS should be held to one thread meanwhile.
    progress
        Told of iterations and users.
    stage
        Entered with the name of each stage: "fit" and "fold_in".

    Raises
    ------
    EmptyResultError
        If nothing is liked.
    TrainingFailedError
        If a factor is not finite.
    """
    check_learnable(preferences, settings)
    settings = settings.resolved(int(np.count_nonzero(preferences.data > 0)))
    with stage("fit"):
        factors = als.fit(preferences, settings, threads, progress)
    with stage("fold_in"):
        if settings.user_vectors == "trained":
            return Learned(settings, factors.movies, factors.users)
        with progress.task("Folding in users", len(history.indptr) - 1, "users") as task:
            user_vectors = FoldIn(factors.movies, settings.fold_in).user_vectors(
                history.indptr, history.movie_idx, history.preference, threads=threads, advance=task.advance
            )
        als.check_finite(settings, user_vectors)
    return Learned(settings, factors.movies, user_vectors)


def check_learnable(preferences: csr_matrix, settings: TrainSettings) -> None:
    """Refuse data in which nothing is liked."""
    require_likes(preferences.nnz if settings.dislikes == "as-likes" else int(np.count_nonzero(preferences.data > 0)))


def require_likes(n_likes: int) -> None:
    """Refuse data with so many entries that say 1, if that is none."""
    if not n_likes:
        raise EmptyResultError(
            "There is nothing to learn from: the training part has no liked movie.",
            "Prepare with other thresholds or another split.",
        )
