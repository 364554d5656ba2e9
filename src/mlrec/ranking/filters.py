"""Which movies may be listed: filters by genre, year and id, as masks over movie rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def by_genre(movie_genres: Sequence[Sequence[str]], wanted: str) -> NDArray[np.bool_]:
    """Movies that have a genre, ignoring case; bool (movies,)."""
    name = wanted.casefold()
    return np.array([any(genre.casefold() == name for genre in genres) for genres in movie_genres], dtype=bool)


def by_years(movie_years: NDArray[np.int64], first: int, last: int) -> NDArray[np.bool_]:
    """Movies released from `first` to `last`, inclusive; bool (movies,). Year 0 means unknown and never matches."""
    return (movie_years >= max(first, 1)) & (movie_years <= last)


def without(n_movies: int, excluded: NDArray[np.integer]) -> NDArray[np.bool_]:
    """All movies except the excluded rows; bool (movies,)."""
    mask = np.ones(n_movies, dtype=bool)
    mask[excluded] = False
    return mask


def among(n_movies: int, wanted: NDArray[np.integer]) -> NDArray[np.bool_]:
    """No movies except the wanted rows; bool (movies,)."""
    mask = np.zeros(n_movies, dtype=bool)
    mask[wanted] = True
    return mask
