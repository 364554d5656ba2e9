"""Learning the item-item weights: how much a like of one movie speaks for another.

A movie's weights are a ridge regression of its likes on those of its nearest movies. With X the likes (users × movies),
G = XᵀX, and N the movies nearest to m,

    w = (G[N, N] + λI)⁻¹ G[N, m]

The nearest are those with the highest cosine, which λ shrinks for movies with few likes. The largest positive weights
are kept. This is EASE (Steck 2019) for each movie's neighbourhood, as in SLIM with feature selection (Ning & Karypis
2011). It needs no inverse of the size of the catalogue, and truncated EASE is not better: docs/decisions/0017.

The counts G take most of the time. So where there are very many, only each user's latest likes count, and only the most
liked movies have weights. `ItemItemSize` says what was left out, and the model records it.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from mlrec.progress import SILENT, Progress
from mlrec.ranking.histories import History, slices
from mlrec.ranking.item_item import ItemItem
from mlrec.ranking.top_n import top_n_rows
from mlrec.settings import ItemItemSettings, item_item_regularization_for

# Movies that a regression looks at, and weights that are kept of it.
_NEAREST = 100
_KEPT = 50
# Pairs of likes that are counted: one second of two processors.
_MOST_PAIRS = 125_000_000
# G in float32: 256 MiB. A count is exact up to 16 million.
_MOST_MOVIES = 8_192
_ROWS = 256


@dataclass(frozen=True)
class ItemItemSize:
    """What the item-item weights were learned from.

    Attributes
    ----------
    movies
        Number of movies: those of the core, or the most liked of them.
    likes_per_user
        How many of each user's likes count at most, the latest. None: all.
    regularization
        λ.
    weights
        Number of weights.
    """

    movies: int
    likes_per_user: int | None
    regularization: float
    weights: int


def learn_item_item(
    history: History,
    is_trained: NDArray[np.bool_],
    rule: ItemItemSettings,
    threads: int,
    progress: Progress = SILENT,
) -> tuple[ItemItem, ItemItemSize]:
    """Learn the weights between the movies of the core.

    Parameters
    ----------
    history
        The events to learn from.
    is_trained
        Which movies are in the core, bool (movies,).
    rule
        How the weights will count.
    threads
        Threads to learn with. BLAS should be limited to one thread meanwhile.
    progress
        Is told how many movies are done.
    """
    liked = np.flatnonzero(history.preference > 0)
    movie_idx = history.movie_idx[liked]
    n_likes = np.bincount(movie_idx[movie_idx >= 0], minlength=len(is_trained)).astype(np.int64)
    chosen = ChosenMovies.of(np.where(is_trained, n_likes, 0))
    columns = chosen.column[movie_idx]
    likes, per_user = _newest(np.searchsorted(liked[columns >= 0], history.indptr), columns[columns >= 0])
    G = counts(likes, len(chosen.movies), threads)
    return weights_of(G, len(likes.column), chosen, per_user, rule, threads, progress)


@dataclass(frozen=True)
class ChosenMovies:
    """The movies that have weights.

    Attributes
    ----------
    movies
        Their rows, the most liked first, (chosen movies,).
    column
        The position of each movie row in `movies`, int32 (all movies + 1,); −1 for others, and for row −1, the last.
    """

    movies: NDArray[np.int64]
    column: NDArray[np.int32]

    @classmethod
    def of(cls, n_likes: NDArray[np.int64]) -> Self:
        """Choose by the number of likes of each movie, (all movies,): 0 for movies outside the core."""
        movies = np.argsort(-n_likes, kind="stable")[: min(int(np.count_nonzero(n_likes)), _MOST_MOVIES)]
        column = np.full(len(n_likes) + 1, -1, dtype=np.int32)
        column[movies] = np.arange(len(movies))
        return cls(movies, column)


class Likes(NamedTuple):
    """The likes that are counted: user row i likes column[indptr[i]:indptr[i + 1]], oldest first."""

    indptr: NDArray[np.int64]
    column: NDArray[np.int32]


def _newest(indptr: NDArray[np.int64], column: NDArray[np.int32]) -> tuple[Likes, int | None]:
    """Keep so many of each user's newest likes that there are not too many pairs, and say how many."""
    lengths = np.diff(indptr)
    per_user = likes_per_user(lengths)
    if per_user is None:
        return Likes(indptr, column), None
    n_from_here = np.repeat(indptr[1:], lengths) - np.arange(len(column))
    kept = np.concatenate([[0], np.cumsum(np.minimum(lengths, per_user))])
    return Likes(kept, column[n_from_here <= per_user]), per_user


def likes_per_user(n_likes: NDArray[np.int64]) -> int | None:
    """How many of each user's likes can count so that there are not too many pairs; None: all. `n_likes`: (users,)."""
    if int((n_likes**2).sum()) <= _MOST_PAIRS:
        return None
    fewest, most = 1, int(n_likes.max())
    while most - fewest > 1:
        middle = (fewest + most) // 2
        if int((np.minimum(n_likes, middle) ** 2).sum()) <= _MOST_PAIRS:
            fewest = middle
        else:
            most = middle
    return fewest


def counts(likes: Likes, n_movies: int, threads: int) -> NDArray[np.float32]:
    """Count how many users like both of two movies: G, symmetric, float32 (movies, movies)."""
    from scipy import sparse

    ones = np.ones(len(likes.column), dtype=np.float32)
    X = sparse.csr_matrix((ones, likes.column, likes.indptr), shape=(len(likes.indptr) - 1, n_movies))
    by_movie = X.T.tocsr()
    X = by_movie.T.tocsr()  # its columns ascend
    G = np.zeros((n_movies, n_movies), dtype=np.float32)

    def count(rows: slice) -> None:
        # The most liked movies come first, and half of a symmetric matrix is enough.
        others = X if rows.stop > 3 * n_movies // 4 else X[:, : rows.stop]
        G[rows, : others.shape[1]] = (by_movie[rows] @ others).toarray()

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(count, slices(n_movies, 2 * _ROWS)))
    for rows in slices(n_movies, 2 * _ROWS):
        G[rows, rows.stop :] = G[rows.stop :, rows].T
    return G


def weights_of(
    G: NDArray[np.float32],
    n_likes: int,
    chosen: ChosenMovies,
    per_user: int | None,
    rule: ItemItemSettings,
    threads: int,
    progress: Progress = SILENT,
) -> tuple[ItemItem, ItemItemSize]:
    """Solve for the weights, from the counts.

    Parameters
    ----------
    G
        See `counts`.
    n_likes
        Number of likes that were counted.
    chosen
        The movies of G's rows.
    per_user
        See `ItemItemSize.likes_per_user`.
    rule, threads, progress
        As in `learn_item_item`.
    """
    n, nearest, movies = len(G), min(_NEAREST, len(G) - 1), chosen.movies
    regularization = item_item_regularization_for(n_likes, n)
    length = 1.0 / np.sqrt(np.diag(G) + np.float32(regularization))
    flat = G.ravel()

    def solve(block: slice) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[Any]]:
        own = np.arange(block.start, block.stop)
        alike = G[block] * length
        alike[np.arange(len(own)), own] = -1.0
        near = top_n_rows(alike, nearest)  # of movies with equal cosines, the most liked
        A = flat.take(near[:, :, None] * n + near[:, None, :]).astype(np.float64)
        A[:, np.arange(nearest), np.arange(nearest)] += regularization
        b = flat.take(own[:, None] * n + near).astype(np.float64)
        w = np.linalg.solve(A, b[:, :, None])[:, :, 0]
        if nearest > _KEPT:
            w[w < np.partition(w, nearest - _KEPT, axis=1)[:, nearest - _KEPT, None]] = 0.0
        target, place = np.nonzero(w > 0)
        return movies[near[target, place]], movies[own[target]], w[target, place]

    blocks = list(slices(n if nearest > 0 else 0, _ROWS))
    with ThreadPoolExecutor(threads) as pool, progress.task("Learning item-item weights", n, "movies") as task:
        found = []
        for block, part in zip(blocks, pool.map(solve, blocks), strict=True):
            found.append(part)
            task.advance(block.stop - block.start)
    liked, target, weight = _joined(found)
    by_liked = np.lexsort((target, liked))
    item_item = ItemItem(
        indptr=np.searchsorted(liked[by_liked], np.arange(len(chosen.column))).astype(np.int64),
        movie_idx=target[by_liked].astype(np.int32),
        weight=weight[by_liked].astype(np.float32),
        rule=rule,
    )
    return item_item, ItemItemSize(n, per_user, regularization, len(weight))


def _joined(
    parts: Iterable[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[Any]]],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[Any]]:
    nothing = (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
    liked, target, weight = zip(nothing, *parts, strict=True)
    return np.concatenate(liked), np.concatenate(target), np.concatenate(weight)
