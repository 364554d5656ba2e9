"""Events to the arrays that training needs: row numbers, histories and the matrix of signed preferences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlrec.artifacts.models import Catalogue, History
from mlrec.dataset.reading import Events, Movies
from mlrec.settings import SPLITS, SplitName

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


@dataclass(frozen=True)
class Interactions:
    """Users and movies as contiguous rows, ascending by public id.

    Attributes
    ----------
    user_ids
        All users of the prepared data, int64 (users,).
    movie_ids
        The movies that occur in the splits trained on, int64 (movies,); others are unknown to the model.
    history
        All events, also those on movies that are unknown to the model.
    popularity
        Likes in the splits trained on by movie row, int64 (movies,).
    """

    user_ids: NDArray[np.int64]
    movie_ids: NDArray[np.int64]
    history: History
    popularity: NDArray[np.int64]


def number_rows(events: Events, trained_on: tuple[SplitName, ...]) -> Interactions:
    """Give users and movies their rows.

    Parameters
    ----------
    events
        In the order user, time, movie.
    trained_on
        The splits that the model learns from.
    """
    learned = np.isin(events.split, [SPLITS.index(name) for name in trained_on])
    movie_ids = np.unique(events.movie_id[learned])
    movie_idx = np.searchsorted(movie_ids, events.movie_id).astype(np.int32)
    known = np.zeros(len(events), dtype=bool)
    in_range = movie_idx < len(movie_ids)
    known[in_range] = movie_ids[movie_idx[in_range]] == events.movie_id[in_range]
    user_ids, starts = np.unique(events.user_id, return_index=True)
    history = History(
        indptr=np.append(starts, len(events)),
        movie_idx=np.where(known, movie_idx, np.int32(-1)),
        preference=events.preference,
        timestamp=events.timestamp,
        split=events.split,
    )
    liked = learned & (events.preference > 0)
    popularity = np.bincount(movie_idx[liked], minlength=len(movie_ids)).astype(np.int64)
    return Interactions(user_ids, movie_ids, history, popularity)


def signed_matrix(history: History, n_movies: int) -> csr_matrix:
    """Matrix of signed preferences, CSR float32 (users, movies), columns ascending within a row."""
    from scipy import sparse

    matrix = sparse.csr_matrix(
        (history.preference.astype(np.float32), history.movie_idx, history.indptr),
        shape=(len(history.indptr) - 1, n_movies),
    )
    # A copy: the matrix above shares its indices with the history, which must stay in time order.
    return matrix.sorted_indices()


def catalogue_of(movies: Movies, movie_ids: NDArray[np.int64]) -> Catalogue:
    """Pick the model's movies out of the whole catalogue, in row order."""
    rows: NDArray[np.int64] = np.searchsorted(movies.movie_id, movie_ids)
    return Catalogue(
        title=[movies.title[row] for row in rows],
        year=[movies.year[row] for row in rows],
        genres=[movies.genres[row] for row in rows],
    )
