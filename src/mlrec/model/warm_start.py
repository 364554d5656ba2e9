"""Starting a fit from the movie factors of another model. See docs/decisions/0023."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mlrec.artifacts.model_folder import Model
from mlrec.errors import SettingsError, StateError
from mlrec.ids import IdArray, rows_of
from mlrec.settings import TrainSettings


def require_same_length(model: Model, settings: TrainSettings) -> None:
    """Raise a `SettingsError` if the vectors of a model are longer or shorter than those that are to be learned."""
    factors = model.info.dimensions.factors
    if factors != settings.factors:
        raise SettingsError(
            f"A warm start needs vectors of the same length: those of model {model.model_id} have {factors} factors,"
            f" not {settings.factors}.",
            f"Train with --factors {factors}, or without --warm-start.",
        )


def movie_start(model: Model, movie_ids: IdArray) -> NDArray[np.float32]:
    """Return movie factors to begin with: those that ALS learned for a model, and zeros for other movies.

    Parameters
    ----------
    model
        The model to start from.
    movie_ids
        Public ids of the movies that are to be learned, ascending, (movies,).

    Returns
    -------
    NDArray[np.float32]
        (movies, factors).

    Raises
    ------
    StateError
        If the model has learned none of these movies.
    """
    rows = rows_of(model.movie_ids, movie_ids)
    is_known = (rows >= 0) & model.is_trained[rows]
    factors = np.zeros((len(movie_ids), model.movie_factors.shape[1]), dtype=np.float32)
    factors[is_known] = model.movie_factors[rows[is_known]]
    if not factors.any():
        raise StateError(
            f"Model {model.model_id} has learned none of the {len(movie_ids):,} movies of this data, so nothing can"
            " start from it.",
            "Train without --warm-start.",
        )
    return factors
