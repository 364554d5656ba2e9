"""Swipes in one SQLite file, with write-ahead log and synchronous FULL: acknowledged swipes survive a power failure."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from mlrec.errors import ForgottenUserError, IncompatibleFormatError, StateError, in_shell
from mlrec.ids import PublicId
from mlrec.serving.stores.damage import SHOWN, are_events, is_utf_8, misfit, misfits, text_id
from mlrec.serving.stores.interface import NOBODY, Appended, Counts, Draft, Entry, Event, Head, StoredVector, new_token
from mlrec.serving.stores.sqlite_file import INTEGER_IDS, MIGRATIONS, SqliteFile, sql_text

_EVENT = "event_id, movie_id, preference, at, undoes, client_id, token"
_LARGEST = 2**63 - 1

_log = logging.getLogger(__name__)


class SqliteStore:
    """A `SwipeStore` in an SQLite file.

    Parameters
    ----------
    path
        The file. Nothing is read or written before the first call that needs it.
    wait_seconds
        Most seconds to wait for the lock of another process. None: 30.
    """

    def __init__(self, path: Path, wait_seconds: float | None = None) -> None:
        self.path = path
        self._file = SqliteFile(path, wait_seconds)

    @property
    def place(self) -> str:
        """See `SwipeStore`."""
        return str(self.path)

    def close(self) -> None:
        """See `SwipeStore`."""
        self._file.close()

    # -- the log -----------------------------------------------------------------------------------------------------

    def head(self, user_id: PublicId) -> Head:
        """See `SwipeStore`."""
        with self._file.reading() as connection:
            return self._head(connection, user_id) if connection else NOBODY

    def events(self, user_id: PublicId, after: int = 0) -> Sequence[Event]:
        """See `SwipeStore`."""
        with self._file.reading() as connection:
            if connection is None:
                return []
            query = f"SELECT {_EVENT} FROM events WHERE user_id = ? AND event_id > ? ORDER BY event_id"
            return self._events(user_id, connection.execute(query, (_stored(user_id), after)))

    def append(
        self, user_id: PublicId, draft: Draft, *, if_last: int | None = None, in_order: bool = False
    ) -> Appended | None:
        """See `SwipeStore`."""
        with self._file.writing() as connection:
            return self._appended(connection, Entry(user_id, draft, in_order), if_last)

    def append_each(self, entries: Sequence[Entry]) -> list[Appended | StateError]:
        """See `SwipeStore`. All are logged in one transaction, or none."""
        found: list[Appended | StateError] = []
        with self._file.writing() as connection:
            for entry in entries:
                try:
                    appended = self._appended(connection, entry, None)
                except (ForgottenUserError, IncompatibleFormatError) as error:  # nothing has been written of this entry
                    found.append(error)
                else:
                    assert appended is not None  # only with if_last
                    found.append(appended)
        return found

    def _appended(self, connection: sqlite3.Connection, entry: Entry, if_last: int | None) -> Appended | None:
        user_id, draft, in_order = entry
        head = self._head(connection, user_id)
        if head.forgotten:
            raise ForgottenUserError(user_id)
        if known := self._by_key(connection, user_id, draft.idempotency_key):
            return Appended(known, is_new=False)
        if if_last is not None and if_last != head.token:
            return None
        if in_order:
            draft = draft._replace(at=max(draft.at, self._latest_at(connection, user_id)))
        return Appended(self._insert(connection, user_id, head.last_event_id + 1, draft), is_new=True)

    def extend(self, drafts: Iterable[tuple[PublicId, Draft]]) -> int:
        """See `SwipeStore`."""
        try:
            return self._extend(_carrying_errors(drafts))
        except _CallersError as carried:
            raise carried.error from carried.error.__cause__

    def _extend(self, drafts: Iterable[tuple[PublicId, Draft]]) -> int:
        logged = 0
        latest: tuple[PublicId, int] | None = None  # the last user and the id of that user's last event
        with self._file.writing() as connection:
            for user_id, draft in drafts:
                if latest is None or latest[0] != user_id:
                    head = self._head(connection, user_id)
                    if head.forgotten:
                        raise ForgottenUserError(user_id)
                    latest = user_id, head.last_event_id
                if not self._by_key(connection, user_id, draft.idempotency_key):
                    latest = user_id, self._insert(connection, user_id, latest[1] + 1, draft).event_id
                    logged += 1
        return logged

    def _head(self, connection: sqlite3.Connection, user_id: PublicId) -> Head:
        """The user's row, after checking it against the end of the log. One statement reads both at the same moment."""
        query = (
            "SELECT users.last_event_id, users.token, users.forgotten_at IS NOT NULL, ending.event_id, ending.token"
            " FROM (SELECT ? AS user_id) AS wanted LEFT JOIN users USING (user_id)"
            " LEFT JOIN events AS ending ON ending.user_id = wanted.user_id"
            " AND ending.event_id = (SELECT max(event_id) FROM events WHERE user_id = wanted.user_id)"
        )
        last, token, is_forgotten, event_id, event_token = connection.execute(query, (_stored(user_id),)).fetchone()
        if last is token is event_id is None:
            return NOBODY
        if not (type(last) is type(token) is int and 0 <= last < _LARGEST and token >= 0):
            raise misfit(user_id, self.place, "the row that says where the log ends is missing or damaged")
        if event_id is None and token:
            raise misfit(user_id, self.place, "the events are missing")
        if event_id is not None and (event_id, event_token) != (last, token):
            raise misfit(user_id, self.place, "the log does not end with the event in the user's row")
        return Head(last, token, bool(is_forgotten))

    def _events(self, user_id: PublicId, rows: Iterable[Any]) -> list[Event]:
        events = [Event(*row) for row in rows]
        if are_events(events):  # all movie ids are numbers
            return events
        with suppress(ValueError):
            events = [Event(event[0], _public(event[1]), *event[2:]) for event in events]
            if are_events(events, with_texts=True):
                return events
        raise misfit(user_id, self.place, "an event is not as mlrec writes it")

    def _by_key(self, connection: sqlite3.Connection, user_id: PublicId, key: str | None) -> Event | None:
        if key is None:
            return None
        query = f"SELECT {_EVENT} FROM events WHERE user_id = ? AND client_id = ?"
        found = self._events(user_id, connection.execute(query, (_stored(user_id), key)))
        return found[0] if found else None

    def _latest_at(self, connection: sqlite3.Connection, user_id: PublicId) -> int:
        query = "SELECT max(at) FROM events WHERE user_id = ?"
        (latest_at,) = connection.execute(query, (_stored(user_id),)).fetchone()
        if not isinstance(latest_at, int | None):
            raise misfit(user_id, self.place, "an event is not as mlrec writes it")
        return latest_at or 0

    def _insert(self, connection: sqlite3.Connection, user_id: PublicId, event_id: int, draft: Draft) -> Event:
        event = Event(event_id, *draft, new_token())
        row: tuple[object, ...] = (user_id, *event)
        if isinstance(user_id, str) or isinstance(draft.movie_id, str):
            self._file.admit_texts(connection)
            row = (_stored(user_id), event_id, _stored(draft.movie_id), *event[2:])
        connection.execute(f"INSERT INTO events (user_id, {_EVENT}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        connection.execute(
            "INSERT INTO users (user_id, last_event_id, token) VALUES (?, ?, ?)"
            " ON CONFLICT (user_id) DO UPDATE SET last_event_id = excluded.last_event_id, token = excluded.token",
            (row[0], event_id, event.token),
        )
        return event

    # -- vectors -----------------------------------------------------------------------------------------------------

    def vector(self, user_id: PublicId) -> StoredVector | None:
        """See `SwipeStore`."""
        with self._file.reading() as connection:
            if connection is None:
                return None
            query = "SELECT stamp, vector FROM vectors WHERE user_id = ?"
            row = connection.execute(query, (_stored(user_id),)).fetchone()
        return StoredVector(*row) if row and isinstance(row[0], str) and isinstance(row[1], bytes) else None

    def save_vector(self, user_id: PublicId, vector: StoredVector) -> None:
        """See `SwipeStore`."""
        with self._file.writing_what_may_be_lost() as connection:
            if connection is not None:
                connection.execute(
                    "INSERT INTO vectors (user_id, stamp, vector)"
                    " SELECT :user, :stamp, :vector FROM users WHERE user_id = :user AND forgotten_at IS NULL"
                    # The same statement skips a database that a newer version has migrated.
                    " AND (SELECT user_version FROM pragma_user_version) BETWEEN :oldest AND :newest"
                    " ON CONFLICT (user_id) DO UPDATE SET stamp = excluded.stamp, vector = excluded.vector",
                    {
                        "user": _stored(user_id),
                        "stamp": vector.stamp,
                        "vector": vector.values,
                        "oldest": INTEGER_IDS,
                        "newest": len(MIGRATIONS),
                    },
                )

    # -- all users ---------------------------------------------------------------------------------------------------

    def user_ids(self) -> list[PublicId]:
        """See `SwipeStore`."""
        return self._user_ids("SELECT DISTINCT user_id FROM events ORDER BY user_id")

    def forgotten(self) -> list[PublicId]:
        """See `SwipeStore`."""
        return self._user_ids("SELECT user_id FROM users WHERE forgotten_at IS NOT NULL ORDER BY user_id")

    def _user_ids(self, query: str) -> list[PublicId]:
        with self._file.reading() as connection:
            found = [user_id for (user_id,) in connection.execute(query)] if connection else []
        return found if set(map(type, found)) <= {int} else [self._user_id(one) for one in found]

    def _user_id(self, stored: object) -> PublicId:
        try:
            return _public(stored)
        except ValueError as error:
            raise self._file.damaged("a user id is neither a whole number nor a text") from error

    def counts(self) -> Counts:
        """See `SwipeStore`."""
        query = (
            "SELECT count(DISTINCT user_id), coalesce(sum(undoes = 0), 0), coalesce(sum(undoes > 0), 0),"
            " (SELECT count(*) FROM users WHERE forgotten_at IS NOT NULL) FROM events"
        )
        with self._file.reading() as connection:
            return Counts(*connection.execute(query).fetchone()) if connection else Counts(0, 0, 0, 0)

    def forget(self, user_id: PublicId, at: int) -> int:
        """See `SwipeStore`."""
        user = _stored(user_id)
        with self._file.writing() as connection:
            if isinstance(user, bytes):
                self._file.admit_texts(connection)
            # If the user's row is missing, the log shows which ids are used.
            query = "SELECT coalesce(max(event_id), 0) FROM events WHERE user_id = ?"
            (last_event_id,) = connection.execute(query, (user,)).fetchone()
            deleted = connection.execute("DELETE FROM events WHERE user_id = ?", (user,)).rowcount
            connection.execute("DELETE FROM vectors WHERE user_id = ?", (user,))
            connection.execute(
                "INSERT INTO users (user_id, last_event_id, token, forgotten_at) VALUES (?, ?, 0, ?)"
                " ON CONFLICT (user_id) DO UPDATE SET forgotten_at = excluded.forgotten_at, token = 0,"
                " last_event_id ="
                " max(iif(typeof(last_event_id) = 'integer', last_event_id, 0), excluded.last_event_id)",
                (user, last_event_id, at),
            )
        # Pages with the former content stay in the write-ahead log until it is emptied.
        with self._file.reading() as emptying:
            (is_busy, *_) = emptying.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone() if emptying else (0,)
        if is_busy:
            _log.warning(
                "Deleted data of user %s can still be found in %s-wal, because another connection is reading the"
                " database. Forget the user again when it has finished.",
                in_shell(user_id),
                self.path,
            )
        return int(deleted)

    def allow(self, user_id: PublicId) -> bool:
        """See `SwipeStore`."""
        user = _stored(user_id)
        with self._file.reading() as connection:
            query = "SELECT 1 FROM users WHERE user_id = ? AND forgotten_at IS NOT NULL"
            if connection is None or connection.execute(query, (user,)).fetchone() is None:
                return False
        with self._file.writing() as connection:
            statement = "UPDATE users SET forgotten_at = NULL WHERE user_id = ? AND forgotten_at IS NOT NULL"
            return connection.execute(statement, (user,)).rowcount > 0

    def check(self) -> list[str]:
        """See `SwipeStore`."""
        with self._file.reading() as connection:
            if connection is None:
                return []
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                raise self._file.damaged(found)
            self._check_users(connection)
        readable = " ".join(map(str, self._file.open_to_others()))
        return [f"Other users of this machine can read the swipes: chmod 600 {readable}"] if readable else []

    def _check_users(self, connection: sqlite3.Connection) -> None:
        count, before = 0, None
        first: dict[PublicId, str] = {}
        for stored, fault in connection.execute(sql_text("check_users")):
            count += stored != before
            before = stored
            if len(first) < SHOWN:
                first.setdefault(self._user_id(stored), fault)
        if count:
            raise misfits(count, first, self.place)
        for stored, client_id in connection.execute(
            "SELECT user_id, client_id FROM events WHERE client_id IS NOT NULL"
        ):
            if not isinstance(client_id, str) or not is_utf_8([client_id]):
                raise misfit(self._user_id(stored), self.place, "an event is not as mlrec writes it")
        for stored, movie_id in connection.execute(
            "SELECT user_id, movie_id FROM events WHERE typeof(user_id) <> 'integer' OR typeof(movie_id) <> 'integer'"
            " UNION ALL SELECT user_id, 0 FROM users WHERE typeof(user_id) <> 'integer'"
        ):
            user_id = self._user_id(stored)
            try:
                _public(movie_id)
            except ValueError as error:
                raise misfit(user_id, self.place, "an event is not as mlrec writes it") from error

    def describe(self) -> str:
        """See `SwipeStore`."""
        kept = "an acknowledged swipe survives a power failure"
        return f"SQLite {self.path}: {kept if self.path.exists() else 'created by the first swipe'}"


class _CallersError(Exception):
    """Carries an exception of the caller's own iterator past the code that translates errors of SQLite."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


def _stored(public_id: PublicId) -> int | bytes:
    """The id as a value of SQLite: a text as a BLOB, which no column turns into a number."""
    return public_id.encode() if isinstance(public_id, str) else public_id


def _public(stored: object) -> PublicId:
    """The id that a value of SQLite stands for. Raises `ValueError` if mlrec does not write such a value as an id."""
    if isinstance(stored, bytes):
        return text_id(stored)
    if isinstance(stored, int):
        return stored
    raise ValueError("the id is neither a whole number nor a text")


def _carrying_errors(drafts: Iterable[tuple[PublicId, Draft]]) -> Iterator[tuple[PublicId, Draft]]:
    try:
        yield from drafts
    except Exception as error:
        raise _CallersError(error) from error
