"""Events to the arrays that training needs: row numbers, histories and the matrix of signed preferences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlrec.artifacts.models import History
from mlrec.dataset.reading import Events
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
        All events on known movies.
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
    known = movie_ids[np.minimum(movie_idx, len(movie_ids) - 1)] == events.movie_id if len(movie_ids) else learned
    user_ids, starts = np.unique(events.user_id, return_index=True)
    known_before = np.concatenate([[0], np.cumsum(known)])
    history = History(
        indptr=known_before[np.append(starts, len(events))],
        movie_idx=movie_idx[known],
        preference=events.preference[known],
        timestamp=events.timestamp[known],
        split=events.split[known],
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
