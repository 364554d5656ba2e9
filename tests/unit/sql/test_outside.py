"""The steps that keep events outside the core, find their place in time, split and write them, each alone."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlrec.dataset import placing
from mlrec.dataset.forms import Forms
from mlrec.dataset.placing import OrderedEvents
from mlrec.dataset.sql_steps import SqlSteps
from mlrec.progress import SILENT
from tests.unit.sql.steps import PREFERENCES, Database, load_ratings

PLACED = "user_id BIGINT, movie_id BIGINT, preference TINYINT, timestamp BIGINT, n INTEGER, position BIGINT"
SPLIT = (
    "user_id BIGINT, movie_id BIGINT, preference TINYINT, timestamp BIGINT, position INTEGER, ticks BIGINT,"
    " split VARCHAR"
)


def place(
    db: Database, ratings: list[tuple[int, int, float, int]], movies: set[int], users: set[int], *, dealt: bool = False
) -> list[tuple[Any, ...]]:
    """Run the steps with a given core: user, movie, time, number of events in the core and place of the others."""
    db.set(preferences=PREFERENCES, random_seed=5)
    load_ratings(db, *ratings)
    in_core = [one for one in ratings if one[0] in users and one[1] in movies]
    per_user = {user: sum(one[0] == user for one in in_core) for user in users}
    db.table("core_movies", "movie_id BIGINT, n BIGINT", [(movie, 1) for movie in movies])
    db.table("core_users", "user_id BIGINT, n BIGINT", [row for row in per_user.items() if row[1]])
    for name, place in (("users", 0), ("movies", 1)):
        rated = sorted({(one[place], 1) for one in ratings})
        db.table(f"rated_{name}", f"{name[:-1]}_id BIGINT, n BIGINT", rated)
    db.run("50_preferences")
    db.run("50_outside")
    if dealt:
        db.run("51_dealt_events")
        db.run("52_dealt_outside_events")
    else:
        db.run("51_events")
        OrderedEvents(SqlSteps(db.connection, SILENT), Forms()).look(at_outside=True, at_ties=False)
        db.run("52_outside_events")
    return db.rows("SELECT user_id, movie_id, timestamp, n, position FROM outside_events ORDER BY ALL")


def test_what_is_outside_and_its_place_by_hand(db):
    ratings = [(1, 10, 4.0, 5), (1, 20, 4.0, 7), (1, 99, 5.0, 1), (1, 15, 5.0, 5), (1, 98, 5.0, 9), (2, 10, 4.0, 1)]
    # Movies 10 and 20 and user 1 are the core. At time 5, movie 15 comes after movie 10.
    assert place(db, ratings, {10, 20}, {1}) == [
        (1, 15, 5, 2, 1),
        (1, 98, 9, 2, 2),
        (1, 99, 1, 2, 0),
        (2, 10, 1, None, -1),
    ]


RATINGS = st.lists(
    st.tuples(st.integers(1, 4), st.integers(1, 9), st.just(4.0), st.integers(0, 6)),
    unique_by=lambda one: one[:2],
    max_size=30,
)


@pytest.mark.parametrize(("dealt", "at_once"), [(False, 4_000_000), (False, 3), (True, 4_000_000)])
@settings(max_examples=40, deadline=None)
@given(ratings=RATINGS, movies=st.sets(st.integers(1, 9), max_size=6), users=st.sets(st.integers(1, 4), max_size=3))
def test_the_place_is_the_number_of_earlier_events_in_the_core(server, dealt, at_once, ratings, movies, users):
    def key(one: tuple[int, int, float, int]) -> tuple[int, Any]:
        user, movie, _, at = one
        return (at, hashlib.md5(f"5:{user}:{movie}".encode()).hexdigest() if dealt else movie)

    in_core = [one for one in ratings if one[0] in users and one[1] in movies]
    expected = []
    for one in ratings:
        if one not in in_core:
            own = [key(other) for other in in_core if other[0] == one[0]]
            place_of = sum(other < key(one) for other in own) if own else -1
            expected.append((one[0], one[1], one[3], len(own) or None, place_of))
    database = Database(server)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(placing, "_EVENTS_AT_ONCE", at_once)
            found = place(database, ratings, movies, users, dealt=dealt)
        assert found == sorted(expected, key=lambda row: row[:3])
    finally:
        database.connection.close()


def by_user_time(db: Database, n: int | None, positions: list[int], ratio: tuple[int, int, int]) -> list[str]:
    db.set(split_ratio=list(ratio))
    db.table("outside_events", PLACED, [(1, movie, 1, 0, n, position) for movie, position in enumerate(positions)])
    db.run("64_outside_user_time")
    return [split for (split,) in db.rows("SELECT split FROM split_outside ORDER BY movie_id")]


def test_an_event_belongs_to_the_split_of_the_next_event_in_the_core(db):
    # Of ten events in the core, 0 to 7 are train, 8 is validation and 9 is test.
    splits = by_user_time(db, 10, [0, 7, 8, 9, 10], (8, 1, 1))
    assert splits == ["train", "train", "val", "test", "test"]


def test_after_the_last_event_in_the_core_its_split_goes_on(db):
    assert by_user_time(db, 10, [9, 10], (1, 0, 0)) == ["train", "train"]
    assert by_user_time(db, 10, [7, 8, 10], (8, 2, 0)) == ["train", "val", "val"]


@pytest.mark.parametrize("n", [None, 1, 2])
def test_users_without_a_split_of_their_own_are_in_train(db, n):
    assert by_user_time(db, n, [0, 1, 2], (8, 1, 1)) == ["train"] * 3


def test_cutoff_times_hold_outside_the_core_too(db):
    db.table("outside_events", PLACED, [(1, movie, 1, at, 10, 0) for movie, at in enumerate([9, 10, 19, 20, 30])])
    db.table("cutoff_times", "val_from BIGINT, test_from BIGINT", [(10, 20)])
    db.run("64_outside_global_time")
    splits = [split for (split,) in db.rows("SELECT split FROM split_outside ORDER BY movie_id")]
    assert splits == ["train", "val", "val", "test", "test"]


def test_the_file_is_in_order_with_the_place_of_each_event(db, tmp_path):
    rows = [
        (2, 7, 1, 5, 0, 5, "train"),
        (1, 9, 2, 3, 1, 3, "val"),
        (1, 8, -1, 3, 1, 3, "val"),
        (1, 5, 1, 9, 0, 9, "val"),
    ]
    db.table("split_outside", SPLIT, rows)
    path = str(tmp_path / "outside.parquet")
    db.run("70_write_outside", path=path)
    assert db.rows("FROM read_parquet(?)", path) == [
        (1, 5, 1, 9, 0, "val"), (1, 8, -1, 3, 1, "val"), (1, 9, 2, 3, 1, "val"), (2, 7, 1, 5, 0, "train"),
    ]  # fmt: skip
    names = [name for name, *_ in db.rows("DESCRIBE FROM read_parquet(?)", path)]
    assert names == ["user_id", "movie_id", "preference", "timestamp", "position", "split"]


def test_texts_are_written_as_texts(db, tmp_path):
    db.table("split_outside", SPLIT.replace("BIGINT, movie_id BIGINT", "VARCHAR, movie_id VARCHAR"), [
        ("v", "b", 1, 5, 0, 5, "train"), ("u", "a", 1, 6, 0, 6, "test"),
    ])  # fmt: skip
    db.run("70_write_outside_texts", path=str(tmp_path / "outside.parquet"))
    assert db.rows("FROM read_parquet(?)", str(tmp_path / "outside.parquet")) == [
        ("u", "a", 1, 6, 0, "test"), ("v", "b", 1, 5, 0, "train"),
    ]  # fmt: skip
