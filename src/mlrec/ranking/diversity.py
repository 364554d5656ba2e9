"""Lists that do not repeat themselves: maximal marginal relevance (Carbonell & Goldstein 1998)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def maximal_marginal_relevance(
    relevance: NDArray[np.floating], traits: NDArray[np.floating], n: int, diversity: float
) -> NDArray[np.int64]:
    """Pick movies one by one: each has the best (1 − d) · relevance − d · (similarity to the nearest one picked).

    Parameters
    ----------
    relevance
        Scores of the candidates, best first, (candidates,). They are scaled to 0 … 1 here, so that d means the same
        for every user.
    traits
        Similarity is the cosine of two rows, (candidates, dimensions). A row of zeros is similar to nothing.
    n
        How many to pick.
    diversity
        d, 0 to 1: 0 keeps the order, 1 looks at similarity alone once the first is picked.

    Returns
    -------
    ndarray
        Positions among the candidates in the order of picking, at most n; ties go to the earlier candidate.
    """
    n = min(n, len(relevance))
    if diversity == 0.0 or n == 0:
        return np.arange(n)
    norms = np.linalg.norm(traits, axis=1, keepdims=True)
    directions = np.divide(traits, norms, out=np.zeros_like(traits), where=norms > 0)
    low, high = float(relevance.min()), float(relevance.max())
    wanted = (1.0 - diversity) * (relevance.astype(np.float64) - low) / (high - low or 1.0)
    nearest = np.full(len(relevance), -np.inf)
    picked = np.empty(n, dtype=np.int64)
    for place in range(n):
        value = wanted if place == 0 else wanted - diversity * nearest
        best = int(np.argmax(value))
        picked[place] = best
        nearest = np.maximum(nearest, directions @ directions[best])
        wanted[best] = -np.inf
    return picked
