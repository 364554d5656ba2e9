"""Vectors of movies outside the core, against the normal equations in plain numpy."""

from __future__ import annotations

import numpy as np
import pytest

from mlrec.ranking.content import Content, evidence, expected_vectors, worth_in_likes
from mlrec.ranking.fold_in import FoldIn
from mlrec.ranking.movie_vectors import ORIGINS, Core, OpinionsByMovie, movie_vectors
from mlrec.settings import Dislikes, FoldInSettings

RULE = FoldInSettings(alpha=2.0, regularization=20.0, dislikes="ignore", half_life=float("inf"), feedback_weight=1.0)
DRAW = np.random.default_rng(5)
N_USERS, FACTORS = 30, 4
CORE = Core(
    movie_factors=DRAW.normal(size=(6, FACTORS)).astype(np.float32),
    is_trained=np.array([True, True, True, False, False, False]),
    user_gram=np.diag([9.0, 7.0, 5.0, 3.0]),
)
CONTENT = Content(
    year=[1994, 1996, None, 1999, 1951, None],
    genres=[["Drama"], ["Comedy"], ["Drama", "War"], ["Drama"], ["War"], []],
)
LIKES = np.array([12, 8, 5, 2, 0, 0])
USERS = DRAW.normal(size=(N_USERS, FACTORS)).astype(np.float32)


def opinions(dislikes: Dislikes) -> OpinionsByMovie:
    """Users 4 and 9 like movie 3, user 7 dislikes it; user 2 dislikes movie 4."""
    user, movie = np.array([9, 2, 4, 7]), np.array([3, 4, 3, 3], dtype=np.int32)
    preference = np.array([2, -2, 1, -1], dtype=np.int8)
    rule = FoldInSettings(alpha=2.0, dislikes=dislikes)
    return OpinionsByMovie.of(user, movie, preference, 6, rule)


def test_a_movie_solves_the_normal_equations_of_the_users_who_liked_it():
    likers = opinions("ignore")
    assert likers.users.tolist() == [4, 9]
    found = movie_vectors(CORE, likers, USERS[likers.users], LIKES, CONTENT, RULE)
    expected = expected_vectors(CONTENT, CORE.movie_factors, CORE.is_trained, LIKES, RULE.regularization)
    X, c = USERS[[4, 9]].astype(np.float64), np.array([1 + 2 * 1, 1 + 2 * 2])
    G = CORE.user_gram + 20 * np.eye(FACTORS)
    y = np.linalg.solve(G + (X.T * (c - 1)) @ X, c @ X + G @ expected[3])
    np.testing.assert_allclose(found.vectors[3], y, rtol=1e-5)
    np.testing.assert_array_equal(found.vectors[:3], CORE.movie_factors[:3])
    np.testing.assert_allclose(found.vectors[4:], expected[4:], rtol=1e-6)
    assert [ORIGINS[one] for one in found.origin] == ["trained"] * 3 + ["folded-in", "content", "content"]


def test_a_dislike_counts_as_training_counts_it():
    as_zero = opinions("zero")
    assert as_zero.users.tolist() == [2, 4, 7, 9]
    rule = FoldInSettings(alpha=2.0, dislikes="zero", half_life=float("inf"), feedback_weight=1.0)
    found = movie_vectors(CORE, as_zero, USERS[as_zero.users], LIKES, CONTENT, rule)
    expected = expected_vectors(CONTENT, CORE.movie_factors, CORE.is_trained, LIKES, rule.regularization)
    X, c, p = USERS[[4, 7, 9]].astype(np.float64), np.array([3.0, 3.0, 5.0]), np.array([1, 0, 1])
    G = CORE.user_gram + 20 * np.eye(FACTORS)
    y = np.linalg.solve(G + (X.T * (c - 1)) @ X, (c * p) @ X + G @ expected[3])
    np.testing.assert_allclose(found.vectors[3], y, rtol=1e-5)
    assert [ORIGINS[one] for one in found.origin[3:]] == ["folded-in", "folded-in", "content"]


def test_without_movies_outside_the_core_the_factors_stay():
    core = Core(CORE.movie_factors, np.ones(6, dtype=bool), CORE.user_gram)
    found = movie_vectors(core, opinions("ignore"), USERS[:2], LIKES, CONTENT, RULE)
    assert found.vectors is CORE.movie_factors
    assert not found.origin.any()


def test_what_content_lets_one_expect_is_the_regression_by_hand():
    # Features: one, decade 195, 199, genre Comedy, Drama, War; of the trained movies, weighted by likes.
    F = np.array([[1, 0, 1, 0, 1, 0], [1, 0, 1, 1, 0, 0], [1, 0, 0, 0, 1, 1]], dtype=float)
    others = np.array([[1, 0, 1, 0, 1, 0], [1, 1, 0, 0, 0, 1], [1, 0, 0, 0, 0, 0]], dtype=float)
    w, Y = np.diag([12.0, 8, 5]), CORE.movie_factors[:3].astype(np.float64)
    per_like = np.linalg.solve(F.T @ w @ F + 10 * 25 / 3 * np.eye(6), F.T @ w @ (Y / np.array([[12], [8], [5]])))
    found = expected_vectors(CONTENT, CORE.movie_factors, CORE.is_trained, LIKES, 80.0)
    np.testing.assert_allclose(found[3:], 8 * others @ per_like, rtol=1e-9)  # λ 80: √4 times the 4 likes of λ 20


def test_columns_of_the_movies_file_are_features_if_enough_movies_share_a_value():
    details = [{"director": "A | B", "length": str(100 + row)} for row in range(5)] + [{"director": "A"}, None]
    content = Content([None] * 7, [[]] * 7, details)
    assert content.features().tolist() == [[1, 1, 1]] * 5 + [[1, 1, 0], [1, 0, 0]]
    assert Content([None] * 7, [["X"]] * 7).features().shape == (7, 2)


def test_evidence_is_the_part_of_a_vector_that_comes_from_likes():
    found = evidence(np.array([0, 4, 12, 1]), np.array([False, False, False, True]), 20.0)
    assert found.tolist() == pytest.approx([0, 0.5, 0.75, 1])
    assert worth_in_likes(20.0) == 4
    assert worth_in_likes(320.0) == 16


# -- such movies in a user's vector ------------------------------------------------------------------------------------


def by_hand(rows: list[int], preferences: list[int], rule: FoldInSettings) -> np.ndarray:
    vectors, trained = CORE.movie_factors.astype(np.float64), CORE.is_trained
    known = [row >= 0 for row in rows]
    ages = [sum(row < 0 or trained[row] for row in rows[place + 1 :]) for place in range(len(rows))]
    weight = [1.0 if trained[row] else 0.5 for row in rows]
    c = [
        1 + rule.alpha * abs(p) * rule.feedback_weight * 0.5 ** (age / rule.half_life) * v
        for p, age, v in zip(preferences, ages, weight, strict=True)
    ]
    Y = vectors[trained]
    A, b = Y.T @ Y + rule.regularization * np.eye(FACTORS), np.zeros(FACTORS)
    for row, p, weight_of, is_known in zip(rows, preferences, c, known, strict=True):
        if is_known:
            A += (weight_of - 1) * np.outer(vectors[row], vectors[row])
            b += weight_of * (p > 0) * vectors[row]
    return np.linalg.solve(A, b)


HISTORIES = [
    ([0, 3, 1, 4, 2], [1, 2, -1, -2, 2]),
    ([3, 4], [1, 2]),
    ([5], [2]),
    ([0, -1, 3, 1], [1, 2, 1, 2]),
    ([1], [-2]),
]


def test_opinions_on_them_weigh_half_and_make_nothing_older():
    rule = FoldInSettings(half_life=3.0)
    fold_in = FoldIn(CORE.movie_factors, rule, CORE.is_trained)
    rows = [np.array(own, dtype=np.int32) for own, _ in HISTORIES]
    preferences = [np.array(own, dtype=np.int8) for _, own in HISTORIES]
    expected = [by_hand(own, said, rule) for own, said in HISTORIES]
    for own, said, vector in zip(rows, preferences, expected, strict=True):
        np.testing.assert_allclose(fold_in.user_vector(own, said), vector, atol=1e-5)
    indptr = np.cumsum([0, *map(len, rows)])
    together = fold_in.user_vectors(indptr, np.concatenate(rows), np.concatenate(preferences))
    np.testing.assert_allclose(together, expected, atol=1e-5)


def test_a_score_is_the_sum_of_what_each_like_adds_with_such_movies_too():
    fold_in = FoldIn(CORE.movie_factors, FoldInSettings(), CORE.is_trained)
    rows, preferences = (np.array(one) for one in HISTORIES[0])
    vector = fold_in.user_vector(rows.astype(np.int32), preferences.astype(np.int8))
    for movie in range(6):
        parts = fold_in.contributions(movie, rows.astype(np.int32), preferences.astype(np.int8))
        assert parts.liked.sum() == pytest.approx(float(vector @ CORE.movie_factors[movie]), abs=1e-5)


def test_long_histories_in_a_block_are_those_solved_alone():
    rule = FoldInSettings(half_life=1.0)
    fold_in = FoldIn(CORE.movie_factors, rule, CORE.is_trained)
    rows = DRAW.integers(0, 6, size=900).astype(np.int32)
    preferences = DRAW.choice([-2, -1, 1, 2], size=900).astype(np.int8)
    together = fold_in.user_vectors(np.array([0, 300, 900]), rows, preferences)
    for own, vector in ((slice(0, 300), together[0]), (slice(300, 900), together[1])):
        np.testing.assert_allclose(vector, fold_in.user_vector(rows[own], preferences[own]), atol=4e-5)
