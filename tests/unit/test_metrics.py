"""Metrics against values worked out by hand, and the laws they must obey."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlrec.evaluation.metrics import (
    METRICS,
    average_precision_at_k,
    capped_recall_at_k,
    hit_rate_at_k,
    ndcg_at_k,
    precision_at_k,
    published_ndcg_at_k,
    recall_at_k,
    reciprocal_rank_at_k,
)

HIT, MISS = True, False


def hits(*places: bool) -> np.ndarray:
    return np.array([places])


def relevant(n: int) -> np.ndarray:
    return np.array([n])


def test_values_by_hand():
    # Hits at places 1 and 3 of 5; four relevant movies, two of them not found.
    found = hits(HIT, MISS, HIT, MISS, MISS)
    assert recall_at_k(found, relevant(4), 5)[0] == 2 / 4
    assert precision_at_k(found, relevant(4), 5)[0] == 2 / 5
    ideal = 1 + 1 / math.log2(3) + 1 / math.log2(4) + 1 / math.log2(5)
    assert ndcg_at_k(found, relevant(4), 5)[0] == pytest.approx((1 + 1 / 2) / ideal)
    assert published_ndcg_at_k(found, relevant(4), 5)[0] == pytest.approx((1 + 1 / 2) / (1 + 1 / math.log2(3)))


def test_capped_recall_by_hand():
    found = hits(HIT, MISS, HIT)
    assert capped_recall_at_k(found, relevant(5), 2)[0] == 1 / 2  # no more than two could be found
    assert capped_recall_at_k(found, relevant(5), 3)[0] == 2 / 3
    assert capped_recall_at_k(found, relevant(2), 3)[0] == recall_at_k(found, relevant(2), 3)[0] == 1


def test_values_by_hand_of_map_mrr_and_hit_rate():
    found = hits(MISS, HIT, HIT, MISS)
    assert average_precision_at_k(found, relevant(4), 4)[0] == pytest.approx((1 / 2 + 2 / 3) / 4)
    assert average_precision_at_k(found, relevant(4), 2)[0] == pytest.approx((1 / 2) / 4)
    assert reciprocal_rank_at_k(found, relevant(4), 4)[0] == 1 / 2
    assert reciprocal_rank_at_k(found, relevant(4), 1)[0] == 0
    assert (hit_rate_at_k(found, relevant(4), 1)[0], hit_rate_at_k(found, relevant(4), 2)[0]) == (0, 1)


def test_only_the_first_k_places_count():
    found = hits(MISS, MISS, HIT)
    for metric in METRICS.values():
        assert metric(found, relevant(1), 2)[0] == 0
    assert recall_at_k(found, relevant(1), 3)[0] == 1


def test_precision_divides_by_k_even_if_the_list_is_shorter():
    assert precision_at_k(hits(HIT, HIT), relevant(2), 10)[0] == 2 / 10


def test_recall_counts_movies_that_the_model_does_not_know_as_misses():
    assert recall_at_k(hits(HIT, HIT), relevant(3), 10)[0] == 2 / 3


def test_ndcg_is_one_when_the_list_is_full_of_hits_though_more_are_relevant():
    assert ndcg_at_k(hits(HIT, HIT, HIT), relevant(50), 3)[0] == pytest.approx(1)


def test_published_ndcg_forgives_what_the_list_lacks():
    # One hit at the top, nine relevant movies missed: the published figure calls that perfect.
    found = hits(HIT, *[MISS] * 9)
    assert published_ndcg_at_k(found, relevant(10), 10)[0] == 1
    assert ndcg_at_k(found, relevant(10), 10)[0] < 0.23
    assert published_ndcg_at_k(hits(MISS, MISS), relevant(1), 2)[0] == 0


@st.composite
def lists(draw):
    places = draw(st.lists(st.booleans(), min_size=1, max_size=30))
    return np.array([places]), np.array([sum(places) + draw(st.integers(0, 20)) or 1])


@given(lists(), st.integers(1, 40))
def test_all_lie_between_zero_and_one(case, k):
    found, n_relevant = case
    for metric in (*METRICS.values(), published_ndcg_at_k):
        assert 0 <= metric(found, n_relevant, k)[0] <= 1 + 1e-12


@given(lists(), st.integers(1, 29))
def test_recall_never_falls_with_k(case, k):
    found, n_relevant = case
    assert recall_at_k(found, n_relevant, k)[0] <= recall_at_k(found, n_relevant, k + 1)[0]


@given(lists(), st.integers(1, 30))
def test_a_hit_moved_up_never_lowers_ndcg(case, k):
    found, n_relevant = case
    found, n_relevant = case
    better = np.sort(found, axis=1)[:, ::-1]
    assert ndcg_at_k(better, n_relevant, k)[0] >= ndcg_at_k(found, n_relevant, k)[0] - 1e-12


@given(lists(), st.integers(1, 30))
def test_published_ndcg_is_never_below_the_honest_one(case, k):
    found, n_relevant = case
    assert published_ndcg_at_k(found, n_relevant, k)[0] >= ndcg_at_k(found, n_relevant, k)[0] - 1e-12
