"""Scores of movies for users, and similarity between movies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_WORTH_OF_WEIGHTS = np.float32(10)


def user_scores(user_vectors: NDArray[np.float32], movie_factors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Predicted preference of users for all movies: the inner product, near 1 for a liked movie, 0 for an average one.

    Parameters
    ----------
    user_vectors
        Float32 (users, factors) or (factors,).
    movie_factors
        Float32 (movies, factors).

    Returns
    -------
    ndarray
        Float32 (users, movies) or (movies,).
    """
    return user_vectors @ movie_factors.T


def movie_similarity(
    movie_idx: int,
    movie_factors: NDArray[np.float32],
    norms: NDArray[np.float32] | None = None,
    evidence: NDArray[np.float32] | None = None,
    between: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """How similar one movie is to all others: the cosine between their vectors, raised where likes go together.

    With the mean weight b between two movies, a cosine c becomes c + (1 − c) · (1 − exp(−10 b)). How far to raise it
    was chosen by the likes that followed: docs/decisions/0017.

    Parameters
    ----------
    movie_idx
        Row of the movie.
    movie_factors
        Float32 (movies, factors).
    norms
        Lengths of the vectors, float32 (movies,), if already computed.
    evidence
        How much of each vector comes from ratings, 0 to 1, float32 (movies,); see `mlrec.ranking.content.evidence`. The
        cosine is multiplied by it. None: all of it.
    between
        b: what the likes of the movie and each other say about each other, float32 (movies,), at least 0; see
        `ItemItem.between`. None: nothing.

    Returns
    -------
    ndarray
        Float32 (movies,), between −1 and 1; NaN for the movie itself and for movies without a direction. Movies without
        evidence come last among the similar ones, at 0.
    """
    if norms is None:
        norms = np.linalg.norm(movie_factors, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        cosines = (movie_factors @ movie_factors[movie_idx]) / (norms * norms[movie_idx])
    if evidence is not None:
        cosines *= evidence
    if between is not None:
        related = np.flatnonzero(between)  # few
        cosines[related] += (1.0 - cosines[related]) * -np.expm1(-_WORTH_OF_WEIGHTS * between[related])
    cosines[movie_idx] = np.nan
    return np.asarray(cosines, dtype=np.float32)


def popularity_scores(popularity: NDArray[np.int64]) -> NDArray[np.float32]:
    """Scores that rank movies by popularity, and equally popular movies by row.

    The scores are reversed ranks rather than counts, because float32 holds every rank exactly.

    Parameters
    ----------
    popularity
        Likes in training per movie, int64 (movies,).

    Returns
    -------
    ndarray
        Float32 (movies,), all different.
    """
    scores = np.empty(len(popularity), dtype=np.float32)
    scores[np.argsort(-popularity, kind="stable")] = np.arange(len(popularity), 0, -1)
    return scores
