"""Baseline models to compare others with. They learn from likes alone and are never published."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlrec.errors import SettingsError
from mlrec.machine import blas_threads
from mlrec.model.als import load_implicit
from mlrec.ranking.histories import History

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


def likes_matrix(history: History, n_movies: int) -> csr_matrix:
    """1 where a user liked a movie that has a row, CSR float32 (users, movies)."""
    from scipy.sparse import csr_matrix

    kept = (history.preference > 0) & (history.movie_idx >= 0)
    indptr = np.concatenate([[0], np.cumsum(kept)])[history.indptr]
    ones = np.ones(indptr[-1], dtype=np.float32)
    matrix = csr_matrix((ones, history.movie_idx[kept], indptr), shape=(len(indptr) - 1, n_movies))
    return matrix.sorted_indices()


def item_cosine(likes: csr_matrix, neighbours: int, threads: int) -> csr_matrix:
    """Cosines between the movies' columns of likes (Sarwar et al. 2001), for each movie's nearest neighbours only.

    Parameters
    ----------
    likes
        See `likes_matrix`.
    neighbours
        How many neighbours to keep per movie.
    threads
        Threads of `implicit`.

    Returns
    -------
    csr_matrix
        Float (movies, movies), symmetric except for the neighbours cut off. Scores are likes @ this matrix.
    """
    load_implicit()
    from implicit.nearest_neighbours import all_pairs_knn, normalize

    unit_columns = normalize(likes.T).T.tocsr()
    # One more, because each movie is its own nearest neighbour.
    nearest = all_pairs_knn(unit_columns, K=neighbours + 1, num_threads=threads, show_progress=False)
    return nearest.tocsr().T.tocsr().astype(np.float32)


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
    with blas_threads(threads):
        gram = (likes.T @ likes).toarray().astype(np.float64)
        gram[np.diag_indices_from(gram)] += regularization
        try:
            inverse = np.linalg.inv(gram)
        except np.linalg.LinAlgError:
            raise SettingsError(
                f"ease_regularization {regularization:g} is too small for this data.", "Use 1 or more."
            ) from None
    inverse /= -np.diag(inverse)
    np.fill_diagonal(inverse, 0.0)
    return inverse.astype(np.float32)


def ease_bytes(n_movies: int) -> int:
    """Peak memory of `ease` in bytes: the Gram matrix, its inverse and a workspace, all in float64."""
    return 3 * 8 * n_movies**2
