"""Lists with at most so many movies of each genre."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray


class MovieGenres(NamedTuple):
    """The genres of all movies, in two forms.

    Attributes
    ----------
    of_movie
        The numbers of each movie's genres.
    masks
        Which movies have each genre, bool (genres, movies).
    """

    of_movie: list[tuple[int, ...]]
    masks: NDArray[np.bool_]

    @classmethod
    def of(cls, names: Sequence[Sequence[str]]) -> Self:
        """Number the genres of movies, given their names. Case does not matter."""
        folded = [{name.casefold() for name in own} for own in names]
        number = {name: place for place, name in enumerate(sorted(set().union(*folded)))}
        of_movie = [tuple(sorted(number[name] for name in own)) for own in folded]
        masks = np.zeros((len(number), len(names)), dtype=bool)
        for row, own in enumerate(of_movie):
            masks[list(own), row] = True
        return cls(of_movie, masks)


class GenreLimit:
    """Counts the movies of one list by genre, and refuses those of a genre that is full.

    A movie counts for each of its genres. One without genres is never refused.

    Parameters
    ----------
    genres
        The genres of all movies.
    most
        How many movies of each genre the list may have.
    """

    def __init__(self, genres: MovieGenres, most: int) -> None:
        self._genres = genres
        self._left = [most] * len(genres.masks)
        self._refused = np.zeros(len(genres.of_movie), dtype=bool)
        self._newly_full: list[int] = []

    def take(self, row: int) -> bool:
        """Count a movie, unless one of its genres is full. Returns whether it was counted."""
        own = self._genres.of_movie[row]
        for genre in own:
            if not self._left[genre]:
                return False
        for genre in own:
            self._left[genre] -= 1
            if not self._left[genre]:
                self._newly_full.append(genre)
        return True

    def refused(self) -> NDArray[np.bool_]:
        """Movies that have a full genre, bool (movies,)."""
        while self._newly_full:
            self._refused |= self._genres.masks[self._newly_full.pop()]
        return self._refused
