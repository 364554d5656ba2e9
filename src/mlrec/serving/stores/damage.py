"""Damage in a store: what tells that an event is not as mlrec writes it, and the errors that all stores raise then."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from types import NoneType
from typing import Any

from mlrec.errors import IncompatibleFormatError
from mlrec.serving.stores.interface import Event

_LARGEST = 2**63 - 1
_RANGES = {
    "event_id": (1, _LARGEST),
    "movie_id": (-_LARGEST - 1, _LARGEST),
    "preference": (-2, 2),
    "at": (0, 253_402_300_799),  # the year 9999, after which there are no dates
    "undoes": (0, _LARGEST),
    "token": (1, _LARGEST),
}
SHOWN = 3
"""How many damaged users are named."""


def misfit(user_id: int, place: str, what: str) -> IncompatibleFormatError:
    """For a user of whom a part is missing: what a store keeps beside the log does not fit the log."""
    return IncompatibleFormatError(f"User {user_id} in {place} is damaged: {what}.", _remedy(user_id))


def misfits(count: int, first: Mapping[int, str], place: str) -> IncompatibleFormatError:
    """For all such users of a store: how many they are, and what is wrong with the first of them."""
    told = "; ".join(f"user {user_id}: {what}" for user_id, what in first.items())
    more = f"; and {count - len(first):,} more" if count > len(first) else ""
    users = "1 user is" if count == 1 else f"{count:,} users are"
    return IncompatibleFormatError(f"{users} damaged in {place}: {told}{more}.", _remedy(next(iter(first))))


def _remedy(user_id: int) -> str:
    return (
        "Put a backup in its place. Or let the user begin anew: save what is left with mlrec users export FILE, then"
        f" mlrec users forget {user_id}, mlrec users allow {user_id}."
    )


def are_events(events: Sequence[Event]) -> bool:
    """Whether events hold what events may hold; looked at by column, which costs a tenth of looking at each."""
    if not events:
        return True
    columns = dict(zip(Event._fields, zip(*events, strict=True), strict=True))
    keys: Collection[object] = columns.pop("idempotency_key")
    return (
        set(map(type, keys)) <= {str, NoneType}
        and is_utf_8(filter(None, keys))
        and all(
            set(map(type, column)) == {int} and low <= min(column) and max(column) <= high
            for column, (low, high) in ((column, _RANGES[name]) for name, column in columns.items())
        )
    )


def is_utf_8(texts: Iterable[Any]) -> bool:
    """Whether texts that a store has read were UTF-8 there; others have surrogates in place of their bytes."""
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        return False
    return True
