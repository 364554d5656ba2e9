"""Swipes in this process's memory, lost when it ends: for tests, and for serving a model folder without a store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from threading import RLock

from mlrec.errors import ForgottenUserError, StateError
from mlrec.ids import PublicId
from mlrec.serving.stores.interface import (
    NOBODY,
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


@dataclass
class _User:
    last_event_id: int = 0
    events: list[Event] = field(default_factory=list)
    latest_at: int = 0
    by_key: dict[str, Event] = field(default_factory=dict)
    vector: StoredVector | None = None
    forgotten: bool = False

    @property
    def token(self) -> int:
        return self.events[-1].token if self.events else 0


class MemoryStore:
    """A `SwipeStore` that forgets everything when the process ends."""

    place = "memory"

    def __init__(self) -> None:
        self._users: dict[PublicId, _User] = {}
        self._lock = RLock()

    def head(self, user_id: PublicId) -> Head:
        """See `SwipeStore`."""
        with self._lock:
            user = self._users.get(user_id)
            return Head(user.last_event_id, user.token, user.forgotten) if user else NOBODY

    def events(self, user_id: PublicId, after: int = 0) -> Sequence[Event]:
        """See `SwipeStore`."""
        with self._lock:
            user = self._users.get(user_id)
            if user is None:
                return []
            # Ids have no gaps, so the newest ones are at the end.
            newer = min(user.last_event_id - after, len(user.events))
            return user.events[len(user.events) - newer :]

    def append(
        self, user_id: PublicId, draft: Draft, *, if_last: int | None = None, in_order: bool = False
    ) -> Appended | None:
        """See `SwipeStore`."""
        with self._lock:
            user = self._users.setdefault(user_id, _User())
            if user.forgotten:
                raise ForgottenUserError(user_id)
            if draft.idempotency_key is not None and draft.idempotency_key in user.by_key:
                return Appended(user.by_key[draft.idempotency_key], is_new=False)
            if if_last is not None and if_last != user.token:
                return None
            if in_order:
                draft = draft._replace(at=max(draft.at, user.latest_at))
            user.last_event_id += 1
            user.latest_at = max(draft.at, user.latest_at)
            event = Event(user.last_event_id, *draft, new_token())
            user.events.append(event)
            if draft.idempotency_key is not None:
                user.by_key[draft.idempotency_key] = event
            return Appended(event, is_new=True)

    def append_each(self, entries: Sequence[Entry]) -> list[Appended | StateError]:
        """See `SwipeStore`."""
        with self._lock:
            return [self._appended_or_error(entry) for entry in entries]

    def _appended_or_error(self, entry: Entry) -> Appended | StateError:
        try:
            appended = self.append(entry.user_id, entry.draft, in_order=entry.in_order)
        except ForgottenUserError as error:
            return error
        assert appended is not None  # only with if_last
        return appended

    def extend(self, drafts: Iterable[tuple[PublicId, Draft]]) -> int:
        """See `SwipeStore`."""
        rows = list(drafts)
        with self._lock:
            for user_id, _ in rows:
                if self.head(user_id).forgotten:
                    raise ForgottenUserError(user_id)
            outcomes = [self.append(user_id, draft) for user_id, draft in rows]
        return sum(1 for outcome in outcomes if outcome and outcome.is_new)

    def vector(self, user_id: PublicId) -> StoredVector | None:
        """See `SwipeStore`."""
        user = self._users.get(user_id)
        return user.vector if user else None

    def save_vector(self, user_id: PublicId, vector: StoredVector) -> None:
        """See `SwipeStore`."""
        with self._lock:
            user = self._users.get(user_id)
            if user is not None and not user.forgotten:
                user.vector = vector

    def user_ids(self) -> list[PublicId]:
        """See `SwipeStore`."""
        with self._lock:
            return ascending(user_id for user_id, user in self._users.items() if user.events)

    def counts(self) -> Counts:
        """See `SwipeStore`."""
        with self._lock:
            undone = sum(event.undoes > 0 for user in self._users.values() for event in user.events)
            events = sum(len(user.events) for user in self._users.values())
            return Counts(len(self.user_ids()), events - undone, undone, len(self.forgotten()))

    def forget(self, user_id: PublicId, at: int) -> int:  # noqa: ARG002
        """See `SwipeStore`."""
        with self._lock:
            user = self._users.get(user_id, _User())
            self._users[user_id] = _User(last_event_id=user.last_event_id, forgotten=True)
            return len(user.events)

    def allow(self, user_id: PublicId) -> bool:
        """See `SwipeStore`."""
        with self._lock:
            user = self._users.get(user_id)
            if user is None or not user.forgotten:
                return False
            user.forgotten = False
            return True

    def forgotten(self) -> list[PublicId]:
        """See `SwipeStore`."""
        with self._lock:
            return ascending(user_id for user_id, user in self._users.items() if user.forgotten)

    def check(self) -> list[str]:
        """See `SwipeStore`."""
        return []

    def describe(self) -> str:
        """See `SwipeStore`."""
        return "swipes are in this process's memory and are lost when it ends"

    def close(self) -> None:
        """See `SwipeStore`."""
