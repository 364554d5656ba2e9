"""The gradient rule for updating a user's vector: one step towards, or away from, each swiped movie.

    u ← u + η · p̃ · m,   p̃ = the preference: −2, −1, +1 or +2

After each step the norm of the vector is limited to a cap, or set to exactly 1. The rule comes from the design behind
the baseline preset. It learns far less than the exact fold-in (`mlrec evaluate --replay` compares the two), but its
step is easy to explain.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mlrec.settings import GradientSettings


def gradient_vector(
    start: NDArray[np.float32],
    movie_factors: NDArray[np.float32],
    movie_idx: NDArray[np.int32],
    preferences: NDArray[np.int8],
    settings: GradientSettings,
) -> NDArray[np.float32]:
    """Vector after a sequence of swipes.

    Parameters
    ----------
    start
        The model's vector of the user, or the average vector for an unknown user, float32 (factors,).
    movie_factors
        Float32 (movies, factors).
    movie_idx
        Rows of the swiped movies, in time order, (n,); −1 for a movie without factors, which causes no step.
    preferences
        −2, −1, +1 or +2, (n,).
    settings
        Step size and norm.

    Returns
    -------
    ndarray
        Float32 (factors,).
    """
    last: NDArray[np.float32] = gradient_vectors(start, movie_factors, movie_idx, preferences, settings)[-1]
    return last


def gradient_vectors(
    start: NDArray[np.float32],
    movie_factors: NDArray[np.float32],
    movie_idx: NDArray[np.int32],
    preferences: NDArray[np.int8],
    settings: GradientSettings,
) -> NDArray[np.float32]:
    """Every vector that `gradient_vector` passes: before the first swipe and after each; float32 (n + 1, factors)."""
    vector = start.astype(np.float64)
    vectors = np.empty((len(movie_idx) + 1, len(start)), dtype=np.float32)
    vectors[0] = vector
    for step, (row, preference) in enumerate(zip(movie_idx.tolist(), preferences.tolist(), strict=True), 1):
        if row >= 0:
            vector += settings.learning_rate * preference * movie_factors[row]
            vector *= _scale(float(np.linalg.norm(vector)), settings)
        vectors[step] = vector
    return vectors


def _scale(norm: float, settings: GradientSettings) -> float:
    if norm == 0.0:
        return 1.0
    return 1.0 / norm if settings.norm == "unit" else min(1.0, settings.max_norm / norm)
