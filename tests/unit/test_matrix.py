"""Events to rows and matrices, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from mlrec.dataset.events import Events
from mlrec.model.als import confidence_matrix
from mlrec.model.matrix import number_rows, signed_matrix

TRAIN, VAL = 0, 1
#            user movie pref time split
EVENTS = [
    (7, 50, 2, 10, TRAIN),
    (7, 20, -1, 11, TRAIN),
    (7, 90, 1, 12, VAL),  # movie 90 is unknown to a model that learns from train
    (9, 20, 1, 5, TRAIN),
    (9, 50, 1, 6, VAL),
]


def events() -> Events:
    user, movie, preference, timestamp, split = (np.array(column) for column in zip(*EVENTS, strict=True))
    return Events.of(user, movie, preference.astype(np.int8), timestamp, split.astype(np.int8))


def test_rows_ascend_by_id_and_unknown_movies_have_none():
    rows = number_rows(events(), ("train",))
    assert rows.user_ids.tolist() == [7, 9]
    assert rows.movie_ids.tolist() == [20, 50]
    assert rows.history.indptr.tolist() == [0, 3, 5]
    assert rows.history.movie_idx.tolist() == [1, 0, -1, 0, 1]
    assert rows.history.split.tolist() == [TRAIN, TRAIN, VAL, TRAIN, VAL]


def test_an_unknown_movie_beyond_all_ids_or_with_a_negative_one_has_no_row():
    one = events()
    moved = Events.of(
        one.user_id, np.where(one.movie_id == 90, -1, one.movie_id), one.preference, one.timestamp, one.split
    )
    assert number_rows(moved, ("train",)).history.movie_idx.tolist() == [1, 0, -1, 0, 1]


@pytest.mark.parametrize("far", [90, 10**12, -(10**12)], ids=["near", "far", "far below"])
def test_rows_do_not_depend_on_how_far_apart_ids_lie(far):
    one = events()
    moved = Events.of(
        one.user_id, np.where(one.movie_id == 20, far, one.movie_id), one.preference, one.timestamp, one.split
    )
    rows = number_rows(moved, ("train", "val"))
    assert rows.movie_ids.tolist() == sorted({50, far, 90})
    assert rows.movie_ids[rows.history.movie_idx].tolist() == moved.movie_id.tolist()


def test_popularity_counts_likes_in_what_was_learned():
    assert number_rows(events(), ("train",)).popularity.tolist() == [1, 1]
    assert number_rows(events(), ("train", "val", "test")).popularity.tolist() == [1, 2, 1]


def test_the_matrix_holds_signed_preferences():
    rows = number_rows(events(), ("train",))
    matrix = signed_matrix(rows.history.only(("train",)), len(rows.movie_ids))
    assert matrix.toarray().tolist() == [[-1, 2], [1, 0]]


def test_making_the_matrix_leaves_the_history_in_time_order():
    # csr_matrix shares its arrays with what it is made of: sorting it in place once shuffled every user's history.
    history = number_rows(events(), ("train",)).history.only(("train",))
    signed_matrix(history, 2)
    assert history.movie_idx.tolist() == [1, 0, 0]


def test_confidence_in_each_mode():
    rows = number_rows(events(), ("train",))
    matrix = signed_matrix(rows.history.only(("train",)), 2)
    assert confidence_matrix(matrix, 3, "zero").toarray().tolist() == [[-4, 7], [4, 0]]
    assert confidence_matrix(matrix, 3, "as-likes").toarray().tolist() == [[4, 7], [4, 0]]
    ignored = confidence_matrix(matrix, 3, "ignore")
    assert ignored.toarray().tolist() == [[0, 7], [4, 0]]
    assert ignored.nnz == 2


def test_history_of_some_splits_keeps_the_rows():
    history = number_rows(events(), ("train",)).history.only(("val",))
    assert history.indptr.tolist() == [0, 1, 2]
    assert history.movie_idx.tolist() == [-1, 1]
