"""Maximal marginal relevance, against its definition written out step by step."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mlrec.ranking.diversity import maximal_marginal_relevance


def by_definition(relevance, traits, n, d):
    relevance = np.array(relevance, dtype=float)
    span = relevance.max() - relevance.min() or 1.0
    scaled = (relevance - relevance.min()) / span

    def similarity(i, j):
        size = np.linalg.norm(traits[i]) * np.linalg.norm(traits[j])
        return float(traits[i] @ traits[j] / size) if size else 0.0

    picked: list[int] = []
    while len(picked) < min(n, len(relevance)):
        values = {
            i: (1 - d) * scaled[i] - (d * max(similarity(i, j) for j in picked) if picked else 0.0)
            for i in range(len(relevance))
            if i not in picked
        }
        best = max(values.values())
        picked.append(min(i for i, value in values.items() if value >= best - 1e-12))
    return picked


@given(
    st.lists(st.integers(0, 20), min_size=1, max_size=8),
    arrays.arrays(np.float64, (8, 2), elements=st.sampled_from([-1.0, 0.0, 1.0])),
    st.integers(1, 10),
    st.sampled_from([0.1, 0.37, 0.5, 0.83, 1.0]),
)
def test_it_picks_what_the_definition_picks(relevance, traits, n, d):
    relevance = sorted(relevance, reverse=True)
    values = np.array(relevance, dtype=np.float32)
    found = maximal_marginal_relevance(values, traits[: len(values)], n, d).tolist()
    expected = by_definition(relevance, traits, n, d)
    assert len(found) == len(set(found)) == min(n, len(values))
    # Values that are equal on paper may differ in the last bit: then another pick is as good.
    assert found == expected or np.isclose(worth(found, values, traits, d), worth(expected, values, traits, d)).all()


def worth(picked, relevance, traits, d):
    scaled = (relevance - relevance.min()) / (np.ptp(relevance) or 1.0)
    norms = np.linalg.norm(traits, axis=1, keepdims=True)
    unit = np.divide(traits, norms, out=np.zeros_like(traits), where=norms > 0)
    return [
        (1 - d) * scaled[i] - (d * max(unit[i] @ unit[j] for j in picked[:place]) if place else 0)
        for place, i in enumerate(picked)
    ]


def test_none_keeps_the_order_and_all_of_it_avoids_similarity():
    relevance = np.array([4.0, 3.0, 2.0, 1.0])
    traits = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    assert maximal_marginal_relevance(relevance, traits, 4, 0.0).tolist() == [0, 1, 2, 3]
    assert maximal_marginal_relevance(relevance, traits, 3, 1.0).tolist() == [0, 3, 2]
    assert maximal_marginal_relevance(relevance[:0], traits[:0], 3, 0.5).tolist() == []
