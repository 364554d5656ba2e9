"""The verdict of the gate: by hand, by laws, and its error rates on users who are drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mlrec.evaluation.estimates import Difference
from mlrec.evaluation.verdict import Decision, bootstrap_for, decide, users_needed, verdict_of
from tests.figures import bounds

RANK = {"publish": 0, "too-few-users": 1, "worse": 2}


def decided(new, published, largest_loss=0.05) -> Decision:
    new, published = (np.asarray(values, dtype=float) for values in (new, published))
    return decide(new, published, largest_loss, bootstrap_for(len(new), 2000, 42))


@pytest.mark.parametrize(
    ("value", "low", "high", "p", "verdict"),
    [
        (0.000, -0.009, 0.009, 1.0, "publish"),  # a loss of .01 is excluded
        (-0.004, -0.008, -0.001, 0.01, "publish"),  # there is a loss, and it is small for certain
        (0.000, -0.011, 0.011, 1.0, "too-few-users"),
        (-0.012, -0.030, 0.005, 0.2, "too-few-users"),  # the gate of earlier versions published this
        (-0.012, -0.022, -0.001, 0.03, "worse"),
        (-0.050, -0.070, -0.030, 0.001, "worse"),
        (0.035, -0.005, 0.075, 0.09, "too-few-users"),  # wider than three margins to either side
        (0.045, 0.005, 0.085, 0.03, "too-few-users"),
        (0.060, 0.020, 0.100, 0.002, "publish"),  # wide, but ahead for certain
        (-0.050, -0.090, -0.010, 0.002, "worse"),
    ],
)
def test_verdicts_with_a_margin_of_one_hundredth(value, low, high, p, verdict):
    assert verdict_of(Difference(value, low, high, p), 0.01) == verdict


def test_without_an_interval_nothing_is_known():
    assert verdict_of(Difference(0.5, None, None, None), 0.01) == "too-few-users"


figures = st.floats(-1, 1, allow_subnormal=False)


@st.composite
def leads(draw) -> Difference:
    low, value, high = sorted(draw(st.tuples(figures, figures, figures)))
    return Difference(value, low, high, draw(st.floats(0, 1)))


@given(leads(), st.floats(0, 1), st.floats(0, 1))
def test_who_accepts_a_larger_loss_gets_no_stricter_verdict(lead, margin, more):
    assert RANK[verdict_of(lead, margin + more)] <= RANK[verdict_of(lead, margin)]


@given(leads(), st.floats(0, 1), st.floats(0, 1))
def test_a_model_that_is_better_gets_no_stricter_verdict(lead, margin, more):
    moved = replace(lead, value=lead.value + more, low=lead.low + more, high=lead.high + more)
    if lead.value <= 0:  # beyond 0, a larger lead has a smaller p
        assert RANK[verdict_of(moved, margin)] <= RANK[verdict_of(lead, margin)]


@given(leads(), st.floats(0, 1))
def test_what_is_published_cannot_be_worse_by_more_than_the_margin(lead, margin):
    if verdict_of(lead, margin) == "publish":
        assert lead.low > -margin


def test_two_users_with_empty_lists_know_nothing():
    found = decided([0, 0], [0, 0])
    assert found == Decision("too-few-users", found.difference, 0.0, 2, 0, None)
    assert bounds(found.difference)[0] < -0.5


@pytest.mark.parametrize("new", [0.0, 0.4, 1.0])
def test_one_user_decides_nothing(new):
    found = decided([new], [0.4])
    assert (found.verdict, found.users_needed) == ("too-few-users", None)


def test_models_that_agree_on_many_users_are_equal_and_on_few_one_cannot_know():
    published = np.tile([0.0, 0.0, 0.3], 200)
    assert decided(published, published).verdict == "publish"
    few = decided(published[:60], published[:60])
    assert (few.verdict, few.users_who_differ) == ("too-few-users", 0)
    # Two made-up users with ±.3: √2 · .3 / n = .05 · .1 / 2.802 at n = 237.8.
    assert few.users_needed == 240


def test_four_losers_among_fifty_may_be_chance():
    """A sign test agrees: four of four have a probability of 6%. The plain bootstrap would be certain."""
    published = np.tile([0.0, 0.5], 25)
    new = published.copy()
    new[[1, 3, 5, 7]] = 0.2
    assert decided(new, published).verdict == "too-few-users"


def test_whoever_finds_something_where_the_published_model_finds_nothing_is_published():
    assert decided(np.tile([0.0, 0.3], 100), np.zeros(200)).verdict == "publish"
    assert decided(np.zeros(200), np.zeros(200)).verdict == "too-few-users"


def test_four_times_as_many_such_users_halve_the_interval():
    """Or a little more, because the made-up users count less among many."""
    draw = np.random.default_rng(1)
    published = draw.random(400)
    new = published + draw.normal(0, 0.1, 400)
    once, often = (bounds(decided(np.tile(new, n), np.tile(published, n)).difference) for n in (1, 4))
    assert 0.44 < (often[1] - often[0]) / (once[1] - once[0]) < 0.51


def test_the_users_needed_by_hand():
    gaps = np.tile([0.1, -0.1], 50)
    # The standard error has to be .02 / 2.802 = .00714: .01 / n + 2 · .09 / n² = .00714² at n = 212.9.
    assert users_needed(gaps, 0.3, 0.02) == 220
    # A sure loss is nearer than a loss within the margin: .015 / 2.802 = .00535, at n = 365.9.
    assert users_needed(gaps - 0.015, 0.3, 0.02) == 370
    # Precise to three margins: 3 · .001 / 1.96 = .00153, at n = 4,287.
    assert users_needed(gaps + 0.005, 0.3, 0.001) == 4_300
    # Ahead with p = .002, which is nearer: .02 / 3.932 = .00509, at n = 403.6.
    assert users_needed(gaps + 0.02, 0.3, 0.001) == 410
    assert users_needed(np.zeros(50), 1.0, 0.0) is None


def equal_and_worse(
    n_users: int, lost: float, draw: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Figures of two models that are equal but for a loss: a share of users finds nothing with the new one."""
    published = np.where(draw.random(n_users) < 0.4, draw.random(n_users) * 0.6, 0)
    new = np.where(draw.random(n_users) < 0.15, published[draw.permutation(n_users)], published)
    return np.where(draw.random(n_users) < lost, 0, new), published


@pytest.mark.parametrize("n_users", [60, 300])
def test_few_equal_models_are_refused_and_hardly_a_large_loss_is_missed(n_users):
    draw, bootstrap = np.random.default_rng(n_users), bootstrap_for(n_users, 2000, 42)
    equal, worse = (
        [decide(*equal_and_worse(n_users, lost, draw), 0.05, bootstrap).verdict for _ in range(300)]
        for lost in (0.0, 0.1)
    )
    assert equal.count("worse") <= 15
    assert worse.count("publish") <= 0.05 * (worse.count("publish") + worse.count("worse"))
    assert worse.count("worse") > equal.count("worse")


def test_the_users_who_would_do_mostly_do():
    draw = np.random.default_rng(3)
    first = decide(*equal_and_worse(150, 0.0, draw), 0.05, bootstrap_for(150, 2000, 42))
    assert first.users_needed is not None
    n_users = first.users_needed
    bootstrap = bootstrap_for(n_users, 2000, 42)
    then = [decide(*equal_and_worse(n_users, 0.0, draw), 0.05, bootstrap).verdict for _ in range(60)]
    assert then.count("too-few-users") < 30
