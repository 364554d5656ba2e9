"""The one place where scores become a ranked list, for serving and for evaluation alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# How far scores are narrowed down before they are ranked: groups of movies per rank of the list.
_GROUPS_PER_RANK = 8


def top_n(scores: NDArray[np.floating], n: int, candidates: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
    """Rank the best-scored movies of one list.

    Parameters
    ----------
    scores
        One score per movie, (movies,). NaN and −∞ mean that a movie cannot be recommended.
    n
        Length of the list.
    candidates
        Which movies may be listed, bool (movies,); all by default.

    Returns
    -------
    ndarray
        Movie rows, best first, at most n, without padding. Equal scores rank by row, so the order is total.
    """
    if n <= 0:
        return np.empty(0, dtype=np.int64)
    if candidates is not None:
        scores = np.where(candidates, scores, -np.inf)
    least = np.finfo(scores.dtype).min
    if _GROUPS_PER_RANK * n < len(scores):
        # As in `top_n_rows`: at least n movies reach the n-th highest maximum of the groups, and few others do.
        n_groups = _GROUPS_PER_RANK * n
        in_groups = scores[: len(scores) // n_groups * n_groups].reshape(-1, n_groups)
        maxima = in_groups.max(axis=0)
        if np.isnan(maxima).any():
            maxima = np.where(np.isnan(in_groups), -np.inf, in_groups).max(axis=0)
        least = max(least, np.partition(maxima, n_groups - n)[n_groups - n])
    rows = np.flatnonzero(scores >= least)  # neither −∞ nor NaN
    values = scores[rows]
    if n < len(rows):
        keep = values >= np.partition(values, len(rows) - n)[len(rows) - n]
        rows, values = rows[keep], values[keep]
    # A stable sort by descending score leaves equal scores in row order.
    return rows[np.argsort(-values, kind="stable")[:n]]


def top_n_rows(scores: NDArray[np.float32], n: int) -> NDArray[np.int64]:
    """Rank many lists at once, by the rules of `top_n`.

    Parameters
    ----------
    scores
        Float32 (lists, movies), no NaN; −∞ where a movie must not be listed.
    n
        Length of each list.

    Returns
    -------
    ndarray
        Movie rows, best first, int64 (lists, min(n, movies)); −1 where a list has fewer candidates.
    """
    n_lists, n_movies = scores.shape
    n = min(n, n_movies)
    if not (n_lists and n):
        return np.empty((n_lists, n), dtype=np.int64)
    # At least n movies reach the n-th highest of the groups' maxima. With many more groups than ranks, few others do.
    # Reading the scores twice to find that threshold is cheaper than partitioning them.
    n_groups = min(_GROUPS_PER_RANK * n, n_movies)
    size = n_movies // n_groups
    maxima = scores[:, : size * n_groups].reshape(n_lists, size, n_groups).max(axis=1)
    reached = np.partition(maxima, n_groups - n, axis=1)[:, n_groups - n, None]
    is_candidate = scores >= np.maximum(reached, np.finfo(scores.dtype).min)  # never −∞
    lists, movies = np.divmod(np.flatnonzero(is_candidate), n_movies)
    counts = np.bincount(lists, minlength=n_lists)
    # A list in which many movies tie with the last rank is ranked on its own.
    crowded = np.flatnonzero(counts > _GROUPS_PER_RANK * n)
    if len(crowded):
        others = ~np.isin(lists, crowded)
        lists, movies = lists[others], movies[others]
        counts[crowded] = 0

    # The candidates of a list are in row order, and a stable sort leaves equal scores that way.
    position = np.arange(len(lists)) - np.repeat(np.cumsum(counts) - counts, counts)
    width = max(n, int(counts.max()))
    candidates = np.full((n_lists, width), -1, dtype=np.int64)
    candidates[lists, position] = movies
    values = np.full((n_lists, width), -np.inf, dtype=scores.dtype)
    values[lists, position] = scores[lists, movies]
    ranked = np.take_along_axis(candidates, np.argsort(-values, axis=1, kind="stable")[:, :n], axis=1)
    for row in crowded.tolist():
        ranked[row] = top_n(scores[row], n)
    return ranked


def ranks_of(
    scores: NDArray[np.float32], movie_idx: NDArray[np.integer], candidates: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Rank of one movie of each list by the rules of `top_n`, without ranking the others.

    Parameters
    ----------
    scores
        Float32 (lists, movies), no NaN.
    movie_idx
        The movie to find in each list, (lists,). It must be a candidate with a score above −∞.
    candidates
        Which movies may be listed, bool (lists, movies).

    Returns
    -------
    ndarray
        From 1, int64 (lists,).
    """
    own = np.take_along_axis(scores, movie_idx[:, None], axis=1)
    earlier_row = np.arange(scores.shape[1]) < movie_idx[:, None]
    before = (scores > own) | ((scores == own) & earlier_row)
    count: NDArray[np.int64] = np.count_nonzero(before & candidates, axis=1)
    return count + 1
