"""Baselines against other ways to compute them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from mlrec.errors import SettingsError
from mlrec.evaluation.listers import Known, item_weights
from mlrec.model.baselines import ease, item_cosine, likes_matrix
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


def test_ease_needs_a_regularization_that_tells_movies_apart():
    with pytest.raises(SettingsError, match="ease_regularization 1e-300 is too small"):
        ease(csr_matrix(np.ones((5, 3), dtype=np.float32)), 1e-300, 1)


def test_item_cosine(likes):
    X = likes.toarray().astype(np.float64)
    norms = np.linalg.norm(X, axis=0)
    lengths = np.outer(norms, norms)
    expected = np.divide(X.T @ X, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    np.testing.assert_allclose(item_cosine(likes, 100, 1).toarray(), expected, atol=1e-6)


def test_item_cosine_keeps_the_nearest_of_each_movie(likes):
    full = item_cosine(likes, 100, 1).toarray()
    kept = item_cosine(likes, 3, 2).toarray()
    for movie in (0, 5, 12):
        np.testing.assert_allclose(np.sort(kept[:, movie])[-4:], np.sort(full[:, movie])[-4:], atol=1e-6)
        assert np.count_nonzero(kept[:, movie]) == 4  # the movie itself among them


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
