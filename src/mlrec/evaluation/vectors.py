"""The user vectors that a model is evaluated with: those that serving would use for the known history."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mlrec.artifacts.model_folder import Model
from mlrec.progress import SILENT, Progress
from mlrec.ranking.fold_in import FoldIn
from mlrec.ranking.histories import History
from mlrec.settings import EvaluateSettings


def user_vectors(
    model: Model,
    history: History,
    users: NDArray[np.int64],
    settings: EvaluateSettings,
    threads: int,
    progress: Progress = SILENT,
) -> NDArray[np.float32]:
    """Return vectors by user row: the saved ones if they come from this history, else ones folded in for `users`."""
    exact = model.train_settings.user_vectors == "fold-in"
    if settings.history_splits == model.info.trained_on and (exact or settings.split == "val"):
        return model.vectors_of(slice(None))
    return folded_in(model.solver(), history, users, threads, progress)


def folded_in(
    fold_in: FoldIn,
    history: History,
    users: NDArray[np.int64],
    threads: int,
    progress: Progress = SILENT,
) -> NDArray[np.float32]:
    """Fold in the evaluated users: return vectors by user row, with zeros for all other users."""
    judged = history.of_users(users)
    vectors = np.zeros((len(history.indptr) - 1, fold_in.movie_factors.shape[1]), dtype=np.float32)
    with progress.task("Folding in users", len(users), "users") as task:
        vectors[users] = fold_in.user_vectors(
            judged.indptr, judged.movie_idx, judged.preference, threads=threads, advance=task.advance
        )
    return vectors
