"""Swipes in one SQLite file: write-ahead log, synchronous FULL, so an acknowledged swipe survives a loss of power.

The file says whose it is (application id) and in which version (user version). It comes into being with the first
swipe; reading from a store that is not there yet finds it empty.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from threading import Lock

from mlrec.errors import IncompatibleFormatError, MlrecError, StoreUnavailableError
from mlrec.serving.stores.interface import NOBODY, Appended, Counts, Draft, Event, Head, StoredVector, new_token
from mlrec.serving.stores.refusals import forgotten_user

APPLICATION_ID = 0x6D6C7263  # "mlrc"
MIGRATIONS = ("001_swipe_log",)
"""Files in sql/, in order: number i takes a database from version i to i + 1."""

_MAGIC = b"SQLite format 3\x00"
_HEADER_BYTES = 100
_WAIT_SECONDS = 30.0
_EVENT = "event_id, movie_id, preference, at, undoes, client_id, token"

_BUSY, _LOCKED, _CORRUPT, _NOT_A_DATABASE = 5, 6, 11, 26
_DISK_FAULTS = {3: "no permission", 8: "read-only", 10: "disk fault", 13: "disk full", 14: "cannot be opened"}

_Identity = tuple[int, int]
_Pooled = tuple[_Identity, sqlite3.Connection]

_log = logging.getLogger(__name__)

# Connections that a fork has copied from another process: closing them here would damage that process's.
_inherited: list[object] = []
# Files whose first bytes have been looked at, by identity.
_held_open: dict[_Identity | None, list[int]] = {}
_looking = Lock()


class SqliteStore:
    """A `SwipeStore` in an SQLite file.

    Parameters
    ----------
    path
        The file. Nothing is read or written before the first call that needs it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        # Connections that nobody uses just now, with the file that each is open on.
        self._pool: deque[_Pooled] = deque()
        self._owner = os.getpid()

    @property
    def place(self) -> str:
        """See `SwipeStore`."""
        return str(self.path)

    # -- connections -------------------------------------------------------------------------------------------------

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        """Lend a connection, or None if there is no database yet."""
        with self._telling():
            pooled = self._pooled()
            if pooled is None and _is_new(self.path):
                yield None
            else:
                with self._lent(pooled) as connection:
                    yield connection

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection within a transaction that ends with the block; the database is made if need be."""
        with self._telling():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._lent() as connection:
                # Said each time: nothing that a swipe's durability hangs on may depend on who used this connection.
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("BEGIN IMMEDIATE")
                try:
                    yield connection
                    connection.execute("COMMIT")
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise

    @contextmanager
    def _lent(self, pooled: _Pooled | None = None) -> Iterator[sqlite3.Connection]:
        """Lend a connection that nobody else uses meanwhile: one that was taken out of the pool, or any."""
        identity, connection = pooled or self._pooled() or self._open()
        try:
            yield connection
        except sqlite3.DatabaseError:
            connection.close()
            raise
        except BaseException:
            self._pool.append((identity, connection))
            raise
        self._pool.append((identity, connection))

    def _pooled(self) -> _Pooled | None:
        """Take a connection out of the pool. What is written to a file in whose place another has come would be lost:
        its connections are closed.
        """
        if self._owner != os.getpid():
            _inherited.append(self._pool)
            self._pool, self._owner = deque(), os.getpid()
        identity = _identity(self.path)
        while True:
            try:
                pooled = self._pool.pop()
            except IndexError:
                return None
            if pooled[0] == identity:
                return pooled
            pooled[1].close()

    def _open(self) -> _Pooled:
        while True:
            _is_new(self.path)  # refuses what is not ours
            before = _identity(self.path)
            connection = sqlite3.connect(
                self.path, timeout=_WAIT_SECONDS, isolation_level=None, check_same_thread=False
            )
            identity = _identity(self.path)  # connecting has made the file if there was none
            if identity is not None and before in (None, identity):
                break
            connection.close()
        try:
            # In this order: in the write-ahead log the application id would stand where _is_new does not look.
            _migrate(connection, self.path)
            _use_write_ahead_log(connection)
            # On macOS a plain fsync leaves data in the drive's own cache.
            connection.execute("PRAGMA fullfsync = ON")
            # Who is forgotten must not live on in what a page has no more use for.
            connection.execute("PRAGMA secure_delete = ON")
        except BaseException:
            connection.close()
            raise
        return identity, connection

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Tell in our words what SQLite says of the file or the disk."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise self._told(error) from error
        except OSError as error:
            raise StoreUnavailableError(
                f"The swipes in {self.path} cannot be read or written: {error.strerror}.",
                "Check the path and its permissions, or name another store with --store.",
            ) from error

    def _told(self, error: sqlite3.DatabaseError) -> MlrecError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (_BUSY, _LOCKED):
            return StoreUnavailableError(
                f"{self.path} has been locked by another process for {_WAIT_SECONDS:.0f} seconds.",
                "See what holds it (on Linux: fuser -v FILE), then try again.",
            )
        if code in (_CORRUPT, _NOT_A_DATABASE):
            return self._damaged(str(error))
        if code in _DISK_FAULTS:
            return StoreUnavailableError(
                f"The swipes in {self.path} cannot be read or written: {_DISK_FAULTS[code]}.",
                "Check the disk, and the permissions of the file and its folder, or name another store with --store.",
            )
        return StoreUnavailableError(f"The swipes in {self.path} cannot be used: {error}.", "Run 'mlrec doctor'.")

    def _damaged(self, what: str) -> IncompatibleFormatError:
        return IncompatibleFormatError(
            f"{self.path} is damaged: {what}. It has been left as it is.",
            "Put a backup in its place; what can be saved: sqlite3 FILE .recover",
        )

    def close(self) -> None:
        """See `SwipeStore`."""
        if self._owner != os.getpid():
            return
        while self._pool:
            self._pool.pop()[1].close()

    # -- the log -----------------------------------------------------------------------------------------------------

    def head(self, user_id: int) -> Head:
        """See `SwipeStore`."""
        with self._reading() as connection:
            return _head(connection, user_id) if connection else NOBODY

    def events(self, user_id: int, after: int = 0) -> Sequence[Event]:
        """See `SwipeStore`."""
        with self._reading() as connection:
            if connection is None:
                return []
            query = f"SELECT {_EVENT} FROM events WHERE user_id = ? AND event_id > ? ORDER BY event_id"
            return [Event(*row) for row in connection.execute(query, (user_id, after)).fetchall()]

    def append(self, user_id: int, draft: Draft, *, if_last: int | None = None) -> Appended | None:
        """See `SwipeStore`."""
        with self._writing() as connection:
            head = _head(connection, user_id)
            if head.forgotten:
                raise forgotten_user(user_id)
            if known := _by_client_id(connection, user_id, draft.client_id):
                return Appended(known, is_new=False)
            if if_last is not None and if_last != head.token:
                return None
            return Appended(_insert(connection, user_id, head.last_event_id + 1, draft), is_new=True)

    def extend(self, drafts: Iterable[tuple[int, Draft]]) -> int:
        """See `SwipeStore`."""
        logged = 0
        with self._writing() as connection:
            for user_id, draft in drafts:
                head = _head(connection, user_id)
                if head.forgotten:
                    raise forgotten_user(user_id)
                if not _by_client_id(connection, user_id, draft.client_id):
                    _insert(connection, user_id, head.last_event_id + 1, draft)
                    logged += 1
        return logged

    # -- vectors -----------------------------------------------------------------------------------------------------

    def vector(self, user_id: int) -> StoredVector | None:
        """See `SwipeStore`."""
        with self._reading() as connection:
            if connection is None:
                return None
            query = "SELECT stamp, vector FROM vectors WHERE user_id = ?"
            row = connection.execute(query, (user_id,)).fetchone()
        return StoredVector(*row) if row else None

    def save_vector(self, user_id: int, vector: StoredVector) -> None:
        """See `SwipeStore`."""
        with self._telling(), self._lent() as connection:
            # A reader does not wait for a writer, nor for the disk: the vector can be derived again.
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA busy_timeout = 0")
            try:
                connection.execute(
                    "INSERT INTO vectors (user_id, stamp, vector)"
                    " SELECT :user, :stamp, :vector FROM users WHERE user_id = :user AND forgotten_at IS NULL"
                    " ON CONFLICT (user_id) DO UPDATE SET stamp = excluded.stamp, vector = excluded.vector",
                    {"user": user_id, "stamp": vector.stamp, "vector": vector.values},
                )
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF not in (_BUSY, _LOCKED):
                    raise
            finally:
                connection.execute(f"PRAGMA busy_timeout = {_WAIT_SECONDS * 1000:.0f}")

    # -- all users ---------------------------------------------------------------------------------------------------

    def user_ids(self) -> list[int]:
        """See `SwipeStore`."""
        return self._column("SELECT DISTINCT user_id FROM events ORDER BY user_id")

    def forgotten(self) -> list[int]:
        """See `SwipeStore`."""
        return self._column("SELECT user_id FROM users WHERE forgotten_at IS NOT NULL ORDER BY user_id")

    def counts(self) -> Counts:
        """See `SwipeStore`."""
        query = (
            "SELECT count(DISTINCT user_id), coalesce(sum(undoes = 0), 0), coalesce(sum(undoes > 0), 0),"
            " (SELECT count(*) FROM users WHERE forgotten_at IS NOT NULL) FROM events"
        )
        with self._reading() as connection:
            return Counts(*connection.execute(query).fetchone()) if connection else Counts(0, 0, 0, 0)

    def forget(self, user_id: int, at: int) -> int:
        """See `SwipeStore`."""
        with self._writing() as connection:
            deleted = connection.execute("DELETE FROM events WHERE user_id = ?", (user_id,)).rowcount
            connection.execute("DELETE FROM vectors WHERE user_id = ?", (user_id,))
            connection.execute(
                "INSERT INTO users (user_id, last_event_id, token, forgotten_at) VALUES (?, 0, 0, ?)"
                " ON CONFLICT (user_id) DO UPDATE SET forgotten_at = excluded.forgotten_at, token = 0",
                (user_id, at),
            )
        # Pages with the former content lie in the write-ahead log until it is emptied.
        with self._telling(), self._lent() as connection:
            (is_busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if is_busy:
            _log.warning(
                "What is deleted of user %s can still be found in %s-wal, because somebody is reading the database:"
                " forget the user again once they have finished.",
                user_id,
                self.path,
            )
        return int(deleted)

    def allow(self, user_id: int) -> bool:
        """See `SwipeStore`."""
        if not self.head(user_id).forgotten:
            return False
        with self._writing() as connection:
            statement = "UPDATE users SET forgotten_at = NULL WHERE user_id = ? AND forgotten_at IS NOT NULL"
            return connection.execute(statement, (user_id,)).rowcount > 0

    def check(self) -> list[str]:
        """See `SwipeStore`."""
        with self._reading() as connection:
            if connection is not None:
                (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
                if found != "ok":
                    raise self._damaged(found)
        return []

    def describe(self) -> str:
        """See `SwipeStore`."""
        kept = "an acknowledged swipe survives a loss of power"
        return f"SQLite {self.path}: {kept if self.path.exists() else 'not there yet, the first swipe makes it'}"

    def _column(self, query: str) -> list[int]:
        with self._reading() as connection:
            return [value for (value,) in connection.execute(query).fetchall()] if connection else []


def _head(connection: sqlite3.Connection, user_id: int) -> Head:
    query = "SELECT last_event_id, token, forgotten_at IS NOT NULL FROM users WHERE user_id = ?"
    row = connection.execute(query, (user_id,)).fetchone()
    return Head(row[0], row[1], bool(row[2])) if row else NOBODY


def _by_client_id(connection: sqlite3.Connection, user_id: int, client_id: str | None) -> Event | None:
    if client_id is None:
        return None
    query = f"SELECT {_EVENT} FROM events WHERE user_id = ? AND client_id = ?"
    row = connection.execute(query, (user_id, client_id)).fetchone()
    return Event(*row) if row else None


def _insert(connection: sqlite3.Connection, user_id: int, event_id: int, draft: Draft) -> Event:
    event = Event(event_id, *draft, new_token())
    connection.execute(f"INSERT INTO events (user_id, {_EVENT}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (user_id, *event))
    connection.execute(
        "INSERT INTO users (user_id, last_event_id, token) VALUES (?, ?, ?)"
        " ON CONFLICT (user_id) DO UPDATE SET last_event_id = excluded.last_event_id, token = excluded.token",
        (user_id, event_id, event.token),
    )
    return event


# -- the file ----------------------------------------------------------------------------------------------------------


def _identity(path: Path) -> _Identity | None:
    """What tells this file from another of the same name; None if there is none."""
    try:
        status = os.stat(path)  # noqa: PTH116  # on the way of every call, and twice as fast as Path.stat
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _header(path: Path) -> bytes:
    """First bytes of a file, read without ever closing it: that would drop all locks that SQLite holds on the file in
    this process, and another process would then delete the write-ahead log under our feet (POSIX; "How to corrupt an
    SQLite database file", section 2.2). A file is held open once, so its inode is not used again meanwhile.
    """
    with _looking:
        identity = _identity(path)
        if identity not in _held_open:
            handle = os.open(path, os.O_RDONLY)
            status = os.fstat(handle)
            identity = status.st_dev, status.st_ino
            _held_open.setdefault(identity, []).append(handle)
        return os.pread(_held_open[identity][0], _HEADER_BYTES, 0)


def _is_new(path: Path) -> bool:
    """Whether there is no database yet. A file that is none, or somebody else's, is an error before SQLite opens it."""
    try:
        header = _header(path)
    except FileNotFoundError:
        return True
    if not header:
        return True
    if not header.startswith(_MAGIC) or len(header) < _HEADER_BYTES:
        raise IncompatibleFormatError(
            f"{path} is no SQLite database, or a damaged one. It has been left as it is.",
            "Put a backup in its place, move it away, or name another store with --store.",
        )
    if int.from_bytes(header[68:72]) != APPLICATION_ID:
        raise IncompatibleFormatError(
            f"{path} is a database of another application. It has been left as it is.",
            "Name another file with --store.",
        )
    return False


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring a database to the newest version; many processes may try at once."""
    version = _version(connection)
    if version > len(MIGRATIONS):
        raise IncompatibleFormatError(
            f"{path} has schema version {version}; this mlrec reads version {len(MIGRATIONS)}.", "Upgrade mlrec."
        )
    if version == len(MIGRATIONS):
        return
    connection.execute("BEGIN EXCLUSIVE")
    try:
        for number in range(_version(connection), len(MIGRATIONS)):
            text = resources.files("mlrec.serving.stores").joinpath("sql", f"{MIGRATIONS[number]}.sql").read_text()
            for statement in _statements(text):
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _statements(text: str) -> Iterator[str]:
    """Cut a script into statements."""
    pending = ""
    for piece in text.split(";"):
        pending += piece + ";"
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Switch to WAL. While others open the file for the first time SQLite may refuse at once, whatever the timeout."""
    until = time.monotonic() + _WAIT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in (_BUSY, _LOCKED) or time.monotonic() > until:
                raise
            time.sleep(0.01)
