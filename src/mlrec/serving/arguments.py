"""Checking the arguments of the public facade. Messages name the argument and say what it accepts.

A backend passes on what its users send. So lists and texts have a limit, and lists are counted while they are read.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from numbers import Real
from operator import index
from typing import Any

import numpy as np

from mlrec.errors import SettingsError, shown, unfit
from mlrec.ids import LARGEST_ID, LONGEST_ID, SMALLEST_ID, IdKind, PublicId, text_fault
from mlrec.serving.stores.interface import LONGEST_IDEMPOTENCY_KEY, latest_moment
from mlrec.settings import GroupRule, SeenMovies, converted

MOST_OPINIONS = 10_000
"""Likes and dislikes of a visitor together."""
MOST_EXCLUDED = 10_000
MOST_ONLY = 100_000
MOST_GENRES = 1_000
MOST_PEOPLE = 20
"""People who are recommended to together."""
LONGEST_TEXT = 500
"""Characters of a search text and of a genre."""
LONGEST_LIST = 1_000_000


def user_id(value: Any, kind: IdKind, name: str = "user_id") -> PublicId:
    """The id of a user, who may be unknown to the model. `kind` is what the model's user ids are."""
    found = _id(name, value, kind, "user")
    if not isinstance(found, str) and not SMALLEST_ID <= found <= LARGEST_ID:
        raise unfit(name, "an id that fits into 64 bits", value)
    return found


def movie_id(value: Any, kind: IdKind) -> PublicId:
    """The id of a movie. `kind` is what the model's movie ids are. Whether it knows the movie is checked later."""
    return _id("movie_id", value, kind, "movie")


def opinions(likes: Any, dislikes: Any, kind: IdKind) -> tuple[list[PublicId], list[PublicId]]:
    """The ids of the movies that a visitor likes and dislikes."""
    liked, disliked = (_ids(*named, MOST_OPINIONS, kind) for named in (("likes", likes), ("dislikes", dislikes)))
    if len(liked) + len(disliked) > MOST_OPINIONS:
        raise SettingsError(f"likes and dislikes together must have at most {MOST_OPINIONS:,} movie ids.")
    return liked, disliked


def group(values: Any, kind: IdKind) -> list[PublicId]:
    """The ids of several people, each once, in the order in which they are named."""
    named = _listed("user_ids", values, MOST_PEOPLE, "user ids")
    found = dict.fromkeys(user_id(value, kind, "each of user_ids") for value in named)
    if not found:
        raise SettingsError("user_ids must have at least one user id.")
    return list(found)


def group_rule(value: Any) -> GroupRule:
    """How the scores of several people become one."""
    rule: GroupRule = converted("rule", value, GroupRule)
    return rule


def unchecked_ids(name: str, values: Any, most: int) -> tuple[Any, ...]:
    """Ids of movies, at most so many. What they are is checked with the model; see `movie_ids`."""
    return tuple(_listed(name, values, most, "movie ids"))


def movie_ids(name: str, values: Sequence[Any], kind: IdKind) -> Sequence[PublicId]:
    """The ids of several movies, each of which the model may know or not."""
    if kind == "integer" and set(map(type, values)) <= {int}:
        return values  # nearly always, and checking ten thousand ids one by one takes milliseconds
    return [_id(f"each of {name}", value, kind, "movie") for value in values]


def seen(value: Any) -> SeenMovies:
    """What becomes of movies that the user has seen."""
    found: SeenMovies = converted("seen", value, SeenMovies)
    return found


def max_per_genre(value: Any) -> int | None:
    """How many movies of one genre a list may have."""
    if value is None:
        return None
    try:
        found = _whole(value)
    except TypeError:
        found = 0
    if found < 1:
        raise unfit("max_per_genre", "a whole number of at least 1, or None", value)
    return found


def genres(name: str, value: Any) -> tuple[str, ...] | None:
    """Names of genres; a single one may be given as a string."""
    if value is None:
        return None
    genres = [value] if isinstance(value, str) else _listed(name, value, MOST_GENRES, "strings")
    for genre in genres:
        if not isinstance(genre, str) or len(genre) > LONGEST_TEXT:
            raise unfit(f"each of {name}", f"a string of up to {LONGEST_TEXT} characters", genre)
    return tuple(genres)


def years(value: Any) -> tuple[int, int] | None:
    """The first and the last year."""
    if value is None:
        return None
    needed = "two whole numbers, the first year and the last"
    try:
        first, last = map(_whole, value)
    except (TypeError, ValueError):
        raise unfit("years", needed, value) from None
    if first > last:
        raise unfit("years", f"{needed}, in this order", value)
    return first, last


def yes_or_no(name: str, value: Any) -> bool:
    """A boolean."""
    if not isinstance(value, bool | np.bool_):
        raise unfit(name, "True or False", value)
    return bool(value)


def diversity(value: Any) -> float:
    """How far a list is spread, 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= value <= 1:  # type: ignore[operator]
        raise unfit("diversity", "a number between 0 and 1", value)
    return float(value)


def length(n: Any) -> int:
    """The length of a list."""
    try:
        found = _whole(n)
    except TypeError:
        found = 0
    if not 1 <= found <= LONGEST_LIST:
        raise unfit("n", f"a whole number from 1 to {LONGEST_LIST:,}", n)
    return found


def text(value: Any) -> str:
    """A search text."""
    if not isinstance(value, str):
        raise unfit("text", "a string: a title or a movie id", value)
    if len(value) > LONGEST_TEXT:
        raise unfit("text", f"at most {LONGEST_TEXT} characters long", value)
    return value


def idempotency_key(value: Any, event_id: Any = None) -> str | None:
    """The caller's own id of an event; `event_id` is its name from before 0.1, which is accepted until 1.0."""
    if event_id is not None:
        if value is not None:
            raise SettingsError(
                "idempotency_key and event_id were both given.", "Pass only idempotency_key; event_id is its old name."
            )
        warnings.warn(
            "event_id is now called idempotency_key. The old name will be removed in mlrec 1.0.",
            DeprecationWarning,
            stacklevel=3,
        )
        value = event_id
    if value is None:
        return None
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_IDEMPOTENCY_KEY or not _is_utf8(value):
        raise unfit("idempotency_key", f"a string of 1 to {LONGEST_IDEMPOTENCY_KEY} characters", value)
    return value


def moment(at: Any) -> int:
    """The time of an event, in epoch seconds."""
    if isinstance(at, datetime) and at.utcoffset() is None:
        raise SettingsError("at has no time zone.", "Pass an aware datetime, such as datetime.now(UTC).")
    try:
        seconds = int(at.timestamp()) if isinstance(at, datetime) else _whole(at)
    except (TypeError, ValueError, OverflowError):
        raise unfit("at", "epoch seconds as a whole number, or an aware datetime", at) from None
    if not 0 <= seconds <= latest_moment():
        raise SettingsError(
            f"at must be a time in epoch seconds, from 1970 to at most one day from now, not {shown(seconds)}.",
            "Check that it is not in milliseconds and that the clock is right."
            if seconds > 0
            else "Epoch seconds count from 1970.",
        )
    return seconds


# -- common checks -----------------------------------------------------------------------------------------------------


def _id(name: str, value: Any, kind: IdKind, of: str) -> PublicId:
    """Check the id of a user or a movie; the only place that defines what an id is."""
    if kind == "text":
        return _text_id(name, value, of)
    try:
        return _whole(value)
    except TypeError:
        raise SettingsError(
            f"{name} must be a whole number, not {shown(value)}.", f"The {of} ids of this model are whole numbers."
        ) from None


def _text_id(name: str, value: Any, of: str) -> str:
    if not isinstance(value, str):
        raise SettingsError(
            f"{name} must be a text of 1 to {LONGEST_ID} bytes, not {shown(value)}.",
            f"The {of} ids of this model are texts.",
        )
    found = str.__str__(value)  # the text of an enum or of NumPy's string, and not what it calls itself
    if fault := text_fault(found):
        raise SettingsError(
            f"{name} must be a text of 1 to {LONGEST_ID} bytes, but {shown(found)} {fault}.",
            f"The {of} ids of this model are texts.",
        )
    return found


def _ids(name: str, values: Any, most: int, kind: IdKind) -> list[PublicId]:
    return list(movie_ids(name, _listed(name, values, most, "movie ids"), kind))


def _listed(name: str, values: Any, most: int, of: str) -> list[Any]:
    """The items of any iterable, which may be endless."""
    if isinstance(values, str | bytes | bytearray):
        raise unfit(name, f"a list of {of}", values)
    try:
        unread = iter(values)
    except TypeError:
        raise unfit(name, f"a list of {of}", values) from None
    items = list(islice(unread, most + 1))
    if len(items) > most:
        raise SettingsError(f"{name} must have at most {most:,} {of}.")
    return items


def _whole(value: Any) -> int:
    """A whole number as a Python int. Raises TypeError for anything else, including `True` and 2.0."""
    if isinstance(value, bool):
        raise TypeError
    return index(value)


def _is_utf8(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
