"""Undo takes back one swipe after the other."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from mlrec.errors import NothingToUndoError
from mlrec.ranking.effective_history import KnownHistory, SwipeLog, effective_history
from tests.integration.learning.users import NEW


def test_undo_takes_back_one_swipe_after_the_other(rec):
    for movie_id in (318, 1, 260):
        rec.update_user(NEW, movie_id, 1)
    assert [rec.undo(NEW).movie_id for _ in range(2)] == [260, 1]
    rec.update_user(NEW, 593, 1)
    assert [rec.undo(NEW).movie_id for _ in range(2)] == [593, 318]
    with pytest.raises(NothingToUndoError):
        rec.undo(NEW)
    assert [event.undone for event in rec.history(NEW)] == [True] * 4
    assert rec.get_top_n(NEW)[0].source == "popular"


def test_concurrent_undos_take_back_different_swipes(rec):
    for movie_id in [318, 1, 260, 593, 296, 527, 356, 480]:
        rec.update_user(NEW, movie_id, 1)
    with ThreadPoolExecutor(4) as pool:
        undone = list(pool.map(lambda _: rec.undo(NEW).movie_id, range(8)))
    assert sorted(undone) == sorted([318, 1, 260, 593, 296, 527, 356, 480])


def test_undo_of_one_of_two_equal_swipes_in_a_second_changes_nothing_after_a_merge():
    """Like, undo and like again within a second is one like, which the model has learned: none of it is new."""
    log = SwipeLog().extended([(1, 20, 1, 100, 0), (2, 20, 0, 101, 1), (3, 20, 1, 100, 0)])
    known = KnownHistory(
        np.array([1], np.int32), np.array([1], np.int8), np.array([100], np.int64), np.array([True])
    )  # fmt: skip
    history = effective_history(known, log, np.array([10, 20, 30]))
    assert history.movie_id.tolist() == [20]
    assert not history.is_new.any()
