"""The interface of all stores of swipes. The log is the truth and is append-only; the vector stored with it is a cache.

All implementations pass one test suite, tests/contract/test_stores.py. All can be used by several threads, and all
except the memory store by several processes.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from mlrec.errors import StateError
from mlrec.ids import PublicId

LONGEST_IDEMPOTENCY_KEY = 200
"""Characters."""


class Draft(NamedTuple):
    """An event to be logged.

    Attributes
    ----------
    movie_id
        Public id, a whole number or a text.
    preference
        −2 to +2; 0 for a skip and for a tombstone.
    at
        Epoch seconds.
    undoes
        0 for a swipe; for a tombstone, the id of the swipe that it undoes.
    idempotency_key
        The caller's own id of the event, or None. With a key, repeating the call changes nothing.
    """

    movie_id: PublicId
    preference: int
    at: int
    undoes: int = 0
    idempotency_key: str | None = None


class Event(NamedTuple):
    """An event of a user's log; see `Draft`.

    Attributes
    ----------
    event_id
        Increases with each event of a user and is never reused.
    token
        A random number drawn with the event. After a backup is restored, ids can occur again, but tokens cannot: two
        logs that end in the same token are the same.
    """

    event_id: int
    movie_id: PublicId
    preference: int
    at: int
    undoes: int
    idempotency_key: str | None
    token: int


def ascending(ids: Iterable[PublicId]) -> list[PublicId]:
    """Sort ids: whole numbers by value, then texts by their characters, which is also the order of their bytes."""
    numbers, texts = list[int](), list[str]()
    for one in ids:
        if isinstance(one, str):
            texts.append(one)
        else:
            numbers.append(one)
    return [*sorted(numbers), *sorted(texts)]


def latest_moment() -> int:
    """The latest time allowed for a swipe, in epoch seconds: a day from now. A later one would outrank new swipes."""
    return int(time.time()) + 86_400


def new_token() -> int:
    """Draw the token of an event, above 0 and below 2⁶³."""
    return secrets.randbits(62) + 1


class Head(NamedTuple):
    """The state of a user's log that every call checks. While it is unchanged, the log is unchanged.

    Attributes
    ----------
    last_event_id
        Id of the user's latest event; 0 if there never was one.
    token
        The token of that event; 0 if the log is empty.
    forgotten
        Whether the user is on the blocklist.
    """

    last_event_id: int
    token: int
    forgotten: bool


NOBODY = Head(0, 0, forgotten=False)


class Appended(NamedTuple):
    """The result of an append: the event in the log, and whether this call added it."""

    event: Event
    is_new: bool


class Entry(NamedTuple):
    """An event to append to a user's log; see `SwipeStore.append`."""

    user_id: PublicId
    draft: Draft
    in_order: bool


@dataclass(frozen=True)
class StoredVector:
    """A user's vector, and what it was derived from.

    Attributes
    ----------
    stamp
        The model, the rule and the state of the log.
    values
        Float32, little-endian.
    """

    stamp: str
    values: bytes


@dataclass(frozen=True)
class Counts:
    """Numbers of what a store holds."""

    users: int
    swipes: int
    undone: int
    forgotten: int


class SwipeStore(Protocol):
    """A log of swipes for each user, a vector derived from it, and a blocklist of forgotten users.

    Ids of users and movies are whole numbers of 64 bits or texts without fault (`ids.text_fault`), independently of
    each other. The number 42 and the text '42' are two users.

    Every method raises `StoreUnavailableError` if the store cannot be reached or written, and `IncompatibleFormatError`
    if its content is damaged or not mlrec's. A user is damaged if a part is missing, so that the log and the data
    stored with it do not match. `head`, `append` and `extend` check this each time. `forget` works for damaged users
    too.
    """

    @property
    def place(self) -> str:
        """Where the swipes are kept, for messages, without a password."""

    def head(self, user_id: PublicId) -> Head:
        """Return the state of the user's log, and whether the user is forgotten."""

    def events(self, user_id: PublicId, after: int = 0) -> Sequence[Event]:
        """Return the user's events with ids above `after`, ascending."""

    def append(
        self, user_id: PublicId, draft: Draft, *, if_last: int | None = None, in_order: bool = False
    ) -> Appended | None:
        """Log an event. When this returns, the event is as durable as the store can make it.

        Parameters
        ----------
        user_id
            The user.
        draft
            The event. If its `idempotency_key` is already in the user's log, nothing is appended and the logged event
            is returned.
        if_last
            Append only if this is still the token of the user's latest event; otherwise return None.
        in_order
            If the draft's time is before the latest time in the user's log, use the latest time instead. This is for
            swipes that happen now: even if the clock is wrong, they are never older than what is already logged.

        Raises
        ------
        ForgottenUserError
            If the user is on the blocklist.
        """

    def append_each(self, entries: Sequence[Entry]) -> list[Appended | StateError]:
        """Log events of several users together, which takes less than one after the other.

        Each is logged as by `append`. One that is refused, for a user who is on the blocklist or whose data is damaged,
        does not stop the others: its error is in its place in the result. If the store fails, the call raises; then any
        of the events may have been logged.
        """

    def extend(self, drafts: Iterable[tuple[PublicId, Draft]]) -> int:
        """Log events of several users together. Returns how many were new.

        Raises
        ------
        ForgottenUserError
            If one of the users is on the blocklist. Nothing is logged.
        """

    def vector(self, user_id: PublicId) -> StoredVector | None:
        """Return the last saved vector, if any."""

    def save_vector(self, user_id: PublicId, vector: StoredVector) -> None:
        """Replace the saved vector, except for a forgotten user. A busy store may skip this: losing it does no harm."""

    def user_ids(self) -> list[PublicId]:
        """Ids of all users with a log: whole numbers ascending, then texts ascending."""

    def counts(self) -> Counts:
        """Count what is there."""

    def forget(self, user_id: PublicId, at: int) -> int:
        """Delete a user's log and vector, and add the user to the blocklist. Returns how many events were deleted."""

    def allow(self, user_id: PublicId) -> bool:
        """Remove a user from the blocklist. Returns whether the user was on it."""

    def forgotten(self) -> list[PublicId]:
        """Ids of all users on the blocklist: whole numbers ascending, then texts ascending."""

    def check(self) -> list[str]:
        """Check for damage, which raises, and for risky configuration, which returns warnings.

        Every user's log is compared with the data stored with it.
        """

    def describe(self) -> str:
        """One line about the store and how durable an acknowledged swipe is."""

    def close(self) -> None:
        """Release connections. Closing twice does no harm."""
