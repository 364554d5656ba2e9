"""Movie factors by implicit-feedback ALS, through the `implicit` library."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlrec.errors import TrainingFailedError
from mlrec.machine import blas_threads
from mlrec.progress import SILENT, Progress
from mlrec.settings import Dislikes, TrainSettings

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


@dataclass(frozen=True)
class Factors:
    """What ALS learned; float32 (movies, factors) and (users, factors).

    The user factors are those of the sweep before the last update of the movies, so they are not the exact optimum.
    """

    movies: NDArray[np.float32]
    users: NDArray[np.float32]


def confidence_matrix(preferences: csr_matrix, alpha: float, dislikes: Dislikes) -> csr_matrix:
    """Confidences C = 1 + α·|r| in `implicit`'s convention: a negative value −C is preference 0 held with confidence C.

    Parameters
    ----------
    preferences
        Signed preferences r, CSR float32 (users, movies).
    alpha
        α.
    dislikes
        `zero`: −C; `ignore`: no entry; `as-likes`: C.

    Returns
    -------
    csr_matrix
        Float32, of the same shape.
    """
    from scipy import sparse

    r, indices, indptr = preferences.data, preferences.indices, preferences.indptr
    if dislikes == "ignore":
        liked = r > 0
        r, indices, indptr = r[liked], indices[liked], np.searchsorted(np.flatnonzero(liked), indptr)
    with np.errstate(over="ignore"):  # an α that no float32 can hold is infinite, and found out by the fit
        confidences = 1.0 + np.float32(alpha) * np.abs(r)
    if dislikes == "zero":
        confidences *= np.sign(r)
    # Where nothing is left out, the places are those of the preferences, not a copy of them.
    return sparse.csr_matrix((confidences, indices, indptr), shape=preferences.shape)


def fit(
    preferences: csr_matrix,
    settings: TrainSettings,
    threads: int,
    progress: Progress = SILENT,
    after_sweep: Callable[[int, NDArray[np.float32]], object] | None = None,
) -> Factors:
    """Learn factors with alternating least squares (Hu, Koren & Volinsky 2008; conjugate gradient, 3 steps).

    Parameters
    ----------
    preferences
        Signed preferences, CSR float32 (users, movies).
    settings
        Factors, regularization, α, iterations, dislikes and seed, resolved. The same seed gives the same bits on one
        machine.
    threads
        Threads of `implicit`. BLAS is held to one meanwhile, or the two get into each other's way.
    progress
        Told of each iteration.
    after_sweep
        Called after each sweep with how many are done and the movie factors so far, float32 (movies, factors), which
        are finite and change with the next sweep. What it raises ends the training.

    Raises
    ------
    TrainingFailedError
        If a factor is not finite.
    """
    from implicit.cpu.als import AlternatingLeastSquares
    from implicit.recommender_base import ModelFitError

    # The limit reaches only the libraries that are loaded by now, and `implicit` warns where it is missing.
    with (
        blas_threads(),
        progress.task("Training", settings.iterations, "iterations") as task,
    ):
        als = AlternatingLeastSquares(
            factors=settings.factors,
            regularization=settings.fold_in.regularization,
            alpha=1.0,
            iterations=settings.iterations,
            num_threads=threads,
            random_state=settings.random_seed,
        )

        def swept(iteration: int, *_: object) -> None:
            task.advance()
            if after_sweep is not None:
                movie_factors = np.asarray(als.item_factors)
                check_finite(settings, movie_factors)
                after_sweep(iteration + 1, movie_factors)

        confidences = confidence_matrix(preferences, settings.alpha, settings.dislikes)
        # With the most active users first, the factors that a movie's likes ask for lie closer together: on 20 million
        # ratings a sweep takes four fifths of the time.
        order = np.argsort(-np.diff(confidences.indptr), kind="stable")
        confidences = confidences[order]
        try:
            with np.errstate(all="ignore"):  # what comes of it is looked at below
                als.fit(confidences, show_progress=False, callback=swept)
        except ModelFitError as error:
            raise _not_finite(settings) from error
    user_factors = np.empty_like(als.user_factors)
    user_factors[order] = als.user_factors
    factors = Factors(np.asarray(als.item_factors), user_factors)
    check_finite(settings, factors.movies, factors.users)
    return factors


def check_finite(settings: TrainSettings, *arrays: NDArray[Any]) -> None:
    """Refuse factors that are not finite: they would rank nothing, or everything alike."""
    if not all(np.isfinite(array).all() for array in arrays):
        raise _not_finite(settings)


def _not_finite(settings: TrainSettings) -> TrainingFailedError:
    return TrainingFailedError(
        "Training gave factors that are not finite numbers; nothing was saved.",
        f"Use an alpha (now {settings.alpha:g}) and a regularization (now {settings.fold_in.regularization:g}) nearer"
        " to the defaults.",
    )
