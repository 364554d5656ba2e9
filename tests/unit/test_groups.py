"""One list for several people: laws of the rules, and values by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mlrec.ranking.groups import group_scores
from mlrec.settings import GROUP_RULES

scores = arrays(
    np.float32,
    st.tuples(st.integers(1, 4), st.integers(1, 12)),
    elements=st.floats(-1, 1, width=32).filter(lambda value: value == 0 or abs(value) > 1e-3),
)


def test_by_hand():
    two = np.array([[0.4, 0.1, 0.2, -0.1], [0.1, 0.4, 0.3, 0.9]], dtype=np.float32)
    expected = [0.2, 0.2, 0.06**0.5, -0.1]
    np.testing.assert_allclose(group_scores(two, "multiplicative"), expected, rtol=1e-6)
    sizes = [(0.22 / 4) ** 0.5, (1.07 / 4) ** 0.5]
    scaled = two / np.array(sizes)[:, None]
    np.testing.assert_allclose(group_scores(two, "average"), scaled.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(group_scores(two, "least-misery"), scaled.min(axis=0), rtol=1e-5)


@pytest.mark.parametrize("rule", GROUP_RULES)
@given(own=scores)
def test_a_group_of_one_has_the_persons_order(rule, own):
    alone = group_scores(own[:1], rule)
    for first in range(own.shape[1]):
        for second in range(own.shape[1]):
            assert not (own[0, first] > own[0, second] and alone[first] < alone[second])


@pytest.mark.parametrize("rule", GROUP_RULES)
@given(own=scores, factor=st.floats(0.01, 100))
def test_who_scores_higher_throughout_does_not_count_more(rule, own, factor):
    louder = own.copy()
    louder[0] *= np.float32(factor)
    liked = np.all(own > 0, axis=0) if rule == "multiplicative" else np.ones(own.shape[1], dtype=bool)
    before, after = (group_scores(one, rule)[liked] for one in (own, louder))
    # All differences keep their sign, but for rounding.
    was, now = (np.subtract.outer(one, one) for one in (before, after))
    rounding = 1e-4 * max(np.abs(after).max(initial=0), 1e-6)
    assert np.all(now[was > 1e-4 * np.abs(before).max(initial=0)] > -rounding)


@given(own=scores)
def test_nothing_that_somebody_is_against_stands_before_what_all_are_for(own):
    combined = group_scores(own, "multiplicative")
    all_are_for = np.all(own > 0, axis=0)
    assert np.all(combined[all_are_for] > 0)
    assert np.all(combined[~all_are_for] <= 0)
