"""Runs of equal values."""

from __future__ import annotations

import numpy as np

from mlrec.ranking.runs import run_starts


def test_runs_begin_where_the_value_changes():
    assert run_starts(np.array([3, 3, 1, 1, 1, 3])).tolist() == [0, 2, 5]
    assert run_starts(np.array([], dtype=int)).tolist() == []
