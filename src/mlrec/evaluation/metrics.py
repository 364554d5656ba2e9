"""Ranking metrics per user from the hits in a ranked list. docs/evaluation.md has the formulas and edge cases.

Relevance is binary. `hits` says for each rank whether the movie there is relevant; ranks beyond the end of a shorter
list are misses. `n_relevant` counts all of a user's relevant held-out movies, including those that the model does not
know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Hits = NDArray[np.bool_]
Metric = Callable[[Hits, NDArray[np.int64], int], NDArray[np.float64]]


def recall_at_k(hits: Hits, n_relevant: NDArray[np.int64], k: int) -> NDArray[np.float64]:
    """Return the share of the relevant movies that are among the first k.

    Parameters
    ----------
    hits
        bool (users, ranks): at least k ranks, or the whole catalogue.
    n_relevant
        int64 (users,), each at least 1.
    k
        Cutoff.

    Returns
    -------
    ndarray
        float64 (users,).
    """
    return np.asarray(hits[:, :k].sum(axis=1) / n_relevant, dtype=np.float64)


def capped_recall_at_k(hits: Hits, n_relevant: NDArray[np.int64], k: int) -> NDArray[np.float64]:
    """Return recall with a divisor of at most k, so that a list full of hits has 1 (Liang et al. 2018, section 4.2)."""
    return np.asarray(hits[:, :k].sum(axis=1) / np.minimum(n_relevant, k), dtype=np.float64)


def precision_at_k(hits: Hits, n_relevant: NDArray[np.int64], k: int) -> NDArray[np.float64]:  # noqa: ARG001
    """Return the share of the first k ranks that are relevant. The divisor is k even for a shorter list."""
    return np.asarray(hits[:, :k].sum(axis=1) / k, dtype=np.float64)


def ndcg_at_k(hits: Hits, n_relevant: NDArray[np.int64], k: int) -> NDArray[np.float64]:
    """Return the discounted cumulative gain divided by that of the ideal list (Järvelin & Kekäläinen 2002).

    The gain is binary and the discount 1 / log2(rank + 1). The ideal list has min(k, n_relevant) hits at the top.
    """
    return _dcg(hits, k) / _ideal_dcg(np.minimum(n_relevant, k))


def published_ndcg_at_k(hits: Hits, n_relevant: NDArray[np.int64], k: int) -> NDArray[np.float64]:  # noqa: ARG001
    """Return NDCG relative to the ideal order of the *retrieved* hits, as the publication of the baseline computed it.

    It does not count relevant movies that are missing from the list, so it is two to four times too high. Use it only
    to compare with the published figures.
    """
    n_hits = hits[:, :k].sum(axis=1)
    return np.where(n_hits > 0, _dcg(hits, k) / _ideal_dcg(np.maximum(n_hits, 1)), 0.0)


def average_precision_at_k(hits: Hits, n_relevant: NDArray[np.int64], k: int) -> NDArray[np.float64]:
    """Return the sum of the precisions at the ranks of the hits among the first k, divided by `n_relevant`."""
    found = hits[:, :k]
    precisions = np.cumsum(found, axis=1) / np.arange(1, found.shape[1] + 1)
    return np.asarray((precisions * found).sum(axis=1) / n_relevant, dtype=np.float64)


def reciprocal_rank_at_k(hits: Hits, n_relevant: NDArray[np.int64], k: int) -> NDArray[np.float64]:  # noqa: ARG001
    """Return 1 / rank of the first hit, or 0 if there is no hit among the first k."""
    found = hits[:, :k]
    if not found.shape[1]:
        return np.zeros(len(hits))
    rank = np.argmax(found, axis=1) + 1.0
    return np.where(found.any(axis=1), 1.0 / rank, 0.0)


def hit_rate_at_k(hits: Hits, n_relevant: NDArray[np.int64], k: int) -> NDArray[np.float64]:  # noqa: ARG001
    """Return 1 if there is a hit among the first k, else 0."""
    return np.asarray(hits[:, :k].any(axis=1), dtype=np.float64)


METRICS: Mapping[str, Metric] = {
    "recall": recall_at_k,
    "precision": precision_at_k,
    "ndcg": ndcg_at_k,
    "map": average_precision_at_k,
    "mrr": reciprocal_rank_at_k,
    "hit_rate": hit_rate_at_k,
}
PUBLISHED_METRICS: Mapping[str, Metric] = {"published_ndcg": published_ndcg_at_k}
HELD_OUT_USERS_METRICS: Mapping[str, Metric] = {"capped_recall": capped_recall_at_k}


def _dcg(hits: Hits, k: int) -> NDArray[np.float64]:
    n_ranks = min(k, hits.shape[1])
    return np.asarray(hits[:, :k] @ _discounts(n_ranks))


def _ideal_dcg(n_hits: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.cumsum(_discounts(int(n_hits.max(initial=1))))[n_hits - 1]


def _discounts(n_ranks: int) -> NDArray[np.float64]:
    return 1.0 / np.log2(np.arange(2, n_ranks + 2))
