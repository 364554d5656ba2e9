"""Movie factors by implicit-feedback ALS, through the `implicit` library."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlrec.errors import TrainingFailedError
from mlrec.machine import blas_threads
from mlrec.progress import SILENT, Progress
from mlrec.ranking.histories import bounds_of_kept
from mlrec.settings import START_ITERATIONS, Dislikes, TrainSettings, regularization_for

if TYPE_CHECKING:
    from implicit.cpu.als import AlternatingLeastSquares
    from scipy.sparse import csr_matrix


_PERCENT = 100
# The preconditioner's smallest eigenvalue, in parts of its largest: what float32 can tell apart.
_LEAST_PART = 1e-7
# Smaller factors are on their way to zero.
_VANISHED = 1e-6


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
        r, indices, indptr = r[liked], indices[liked], bounds_of_kept(indptr, liked)
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
    movie_start: NDArray[np.float32] | None = None,
) -> Factors:
    """Learn factors with alternating least squares (Hu, Koren & Volinsky 2008).

    The sweeps over all users begin with the movie factors that a fit on a random part of the users found, if the
    settings have such a start (docs/decisions/0022). They and those of the start then improve the factors by one step
    of conjugate gradients, with YᵀY + λI as the preconditioner (docs/decisions/0027). Without any factors to begin
    with, `implicit` makes three steps without a preconditioner (Takács, Pilászy & Tikk 2011).

    Parameters
    ----------
    preferences
        Signed preferences, CSR float32 (users, movies).
    settings
        Resolved settings: factors, regularization, α, iterations, start, dislikes and seed. On one machine, the same
        seed gives bit-identical factors.
    threads
        Threads for `implicit`. BLAS is limited to one thread meanwhile, because the two would compete.
    progress
        Reports each iteration, or with a start the share of the work that is done.
    after_sweep
        Called after each sweep over all users with the number of these sweeps done and the current movie factors,
        float32 (movies, factors). These are finite and change with the next sweep. An exception that it raises ends the
        training.
    movie_start
        Movie factors to begin with, float32 (movies, factors); zeros for movies that begin at random. With them, the
        settings have no start.

    Raises
    ------
    TrainingFailedError
        If a factor is not finite.
    """
    load_implicit()
    confidences = confidence_matrix(preferences, settings.alpha, settings.dislikes)
    # With the most active users first, the factors that a movie's update reads lie closer together in memory. On 20
    # million ratings, a sweep takes four fifths of the time.
    order = np.argsort(-np.diff(confidences.indptr), kind="stable")
    sample = _sample(confidences, settings, order)
    confidences = confidences[order]
    weight = sample.nnz if sample is not None else 0
    # A start has more sweeps than follow it, and each takes a fifth of their time or less, so iterations would mislead.
    steps, unit = (_PERCENT, "%") if sample is not None else (settings.sweeps, "iterations")
    work = START_ITERATIONS * weight + settings.sweeps * confidences.nnz
    # The limit reaches only libraries that are already loaded, and `implicit` warns if it is missing.
    with blas_threads(), progress.task("Training", steps, unit) as task:
        shown = done = 0

        def advance(entries: int) -> None:
            nonlocal shown, done
            done += entries
            now = steps * done // max(work, 1)
            task.advance(now - shown)
            shown = now

        if sample is not None:
            nothing = np.zeros((confidences.shape[1], settings.factors), dtype=np.float32)
            own = _on_sample(settings, sample, confidences)
            movie_start, _ = _swept(sample, own, threads, nothing, lambda *_: advance(weight))
            del sample

        def swept(iteration: int, movie_factors: NDArray[np.float32]) -> None:
            advance(confidences.nnz)
            if after_sweep is not None:
                check_finite(settings, movie_factors)
                after_sweep(iteration + 1, movie_factors)

        if movie_start is None:
            movies, users = _swept_from_random(confidences, settings, threads, swept)
        else:
            movies, users = _swept(confidences, settings, threads, movie_start, swept)
    user_factors = np.empty_like(users)
    user_factors[order] = users
    check_finite(settings, movies, user_factors)
    return Factors(movies, user_factors)


def _sample(confidences: csr_matrix, settings: TrainSettings, order: NDArray[np.int64]) -> csr_matrix | None:
    """The rows of the users whom the fit starts on, the most active first; None if it starts on all.

    They are drawn from the users with a like. The most active ones would be the wrong part: docs/decisions/0022.
    """
    if not settings.starts_on:
        return None
    # How many likes come before each row.
    likes = np.zeros(confidences.nnz + 1, dtype=np.int32)
    np.cumsum(confidences.data > 0, out=likes[1:])
    users = np.flatnonzero(np.diff(likes[confidences.indptr]))
    n_drawn = max(1, round(settings.starts_on * len(users)))
    is_drawn = np.zeros(confidences.shape[0], dtype=bool)
    is_drawn[np.random.default_rng(settings.random_seed).permutation(users)[:n_drawn]] = True
    return confidences[order[is_drawn[order]]]


def _on_sample(settings: TrainSettings, sample: csr_matrix, confidences: csr_matrix) -> TrainSettings:
    """The settings of the start: its own sweeps, and a λ that is smaller for fewer likes, by the rule of the data."""
    part, whole = (regularization_for(int(np.count_nonzero(matrix.data > 0))) for matrix in (sample, confidences))
    smaller = settings.fold_in.regularization * part / whole
    return replace(settings, regularization=smaller, iterations=START_ITERATIONS)


def _swept_from_random(
    confidences: csr_matrix,
    settings: TrainSettings,
    threads: int,
    after_sweep: Callable[[int, NDArray[np.float32]], object],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Sweep as `implicit` does, from random factors. Returns the factors of movies and users."""
    from implicit.recommender_base import ModelFitError

    als = _implicit_als(settings, threads)
    try:
        with np.errstate(all="ignore"):  # the caller looks at the result
            als.fit(
                confidences, show_progress=False, callback=lambda n, *_: after_sweep(n, np.asarray(als.item_factors))
            )
    except ModelFitError as error:
        raise _not_finite(settings) from error
    return np.asarray(als.item_factors), np.asarray(als.user_factors)


def _swept(
    confidences: csr_matrix,
    settings: TrainSettings,
    threads: int,
    movie_start: NDArray[np.float32],
    after_sweep: Callable[[int, NDArray[np.float32]], object],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Sweep from movie factors, with one well-conditioned step each. Returns the factors of movies and users."""
    als = _implicit_als(settings, threads)
    als.cg_steps = 1
    by_movie = confidences.T.tocsr()
    movies = _filled(movie_start, settings.random_seed)
    users = np.zeros((confidences.shape[0], settings.factors), dtype=np.float32)
    try:
        with np.errstate(all="ignore"):  # the caller looks at the result
            for sweep in range(settings.sweeps):
                improve(als, confidences, users, movies)
                improve(als, by_movie, movies, users)
                after_sweep(sweep, movies)
    except np.linalg.LinAlgError as error:
        raise _not_finite(settings) from error
    return movies, users


def improve(
    als: AlternatingLeastSquares, confidences: csr_matrix, factors: NDArray[np.float32], fixed: NDArray[np.float32]
) -> None:
    """Improve the factors of users, in place, with those of movies fixed; or the other way round.

    Let Y be the fixed factors. Conjugate gradients run in coordinates in which YᵀY + λI is the identity. What a user
    adds to it is little, so there a step goes far.

    Parameters
    ----------
    als
        Has λ, the number of steps and the threads.
    confidences
        As `confidence_matrix` returns them, CSR float32 (users, movies).
    factors
        Float32 (users, factors).
    fixed
        Y, float32 (movies, factors).

    Raises
    ------
    LinAlgError
        If Y is not finite.
    """
    values, vectors = np.linalg.eigh((fixed.T @ fixed).astype(np.float64) + als.regularization * np.eye(als.factors))
    roots = np.sqrt(np.maximum(values, values[-1] * _LEAST_PART))
    turn, turn_factors = (vectors / roots).astype(np.float32), (vectors * roots).astype(np.float32)
    # The solver adds λI in its own coordinates. Movies that nobody has seen add it in ours instead.
    turned = np.concatenate([fixed @ turn, math.sqrt(als.regularization) * turn])
    solved = factors @ turn_factors
    als.solver(confidences, solved, turned, 0.0, num_threads=als.num_threads)
    np.matmul(solved, turn.T, out=factors)


def _implicit_als(settings: TrainSettings, threads: int) -> AlternatingLeastSquares:
    from implicit.cpu.als import AlternatingLeastSquares

    return AlternatingLeastSquares(
        factors=settings.factors,
        regularization=settings.fold_in.regularization,
        alpha=1.0,
        iterations=settings.sweeps,
        num_threads=threads,
        random_state=settings.random_seed,
    )


def _filled(movie_start: NDArray[np.float32], random_seed: int) -> NDArray[np.float32]:
    """Movie factors to begin with, in which movies that have none begin as `implicit` begins: small and random.

    From zeros, ALS would never learn a group of users and movies of which the start has no like.
    """
    filled = movie_start.copy()
    without = np.abs(movie_start).max(axis=1, initial=0) < _VANISHED
    shape = (np.count_nonzero(without), movie_start.shape[1])
    filled[without] = np.random.default_rng(random_seed).random(shape, dtype=np.float32) * np.float32(0.01)
    return filled


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
