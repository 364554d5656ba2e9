"""Splits and events outside the core in one order, against sorting them one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mlrec.dataset.events import joined, numbered
from mlrec.ids import array_of

Event = tuple[int, int, int, int]


def part(events: list[Event], **more: list[int]) -> dict[str, NDArray[Any]]:
    """Columns of events: user, movie, preference and time."""
    columns = np.array(events, dtype=np.int64).reshape(-1, 4).T
    types = {"user_id": np.int64, "movie_id": np.int64, "preference": np.int8, "timestamp": np.int64}
    found = {name: column.astype(kind) for (name, kind), column in zip(types.items(), columns, strict=True)}
    return found | {name: np.array(values, dtype=np.int64) for name, values in more.items()}


# Each user's events in the core, as how many are in each split, and the places of those outside it.
HISTORIES = st.dictionaries(
    st.integers(-5, 10**12),
    st.tuples(st.tuples(*[st.integers(0, 3)] * 3), st.lists(st.integers(0, 12), max_size=4).map(sorted)),
    max_size=6,
)


@given(HISTORIES, st.integers(0, 1000))
def test_each_users_splits_follow_each_other_with_the_others_at_their_places(histories, seed):
    draw = np.random.default_rng(seed)
    splits: dict[int, list[Event]] = {0: [], 1: [], 2: []}
    outside: list[Event] = []
    positions: list[int] = []
    outside_split: list[int] = []
    expected: list[tuple[int, ...]] = []
    for user in sorted(histories):
        lengths, places = histories[user]
        own: list[tuple[int, ...]] = []
        for number, length in enumerate(lengths):
            for _ in range(length):
                event = (user, int(draw.integers(50)), int(draw.choice([-2, -1, 1, 2])), len(own))
                splits[number].append(event)
                own.append((*event, number, 1))
        for place in reversed(places):  # from the end, so that earlier places stay
            event = (user, int(draw.integers(50, 99)), 1, 77)
            own.insert(min(place, sum(lengths)), (*event, 1, 0))
        outside += [(one[0], one[1], one[2], one[3]) for one in own if not one[5]]
        positions += places
        outside_split += [1] * len(places)
        expected += own
    found = joined(
        {number: part(events) for number, events in splits.items()},
        part(outside, position=positions, split=outside_split),
    )
    rows = zip(
        found.user_ids[found.user],
        found.movie_ids[found.movie],
        found.preference,
        found.timestamp,
        found.split,
        found.in_core,
        strict=True,
    )
    assert [tuple(map(int, row)) for row in rows] == expected
    assert list(found.user_ids) == sorted({row[0] for row in expected})
    assert list(found.movie_ids) == sorted({row[1] for row in expected})


def test_events_outside_the_core_that_are_not_in_order_are_put_in_order():
    core = part([(1, 10, 1, 5), (1, 20, 1, 6), (2, 10, 1, 1)])
    found = joined({2: core}, part([(1, 30, 1, 9), (1, 40, 1, 2), (2, 30, 1, 0)], position=[2, 0, 0], split=[2, 2, 2]))
    assert found.movie_ids[found.movie].tolist() == [40, 10, 20, 30, 30, 10]
    assert found.in_core.tolist() == [False, True, True, False, False, True]
    assert found.are_in_time_order


def test_by_time_an_event_outside_the_core_comes_after_those_of_its_time():
    core = part([(1, 10, 1, 5), (1, 20, 1, 6)])
    found = joined({0: core}, part([(1, 30, 1, 5)], position=[0], split=[0]))
    assert found.are_in_time_order
    assert found.movie_ids[found.movie].tolist() == [30, 10, 20]
    assert found.by_time().movie_ids[found.by_time().movie].tolist() == [10, 30, 20]


def test_times_that_descend_are_seen_wherever_they_are():
    backwards = part([(1, 10, 1, 6), (1, 20, 1, 5)])
    assert not joined({0: backwards}).are_in_time_order
    late = joined({0: part([(1, 10, 1, 5), (1, 20, 1, 6)])}, part([(1, 30, 1, 9)], position=[0], split=[0]))
    assert late.only(late.in_core).are_in_time_order
    assert not late.are_in_time_order


@pytest.mark.parametrize("kind", ["integer", "text"])
@given(parts=st.lists(st.lists(st.integers(-(2**62), 2**62) | st.integers(0, 9), max_size=8), min_size=1, max_size=3))
def test_ids_are_numbered_over_all_parts(kind, parts):
    def ids(own):
        return array_of(own if kind == "integer" else [str(one) for one in own], kind)

    values, positions = numbered([ids(own) for own in parts])
    every = [one for own in parts for one in ids(own).tolist()]
    assert values.tolist() == sorted(set(every))
    assert [values[one].tolist() for one in positions] == [ids(own).tolist() for own in parts]
    assert all(one.dtype == np.int32 for one in positions)
