"""Swipes in Redis: a stream of events for each user. How durable they are depends on the server; `check` reports it.

All keys of a user share the hash tag {user id}. A text id is `=` and the percent-encoded text, in keys and in events.
Anything that changes a key or reads several runs as a script on the server (lua/), so it is atomic. Each script first
checks that the user's keys match.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib import resources
from itertools import islice
from typing import Any, TypeVar
from urllib.parse import quote, unquote_to_bytes

from mlrec.errors import ForgottenUserError, StateError
from mlrec.ids import LARGEST_ID, SMALLEST_ID, PublicId
from mlrec.serving.stores.damage import SHOWN, are_events, misfit, misfits, text_id
from mlrec.serving.stores.interface import (
    Appended,
    Counts,
    Draft,
    Entry,
    Event,
    Head,
    StoredVector,
    ascending,
    new_token,
)
from mlrec.serving.stores.redis_connection import RedisConnection, text

T = TypeVar("T")

_PARTS = ("user", "log", "clients", "forgotten", "vector")
"""The keys of a user, in the order that the scripts expect."""
_SCRIPTS = ("head", "append", "save_vector", "forget", "allow", "check")
_BATCH = 1_000


class RedisStore:
    """A `SwipeStore` in a Redis server (6.2 or newer).

    Parameters
    ----------
    url
        `redis://[user:password@]host:port/db`, `rediss://…`, `unix:///socket?db=0`; see `names.redis_address`. Nothing
        is sent before the first call that needs it.

    Raises
    ------
    MissingExtraError
        If the client library is not installed.
    SettingsError
        If the URL cannot be used.
    """

    def __init__(self, url: str, wait_seconds: float | None = None) -> None:
        self._server = RedisConnection(url, wait_seconds)
        self._scripts: dict[str, Any] = {name: self._server.client.register_script(_script(name)) for name in _SCRIPTS}

    @property
    def place(self) -> str:
        """See `SwipeStore`."""
        return self._server.place

    def _run(self, name: str, user_id: PublicId, *arguments: Any, client: Any = None) -> Any:
        """Run one of the scripts for a user. With a pipeline as client, it runs when the pipeline is executed."""
        keys = [_key(user_id, part) for part in _PARTS]
        return self._scripts[name](keys, arguments, client=client)

    # -- the log -----------------------------------------------------------------------------------------------------

    def head(self, user_id: PublicId) -> Head:
        """See `SwipeStore`."""
        with self._server.lent():
            last, token, is_forgotten, fault = self._run("head", user_id)
        if fault:
            raise misfit(user_id, self.place, text(fault))
        return Head(int(last), int(token), bool(is_forgotten))

    def events(self, user_id: PublicId, after: int = 0) -> Sequence[Event]:
        """See `SwipeStore`."""
        with self._server.lent() as server:
            entries = server.xrange(_key(user_id, "log"), f"(0-{after}", "+")
        return self._events(user_id, entries)

    def append(
        self, user_id: PublicId, draft: Draft, *, if_last: int | None = None, in_order: bool = False
    ) -> Appended | None:
        """See `SwipeStore`."""
        token = new_token()
        self._server.refuse_if_evicting()
        self._admit((user_id, draft.movie_id))
        with self._server.lent():
            reply = self._run("append", user_id, *_arguments(draft, token, if_last, in_order))
        return self._appended(user_id, draft, token, reply)

    def append_each(self, entries: Sequence[Entry]) -> list[Appended | StateError]:
        """See `SwipeStore`. The server gets all of them at once, and logs one after the other."""
        self._server.refuse_if_evicting()
        self._admit(one for entry in entries for one in (entry.user_id, entry.draft.movie_id))
        tokens = [new_token() for _ in entries]
        with self._server.lent() as server, server.pipeline(transaction=False) as pipeline:
            for (user_id, draft, in_order), token in zip(entries, tokens, strict=True):
                self._run("append", user_id, *_arguments(draft, token, None, in_order), client=pipeline)
            replies = pipeline.execute(raise_on_error=False)
        found: list[Appended | StateError] = []
        for (user_id, draft, _), token, reply in zip(entries, tokens, replies, strict=True):
            try:
                with self._server.translating_errors():
                    if isinstance(reply, Exception):
                        raise reply
                    appended = self._appended(user_id, draft, token, reply)
            except StateError as error:
                found.append(error)
            else:
                assert appended is not None  # only with if_last
                found.append(appended)
        return found

    def _appended(self, user_id: PublicId, draft: Draft, token: int, reply: Sequence[Any]) -> Appended | None:
        outcome, *rest = reply
        match outcome:
            case b"new":
                event_id, at = map(int, rest)
                return Appended(Event(event_id, *draft._replace(at=at), token), is_new=True)
            case b"known":
                (entry_id, fields), *_ = rest
                entry = entry_id, dict(zip(fields[::2], fields[1::2], strict=True))
                return Appended(self._events(user_id, [entry])[0], is_new=False)
            case b"moved":
                return None
            case _:
                raise self._refusal(user_id, outcome, *rest)

    def extend(self, drafts: Iterable[tuple[PublicId, Draft]]) -> int:
        """See `SwipeStore`. Here, a user forgotten by another process meanwhile stops the work halfway."""
        rows = list(drafts)
        self._server.refuse_if_evicting()
        for user_id in {user_id for user_id, _ in rows}:
            if self.head(user_id).forgotten:
                raise ForgottenUserError(user_id)
        self._admit(one for user_id, draft in rows for one in (user_id, draft.movie_id))
        logged = 0
        for batch in _batches(rows):
            with self._server.lent() as server, server.pipeline(transaction=True) as pipeline:
                for user_id, draft in batch:
                    self._run("append", user_id, *_arguments(draft, new_token(), None, False), client=pipeline)
                outcomes = pipeline.execute()
            for (user_id, _), (outcome, *rest) in zip(batch, outcomes, strict=True):
                if outcome in (b"forgotten", b"misfit"):
                    raise self._refusal(user_id, outcome, *rest)
                logged += outcome == b"new"
        return logged

    def _admit(self, ids: Iterable[PublicId]) -> None:
        if any(isinstance(one, str) for one in ids):
            self._server.admit_texts()

    def _refusal(self, user_id: PublicId, outcome: bytes, fault: bytes = b"") -> StateError:
        return ForgottenUserError(user_id) if outcome == b"forgotten" else misfit(user_id, self.place, text(fault))

    def _events(self, user_id: PublicId, entries: Iterable[tuple[bytes, dict[bytes, bytes]]]) -> list[Event]:
        try:
            events = [_event(*entry) for entry in entries]
        except (AttributeError, IndexError, KeyError, ValueError) as error:
            raise misfit(user_id, self.place, "an event is not as mlrec writes it") from error
        if not are_events(events, with_texts=True):
            raise misfit(user_id, self.place, "an event is not as mlrec writes it")
        return events

    # -- vectors -----------------------------------------------------------------------------------------------------

    def vector(self, user_id: PublicId) -> StoredVector | None:
        """See `SwipeStore`."""
        with self._server.lent() as server:
            stamp, values = server.hmget(_key(user_id, "vector"), "stamp", "values")
        if stamp is None or values is None:
            return None
        return StoredVector(text(stamp), values)

    def save_vector(self, user_id: PublicId, vector: StoredVector) -> None:
        """See `SwipeStore`."""
        if self._server.evicts():
            return  # the vector might push out swipes
        with self._server.lent():
            self._run("save_vector", user_id, vector.stamp, vector.values)

    # -- all users ---------------------------------------------------------------------------------------------------

    def user_ids(self) -> list[PublicId]:
        """See `SwipeStore`."""
        return ascending(set(self._having("log")))

    def _having(self, part: str) -> Iterator[PublicId]:
        """Ids of the users who have a given key, unordered, possibly with repeats."""
        with self._server.lent() as server:
            for key in server.scan_iter(match=f"mlrec:{{*}}:{part}", count=_BATCH):
                try:
                    yield _public(key[len(b"mlrec:{") : -len(f"}}:{part}")])
                except ValueError as error:
                    raise self._server.not_ours() from error

    def counts(self) -> Counts:
        """See `SwipeStore`."""
        users = events = undone = 0
        for batch in _batches(self.user_ids()):
            with self._server.lent() as server, server.pipeline(transaction=False) as pipeline:
                for user_id in batch:
                    pipeline.xlen(_key(user_id, "log"))
                    pipeline.hget(_key(user_id, "user"), "undone")
                answers = pipeline.execute()
            users += len(batch)
            events += sum(answers[::2])
            undone += sum(int(count or 0) for count in answers[1::2])
        return Counts(users, events - undone, undone, len(self.forgotten()))

    def forget(self, user_id: PublicId, at: int) -> int:
        """See `SwipeStore`."""
        self._admit((user_id,))
        with self._server.lent():
            return int(self._run("forget", user_id, at))

    def allow(self, user_id: PublicId) -> bool:
        """See `SwipeStore`."""
        with self._server.lent():
            return bool(self._run("allow", user_id))

    def forgotten(self) -> list[PublicId]:
        """See `SwipeStore`."""
        found = set(self._having("forgotten"))
        for batch in _batches(self._having("user")):  # earlier versions marked them only there
            with self._server.lent() as server, server.pipeline(transaction=False) as pipeline:
                for user_id in batch:
                    pipeline.hexists(_key(user_id, "user"), "forgotten_at")
                found |= {user_id for user_id, is_there in zip(batch, pipeline.execute(), strict=True) if is_there}
        return ascending(found)

    def check(self) -> list[str]:
        """See `SwipeStore`."""
        damaged: dict[PublicId, str] = {}
        for batch in _batches({user_id for part in ("user", "log", "clients") for user_id in self._having(part)}):
            with self._server.lent() as server, server.pipeline(transaction=False) as pipeline:
                for user_id in batch:
                    self._run("check", user_id, client=pipeline)
                answers = pipeline.execute()
            damaged |= {user_id: text(fault) for user_id, fault in zip(batch, answers, strict=True) if fault}
        if damaged:
            raise misfits(
                len(damaged), {user_id: damaged[user_id] for user_id in ascending(damaged)[:SHOWN]}, self.place
            )
        return self._server.risks()

    def describe(self) -> str:
        """See `SwipeStore`."""
        return f"Redis {self.place}: {self._server.kept()}"

    def close(self) -> None:
        """See `SwipeStore`."""
        self._server.close()


def _batches(rows: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(rows)
    while batch := list(islice(iterator, _BATCH)):
        yield batch


@cache
def _script(name: str) -> str:
    folder = resources.files("mlrec.serving.stores").joinpath("lua")
    return "\n".join(folder.joinpath(f"{part}.lua").read_text() for part in ("user", name))


def _key(user_id: PublicId, part: str) -> str:
    return f"mlrec:{{{_stored(user_id)}}}:{part}"


def _stored(public_id: PublicId) -> int | str:
    """The id as it is in keys and events: percent-encoding leaves no brace, and nothing that a pattern could mean."""
    return f"={quote(public_id, safe='')}" if isinstance(public_id, str) else public_id


def _public(stored: bytes) -> PublicId:
    """The id that is stored like this. Raises `ValueError` if it is not as mlrec writes it."""
    if stored.startswith(b"="):
        public_id: PublicId = text_id(unquote_to_bytes(stored[1:]))
    else:
        public_id = int(stored)
        if not SMALLEST_ID <= public_id <= LARGEST_ID:
            raise ValueError("the id has more than 64 bits")
    # Another spelling of the same id, such as 042 for 42, would be another key.
    if str(_stored(public_id)).encode() != stored:
        raise ValueError("the id is not spelt as mlrec spells it")
    return public_id


def _arguments(draft: Draft, token: int, if_last: int | None, in_order: bool) -> list[Any]:
    return [
        _stored(draft.movie_id),
        *draft[1:4],
        draft.idempotency_key or "",
        token,
        "" if if_last is None else if_last,
        int(in_order),
    ]


def _event(entry_id: bytes, fields: dict[bytes, bytes]) -> Event:
    return Event(
        event_id=int(entry_id.split(b"-")[1]),
        movie_id=_public(fields[b"movie_id"]),
        preference=int(fields[b"preference"]),
        at=int(fields[b"at"]),
        undoes=int(fields[b"undoes"]),
        idempotency_key=fields[b"client_id"].decode() or None,
        token=int(fields[b"token"]),
    )
