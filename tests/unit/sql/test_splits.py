"""The steps that split events, by user and at two cutoff times, each alone."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlrec.dataset import placing
from mlrec.dataset.forms import TICKS_PER_SECOND, Clock, Forms
from mlrec.dataset.placing import OrderedEvents
from mlrec.dataset.sql_steps import SqlSteps
from mlrec.progress import SILENT
from tests.unit.sql.steps import PREFERENCES, Database, load_ratings

EVENT_COLUMNS = "user_id BIGINT, movie_id BIGINT, preference TINYINT, timestamp BIGINT, n INTEGER, position BIGINT"

RATIOS = [(8, 1, 1), (7, 2, 1), (1, 1, 1), (1, 1, 8), (3, 0, 1), (1, 0, 0)]


def put_events(db: Database, rows: Sequence[tuple[int, ...]]) -> None:
    db.table("histories", EVENT_COLUMNS, rows)
    db.connection.execute(
        "CREATE OR REPLACE VIEW events AS SELECT *, position AS place, n_train(n) AS val_from,"
        " n_train(n) + n_val(n) AS test_from FROM histories"
    )


def split_users(db: Database, lengths: Sequence[int], ratio: tuple[int, int, int]) -> list[list[str]]:
    """Run the step for users with so many events each; the split of every event, user by user."""
    rows = [(user_id, event, 1, event, n, event) for user_id, n in enumerate(lengths) for event in range(n)]
    db.set(split_ratio=list(ratio))
    put_events(db, rows)
    db.run("61_split_user_time")
    splits: list[list[str]] = [[] for _ in lengths]
    for user_id, split in db.rows("SELECT user_id, split FROM split_events"):
        splits[user_id].append(split)
    return splits


@pytest.mark.parametrize(
    ("n", "train", "val", "test"),
    [
        (1, 1, 0, 0),
        (2, 2, 0, 0),
        (3, 2, 0, 1),
        (9, 7, 0, 2),
        (10, 8, 1, 1),
        (11, 8, 1, 2),
        (19, 15, 1, 3),
        (20, 16, 2, 2),
    ],
)
def test_splits_worked_out_by_hand(db, n, train, val, test):
    assert split_users(db, [n], (8, 1, 1)) == [["train"] * train + ["val"] * val + ["test"] * test]


@pytest.mark.parametrize("ratio", RATIOS)
def test_splits_of_1_to_30_events_in_integer_arithmetic(db, ratio):
    lengths = list(range(1, 31))
    expected = []
    for n in lengths:
        train, val = n * ratio[0] // sum(ratio), n * ratio[1] // sum(ratio)
        if n < 3:
            train, val = n, 0
        expected.append(["train"] * train + ["val"] * val + ["test"] * (n - train - val))
    assert split_users(db, lengths, ratio) == expected


def test_a_ratio_in_large_numbers_is_the_same_ratio(db):
    lengths = [3, 10, 30]
    large = split_users(db, lengths, (800_000_000, 100_000_000, 100_000_000))
    assert large == split_users(db, lengths, (8, 1, 1))


def deal_events(db: Database, seed: int, *ratings: tuple[int, int, float, int]) -> list[tuple[Any, ...]]:
    """Run the step with everybody in the core; user, movie, time and place of each event."""
    db.set(preferences=PREFERENCES, random_seed=seed)
    load_ratings(db, *ratings)
    db.run("25_tally")
    db.run("50_preferences")
    db.run("51_dealt_events")
    return db.rows("SELECT user_id, movie_id, timestamp, position FROM events")


@settings(max_examples=15, deadline=None)
@given(
    st.sets(st.tuples(st.integers(-2, 3), st.integers(1, 9)), min_size=1),
    st.lists(st.integers(0, 2), min_size=60, max_size=60),
    st.integers(0, 2**32 - 1),
)
def test_dealt_events_keep_their_order_and_get_places_by_time_and_hash(server, pairs, times, seed):
    rows = [(user_id, movie_id, 4.0, at) for (user_id, movie_id), at in zip(sorted(pairs), times, strict=False)]
    events = deal_events(Database(server), seed, *rows)

    def dealt(row: tuple[int, int, float, int]) -> tuple[Any, ...]:
        user_id, movie_id, _, at = row
        return user_id, at, hashlib.md5(f"{seed}:{user_id}:{movie_id}".encode()).hexdigest()

    place: Counter[int] = Counter()
    expected = []
    for user_id, movie_id, _, at in sorted(rows, key=dealt):
        expected.append((user_id, movie_id, at, place[user_id]))
        place[user_id] += 1
    assert events == sorted(expected, key=lambda event: (event[0], event[2], event[1]))


def count_ties(
    db: Database, ratio: tuple[int, int, int], *histories: Sequence[int], clock: Clock = "s"
) -> tuple[int, int, int]:
    """Count the ties among the times of each user's events."""
    db.set(split_ratio=list(ratio), clock=clock, ticks_per_second=TICKS_PER_SECOND.get(clock, 1))
    users = [(user_id, len(history)) for user_id, history in enumerate(histories)]
    events = [(movie_id, time) for history in histories for movie_id, time in enumerate(history)]
    db.table("core_users", "user_id BIGINT, n BIGINT", users)
    db.table("sorted_events", "movie_id BIGINT, timestamp BIGINT", events)
    return OrderedEvents(SqlSteps(db.connection, SILENT), Forms(clock=clock)).look(at_outside=False, at_ties=True)


def ties_of(ratio: tuple[int, int, int], history: Sequence[int]) -> tuple[int, int, int]:
    """What the step counts, for one user, by its definition."""
    n_train, n_val = (len(history) * part // sum(ratio) for part in ratio[:2])
    train, held_out = history[:n_train], history[n_train:]
    if len(history) < 3 or not held_out:
        return 0, 0, 0
    val, test = held_out[:n_val], held_out[n_val:]
    n_tied = sum(time == train[-1] for time in held_out) if train else 0
    is_cut = n_tied > 0 or bool(val and test and val[-1] == test[0])
    return 1, int(is_cut), int(2 * n_tied >= len(held_out))


@pytest.mark.parametrize(
    ("history", "cut", "mostly"),
    [
        ("1a 2a 3v 4t", 0, 0),
        ("1a 2a 2v 4t", 1, 1),
        ("1a 2a 2v 3t 4t", 1, 0),
        ("1a 2a 2v 2t 3t 4t", 1, 1),
        ("1a 2a 3v 3t", 1, 0),
        ("1a 1a 2t 2t", 0, 0),
        ("1a 2a 2t 3t", 1, 1),
        ("1v 1t 2t", 1, 0),
        ("7a 7a 7a", 0, 0),
        ("7a 7v", 0, 0),  # too few events: all go to train
    ],
)
def test_ties_at_the_cuts_worked_out_by_hand(db, history, cut, mostly):
    """A history is spelled as time and part of each event; its parts are the ratio."""
    times = [int(event[:-1]) for event in history.split()]
    ratio = history.count("a"), history.count("v"), history.count("t")
    users = 0 if history in ("7a 7a 7a", "7a 7v") else 1
    assert ties_of(ratio, times) == (users, cut, mostly)
    assert count_ties(db, ratio, times) == (users, cut, mostly)
    assert count_ties(db, ratio, times, [1, 1], times) == (2 * users, 2 * cut, 2 * mostly)


@pytest.mark.parametrize("ratio", RATIOS)
def test_ties_at_the_cuts_by_their_definition(db, ratio, monkeypatch):
    chance = random.Random(31)
    histories = [sorted(chance.choices(range(1, 2 + n // 2), k=n)) for n in range(1, 31) for _ in range(5)]
    expected = tuple(map(sum, zip(*(ties_of(ratio, history) for history in histories), strict=True)))
    assert count_ties(db, ratio, *histories) == expected
    monkeypatch.setattr(placing, "_EVENTS_AT_ONCE", 7)
    assert count_ties(db, ratio, *histories) == expected
    assert min(expected) > 0 or ratio in [(1, 0, 0), (1, 1, 8)]


def test_times_within_a_second_or_a_day_are_ties(db):
    assert count_ties(db, (2, 1, 0), [1_000, 2_001, 2_999]) == (1, 0, 0)
    assert count_ties(db, (2, 1, 0), [1_000, 2_001, 2_999], clock="ms") == (1, 1, 1)
    day = 1 << 40
    assert count_ties(db, (2, 1, 0), [day, 2 * day, 2 * day + 1], clock="date") == (1, 1, 1)
    assert count_ties(db, (1, 1, 1), [-500_000, 200_000, 5_500_000], clock="fraction") == (1, 1, 1)
    assert count_ties(db, (2, 1, 0), [7, 7, 7], clock="file") == (1, 1, 1)
    assert count_ties(db, (2, 1, 0), [7, 7, 7], clock="random") == (1, 0, 0)


def split_globally(
    db: Database, timestamps: Sequence[int], ratio: tuple[int, int, int] = (8, 1, 1)
) -> tuple[tuple[Any, ...], list[str]]:
    """Run the step for one event a timestamp; the two cutoff times, and the split of every event."""
    db.set(split_ratio=list(ratio))
    put_events(db, [(1, i, 1, timestamp, 0, 0) for i, timestamp in enumerate(timestamps)])
    db.run("60_cutoff_times")
    db.run("61_split_global_time")
    cutoff_times = db.rows("SELECT val_from, test_from FROM cutoff_times")[0]
    return cutoff_times, [split for (split,) in db.rows("SELECT split FROM split_events ORDER BY movie_id")]


@pytest.mark.parametrize(
    ("timestamps", "cutoff_times", "counts"),
    [
        # Of ten events the ninth (position 8) begins validation, the tenth test.
        (range(100, 110), (108, 109), (8, 1, 1)),
        # Position 8 lies within the tie at 5: both of its events validate.
        ([1, 1, 2, 2, 2, 2, 2, 5, 5, 9], (5, 9), (7, 2, 1)),
        # Both positions lie within one tie: nothing is left to validate.
        ([1] * 5 + [2] * 5, (2, 2), (5, 0, 5)),
        # Everything at once: no event lies before the moment.
        ([7] * 10, (7, 7), (0, 0, 10)),
        # ⌊9·8/10⌋ = 7 and ⌊9/10⌋ = 0: the cutoff times coincide.
        (range(9), (7, 7), (7, 0, 2)),
        ([4], (4, 4), (0, 0, 1)),
    ],
)
def test_cutoff_times_worked_out_by_hand(db, timestamps, cutoff_times, counts):
    found, splits = split_globally(db, list(timestamps))
    assert found == cutoff_times
    assert tuple(splits.count(name) for name in ("train", "val", "test")) == counts


def test_without_a_test_share_nothing_comes_after_the_second_moment(db):
    cutoff_times, splits = split_globally(db, range(10), (8, 2, 0))
    assert cutoff_times == (8, None)
    assert splits == ["train"] * 8 + ["val"] * 2


@pytest.mark.parametrize("ratio", RATIOS)
def test_cutoff_times_with_ties_against_a_sorted_list(db, ratio):
    chance = random.Random(20)
    for n in (1, 2, 3, 5, 9, 10, 11, 20, 29, 30):
        timestamps = [chance.randrange(1, 12) for _ in range(n)]
        ordered = [*sorted(timestamps), None, None]
        val_position = n * ratio[0] // sum(ratio)
        val_from, test_from = ordered[val_position], ordered[min(val_position + n * ratio[1] // sum(ratio), n)]
        expected = [
            "test"
            if test_from is not None and timestamp >= test_from
            else "val"
            if val_from is not None and timestamp >= val_from
            else "train"
            for timestamp in timestamps
        ]
        assert split_globally(db, timestamps, ratio) == ((val_from, test_from), expected)
        db.connection.execute("DROP VIEW split_events; DROP TABLE cutoff_times")
