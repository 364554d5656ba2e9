"""Ranking: a total order, no padding, the same for one list and for many."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mlrec.ranking.top_n import top_n, top_n_rows

# Few distinct values, so that ties are everywhere; −∞ stands for a masked movie.
SCORES = st.sampled_from([-np.inf, -1.0, 0.0, 0.5, 0.5, 2.0])


def by_hand(scores, n):
    rows = [row for row in range(len(scores)) if scores[row] > -np.inf]
    return sorted(rows, key=lambda row: (-scores[row], row))[:n]


@given(arrays(np.float32, st.integers(0, 40), elements=SCORES), st.integers(0, 45))
def test_agrees_with_a_sort_by_score_and_row(scores, n):
    assert top_n(scores, n).tolist() == by_hand(scores, n)


@given(arrays(np.float32, st.tuples(st.integers(1, 6), st.integers(1, 40)), elements=SCORES), st.integers(1, 45))
def test_many_lists_rank_as_each_alone(scores, n):
    for ranked, row in zip(top_n_rows(scores, n), scores, strict=True):
        expected = by_hand(row, n)
        assert ranked.tolist() == expected + [-1] * (len(ranked) - len(expected))


@pytest.mark.parametrize("n", [1, 3, 10, 60])
@pytest.mark.parametrize("distinct", [5, 200, 100_000])
def test_long_lists_rank_as_each_alone(n, distinct):
    random = np.random.default_rng(distinct + n)
    scores = random.integers(distinct, size=(20, 700)).astype(np.float32)
    scores[random.random(scores.shape) < 0.05] = -np.inf
    scores[0] = -np.inf
    scores[1, 5:] = -np.inf
    scores[2] = 1.0
    for ranked, row in zip(top_n_rows(scores, n), scores, strict=True):
        expected = by_hand(row, n)
        assert ranked.tolist() == expected + [-1] * (n - len(expected))


def test_no_list_and_no_place():
    assert top_n_rows(np.zeros((0, 5), np.float32), 3).shape == (0, 3)
    assert top_n_rows(np.zeros((2, 5), np.float32), 0).shape == (2, 0)
    assert top_n_rows(np.zeros((2, 0), np.float32), 3).shape == (2, 0)


def test_candidates_and_nan_are_left_out():
    scores = np.array([5.0, np.nan, 3.0, 4.0])
    assert top_n(scores, 10, np.array([False, True, True, True])).tolist() == [3, 2]


def test_fewer_candidates_give_a_shorter_list():
    assert top_n(np.array([1.0, -np.inf, 2.0]), 10).tolist() == [2, 0]
    assert top_n(np.array([-np.inf]), 3).tolist() == []
