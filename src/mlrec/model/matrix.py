"""The arrays that training needs, built from events: row numbers, histories and the matrix of signed preferences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from mlrec.artifacts.model_folder import Catalogue
from mlrec.dataset.reading import Events, Movies
from mlrec.ids import IdArray, rows_of
from mlrec.ranking.histories import History
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
        All users of the prepared data, (users,); see `mlrec.ids`.
    movie_ids
        The movies that occur in the splits trained on, (movies,). All others are unknown to the model.
    history
        All events, including those on movies that are unknown to the model.
    popularity
        Likes in the splits trained on by movie row, int64 (movies,).
    """

    user_ids: IdArray
    movie_ids: IdArray
    history: History
    popularity: NDArray[np.int64]


def number_rows(events: Events, trained_on: tuple[SplitName, ...]) -> Interactions:
    """Assign row numbers to users and movies.

    Parameters
    ----------
    events
        Ordered by user, time and movie.
    trained_on
        The splits that the model learns from.
    """
    learned = np.array([name in trained_on for name in SPLITS])[events.split]
    is_known = np.zeros(len(events.movie_ids), dtype=bool)
    is_known[events.movie[learned]] = True
    movie_idx = np.where(is_known, np.cumsum(is_known) - 1, -1).astype(np.int32)[events.movie]
    movie_ids = events.movie_ids[is_known]
    user_ids, history = history_of(events, movie_idx)
    liked = learned & (events.preference > 0)
    popularity = np.bincount(movie_idx[liked], minlength=len(movie_ids)).astype(np.int64)
    return Interactions(user_ids, movie_ids, history, popularity)


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


def signed_matrix(history: History, n_movies: int) -> csr_matrix:
    """Matrix of signed preferences, CSR float32 (users, movies), columns ascending within a row."""
    from scipy import sparse

    matrix = sparse.csr_matrix(
        (history.preference.astype(np.float32), history.movie_idx, history.indptr),
        shape=(len(history.indptr) - 1, n_movies),
    )
    # Sort a copy: the matrix above shares its indices with the history, which must stay in time order.
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
