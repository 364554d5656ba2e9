"""Intervals and p values over users, against plain bootstrap and theory."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mlrec.evaluation.bootstrap import Bootstrap, difference, estimate, ratio
from mlrec.evaluation.estimates import Difference, Estimate, holm
from tests.figures import bounds


@pytest.fixture
def draw():
    return np.random.default_rng(7)


def test_intervals_are_those_of_drawing_users_one_by_one(draw):
    hits, trials = draw.integers(0, 5, 150), draw.integers(1, 30, 150)
    resampled = Bootstrap(150, 4000, 1).ratios(hits, trials)
    plain = []
    for _ in range(4000):
        users = draw.integers(150, size=150)
        plain.append(hits[users].sum() / trials[users].sum())
    ours, theirs = (np.quantile(values, [0.025, 0.975]) for values in (resampled, plain))
    np.testing.assert_allclose(ours, theirs, rtol=0.05)


def test_groups_of_many_users_are_as_wide_as_theory_says(draw):
    values = draw.gamma(0.5, size=30_000)
    found = estimate(float(values.mean()), Bootstrap(30_000, 4000, 3).ratios(values, np.ones(30_000)))
    expected = 2 * 1.96 * values.std() / np.sqrt(30_000)
    low, high = bounds(found)
    assert high - low == pytest.approx(expected, rel=0.08)
    assert low < found.value < high


def test_the_same_seed_gives_the_same_interval(draw):
    values, ones = draw.random(500), np.ones(500)
    first, again, other = (Bootstrap(500, 1000, seed).ratios(values, ones) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_paired_differences_see_the_same_users(draw):
    """What users have in common cancels: two models that differ by a constant differ by it in each sample."""
    values, ones = draw.random(300) * 100, np.ones(300)
    bootstrap = Bootstrap(300, 1000, 1)
    found = difference(0.5, bootstrap.ratios(values + 0.5, ones) - bootstrap.ratios(values, ones))
    assert bounds(found) == pytest.approx((0.5, 0.5))
    assert found.p == pytest.approx(2 / 1001)


def test_no_difference_has_p_one_and_noise_a_large_one(draw):
    assert difference(0.0, np.zeros(1000)).p == 1
    values, ones = draw.normal(0, 1, 400), np.ones(400)
    values -= values.mean()
    p = difference(0.0, Bootstrap(400, 2000, 1).ratios(values, ones)).p
    assert p is not None
    assert p > 0.8


def test_p_is_small_as_often_as_it_should_be(draw):
    """Of experiments without a difference, 5% or so fall below 0.05."""
    below = 0
    for seed in range(300):
        values = draw.normal(0, 1, 60)
        resampled = Bootstrap(60, 1000, seed).ratios(values, np.ones(60))
        p = difference(float(values.mean()), resampled).p
        assert p is not None
        below += p < 0.05
    assert 0.02 <= below / 300 <= 0.10


def test_nothing_over_nothing_is_undefined_and_one_user_has_no_interval():
    assert math.isnan(ratio(np.zeros(3), np.zeros(3)))
    for of_users in (np.zeros(3), np.array([0, 1, 0])):
        resampled = Bootstrap(3, 1000, 1).ratios(np.zeros(3), of_users)
        assert np.isnan(resampled).all()
        assert estimate(0.5, resampled) == Estimate(0.5)
        assert difference(0.5, resampled) == Difference(0.5, None, None, None)
    assert ratio(np.array([1, 2]), np.array([3, 1])) == 0.75


def test_samples_in_which_a_figure_is_undefined_are_left_out():
    """Of three users, two have the figure. Samples without either of them say nothing."""
    resampled = Bootstrap(3, 2000, 1).ratios(np.array([1.0, 2.0, 0.0]), np.array([1.0, 1.0, 0.0]))
    share = np.isnan(resampled).mean()
    assert share == pytest.approx(1 / 27, abs=0.02)
    assert bounds(estimate(1.5, resampled)) == (1.0, 2.0)


def test_holm_by_hand():
    """The smallest of three is tripled, the next doubled, and none gets smaller than one before it."""
    one = {"a": 0.02, "b": 0.01, "c": 0.5, "d": None}
    found = holm({pair: {"ndcg@10": Difference(0.1, 0.0, 0.2, p)} for pair, p in one.items()})
    assert {pair: own["ndcg@10"].p_holm for pair, own in found.items()} == {"a": 0.04, "b": 0.03, "c": 0.5, "d": None}
    assert [pair for pair, own in found.items() if own["ndcg@10"].is_sure] == ["a", "b"]
    tied = holm({pair: {"recall@5": Difference(0.1, 0.0, 0.2, 0.03)} for pair in "ab"})
    assert [own["recall@5"].p_holm for own in tied.values()] == [0.06, 0.06]
