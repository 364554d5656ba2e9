"""The one place where scores become a ranked list, for serving and for evaluation alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def top_n(scores: NDArray[np.floating], n: int, candidates: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
    """Rank the best-scored movies of one list.

    Parameters
    ----------
    scores
        A score a movie, (movies,). NaN and −∞ mean that a movie cannot be recommended.
    n
        How many movies are wanted.
    candidates
        Which movies may be listed, bool (movies,); all by default.

    Returns
    -------
    ndarray
        Movie rows, best first, at most n of them. Equal scores rank by row, so the order is total; nothing is padded.
    """
    usable = scores > -np.inf  # False for NaN, too
    if candidates is not None:
        usable &= candidates
    rows = np.flatnonzero(usable)
    values = scores[rows]
    if n <= 0:
        return rows[:0]
    if n < len(rows):
        threshold = np.partition(values, len(rows) - n)[len(rows) - n]
        keep = values >= threshold
        rows, values = rows[keep], values[keep]
    # A stable sort on falling scores leaves equal scores in the order of their rows.
    return rows[np.argsort(-values, kind="stable")[:n]]


def top_n_rows(scores: NDArray[np.float32], n: int) -> NDArray[np.int64]:
    """Rank many lists at once, by the rules of `top_n`.

    Parameters
    ----------
    scores
        Float32 (lists, movies), no NaN; −∞ where a movie must not be listed.
    n
        How many movies are wanted in each list.

    Returns
    -------
    ndarray
        Movie rows, best first, int64 (lists, min(n, movies)); −1 where a list has fewer candidates.
    """
    n_lists, n_movies = scores.shape
    n = min(n, n_movies)
    if n < n_movies:
        rows = np.argpartition(scores, n_movies - n, axis=1)[:, n_movies - n :]
        values = np.take_along_axis(scores, rows, axis=1)
        # Among movies that tie with the last place, a partition picks any: such lists are ranked one by one.
        lowest = values.min(axis=1, keepdims=True)
        tied = np.flatnonzero(
            (np.count_nonzero(scores == lowest, axis=1) > np.count_nonzero(values == lowest, axis=1))
            & (lowest[:, 0] > -np.inf)
        )
    else:
        rows = np.broadcast_to(np.arange(n_movies), (n_lists, n_movies))
        values, tied = scores, np.empty(0, dtype=np.int64)
    order = np.lexsort((rows, -values), axis=1)
    ranked = np.take_along_axis(rows, order, axis=1)
    ranked[np.take_along_axis(values, order, axis=1) == -np.inf] = -1
    for row in tied:
        ranked[row] = top_n(scores[row], n)
    return ranked


def places(
    scores: NDArray[np.float32], movie_idx: NDArray[np.integer], candidates: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Where one movie of each list stands by the rules of `top_n`, without ranking the others.

    Parameters
    ----------
    scores
        Float32 (lists, movies), no NaN.
    movie_idx
        The movie to be found in each list, (lists,); a candidate with a score above −∞.
    candidates
        Which movies may be listed, bool (lists, movies).

    Returns
    -------
    ndarray
        Number of candidates that rank before it, int64 (lists,).
    """
    own = np.take_along_axis(scores, movie_idx[:, None], axis=1)
    earlier_row = np.arange(scores.shape[1]) < movie_idx[:, None]
    before = (scores > own) | ((scores == own) & earlier_row)
    count: NDArray[np.int64] = np.count_nonzero(before & candidates, axis=1)
    return count
