"""The steps that check swipes, merge them, and leave out forgotten users, each alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.sql.steps import INT64_MAX, PREFERENCES, Database, load_ratings

SWIPE_COLUMNS = "user_id BIGINT, movie_id BIGINT, preference BIGINT, timestamp BIGINT, event_id BIGINT"
JUDGED_COLUMNS = f"{SWIPE_COLUMNS}, reason VARCHAR, fate VARCHAR"


def judge_swipes(
    db: Database,
    swipes: Sequence[tuple[int, int, int, int, int]],
    *ratings: tuple[int, int, float, int],
    forgotten: Sequence[int] = (),
) -> list[tuple[Any, ...]]:
    """Run the step where movies 1 to 5 are known; user, movie and fate of each swipe."""
    db.set(preferences=PREFERENCES)
    db.movies(1, 2, 3, 4, 5)
    load_ratings(db, *ratings)
    db.table("swipes", SWIPE_COLUMNS, swipes)
    db.table("forgotten", "user_id BIGINT", [(user_id,) for user_id in forgotten])
    db.run("27_judge_swipes")
    return db.rows("SELECT user_id, movie_id, fate FROM judged_swipes ORDER BY user_id, movie_id")


@pytest.mark.parametrize("preference", [-2, -1, 0, 1, 2])
@pytest.mark.parametrize(
    ("rated_at", "stands"),
    [([], True), ([99], True), ([100], True), ([101], False), ([99, 100], True), ([99, 101], False)],
)
def test_a_swipe_stands_unless_a_rating_of_the_movie_is_later(db, preference, rated_at, stands):
    ratings = [(1, 2, 4.0, timestamp) for timestamp in rated_at]
    fates = judge_swipes(db, [(1, 2, preference, 100, 1)], *ratings, (1, 3, 4.0, 999), (2, 2, 4.0, 999))
    assert fates == [(1, 2, "outdated" if not stands else "merged" if preference else "skip")]
    assert db.reasons() == []


@pytest.mark.parametrize(
    ("swipe", "reason"),
    [
        ((1, 9, 1, 100, 7), "unknown movie"),
        ((1, 9, 0, 100, 7), "unknown movie"),
        ((1, 2, 1, -1, 7), "timestamp out of range"),
        ((1, 2, 1, 1_500_000_000_000, 7), "timestamp out of range"),
        ((1, 2, 3, 100, 7), "preference out of range"),
    ],
)
def test_a_swipe_that_cannot_be_used_is_rejected_by_its_event_id(db, swipe, reason):
    assert judge_swipes(db, [swipe, (2, 2, 1, 100, 1)]) == [(*swipe[:2], "rejected"), (2, 2, "merged")]
    assert db.rows("SELECT file, line, text, reason FROM rejects") == [
        ("swipe log", 7, ",".join(map(str, swipe[:4])), reason)
    ]


def test_swipes_of_forgotten_users_are_passed_over(db):
    swipes = [(1, 2, 1, 100, 1), (2, 2, 1, 100, 1), (2, 9, 1, 100, 2)]
    assert judge_swipes(db, swipes, forgotten=[2, 3]) == [(1, 2, "merged")]
    assert db.reasons() == []


def test_ratings_of_forgotten_users_go(db):
    load_ratings(db, (1, 1, 4.0, 1), (1, 2, 4.0, 1), (2, 1, 4.0, 1), (INT64_MAX, 1, 4.0, 1))
    db.table("forgotten", "user_id BIGINT", [(1,), (INT64_MAX,), (3,)])
    db.run("28_drop_forgotten")
    assert db.rows("FROM ratings") == [(2, 1, 4.0, 1)]
    assert db.rows("FROM gone ORDER BY user_id") == [(1,), (INT64_MAX,)]


def merge_swipes(
    db: Database,
    judged: Sequence[tuple[int, int, int, int, str]],
    *ratings: tuple[int, int, float, int],
    cut_points: Sequence[float] = (2.5, 3.5, 4.5),
    max_rating: float = 5.0,
) -> list[tuple[Any, ...]]:
    """Run the step on rows of (user, movie, preference, timestamp, fate); the ratings that are left."""
    db.set(preferences=PREFERENCES)
    db.cut(*cut_points, high=max_rating)
    load_ratings(db, *ratings)
    db.table("judged_swipes", JUDGED_COLUMNS, [(*row, 1, None, fate) for *row, fate in judged])
    db.run("29_merge_swipes")
    return db.rows("SELECT user_id, movie_id, rating, timestamp FROM ratings ORDER BY ALL")


def test_a_swipe_takes_the_place_of_all_ratings_of_its_movie(db):
    others = [(1, 3, 4.0, 10), (2, 2, 4.0, 10)]
    merged = merge_swipes(db, [(1, 2, -2, 20, "merged")], (1, 2, 5.0, 10), (1, 2, 4.0, 20), *others)
    assert merged == [(1, 2, 2.5, 20), *others]


def test_a_skip_takes_ratings_away_and_adds_none(db):
    assert merge_swipes(db, [(1, 2, 0, 20, "skip"), (1, 4, 0, 20, "skip")], (1, 2, 5.0, 10), (1, 3, 4.0, 10)) == [
        (1, 3, 4.0, 10)
    ]


@pytest.mark.parametrize("fate", ["outdated", "rejected"])
def test_other_swipes_change_nothing(db, fate):
    swipes = [(1, 2, 1, 20, fate), (1, 3, 0, 20, fate), (1, 9, 1, 20, fate)]
    assert merge_swipes(db, swipes, (1, 2, 5.0, 30), (1, 3, 4.0, 30)) == [(1, 2, 5.0, 30), (1, 3, 4.0, 30)]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.floats(1e-6, 1e6), min_size=4, max_size=4, unique=True))
def test_whatever_the_cut_points_bucketing_gives_back_the_preference_of_a_swipe(server, bounds):
    *cut_points, max_rating = sorted(bounds)
    database = Database(server)
    swipes = [(1, movie_id, preference, 20, "merged") for movie_id, preference in enumerate(PREFERENCES)]
    merge_swipes(database, swipes, cut_points=cut_points, max_rating=max_rating)
    database.run("25_tally")
    database.run("50_preferences")
    database.run("51_events")
    assert [preference for _, _, preference, *_ in database.rows("FROM events")] == PREFERENCES
