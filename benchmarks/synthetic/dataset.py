"""A whole data set in memory: blocks of users with one random stream each, then the exact histogram of ratings."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlrec.machine import blas_threads

from .catalogue import Catalogue, make_catalogue
from .events import cut_points, pleasure, timestamps
from .marginals import FIRST_SECOND, LAST_SECOND, Shape, shape_at
from .picks import Picker, make_picker, pick
from .population import draw_archetypes, draw_tastes, make_population

# Number of users per random stream. A block's scores of all movies take 55 MB per thread at scale 1.
BLOCK_USERS = 512

Report = Callable[[str, int, int], None]
"""Told of a step's name, how much of it is done, and how much there is."""


@dataclass(frozen=True)
class Dataset:
    """Ratings ascending by user and movie id, and the movies."""

    shape: Shape
    catalogue: Catalogue
    user_id: NDArray[np.int32]
    movie_id: NDArray[np.int32]
    rating: NDArray[np.float32]
    timestamp: NDArray[np.int32]


def make_dataset(scale: float, seed: int, threads: int, report: Report) -> Dataset:
    """Make ratings and movies. The same scale and seed give the same result with any number of threads.

    Raises
    ------
    ValueError
        If the scale is not within 0.001 to 10.
    """
    shape = shape_at(scale)
    n_blocks = -(-shape.n_users // BLOCK_USERS)
    # BLAS uses one thread: the blocks run in parallel, and sums must not depend on the number of cores.
    with blas_threads():
        for_movies, for_users, for_tastes, for_picker, *for_blocks = np.random.SeedSequence(seed).spawn(4 + n_blocks)
        report("movies and users", 0, 1)
        catalogue = make_catalogue(shape, np.random.default_rng(for_movies))
        population = make_population(shape, catalogue.release, np.random.default_rng(for_users))
        archetypes = draw_archetypes(np.random.default_rng(for_tastes))
        report("calibration", 0, 1)
        picker = make_picker(catalogue, population, archetypes, np.random.default_rng(for_picker))

        offset = np.append(0, np.cumsum(population.activity))
        movie_id, timestamp = np.empty((2, shape.n_ratings), dtype=np.int32)
        pleased = np.empty(shape.n_ratings, dtype=np.float32)

        def fill(block: int) -> None:
            users = slice(block * BLOCK_USERS, min((block + 1) * BLOCK_USERS, shape.n_users))
            ratings = slice(offset[users.start], offset[users.stop])
            movie_id[ratings], timestamp[ratings], pleased[ratings] = _block(
                picker, archetypes, users, np.random.default_rng(for_blocks[block])
            )

        with ThreadPoolExecutor(threads) as pool:
            for done, future in enumerate(as_completed([pool.submit(fill, block) for block in range(n_blocks)]), 1):
                future.result()
                report("blocks of users", done, n_blocks)
    # Both are near these already: the archive's first and last second are exact.
    timestamp[timestamp.argmin()] = FIRST_SECOND
    timestamp[timestamp.argmax()] = LAST_SECOND
    return Dataset(
        shape=shape,
        catalogue=catalogue,
        user_id=np.repeat(np.arange(1, shape.n_users + 1, dtype=np.int32), population.activity),
        movie_id=movie_id,
        rating=_stars(pleased, shape.ratings_by_value),
        timestamp=timestamp,
    )


def _block(
    picker: Picker, archetypes: NDArray[np.float64], users: slice, rng: np.random.Generator
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.float32]]:
    """Movie ids, timestamps and pleasures of a block of users."""
    catalogue, population = picker.catalogue, picker.population
    tastes = draw_tastes(users.stop - users.start, archetypes, rng)
    column = pick(picker, users, tastes, rng)
    user = np.repeat(np.arange(users.stop - users.start), population.activity[users])
    return (
        catalogue.movie_ids[catalogue.rows[column]],
        timestamps(catalogue, population, users, tastes, user, column, rng),
        pleasure(catalogue, tastes, user, column, rng),
    )


def _stars(pleased: NDArray[np.float32], ratings_by_value: NDArray[np.int64]) -> NDArray[np.float32]:
    """Ratings from half a star to five, in the order of pleasure and with the counts of the histogram."""
    cuts = cut_points(pleased, ratings_by_value)
    return (np.digitize(pleased, cuts) + np.float32(1)) * np.float32(0.5)
