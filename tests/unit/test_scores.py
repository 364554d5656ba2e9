"""Scores and filters, by hand."""

from __future__ import annotations

import numpy as np

from mlrec.ranking.filters import by_genre, by_years, without
from mlrec.ranking.scores import movie_similarity, popularity_scores, user_scores

FACTORS = np.array([[1, 0], [2, 0], [0, 3], [-1, 0], [0, 0]], dtype=np.float32)


def test_user_scores_are_inner_products():
    assert user_scores(np.array([2, 1], dtype=np.float32), FACTORS).tolist() == [2, 4, 3, -2, 0]


def test_similarity_is_the_cosine_and_leaves_out_the_movie_itself():
    similarity = movie_similarity(0, FACTORS)
    assert similarity[1:4].tolist() == [1, 0, -1]
    assert np.isnan(similarity[[0, 4]]).all()


def test_similarity_rises_where_likes_go_together():
    between = np.array([0, 0, 0.03, 0.2, 0], dtype=np.float32)
    similarity = movie_similarity(0, FACTORS, between=between)
    # c + (1 − c) · (1 − exp(−10 b)), with cosines of 1, 0 and −1.
    np.testing.assert_allclose(similarity[1:4], [1, 1 - np.exp(-0.3), -1 + 2 * (1 - np.exp(-2))], atol=1e-6)


def test_popularity_ranks_by_likes_then_by_row():
    scores = popularity_scores(np.array([5, 9, 5, 0]))
    assert np.argsort(-scores).tolist() == [1, 0, 2, 3]
    assert len(set(scores.tolist())) == 4


def test_filters():
    genres = [["Comedy"], ["Sci-Fi", "Drama"], []]
    assert by_genre(genres, "drama").tolist() == [False, True, False]
    assert not by_genre(genres, "Western").any()
    assert by_years(np.array([1989, 1990, 0, 2000]), 1990, 2000).tolist() == [False, True, False, True]
    assert by_years(np.array([1989, 0]), 0, 1989).tolist() == [True, False]
    assert without(3, np.array([1])).tolist() == [True, False, True]
