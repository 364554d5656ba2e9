"""Baselines against other ways to compute them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from mlrec.errors import SettingsError
from mlrec.evaluation.listers import Known, item_weights
from mlrec.model.baselines import SOON, ease, following, item_cosine, latest, likes_matrix
from mlrec.ranking.best_unseen import Seen
from mlrec.ranking.histories import History
from mlrec.ranking.popularity import liked_share


@pytest.fixture
def likes():
    draw = np.random.default_rng(3)
    dense = (draw.random((60, 25)) < draw.random(25)).astype(np.float32)
    dense[:, 7] = 0  # a movie that nobody likes
    return csr_matrix(dense)


def test_ease_is_a_ridge_regression_of_each_movie_on_the_others(likes):
    X = likes.toarray().astype(np.float64)
    B = ease(likes, 5.0, 1)
    assert B.dtype == np.float32
    assert not np.diag(B).any()
    for movie in range(25):
        others = np.delete(X, movie, axis=1)
        expected = np.linalg.solve(others.T @ others + 5.0 * np.eye(24), others.T @ X[:, movie])
        np.testing.assert_allclose(np.delete(B[:, movie], movie), expected, atol=1e-5)


@pytest.mark.parametrize("n_movies", [1, 512, 513])
def test_ease_block_by_block(n_movies):
    """Movies are taken by blocks of 512."""
    X = (np.random.default_rng(n_movies).random((700, n_movies)) < 0.05).astype(np.float64)
    P = np.linalg.inv(X.T @ X + 5.0 * np.eye(n_movies))
    expected = np.eye(n_movies) - P / np.diag(P)
    np.testing.assert_allclose(ease(csr_matrix(X, dtype=np.float32), 5.0, 1), expected, rtol=1e-4, atol=1e-6)


def test_ease_needs_a_regularization_that_tells_movies_apart():
    with pytest.raises(SettingsError, match="ease_regularization 1e-300 is too small"):
        ease(csr_matrix(np.ones((5, 3), dtype=np.float32)), 1e-300, 1)


def test_item_cosine(likes):
    X = likes.toarray().astype(np.float64)
    norms = np.linalg.norm(X, axis=0)
    lengths = np.outer(norms, norms)
    expected = np.divide(X.T @ X, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(item_cosine(likes, 100).toarray(), expected, atol=1e-6)


def test_item_cosine_keeps_the_nearest_of_each_movie(likes):
    full = item_cosine(likes, 100).toarray()
    kept = item_cosine(likes, 3).toarray()
    for movie in (0, 5, 12):
        np.testing.assert_allclose(np.sort(kept[:, movie])[-3:], np.sort(full[:, movie])[-3:], atol=1e-6)
        assert np.count_nonzero(kept[:, movie]) == 3


def test_of_neighbours_as_near_as_each_other_the_first_are_kept():
    likes = csr_matrix(np.array([[1, 1, 1, 1], [0, 1, 1, 1]], dtype=np.float32))
    assert np.flatnonzero(item_cosine(likes, 2).toarray()[:, 3]).tolist() == [1, 2]
    assert np.flatnonzero(item_cosine(likes, 1).toarray()[:, 0]).tolist() == [1]


HISTORY = History(  # of two users; user 1 has events on movies 0 and 1 only
    indptr=np.array([0, 4, 6]),
    movie_idx=np.array([2, 0, 1, 3, 0, 1], np.int32),
    preference=np.array([1, -1, 2, 1, 1, -2], np.int8),
    timestamp=np.zeros(6, np.int64),
    split=np.zeros(6, np.int8),
)


def test_a_like_weighs_half_after_so_many_later_events():
    found = likes_matrix(HISTORY, 4, half_life=2).toarray()
    np.testing.assert_allclose(found, [[0, 0.5**0.5, 0.5**1.5, 1], [0.5**0.5, 0, 0, 0]], rtol=1e-6)
    assert likes_matrix(HISTORY, 4).toarray().tolist() == [[0, 1, 1, 1], [1, 0, 0, 0]]


def test_what_followed_what():
    """Likes that came after an event of the same user: 2→1, 2→3, 0→1, 0→3 and 1→3. Nobody liked what came after 3."""
    n_after, n_of = {2: 2, 0: 2, 1: 1}, {1: 2, 3: 3}
    expected = np.zeros((4, 4))
    for first, then in ((2, 1), (2, 3), (0, 1), (0, 3), (1, 3)):
        expected[first, then] = 1 / np.sqrt(n_after[first] * n_of[then])
    np.testing.assert_allclose(following(HISTORY, 4).toarray(), expected, rtol=1e-6)
    np.testing.assert_allclose(latest(HISTORY, 4).toarray(), [[1 / 3, 1 / 2, 1 / 4, 1], [1 / 2, 1, 0, 0]], rtol=1e-6)


def test_only_what_comes_within_twenty_events_counts():
    n = SOON + 2
    history = replace(
        HISTORY,
        indptr=np.array([0, n]),
        movie_idx=np.arange(n, dtype=np.int32),
        preference=np.ones(n, np.int8),
    )
    assert following(history, n).toarray()[0].nonzero()[0].tolist() == list(range(1, SOON + 1))
    assert latest(history, n).toarray()[0].nonzero()[0].tolist() == list(range(2, n))


def test_likes_are_what_is_liked_and_has_a_row():
    history = History(
        indptr=np.array([0, 3, 3, 5]),
        movie_idx=np.array([2, 0, -1, 1, 2], np.int32),
        preference=np.array([1, -1, 2, 2, 1], np.int8),
        timestamp=np.zeros(5, np.int64),
        split=np.zeros(5, np.int8),
    )
    assert likes_matrix(history, 3).toarray().tolist() == [[0, 0, 1], [0, 0, 0], [0, 1, 1]]


def test_users_without_a_known_like_get_the_popular_list():
    history = History(
        indptr=np.array([0, 1, 2, 2]),
        movie_idx=np.array([2, 0], np.int32),
        preference=np.array([1, -1], np.int8),
        timestamp=np.zeros(2, np.int64),
        split=np.zeros(2, np.int8),
    )
    popularity = np.array([7, 5, 1])
    known = Known(history, history, popularity, liked_share(popularity, 9), None, [[]] * 3, np.ones(3, dtype=bool))
    weights = np.array([[0, 1, 2], [3, 0, 4], [5, 6, 0]], np.float32)
    for given in (weights, csr_matrix(weights)):
        lister = item_weights(known, likes_matrix(history, 3), given)
        nothing = Seen(np.empty(0, np.int64), np.empty(0, np.int32))
        ranked = lister(np.array([0, 1, 2]), nothing, 3)
        assert ranked.tolist() == [[1, 0, 2], [0, 1, 2], [0, 1, 2]]
        assert lister(np.array([0]), Seen(np.array([0]), np.array([1], np.int32)), 3).tolist() == [[0, 2, -1]]
