"""One SQLite file of mlrec, its connections, and the translation of SQLite's errors.

The file identifies itself by its application id, and its version by its user version. The first write creates it,
readable only by its owner. Reading from a file that does not exist finds nothing.
"""

from __future__ import annotations

import logging
import os
import random
import sqlite3
import stat
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from threading import Lock

from mlrec.errors import IncompatibleFormatError, MlrecError, StoreUnavailableError

APPLICATION_ID = 0x6D6C7263  # "mlrc"
MIGRATIONS = ("001_swipe_log", "002_text_ids")
"""Files in sql/, in order: number i migrates a database from version i to i + 1."""
INTEGER_IDS = 1
"""Schema version of a database with integer ids only, which earlier versions of mlrec use too; the next holds texts."""

_BUSY = (5, 6)
_MAGIC = b"SQLite format 3\x00"
_HEADER_BYTES = 100
_WAIT_SECONDS = 30.0
_OPENINGS = 100
# Seconds between two attempts to get the lock of another process, at most. Committing takes less than a millisecond.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.0001, 0.002
# A malformed schema or a missing table (1), malformed pages (11), values that violate a constraint (19, 20), another
# format (24), not a database (26).
_DAMAGE = (1, 11, 19, 20, 24, 26)
_DISK_FAULTS = {3: "no permission", 8: "read-only", 10: "disk fault", 13: "disk full", 14: "cannot be opened"}

_Identity = tuple[int, int]
_Pooled = tuple[_Identity, sqlite3.Connection]

_log = logging.getLogger(__name__)

# Connections that a fork copied from another process. Closing them here would damage those of that process.
_inherited: list[object] = []
# Files that have been read or created, by identity; see _header.
_held_open: dict[_Identity, list[int]] = {}
_looking = Lock()


class SqliteFile:
    """Connections to one file, shared by several threads; each connection is used by one thread at a time.

    Parameters
    ----------
    path
        The file. Nothing is read or written before the first call that needs it.
    wait_seconds
        Most seconds to wait for the lock of another process. None: 30.
    """

    def __init__(self, path: Path, wait_seconds: float | None = None) -> None:
        self.path = path
        self._wait_seconds = _WAIT_SECONDS if wait_seconds is None else wait_seconds
        # Connections not in use at the moment, each with the identity of its file.
        self._pool: deque[_Pooled] = deque()
        self._owner = os.getpid()
        self._seen: _Identity | None = None
        self._seen_lock = Lock()
        self._turn = Lock()  # of the thread that writes

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection | None]:
        """Lend a connection, or None if there is no database yet."""
        with self._translating_errors():
            pooled = self._pooled()
            if pooled is None and _is_new(self.path):
                yield None
            else:
                with self.lent(pooled) as connection:
                    yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection within a transaction that ends with the block. Creates the database if necessary."""
        with self._translating_errors(), self._taking_turns() as until:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.lent() as connection:
                # Set each time: the durability of a swipe must not depend on who used this connection before.
                connection.execute("PRAGMA synchronous = FULL")
                self._begin(connection, until)
                try:
                    # Another process may have migrated the database since this connection was opened.
                    _checked_version(connection, self.path, oldest=INTEGER_IDS)
                    yield connection
                    connection.execute("COMMIT")
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise

    @contextmanager
    def _taking_turns(self) -> Iterator[float]:
        """Let one thread of this process write at a time. Yields the moment until which it may wait for the lock."""
        self._notice_a_fork()
        turn, until = self._turn, time.monotonic() + self._wait_seconds
        if not turn.acquire(timeout=self._wait_seconds):
            # It waits itself if another process has locked the file.
            raise StoreUnavailableError(
                f"Another thread of this process has kept {self.path} busy for {self._wait_seconds:.3g} seconds.",
                f"The disk is slow, or another process uses the file (on Linux: fuser -v {self.path}). Try again.",
            )
        try:
            yield until
        finally:
            turn.release()

    def _begin(self, connection: sqlite3.Connection, until: float) -> None:
        """Begin to write as soon as no other process does.

        SQLite's own waiting sleeps up to 100 ms at a time, and meanwhile nobody might write.
        """
        pause = _FIRST_PAUSE
        connection.execute("PRAGMA busy_timeout = 0")
        try:
            while True:
                try:
                    connection.execute("BEGIN IMMEDIATE")
                    return
                except sqlite3.OperationalError as error:
                    if _code(error) not in _BUSY or time.monotonic() > until:
                        raise
                time.sleep(random.uniform(0, pause))  # so that those who wait do not try at the same moments
                pause = min(2 * pause, _LONGEST_PAUSE)
        finally:
            self._wait_as_set(connection)

    def _wait_as_set(self, connection: sqlite3.Connection) -> None:
        connection.execute(f"PRAGMA busy_timeout = {self._wait_seconds * 1000:.0f}")

    def admit_texts(self, connection: sqlite3.Connection) -> None:
        """Migrate the database to the version that can hold text ids, within the transaction of `writing`.

        So the database is migrated together with the first text that is written to it, or not at all.
        """
        _migrate(connection, self.path, len(MIGRATIONS))

    @contextmanager
    def writing_what_may_be_lost(self) -> Iterator[sqlite3.Connection | None]:
        """Lend a connection, or None if there is no database yet, for one statement that may be lost.

        The statement waits neither for another writer nor for the disk. If it would have to wait, it is skipped.
        """
        with self.reading() as connection:
            if connection is None:
                yield None
                return
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA busy_timeout = 0")
            try:
                yield connection
            except sqlite3.OperationalError as error:
                if _code(error) not in _BUSY:
                    raise
            finally:
                self._wait_as_set(connection)

    @contextmanager
    def lent(self, pooled: _Pooled | None = None) -> Iterator[sqlite3.Connection]:
        """Lend a connection for exclusive use: the given one from the pool, or any."""
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
        """Take a connection out of the pool.

        If the file has been replaced by another, writes to the old one would be lost, so its connections are closed.
        """
        self._notice_a_fork()
        identity = _identity(self.path)
        if identity != self._seen:
            self._notice()
        for _ in range(len(self._pool)):
            try:
                pooled = self._pool.pop()
            except IndexError:  # another thread took it
                return None
            if pooled[0] == identity:
                return pooled
            pooled[1].close()
        return None

    def _notice_a_fork(self) -> None:
        if self._owner != os.getpid():
            _inherited.append(self._pool)
            self._pool, self._owner = deque(), os.getpid()
            self._seen_lock, self._turn = Lock(), Lock()

    def _notice(self) -> None:
        """Log a warning, once, if the file that this process has used is gone."""
        with self._seen_lock:
            identity = _identity(self.path)
            if self._seen not in (None, identity):
                _log.warning(
                    "%s has been %s while this process was using it. The swipes in the former file are no longer"
                    " visible. Stop all processes before you restore a backup.",
                    self.path,
                    "deleted" if identity is None else "replaced by another file",
                )
            self._seen = identity

    def _open(self) -> _Pooled:
        identity, connection = self._connected()
        try:
            # Migrate first: if the application id were only in the write-ahead log, _is_new would not see it.
            _initialize(connection, self.path)
            _use_write_ahead_log(connection, self._wait_seconds)
            # On macOS a plain fsync leaves data in the drive's own cache.
            connection.execute("PRAGMA fullfsync = ON")
            # Data of forgotten users must not remain in the unused space of a page.
            connection.execute("PRAGMA secure_delete = ON")
        except BaseException:
            connection.close()
            raise
        with self._seen_lock:
            self._seen = identity
        return identity, connection

    def _connected(self) -> _Pooled:
        """A new connection and the identity of its file; tries again if the file is replaced at this moment."""
        for _ in range(_OPENINGS):
            if _is_new(self.path):  # raises if the file is not mlrec's
                _make_private(self.path)
            before = _identity(self.path)
            connection = sqlite3.connect(
                self.path, timeout=self._wait_seconds, isolation_level=None, check_same_thread=False
            )
            # The checks of values find bytes that are not UTF-8. An error in the middle of a row would keep the
            # statement open, and with it a lock, for as long as a reference to the error exists.
            connection.text_factory = _any_text
            if before is not None and before == _identity(self.path):
                return before, connection
            connection.close()
        raise StoreUnavailableError(
            f"{self.path} keeps being replaced while it is opened.",
            "Find out which program replaces it, then try again.",
        )

    @contextmanager
    def _translating_errors(self) -> Iterator[None]:
        """Turn errors of SQLite and the disk into errors of mlrec."""
        try:
            yield
        except sqlite3.Error as error:
            raise self._translated(error) from error
        except UnicodeDecodeError as error:  # raised for SQLite's own message, which quotes the damaged schema
            raise self.damaged("its schema is not text") from error
        except OSError as error:
            raise StoreUnavailableError(
                f"The swipes in {self.path} cannot be read or written: {error.strerror or error}.",
                "Check the path and its permissions, or choose another store with --store.",
            ) from error

    def _translated(self, error: sqlite3.Error) -> MlrecError:
        code = _code(error)
        if code in _BUSY:
            return StoreUnavailableError(
                f"Another process has locked {self.path} for {self._wait_seconds:.3g} seconds.",
                f"Find out which process it is (on Linux: fuser -v {self.path}), then try again.",
            )
        if code in _DAMAGE:
            return self.damaged(str(error))
        if not code and "decode" in str(error):
            return self.damaged("it contains text that is not UTF-8")
        if code in _DISK_FAULTS:
            return StoreUnavailableError(
                f"The swipes in {self.path} cannot be read or written: {_DISK_FAULTS[code]}.",
                "Check the disk and the permissions of the file and its folder, or choose another store with --store.",
            )
        return StoreUnavailableError(f"The swipes in {self.path} cannot be used: {error}.", "Run 'mlrec doctor'.")

    def damaged(self, what: str) -> IncompatibleFormatError:
        """The error for a file that cannot be read as a whole."""
        return IncompatibleFormatError(
            f"{self.path} is damaged: {what}. It has been left as it is.",
            f"Restore a backup. To save what can be read: sqlite3 {self.path} .recover",
        )

    def open_to_others(self) -> list[Path]:
        """Those of its files that other users of the machine can read."""
        names = (self.path, *(Path(f"{self.path}{suffix}") for suffix in ("-wal", "-shm")))
        return [path for path in names if path.exists() and path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH)]

    def close(self) -> None:
        """Close what is in the pool. Closing twice does no harm."""
        if self._owner != os.getpid():
            return
        while self._pool:
            self._pool.pop()[1].close()


# -- the file as bytes -------------------------------------------------------------------------------------------------


def _any_text(value: bytes) -> str:
    """Decode UTF-8, marking bytes that are not UTF-8 with surrogates."""
    return value.decode(errors="surrogateescape")


def _identity(path: Path) -> _Identity | None:
    """What distinguishes this file from another with the same name; None if there is no file."""
    try:
        status = os.stat(path)  # noqa: PTH116  # runs in every call, and is twice as fast as Path.stat
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _header(path: Path) -> bytes:
    """Read the first bytes of a file without ever closing it.

    Closing the file would drop all locks that SQLite holds on it in this process (POSIX), and another process could
    then delete the write-ahead log while it is in use ("How to corrupt an SQLite database file", section 2.2). Each
    file is held open once, so its inode is not reused meanwhile.
    """
    with _looking:
        identity = _identity(path)
        if identity not in _held_open:
            # Do not wait: a named pipe would not open until another process writes to it.
            identity = _hold(os.open(path, os.O_RDONLY | os.O_NONBLOCK), path)
        return os.pread(_held_open[identity][0], _HEADER_BYTES, 0)


def _make_private(path: Path) -> None:
    """Create the file, if it does not exist, before SQLite does.

    So nobody else can read it at any moment, whatever the umask. SQLite gives the files beside it the same permissions.
    """
    with _looking:
        if _identity(path) is None:
            _hold(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK, 0o600), path)


def _hold(handle: int, path: Path) -> _Identity:
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        os.close(handle)
        raise IncompatibleFormatError(f"{path} is a folder or a device, not a file.", "Choose a file with --store.")
    identity = status.st_dev, status.st_ino
    _held_open.setdefault(identity, []).append(handle)
    return identity


def _is_new(path: Path) -> bool:
    """Whether there is no database yet. Raises if the file is not a database of mlrec, before SQLite opens it."""
    try:
        header = _header(path)
    except FileNotFoundError:
        return True
    if not header:
        return True
    if not header.startswith(_MAGIC) or len(header) < _HEADER_BYTES:
        raise IncompatibleFormatError(
            f"{path} is not an SQLite database, or is damaged. It has been left as it is.",
            "Restore a backup, move the file away, or choose another store with --store.",
        )
    if int.from_bytes(header[68:72]) != APPLICATION_ID:
        raise IncompatibleFormatError(
            f"{path} is a database of another application. It has been left as it is.",
            "Choose another file with --store.",
        )
    return False


# -- the database ------------------------------------------------------------------------------------------------------


def _initialize(connection: sqlite3.Connection, path: Path) -> None:
    """Make a new database mlrec's. Several processes may try at the same time."""
    if _checked_version(connection, path, oldest=0) >= INTEGER_IDS:
        return
    connection.execute("BEGIN EXCLUSIVE")
    try:
        _migrate(connection, path, INTEGER_IDS)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _migrate(connection: sqlite3.Connection, path: Path, wanted: int) -> None:
    """Migrate a database to a version, if it is older, within a transaction that writes."""
    version = _checked_version(connection, path, oldest=0)
    if version >= wanted:
        return
    for name in MIGRATIONS[version:wanted]:
        for statement in _statements(sql_text(name)):
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {wanted}")


def _checked_version(connection: sqlite3.Connection, path: Path, *, oldest: int) -> int:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > len(MIGRATIONS):
        raise IncompatibleFormatError(
            f"{path} has schema version {version}, written by a newer version of mlrec. This version of mlrec reads"
            f" schema versions up to {len(MIGRATIONS)}.",
            "Upgrade mlrec: pip install -U mlrec",
        )
    if version < oldest:
        raise IncompatibleFormatError(
            f"{path} is damaged: there is no schema version {version}. It has been left as it is.",
            "Restore a backup.",
        )
    return version


def _code(error: sqlite3.Error) -> int:
    """SQLite's primary result code; 0 if Python itself raised the error."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def sql_text(name: str) -> str:
    """The text of a file in sql/."""
    return resources.files("mlrec.serving.stores").joinpath("sql", f"{name}.sql").read_text()


def _statements(text: str) -> Iterator[str]:
    """Split a script into statements."""
    pending = ""
    for piece in text.split(";"):
        pending += piece + ";"
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""


def _use_write_ahead_log(connection: sqlite3.Connection, wait_seconds: float) -> None:
    """Switch to WAL. While others open the file for the first time, SQLite may refuse at once despite the timeout."""
    until = time.monotonic() + wait_seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if _code(error) not in _BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)
