"""Rating scales: recognizing one by its values, and where it is cut into preferences.

MovieLens rates with half stars up to 5, and the cut-points 2.5, 3.5 and 4.5 divide its ratings into −2, −1, +1 and +2.
Any other scale is cut at the same shares of its length: one half, seven tenths and nine tenths.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
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
AMOUNTS = Scale(0.0, math.inf, (-1.0, 0.0, 1.0), above_low=True, name="amounts")
"""Amounts of interactions, before they become likes."""
INTERACTIONS = Scale(1.0, 2.0, (-1.0, 0.0, 1.0), name="interactions")
"""Interactions without ratings: 1 is a like, and 2 a strong one."""


@dataclass(frozen=True)
class _Usual:
    """A scale that people use, and how it is recognized.

    Attributes
    ----------
    scale
        The scale.
    top_from
        The highest rating that occurs is at least this.
    is_two
        Whether the two ends are its only values.
    from_one
        A scale for values that begin at 1 instead.
    """

    scale: Scale
    top_from: float
    is_two: bool = False
    from_one: Scale | None = None

    def fits(self, counts: Mapping[float, int], allowed: float) -> bool:
        """Whether values are on this scale but for an allowed number of rows, and use enough of it."""
        on_it = {value: n for value, n in counts.items() if self.scale.has(value)}
        if self.is_two:
            ends = {self.scale.low, self.scale.high}
            return set(on_it) >= ends and _strays(counts, ends.__contains__) <= allowed
        if not counts:
            return self.scale is FIVE_STARS  # there is nothing to cut
        if self.scale is FIVE_STARS and len(on_it) > _MOST_STARS and max(on_it) < _FEWEST_STARS:
            return False
        is_used = len(on_it) > 1 and max(on_it) >= self.top_from and (self.scale.low >= 0 or min(on_it) < -1)
        return is_used and _strays(counts, self.scale.has) <= allowed

    def of(self, counts: Mapping[float, int]) -> Scale:
        """The scale for some values that fit."""
        is_from_one = self.from_one is not None and not any(0 <= value < 1 for value in counts)
        return self.from_one if self.from_one is not None and is_from_one else self.scale


_USUAL = (
    _Usual(Scale(-1.0, 1.0, (-1.5, 0.0, 1.0), name="−1 and 1"), 1.0, is_two=True),
    _Usual(Scale(0.0, 1.0, (-0.5, 0.5, 1.0), name="0 and 1"), 1.0, is_two=True),
    _Usual(FIVE_STARS, 1.0 + 1e-9),
    _Usual(_scale(0.0, 10.0, "0 to 10"), 8.0, from_one=_scale(1.0, 10.0, "1 to 10")),
    _Usual(_scale(0.0, 100.0, "0 to 100"), 80.0),
    _Usual(_scale(-10.0, 10.0, "−10 to 10"), 8.0),
)
# Stars come in steps. Very many different values, none of them near five, are another measure, such as a share.
_MOST_STARS, _FEWEST_STARS = 100, 4.5
# Fewer ratings say nothing about a scale.
_ENOUGH_RATINGS = 100
# A share of zeros that is too large for a rating.
_MANY_ZEROS = 0.2
# Share of the rows that may be off the scale.
_MOST_STRAYS = 0.02


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
    total = sum(counts.values())
    allowed = min(settings.max_reject_share, _MOST_STRAYS) * total
    unrated = settings.unrated
    rated = {value: n for value, n in counts.items() if value != unrated}
    scale = next((scale for scale in _USUAL if scale.fits(rated, allowed)), None)
    if scale is None and unrated is None and rated.get(-1.0, 0) > allowed:
        # Perhaps −1 means that there is no rating. Beside 0 and 1 alone, it may as well be the opposite of 1.
        rated = {value: n for value, n in rated.items() if value != -1.0}
        scale = next((scale for scale in _USUAL if not scale.is_two and scale.fits(rated, allowed)), None)
        unrated = -1.0
    if scale is None:
        raise _unrecognized(counts, label)
    return _with(replace(scale.of(rated), unrated=unrated), settings)


def doubts(scale: Scale, counts: Mapping[float, int], settings: PrepareSettings) -> list[str]:
    """What is odd about the preferences that ratings become, in sentences.

    Parameters
    ----------
    scale
        The scale.
    counts
        How often each rating occurs.
    settings
        What the user has said about the scale.
    """
    total, highest = sum(counts.values()), max(counts, default=0.0)
    _, like_above, strong_above = scale.cut_points
    if total < _ENOUGH_RATINGS or settings.cut_points:
        return []
    found = []
    zeros = counts.get(0.0, 0) / total
    if scale.unrated is None and settings.scale is None and scale.cut_points[0] > 0 and zeros >= _MANY_ZEROS:
        found.append(
            f"{zeros:.0%} of the ratings are 0, which counts as a strong dislike. If 0 means that there is no rating,"
            " add --unrated 0."
        )
    name_it = f"If {highest:g} is the best possible rating, add --scale {min(*counts, 1.0):g},{highest:g}."
    if highest <= like_above:
        found.append(f"No rating is above {like_above:g}, so nothing counts as a like. {name_it}")
    elif highest <= strong_above < scale.high:
        found.append(f"No rating is above {strong_above:g}, so nothing counts as a superlike. {name_it}")
    return found


def _with(scale: Scale, settings: PrepareSettings) -> Scale:
    unrated = scale.unrated if settings.unrated is None else settings.unrated
    if settings.cut_points and not scale.low <= settings.cut_points[0] < settings.cut_points[2] < scale.high:
        points = ", ".join(f"{point:g}" for point in settings.cut_points)
        raise SettingsError(f"The cut-points {points} are not within the scale, which is {scale.name}.")
    return replace(scale, cut_points=settings.cut_points or scale.cut_points, unrated=unrated)


def _strays(counts: Mapping[float, int], belongs: Callable[[float], bool]) -> int:
    """How many rows have a value that does not belong."""
    return sum(n for value, n in counts.items() if not belongs(value))


def _unrecognized(counts: Mapping[float, int], label: str) -> InputError:
    values = sorted(counts)
    few = ", ".join(f"{value:g}" for value in values)
    shown = few if len(values) <= _FEW_VALUES else f"{len(values):,} values from {values[0]:g} to {values[-1]:g}"
    if len(values) == 1:
        return InputError(
            f"{label}: all ratings are {shown}, so they do not say what people like.",
            "If each row is a click, a watch or an order, add --implicit. Otherwise name the scale: --scale LOW,HIGH",
        )
    low, high = values[0] if values[0] < 0 or values[0] >= 1 else 0.0, values[-1]
    zeros = "" if 0.0 not in counts or high > 5 else " If 0 means that there is no rating: --unrated 0."
    return InputError(
        f"{label}: the ratings have no usual scale. They are {shown}.",
        f"Name the lowest and the highest possible rating, such as --scale {low:g},{high:g}.{zeros}"
        " If the column counts interactions, add --implicit.",
    )
