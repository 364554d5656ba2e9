"""Damaged stores: whatever is changed or missing, every call returns or raises a clear error, and ends."""

from __future__ import annotations

import os
import random
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest
import redis

from mlrec import Recommender
from mlrec.errors import ForgottenUserError, IncompatibleFormatError, MlrecError, StoreUnavailableError
from mlrec.ids import PublicId
from mlrec.serving.stores import open_store
from mlrec.serving.stores.interface import Appended, Draft, StoredVector, SwipeStore
from mlrec.serving.stores.sqlite import SqliteStore
from tests.stores import ID_KINDS, Ids

DAMAGES = int(os.environ.get("MLREC_FUZZ", "300"))


@pytest.fixture(scope="module", params=[ID_KINDS[0], ID_KINDS[1]], ids=str)
def ids(request) -> Ids:
    """The kinds of ids in a damaged file."""
    kinds: Ids = request.param
    return kinds


@pytest.fixture(scope="module")
def sound(ids, tmp_path_factory) -> Path:
    """A store of several pages and everything that a store may hold."""
    path = tmp_path_factory.mktemp("sound") / "users.db"
    store = SqliteStore(path)
    for user_id in map(ids.user, range(1, 6)):
        store.extend(
            (user_id, Draft(ids.movie(n), n % 5 - 2, 100 + n, idempotency_key=f"client {n}" if n % 2 else None))
            for n in range(40)
        )
        store.append(user_id, Draft(ids.movie(39), 0, 200, undoes=40))
        store.save_vector(user_id, StoredVector("model fold-in", bytes(range(256))))
    store.forget(ids.user(5), 300)
    assert store.check() == []
    store.close()
    return path


def damaged(content: bytes, draw: random.Random) -> bytes:
    """One to three bytes changed, a run of bytes overwritten, a page in another's place, or the end cut off."""
    damaged, kind = bytearray(content), draw.randrange(6)
    # Half of the damage hits the header, the schema and the beginnings of pages, where it does most.
    weak = [*range(100), *(start + offset for start in range(0, len(content), 4096) for offset in range(16))]
    position = draw.choice(weak) if draw.random() < 0.5 else draw.randrange(len(content))
    if kind < 3:
        for offset in range(kind + 1):
            damaged[(position + offset * 7) % len(content)] = draw.choice([0, 1, 0x7F, 0x80, 0xFF, draw.randrange(256)])
    elif kind == 3:
        length = draw.randrange(1, 200)
        damaged[position : position + length] = draw.randbytes(length)
    elif kind == 4:
        pages = len(content) // 4096
        here, there = 4096 * draw.randrange(pages), 4096 * draw.randrange(pages)
        damaged[here : here + 4096] = content[there : there + 4096]
    else:
        del damaged[draw.randrange(len(content)) :]
    return bytes(damaged)


CALLS: dict[str, Callable[[SwipeStore, Ids], object]] = {
    "head": lambda store, ids: [store.head(ids.user(number)) for number in range(7)],
    "events": lambda store, ids: [store.events(ids.user(number)) for number in range(7)],
    "after": lambda store, ids: store.events(ids.user(2), after=30),
    "vector": lambda store, ids: [store.vector(ids.user(number)) for number in range(7)],
    "user_ids": lambda store, ids: store.user_ids(),
    "forgotten": lambda store, ids: store.forgotten(),
    "counts": lambda store, ids: store.counts(),
    "describe": lambda store, ids: store.describe(),
    "check": lambda store, ids: store.check(),
    "save_vector": lambda store, ids: store.save_vector(ids.user(1), StoredVector("m", b"v")),
    "append": lambda store, ids: store.append(
        ids.user(1), Draft(ids.movie(1), 1, 1, idempotency_key="client 7"), in_order=True
    ),
    "append new": lambda store, ids: store.append(
        ids.user(2), Draft(ids.movie(1), 1, 1, idempotency_key="new"), in_order=True
    ),
    "extend": lambda store, ids: store.extend((ids.user(number), Draft(ids.movie(1), 1, 1)) for number in (1, 2, 3, 9)),
    "forget": lambda store, ids: store.forget(ids.user(3), 5),
    "allow": lambda store, ids: store.allow(ids.user(5)),
    "first text": lambda store, ids: store.append("text", Draft("text", 1, 1)),
}


@pytest.mark.parametrize("part", range(3))
def test_every_call_on_damaged_bytes_answers_or_tells(sound, ids, tmp_path, part):
    content = sound.read_bytes()
    told = 0
    for number in range(part, DAMAGES, 3):
        path = tmp_path / f"{number}.db"
        path.write_bytes(damaged(content, random.Random(number)))
        store = SqliteStore(path)
        for name, call in CALLS.items():
            try:
                call(store, ids)
            except MlrecError as error:
                told += bool(error.message and error.hint)
            except BaseException as error:
                raise AssertionError(f"damage {number}: {name} has raised {error!r}") from error
        store.close()
    assert told > DAMAGES // 3  # the damage does some


# -- parts that are gone -----------------------------------------------------------------------------------------------

ALL_IS_GONE = "DEL mlrec:{42}:user mlrec:{42}:log"
DISAGREEMENTS = {
    "sqlite": [
        "DELETE FROM users WHERE user_id = 42",
        "DELETE FROM events WHERE user_id = 42",
        "DELETE FROM events WHERE user_id = 42 AND event_id = 4",
        "UPDATE users SET token = token + 1 WHERE user_id = 42",
        "UPDATE users SET last_event_id = 9 WHERE user_id = 42",
        "UPDATE users SET last_event_id = 3 WHERE user_id = 42",
        "UPDATE users SET last_event_id = 'four' WHERE user_id = 42",
        "UPDATE users SET token = x'00' WHERE user_id = 42",
        "UPDATE events SET token = 'x' WHERE user_id = 42 AND event_id = 4",
    ],
    "redis": [
        "DEL mlrec:{42}:user",
        "DEL mlrec:{42}:log",
        "DEL mlrec:{42}:clients",
        "HDEL mlrec:{42}:user token",
        "HDEL mlrec:{42}:user last",
        "HSET mlrec:{42}:user token 7",
        "HSET mlrec:{42}:user last 9",
        "XDEL mlrec:{42}:log 0-4",
        ALL_IS_GONE,
    ],
}
CASES = [(kind, damage) for kind, damages in DISAGREEMENTS.items() for damage in damages]


def do_damage(store_name: str, damage: str) -> None:
    """By SQL or by a command of Redis, past the store."""
    if store_name.startswith("unix"):
        with redis.Redis.from_url(store_name) as client:
            client.execute_command(*damage.split())
    else:
        with closing(sqlite3.connect(store_name, isolation_level=None)) as database:
            database.execute("PRAGMA ignore_check_constraints = ON")
            database.execute(damage)


def within(seconds: float, call):
    """What a call returns or raises; a call that does not end fails the test and holds up nothing else."""
    outcome: list = []

    def run() -> None:
        try:
            outcome.append(call())
        except Exception as error:
            outcome.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    assert not thread.is_alive(), f"no answer after {seconds} seconds"
    return outcome[0]


@pytest.fixture
def named(request, tmp_path) -> str:
    """Name of a store with users 41 to 43, of whom 42 has a tombstone and client ids."""
    kind, _ = request.param
    name = str(tmp_path / "users.db") if kind == "sqlite" else request.getfixturevalue("redis_url")
    with closing(open_store(name, None)) as store:
        for user_id in (41, 42, 43):
            for movie_id in (318, 1, 260):
                store.append(user_id, Draft(movie_id, 1, 100 + movie_id, idempotency_key=f"c{movie_id}"))
            store.append(user_id, Draft(260, 0, 500, undoes=3))
        assert store.check() == []
    return name


@pytest.mark.parametrize(("named", "damage"), [(case, case[1]) for case in CASES], indirect=["named"])
def test_a_user_of_whom_a_part_is_missing_is_told_and_can_begin_anew(demo, named, damage):
    with Recommender.open(demo.root, store=named) as rec:
        assert rec.get_top_n(42)
        do_damage(named, damage)
        with Recommender.open(demo.root, store=named) as fresh:
            for holder in (rec, fresh):
                for call in (
                    lambda holder=holder: holder.undo(42),
                    lambda holder=holder: holder.undo(42, idempotency_key="u"),
                    lambda holder=holder: holder.update_user(42, 593, 1),
                    lambda holder=holder: holder.get_top_n(42),
                    lambda holder=holder: holder.store.extend([(42, Draft(1, 1, 1))]),
                ):
                    refused = within(60, call)
                    assert isinstance(refused, IncompatibleFormatError), refused
                    assert "User 42 in " in refused.message
                    assert "mlrec users forget 42" in refused.hint
                assert holder.get_top_n(43)
        with pytest.raises(IncompatibleFormatError, match=r"1 user is damaged .*user 42: "):
            rec.store.check()
        rec.forget_user(42)
        assert rec.store.check() == []
        rec.store.allow(42)
        # No id is used twice, as long as anything says which ones were.
        assert rec.update_user(42, 593, 1).event_id > (0 if damage == ALL_IS_GONE else 4)
        assert rec.store.check() == []
        assert rec.undo(42).movie_id == 593
        assert rec.undo(43).movie_id == 1


TEXT_USER = "a b"


def of_text_user(damage: str) -> str:
    """The damage of user 42, done to user `a b`."""
    return damage.replace("user_id = 42", "user_id = x'612062'").replace("{42}", "{=a%20b}")


@pytest.mark.parametrize(("kind", "damage"), CASES)
def test_a_user_with_a_text_id_is_told_and_can_begin_anew(tmp_path, request, kind, damage):
    name = str(tmp_path / "users.db") if kind == "sqlite" else request.getfixturevalue("redis_url")
    users: list[PublicId] = [42, TEXT_USER, "42"]
    with closing(open_store(name, None)) as store:
        for user_id in users:
            for movie_id in ("tt3", "1", 260):
                store.append(user_id, Draft(movie_id, 1, 100, idempotency_key=f"c{movie_id}"))
            store.append(user_id, Draft(260, 0, 500, undoes=3))
        assert store.check() == []
        do_damage(name, of_text_user(damage))
        with closing(open_store(name, None)) as fresh:
            for holder in (store, fresh):
                for call in (
                    lambda holder=holder: holder.head(TEXT_USER),
                    lambda holder=holder: holder.append(TEXT_USER, Draft("new", 1, 1)),
                    lambda holder=holder: holder.extend([(TEXT_USER, Draft("new", 1, 1))]),
                ):
                    refused = within(60, call)
                    assert isinstance(refused, IncompatibleFormatError), refused
                    assert "User 'a b' in " in refused.message
                    assert "mlrec users forget 'a b'" in refused.hint
                assert holder.head(42).last_event_id == holder.head("42").last_event_id == 4
        with pytest.raises(IncompatibleFormatError, match=r"1 user is damaged .*user 'a b': "):
            store.check()
        store.forget(TEXT_USER, 600)
        assert store.check() == []
        store.allow(TEXT_USER)
        assert appended(store, TEXT_USER, Draft("new", 1, 1)).event.event_id > (0 if damage == ALL_IS_GONE else 4)
        assert store.check() == []


NO_IDS = ("'abc'", "1.5", "x''", "x'ff'", "x'c3'", "x'eda080'", "x'6100'", "x'00'", f"x'{'61' * 201}'")


@pytest.mark.parametrize("value", NO_IDS)
def test_a_user_id_that_is_neither_a_number_nor_a_text_is_told(tmp_path, value):
    name = str(tmp_path / "users.db")
    with closing(SqliteStore(Path(name))) as store:
        store.append("a", Draft("b", 1, 100))
        store.append(42, Draft(1, 1, 100))
        for table in ("users", "events"):
            do_damage(name, f"UPDATE {table} SET user_id = {value} WHERE user_id = x'61'")
        for call in (store.user_ids, store.check):
            with pytest.raises(IncompatibleFormatError, match="neither a whole number nor a text"):
                call()
        assert store.events("a") == []
        assert [event.movie_id for event in store.events(42)] == [1]


@pytest.mark.parametrize("value", NO_IDS)
def test_a_movie_id_that_is_neither_a_number_nor_a_text_is_told(tmp_path, value):
    name = str(tmp_path / "users.db")
    with closing(SqliteStore(Path(name))) as store:
        store.extend([("a", Draft("b", 1, 100)), ("a", Draft("c", 1, 100)), (42, Draft(1, 1, 100))])
        do_damage(name, f"UPDATE events SET movie_id = {value} WHERE user_id = x'61' AND event_id = 1")
        with pytest.raises(IncompatibleFormatError, match=r"User a in .*an event is not as mlrec writes it"):
            store.events("a")
        with pytest.raises(IncompatibleFormatError, match="an event is not as mlrec writes it"):
            store.check()
        assert [event.movie_id for event in store.events(42)] == [1]


@pytest.mark.parametrize("value", NO_IDS)
def test_a_forgotten_user_whose_id_is_damaged_is_told(tmp_path, value):
    name = str(tmp_path / "users.db")
    with closing(SqliteStore(Path(name))) as store:
        store.forget("a", 100)
        assert store.check() == []
        do_damage(name, f"UPDATE users SET user_id = {value}")
        for call in (store.check, store.forgotten):
            with pytest.raises(IncompatibleFormatError, match="neither a whole number nor a text"):
                call()


@pytest.mark.parametrize("user_id", [42, TEXT_USER])
@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM events WHERE user_id = 42 AND event_id = 2",
        "DELETE FROM events WHERE user_id = 42 AND event_id = 3",
        "UPDATE events SET undoes = 4 WHERE user_id = 42 AND event_id = 4",
        "UPDATE events SET undoes = 99 WHERE user_id = 42 AND event_id = 4",
        "UPDATE events SET at = -5 WHERE user_id = 42 AND event_id = 2",
        "UPDATE events SET at = 'noon' WHERE user_id = 42 AND event_id = 2",
        "UPDATE events SET preference = 100 WHERE user_id = 42 AND event_id = 2",
        "UPDATE events SET movie_id = 1.5 WHERE user_id = 42 AND event_id = 2",
        "UPDATE events SET client_id = x'ff' WHERE user_id = 42 AND event_id = 2",
        "UPDATE events SET client_id = CAST(x'ff' AS TEXT) WHERE user_id = 42 AND event_id = 2",
        "XDEL mlrec:{42}:log 0-2",
        "XDEL mlrec:{42}:log 0-3",
        "HDEL mlrec:{42}:clients c318",
        "HSET mlrec:{42}:clients c318 2",
        "HSET mlrec:{42}:clients other 2",
        "HDEL mlrec:{42}:user undone",
    ],
)
def test_check_finds_what_is_wrong_in_the_middle_of_a_log(tmp_path, request, damage, user_id):
    by_sql = damage.startswith(("DELETE", "UPDATE"))
    name = str(tmp_path / "users.db") if by_sql else request.getfixturevalue("redis_url")
    with closing(open_store(name, None)) as store:
        for one in (user_id, 43):
            for movie_id in (318, 1, 260):
                store.append(one, Draft(movie_id, 1, 100, idempotency_key=f"c{movie_id}"))
            store.append(one, Draft(260, 0, 500, undoes=3))
        do_damage(name, damage if user_id == 42 else of_text_user(damage))
        with pytest.raises(IncompatibleFormatError):
            store.check()
        store.events(43)
        for call in (
            lambda: store.events(user_id),
            lambda: store.append(user_id, Draft(1, 1, 1, idempotency_key="c1"), in_order=True),
        ):
            with suppress(IncompatibleFormatError):
                call()


def test_an_undo_that_points_to_nothing_is_told(demo, tmp_path):
    name = str(tmp_path / "users.db")
    with Recommender.open(demo.root, store=name) as rec:
        rec.update_user(42, 318, 1)
        rec.undo(42, idempotency_key="u")
        do_damage(name, "UPDATE events SET undoes = 99 WHERE undoes = 1")
        refused = within(60, lambda: rec.undo(42, idempotency_key="u"))
    with Recommender.open(demo.root, store=name) as rec:
        assert rec.undo(42).movie_id == 318  # the swipe itself is there, and nothing undoes it
    assert isinstance(refused, IncompatibleFormatError)


def test_an_undo_that_always_comes_too_late_ends(demo, monkeypatch):
    """Somebody swipes for the user between every look and every undo."""
    with Recommender.open(demo.root, store="memory") as rec:
        rec.update_user(42, 318, 1)
        append = rec.store.append

        def hurried(user_id, draft, **options):
            append(42, Draft(1, 1, 1))
            return append(user_id, draft, **options)

        monkeypatch.setattr(rec.store, "append", hurried)
        refused = within(60, lambda: rec.undo(42))
    assert isinstance(refused, StoreUnavailableError)
    assert "during the attempt" in refused.message


# -- what earlier versions have written --------------------------------------------------------------------------------


def append_as_before(client, swipes: list[tuple[int, str]]) -> None:
    """The commands by which version 0.1 logged likes of user 1 in Redis; times, and client ids or ''."""
    last = int(client.hget("mlrec:{1}:user", "last") or 0)
    with client.pipeline() as pipeline:
        for event_id, (at, client_id) in enumerate(swipes, start=last + 1):
            fields = {"movie_id": 7, "preference": 1, "at": at, "undoes": 0, "client_id": client_id, "token": event_id}
            pipeline.xadd("mlrec:{1}:log", fields, id=f"0-{event_id}")
            pipeline.hset("mlrec:{1}:user", mapping={"last": event_id, "token": event_id})
            if client_id:
                pipeline.hset("mlrec:{1}:clients", client_id, event_id)
        pipeline.execute()


def appended(store: SwipeStore, user_id: PublicId, draft: Draft, **options: bool) -> Appended:
    """What a store says of a swipe that it takes."""
    answer = store.append(user_id, draft, **options)
    assert answer is not None
    return answer


def test_a_process_of_the_former_version_may_write_beside_us(redis_url):
    with redis.Redis.from_url(redis_url) as client, closing(open_store(redis_url, None)) as store:
        append_as_before(client, [(5000 - number, f"c{number}" if number % 2 else "") for number in range(2500)])
        assert appended(store, 1, Draft(1, 1, 100), in_order=True).event.at == 5000
        append_as_before(client, [(9000, "late")])
        assert appended(store, 1, Draft(1, 1, 100, idempotency_key="late")).is_new is False
        assert appended(store, 1, Draft(1, 1, 100), in_order=True).event.at == 9000
        append_as_before(client, [(200, "")])
        assert appended(store, 1, Draft(1, 1, 100), in_order=True).event.at == 9000
        assert store.check() == []
        assert store.head(1).last_event_id == 2505


def test_who_was_forgotten_by_the_former_version_stays_forgotten(redis_url):
    with redis.Redis.from_url(redis_url) as client, closing(open_store(redis_url, None)) as store:
        client.hset("mlrec:{7}:user", mapping={"last": 5, "forgotten_at": 100})
        client.hset("mlrec:{8}:user", mapping={"forgotten_at": 100})
        store.forget(9, 100)
        for user_id in (7, 8, 9):
            assert store.head(user_id).forgotten
            with pytest.raises(ForgottenUserError):
                store.append(user_id, Draft(1, 1, 1))
        assert store.forgotten() == [7, 8, 9]
        assert store.check() == []
        # The former version finds whom this one has forgotten.
        assert client.hget("mlrec:{9}:user", "forgotten_at") == b"100"
        assert [store.allow(user_id) for user_id in (7, 8, 9, 9)] == [True, True, True, False]
        assert store.forgotten() == []
        assert appended(store, 7, Draft(1, 1, 1)).event.event_id == 6


def test_the_blocklist_outlives_the_loss_of_the_users_other_keys(redis_url):
    with redis.Redis.from_url(redis_url) as client, closing(open_store(redis_url, None)) as store:
        store.append(7, Draft(1, 1, 1))
        store.forget(7, 100)
        client.delete("mlrec:{7}:user")
        assert store.head(7).forgotten
        assert store.forgotten() == [7]
        with pytest.raises(ForgottenUserError):
            store.append(7, Draft(1, 1, 1))
        with pytest.raises(ForgottenUserError):
            store.extend([(7, Draft(1, 1, 1))])


def test_keys_of_ours_that_hold_something_else_are_told(redis_url):
    with redis.Redis.from_url(redis_url) as client, closing(open_store(redis_url, None)) as store:
        store.append(1, Draft(1, 1, 1))
        client.xadd("mlrec:{1}:log", {"movie_id": "x"}, id="0-2")
        for of_user_1 in (lambda: store.events(1), lambda: store.head(1), lambda: store.append(1, Draft(1, 1, 1))):
            with pytest.raises(IncompatibleFormatError, match="User 1 "):
                of_user_1()
        client.xadd("mlrec:{someone}:log", {"x": "y"})
        for call in (store.user_ids, store.counts, store.check):
            with pytest.raises(IncompatibleFormatError, match="mlrec did not write"):
                call()
