"""One list for several people: the rules by which their scores become one (Masthoff 2011, Group Recommender Systems).

A score predicts a preference on a scale from 0, no meaning, to 1. If it is read as the chance that a person likes the
movie, the product is the chance that all of them do. docs/decisions/0021 has the comparison of the rules.
"""

from __future__ import annotations

from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from mlrec.settings import GroupRule


def group_scores(scores: NDArray[np.float32], rule: GroupRule) -> NDArray[np.float32]:
    """Combine the scores of several people.

    Parameters
    ----------
    scores
        Score of each movie for each person, float32 (people, movies).
    rule
        "multiplicative": the geometric mean. A movie that somebody's score speaks against (0 or less) comes after all
        others, by the lowest score. "average": the mean, and "least-misery": the lowest, both of scores on one scale:
        divided by the root mean square of the person's scores.

    Returns
    -------
    ndarray
        Float32 (movies,). With one person, the order is that of the person's scores.
    """
    match rule:
        case "multiplicative":
            lowest = scores.min(axis=0)
            logs = np.log(np.maximum(scores, np.finfo(np.float32).tiny), dtype=np.float64)
            combined = np.where(lowest > 0, np.exp(logs.mean(axis=0)), lowest)
        case "average":
            combined = np.mean(_on_one_scale(scores), axis=0)
        case "least-misery":
            combined = np.min(_on_one_scale(scores), axis=0)
        case _:
            assert_never(rule)
    return np.asarray(combined, dtype=np.float32)


def _on_one_scale(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    wide = scores.astype(np.float64)
    size = np.sqrt(np.square(wide).mean(axis=1, keepdims=True))
    return np.asarray(np.divide(wide, size, out=np.zeros_like(wide), where=size > 0))
