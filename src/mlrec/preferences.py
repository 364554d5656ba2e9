"""What a swipe means: names, buckets of prepared data and signed preferences, mapped here and nowhere else."""

from __future__ import annotations

from enum import IntEnum
from operator import index
from typing import Any

from mlrec.errors import SettingsError, shown


class Swipe(IntEnum):
    """A person's answer to a movie; the value is the signed preference that is stored and learned from."""

    SUPERDISLIKE = -2
    DISLIKE = -1
    SKIP = 0
    """Seen, no opinion; it cancels an earlier opinion."""
    LIKE = 1
    SUPERLIKE = 2

    @property
    def label(self) -> str:
        """The name as people type it: "like"."""
        return self.name.lower()

    @classmethod
    def parse(cls, value: int | str) -> Swipe:
        """Read a preference, or the name of a swipe.

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
            f"{shown(value)} is no preference.",
            "Give −2, −1, 0, +1 or +2; or superdislike, dislike, skip, like or superlike.",
        )


_TEXTS = {text: swipe for swipe in Swipe for text in (f"{int(swipe)}", f"{int(swipe):+d}")}

BUCKETS = (Swipe.SUPERDISLIKE, Swipe.DISLIKE, Swipe.LIKE, Swipe.SUPERLIKE)
"""What buckets 1 to 4 of a rating mean."""


def from_bucket(bucket: int) -> Swipe:
    """Preference of a rating bucket, 1 to 4.

    Raises
    ------
    SettingsError
        If it is none of them.
    """
    number = _whole(bucket)
    if number is None or not 1 <= number <= len(BUCKETS):
        raise SettingsError(f"{shown(bucket)} is no bucket.", "Buckets are 1 (strong dislike) to 4 (strong like).")
    return BUCKETS[number - 1]


def _whole(value: Any) -> int | None:
    """A whole number as Python's own; None for anything else, `True` and 1.0 among it."""
    try:
        return None if isinstance(value, bool) else index(value)
    except TypeError:
        return None
