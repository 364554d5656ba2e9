"""Runs of equal values, and the order of values."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mlrec.ranking.runs import run_starts, stable_order


def test_runs_begin_where_the_value_changes():
    assert run_starts(np.array([3, 3, 1, 1, 1, 3])).tolist() == [0, 2, 5]
    assert run_starts(np.array([], dtype=int)).tolist() == []


numbers = st.integers(-3, 3) | st.integers(-(2**40), 2**40) | st.integers(-(2**63), 2**63 - 1)


@given(st.lists(numbers, max_size=60))
def test_the_order_is_that_of_a_stable_sort(values):
    """Also where there are ties, negative values, and values too large to carry a position."""
    array = np.array(values, dtype=np.int64)
    assert stable_order(array).tolist() == np.argsort(array, kind="stable").tolist()


@given(st.lists(st.integers(-(2**31), 2**31 - 1), max_size=60))
def test_narrow_integers_are_ordered_too(values):
    array = np.array(values, dtype=np.int32)
    assert stable_order(array).tolist() == np.argsort(array, kind="stable").tolist()
