"""Damage in a store: checks whether events are as mlrec writes them, and the errors that all stores raise if not."""

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
    "at": (0, 253_402_300_799),  # the end of the year 9999, the last date that Python can show
    "undoes": (0, _LARGEST),
    "token": (1, _LARGEST),
}
SHOWN = 3
"""How many damaged users a message names."""


def misfit(user_id: int, place: str, what: str) -> IncompatibleFormatError:
    """The error for a damaged user: the log and the data stored with it do not match."""
    return IncompatibleFormatError(f"User {user_id} in {place} is damaged: {what}.", _remedy(user_id))


def misfits(count: int, first: Mapping[int, str], place: str) -> IncompatibleFormatError:
    """The error for all damaged users of a store: their number, and what is wrong with the first of them."""
    faults = "; ".join(f"user {user_id}: {what}" for user_id, what in first.items())
    more = f"; and {count - len(first):,} more" if count > len(first) else ""
    users = "1 user is" if count == 1 else f"{count:,} users are"
    return IncompatibleFormatError(f"{users} damaged in {place}: {faults}{more}.", _remedy(next(iter(first))))


def _remedy(user_id: int) -> str:
    return (
        "Restore a backup. Or start this user afresh: save what is left with 'mlrec users export FILE', then run"
        f" 'mlrec users forget {user_id}' and 'mlrec users allow {user_id}'."
    )


def are_events(events: Sequence[Event]) -> bool:
    """Whether all values of events are possible. Checking by column takes a tenth of the time of checking by event."""
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
    """Whether texts read from a store were valid UTF-8 there; otherwise they contain surrogates."""
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        return False
    return True
