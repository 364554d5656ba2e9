"""Which movies may be listed: filters by genre, year and exclusion, as masks over movie rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray


def by_genres(movie_genres: Sequence[Sequence[str]], wanted: Iterable[str]) -> NDArray[np.bool_]:
    """Movies that have at least one of the wanted genres, case aside; bool (movies,)."""
    names = {name.casefold() for name in wanted}
    return np.array([any(genre.casefold() in names for genre in genres) for genres in movie_genres], dtype=bool)


def by_years(movie_years: Sequence[int | None], first: int, last: int) -> NDArray[np.bool_]:
    """Movies released from `first` to `last`, both included; a movie without a year is out; bool (movies,)."""
    return np.array([year is not None and first <= year <= last for year in movie_years], dtype=bool)


def without(n_movies: int, excluded: NDArray[np.integer]) -> NDArray[np.bool_]:
    """All movies but the excluded rows; bool (movies,)."""
    mask = np.ones(n_movies, dtype=bool)
    mask[excluded] = False
    return mask
