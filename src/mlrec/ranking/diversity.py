"""Lists that do not repeat themselves: maximal marginal relevance (Carbonell & Goldstein 1998)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray


def maximal_marginal_relevance(
    relevance: NDArray[np.floating],
    traits: NDArray[np.floating],
    n: int,
    diversity: float,
    *,
    picked_before: NDArray[np.floating] | None = None,
    refused_after: Callable[[int], NDArray[np.bool_]] | None = None,
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
    picked_before
        Feature vectors of what the list has already, (picked, dimensions). None: nothing.
    refused_after
        Is told the position of each pick, and returns which candidates the list refuses from now on, bool
        (candidates,). None: the list refuses none.

    Returns
    -------
    ndarray
        Positions among the candidates in the order picked, at most n. Ties go to the earlier candidate.
    """
    n = min(n, len(relevance))
    if n == 0:
        return np.empty(0, dtype=np.int64)
    if diversity == 0.0 and refused_after is None:
        return np.arange(n)
    directions = _directions(traits)
    low, high = float(relevance.min()), float(relevance.max())
    weighted = (1.0 - diversity) * (relevance.astype(np.float64) - low) / (high - low or 1.0)
    nearest = np.full(len(relevance), -np.inf)
    if picked_before is not None and len(picked_before):
        nearest = (directions @ _directions(picked_before).T).max(axis=1).astype(np.float64)
    picked: list[int] = []
    value = weighted if np.isneginf(nearest[0]) else weighted - diversity * nearest
    while len(picked) < n:
        best = int(np.argmax(value))
        if np.isneginf(value[best]):
            break
        picked.append(best)
        weighted[best] = -np.inf
        if refused_after is not None:
            weighted[refused_after(best)] = -np.inf
        nearest = np.maximum(nearest, directions @ directions[best])
        value = weighted - diversity * nearest
    return np.array(picked, dtype=np.int64)


def _directions(traits: NDArray[np.floating]) -> NDArray[np.floating]:
    """Vectors of length 1; a row of zeros stays one."""
    norms = np.linalg.norm(traits, axis=1, keepdims=True)
    return np.asarray(np.divide(traits, norms, out=np.zeros_like(traits), where=norms > 0))
