"""Baseline models to compare others with. They learn from likes alone and are never published."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlrec.errors import SettingsError
from mlrec.machine import blas_threads
from mlrec.ranking.histories import History, bounds_of_kept, slices
from mlrec.ranking.top_n import top_n_rows

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

SOON = 20
"""What comes within this many events comes soon after."""
_ROWS = 512


def likes_matrix(history: History, n_movies: int, half_life: float = math.inf) -> csr_matrix:
    """The weight of each like of a movie that has a row, CSR float32 (users, movies).

    Parameters
    ----------
    history
        Events in time order.
    n_movies
        Number of movies.
    half_life
        A like weighs half after this many later events of the same user. Infinity: every like weighs 1.
    """
    from scipy.sparse import csr_matrix

    keep = (history.preference > 0) & (history.movie_idx >= 0)
    indptr = bounds_of_kept(history.indptr, keep)
    weight = np.exp2(-_n_later(history)[keep] / half_life).astype(np.float32)
    matrix = csr_matrix((weight, history.movie_idx[keep], indptr), shape=(len(indptr) - 1, n_movies))
    return matrix.sorted_indices()


def item_cosine(likes: csr_matrix, neighbours: int) -> csr_matrix:
    """Cosines between the movies' columns of likes (Sarwar et al. 2001), for each movie's nearest neighbours only.

    Parameters
    ----------
    likes
        See `likes_matrix`.
    neighbours
        How many neighbours to keep per movie; ties by movie row.

    Returns
    -------
    csr_matrix
        Float32 (movies, movies), symmetric except for the neighbours cut off, with a diagonal of zeros. Scores are
        likes @ this matrix.
    """
    from scipy.sparse import csr_matrix, vstack

    by_movie = likes.T.tocsr()
    n_likes, n_movies = np.diff(by_movie.indptr).astype(np.float64), likes.shape[1]
    found = []
    for rows in slices(n_movies, _ROWS):
        together = (by_movie[rows] @ likes).toarray().astype(np.float64)
        lengths = np.outer(n_likes[rows], n_likes)
        # A quotient of whole numbers is the same whenever the fraction is, so that no rounding decides a tie.
        squared = np.divide(together**2, lengths, out=np.zeros_like(lengths), where=lengths > 0)
        squared[np.arange(len(squared)), np.arange(n_movies)[rows]] = 0.0
        nearest = top_n_rows(squared.copy(), min(neighbours, n_movies))
        kept = np.zeros_like(squared, dtype=np.float32)
        cosines = np.sqrt(np.take_along_axis(squared, nearest, axis=1))
        np.put_along_axis(kept, nearest, cosines.astype(np.float32), axis=1)
        found.append(csr_matrix(kept))
    return vstack(found).T.tocsr()


def following(history: History, n_movies: int) -> csr_matrix:
    """How often a like of one movie came soon after an event of another, CSR float32 (movies, movies).

    Parameters
    ----------
    history
        Events in time order, of movies that have a row.
    n_movies
        Number of movies.

    Returns
    -------
    csr_matrix
        n_ab / √(n_a · n_b). n_ab counts the likes of movie b among the 20 events after one of movie a, n_a and n_b
        those after a and of b in all.
    """
    from scipy.sparse import csr_matrix, diags_array

    user = np.repeat(np.arange(len(history.indptr) - 1), np.diff(history.indptr))
    is_like, movie_idx = history.preference > 0, history.movie_idx
    counts = csr_matrix((n_movies, n_movies), dtype=np.float32)
    for distance in range(1, SOON + 1):
        pairs = np.flatnonzero((user[distance:] == user[:-distance]) & is_like[distance:])
        ones = np.ones(len(pairs), dtype=np.float32)
        counts = counts + csr_matrix((ones, (movie_idx[pairs], movie_idx[pairs + distance])), shape=counts.shape)
    n_after, n_of = (np.maximum(np.asarray(counts.sum(axis=axis)).ravel(), 1.0) ** -0.5 for axis in (1, 0))
    return csr_matrix(diags_array(n_after) @ counts @ diags_array(n_of), dtype=np.float32)


def latest(history: History, n_movies: int) -> csr_matrix:
    """The last 20 events of each user, weighted by 1 / place from the end, CSR float32 (users, movies)."""
    from scipy.sparse import csr_matrix

    n_later = _n_later(history)
    kept = n_later < SOON
    indptr = bounds_of_kept(history.indptr, kept)
    weight = (1.0 / (n_later[kept] + 1)).astype(np.float32)
    return csr_matrix((weight, history.movie_idx[kept], indptr), shape=(len(indptr) - 1, n_movies)).sorted_indices()


def _n_later(history: History) -> NDArray[np.int64]:
    """Number of later events of the same user, (events,)."""
    n_events = len(history.movie_idx)
    return np.asarray(np.repeat(history.indptr[1:], np.diff(history.indptr)) - 1 - np.arange(n_events))


def ease(likes: csr_matrix, regularization: float, threads: int) -> NDArray[np.float32]:
    """Weights of EASE (Steck 2019): B = I − P · diag(1 / diag P), P = (XᵀX + λI)⁻¹.

    Parameters
    ----------
    likes
        X; see `likes_matrix`.
    regularization
        λ.
    threads
        Threads of BLAS.

    Returns
    -------
    ndarray
        Float32 (movies, movies) with a diagonal of zeros; scores are likes @ B.

    Raises
    ------
    SettingsError
        If λ is too small: movies liked by the same users then make the matrix singular.
    """
    from scipy.linalg import lapack

    by_movie, n_movies = likes.T.tocsr(), likes.shape[1]
    gram = np.empty((n_movies, n_movies))
    for rows in slices(n_movies, _ROWS):
        gram[rows] = (by_movie[rows] @ likes).toarray()
    gram[np.diag_indices_from(gram)] += regularization
    with blas_threads(threads):
        # The matrix is symmetric and positive definite: Cholesky inverts it in a third of the time, and in place.
        _, singular = lapack.dpotrf(gram.T, lower=1, overwrite_a=1, clean=0)
        if not singular:
            _, singular = lapack.dpotri(gram.T, lower=1, overwrite_c=1)
    if singular:
        raise SettingsError(f"ease_regularization {regularization:g} is too small for this data.", "Use 1 or more.")
    diagonal = np.diag(gram).copy()
    weights = np.empty((n_movies, n_movies), dtype=np.float32)
    for rows in slices(n_movies, _ROWS):  # LAPACK has written the upper triangle only
        gram[rows, : rows.start] = gram[: rows.start, rows].T
        own = np.triu(gram[rows, rows])
        gram[rows, rows] = own + np.triu(own, 1).T
        weights[rows] = gram[rows] / -diagonal
    np.fill_diagonal(weights, 0.0)
    return weights


def ease_bytes(n_movies: int) -> int:
    """Peak memory of `ease` in bytes: the Gram matrix, which becomes its inverse, in float64, and the weights."""
    return (8 + 4) * n_movies**2
