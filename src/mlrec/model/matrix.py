"""The arrays that training needs, built from events: row numbers, histories and the matrix of signed preferences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from mlrec.artifacts.model_folder import Catalogue
from mlrec.dataset.events import Events
from mlrec.dataset.reading import Movies
from mlrec.ids import IdArray, rows_of
from mlrec.ranking.histories import History, bounds_of_kept
from mlrec.ranking.runs import run_starts
from mlrec.settings import SPLITS, SplitName

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

T = TypeVar("T")


@dataclass(frozen=True)
class Interactions:
    """Users and movies as contiguous rows, ascending by public id.

    Attributes
    ----------
    user_ids
        All users of the core, (users,); see `mlrec.ids`.
    movie_ids
        All movies that the model knows, (movies,).
    is_trained
        Which of them occur in the core of the splits trained on, bool (movies,): ALS learns these.
    history
        All events, including those on movies that are unknown to the model.
    popularity, n_ratings
        Likes, and all ratings, in the splits trained on by movie row, int64 (movies,).
    """

    user_ids: IdArray
    movie_ids: IdArray
    is_trained: NDArray[np.bool_]
    history: History
    popularity: NDArray[np.int64]
    n_ratings: NDArray[np.int64]


def number_rows(events: Events, trained_on: tuple[SplitName, ...], catalogue: IdArray | None = None) -> Interactions:
    """Assign row numbers to users and movies.

    Parameters
    ----------
    events
        Ordered by user, time and movie.
    trained_on
        The splits that the model learns from.
    catalogue
        Ids of all movies, ascending: the model knows all of them. None: only those that it is trained on, and events
        outside the core are left out.
    """
    if catalogue is None and not events.in_core.all():
        events = events.only(events.in_core)
    learned = np.array([name in trained_on for name in SPLITS])[events.split]
    is_trained = np.zeros(len(events.movie_ids), dtype=bool)
    is_trained[events.movie[learned & events.in_core]] = True
    movie_ids = events.movie_ids[is_trained] if catalogue is None else catalogue
    movie_idx = rows_of(movie_ids, events.movie_ids)[events.movie]
    user_ids, history = history_of(events, movie_idx)
    n_ratings, popularity = counts_by_movie(movie_idx[learned], events.preference[learned], len(movie_ids))
    return Interactions(
        user_ids=user_ids,
        movie_ids=movie_ids,
        is_trained=rows_of(events.movie_ids[is_trained], movie_ids) >= 0,
        history=history,
        popularity=popularity,
        n_ratings=n_ratings,
    )


def counts_by_movie(
    movie_idx: NDArray[np.int32], preference: NDArray[np.int8], n_movies: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count the ratings of each movie, and the likes among them, both int64 (movies,). −1 is an unknown movie."""
    # Both are counted in one pass. Unknown movies are counted first, and then left out.
    counts = np.bincount(2 * (movie_idx + 1) + (preference > 0), minlength=2 * (n_movies + 1))
    by_movie = counts.reshape(-1, 2)[1:].astype(np.int64)
    return by_movie.sum(axis=1), by_movie[:, 1].copy()


def history_of(events: Events, movie_idx: NDArray[np.int32]) -> tuple[IdArray, History]:
    """The ids of the users, ascending, and each user's events.

    Parameters
    ----------
    events
        Ordered by user, time and movie.
    movie_idx
        Rows of the events' movies, int32 (events,); −1 for an unknown movie.
    """
    starts = run_starts(events.user)
    history = History(
        indptr=np.append(starts, len(events)),
        movie_idx=movie_idx,
        preference=events.preference,
        timestamp=events.timestamp,
        split=events.split,
    )
    return events.user_ids[events.user[starts]], history


def core_matrix(history: History, is_trained: NDArray[np.bool_]) -> csr_matrix:
    """Matrix of the signed preferences that ALS learns from, CSR float32 (users, trained movies)."""
    history = history.checked()
    column = np.append(np.where(is_trained, np.cumsum(is_trained) - 1, -1), -1).astype(np.int32)
    columns, preference, indptr = column[history.movie_idx], history.preference, history.indptr
    keep = columns >= 0
    if not keep.all():
        columns, preference, indptr = columns[keep], preference[keep], bounds_of_kept(indptr, keep)
    return _signed(preference, columns, indptr, int(is_trained.sum()))


def over_all_movies(matrix: csr_matrix, is_trained: NDArray[np.bool_]) -> csr_matrix:
    """Spread a matrix over trained movies, such as `core_matrix`, to columns for all movies."""
    from scipy import sparse

    columns = np.flatnonzero(is_trained).astype(np.int32)[matrix.indices]
    return sparse.csr_matrix((matrix.data, columns, matrix.indptr), shape=(matrix.shape[0], len(is_trained)))


def signed_matrix(history: History, n_movies: int) -> csr_matrix:
    """Matrix of signed preferences, CSR float32 (users, movies), columns ascending within a row."""
    return _signed(history.preference, history.movie_idx, history.indptr, n_movies)


def _signed(
    preference: NDArray[np.int8], column: NDArray[np.int32], indptr: NDArray[np.int64], n_columns: int
) -> csr_matrix:
    from scipy import sparse

    matrix = sparse.csr_matrix((preference.astype(np.float32), column, indptr), shape=(len(indptr) - 1, n_columns))
    # Sort a copy: the matrix above may share its indices with a history, which must stay in time order.
    return matrix.sorted_indices()


def catalogue_of(movies: Movies, movie_ids: IdArray) -> Catalogue:
    """Pick the model's movies from the whole catalogue, in row order."""
    rows = rows_of(movies.movie_id, movie_ids)
    return Catalogue(
        title=[movies.title[row] for row in rows],
        year=[movies.year[row] for row in rows],
        genres=[movies.genres[row] for row in rows],
        imdb_id=_picked(movies.imdb_id, rows),
        tmdb_id=_picked(movies.tmdb_id, rows),
        details=_picked(movies.details, rows),
    )


def _picked(values: list[T | None], rows: NDArray[np.int32]) -> list[T | None]:
    """The values of some movies; empty if none of them has one."""
    picked = [values[row] for row in rows] if values else []
    return picked if any(one is not None for one in picked) else []
