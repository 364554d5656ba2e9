"""Fold-in: the normal equations themselves, `implicit` as the independent judge, and the laws of the update."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from mlrec.errors import TrainingFailedError
from mlrec.ranking.fold_in import FoldIn, confidence
from mlrec.settings import FoldInSettings

RNG = np.random.default_rng(5)
FACTORS = RNG.normal(0, 0.3, (60, 8)).astype(np.float32)
PLAIN = FoldInSettings(alpha=3.0, regularization=2.0, half_life=math.inf, feedback_weight=1.0)
DECAYING = FoldInSettings(alpha=3.0, regularization=2.0, half_life=4.0, feedback_weight=2.0)

histories = st.lists(
    st.tuples(st.integers(0, 59), st.sampled_from([-2, -1, 1, 2])), max_size=30, unique_by=lambda event: event[0]
)


def arrays(history):
    return np.array([m for m, _ in history], dtype=np.int32), np.array([r for _, r in history], dtype=np.int8)


def by_the_book(history, rule: FoldInSettings):
    """Equation 4 of Hu, Koren & Volinsky, written out event by event."""
    Y = FACTORS.astype(np.float64)
    A = Y.T @ Y + rule.regularization * np.eye(8)
    b = np.zeros(8)
    for age, (movie, r) in enumerate(reversed(history)):
        c = 1 + rule.alpha * abs(r) * rule.feedback_weight * 0.5 ** (age / rule.half_life)
        liked = r > 0 or rule.dislikes == "as-likes"
        if not liked and rule.dislikes == "ignore":
            continue
        A += (c - 1) * np.outer(Y[movie], Y[movie])
        b += c * liked * Y[movie]
    return np.linalg.solve(A, b)


@pytest.mark.parametrize("dislikes", ["zero", "ignore", "as-likes"])
@given(history=histories)
@settings(max_examples=40)
def test_solves_the_normal_equations(dislikes, history):
    rule = FoldInSettings(**{**vars(DECAYING), "dislikes": dislikes})
    vector = FoldIn(FACTORS, rule).user_vector(*arrays(history))
    np.testing.assert_allclose(vector, by_the_book(history, rule), atol=1e-5)


@given(history=histories.filter(len), data=st.data())
@settings(max_examples=40)
def test_without_decay_the_order_does_not_matter(history, data):
    shuffled = data.draw(st.permutations(history))
    fold_in = FoldIn(FACTORS, PLAIN)
    np.testing.assert_allclose(fold_in.user_vector(*arrays(history)), fold_in.user_vector(*arrays(shuffled)), atol=1e-5)


def test_without_decay_it_agrees_with_implicit():
    from implicit.cpu.als import AlternatingLeastSquares
    from threadpoolctl import threadpool_limits

    history = [(3, 2), (10, -1), (11, 1), (40, -2), (41, 2), (7, 1)]
    movies, preferences = arrays(history)
    c = (1 + PLAIN.alpha * np.abs(preferences)) * np.sign(preferences)
    matrix = sparse.csr_matrix((c.astype(np.float32), (np.zeros(len(history), dtype=int), movies)), shape=(1, 60))
    with threadpool_limits(1, user_api="blas"):
        als = AlternatingLeastSquares(factors=8, regularization=PLAIN.regularization, alpha=1.0, num_threads=1)
        als.item_factors = FACTORS
        expected = als.recalculate_user(0, matrix)
    np.testing.assert_allclose(FoldIn(FACTORS, PLAIN).user_vector(movies, preferences), expected, atol=1e-4)


def assert_exact(vector, expected, share=1e-5):
    """Vectors of many users are exact to a share of their length."""
    assert np.linalg.norm(vector - expected) <= share * np.linalg.norm(expected)


@given(st.lists(histories, max_size=12), st.sampled_from([1, 3]))
@settings(max_examples=30)
def test_many_users_at_once_are_as_each_alone(users, threads):
    fold_in = FoldIn(FACTORS, DECAYING)
    movies, preferences = arrays([event for history in users for event in history])
    indptr = np.cumsum([0] + [len(history) for history in users])
    together = fold_in.user_vectors(indptr, movies, preferences, threads=threads)
    for vector, history in zip(together, users, strict=True):
        assert_exact(vector, fold_in.user_vector(*arrays(history)))


@pytest.mark.parametrize("regularization", [1e-9, 1e-3, 1.0, 1e6])
@pytest.mark.parametrize("alpha", [1e-3, 10.0, 1e6])
def test_many_users_are_solved_exactly_however_far_they_are_from_knowing_nothing(alpha, regularization):
    """Where conjugate gradients need too many steps, elimination solves."""
    rule = FoldInSettings(alpha=alpha, regularization=regularization, half_life=20.0)
    draw = np.random.default_rng(3)
    users = [
        [(int(movie), int(draw.choice([-2, -1, 1, 2]))) for movie in draw.permutation(60)[:length]]
        for length in (1, 2, 3, 8, 9, 30, 60)
    ]
    movies, preferences = arrays([event for history in users for event in history])
    found = FoldIn(FACTORS, rule).user_vectors(np.cumsum([0, *map(len, users)]), movies, preferences)
    for vector, history in zip(found, users, strict=True):
        assert_exact(vector, by_the_book(history, rule), share=2e-5)


@pytest.mark.parametrize("dislikes", ["zero", "ignore", "as-likes"])
@given(history=histories, cuts=st.lists(st.integers(0, 30), max_size=3), unknown=st.sets(st.integers(0, 29)))
@settings(max_examples=40)
def test_sums_over_the_newest_opinions_continue_those_over_earlier_ones(dislikes, history, cuts, unknown):
    rule = FoldInSettings(**{**vars(DECAYING), "dislikes": dislikes})
    fold_in = FoldIn(FACTORS, rule, is_trained=np.arange(60) % 3 > 0)
    movies, preferences = arrays(history)
    movies[[position for position in unknown if position < len(movies)]] = -1
    first, *rest = np.split(np.arange(len(movies)), sorted(min(cut, len(movies)) for cut in cuts))
    sums = fold_in.sums(movies[first], preferences[first])
    for part in rest:
        sums = fold_in.sums(movies[part], preferences[part], earlier=sums)
    assert sums.opinions == len(history)
    np.testing.assert_allclose(fold_in.vector_of(sums), fold_in.user_vector(movies, preferences), rtol=1e-5, atol=1e-6)


def test_progress_counts_every_user_with_a_history():
    done: list[int] = []
    indptr = np.array([0, 2, 2, 3, 60])
    movies = np.concatenate([[1, 2], [3], np.arange(57)]).astype(np.int32)
    FoldIn(FACTORS, PLAIN).user_vectors(indptr, movies, np.ones(60, dtype=np.int8), advance=done.append)
    assert sum(done) == 3


def test_nothing_liked_gives_the_zero_vector():
    assert not FoldIn(FACTORS, PLAIN).user_vector(*arrays([])).any()
    assert not FoldIn(FACTORS, PLAIN).user_vector(*arrays([(3, -2), (5, -1)])).any()


@given(histories, st.integers(0, 59), st.sampled_from([1, 2]))
@settings(max_examples=60)
def test_a_like_raises_the_movies_score_unless_it_is_above_its_fixed_point(history, movie, preference):
    history = [event for event in history if event[0] != movie]
    fold_in = FoldIn(FACTORS, PLAIN)
    before = fold_in.user_vector(*arrays(history)) @ FACTORS[movie]
    after = fold_in.user_vector(*arrays([*history, (movie, preference)])) @ FACTORS[movie]
    c = 1 + PLAIN.alpha * preference
    assert after >= before - 1e-4 or before > c / (c - 1)


@given(histories, st.integers(0, 59), st.sampled_from([-1, -2]))
@settings(max_examples=60)
def test_a_dislike_moves_the_movies_score_towards_zero(history, movie, preference):
    history = [event for event in history if event[0] != movie]
    fold_in = FoldIn(FACTORS, PLAIN)
    before = fold_in.user_vector(*arrays(history)) @ FACTORS[movie]
    after = fold_in.user_vector(*arrays([*history, (movie, preference)])) @ FACTORS[movie]
    assert abs(after) <= abs(before) + 1e-4


def test_a_movie_without_factors_only_makes_earlier_events_older():
    fold_in = FoldIn(FACTORS, DECAYING)
    with_unknown = fold_in.user_vector(np.array([3, -1, 7], dtype=np.int32), np.array([1, 2, 1], dtype=np.int8))
    by_hand = FACTORS.astype(np.float64)
    A = by_hand.T @ by_hand + DECAYING.regularization * np.eye(8)
    b = np.zeros(8)
    for movie, age in ((3, 2), (7, 0)):
        c = 1 + DECAYING.alpha * DECAYING.feedback_weight * 0.5 ** (age / DECAYING.half_life)
        A += (c - 1) * np.outer(by_hand[movie], by_hand[movie])
        b += c * by_hand[movie]
    np.testing.assert_allclose(with_unknown, np.linalg.solve(A, b), atol=1e-5)


def test_confidence_halves_with_each_half_life():
    rule = FoldInSettings(alpha=2.0, half_life=10.0, feedback_weight=4.0)
    c = confidence(np.array([1, 1, -2], dtype=np.int8), np.array([0, 10, 0]), rule)
    assert c.tolist() == [9.0, 5.0, 17.0]


positive = st.floats(0, exclude_min=True, allow_infinity=False)


@given(
    history=histories.filter(len),
    rule=st.builds(
        FoldInSettings, alpha=positive, regularization=positive, feedback_weight=positive,
        half_life=st.floats(0, exclude_min=True), dislikes=st.sampled_from(["zero", "ignore", "as-likes"]),
    ),
)  # fmt: skip
def test_whatever_the_settings_a_vector_is_finite_or_there_is_none(history, rule):
    movies, preferences = arrays(history)
    hint = ""
    try:
        fold_in = FoldIn(FACTORS, rule)
        assert np.isfinite(fold_in.user_vector(movies, preferences)).all()
        assert np.isfinite(fold_in.user_vectors(np.array([0, len(movies)]), movies, preferences)).all()
        assert np.isfinite(fold_in.contributions(3, movies, preferences).liked).all()
    except TrainingFailedError as error:
        hint = error.hint
    assert not hint or f"now {rule.alpha:g}" in hint


def test_confidences_that_leave_nothing_of_the_rest_are_refused():
    for rule in (FoldInSettings(feedback_weight=1e300), FoldInSettings(alpha=1e200, feedback_weight=1e200)):
        with pytest.raises(TrainingFailedError, match="no solution"):
            FoldIn(FACTORS, rule)


def test_fewer_movies_than_factors_and_no_regularization_is_an_error_of_ours():
    fold_in = FoldIn(np.ones((2, 8), dtype=np.float32), FoldInSettings(regularization=5e-324))
    with pytest.raises(TrainingFailedError, match="no solution"):
        fold_in.user_vector(np.array([0], dtype=np.int32), np.array([1], dtype=np.int8))
