"""Dates as services and spreadsheets write them. Whether 3/4/2021 is in March or in April, the whole file must say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Literal

DayOrder = Literal["month first", "day first"]

_YEAR_FIRST = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?:[T ].*)?", re.DOTALL)
_YEAR_LAST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4}|\d{2})(?:[ ,].*)?", re.DOTALL)
_NAMED = re.compile(
    r"(?:[a-z]{3,9},?\s+)?(?:(?P<before>\d{1,2})[-\s]+(?P<second>[a-z]{3})[a-z]*|(?P<first>[a-z]{3})[a-z]*\s+"
    r"(?P<after>\d{1,2}))(?:,|\s+\d\d:\d\d:\d\d)?[-\s]+(?P<year>\d{4}|\d{2})",
    re.IGNORECASE,
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def day_order(texts: Iterable[str], today: date) -> tuple[DayOrder, bool]:
    """Return the order of day and month in the dates of a file, and whether anything in the file shows it.

    A number above 12 shows it. So does the order of the rows, which services sort by date, and a date in the future.
    """
    found = [match for text in texts if (match := _YEAR_LAST.fullmatch(text.strip()))]
    if not found or all(match[2] == "." for match in found):
        return "day first", True
    above = [sum(int(match[group]) > 12 for match in found) for group in (1, 3)]
    if above[0] != above[1]:
        return ("day first" if above[0] > above[1] else "month first"), True
    orders: tuple[DayOrder, DayOrder] = ("month first", "day first")
    faults = [_faults([_of_match(match, order) for match in found], today) for order in orders]
    if faults[0] == faults[1]:
        return "month first", False
    return orders[faults[1] < faults[0]], True


def _faults(days: Sequence[date | None], today: date) -> int:
    """How often dates are impossible, in the future, or turn back against the direction of most of the file."""
    known = [day for day in days if day is not None]
    ups = sum(later > earlier for earlier, later in pairwise(known))
    downs = sum(later < earlier for earlier, later in pairwise(known))
    return len(days) - len(known) + sum(day > today for day in known) + min(ups, downs)


def seconds_of(text: str, order: DayOrder = "month first") -> int | None:
    """Return the moment that a date begins in UTC, or an ISO moment with its zone, in epoch seconds.

    None if the text is not a date. `order` says what 3/4/2021 means.
    """
    text = text.strip()
    if "T" in text and (moment := _iso_moment(text)) is not None:
        return moment
    day = _day_of(text, order)
    return None if day is None else (day - _EPOCH.date()).days * 86_400


def _iso_moment(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int((moment - _EPOCH).total_seconds() // 1)


def _day_of(text: str, order: DayOrder) -> date | None:
    if match := _YEAR_FIRST.fullmatch(text):
        return _date(int(match[1]), int(match[3]), int(match[4]))
    if match := _YEAR_LAST.fullmatch(text):
        return _of_match(match, order)
    if match := _NAMED.fullmatch(text):
        month = (match["first"] or match["second"]).lower()
        if month in _MONTHS:
            return _date(_full(match["year"]), _MONTHS.index(month) + 1, int(match["before"] or match["after"]))
    return None


def _of_match(match: re.Match[str], order: DayOrder) -> date | None:
    first, second = int(match[1]), int(match[3])
    month, day = (second, first) if order == "day first" or match[2] == "." else (first, second)
    return _date(_full(match[4]), month, day)


def _full(year: str) -> int:
    return int(year) + (2000 if len(year) == 2 else 0)


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None
