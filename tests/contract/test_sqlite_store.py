"""The SQLite file: who owns it, who may read it, and how it can fail."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import pytest

from mlrec.errors import IncompatibleFormatError, StoreUnavailableError
from mlrec.serving.stores import sqlite_file as sqlite_module
from mlrec.serving.stores.interface import NOBODY, Appended, Draft, Entry, StoredVector
from mlrec.serving.stores.sqlite import SqliteStore
from mlrec.serving.stores.sqlite_file import sql_text


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "users.db"


def test_reading_makes_no_file(path):
    store = SqliteStore(path)
    store.head(1)
    store.counts()
    assert not path.exists()


def test_the_file_says_whose_it_is_and_is_durable(path):
    store = SqliteStore(path)
    store.append(1, Draft(10, 1, 100))
    header = path.read_bytes()[:100]
    assert header[68:72] == b"mlrc"
    assert header[18:20] == b"\x02\x02"  # write-ahead log
    with store._file.writing() as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
        assert connection.execute("PRAGMA user_version").fetchone() == (sqlite_module.INTEGER_IDS,)
    # A vector is not worth a flush, and does not make the next swipe less durable.
    store.save_vector(1, StoredVector("m", b"v"))
    with store._file.writing() as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


@pytest.mark.parametrize(
    "content", [b"not a database, but some text that is long enough to be one" * 9, b"x", b"SQLite format 3\x00short"]
)
def test_a_foreign_or_damaged_file_is_left_as_it_is(path, content):
    path.write_bytes(content)
    store = SqliteStore(path)
    for call in (lambda: store.head(1), lambda: store.append(1, Draft(10, 1, 100)), lambda: store.forget(1, 1)):
        with pytest.raises(IncompatibleFormatError, match="left as it is"):
            call()
    assert path.read_bytes() == content
    assert [entry.name for entry in path.parent.iterdir()] == ["users.db"]


def test_another_applications_database_is_left_as_it_is(path):
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE events (x)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(IncompatibleFormatError, match="another application"):
        SqliteStore(path).append(1, Draft(10, 1, 100))
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == ["users.db"]


def test_damage_inside_is_told(path):
    store = SqliteStore(path)
    store.extend((1, Draft(movie, 1, 100, idempotency_key=f"client {movie}")) for movie in range(3000))
    store.close()
    content = bytearray(path.read_bytes())
    content[4096 * 5 : 4096 * 9] = b"\xab" * 4096 * 4
    path.write_bytes(content)
    for look in (lambda: SqliteStore(path).check(), lambda: SqliteStore(path).events(1)):
        with pytest.raises(IncompatibleFormatError, match="damaged"):
            look()


def test_a_later_schema_says_what_to_upgrade(path):
    store = SqliteStore(path)
    store.append(1, Draft(10, 1, 100))
    store.close()
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(IncompatibleFormatError, match="version 99") as error:
        SqliteStore(path).head(1)
    assert error.value.hint == "Upgrade mlrec: pip install -U mlrec"


def test_a_process_that_is_open_does_not_write_once_a_newer_one_has_migrated(path):
    store = SqliteStore(path)
    store.append(1, Draft(10, 1, 100))
    store.forget(2, 100)
    with closing(sqlite3.connect(path)) as newer:
        newer.execute(f"PRAGMA user_version = {len(sqlite_module.MIGRATIONS) + 1}")
    for write in (
        lambda: store.append(1, Draft(11, 1, 100)),
        lambda: store.append("a", Draft("b", 1, 100)),
        lambda: store.extend([(1, Draft(11, 1, 100))]),
        lambda: store.forget(1, 100),
        lambda: store.allow(2),
    ):
        with pytest.raises(IncompatibleFormatError, match="written by a newer version of mlrec") as refused:
            write()
        assert refused.value.hint == "Upgrade mlrec: pip install -U mlrec"
    store.save_vector(1, StoredVector("m", b"v"))
    assert store.vector(1) is None
    assert [event.movie_id for event in store.events(1)] == [10]
    assert store.forgotten() == [2]


@pytest.mark.parametrize(
    ("version", "words"), [(-1, "no schema version -1"), (0, "already exists"), (2**31 - 1, "newer")]
)
def test_a_damaged_schema_version_is_told(path, version, words):
    store = SqliteStore(path)
    store.append(1, Draft(10, 1, 100))
    store.close()
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA user_version = {version}")
    before = path.read_bytes()
    for call in (store.counts, store.check, lambda: store.append(1, Draft(10, 1, 100))):
        with pytest.raises(IncompatibleFormatError, match=words):
            call()
    store.close()
    assert path.read_bytes() == before


def test_a_missing_table_is_told(path):
    store = SqliteStore(path)
    store.append(1, Draft(10, 1, 100))
    with closing(sqlite3.connect(path)) as database:
        database.execute("DROP TABLE events")
    for call in (store.counts, store.check, lambda: store.head(1), lambda: store.append(1, Draft(10, 1, 100))):
        with pytest.raises(IncompatibleFormatError, match="no such table"):
            call()


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_nobody_else_can_read_what_is_new_at_any_moment(tmp_path, umask):
    modes = set()
    is_done = threading.Event()

    def watch() -> None:
        while not is_done.is_set():
            for entry in tmp_path.iterdir():
                with suppress(FileNotFoundError):  # a journal that has been there for a moment
                    modes.add(stat.S_IMODE(entry.stat().st_mode))

    watcher = threading.Thread(target=watch)
    before = os.umask(umask)
    try:
        watcher.start()
        stores = [SqliteStore(tmp_path / f"{number}.db") for number in range(10)]
        for store in stores:
            store.append(1, Draft(10, 1, 100))
    finally:
        os.umask(before)
        is_done.set()
        watcher.join()
    assert len(list(tmp_path.iterdir())) == 30  # each with its -wal and -shm
    assert modes == {0o600}


def test_an_old_file_keeps_its_mode_and_check_warns(path):
    store = SqliteStore(path)
    store.append(1, Draft(10, 1, 100))
    assert store.check() == []
    for mode in (0o644, 0o640):
        path.chmod(mode)
        store.append(1, Draft(10, 1, 100))
        assert stat.S_IMODE(path.stat().st_mode) == mode
        assert store.check() == [f"Other users of this machine can read the swipes: chmod 600 {path}"]
    Path(f"{path}-wal").chmod(0o644)
    (warning,) = store.check()
    assert warning.endswith(f"chmod 600 {path} {path}-wal")


def test_a_link_to_nowhere_gets_its_file(path, tmp_path):
    path.symlink_to(tmp_path / "volume.db")
    SqliteStore(path).append(1, Draft(10, 1, 100))
    assert stat.S_IMODE((tmp_path / "volume.db").stat().st_mode) == 0o600


def test_a_named_pipe_is_told_and_not_waited_for(path):
    os.mkfifo(path)
    for call in (lambda: SqliteStore(path).head(1), lambda: SqliteStore(path).append(1, Draft(10, 1, 100))):
        with pytest.raises(IncompatibleFormatError, match="not a file"):
            call()


def test_what_the_callers_own_rows_raise_is_not_blamed_on_the_file(path):
    store = SqliteStore(path)
    store.append(1, Draft(10, 1, 100))

    def rows():
        yield 2, Draft(10, 1, 100)
        raise error

    for error in (sqlite3.OperationalError("disk full elsewhere"), OSError("elsewhere"), KeyError("x")):
        with pytest.raises(type(error)) as raised:
            store.extend(rows())
        assert raised.value is error
        assert store.user_ids() == [1]
    store.append(1, Draft(11, 1, 100))


def test_a_file_that_is_gone_or_another_is_said_once_each_time(path, tmp_path, caplog):
    store = SqliteStore(path)
    store.head(1)
    store.append(1, Draft(10, 1, 100))
    assert caplog.messages == []
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink()
    for _ in range(3):
        assert store.head(1) == NOBODY
    assert len(caplog.messages) == 1
    assert f"{path} has been deleted while this process was using it" in caplog.text
    store.append(1, Draft(11, 1, 100))
    assert [event.movie_id for event in store.events(1)] == [11]
    assert len(caplog.messages) == 1
    SqliteStore(tmp_path / "backup.db").append(1, Draft(77, 1, 100))
    for suffix in ("-wal", "-shm", ""):
        Path(f"{tmp_path / 'backup.db'}{suffix}").replace(f"{path}{suffix}")
    with ThreadPoolExecutor(8) as pool:
        assert {events[0].movie_id for events in pool.map(lambda _: store.events(1), range(50))} == {77}
    assert len(caplog.messages) == 2
    assert "replaced by another file" in caplog.messages[1]


def test_an_earlier_schema_is_migrated_once_by_many_at_once(path, monkeypatch, tmp_path):
    store = SqliteStore(path)
    store.append(1, Draft(10, 1, 100))
    store.close()
    later = tmp_path / "sql" / "002_later.sql"
    later.parent.mkdir()
    later.write_text(
        sql_text("002_text_ids")
        + "CREATE TABLE later (x TEXT DEFAULT 'a;b'); -- one; more\nINSERT INTO later VALUES ('once');"
    )

    class Files:
        def joinpath(self, *names):
            return tmp_path.joinpath(*names)

    monkeypatch.setattr("importlib.resources.files", lambda package: Files())
    monkeypatch.setattr(sqlite_module, "MIGRATIONS", ("001_swipe_log", "002_later"))
    stores = [SqliteStore(path) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        logged = list(pool.map(lambda store: store.append("a", Draft(10, 1, 100)), stores))
        heads = list(pool.map(lambda store: store.head(1), stores))
    assert sorted(outcome.event.event_id for outcome in logged if outcome) == list(range(1, 9))
    assert {(head.last_event_id, head.forgotten) for head in heads} == {(1, False)}
    assert len(set(heads)) == 1
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT count(*) FROM later").fetchone() == (1,)
        assert database.execute("PRAGMA user_version").fetchone() == (2,)
    database.close()


def test_many_processes_may_make_the_file_at_once(path):
    program = (
        "import sys\nfrom pathlib import Path\n"
        "from mlrec.serving.stores.sqlite import SqliteStore\nfrom mlrec.serving.stores.interface import Draft\n"
        "store = SqliteStore(Path(sys.argv[1]))\n"
        "for number in range(20): store.append(1, Draft(int(sys.argv[2]) * 100 + number, 1, 1))\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", program, str(path), str(number)]) for number in range(8)]
    assert [process.wait(60) for process in running] == [0] * 8
    events = SqliteStore(path).events(1)
    assert [event.event_id for event in events] == list(range(1, 161))
    assert len({event.movie_id for event in events}) == 160


@pytest.mark.parametrize("user_id", [1, "one"])
def test_what_is_forgotten_is_not_left_in_the_file(path, user_id):
    store = SqliteStore(path)
    store.append(2, Draft(10, 1, 100, idempotency_key="stays here"))
    for number in range(50):
        store.append(user_id, Draft(10, 1, 100, idempotency_key=f"a secret that only user 1 has {number}"))
    assert any(b"a secret" in entry.read_bytes() for entry in path.parent.iterdir())
    store.forget(user_id, 5)
    content = b"".join(entry.read_bytes() for entry in path.parent.iterdir())
    assert b"a secret" not in content
    assert b"stays here" in content


def test_a_file_that_was_replaced_is_opened_anew(path, tmp_path):
    store = SqliteStore(path)
    store.append(1, Draft(10, 1, 100))
    elsewhere = SqliteStore(tmp_path / "backup.db")
    elsewhere.append(1, Draft(77, 1, 100))
    elsewhere.close()
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    (tmp_path / "backup.db").replace(path)
    assert store.events(1)[0].movie_id == 77
    store.append(1, Draft(78, 1, 100))
    assert [event.movie_id for event in SqliteStore(path).events(1)] == [77, 78]


def test_a_connection_in_use_while_the_file_is_replaced_does_not_write_to_the_former(path, tmp_path):
    store = SqliteStore(path)
    store.append(1, Draft(10, 1, 100))
    elsewhere = SqliteStore(tmp_path / "backup.db")
    elsewhere.append(1, Draft(77, 1, 100))
    elsewhere.close()
    with store._file.lent():
        (tmp_path / "backup.db").replace(path)
        for suffix in ("-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        assert store.events(1)[0].movie_id == 77
    for movie_id in (78, 79):
        store.append(1, Draft(movie_id, 1, 100))
    assert [event.movie_id for event in SqliteStore(path).events(1)] == [77, 78, 79]


def test_forgetting_tells_if_a_reader_keeps_the_deleted_pages(path, caplog):
    store = SqliteStore(path, wait_seconds=0.2)
    store.append(1, Draft(10, 1, 100, idempotency_key="a secret"))
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM events").fetchall()
    store.forget(1, 5)
    assert "can still be found" in caplog.text
    reader.close()
    store.forget(1, 5)
    assert b"a secret" not in b"".join(entry.read_bytes() for entry in path.parent.iterdir())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_file_that_may_not_be_written_is_told(path):
    store = SqliteStore(path)
    store.append(1, Draft(10, 1, 100))
    store.close()
    path.chmod(0o400)
    with pytest.raises(StoreUnavailableError, match="read-only"):
        SqliteStore(path).append(1, Draft(10, 1, 100))


def test_a_folder_that_is_a_file_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailableError, match="cannot be read or written"):
        SqliteStore(tmp_path / "file" / "users.db").append(1, Draft(10, 1, 100))


def test_a_lock_that_is_held_too_long_is_told(path):
    store = SqliteStore(path)
    store.append(1, Draft(10, 1, 100))
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailableError, match=r"Another process has locked .* for 0\.2 seconds"):
        SqliteStore(path, wait_seconds=0.2).append(1, Draft(11, 1, 100))
    # Readers go on, and do not wait to keep what they have derived.
    assert store.head(1).last_event_id == 1
    started = time.monotonic()
    store.save_vector(1, StoredVector("m", b"v"))
    assert time.monotonic() - started < 5
    assert store.vector(1) is None
    holder.close()
    store.save_vector(1, StoredVector("m", b"v"))
    assert store.vector(1) == StoredVector("m", b"v")
    SqliteStore(path).append(1, Draft(11, 1, 100))


def test_opening_more_connections_keeps_the_locks_of_the_first(path):
    """Else a process that comes and goes would take itself for the last one and delete the write-ahead log in use."""
    store = SqliteStore(path)
    store.append(1, Draft(1, 1, 1))
    with store._file.lent(), store._file.lent():
        pass
    program = (
        "import sys\nfrom pathlib import Path\nfrom mlrec.serving.stores.sqlite import SqliteStore\n"
        "from mlrec.serving.stores.interface import Draft\n"
        "store = SqliteStore(Path(sys.argv[1]))\nstore.append(2, Draft(1, 1, 1))\n"
        "print([event.movie_id for event in store.events(1)])\nstore.close()\n"
    )
    command = [sys.executable, "-c", program, str(path)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    SqliteStore(path).head(1)  # another store in this process opens the file as well
    store.append(1, Draft(77, 1, 1))
    assert subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout == "[1, 77]\n"


def test_a_fork_does_not_share_connections(path):
    store = SqliteStore(path)
    store.append(1, Draft(10, 1, 100))
    child = os.fork()
    if child == 0:
        try:
            store.append(1, Draft(11, 1, 100))
            store.close()
            os._exit(0)
        except BaseException:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    store.append(1, Draft(12, 1, 100))
    assert [event.movie_id for event in store.events(1)] == [10, 11, 12]


def test_threads_do_not_wait_for_ever(path):
    store = SqliteStore(path, wait_seconds=0.3)
    store.append(1, Draft(10, 1, 100))
    with store._file.writing() as connection:
        connection.execute("DELETE FROM vectors")
        with ThreadPoolExecutor(4) as pool:
            waiting = [pool.submit(store.append, user, Draft(11, 1, 100)) for user in range(4)]
        for one in waiting:
            with pytest.raises(StoreUnavailableError, match=r"Another thread .* has kept .* busy for 0\.3 seconds"):
                one.result()


def test_threads_write_in_turn(path):
    store = SqliteStore(path)
    with ThreadPoolExecutor(8) as pool:
        found = [pool.submit(store.append, 2, Draft(movie, 1, 100)) for movie in range(200)]
    assert all((appended := one.result()) is not None and appended.is_new for one in found)
    assert sorted(event.movie_id for event in store.events(2)) == list(range(200))


def test_a_fork_in_the_middle_of_a_write_does_not_stop_the_child(path):
    store = SqliteStore(path, wait_seconds=10)
    store.append(1, Draft(10, 1, 100))
    with store._file._taking_turns():  # no transaction: the file is free
        child = os.fork()
        if child == 0:
            try:
                store.append(1, Draft(11, 1, 100))
                os._exit(0)
            except BaseException:
                os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
    assert [event.movie_id for event in store.events(1)] == [10, 11]


def test_a_damaged_user_does_not_stop_the_others_of_a_batch(path):
    store = SqliteStore(path)
    for user in (1, 2):
        store.append(user, Draft(10, 1, 100))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE users SET token = token + 1 WHERE user_id = 1")
    damaged, fine = store.append_each([Entry(user, Draft(11, 1, 100), in_order=False) for user in (1, 2)])
    assert isinstance(damaged, IncompatibleFormatError)
    assert isinstance(fine, Appended)
    assert [event.movie_id for event in store.events(2)] == [10, 11]


def test_a_batch_is_stored_as_a_whole_or_not_at_all(path):
    store = SqliteStore(path)
    store.append(1, Draft(10, 1, 100))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "CREATE TRIGGER full BEFORE INSERT ON events WHEN new.movie_id = 13 BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
    with pytest.raises(IncompatibleFormatError, match="no"):
        store.append_each([Entry(user, Draft(movie, 1, 100), in_order=True) for user, movie in ((1, 11), (2, 13))])
    assert [event.movie_id for event in store.events(1)] == [10]
    assert store.head(2) == NOBODY
