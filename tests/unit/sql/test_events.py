"""The step that turns ratings into events in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.unit.sql.steps import PREFERENCES, Database, load_ratings


def sort_events(
    db: Database, *ratings: tuple[int, int, float, int], cut_points: Sequence[float] = (2.5, 3.5, 4.5)
) -> list[tuple[Any, ...]]:
    """Run the step with everybody in the core."""
    db.set(preferences=PREFERENCES)
    db.cut(*cut_points)
    load_ratings(db, *ratings)
    db.run("25_tally")
    db.run("50_preferences")
    db.run("51_events")
    return db.rows("FROM events")


@pytest.mark.parametrize(
    ("rating", "preference"),
    [
        (0.1, -2),
        (0.5, -2),
        (2.5, -2),
        (2.51, -1),
        (3.0, -1),
        (3.5, -1),
        (3.51, 1),
        (4.0, 1),
        (4.5, 1),
        (4.51, 2),
        (5.0, 2),
    ],
)
def test_a_rating_equal_to_a_cut_point_belongs_to_the_lower_bucket(db, rating, preference):
    assert sort_events(db, (1, 1, rating, 0)) == [(1, 1, preference, 0, 0, 0, 1, 1)]


def test_cut_points_are_a_setting(db):
    events = sort_events(db, *((1, movie, float(movie), 0) for movie in range(1, 6)), cut_points=(1, 2, 4))
    assert [preference for _, _, preference, *_ in events] == [-2, -1, 1, 1, 2]


def test_what_buckets_mean_is_a_variable(db):
    db.set(preferences=[7, -7, 5, -5])
    db.cut(1.0, 2.0, 3.0)
    load_ratings(db, *((1, movie_id, float(movie_id), 0) for movie_id in (1, 2, 3, 4)))
    db.run("25_tally")
    db.run("50_preferences")
    db.run("51_events")
    assert [preference for _, _, preference, *_ in db.rows("FROM events")] == [7, -7, 5, -5]


def test_events_are_in_the_order_of_user_time_and_movie(db):
    events = sort_events(db, (2, 1, 4, 5), (1, 9, 4, 7), (1, 3, 4, 7), (1, 5, 4, 6), (-1, 2, 4, 99))
    assert [(user_id, movie_id, timestamp) for user_id, movie_id, _, timestamp, *_ in events] == [
        (-1, 2, 99),
        (1, 5, 6),
        (1, 3, 7),
        (1, 9, 7),
        (2, 1, 5),
    ]


def test_an_event_knows_its_place_and_where_its_users_validation_and_test_begin(db):
    db.set(split_ratio=[8, 1, 1])
    sort_events(db, (7, 1, 4, 1), (3, 1, 4, 1), (7, 2, 4, 2), (5, 1, 4, 1), (7, 3, 4, 3))
    # Of three events, the first two are in train; a single one is too.
    assert db.rows("SELECT user_id, timestamp, position, place, val_from, test_from FROM events") == [
        (3, 1, 0, 0, 1, 1),
        (5, 1, 0, 1, 2, 2),
        (7, 1, 0, 2, 4, 4),
        (7, 2, 1, 3, 4, 4),
        (7, 3, 2, 4, 4, 4),
    ]


def test_ratings_outside_the_core_are_not_events(db):
    db.set(preferences=PREFERENCES)
    load_ratings(db, (1, 1, 4, 1), (1, 2, 4, 1), (2, 1, 4, 1), (2, 2, 4, 1))
    db.table("core_users", "user_id BIGINT, n BIGINT", [(1, 1)])
    db.table("core_movies", "movie_id BIGINT, n BIGINT", [(2, 1)])
    db.run("50_preferences")
    db.run("51_events")
    assert db.rows("FROM events") == [(1, 2, 1, 1, 0, 0, 1, 1)]


def look_at_widths(db: Database) -> None:
    """Run the step with everybody in the core."""
    db.run("25_tally")
    for name in ("users", "movies"):
        db.connection.execute(f"CREATE OR REPLACE TABLE rated_{name} AS FROM core_{name}")
    db.run("50_widths")


@pytest.mark.parametrize(
    ("user", "movie", "time", "widths"),
    [
        (1, 1, 0, (True, True)),
        (-(2**31), 2**31 - 1, 2**32 - 1, (True, True)),
        (2**31, 1, 0, (False, True)),
        (-(2**31) - 1, 1, 0, (False, True)),
        (1, 2**31, 0, (False, True)),
        (1, 1, 2**32, (True, False)),
        (1, 1, -1, (True, False)),
    ],
)
def test_what_fits_is_sorted_in_half_of_the_width(db, user, movie, time, widths):
    ratings = [(1, 1, 4.0, 5), (user, movie, 4.5, time), (user, 3, 5.0, time)]
    load_ratings(db, *ratings)
    look_at_widths(db)
    assert db.rows("FROM widths") == [widths]
    wide = sort_events(db, *ratings)
    kinds = "SELECT typeof(user_id), typeof(movie_id), typeof(timestamp), typeof(val_from) FROM sorted_events LIMIT 1"
    assert db.rows(kinds) == [("BIGINT",) * 4]
    db.connection.execute("DROP VIEW events; DROP TABLE sorted_events")
    if widths[0]:
        db.run("50_narrow_ids")
    if widths[1]:
        db.run("50_narrow_times")
    assert sort_events(db, *ratings) == wide
    ids, times = "INTEGER" if widths[0] else "BIGINT", "UINTEGER" if widths[1] else "BIGINT"
    assert db.rows(kinds) == [(ids, ids, times, ids)]
    assert {row[:3] for row in db.rows("SELECT typeof(user_id), typeof(movie_id), typeof(timestamp) FROM events")} == {
        ("BIGINT",) * 3
    }


@pytest.mark.parametrize("name", ["users", "movies"])
def test_what_was_dropped_counts_too(db, name):
    load_ratings(db, (1, 1, 4.0, 5))
    look_at_widths(db)
    assert db.rows("FROM widths") == [(True, True)]
    db.connection.execute(f"INSERT INTO rated_{name} VALUES ($id, 1)", {"id": 2**31})
    assert db.rows("FROM widths") == [(False, True)]


def test_without_ratings_nothing_is_narrow(db):
    load_ratings(db)
    look_at_widths(db)
    assert db.rows("FROM widths") == [(False, False)]
