"""Learning movie factors and user vectors from preferences, in memory; shared by training and replay."""

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
    """The result of training, as serving needs it.

    Attributes
    ----------
    settings
        The training settings. A regularization that follows the data is resolved to its value.
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
        The events to learn from.
    preferences
        The same events as a matrix; see `signed_matrix`.
    settings
        How to train.
    threads
        Threads for ALS and the fold-in. BLAS should be limited to one thread meanwhile.
    progress
        Reports iterations and users.
    stage
        Entered with the name of each stage: "fit" and "fold_in".

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
    """Raise if the data has no liked movie."""
    require_likes(preferences.nnz if settings.dislikes == "as-likes" else int(np.count_nonzero(preferences.data > 0)))


def require_likes(n_likes: int) -> None:
    """Raise if the number of likes, that is of entries with preference 1, is zero."""
    if not n_likes:
        raise EmptyResultError(
            "There is nothing to learn from: the training split has no liked movie.",
            "Prepare the data with lower thresholds (--min-user-ratings, --min-movie-ratings) or with another --split.",
        )
