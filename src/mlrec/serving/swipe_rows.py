"""Rows of a swipe log in CSV: the columns, the valid values of each field, and why a row cannot be used."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from mlrec.errors import InputError, SettingsError
from mlrec.ids import LARGEST_ID, SMALLEST_ID, IdKind, PublicId, text_fault
from mlrec.preferences import Swipe, from_bucket
from mlrec.serving.stores.interface import LONGEST_IDEMPOTENCY_KEY, Draft, latest_moment

COLUMNS = ("user_id", "event_id", "movie_id", "title", "preference", "at", "undone", "client_id")
"""The columns that mlrec writes. `event_id` counts the user's events. `client_id` is the idempotency key; it keeps this
column name because other programs read exports.
"""

_NEEDED = (("user_id",), ("movie_id",), ("preference", "bucket"), ("at", "timestamp"))
_KEYS = ("idempotency_key", "client_id", "event_id")
"""Columns that may hold the caller's idempotency key; the first one present counts. In an export, `event_id` is the
number in the log. In a file written by an application, it is the former name of the key.
"""
_OPTIONAL = (*_KEYS, "undone")
_HEADER_HINT = (
    "The first line must name the columns, separated by commas: user_id, movie_id, preference (or bucket) and at (or"
    " timestamp)."
)

_WHOLE = re.compile(r"([+-]?)0*(\d+)(?:\.0*)?", re.ASCII)
# Ids that differ in a character are different ids, so "007" and "+7" are not 7. But pandas writes 7 as "7.0".
_ID = re.compile(r"(0|-?[1-9]\d*)(?:\.0)?", re.ASCII)
_INT64_DIGITS = 19
_LAST_SECOND = 253_402_300_799  # the end of the year 9999
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNDONE = {"": False, "false": False, "no": False, "0": False, "true": True, "yes": True, "1": True}


class _FieldError(Exception):
    """A field cannot be used; the message is the reason."""


class SwipeRow(NamedTuple):
    """A usable row."""

    user_id: PublicId
    draft: Draft
    undone: bool


class RowReader:
    """Reads the rows below one header.

    Parameters
    ----------
    header
        The first line of the file. Columns may be in any order, and be written `user_id` or `userId`. Other columns are
        ignored. The idempotency key is in `idempotency_key`, or else in `client_id`, as mlrec writes it, or else in
        `event_id`, its former name.
    label
        Name of the file in messages.
    user_ids, movie_ids
        What the ids are. With None, `settle` decides.

    Raises
    ------
    InputError
        If a column is missing or ambiguous.
    """

    def __init__(
        self, header: str, label: str, user_ids: IdKind | None = "integer", movie_ids: IdKind | None = "integer"
    ) -> None:
        self._user_ids, self._movie_ids = user_ids, movie_ids
        if "\0" in header:
            raise InputError(f"{label} has a NUL byte in its first line.", _HEADER_HINT)
        names = [_normalized(name) for name in _cut(header) or []]
        self._width = len(names)
        for needed in _NEEDED:
            found = [name for name in names if name in map(_normalized, needed)]
            if len(found) != 1:
                fault = "has no column" if not found else "has more than one column"
                raise InputError(f"{label} {fault} {' or '.join(needed)}.", _HEADER_HINT)
        for name in _OPTIONAL:
            if names.count(_normalized(name)) > 1:
                raise InputError(f"{label} has more than one column {name}.", _HEADER_HINT)
        place = {name: position for position, name in enumerate(names)}
        self._user, self._movie = place["userid"], place["movieid"]
        self._preference, self._bucket = place.get("preference"), place.get("bucket")
        self._at = place["at"] if "at" in place else place["timestamp"]
        if "idempotencykey" in place and "clientid" in place:
            raise InputError(f"{label} has two columns for one thing: idempotency_key and client_id.", _HEADER_HINT)
        self._key = next((place[name] for name in map(_normalized, _KEYS) if name in place), None)
        self._undone = place.get("undone")
        # In an export from mlrec, all times were accepted before, perhaps under a clock that was ahead.
        is_export = {_normalized(name) for name in COLUMNS} <= set(names)
        self._latest = _LAST_SECOND if is_export else None

    def settle(self, lines: Iterable[str]) -> None:
        """Decide what the ids are, where it was not given, by the first lines: what most ids in them are."""
        if self._user_ids and self._movie_ids:
            return
        rows = [fields for line in lines if (fields := _cut(line)) and len(fields) >= self._width]
        self._user_ids = self._user_ids or _usual_kind(fields[self._user] for fields in rows)
        self._movie_ids = self._movie_ids or _usual_kind(fields[self._movie] for fields in rows)

    def read(self, text: str) -> SwipeRow | str:
        """Read one line. A string is the reason why it cannot be used."""
        if "\0" in text:
            return "NUL byte"
        fields = _cut(text)
        if fields is None:
            return "misplaced quote"
        if len(fields) == self._width + 1 and not fields[-1]:
            fields.pop()
        if len(fields) != self._width:
            return "missing field" if len(fields) < self._width else "too many fields"
        assert self._user_ids is not None  # given, or settled by now
        assert self._movie_ids is not None
        try:
            key = None if self._key is None else fields[self._key] or None
            if key is not None and len(key) > LONGEST_IDEMPOTENCY_KEY:
                raise _FieldError(f"idempotency key longer than {LONGEST_IDEMPOTENCY_KEY} characters")
            draft = Draft(
                movie_id=_id(fields[self._movie], self._movie_ids, "movie_id"),
                preference=self._swipe(fields),
                at=_moment(fields[self._at], self._latest or latest_moment()),
                idempotency_key=key,
            )
            undone = "" if self._undone is None else fields[self._undone].strip().lower()
            if undone not in _UNDONE:
                raise _FieldError("unparsable undone")
            return SwipeRow(_id(fields[self._user], self._user_ids, "user_id"), draft, _UNDONE[undone])
        except _FieldError as fault:
            return str(fault)

    def _swipe(self, fields: Sequence[str]) -> int:
        if self._preference is not None:
            return _preference(fields[self._preference].strip())
        assert self._bucket is not None  # the header has one of them
        return _of_bucket(fields[self._bucket].strip())


def _normalized(name: str) -> str:
    return name.strip().lower().replace("_", "")


def _cut(line: str) -> list[str] | None:
    """Split a line into fields; None if a quote is misplaced."""
    if '"' not in line:
        return line.split(",")
    try:
        return next(csv.reader((line,), strict=True))
    except csv.Error:
        return None


def _whole(text: str, name: str) -> int:
    """Parse a whole number, with an optional ".0" at the end, as spreadsheets write it."""
    if text.isdecimal() and text.isascii() and len(text) < _INT64_DIGITS:
        return int(text)
    match = _WHOLE.fullmatch(text)
    if match is None:
        raise _FieldError(f"unparsable {name}" if text else f"empty {name}")
    # More digits need not be parsed: no valid value is that large.
    return int(match[1] + match[2][: _INT64_DIGITS + 1])


def _usual_kind(fields: Iterable[str]) -> IdKind:
    are_whole = [_ID.fullmatch(field.strip()) is not None for field in fields]
    return "integer" if 2 * sum(are_whole) >= len(are_whole) else "text"


def _id(field: str, kind: IdKind, name: str) -> PublicId:
    """Parse an id. A text is taken exactly as it is, with its spaces."""
    if kind == "text":
        if not field:
            raise _FieldError(f"empty {name}")
        if fault := text_fault(field):
            raise _FieldError(f"{name} {fault}")
        return field
    text = field.strip()
    match = _ID.fullmatch(text)
    if match is None:
        raise _FieldError(f"unparsable {name}" if text else f"empty {name}")
    number = int(match[1][: _INT64_DIGITS + 2])
    if not SMALLEST_ID <= number <= LARGEST_ID:
        raise _FieldError(f"{name} beyond int64")
    return number


@lru_cache(maxsize=1000)
def _preference(text: str) -> int:
    try:
        return int(Swipe.parse(text))
    except SettingsError:
        pass
    try:
        return int(Swipe.parse(_whole(text, "preference")))
    except SettingsError:
        raise _FieldError("preference out of range") from None


@lru_cache(maxsize=1000)
def _of_bucket(text: str) -> int:
    try:
        return int(from_bucket(_whole(text, "bucket")))
    except SettingsError:
        raise _FieldError("bucket out of range") from None


def _moment(field: str, latest: int) -> int:
    """Parse epoch seconds, or ISO 8601 with a time zone; fractions of a second are cut off."""
    text = field.strip()
    if not text or _WHOLE.fullmatch(text):
        seconds = _whole(text, "at")
    else:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise _FieldError("unparsable at") from None
        if moment.tzinfo is None:
            raise _FieldError("at without a time zone")
        seconds = (moment - _EPOCH) // timedelta(seconds=1)
    if seconds < 0:
        raise _FieldError("at before 1970")
    if seconds > latest:
        raise _FieldError("at in the future")
    return seconds
