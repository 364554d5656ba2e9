"""Scores and filters, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from mlrec.ranking.filters import by_genres, by_years, without
from mlrec.ranking.scores import movie_likeness, popularity_scores, user_scores

FACTORS = np.array([[1, 0], [2, 0], [0, 3], [-1, 0], [0, 0]], dtype=np.float32)


def test_user_scores_are_inner_products():
    assert user_scores(np.array([2, 1], dtype=np.float32), FACTORS).tolist() == [2, 4, 3, -2, 0]


def test_likeness_is_the_cosine_and_leaves_out_the_movie_itself():
    likeness = movie_likeness(0, FACTORS)
    assert likeness[1:4].tolist() == [1, 0, -1]
    assert np.isnan(likeness[[0, 4]]).all()


def test_popularity_ranks_by_likes_then_by_row():
    scores = popularity_scores(np.array([5, 9, 5, 0]))
    assert np.argsort(-scores).tolist() == [1, 0, 2, 3]
    assert len(set(scores.tolist())) == 4


def test_filters():
    genres = [["Comedy"], ["Sci-Fi", "Drama"], []]
    assert by_genres(genres, ["drama", "COMEDY"]).tolist() == [True, True, False]
    assert by_years([1989, 1990, None, 2000], 1990, 2000).tolist() == [False, True, False, True]
    assert without(3, np.array([1])).tolist() == [True, False, True]


@pytest.mark.parametrize("wanted", [[], ["Western"]])
def test_a_genre_that_no_movie_has_leaves_nothing(wanted):
    assert not by_genres([["Comedy"], []], wanted).any()
