"""The meaning of a swipe: its name, its bucket in prepared data, its signed preference. Only this module maps them."""

from __future__ import annotations

from enum import IntEnum
from operator import index
from typing import Any

from mlrec.errors import SettingsError, shown


class Swipe(IntEnum):
    """A user's answer to a movie. The value is the signed preference that is stored and learned from."""

    SUPERDISLIKE = -2
    DISLIKE = -1
    SKIP = 0
    """Seen, but no opinion; cancels an earlier opinion."""
    LIKE = 1
    SUPERLIKE = 2

    @property
    def label(self) -> str:
        """The name as people type it: "like"."""
        return self.name.lower()

    @classmethod
    def parse(cls, value: int | str) -> Swipe:
        """Parse a preference or the name of a swipe.

        Parameters
        ----------
        value
            −2, −1, 0, +1 or +2, as a number or as text ("+2"); or superdislike, dislike, skip, like, superlike.

        Raises
        ------
        SettingsError
            If it is neither.
        """
        if isinstance(value, str):
            name = value.strip().upper()
            if name in cls.__members__:
                return cls[name]
            text = name.replace("−", "-")
            if text in _TEXTS:
                return _TEXTS[text]
        elif (number := _whole(value)) is not None and number in cls._value2member_map_:
            return cls(number)
        raise SettingsError(
            f"{shown(value)} is not a valid preference.",
            "Use −2, −1, 0, +1 or +2; or superdislike, dislike, skip, like or superlike.",
        )


_TEXTS = {text: swipe for swipe in Swipe for text in (f"{int(swipe)}", f"{int(swipe):+d}")}

BUCKETS = (Swipe.SUPERDISLIKE, Swipe.DISLIKE, Swipe.LIKE, Swipe.SUPERLIKE)
"""The meanings of rating buckets 1 to 4."""


def from_bucket(bucket: int) -> Swipe:
    """The preference for a rating bucket, 1 to 4.

    Raises
    ------
    SettingsError
        If there is no such bucket.
    """
    number = _whole(bucket)
    if number is None or not 1 <= number <= len(BUCKETS):
        raise SettingsError(f"{shown(bucket)} is not a valid bucket.", "Use 1 (strong dislike) to 4 (strong like).")
    return BUCKETS[number - 1]


def _whole(value: Any) -> int | None:
    """A whole number as a Python int; None for anything else, including `True` and 1.0."""
    try:
        return None if isinstance(value, bool) else index(value)
    except TypeError:
        return None
