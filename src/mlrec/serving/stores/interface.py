"""What every store of swipes does. The log is the truth and is only appended to; a vector beside it is a cache.

All implementations pass one suite of tests, tests/contract/test_stores.py. All are safe for several threads, and all
but the one in memory for several processes.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

LONGEST_IDEMPOTENCY_KEY = 200
"""Characters."""


class Draft(NamedTuple):
    """An event that is to be logged.

    Attributes
    ----------
    movie_id
        Public id.
    preference
        −2 to +2, 0 is a skip; 0 in a tombstone.
    at
        Epoch seconds.
    undoes
        0 for a swipe; for a tombstone, the id of the swipe that it undoes.
    idempotency_key
        The caller's own id of the event, which makes a repeated call change nothing, or None.
    """

    movie_id: int
    preference: int
    at: int
    undoes: int = 0
    idempotency_key: str | None = None


class Event(NamedTuple):
    """An event of a user's log; see `Draft`.

    Attributes
    ----------
    event_id
        Rises with each event of a user and is never used again.
    token
        Drawn at random with the event. Where a backup takes a store's place, ids are counted anew, and tokens are not:
        two logs that end in the same token are the same.
    """

    event_id: int
    movie_id: int
    preference: int
    at: int
    undoes: int
    idempotency_key: str | None
    token: int


def latest_moment() -> int:
    """The latest time that a swipe may bear, epoch seconds: a day from now. One of a far future would always stand."""
    return int(time.time()) + 86_400


def new_token() -> int:
    """Draw the token of an event; above 0 and below 2⁶³."""
    return secrets.randbits(62) + 1


class Head(NamedTuple):
    """The little that must be known of a user at each call. As long as it is the same, so is the log.

    Attributes
    ----------
    last_event_id
        Id of the user's latest event, 0 if there never was one.
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
    """Outcome of an append: the event in the log, and whether this call has put it there."""

    event: Event
    is_new: bool


@dataclass(frozen=True)
class StoredVector:
    """A user's vector, and what it was derived from.

    Attributes
    ----------
    stamp
        Model, rule, and where the log stood.
    values
        Float32, little-endian.
    """

    stamp: str
    values: bytes


@dataclass(frozen=True)
class Counts:
    """What a store holds."""

    users: int
    swipes: int
    undone: int
    forgotten: int


class SwipeStore(Protocol):
    """A log of swipes for each user, a vector derived from it, and a blocklist of forgotten users.

    Every method raises `StoreUnavailableError` if the store cannot be reached or written, and
    `IncompatibleFormatError` if what lies there is damaged or not mlrec's. A user of whom a part is missing, so that
    what is kept beside the log does not fit the log, is damaged: `head`, `append` and `extend` look at it each time.
    `forget` works for such a user all the same.
    """

    @property
    def place(self) -> str:
        """Where the swipes are kept, for people, without a password."""

    def head(self, user_id: int) -> Head:
        """Return where the user's log stands, and whether the user is forgotten."""

    def events(self, user_id: int, after: int = 0) -> Sequence[Event]:
        """Return the user's events with ids above `after`, ascending."""

    def append(
        self, user_id: int, draft: Draft, *, if_last: int | None = None, in_order: bool = False
    ) -> Appended | None:
        """Log an event; when this returns, it is as durable as the store makes it.

        Parameters
        ----------
        user_id
            Whose event it is.
        draft
            If its `idempotency_key` is in the user's log already, nothing is appended, and that event is returned.
        if_last
            Append only if this is still the token of the user's latest event; else return None.
        in_order
            If the draft's time lies before the latest time in the user's log, take that one: for what happens now, by
            whatever clock. In the log nothing that was swiped now is older than what was there.

        Raises
        ------
        ForgottenUserError
            If the user is on the blocklist.
        """

    def extend(self, drafts: Iterable[tuple[int, Draft]]) -> int:
        """Log events of several users, all in one go; returns how many were new.

        Raises
        ------
        ForgottenUserError
            If one of the users is on the blocklist; nothing is logged then.
        """

    def vector(self, user_id: int) -> StoredVector | None:
        """Return the vector that was saved last, if any."""

    def save_vector(self, user_id: int, vector: StoredVector) -> None:
        """Keep a vector in place of the former; nothing is kept of a forgotten user. Losing it does no harm, so a store
        that is busy may pass over it.
        """

    def user_ids(self) -> list[int]:
        """Ids of all users with a log, ascending."""

    def counts(self) -> Counts:
        """Count what is there."""

    def forget(self, user_id: int, at: int) -> int:
        """Delete a user's log and vector and put the user on the blocklist; returns how many events are gone."""

    def allow(self, user_id: int) -> bool:
        """Take a user off the blocklist; returns whether the user was on it."""

    def forgotten(self) -> list[int]:
        """Ids of all users on the blocklist, ascending."""

    def check(self) -> list[str]:
        """Look closely for damage, which raises, and for risky configuration; returns warnings, none if all is well.

        Every user's log is compared with what is kept beside it.
        """

    def describe(self) -> str:
        """One line about what is kept, and how durable an acknowledged swipe is."""

    def close(self) -> None:
        """Release connections. Closing twice does no harm."""
