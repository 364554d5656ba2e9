"""Swipes in Redis: a stream of events for each user. As durable as that server is configured to be; `check` says how.

All keys of a user share the hash tag {user id}, and each change is one script on the server, so it is atomic.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeVar
from urllib.parse import urlsplit

from mlrec.errors import IncompatibleFormatError, MissingExtraError, StoreUnavailableError
from mlrec.serving.stores.interface import Appended, Counts, Draft, Event, Head, StoredVector, new_token
from mlrec.serving.stores.refusals import forgotten_user

T = TypeVar("T")

FORMAT_VERSION = 1
_FORMAT_KEY = "mlrec:format"
_TIMEOUT_SECONDS = 5.0
_BATCH = 1_000

# KEYS: user, log, client ids.  ARGV: movie_id, preference, at, undoes, client_id or '', token, if_last or ''.
_APPEND = """
local user = redis.call('HMGET', KEYS[1], 'last', 'forgotten_at', 'token')
if user[2] then return {'forgotten', 0} end
if ARGV[5] ~= '' then
    local known = redis.call('HGET', KEYS[3], ARGV[5])
    if known then return {'known', tonumber(known)} end
end
local last = tonumber(user[1] or '0')
if ARGV[7] ~= '' and ARGV[7] ~= (user[3] or '0') then return {'moved', last} end
last = last + 1
redis.call('XADD', KEYS[2], '0-' .. string.format('%d', last), 'movie_id', ARGV[1], 'preference', ARGV[2],
           'at', ARGV[3], 'undoes', ARGV[4], 'client_id', ARGV[5], 'token', ARGV[6])
redis.call('HSET', KEYS[1], 'last', last, 'token', ARGV[6])
if ARGV[4] ~= '0' then redis.call('HINCRBY', KEYS[1], 'undone', 1) end
if ARGV[5] ~= '' then redis.call('HSET', KEYS[3], ARGV[5], last) end
return {'new', last}
"""

# KEYS: user, vector.  ARGV: stamp, values.
_SAVE_VECTOR = """
local user = redis.call('HMGET', KEYS[1], 'last', 'forgotten_at')
if user[2] or not user[1] then return 0 end
redis.call('HSET', KEYS[2], 'stamp', ARGV[1], 'values', ARGV[2])
return 1
"""

# KEYS: user, log, client ids, vector.  ARGV: epoch seconds.  The last event id stays, so that none is used twice.
_FORGET = """
local events = redis.call('XLEN', KEYS[2])
redis.call('DEL', KEYS[2], KEYS[3], KEYS[4])
redis.call('HDEL', KEYS[1], 'undone', 'token')
redis.call('HSET', KEYS[1], 'forgotten_at', ARGV[1])
return events
"""


class RedisStore:
    """A `SwipeStore` in a Redis server (6.2 or newer).

    Parameters
    ----------
    url
        `redis://[user:password@]host:port/db`, `rediss://…` or `unix:///socket?db=0`. Nothing is sent before the first
        call that needs it.

    Raises
    ------
    MissingExtraError
        If the client library is not installed.
    """

    def __init__(self, url: str) -> None:
        try:
            import redis
            from redis.backoff import NoBackoff
            from redis.retry import Retry
        except ImportError as error:
            raise MissingExtraError("redis", "A Redis store") from error
        self._errors = redis.exceptions
        self._place = _without_password(url)
        # No automatic retries: an append whose answer was lost may have been done, and would be done twice. The caller
        # retries with an event id.
        with self._telling():
            self._redis: Any = redis.Redis.from_url(
                url,
                socket_timeout=_TIMEOUT_SECONDS,
                socket_connect_timeout=_TIMEOUT_SECONDS,
                retry=Retry(NoBackoff(), 0),
            )
        self._append = self._redis.register_script(_APPEND)
        self._save_vector = self._redis.register_script(_SAVE_VECTOR)
        self._forget = self._redis.register_script(_FORGET)
        self._is_ours = False

    @property
    def place(self) -> str:
        """See `SwipeStore`."""
        return self._place

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Tell in our words what the server or the network says."""
        try:
            yield
        except self._errors.AuthenticationError as error:
            raise self._unavailable(error, "Check user and password in the store's URL.") from error
        except (self._errors.ConnectionError, self._errors.TimeoutError) as error:
            raise self._unavailable(error, "See that the server runs and can be reached, then try again.") from error
        except self._errors.ReadOnlyError as error:
            raise self._unavailable(error, "Name the primary server in the store's URL, not a replica.") from error
        except self._errors.ResponseError as error:
            if str(error).startswith("WRONGTYPE"):
                raise IncompatibleFormatError(
                    f"The Redis database at {self._place} has keys named mlrec:… that are not mlrec's.",
                    "Give mlrec a database of its own, such as redis://host:6379/1.",
                ) from error
            raise self._unavailable(error, "See the server's log and 'mlrec doctor'.") from error
        except (self._errors.RedisError, ValueError) as error:
            raise self._unavailable(error, "Check the store's URL.") from error

    def _unavailable(self, error: Exception, hint: str) -> StoreUnavailableError:
        return StoreUnavailableError(f"The Redis store at {self._place} cannot be used: {error}", hint)

    @contextmanager
    def _server(self) -> Iterator[Any]:
        """Lend the client, once it is clear that the database is ours to read and write."""
        with self._telling():
            if not self._is_ours:
                self._redis.set(_FORMAT_KEY, FORMAT_VERSION, nx=True)
                found = self._redis.get(_FORMAT_KEY).decode(errors="replace")
                if found != str(FORMAT_VERSION):
                    raise IncompatibleFormatError(
                        f"The Redis store at {self._place} has format version {found};"
                        f" this mlrec reads version {FORMAT_VERSION}.",
                        "Upgrade mlrec.",
                    )
                self._is_ours = True
            yield self._redis

    def close(self) -> None:
        """See `SwipeStore`."""
        self._redis.close()

    # -- the log -----------------------------------------------------------------------------------------------------

    def head(self, user_id: int) -> Head:
        """See `SwipeStore`."""
        with self._server() as server:
            last, token, forgotten_at = server.hmget(_key(user_id, "user"), "last", "token", "forgotten_at")
        return Head(int(last or 0), int(token or 0), forgotten_at is not None)

    def events(self, user_id: int, after: int = 0) -> Sequence[Event]:
        """See `SwipeStore`."""
        with self._server() as server:
            return [_event(*entry) for entry in server.xrange(_key(user_id, "log"), f"(0-{after}", "+")]

    def append(self, user_id: int, draft: Draft, *, if_last: int | None = None) -> Appended | None:
        """See `SwipeStore`."""
        token = new_token()
        with self._server() as server:
            outcome, event_id = self._append(*_append_arguments(user_id, draft, token, if_last))
            if outcome == b"known":
                for entry in server.xrange(_key(user_id, "log"), f"0-{event_id}", f"0-{event_id}"):
                    return Appended(_event(*entry), is_new=False)
        if outcome in (b"forgotten", b"known"):  # one that was known and is gone: forgotten just now
            raise forgotten_user(user_id)
        return Appended(Event(event_id, *draft, token), is_new=True) if outcome == b"new" else None

    def extend(self, drafts: Iterable[tuple[int, Draft]]) -> int:
        """See `SwipeStore`; here a user who is forgotten by another process meanwhile stops it halfway."""
        rows = list(drafts)
        for user_id in {user_id for user_id, _ in rows}:
            if self.head(user_id).forgotten:
                raise forgotten_user(user_id)
        logged = 0
        for batch in _batches(rows):
            with self._server() as server, server.pipeline(transaction=True) as pipeline:
                for user_id, draft in batch:
                    self._append(*_append_arguments(user_id, draft, new_token(), None), client=pipeline)
                outcomes = [outcome for outcome, _ in pipeline.execute()]
            logged += outcomes.count(b"new")
            if b"forgotten" in outcomes:
                raise forgotten_user(batch[outcomes.index(b"forgotten")][0])
        return logged

    # -- vectors -----------------------------------------------------------------------------------------------------

    def vector(self, user_id: int) -> StoredVector | None:
        """See `SwipeStore`."""
        with self._server() as server:
            stamp, values = server.hmget(_key(user_id, "vector"), "stamp", "values")
        return StoredVector(stamp.decode(), values) if stamp is not None else None

    def save_vector(self, user_id: int, vector: StoredVector) -> None:
        """See `SwipeStore`."""
        with self._server():
            self._save_vector(
                keys=[_key(user_id, "user"), _key(user_id, "vector")],
                args=[vector.stamp, vector.values],
            )

    # -- all users ---------------------------------------------------------------------------------------------------

    def user_ids(self) -> list[int]:
        """See `SwipeStore`."""
        with self._server() as server:
            return sorted({_user_id(key) for key in server.scan_iter(match=_key("*", "log"), count=_BATCH)})

    def counts(self) -> Counts:
        """See `SwipeStore`."""
        users = events = undone = 0
        for batch in _batches(self.user_ids()):
            with self._server() as server, server.pipeline(transaction=False) as pipeline:
                for user_id in batch:
                    pipeline.xlen(_key(user_id, "log"))
                    pipeline.hget(_key(user_id, "user"), "undone")
                answers = pipeline.execute()
            users += len(batch)
            events += sum(answers[::2])
            undone += sum(int(count or 0) for count in answers[1::2])
        return Counts(users, events - undone, undone, len(self.forgotten()))

    def forget(self, user_id: int, at: int) -> int:
        """See `SwipeStore`."""
        with self._server():
            keys = [_key(user_id, part) for part in ("user", "log", "clients", "vector")]
            return int(self._forget(keys=keys, args=[at]))

    def allow(self, user_id: int) -> bool:
        """See `SwipeStore`."""
        with self._server() as server:
            return bool(server.hdel(_key(user_id, "user"), "forgotten_at"))

    def forgotten(self) -> list[int]:
        """See `SwipeStore`."""
        found: set[int] = set()
        with self._server() as server:
            for batch in _batches(server.scan_iter(match=_key("*", "user"), count=_BATCH)):
                with server.pipeline(transaction=False) as pipeline:
                    for key in batch:
                        pipeline.hexists(key, "forgotten_at")
                    found |= {
                        _user_id(key) for key, is_there in zip(batch, pipeline.execute(), strict=True) if is_there
                    }
        return sorted(found)

    def check(self) -> list[str]:
        """See `SwipeStore`."""
        with self._server() as server:
            version = server.info("server")["redis_version"]
        warnings = []
        if tuple(map(int, version.split(".")[:2])) < (6, 2):
            warnings.append(f"Redis {version} is too old; mlrec needs 6.2 or newer.")
        configuration = self._configuration()
        if configuration is None:
            return [*warnings, "The server does not tell its configuration (CONFIG is forbidden): ask who runs it."]
        if configuration["appendonly"] != "yes":
            warnings.append("Swipes since the last snapshot are lost if the server dies: set appendonly yes.")
        elif configuration["appendfsync"] != "always":
            warnings.append(
                "Swipes of the last second or more are lost if the machine dies: set appendfsync always to lose none."
            )
        if configuration["maxmemory"] != "0" and configuration["maxmemory-policy"] != "noeviction":
            warnings.append("The server may evict swipes when memory is short: set maxmemory-policy noeviction.")
        return warnings

    def describe(self) -> str:
        """See `SwipeStore`."""
        configuration = self._configuration()
        if configuration is None:
            kept = "what an acknowledged swipe survives is up to the server"
        elif configuration["appendonly"] != "yes":
            kept = "an acknowledged swipe survives once the next snapshot is written (appendonly no)"
        elif configuration["appendfsync"] == "always":
            kept = "an acknowledged swipe survives a loss of power (appendfsync always)"
        else:
            kept = f"an acknowledged swipe survives the server's death (appendfsync {configuration['appendfsync']})"
        return f"Redis {self._place}: {kept}"

    def _configuration(self) -> dict[str, str] | None:
        """Settings that durability hangs on; None where the server does not tell them."""
        names = ("appendonly", "appendfsync", "maxmemory", "maxmemory-policy")
        with self._server() as server:
            try:
                found = server.config_get(*names)
            except self._errors.ResponseError:
                return None
        texts = {_text(name): _text(value) for name, value in found.items()}
        return texts if set(names) <= set(texts) else None


def _batches(rows: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(rows)
    while batch := list(islice(iterator, _BATCH)):
        yield batch


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _key(user_id: int | str, part: str) -> str:
    return f"mlrec:{{{user_id}}}:{part}"


def _user_id(key: bytes) -> int:
    return int(key[key.index(b"{") + 1 : key.index(b"}")])


def _append_arguments(user_id: int, draft: Draft, token: int, if_last: int | None) -> tuple[list[str], list[Any]]:
    keys = [_key(user_id, part) for part in ("user", "log", "clients")]
    return keys, [*draft[:4], draft.client_id or "", token, "" if if_last is None else if_last]


def _event(entry_id: bytes, fields: dict[bytes, bytes]) -> Event:
    return Event(
        event_id=int(entry_id.split(b"-")[1]),
        movie_id=int(fields[b"movie_id"]),
        preference=int(fields[b"preference"]),
        at=int(fields[b"at"]),
        undoes=int(fields[b"undoes"]),
        client_id=fields[b"client_id"].decode() or None,
        token=int(fields[b"token"]),
    )


def _without_password(url: str) -> str:
    """The URL as people may see it: without user, password or query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
