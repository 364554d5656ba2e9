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
    takes: Callable[[int], bool] | None = None,
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
    takes
        Returns whether the list takes the candidate at a position. It is asked for each candidate in turn, and one that
        it refuses is as if it had not been there. None: the list takes all.

    Returns
    -------
    ndarray
        Positions among the candidates in the order picked, at most n. Ties go to the earlier candidate.
    """
    n = min(n, len(relevance))
    if n == 0:
        return np.empty(0, dtype=np.int64)
    if diversity == 0.0 and takes is None:
        return np.arange(n)
    directions = _directions(traits)
    low, high = float(relevance.min()), float(relevance.max())
    weighted = (1.0 - diversity) * (relevance.astype(np.float64) - low) / (high - low or 1.0)
    nearest = np.full(len(relevance), -np.inf)
    if picked_before is not None and len(picked_before):
        nearest = (directions @ _directions(picked_before).T).max(axis=1).astype(np.float64)
    picked: list[int] = []
    value = weighted.copy() if picked_before is None or not len(picked_before) else weighted - diversity * nearest
    for _ in range(len(relevance)):
        best = int(np.argmax(value))
        weighted[best] = value[best] = -np.inf
        if takes is not None and not takes(best):
            continue
        picked.append(best)
        if len(picked) == n:
            break
        nearest = np.maximum(nearest, directions @ directions[best])
        value = weighted - diversity * nearest
    return np.array(picked, dtype=np.int64)


def _directions(traits: NDArray[np.floating]) -> NDArray[np.floating]:
    """Vectors of length 1; a row of zeros stays one."""
    norms = np.linalg.norm(traits, axis=1, keepdims=True)
    return np.asarray(np.divide(traits, norms, out=np.zeros_like(traits), where=norms > 0))
