"""The contract of every store of swipes, on a real SQLite file, a real Redis server, and memory."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mlrec.errors import ForgottenUserError, SettingsError
from mlrec.serving.stores import open_store
from mlrec.serving.stores.interface import NOBODY, Counts, Draft, Event, Head, StoredVector
from mlrec.workspace import Workspace
from tests.processes import wait_until

BIG = 2**62 + 1


def test_an_empty_store_is_empty(store):
    assert store.head(1) == NOBODY
    assert list(store.events(1)) == []
    assert store.vector(1) is None
    assert store.user_ids() == store.forgotten() == []
    assert store.counts() == Counts(0, 0, 0, 0)
    assert store.allow(1) is False
    assert store.check() == []


def test_events_come_back_in_order_as_they_were(store):
    drafts = [Draft(BIG, 2, 100), Draft(7, -2, 50, idempotency_key="é 1"), Draft(7, 0, 0), Draft(7, 0, 101, undoes=2)]
    for draft in drafts:
        store.append(BIG, draft)
    store.append(-3, Draft(1, 1, 1))
    events = list(store.events(BIG))
    assert events == [Event(number, *draft, events[number - 1].token) for number, draft in enumerate(drafts, start=1)]
    assert list(store.events(BIG, after=2)) == events[2:]
    assert store.head(BIG) == Head(4, events[-1].token, False)
    assert len({0, *(event.token for event in events)}) == 5
    assert store.user_ids() == [-3, BIG]
    assert store.counts() == Counts(users=2, swipes=4, undone=1, forgotten=0)


def test_a_repeated_idempotency_key_is_logged_once_a_user(store):
    first = store.append(1, Draft(10, 1, 100, idempotency_key="a"))
    again = store.append(1, Draft(11, -1, 200, idempotency_key="a"))
    assert (first.is_new, again.is_new) == (True, False)
    assert again.event == first.event == store.events(1)[0]
    assert store.append(2, Draft(10, 1, 100, idempotency_key="a")).is_new
    assert len(store.events(1)) == 1


def test_if_last_lets_only_the_first_of_two_through(store):
    first = store.append(1, Draft(10, 1, 100)).event
    assert store.append(1, Draft(10, 0, 100, undoes=1), if_last=first.token).event.event_id == 2
    assert store.append(1, Draft(10, 0, 100, undoes=1), if_last=first.token) is None
    assert len(store.events(1)) == 2


def test_what_happens_now_is_never_older_than_the_log(store):
    store.append(1, Draft(10, 1, 500))
    store.append(1, Draft(11, 1, 100))  # a time that was given stays as it is
    store.append(2, Draft(10, 1, 900))
    logged = [
        store.append(1, Draft(10, -1, 200), in_order=True),  # the clock has stepped back
        store.append(1, Draft(10, 0, 300, undoes=3, idempotency_key="u"), in_order=True),
        store.append(1, Draft(10, 1, 501), in_order=True),
        store.append(1, Draft(10, 1, 400, idempotency_key="c"), in_order=True),
        store.append(1, Draft(10, 1, 9_999, idempotency_key="c"), in_order=True),  # there already
        store.append(3, Draft(10, 1, 7), in_order=True),
    ]
    assert [outcome.event.at for outcome in logged] == [500, 500, 501, 501, 501, 7]
    assert [event.at for event in store.events(1)] == [500, 100, 500, 500, 501, 501]
    assert [outcome.event for outcome in logged[:4]] == store.events(1)[2:]
    store.extend([(1, Draft(12, 1, 50)), (1, Draft(12, 1, 600))])
    assert store.append(1, Draft(10, 1, 400), in_order=True).event.at == 600
    store.forget(1, 5)
    store.allow(1)
    assert store.append(1, Draft(10, 1, 400), in_order=True).event.at == 400


def test_times_never_fall_whoever_swipes_at_once(store_name):
    """Eight holders whose clocks differ by hours: by event id, times only rise."""
    if store_name == "memory":
        pytest.skip("memory has one holder")
    stores = [open_store(store_name, None) for _ in range(8)]

    def swipe(number: int) -> None:
        stores[number % 8].append(1, Draft(number, 1, 1_000_000 + 3600 * (number * 7 % 8)), in_order=True)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(swipe, range(200)))
    times = [event.at for event in stores[0].events(1)]
    assert times == sorted(times)
    assert len(times) == 200
    for opened in stores:
        opened.close()


def test_a_batch_is_logged_in_order_and_counts_what_is_new(store):
    store.append(1, Draft(10, 1, 100, idempotency_key="a"))
    batch = [
        (1, Draft(10, 1, 100, idempotency_key="a")),
        (2, Draft(11, 1, 5)),
        (1, Draft(12, -1, 6)),
        (2, Draft(13, 1, 7)),
    ]
    assert store.extend(batch) == 3
    assert [event.movie_id for event in store.events(1)] == [10, 12]
    assert [event.movie_id for event in store.events(2)] == [11, 13]
    assert store.extend([]) == 0


def test_a_batch_with_a_forgotten_user_is_refused_whole(store):
    store.forget(2, 100)
    with pytest.raises(ForgottenUserError):
        store.extend([(1, Draft(10, 1, 100)), (2, Draft(11, 1, 5))])
    assert store.user_ids() == []


def test_the_vector_that_was_saved_last_stays(store):
    store.append(1, Draft(10, 1, 100))
    first = StoredVector("model a 1 5f", b"\x00\xff\x80first")
    store.save_vector(1, first)
    assert store.vector(1) == first
    other = StoredVector("model b 1 5f", b"other")
    store.save_vector(1, other)
    assert store.vector(1) == other
    store.save_vector(99, other)
    assert store.vector(99) is None  # no log, no vector


def test_a_forgotten_user_is_gone_and_refused_until_allowed(store):
    for _ in range(3):
        store.append(1, Draft(10, 1, 100, idempotency_key=None))
    store.append(1, Draft(10, 1, 100, idempotency_key="a"))
    store.append(1, Draft(10, 0, 100, undoes=4))
    store.save_vector(1, StoredVector("m", b"v"))
    store.append(2, Draft(10, 1, 100))
    assert store.forget(1, 12345) == 5
    assert store.forget(1, 12345) == 0
    assert store.forget(77, 12345) == 0
    assert store.head(1) == Head(5, 0, True)
    assert list(store.events(1)) == []
    assert store.vector(1) is None
    assert store.user_ids() == [2]
    assert store.forgotten() == [1, 77]
    assert store.counts() == Counts(users=1, swipes=1, undone=0, forgotten=2)
    with pytest.raises(ForgottenUserError, match="User 1 "):
        store.append(1, Draft(10, 1, 100))
    store.save_vector(1, StoredVector("m", b"v"))
    assert store.vector(1) is None

    assert store.allow(1) is True
    assert store.allow(1) is False
    # No event id is used twice, and idempotency keys are free again.
    assert store.append(1, Draft(10, 1, 100, idempotency_key="a")).event.event_id == 6
    assert [event.event_id for event in store.events(1)] == [6]


def test_many_threads_lose_nothing(store):
    def swipe(number: int) -> int:
        return store.append(number % 3, Draft(number, 1, number)).event.event_id

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(swipe, range(300)))
    for user in range(3):
        events = store.events(user)
        assert [event.event_id for event in events] == list(range(1, 101))
        assert {event.movie_id for event in events} == set(range(user, 300, 3))


def test_closing_twice_does_no_harm(store):
    store.append(1, Draft(10, 1, 100))
    store.close()
    store.close()


def test_what_is_kept_is_told(store):
    assert "swipe" in store.describe()
    assert store.place


@pytest.mark.parametrize("name", ["", "postgres://host/db", "http://x", "a\0b"])
def test_a_name_that_is_no_store_is_refused(name):
    with pytest.raises(SettingsError, match="not a valid store"):
        open_store(name, None)


def test_relative_paths_are_relative_to_the_data_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    workspace = Workspace(Path("data"))
    assert Path(open_store(None, workspace).place) == tmp_path / "data" / "users.db"
    assert open_store("mine.db", workspace).place == "data/mine.db"
    assert open_store(str(tmp_path / "x.db"), workspace).place == str(tmp_path / "x.db")
    assert open_store(None, None).place == "memory"


def test_threads_may_read_at_any_moment(store):
    store.append(1, Draft(10, 1, 100))
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # threads take turns between any two steps
    try:
        with ThreadPoolExecutor(6) as pool:
            heads = set(pool.map(lambda _: store.head(1), range(10_000)))
    finally:
        sys.setswitchinterval(interval)
    assert [head.last_event_id for head in heads] == [1]


def test_threads_see_each_others_swipes(store):
    seen = threading.Event()

    def look() -> None:
        wait_until(lambda: store.head(1).last_event_id >= 1, seconds=10, pause=0)
        seen.set()

    thread = threading.Thread(target=look)
    thread.start()
    store.append(1, Draft(10, 1, 100))
    thread.join(10)
    assert seen.is_set()
