"""Swipes and forgotten users in a preparation."""

from __future__ import annotations

import pytest

from mlrec.dataset.prepare import prepare
from mlrec.errors import TooManyRejectsError
from tests.integration.prepare.definitions import Swiped
from tests.integration.prepare.raw_data import RATED_AT, loose, rejects, snapshot, split_rows, swipe_table


def test_without_swipes_and_forgotten_users_the_folder_says_nothing_of_them(one_run):
    _, result, _ = one_run
    assert result.manifest.swipes is None
    assert {step.name for step in result.manifest.steps} & {
        "with swipes",
        "without forgotten users",
    } == set()


def test_bad_swipes_count_as_bad_rows_and_leave_the_last_folder_as_it_is(small):
    prepare(small, loose())
    before = snapshot(small.prepared.root)
    bad = [Swiped(user_id, 99, 1, RATED_AT) for user_id in range(10)]
    good = [Swiped(user_id, 1, 1, RATED_AT) for user_id in range(10)]
    with pytest.raises(TooManyRejectsError, match="10 of 20 rows of swipe log are bad") as stopped:
        prepare(small, loose(max_reject_share=0.4), swipes=swipe_table(bad + good))
    assert "Prepare without swipes" in stopped.value.hint
    assert snapshot(small.prepared.root) == before
    assert len(rejects(small.failed_rejects)) == 10
    manifest = prepare(small, loose(max_reject_share=0.5), swipes=swipe_table(bad + good)).manifest.document
    assert manifest["swipes"] == {"standing": 20, "merged": 10, "skips": 0, "outdated": 0, "rejected": 10}
    assert manifest["input"]["rows"]["swipes"] == 20


def test_a_swipe_log_is_the_same_log_whatever_the_cut_points(small):
    swipes = [Swiped(77, movie_id, preference, RATED_AT) for movie_id, preference in enumerate((-2, -1, 1, 2), 1)]
    for cut_points in ((2.5, 3.5, 4.5), (0.1, 0.2, 4.9)):
        prepare(small, loose(cut_points=cut_points, split_ratio=(1, 0, 0)), swipes=swipe_table(swipes))
        assert [row for row in split_rows(small)["train"] if row[0] == 77] == [tuple(swipe) for swipe in swipes]


def test_a_swipe_need_not_fit_into_the_32_bits_of_the_ratings(small):
    swipe = Swiped(2**40, 1, 2, 2**33)
    prepare(small, loose(split_ratio=(1, 0, 0)), swipes=swipe_table([swipe]))
    assert [row for row in split_rows(small)["train"] if row[0] == 2**40] == [tuple(swipe)]
