"""How the values of a ratings file are written: ids as numbers or texts, and times on which clock.

The forms are guessed on the first rows. After the whole file is read with them, all rows are counted by form, and
`decided` says which forms the file really has. If those are others, the file is read once more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from mlrec.errors import InputError, shown
from mlrec.ids import IdKind
from mlrec.settings import IdsSetting, PrepareSettings

Clock = Literal["s", "ms", "us", "ns", "fraction", "iso", "date", "ymd", "format", "date-format", "file", "random"]
"""How a time is written: a number of seconds (or of thousandths, …) since 1970, seconds with a fraction, ISO 8601, a
date alone, a date such as 20240131, a format of `strptime` with or without the hour. `file` and `random` stand for an
order without times."""

TimeForm = Literal["s", "ms", "us", "ns", "fraction", "moment", "date", "ymd", "other", "empty"]
"""What one time looks like; a moment is a date and a time of day in ISO 8601."""

SQL_TYPES: Mapping[IdKind, str] = {"integer": "BIGINT", "text": "VARCHAR"}
"""The SQL type of each kind of ids."""
TICKS_PER_SECOND: Mapping[Clock, int] = {
    "s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000, "fraction": 1_000_000, "iso": 1_000_000,
    "format": 1_000_000,
}  # fmt: skip
"""For clocks that measure time; see `seconds_of` in sql/duckdb/00_setup.sql for the others."""

_NAMES: Mapping[Clock, str] = {
    "s": "", "ms": "milliseconds since 1970", "us": "microseconds since 1970",
    "ns": "nanoseconds since 1970", "fraction": "seconds since 1970 with fractions", "iso": "ISO 8601",
    "date": "dates alone, so the order of the file counts within a day",
    "ymd": "dates such as 20240131, so the order of the file counts within a day", "format": "in the given format",
    "date-format": "dates in the given format, so the order of the file counts within a day",
    "file": "ignored; the order of the file counts", "random": "ignored; each user's events are in a random order",
}  # fmt: skip
DATES: tuple[Clock, ...] = ("date", "ymd", "date-format")
"""Clocks that tell the day only."""
# From this share of other ids on, the ids are texts. Between this and the next, it must be asked: they may be numbers,
# some of them damaged.
_SURELY_TEXT = 0.1
# Up to this share, other ids are bad rows, which are reported as such.
_STRAY_IDS = 0.02
# Share of the usable times that may be on another clock.
_STRAY_TIMES = 0.01


@dataclass(frozen=True)
class Forms:
    """How the values of a file are written.

    Attributes
    ----------
    users, movies
        Kinds of ids.
    clock
        How times are written.
    words
        Whether ratings are words such as "like" and "true" and not numbers.
    """

    users: IdKind = "integer"
    movies: IdKind = "integer"
    clock: Clock = "s"
    words: bool = False

    @property
    def clock_name(self) -> str:
        """The clock in words; empty for the usual one, seconds since 1970."""
        return _NAMES[self.clock]

    @property
    def has_texts(self) -> bool:
        """Whether some ids are texts."""
        return "text" in (self.users, self.movies)

    @property
    def has_zones(self) -> bool:
        """Whether the meaning of a time may depend on a time zone."""
        return self.clock in ("iso", "format")

    @property
    def has_file_order(self) -> bool:
        """Whether the position in the file orders events, alone or within a day."""
        return self.clock in (*DATES, "file")


@dataclass(frozen=True)
class IdCounts:
    """What the ids of a column look like.

    Attributes
    ----------
    given, whole
        Number of ids that are not empty, and of those that have the form of a whole number.
    number, text
        An id that is a whole number, and one that is not; None if there is none.
    """

    given: int = 0
    whole: int = 0
    number: str | None = None
    text: str | None = None


@dataclass(frozen=True)
class Look:
    """What the values of all rows look like, or of some of them.

    Attributes
    ----------
    users, movies
        The ids.
    times
        Form → number of times.
    time
        A time that has none of the forms, or else any; None if there is no time.
    numbers, words
        Numbers of ratings that are numbers, and that are words for yes and no.
    """

    users: IdCounts = IdCounts()
    movies: IdCounts = IdCounts()
    times: Mapping[TimeForm, int] = field(default_factory=dict)
    time: str | None = None
    numbers: int = 0
    words: int = 0


def joined(looks: Iterable[Look]) -> Look:
    """Add up looks at parts of a file."""
    total = Look()
    for look in looks:
        times = Counter(total.times)
        times.update(look.times)
        total = Look(
            users=_added(total.users, look.users),
            movies=_added(total.movies, look.movies),
            times=times,
            time=total.time or look.time,
            numbers=total.numbers + look.numbers,
            words=total.words + look.words,
        )
    return total


def _added(one: IdCounts, other: IdCounts) -> IdCounts:
    return IdCounts(
        one.given + other.given, one.whole + other.whole, one.number or other.number, one.text or other.text
    )


def decided(look: Look, settings: PrepareSettings, label: str) -> Forms:
    """Say how the values of a file are written.

    Raises
    ------
    InputError
        If it cannot be told: the values are of several forms. The message shows an example of each.
    """
    return Forms(
        users=_kind(look.users, settings.user_ids, settings, label, "user"),
        movies=_kind(look.movies, settings.movie_ids, settings, label, "movie"),
        clock=_clock(look, settings, label),
        words=look.words > look.numbers,
    )


def _kind(ids: IdCounts, setting: IdsSetting, settings: PrepareSettings, label: str, role: str) -> IdKind:
    if setting != "auto":
        return setting
    others = ids.given - ids.whole
    if others <= min(max(settings.max_reject_share, _STRAY_IDS), _SURELY_TEXT) * ids.given:
        return "integer"
    if others > _SURELY_TEXT * ids.given:
        return "text"
    raise InputError(
        f"{label}: {others / ids.given:.1%} of the {role} ids, such as {shown(ids.text)}, are not whole numbers. The"
        f" others are, such as {shown(ids.number)}.",
        f"If all are texts, add --{role}-ids text. If all should be numbers, correct the file, or add"
        f" --{role}-ids integer and allow more bad rows with --max-reject-share.",
    )


def _clock(look: Look, settings: PrepareSettings, label: str) -> Clock:
    if settings.no_time is not None:
        return settings.no_time
    if "%" in settings.time_format:
        return "format" if _has_hours(settings.time_format) else "date-format"
    times = look.times
    # Times that have none of the forms are bad rows, and are judged as such.
    usable = sum(n for form, n in times.items() if form not in ("empty", "other"))
    enough = (1 - _STRAY_TIMES) * usable
    dates, moments, fractions, ymd = (times.get(form, 0) for form in ("date", "moment", "fraction", "ymd"))
    if settings.time_format == "iso":
        return "date" if dates and dates >= enough else "iso"
    if settings.time_format == "s":
        return "fraction" if fractions else "s"
    if settings.time_format != "auto":
        return settings.time_format  # type: ignore[return-value]  # one of the clocks, as settings have checked
    if not usable:
        if times.get("other", 0):
            raise InputError(
                f"{label}: the times, such as {shown(look.time)}, are written in no way that mlrec knows.",
                f"Name their format: --time-format {_likely_formats(look.time)}. Or ignore them: --no-time file",
            )
        return "s"
    if ymd >= enough:
        return "ymd"
    if times.get("s", 0) + ymd + fractions >= enough:
        return "fraction" if fractions > usable - enough else "s"
    for unit in ("ms", "us", "ns"):
        if times.get(unit, 0) >= enough:
            return unit
    if dates + moments >= enough:
        return "date" if dates >= enough else "iso"
    ways = ", ".join(
        f"{n / usable:.1%} {_FORM_NAMES[form]}"
        for form, n in sorted(times.items(), key=lambda one: -one[1])
        if form in _FORM_NAMES
    )
    raise InputError(
        f"{label}: the times are not all written in one way: {ways}.",
        "Name the way: --time-format s, ms, us, ns, iso or a format such as %d/%m/%Y. Or ignore times: --no-time file",
    )


_FORM_NAMES: Mapping[TimeForm, str] = {
    "s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds",
    "fraction": "seconds with fractions", "moment": "ISO 8601", "date": "dates", "ymd": "dates such as 20240131",
}  # fmt: skip
_DAYS = ("%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%d-%m-%Y", "%Y/%m/%d", "%d-%b-%Y", "%d %b %Y", "%b %d, %Y", "%B %d, %Y")
_HOURS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
_FORMATS = (*(day + hour for day in _DAYS for hour in _HOURS), "%a %b %d %H:%M:%S %z %Y", "%a, %d %b %Y %H:%M:%S %z")


def _likely_formats(time: str | None) -> str:
    """The formats in which a time may be written, as a shell takes them; an example if there is none."""
    found = [one for one in _FORMATS if time is not None and _is_written_in(one, time)]
    return " or ".join(f"'{one}'" for one in found) or "'%d/%m/%Y', for example"


def _is_written_in(time_format: str, time: str) -> bool:
    try:
        datetime.strptime(time, time_format)  # only whether it fits
    except ValueError:
        return False
    return True


def _has_hours(time_format: str) -> bool:
    return any(code in time_format for code in ("%H", "%I", "%X", "%c", "%s", "%T"))
