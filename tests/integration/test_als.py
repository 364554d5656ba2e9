"""Training on a checkerboard: users like the movies of their own parity and hate the others. Laws of the fit follow."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from implicit.cpu.als import AlternatingLeastSquares, calculate_loss
from scipy import sparse

from mlrec.artifacts import registry
from mlrec.machine import blas_threads
from mlrec.model.als import Factors, confidence_matrix, fit, improve
from mlrec.model.matrix import core_matrix
from mlrec.settings import TrainSettings

SIZE = 40
SAME_PARITY = (np.add.outer(np.arange(SIZE), np.arange(SIZE)) % 2) == 0


def checkerboard() -> sparse.csr_matrix:
    """Likes on one colour, dislikes on the other; each user's own movie on the diagonal is unrated."""
    board = np.where(SAME_PARITY, 2.0, -2.0)
    np.fill_diagonal(board, 0.0)
    return sparse.csr_matrix(board.astype(np.float32))


def settings(dislikes) -> TrainSettings:
    own = TrainSettings(factors=8, regularization=0.1, alpha=2.0, iterations=15, dislikes=dislikes, random_seed=1)
    return own.resolved(SIZE)


@pytest.mark.parametrize("dislikes", ["zero", "ignore"])
def test_the_unrated_movie_of_the_own_colour_scores_above_all_of_the_other(dislikes):
    factors = fit(checkerboard(), settings(dislikes), threads=1)
    scores = factors.users @ factors.movies.T
    assert (np.diag(scores) > np.where(SAME_PARITY, -np.inf, scores).max(axis=1)).all()


def test_dislikes_as_likes_teach_that_people_love_what_they_hate():
    """The fault of the baseline, kept as a preset and never as a default."""
    factors = fit(checkerboard(), settings("as-likes"), threads=1)
    scores = factors.users @ factors.movies.T
    assert scores[~SAME_PARITY].mean() > 0.8
    assert TrainSettings().dislikes != "as-likes"


class Recorder:
    """Notes what progress is reported: the total and unit of each task, and each step."""

    def __init__(self) -> None:
        self.tasks: list[tuple[int | None, str]] = []
        self.steps: list[int] = []

    @contextmanager
    def task(self, label, total=None, unit=""):
        self.tasks.append((total, unit))
        yield self

    def advance(self, amount=1):
        self.steps.append(amount)

    def say(self, label):
        pass


def test_progress_counts_iterations():
    seen = Recorder()
    fit(checkerboard(), settings("ignore"), threads=1, progress=seen)
    assert (seen.tasks, seen.steps) == ([(15, "iterations")], [1] * 15)


@pytest.fixture(scope="module")
def preferences(few) -> sparse.csr_matrix:
    """Opinions of 150 people, as training sees them."""
    model = registry.open_published(few)
    return core_matrix(model.history.only(("train",)), model.is_trained)


STARTED = TrainSettings(factors=16, start_share=0.2, iterations=4).resolved(4_000)


def bits(factors: Factors) -> bytes:
    return factors.movies.tobytes() + factors.users.tobytes()


def by_implicit(preferences: sparse.csr_matrix, own: TrainSettings) -> Factors:
    """What `implicit` learns by itself, with the most active users first."""
    confidences = confidence_matrix(preferences, own.alpha, own.dislikes)
    order = np.argsort(-np.diff(confidences.indptr), kind="stable")
    als = AlternatingLeastSquares(
        factors=own.factors, regularization=own.fold_in.regularization, alpha=1.0, iterations=own.sweeps,
        random_state=own.random_seed,
    )  # fmt: skip
    with blas_threads():
        als.fit(confidences[order], show_progress=False)
    users = np.empty_like(als.user_factors)
    users[order] = als.user_factors
    return Factors(als.item_factors, users)


@pytest.mark.parametrize("own", [TrainSettings(start_share=0), TrainSettings.preset("baseline")])
def test_without_a_start_the_fit_is_that_of_implicit_bit_for_bit(preferences, own):
    own = own.resolved(9_000_000)
    assert bits(fit(preferences, own, threads=2)) == bits(by_implicit(preferences, own))


def test_a_seed_gives_the_same_bits_with_a_start_however_many_threads(preferences):
    first = bits(fit(preferences, STARTED, threads=1))
    assert first == bits(fit(preferences, STARTED, threads=2))
    assert first != bits(fit(preferences, replace(STARTED, random_seed=7), threads=2))
    assert first != bits(fit(preferences, replace(STARTED, start_share=0.0), threads=2))


@pytest.mark.parametrize("dislikes", ["zero", "ignore", "as-likes"])
def test_factors_are_improved_by_one_preconditioned_step(preferences, dislikes):
    """Hestenes & Stiefel (1952), in double precision, with YᵀY + λI as the preconditioner."""
    rng = np.random.default_rng(1)
    confidences = confidence_matrix(preferences, 2.0, dislikes)
    Y, X = (rng.normal(size=(size, 8)).astype(np.float32) for size in confidences.T.shape)
    als = AlternatingLeastSquares(factors=8, regularization=3.0, num_threads=2)
    als.cg_steps = 1
    improved = X.copy()
    improve(als, confidences, improved, Y)
    Y64 = Y.astype(np.float64)
    M = Y64.T @ Y64 + 3.0 * np.eye(8)
    for user in range(len(X)):
        own = confidences[user]
        y, c, liked = Y64[own.indices], np.abs(own.data).astype(np.float64), own.data > 0
        A = M + y.T @ ((c - 1)[:, None] * y)
        r = y.T @ (c * liked) - A @ X[user]
        z = np.linalg.solve(M, r)
        expected = X[user] + (r @ z) / (z @ A @ z) * z
        assert improved[user] == pytest.approx(expected if own.nnz else np.zeros(8), rel=1e-3, abs=1e-4)


def test_a_regularization_may_be_next_to_nothing():
    """With fewer movies than factors, YᵀY + λI is then singular in single precision."""
    own = TrainSettings(factors=8, regularization=1e-12, start_share=0.5, iterations=3).resolved(1)
    factors = fit(sparse.csr_matrix(np.ones((6, 3), dtype=np.float32)), own, threads=1)
    assert (factors.users @ factors.movies.T).min() > 0.5


def test_a_start_gives_four_sweeps_the_loss_of_ten(preferences):
    """The loss of Hu, Koren & Volinsky (2008), equation 3, by `implicit` itself."""
    cold = replace(STARTED, start_share=0.0)
    after_start, four, ten = (
        loss(preferences, fit(preferences, own, threads=2), STARTED)
        for own in (STARTED, cold, replace(cold, iterations=10))
    )
    assert abs(after_start - ten) < abs(four - ten) / 2


def loss(preferences: sparse.csr_matrix, factors: Factors, own: TrainSettings) -> float:
    confidences = confidence_matrix(preferences, own.alpha, own.dislikes)
    return float(calculate_loss(confidences, factors.users, factors.movies, own.fold_in.regularization))


def test_sweeps_are_counted_and_looked_at_once_they_are_over_all_users(preferences):
    seen: list[int] = []
    progress = Recorder()
    factors = fit(preferences, STARTED, 2, progress, lambda n, _: seen.append(n))
    assert seen == [1, 2, 3, 4]
    assert progress.tasks == [(100, "%")]
    assert sum(progress.steps) == 100
    assert max(progress.steps[:12]) < min(progress.steps[12:])  # a sweep of the start is quick
    assert factors.users.shape == (preferences.shape[0], 16)


def test_movies_and_users_beside_the_start_are_learned_too(preferences):
    """Of two users, one is drawn; the other's movies have no like in the start."""
    apart = sparse.csr_matrix(np.kron(np.eye(2), np.ones((20, 5))).astype(np.float32))
    own = TrainSettings(factors=4, regularization=0.1, start_share=0.02, iterations=10).resolved(1)
    factors = fit(apart, own, threads=1)
    scores = factors.users @ factors.movies.T
    assert scores[:20, :5].min() > 0.5
    assert scores[20:, 5:].min() > 0.5


def test_a_start_on_too_few_is_no_start(preferences):
    """For a handful of likes, λ may be so large that all factors vanish; from zeros, ALS would not come back."""
    own = TrainSettings(factors=4, regularization=8.0, start_share=0.001, iterations=10).resolved(1)
    full = np.ones((200, 10), dtype=np.float32)
    assert np.abs(fit(sparse.csr_matrix(full), own, threads=1).movies).max() > 0.01


def test_a_fit_goes_on_from_movie_factors(preferences):
    cold = replace(STARTED, start_share=0.0, iterations=10)
    ten = fit(preferences, cold, threads=2)
    before = ten.movies.copy()
    one_more = fit(preferences, replace(cold, iterations=1), threads=2, movie_start=ten.movies)
    assert np.array_equal(ten.movies, before)
    assert loss(preferences, one_more, cold) == pytest.approx(loss(preferences, ten, cold), rel=0.01)
