"""Lists that do not repeat themselves: maximal marginal relevance (Carbonell & Goldstein 1998)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def maximal_marginal_relevance(
    relevance: NDArray[np.floating], traits: NDArray[np.floating], n: int, diversity: float
) -> NDArray[np.int64]:
    """Pick movies one by one, each time the one with the highest (1 − d) · relevance − d · similarity.

    Similarity is that to the most similar movie picked before.

    Parameters
    ----------
    relevance
        Scores of the candidates, best first, (candidates,). They are scaled to 0 … 1 here, so that d means the same
        for every user.
    traits
        Feature vectors of the candidates, (candidates, dimensions). Similarity is the cosine of two rows. A row of
        zeros is similar to nothing.
    n
        How many to pick.
    diversity
        d, 0 to 1. 0 keeps the order. With 1, only similarity counts after the first pick.

    Returns
    -------
    ndarray
        Positions among the candidates in the order picked, at most n. Ties go to the earlier candidate.
    """
    n = min(n, len(relevance))
    if diversity == 0.0 or n == 0:
        return np.arange(n)
    norms = np.linalg.norm(traits, axis=1, keepdims=True)
    directions = np.divide(traits, norms, out=np.zeros_like(traits), where=norms > 0)
    low, high = float(relevance.min()), float(relevance.max())
    weighted = (1.0 - diversity) * (relevance.astype(np.float64) - low) / (high - low or 1.0)
    nearest = np.full(len(relevance), -np.inf)
    picked = np.empty(n, dtype=np.int64)
    for position in range(n):
        value = weighted if position == 0 else weighted - diversity * nearest
        best = int(np.argmax(value))
        picked[position] = best
        nearest = np.maximum(nearest, directions @ directions[best])
        weighted[best] = -np.inf
    return picked
