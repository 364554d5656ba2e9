"""Damage in a store: checks whether events are as mlrec writes them, and the errors that all stores raise if not."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from types import NoneType
from typing import Any

from mlrec.errors import IncompatibleFormatError, as_argument, in_shell
from mlrec.ids import LARGEST_ID, SMALLEST_ID, PublicId, text_fault
from mlrec.serving.stores.interface import Event

_LARGEST = 2**63 - 1
_RANGES = {
    "event_id": (1, _LARGEST),
    "movie_id": (SMALLEST_ID, LARGEST_ID),
    "preference": (-2, 2),
    "at": (0, 253_402_300_799),  # the end of the year 9999, the last date that Python can show
    "undoes": (0, _LARGEST),
    "token": (1, _LARGEST),
}
SHOWN = 3
"""How many damaged users a message names."""


def misfit(user_id: PublicId, place: str, what: str) -> IncompatibleFormatError:
    """The error for a damaged user: the log and the data stored with it do not match."""
    return IncompatibleFormatError(f"User {in_shell(user_id)} in {place} is damaged: {what}.", _remedy(user_id))


def misfits(count: int, first: Mapping[PublicId, str], place: str) -> IncompatibleFormatError:
    """The error for all damaged users of a store: their number, and what is wrong with the first of them."""
    faults = "; ".join(f"user {in_shell(user_id)}: {what}" for user_id, what in first.items())
    more = f"; and {count - len(first):,} more" if count > len(first) else ""
    users = "1 user is" if count == 1 else f"{count:,} users are"
    return IncompatibleFormatError(f"{users} damaged in {place}: {faults}{more}.", _remedy(next(iter(first))))


def _remedy(user_id: PublicId) -> str:
    user = as_argument(user_id)
    return (
        "Restore a backup. Or save what is left with 'mlrec users export FILE', then start this user afresh:"
        f" mlrec users forget {user} && mlrec users allow {user}"
    )


def text_id(stored: bytes) -> str:
    """Decode a text id from UTF-8. Raises `ValueError` if it is not one that mlrec writes."""
    text = stored.decode()
    if fault := text_fault(text):
        raise ValueError(f"the id {fault}")
    return text


def are_events(events: Sequence[Event], *, with_texts: bool = False) -> bool:
    """Whether all values of events are possible. Checking by column takes a tenth of the time of checking by event.

    If movie ids may be texts, `text_id` has already checked these.
    """
    if not events:
        return True
    columns = dict(zip(Event._fields, zip(*events, strict=True), strict=True))
    keys: Collection[object] = columns.pop("idempotency_key")
    if with_texts:
        columns["movie_id"] = tuple(one for one in columns["movie_id"] if type(one) is not str) or (0,)
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
