"""The second opinion by the documented formula, in plain numpy and one user at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mlrec.ranking.item_item import ItemItem


def dense(item_item: ItemItem) -> np.ndarray:
    """What a like of each movie says about each other movie, (liked movies, movies)."""
    n = len(item_item.indptr) - 1
    B = np.zeros((n, n), dtype=np.float32)
    for movie in range(n):
        own = slice(item_item.indptr[movie], item_item.indptr[movie + 1])
        B[movie, item_item.movie_idx[own]] = item_item.weight[own]
    return B


def likes_by_hand(
    item_item: ItemItem, is_trained: np.ndarray, rows: Sequence[int | None], preferences: Sequence[int]
) -> np.ndarray:
    """The weight of each opinion, in time order; None or −1 is an unknown movie, which makes others older too."""
    half_life, weights = item_item.rule.half_life, np.zeros(len(rows))
    for place, (row, preference) in enumerate(zip(rows, preferences, strict=True)):
        age = sum(later is None or later < 0 or bool(is_trained[later]) for later in rows[place + 1 :])
        if preference > 0 and row is not None and row >= 0 and age <= 5 * half_life:
            weights[place] = 0.5 ** (age / half_life)
    return weights


def personal_by_hand(
    by_vector: np.ndarray,
    item_item: ItemItem,
    B: np.ndarray,
    is_trained: np.ndarray,
    rows: Sequence[int | None],
    preferences: Sequence[int],
) -> np.ndarray:
    """The personal scores of all movies, from those of the user's vector and `dense` B."""
    share = item_item.rule.weight
    second = np.zeros(len(by_vector))
    for row, weight in zip(rows, likes_by_hand(item_item, is_trained, rows, preferences), strict=True):
        if weight and row is not None:
            second += weight * B[row]
    return (1 - share) * by_vector + share * second
