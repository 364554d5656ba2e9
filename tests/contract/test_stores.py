"""The contract of every store of swipes: an SQLite file, a real Redis server, and memory, with each kind of ids."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlrec.errors import ForgottenUserError, SettingsError, in_shell
from mlrec.ids import PublicId, text_fault
from mlrec.serving.stores import open_store
from mlrec.serving.stores.interface import NOBODY, Appended, Counts, Draft, Entry, Event, Head, StoredVector
from mlrec.workspace import Workspace
from tests.processes import wait_until
from tests.stores import ID_KINDS, NASTY, Ids, in_order

BIG = 2**62 + 1


@pytest.fixture(params=ID_KINDS, ids=str)
def ids(request) -> Ids:
    """The kinds of ids."""
    kinds: Ids = request.param
    return kinds


@pytest.fixture
def user(ids) -> Callable[[int], PublicId]:
    """The id of a numbered user."""
    return ids.user


@pytest.fixture
def movie(ids) -> Callable[[int], PublicId]:
    """The id of a numbered movie."""
    return ids.movie


def test_an_empty_store_is_empty(store, user):
    assert store.head(user(1)) == NOBODY
    assert list(store.events(user(1))) == []
    assert store.vector(user(1)) is None
    assert store.user_ids() == store.forgotten() == []
    assert store.counts() == Counts(0, 0, 0, 0)
    assert store.allow(user(1)) is False
    assert store.check() == []


def test_events_come_back_in_order_as_they_were(store, user, movie):
    drafts = [
        Draft(movie(BIG), 2, 100),
        Draft(movie(7), -2, 50, idempotency_key="é 1"),
        Draft(movie(7), 0, 0),
        Draft(movie(7), 0, 101, undoes=2),
    ]
    for draft in drafts:
        store.append(user(BIG), draft)
    store.append(user(-3), Draft(movie(1), 1, 1))
    events = list(store.events(user(BIG)))
    assert events == [Event(number, *draft, events[number - 1].token) for number, draft in enumerate(drafts, start=1)]
    assert list(store.events(user(BIG), after=2)) == events[2:]
    assert store.head(user(BIG)) == Head(4, events[-1].token, False)
    assert len({0, *(event.token for event in events)}) == 5
    assert store.user_ids() == in_order([user(-3), user(BIG)])
    assert store.counts() == Counts(users=2, swipes=4, undone=1, forgotten=0)


def test_a_repeated_idempotency_key_is_logged_once_a_user(store, user, movie):
    first = store.append(user(1), Draft(movie(10), 1, 100, idempotency_key="a"))
    again = store.append(user(1), Draft(movie(11), -1, 200, idempotency_key="a"))
    assert (first.is_new, again.is_new) == (True, False)
    assert again.event == first.event == store.events(user(1))[0]
    assert store.append(user(2), Draft(movie(10), 1, 100, idempotency_key="a")).is_new
    assert len(store.events(user(1))) == 1


def test_if_last_lets_only_the_first_of_two_through(store, user, movie):
    first = store.append(user(1), Draft(movie(10), 1, 100)).event
    assert store.append(user(1), Draft(movie(10), 0, 100, undoes=1), if_last=first.token).event.event_id == 2
    assert store.append(user(1), Draft(movie(10), 0, 100, undoes=1), if_last=first.token) is None
    assert len(store.events(user(1))) == 2


def test_what_happens_now_is_never_older_than_the_log(store, user, movie):
    store.append(user(1), Draft(movie(10), 1, 500))
    store.append(user(1), Draft(movie(11), 1, 100))  # a time that was given stays as it is
    store.append(user(2), Draft(movie(10), 1, 900))
    logged = [
        store.append(user(1), Draft(movie(10), -1, 200), in_order=True),  # the clock has stepped back
        store.append(user(1), Draft(movie(10), 0, 300, undoes=3, idempotency_key="u"), in_order=True),
        store.append(user(1), Draft(movie(10), 1, 501), in_order=True),
        store.append(user(1), Draft(movie(10), 1, 400, idempotency_key="c"), in_order=True),
        store.append(user(1), Draft(movie(10), 1, 9_999, idempotency_key="c"), in_order=True),  # there already
        store.append(user(3), Draft(movie(10), 1, 7), in_order=True),
    ]
    assert [outcome.event.at for outcome in logged] == [500, 500, 501, 501, 501, 7]
    assert [event.at for event in store.events(user(1))] == [500, 100, 500, 500, 501, 501]
    assert [outcome.event for outcome in logged[:4]] == store.events(user(1))[2:]
    store.extend([(user(1), Draft(movie(12), 1, 50)), (user(1), Draft(movie(12), 1, 600))])
    assert store.append(user(1), Draft(movie(10), 1, 400), in_order=True).event.at == 600
    store.forget(user(1), 5)
    store.allow(user(1))
    assert store.append(user(1), Draft(movie(10), 1, 400), in_order=True).event.at == 400


def test_times_never_fall_whoever_swipes_at_once(store_name, user, movie):
    """Eight holders whose clocks differ by hours: by event id, times only rise."""
    if store_name == "memory":
        pytest.skip("memory has one holder")
    stores = [open_store(store_name, None) for _ in range(8)]

    def swipe(number: int) -> None:
        stores[number % 8].append(user(1), Draft(movie(number), 1, 1_000_000 + 3600 * (number * 7 % 8)), in_order=True)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(swipe, range(200)))
    times = [event.at for event in stores[0].events(user(1))]
    assert times == sorted(times)
    assert len(times) == 200
    for opened in stores:
        opened.close()


def test_a_batch_is_logged_in_order_and_counts_what_is_new(store, user, movie):
    store.append(user(1), Draft(movie(10), 1, 100, idempotency_key="a"))
    batch = [
        (user(1), Draft(movie(10), 1, 100, idempotency_key="a")),
        (user(2), Draft(movie(11), 1, 5)),
        (user(1), Draft(movie(12), -1, 6)),
        (user(2), Draft(movie(13), 1, 7)),
    ]
    assert store.extend(batch) == 3
    assert [event.movie_id for event in store.events(user(1))] == [movie(10), movie(12)]
    assert [event.movie_id for event in store.events(user(2))] == [movie(11), movie(13)]
    assert store.extend([]) == 0


def test_a_batch_with_a_forgotten_user_is_refused_whole(store, user, movie):
    store.forget(user(2), 100)
    with pytest.raises(ForgottenUserError):
        store.extend([(user(1), Draft(movie(10), 1, 100)), (user(2), Draft(movie(11), 1, 5))])
    assert store.user_ids() == []


def test_the_vector_that_was_saved_last_stays(store, user, movie):
    store.append(user(1), Draft(movie(10), 1, 100))
    first = StoredVector("model a 1 5f", b"\x00\xff\x80first")
    store.save_vector(user(1), first)
    assert store.vector(user(1)) == first
    other = StoredVector("model b 1 5f", b"other")
    store.save_vector(user(1), other)
    assert store.vector(user(1)) == other
    store.save_vector(user(99), other)
    assert store.vector(user(99)) is None  # no log, no vector


def test_a_forgotten_user_is_gone_and_refused_until_allowed(store, user, movie):
    for _ in range(3):
        store.append(user(1), Draft(movie(10), 1, 100, idempotency_key=None))
    store.append(user(1), Draft(movie(10), 1, 100, idempotency_key="a"))
    store.append(user(1), Draft(movie(10), 0, 100, undoes=4))
    store.save_vector(user(1), StoredVector("m", b"v"))
    store.append(user(2), Draft(movie(10), 1, 100))
    assert store.forget(user(1), 12345) == 5
    assert store.forget(user(1), 12345) == 0
    assert store.forget(user(77), 12345) == 0
    assert store.head(user(1)) == Head(5, 0, True)
    assert list(store.events(user(1))) == []
    assert store.vector(user(1)) is None
    assert store.user_ids() == [user(2)]
    assert store.forgotten() == in_order([user(1), user(77)])
    assert store.counts() == Counts(users=1, swipes=1, undone=0, forgotten=2)
    with pytest.raises(ForgottenUserError, match=re.escape(f"User {in_shell(user(1))} has")):
        store.append(user(1), Draft(movie(10), 1, 100))
    store.save_vector(user(1), StoredVector("m", b"v"))
    assert store.vector(user(1)) is None

    assert store.allow(user(1)) is True
    assert store.allow(user(1)) is False
    # No event id is used twice, and idempotency keys are free again.
    assert store.append(user(1), Draft(movie(10), 1, 100, idempotency_key="a")).event.event_id == 6
    assert [event.event_id for event in store.events(user(1))] == [6]


def test_many_threads_lose_nothing(store, user, movie):
    def swipe(number: int) -> int:
        return store.append(user(number % 3), Draft(movie(number), 1, number)).event.event_id

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(swipe, range(300)))
    for number in range(3):
        events = store.events(user(number))
        assert [event.event_id for event in events] == list(range(1, 101))
        assert {event.movie_id for event in events} == {movie(one) for one in range(number, 300, 3)}


def test_closing_twice_does_no_harm(store, user, movie):
    store.append(user(1), Draft(movie(10), 1, 100))
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


def test_threads_may_read_at_any_moment(store, user, movie):
    store.append(user(1), Draft(movie(10), 1, 100))
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # threads take turns between any two steps
    try:
        with ThreadPoolExecutor(6) as pool:
            heads = set(pool.map(lambda _: store.head(user(1)), range(10_000)))
    finally:
        sys.setswitchinterval(interval)
    assert [head.last_event_id for head in heads] == [1]


def test_threads_see_each_others_swipes(store, user, movie):
    seen = threading.Event()

    def look() -> None:
        wait_until(lambda: store.head(user(1)).last_event_id >= 1, pause=0)
        seen.set()

    thread = threading.Thread(target=look)
    thread.start()
    store.append(user(1), Draft(movie(10), 1, 100))
    thread.join(120)
    assert seen.is_set()


# -- texts -------------------------------------------------------------------------------------------------------------


def test_every_text_is_a_user_and_a_movie_of_its_own(store, store_name):
    numbers = [42, 7, -3, 0, 1000, 2**63 - 1, -(2**63)]
    ids: list[PublicId] = [*numbers, *NASTY]
    assert len(set(ids)) == len(ids)
    for position, one in enumerate(ids):
        assert store.append(one, Draft(ids[-1 - position], 1, 100, idempotency_key="a")).is_new
        store.append(one, Draft(one, -1, 200))
        store.save_vector(one, StoredVector("m", str(position).encode()))
    for opened in (store, open_store(store_name, None) if store_name != "memory" else store):
        assert opened.user_ids() == in_order(ids)
        assert opened.counts() == Counts(len(ids), 2 * len(ids), 0, 0)
        assert opened.check() == []
        for position, one in enumerate(ids):
            assert [event.movie_id for event in opened.events(one)] == [ids[-1 - position], one]
            assert [type(event.movie_id) for event in opened.events(one)] == [type(ids[-1 - position]), type(one)]
            assert opened.head(one) == Head(2, opened.events(one)[-1].token, False)
            assert opened.vector(one) == StoredVector("m", str(position).encode())
    for one in ids[::2]:
        assert store.forget(one, 300) == 2
    assert store.forgotten() == in_order(ids[::2])
    assert store.user_ids() == in_order(ids[1::2])
    assert store.check() == []
    for one in ids[::2]:
        assert store.allow(one)
    assert store.forgotten() == []


def test_the_number_and_the_text_are_two_users(store):
    store.append(42, Draft(1, 1, 100, idempotency_key="a"))
    assert store.head("42") == NOBODY
    assert store.append("42", Draft("1", 1, 100, idempotency_key="a")).is_new
    store.append("42", Draft(1, -1, 200))
    assert [event.movie_id for event in store.events(42)] == [1]
    assert [event.movie_id for event in store.events("42")] == ["1", 1]
    assert store.user_ids() == [42, "42"]
    store.forget("42", 300)
    assert store.forgotten() == ["42"]
    store.append(42, Draft(2, 1, 100))
    with pytest.raises(ForgottenUserError):
        store.append("42", Draft(2, 1, 100))
    assert store.check() == []


def test_a_batch_may_have_both_kinds(store):
    batch: list[tuple[PublicId, Draft]] = [
        (1, Draft(10, 1, 100)),
        ("1", Draft("10", 1, 100)),
        (1, Draft("10", 1, 100)),
        ("1", Draft(10, 1, 100)),
    ]
    assert store.extend(batch) == 4
    assert [event.movie_id for event in store.events(1)] == [10, "10"]
    assert [event.movie_id for event in store.events("1")] == ["10", 10]
    assert store.check() == []


@given(
    st.lists(
        st.tuples(
            *[st.integers(-(2**63), 2**63 - 1) | st.text(max_size=60).filter(lambda one: text_fault(one) is None)] * 2
        )
    )
)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_ids_come_back(store, pairs):
    for user_id in store.user_ids():
        store.forget(user_id, 1)
        store.allow(user_id)
    store.extend((user_id, Draft(movie_id, 1, 100)) for user_id, movie_id in pairs)
    assert store.user_ids() == in_order({user_id for user_id, _ in pairs})
    for user_id in store.user_ids():
        expected = [movie_id for owner, movie_id in pairs if owner == user_id]
        assert [event.movie_id for event in store.events(user_id)] == expected
    assert store.check() == []


def test_events_appended_together_are_those_appended_one_by_one(store, user, movie, store_name):
    store.append(user(1), Draft(movie(10), 1, 500, idempotency_key="known"))
    store.append(user(4), Draft(movie(10), 1, 500))
    store.forget(user(4), 5)
    entries = [
        Entry(user(1), Draft(movie(11), 1, 100), in_order=True),  # the clock has stepped back
        Entry(user(2), Draft(movie(BIG), 2, 7, idempotency_key="a"), in_order=False),
        Entry(user(4), Draft(movie(10), 1, 600), in_order=False),
        Entry(user(1), Draft(movie(12), -1, 900, idempotency_key="known"), in_order=False),
        Entry(user(2), Draft(movie(13), -2, 8, idempotency_key="a"), in_order=True),  # a repeat in the same call
        Entry(user(2), Draft(movie(13), 0, 3), in_order=False),
    ]
    found = store.append_each(entries)
    assert isinstance(found[2], ForgottenUserError)
    one, two, _, known, repeat, three = found
    assert [one.event.at, one.event.event_id, one.is_new] == [500, 2, True]
    assert (two.event[:3], two.is_new) == ((1, movie(BIG), 2), True)
    assert (known.event, known.is_new) == (store.events(user(1))[0], False)
    assert (repeat.event, repeat.is_new) == (two.event, False)
    assert three.event.at == 3
    assert [event.event_id for event in store.events(user(2))] == [1, 2]
    assert store.events(user(1))[1] == one.event
    assert store.head(user(2)) == Head(2, three.event.token, False)
    assert store.append_each([]) == []


def test_nobody_is_lost_or_doubled_who_is_appended_together_at_once(store_name, user, movie):
    """Eight holders send the same 30 swipes in batches of another order, as after lost answers."""
    if store_name == "memory":
        pytest.skip("memory has one holder")
    stores = [open_store(store_name, None) for _ in range(8)]
    swipes = [Entry(user(n % 5), Draft(movie(n), 1, 100, idempotency_key=f"k{n}"), in_order=True) for n in range(30)]

    def send(number: int) -> list[bool]:
        order = [swipes[(number * 7 + step * 11) % 30] for step in range(30)]
        outcomes = [one for start in range(0, 30, 10) for one in stores[number].append_each(order[start : start + 10])]
        return [outcome.is_new for outcome in outcomes if isinstance(outcome, Appended)]

    with ThreadPoolExecutor(8) as pool:
        found = [is_new for own in pool.map(send, range(8)) for is_new in own]
    assert len(found) == 240
    assert sum(found) == 30
    events = [event for n in range(5) for event in stores[0].events(user(n))]
    assert sorted(str(event.idempotency_key) for event in events) == sorted(f"k{n}" for n in range(30))
    for one in stores:
        one.close()
