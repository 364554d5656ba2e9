"""The movies of an export, whatever it says of them: a watchlist at Letterboxd as a list of movies to choose from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mlrec.ids import PublicId
from mlrec.own_films.matching import FilmFinder, Found
from mlrec.own_films.merging import films_of
from mlrec.own_films.sources import read_export
from mlrec.serving.results import Movie


def movies_on(shelf: Path, movies: Sequence[Movie]) -> tuple[list[PublicId], int]:
    """Return the ids of those of some movies that an export names, in its order, and how many films it names.

    Raises
    ------
    InputError
        If the export cannot be read, or is none of a known service.
    """
    films, _ = films_of(read_export(shelf).rows)
    finder = FilmFinder(
        [movie.raw_title for movie in movies],
        [movie.year for movie in movies],
        [movie.imdb_id for movie in movies],
        [movie.tmdb_id for movie in movies],
    )
    found = [finder.find(film.row.film) for film in films]
    ids = (movies[one.row].movie_id for one in found if isinstance(one, Found))
    return list(dict.fromkeys(ids)), len(films)
