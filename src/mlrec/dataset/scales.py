"""Rating scales: recognizing one by its values, and where it is cut into preferences.

MovieLens rates with half stars up to 5, and the cut-points 2.5, 3.5 and 4.5 divide its ratings into −2, −1, +1 and +2.
Any other scale is cut at the same shares of its length: one half, seven tenths and nine tenths.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from mlrec.errors import InputError, SettingsError
from mlrec.settings import PrepareSettings

CutPoints = tuple[float, float, float]

_SHARES = (0.5, 0.7, 0.9)
_FEW_VALUES = 12


@dataclass(frozen=True)
class Scale:
    """The ratings that are valid, and how they become preferences.

    Attributes
    ----------
    low, high
        The lowest and the highest valid rating.
    cut_points
        Upper ends of buckets 1, 2 and 3.
    above_low
        Whether `low` itself is not a rating, as 0 with stars.
    unrated
        A value that means "seen, but not rated", if there is one.
    name
        For people, such as "1 to 10".
    """

    low: float
    high: float
    cut_points: CutPoints
    above_low: bool = False
    unrated: float | None = None
    name: str = ""

    def to_sql(self) -> dict[str, Any]:
        """Describe the scale as the value of the SQL variable `scale`."""
        return {
            "low": self.low, "high": self.high, "above_low": self.above_low, "cut_points": list(self.cut_points),
            "top": self.top, "unrated": self.unrated,
        }  # fmt: skip

    def has(self, rating: float) -> bool:
        """Whether a value is a rating on this scale."""
        return self.low <= rating <= self.high and not (self.above_low and rating == self.low)

    @property
    def title(self) -> str:
        """The scale in words, with the value of unrated rows."""
        return self.name if self.unrated is None else f"{self.name}; {self.unrated:g} = seen without a rating"

    @property
    def top(self) -> float:
        """A rating in bucket 4: its upper end, unless the scale ends below."""
        return self.high if self.high > self.cut_points[2] else self.cut_points[2] + 1


def _cut(low: float, high: float) -> CutPoints:
    """Cut-points at the shares of five stars; scales that begin above 0 are measured from 0, as stars are."""
    base = min(low, 0.0)
    first, second, third = (round(base + share * (high - base), 9) for share in _SHARES)
    return first, second, third


def _scale(low: float, high: float, name: str, *, above_low: bool = False) -> Scale:
    return Scale(low, high, _cut(low, high), above_low, name=name)


FIVE_STARS = _scale(0.0, 5.0, "up to 5 stars", above_low=True)
"""The scale of MovieLens, (0, 5]."""
UP_TO_10 = _scale(1.0, 10.0, "1 to 10")
_FROM_0_TO_10 = _scale(0.0, 10.0, "0 to 10")
_UP_TO_100 = _scale(0.0, 100.0, "0 to 100")
_BOTH_WAYS = _scale(-10.0, 10.0, "−10 to 10")
AMOUNTS = Scale(0.0, math.inf, (-1.0, 0.0, 1.0), above_low=True, name="amounts")
"""Amounts of interactions, before they become likes."""
INTERACTIONS = Scale(1.0, 2.0, (-1.0, 0.0, 1.0), name="interactions")
"""Interactions without ratings: 1 is a like, and 2 a strong one."""
_THUMBS: Mapping[frozenset[float], Scale] = {
    frozenset((-1.0, 1.0)): Scale(-1.0, 1.0, (-1.5, 0.0, 1.0), name="−1 and 1"),
    frozenset((0.0, 1.0)): Scale(0.0, 1.0, (-0.5, 0.5, 1.0), name="0 and 1"),
}


def chosen(settings: PrepareSettings) -> Scale | None:
    """The scale that the settings name; None if it is to be recognized."""
    if settings.implicit:
        return AMOUNTS
    if settings.max_rating is not None:
        scale = replace(FIVE_STARS, high=settings.max_rating, name=f"up to {settings.max_rating:g}")
        if settings.max_rating <= scale.cut_points[2]:
            scale = replace(scale, cut_points=_cut(0.0, settings.max_rating))
    elif settings.scale is not None:
        low, high = settings.scale
        scale = _scale(low, high, f"{low:g} to {high:g}".replace("-", "−"))
    else:
        return None
    return _with(scale, settings)


def recognized(counts: Mapping[float, int], label: str, settings: PrepareSettings) -> Scale:
    """Recognize the scale of a file by its values.

    Parameters
    ----------
    counts
        How often each value occurs, for all finite values.
    label
        Name of the file in messages.
    settings
        A share `max_reject_share` of the rows may be off the scale. `unrated` and `cut_points` are taken from here.

    Raises
    ------
    InputError
        If the scale cannot be told. The message shows the values, and names the options that help.
    """
    usual = _without_strays(counts, settings)
    unrated = settings.unrated
    rated = {value: n for value, n in usual.items() if value != unrated}
    if unrated is None and -1.0 in rated and len(rated) > 2 and min(value for value in rated if value != -1.0) >= 0:
        unrated = -1.0
        del rated[-1.0]
    scale = _usual(rated)
    if scale is None:
        raise _unrecognized(rated, label)
    return _with(replace(scale, unrated=unrated), settings)


def _with(scale: Scale, settings: PrepareSettings) -> Scale:
    unrated = scale.unrated if settings.unrated is None else settings.unrated
    if settings.cut_points and not scale.low <= settings.cut_points[0] < settings.cut_points[2] < scale.high:
        points = ", ".join(f"{point:g}" for point in settings.cut_points)
        raise SettingsError(f"The cut-points {points} are not within the scale, which is {scale.name}.")
    return replace(scale, cut_points=settings.cut_points or scale.cut_points, unrated=unrated)


def _without_strays(counts: Mapping[float, int], settings: PrepareSettings) -> dict[float, int]:
    """The values without the rarest at either end that are no more than the share of bad rows that is allowed."""
    kept = dict(counts)
    allowed = settings.max_reject_share * sum(counts.values())
    while len(kept) > 1:
        # Far from all others, and rare: such as 50 among stars. Values within a usual scale stay anyway.
        end = min((min(kept), max(kept)), key=lambda value: (kept[value], value))
        if kept[end] > allowed or _usual(kept) is not None:
            break
        allowed -= kept.pop(end)
    return kept


def _usual(counts: Mapping[float, int]) -> Scale | None:
    """The scale that all of some values are on."""
    if not counts:
        return FIVE_STARS  # there is nothing to cut
    low, high = min(counts), max(counts)
    if frozenset(counts) in _THUMBS:
        return _THUMBS[frozenset(counts)]
    if 0 < low < high <= 5 and high > 1:
        return FIVE_STARS
    if low >= 0 and 8 <= high <= 10 and low < high:
        return _FROM_0_TO_10 if low < 1 else UP_TO_10
    if low >= 0 and 80 <= high <= 100 and low < high:
        return _UP_TO_100
    if -10 <= low < 0 and 8 <= high <= 10:
        return _BOTH_WAYS
    return None


def _unrecognized(counts: Mapping[float, int], label: str) -> InputError:
    values = sorted(counts)
    few = ", ".join(f"{value:g}" for value in values)
    shown = few if len(values) <= _FEW_VALUES else f"{len(values):,} values from {values[0]:g} to {values[-1]:g}"
    if len(values) == 1:
        return InputError(
            f"{label}: all ratings are {shown}, so they do not say what people like.",
            "If each row is a click, a watch or an order, add --implicit. Otherwise name the scale: --scale LOW,HIGH",
        )
    high = values[-1] if math.isfinite(values[-1]) else 10.0
    low = min(values[0], 0.0) if high <= 0 or values[0] < 0 else 0.0
    zeros = "" if 0.0 not in counts or high > 5 else " If 0 means that there is no rating: --unrated 0."
    return InputError(
        f"{label}: the ratings have no usual scale. They are {shown}.",
        f"Name the lowest and the highest possible rating, such as --scale {low:g},{high:g}.{zeros}"
        " If the column counts interactions, add --implicit.",
    )
