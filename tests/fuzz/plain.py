"""The content of files, computed in plain Python and independently of mlrec."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

MAX_RATING = 5.0
LATEST = 253_402_300_799
COLUMNS = ("userid", "movieid", "rating", "timestamp")


class Rating(NamedTuple):
    user_id: int
    movie_id: int
    rating: float
    timestamp: int


class Event(NamedTuple):
    user_id: int
    movie_id: int
    preference: int
    timestamp: int


def text_of(content: bytes) -> str:
    """UTF-8 if all of it is, else Latin-1; without the mark at its beginning."""
    content = content.removeprefix(b"\xef\xbb\xbf")
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("latin-1")


def lines_of(text: str) -> list[list[str]]:
    """Lines that are not blank, each as a list of one field."""
    return [[line] for line in re.split("\r\n|\r|\n", text) if line.strip()]


def records_of(text: str) -> list[list[str]]:
    """Records that are not blank, as Python reads CSV."""
    records = csv.reader(io.StringIO(text, newline=""))
    return [record for record in records if record and (len(record) > 1 or record[0].strip())]


def whole(field: str) -> int | None:
    """A plain decimal integer, also with .0 behind, as pandas writes it."""
    match = re.fullmatch(r"([+-]?(?:0|[1-9]\d*))(?:\.0*)?", field.strip(), re.ASCII)
    number = int(match[1]) if match else None
    return number if number is not None and -(2**63) <= number < 2**63 else None


def moment(field: str) -> int | None:
    """Epoch seconds; a spreadsheet's exponent only where it says a whole second exactly."""
    if re.fullmatch(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+", field.strip(), re.ASCII) and float(field).is_integer():
        seconds: int | None = int(float(field))
    else:
        seconds = whole(re.sub(r"^\s*0+(?=\d)", "", field))  # no two people become one by a zero here
    return seconds if seconds is not None and 0 <= seconds <= LATEST else None


def decimal(field: str) -> float | None:
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", field.strip(), re.ASCII):
        return None
    return number if 0 < (number := float(field)) <= MAX_RATING else None


def rating_of(fields: Sequence[str], places: Sequence[int]) -> Rating | None:
    """The rating that a row holds, if it holds one."""
    if max(places) >= len(fields):
        return None
    user_id, movie_id, rating, seconds = (fields[place] for place in places)
    found = whole(user_id), whole(movie_id), decimal(rating), moment(seconds)
    return None if None in found else Rating(*found)  # type: ignore[arg-type]


def standing(ratings: Iterable[Rating]) -> list[Event]:
    """One opinion a user and movie: the latest, and of the same second the higher; as mlrec keeps it."""
    by_age = sorted(ratings, key=lambda one: (one.timestamp, one.rating))
    latest = {(one.user_id, one.movie_id): one for one in by_age}
    return sorted(Event(one.user_id, one.movie_id, bucket(one.rating), one.timestamp) for one in latest.values())


def bucket(rating: float) -> int:
    return (-2, -1, 1, 2)[sum(rating > cut for cut in (2.5, 3.5, 4.5))]


def places_of(header: Sequence[str]) -> list[int]:
    names = [name.strip().lower().replace("_", "") for name in header]
    return [names.index(name) for name in COLUMNS]
