"""Movie factors by implicit-feedback ALS, through the `implicit` library."""

from __future__ import annotations

import warnings
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


def load_implicit() -> None:
    """Import `implicit` without the warning of its progress bars, which mlrec does not use, in a notebook."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="IProgress not found")
        import implicit  # noqa: F401


@dataclass(frozen=True)
class Factors:
    """What ALS learned; float32 (movies, factors) and (users, factors).

    The user factors were solved before the last update of the movie factors, so they are not the exact optimum.
    """

    movies: NDArray[np.float32]
    users: NDArray[np.float32]


def confidence_matrix(preferences: csr_matrix, alpha: float, dislikes: Dislikes) -> csr_matrix:
    """Confidences C = 1 + α·|r| in `implicit`'s convention: a negative value −C means preference 0 with confidence C.

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
    with np.errstate(over="ignore"):  # an α too large for float32 becomes infinite; the fit reports it
        confidences = 1.0 + np.float32(alpha) * np.abs(r)
    if dislikes == "zero":
        confidences *= np.sign(r)
    # If nothing is left out, the matrix shares its index arrays with the preferences instead of copying them.
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
        Resolved settings: factors, regularization, α, iterations, dislikes and seed. On one machine, the same seed
        gives bit-identical factors.
    threads
        Threads for `implicit`. BLAS is limited to one thread meanwhile, because the two would compete.
    progress
        Reports each iteration.
    after_sweep
        Called after each sweep with the number of sweeps done and the current movie factors, float32 (movies,
        factors). These are finite and change with the next sweep. An exception that it raises ends the training.

    Raises
    ------
    TrainingFailedError
        If a factor is not finite.
    """
    load_implicit()
    from implicit.cpu.als import AlternatingLeastSquares
    from implicit.recommender_base import ModelFitError

    # The limit reaches only libraries that are already loaded, and `implicit` warns if it is missing.
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
        # With the most active users first, the factors that a movie's update reads lie closer together in memory. On 20
        # million ratings, a sweep takes four fifths of the time.
        order = np.argsort(-np.diff(confidences.indptr), kind="stable")
        confidences = confidences[order]
        try:
            with np.errstate(all="ignore"):  # `check_finite` looks at the result below
                als.fit(confidences, show_progress=False, callback=swept)
        except ModelFitError as error:
            raise _not_finite(settings) from error
    user_factors = np.empty_like(als.user_factors)
    user_factors[order] = als.user_factors
    factors = Factors(np.asarray(als.item_factors), user_factors)
    check_finite(settings, factors.movies, factors.users)
    return factors


def check_finite(settings: TrainSettings, *arrays: NDArray[Any]) -> None:
    """Raise if factors are not finite: they would rank nothing, or everything alike."""
    if not all(np.isfinite(array).all() for array in arrays):
        raise _not_finite(settings)


def _not_finite(settings: TrainSettings) -> TrainingFailedError:
    return TrainingFailedError(
        "Training produced factors that are not finite numbers. Nothing was saved.",
        f"Use an alpha (now {settings.alpha:g}) and a regularization (now {settings.fold_in.regularization:g}) closer"
        " to the defaults.",
    )
