"""The SQLite file when the first text id comes: it is migrated at this moment, and in no other."""

from __future__ import annotations

import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from mlrec.errors import ForgottenUserError, IncompatibleFormatError
from mlrec.ids import PublicId
from mlrec.serving.stores import sqlite as store_module
from mlrec.serving.stores import sqlite_file
from mlrec.serving.stores.interface import NOBODY, Draft, StoredVector
from mlrec.serving.stores.sqlite import SqliteStore
from mlrec.serving.stores.sqlite_file import sql_text

GOLDEN = Path(__file__).parents[1] / "golden" / "v1" / "users.db"
VECTOR = StoredVector("m", b"v")
FORGOTTEN = 3
"""A user who is forgotten in the golden file."""


@pytest.fixture
def path(tmp_path) -> Path:
    """A file with integer ids that an earlier version has written, and two more vectors."""
    path = tmp_path / "users.db"
    shutil.copy(GOLDEN, path)
    path.chmod(0o600)
    with closing(SqliteStore(path)) as store:
        store.save_vector(1, VECTOR)
        store.save_vector(1001, VECTOR)
    return path


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as database:
        return int(database.execute("PRAGMA user_version").fetchone()[0])


def content(path: Path, users: list[int]) -> Any:
    """All that is stored of some users."""
    with closing(SqliteStore(path)) as store:
        assert store.check() == []
        return [(user_id, store.head(user_id), list(store.events(user_id)), store.vector(user_id)) for user_id in users]


INTEGERS: dict[str, Callable[[SqliteStore], object]] = {
    "append": lambda store: store.append(1, Draft(2, 1, 1_800_000_000), in_order=True),
    "another user": lambda store: store.append(5000, Draft(2, 1, 100)),
    "extend": lambda store: store.extend([(1, Draft(2, 1, 100)), (2, Draft(2, 1, 100, idempotency_key="new"))]),
    "forget": lambda store: store.forget(2, 100),
    "allow": lambda store: store.allow(FORGOTTEN),
    "save_vector": lambda store: store.save_vector(2, VECTOR),
}
UNWRITTEN: dict[str, Callable[[SqliteStore], bool]] = {
    "head": lambda store: store.head("a") == NOBODY,
    "events": lambda store: store.events("a") == [],
    "vector": lambda store: store.vector("a") is None,
    "allow": lambda store: store.allow("a") is False,
    "moved": lambda store: store.append(1, Draft("b", 1, 1), if_last=7) is None,
    "known": lambda store: not store.append(1, Draft("b", 1, 1, idempotency_key="a-1")).is_new,  # type: ignore[union-attr]
    "nothing": lambda store: store.extend([]) == 0,
}
TEXTS: dict[str, Callable[[SqliteStore], object]] = {
    "user": lambda store: store.append("a", Draft(2, 1, 100)),
    "movie": lambda store: store.append(1, Draft("b", 1, 100)),
    "both": lambda store: store.append("a", Draft("b", 1, 100)),
    "late in a batch": lambda store: store.extend([(1001, Draft(2, 1, 100)), ("a", Draft("b", 1, 100))]),
    "forget": lambda store: store.forget("a", 100),
}


@pytest.mark.parametrize("call", INTEGERS.values(), ids=INTEGERS)
def test_with_integers_the_file_stays_as_earlier_versions_read_it(path, call):
    store = SqliteStore(path)
    call(store)
    store.close()
    assert version(path) == 1
    with closing(sqlite3.connect(path)) as database, closing(sqlite3.connect(":memory:")) as fresh:
        fresh.executescript(sql_text("001_swipe_log"))
        query = "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name"
        assert [(name, "".join(sql.split())) for name, sql in database.execute(query)] == [
            (name, "".join(sql.split())) for name, sql in fresh.execute(query)
        ]


@pytest.mark.parametrize("call", UNWRITTEN.values(), ids=UNWRITTEN)
def test_a_text_that_is_not_written_changes_nothing(path, call):
    before = content(path, [1, 2, 1001, FORGOTTEN])
    with closing(SqliteStore(path)) as store:
        assert call(store)
        store.save_vector("a", VECTOR)
    assert version(path) == 1
    assert content(path, [1, 2, 1001, FORGOTTEN]) == before


def test_a_batch_that_is_refused_leaves_the_old_version(path):
    store = SqliteStore(path)
    with pytest.raises(ForgottenUserError):
        store.extend([("a", Draft("b", 1, 100)), (FORGOTTEN, Draft(1, 1, 100))])
    assert store.head("a") == NOBODY
    store.close()
    assert version(path) == 1


@pytest.mark.parametrize("call", TEXTS.values(), ids=TEXTS)
def test_the_first_text_migrates_the_file_and_nothing_is_lost(path, call):
    before = content(path, [2, FORGOTTEN])
    log = content(path, [1, 1001])
    store = SqliteStore(path)
    forgotten, users = store.forgotten(), store.user_ids()
    call(store)
    store.close()
    assert version(path) == 2
    assert content(path, [2, FORGOTTEN]) == before
    for (user_id, _, events, vector), now in zip(log, content(path, [1, 1001]), strict=True):
        assert now[0] == user_id
        assert now[2][: len(events)] == events
        assert len(now[2]) <= len(events) + 1
        assert now[3] == vector == VECTOR
    with closing(SqliteStore(path)) as later:
        assert later.user_ids()[: len(users)] == users
        assert later.forgotten()[: len(forgotten)] == forgotten
        for write in INTEGERS.values():
            write(later)
        for write in TEXTS.values():
            with suppress(ForgottenUserError):
                write(later)
        later.allow("a")
        for write in TEXTS.values():
            write(later)
        assert later.check() == []
    assert version(path) == 2


def test_the_statements_find_users_by_their_key_in_both_versions():
    for migrations in (sqlite_file.MIGRATIONS[:1], sqlite_file.MIGRATIONS):
        with closing(sqlite3.connect(":memory:")) as database:
            for name in migrations:
                database.executescript(sql_text(name))
            plan = [row[3] for row in database.execute("EXPLAIN QUERY PLAN " + sql_text("check_users"))]
        assert any(step.startswith("SEARCH users USING") and "AUTOMATIC" not in step for step in plan), plan


def test_connections_that_are_open_go_on(path):
    """Each has prepared its statements with the tables of version 1."""
    stores = [SqliteStore(path) for _ in range(3)]
    for store in stores:
        store.head(1), store.events(1), store.vector(1), store.user_ids(), store.check()
        store.append(1, Draft(9, 1, 100))
        store.save_vector(1, VECTOR)
    with stores[0]._file.lent() as reader:
        cursor = reader.execute("SELECT event_id FROM events WHERE user_id = 1 ORDER BY event_id")
        cursor.fetchone()  # a statement in the middle
        stores[1].append("a", Draft("b", 1, 100))
        assert len(cursor.fetchall()) == len(stores[1].events(1)) - 1
    other = StoredVector("n", b"w")
    for number, store in enumerate(stores):
        assert [event.movie_id for event in store.events("a")] == ["b"] + ["c"] * number
        assert store.vector(1) == (VECTOR if number == 0 else other)
        store.save_vector(1, other)
        assert store.vector(1) == other
        store.save_vector("a", VECTOR)
        assert store.vector("a") == VECTOR
        store.append("a", Draft("c", 1, 100))
        store.append(1, Draft(9, 1, 100))
        assert store.check() == []


def test_threads_read_while_the_file_is_migrated(path):
    store = SqliteStore(path)
    with ThreadPoolExecutor(1) as pool:
        store.extend((number, Draft(movie, 1, 100)) for number in range(9000, 10_000) for movie in (1, 2, 3))
        is_done = threading.Event()

        def read() -> int:
            chance, rounds = random.Random(1), 0
            while not is_done.is_set():
                assert store.head(chance.randrange(9000, 10_000)).last_event_id == 3
                assert len(store.events(chance.randrange(9000, 10_000))) == 3
                store.save_vector(chance.randrange(9000, 10_000), VECTOR)
                rounds += 1
            return rounds

        reading = pool.submit(read)
        for number in range(20):
            store.append(f"user {number}", Draft("b", 1, 100))
        is_done.set()
        assert reading.result(60) > 0
    assert store.check() == []


def run(program: str, *arguments: object) -> subprocess.Popen[bytes]:
    begin = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom mlrec.serving.stores import sqlite_file\n"
        "from mlrec.serving.stores.sqlite import SqliteStore\nfrom mlrec.serving.stores.interface import Draft\n"
        "store = SqliteStore(Path(sys.argv[1]))\nnumber = int(sys.argv[2])\nstore.head(1)\n"
    )
    return subprocess.Popen([sys.executable, "-c", begin + program, *map(str, arguments)])


def test_processes_may_race_for_the_migration(path):
    before = content(path, [1, 2])
    program = (
        "user = f'user {number}' if number % 2 else 6000 + number\n"
        "for one in range(20):\n"
        "    store.append('shared' if number % 2 else 7000, Draft(f'{number} {one}' if number % 2 else one, 1, 1))\n"
        "    store.append(user, Draft(one, 1, 1))\n"
    )
    running = [run(program, path, number) for number in range(6)]
    assert [process.wait(120) for process in running] == [0] * 6
    assert version(path) == 2
    assert content(path, [1, 2]) == before
    with closing(SqliteStore(path)) as store:
        assert sorted(str(event.movie_id) for event in store.events("shared")) == sorted(
            f"{number} {one}" for number in (1, 3, 5) for one in range(20)
        )
        assert len(store.events(7000)) == 60
        everyone: list[PublicId] = [*(f"user {number}" for number in (1, 3, 5)), *(6000, 6002, 6004)]
        for user_id in everyone:
            assert [event.movie_id for event in store.events(user_id)] == list(range(20))
        assert store.check() == []


STATEMENTS = len(list(sqlite_file._statements(sql_text("002_text_ids"))))


@pytest.mark.parametrize("after", range(STATEMENTS + 1))
def test_a_kill_during_the_migration_leaves_the_old_version(path, after):
    before = content(path, [1, 2, 1001, FORGOTTEN])
    program = (
        "statements = sqlite_file._statements\n"
        "def killed(text):\n"
        "    for position, statement in enumerate(statements(text)):\n"
        "        if position == number: os.kill(os.getpid(), signal.SIGKILL)\n"
        "        yield statement\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "sqlite_file._statements = killed\n"
        "store.append('a', Draft('b', 1, 100))\n"
    )
    assert run(program, path, after).wait(60) == -signal.SIGKILL
    assert version(path) == 1
    assert content(path, [1, 2, 1001, FORGOTTEN]) == before
    with closing(SqliteStore(path)) as store:
        store.append("a", Draft("b", 1, 100))
        assert [event.movie_id for event in store.events("a")] == ["b"]
    assert version(path) == 2
    assert content(path, [1, 2, 1001, FORGOTTEN]) == before


def test_an_earlier_version_says_what_to_upgrade(path, monkeypatch):
    """Also one whose connection is open, and one that keeps what it has derived."""
    now, then = sqlite_file.MIGRATIONS, sqlite_file.MIGRATIONS[:1]

    def become(migrations: tuple[str, ...]) -> None:
        monkeypatch.setattr(sqlite_file, "MIGRATIONS", migrations)
        monkeypatch.setattr(store_module, "MIGRATIONS", migrations)

    become(then)
    earlier = SqliteStore(path)
    earlier.append(1, Draft(9, 1, 100))
    become(now)
    SqliteStore(path).append("a", Draft("b", 1, 100))
    become(then)
    earlier.save_vector(1, StoredVector("n", b"w"))
    for call in (
        lambda: earlier.append(1, Draft(9, 1, 100)),
        lambda: earlier.forget(1, 100),
        lambda: SqliteStore(path).head(1),
    ):
        with pytest.raises(IncompatibleFormatError, match="schema version 2") as refused:
            call()
        assert refused.value.hint == "Upgrade mlrec: pip install -U mlrec"
    become(now)
    assert earlier.vector(1) == VECTOR


def test_a_version_that_does_not_fit_the_tables_is_told(path):
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 2")
    with closing(SqliteStore(path)) as store:
        store.append(1, Draft(9, 1, 100))
        with pytest.raises(IncompatibleFormatError, match="damaged"):
            store.append("a", Draft("b", 1, 100))
        assert store.head("a") == NOBODY
        assert store.check() == []
