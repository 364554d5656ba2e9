"""The movies: ids, titles, genres, release dates, intended popularity, and position in taste space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .marginals import LAST_SECOND, MAX_MOVIE_ID, N_LISTED, Shape
from .timeline import DAY, audience_left, second_of, year_of
from .titles import make_titles

N_FACTORS = 20
NO_GENRES = "(no genres listed)"

# Movies of each genre, about as many as in ML-20M; a movie has two on average.
GENRES = {
    "Drama": 13_300, "Comedy": 8_370, "Thriller": 4_180, "Romance": 4_130, "Action": 3_520, "Crime": 2_940,
    "Horror": 2_610, "Documentary": 2_470, "Adventure": 2_330, "Sci-Fi": 1_740, "Mystery": 1_510, "Fantasy": 1_410,
    "War": 1_190, "Children": 1_140, "Musical": 1_040, "Animation": 1_030, "Western": 676, "Film-Noir": 330,
    "IMAX": 196,
}  # fmt: skip
GENRES_OF_A_MOVIE = (0.01, 0.36, 0.36, 0.2, 0.07)  # shares of movies with none, 1, 2, 3, 4

# Release years: from, to, share of movies. MovieLens latest-small has fewer old ones, as small editions do: 9% from
# before 1960, 11%, 23%, 29% and 29%.
RELEASES = (
    (1900, 1930, 0.02), (1930, 1960, 0.15), (1960, 1980, 0.13), (1980, 1995, 0.23), (1995, 2005, 0.24),
    (2005, 2015, 0.23),
)  # fmt: skip

# A movie's position in taste space is the sum of these parts.
GENRE_PART, ERA_PART, OWN_PART = 0.75, 0.45, 0.55
ERA_YEARS = 20
# Chosen so that mean ratings of movies spread by 0.4 stars and correlate by 0.2 with log popularity, as they do in
# MovieLens latest-small. Tastes add to the spread and hide part of the correlation.
QUALITY_SPREAD, QUALITY_OF_POPULAR = 0.45, 0.45
# Before the 1990s, popularity falls with age, by a factor of e in this many years. Each movie adds a log-normal part.
FADING_YEARS, OWN_APPEAL = 25, 1.6
# The largest intended share of the people who are still there when a movie appears.
MAX_REACH = 0.65


@dataclass(frozen=True)
class Catalogue:
    """All movies, ascending by id, and the rated movies, whose columns ascend by release date."""

    movie_ids: NDArray[np.int32]
    """Of all movies, with gaps."""
    titles: list[str]
    genres: list[str]
    rows: NDArray[np.int32]
    """Row of each column's movie among all movies."""
    release: NDArray[np.int64]
    """First second in which a column's movie can be rated, ascending."""
    popularity: NDArray[np.float64]
    """Expected ratings of each column's movie."""
    quality: NDArray[np.float32]
    """What everybody adds to a rating of it, in stars."""
    factors: NDArray[np.float32]
    """Taste space (columns, factors); the dot product with a standard normal taste has variance 1 or so."""


def make_catalogue(shape: Shape, rng: np.random.Generator) -> Catalogue:
    """Draw the movies of a data set."""
    years = np.sort(_years(shape.n_listed, rng))
    flags = _genre_flags(shape.n_listed, rng)
    # Sorted years, so that rated movies in their order ascend by release; ids are shuffled below.
    rated = np.sort(rng.choice(shape.n_listed, shape.n_rated, replace=False))
    release = np.sort(second_of(years[rated] + rng.random(shape.n_rated) * 0.98))
    release = np.minimum(release, LAST_SECOND - 90 * DAY)
    popularity = _popularity(shape, release, rng)
    standing = np.log(popularity)
    standing = (standing - standing.mean()) / standing.std()
    own_quality = np.sqrt(1 - QUALITY_OF_POPULAR**2) * rng.standard_normal(shape.n_rated)

    row_of = rng.permutation(shape.n_listed)
    by_row = np.argsort(row_of)
    names = np.array(list(GENRES))
    return Catalogue(
        movie_ids=_ids(shape.n_listed, rng),
        titles=make_titles([int(year) for year in years[by_row]], rng),
        genres=["|".join(sorted(names[flags[movie]])) or NO_GENRES for movie in by_row],
        rows=row_of[rated].astype(np.int32),
        release=release,
        popularity=popularity,
        quality=(QUALITY_SPREAD * (QUALITY_OF_POPULAR * standing + own_quality)).astype(np.float32),
        factors=_factors(years[rated], flags[rated], rng),
    )


def _years(n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    start, end, share = np.array(RELEASES).T
    span = rng.choice(len(RELEASES), n, p=share)
    return np.asarray(start[span] + rng.random(n) * (end - start)[span], dtype=np.int64)


def _genre_flags(n: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Bool (movies, genres); genres drawn without replacement, by Gumbel top-k."""
    keys = np.log(list(GENRES.values())) + rng.gumbel(size=(n, len(GENRES)))
    place = np.argsort(np.argsort(-keys, axis=1), axis=1)
    return place < rng.choice(len(GENRES_OF_A_MOVIE), (n, 1), p=GENRES_OF_A_MOVIE)


def _ids(n: int, rng: np.random.Generator) -> NDArray[np.int32]:
    """Ascending ids with gaps, up to ML-20M's largest at its size."""
    largest = round(MAX_MOVIE_ID * max(1.0, n / N_LISTED))
    ids = np.sort(rng.choice(largest - 1, n, replace=False)) + 1
    ids[-1] = largest
    return ids.astype(np.int32)


def _popularity(shape: Shape, release: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Assign the popularity curve to the movies by appeal, but only to movies with enough people to rate them."""
    audience = audience_left(release)
    faded = np.maximum(0, 1994 - year_of(release)) / FADING_YEARS
    appeal = OWN_APPEAL * rng.standard_normal(len(release)) + np.log(audience) - faded
    largest = np.maximum(MAX_REACH * audience * shape.n_users, shape.popularity[-1])
    popularity = np.empty(len(release))
    for _ in range(100):
        popularity[np.argsort(-appeal, kind="stable")] = shape.popularity
        too_popular = popularity > largest
        if not too_popular.any():
            break
        appeal[too_popular] -= 0.2
    return popularity


def _factors(years: NDArray[np.int64], flags: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.float32]:
    genre_axes = rng.standard_normal((len(GENRES), N_FACTORS))
    era_axes = rng.standard_normal((2 + (2015 - 1900) // ERA_YEARS, N_FACTORS))
    by_genre = flags @ genre_axes / np.sqrt(np.maximum(1, flags.sum(axis=1, keepdims=True)))
    era, into = np.divmod(years - 1900, ERA_YEARS)
    weight = (into / ERA_YEARS)[:, None]
    by_era = (1 - weight) * era_axes[era] + weight * era_axes[era + 1]
    own = rng.standard_normal((len(years), N_FACTORS))
    factors = GENRE_PART * by_genre + ERA_PART * by_era + OWN_PART * own
    factors -= factors.mean(axis=0)
    return np.asarray(factors / np.sqrt((factors**2).sum(axis=1).mean()), dtype=np.float32)
