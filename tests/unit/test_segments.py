"""Segments of users and movies, by hand."""

from __future__ import annotations

import numpy as np

from mlrec.evaluation.segments import history_spans, popularity_thirds
from mlrec.evaluation.wording import span_name


def test_thirds_of_all_likes():
    # 12 likes: the first movie has more than a third alone; the next two stand on the borders of the second.
    assert popularity_thirds(np.array([1, 5, 2, 3, 0, 1])).tolist() == [2, 0, 2, 1, 2, 2]
    assert popularity_thirds(np.array([2, 2, 2])).tolist() == [0, 1, 2]
    assert popularity_thirds(np.array([9])).tolist() == [0]
    assert popularity_thirds(np.array([0, 0])).tolist() == [0, 0]


def test_spans_of_history():
    known = np.array([0, 1, 9, 10, 19, 20, 499, 500, 10_000])
    found = {name: np.flatnonzero(chosen).tolist() for name, chosen in history_spans(known)}
    assert found == {
        "0": [0],
        "1 to 9": [1, 2],
        "10 to 19": [3, 4],
        "20 to 49": [5],
        "200 to 499": [6],
        "500 or more": [7, 8],
    }
    assert span_name(1, 2) == "1"
