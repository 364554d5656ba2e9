"""What `mlrec prepare` makes of a data set of any form, written a second time in plain Python.

Nothing here comes from `mlrec.dataset`. The rules are those of docs/data.md. A described file says how its text is to
be read, which mlrec has to recognize. What the values mean (kinds of ids, clock, scale) is found out here too.
"""

from __future__ import annotations

import ast
import csv
import hashlib
import io
import json
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Literal

import duckdb

from mlrec.settings import PrepareSettings

Role = Literal["user", "movie", "rating", "time"]
ROLES: tuple[Role, ...] = ("user", "movie", "rating", "time")
SPLITS = ("train", "val", "test")
NAMES: Mapping[Role, str] = {"user": "userId", "movie": "movieId", "rating": "rating", "time": "timestamp"}
"""What the reasons of bad rows call them."""


class RefusedError(Exception):
    """The data cannot be used without another option."""


# -- reading -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Part:
    """One file as it is after unpacking, and the columns that the names of its folders add."""

    content: bytes
    folders: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Described:
    """How the parts of a file are written.

    Attributes
    ----------
    parts
        In the order of their names.
    form
        Text with separators, JSON lines, or Parquet.
    columns
        Which columns have which role, by name, or from 1 if there is no header.
    """

    parts: tuple[Part, ...]
    columns: Mapping[str, str | int]
    form: Literal["text", "json", "parquet"] = "text"
    encoding: str = "utf-8"
    separator: str = ","
    quotes: bool = True

    def rows(self) -> Iterator[dict[str, str | None] | str]:
        """Fields by column of each row, or what is wrong with the row."""
        for part in self.parts:
            match self.form:
                case "text":
                    yield from self._text_rows(part)
                case "json":
                    yield from _json_rows(part.content.decode(self.encoding))
                case "parquet":
                    yield from _parquet_rows(part.content)

    def _text_rows(self, part: Part) -> Iterator[dict[str, str | None] | str]:
        records = self._records(part)
        if any(isinstance(where, str) for where in self.columns.values()):
            names = records.pop(0)
        else:  # no header says how many fields there are, but most lines do
            width = Counter(map(len, records)).most_common(1)[0][0]
            names = [str(position) for position in range(1, width + 1)]
        for fields in records:
            if len(fields) == len(names):
                yield {**dict(zip(names, fields, strict=True)), **part.folders}
            else:
                yield "missing field" if len(fields) < len(names) else "too many fields"

    def _records(self, part: Part) -> list[list[str]]:
        text = part.content.decode(self.encoding)
        if self.quotes and len(self.separator) == 1:
            return list(csv.reader(io.StringIO(text, newline=""), delimiter=self.separator))
        return [line.split(self.separator) for line in text.split("\n") if line]


def _json_rows(text: str) -> Iterator[dict[str, str | None] | str]:
    for line in text.lstrip("\ufeff").split("\n"):
        if not line:
            continue
        try:
            found = json.loads(line, parse_float=str, parse_int=str)
        except json.JSONDecodeError:
            yield "no object"
            continue
        if not isinstance(found, dict):
            yield "no object"
            continue
        yield {
            name: value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            for name, value in found.items()
        }


def _parquet_rows(content: bytes) -> Iterator[dict[str, str | None]]:
    """Numbers and texts as they are; moments in nanoseconds, so that nothing is rounded."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        path = Path(folder, "file.parquet")
        path.write_bytes(content)
        source = f"read_parquet('{path}', hive_partitioning = false)"
        types = connection.execute(f"SELECT column_name, column_type FROM (DESCRIBE FROM {source})").fetchall()
        chosen = [
            f"CASE WHEN {name} IS NULL THEN NULL ELSE 'ns' || epoch_ns({name}) END"
            if kind.startswith("TIMESTAMP")
            else f"CAST({name} AS VARCHAR)"
            for name, kind in ((f'"{name}"', kind) for name, kind in types)
        ]
        names = [name for name, _ in types]
        for row in connection.execute(f"SELECT {', '.join(chosen)} FROM {source}").fetchall():
            yield dict(zip(names, row, strict=True))


# -- values ------------------------------------------------------------------------------------------------------------

_WHOLE = re.compile(r"(-?[1-9][0-9]*|0)(\.0)?")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]*)?")
_SCIENTIFIC = re.compile(r"-?[0-9]\.([0-9]+)[eE]\+?([0-9]+)")
_ISO = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,9}))?)?(Z|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
)
_UNITS = (("s", 11, 10**9), ("ms", 14, 10**6), ("us", 17, 10**3), ("ns", 99, 1))
_LATEST = 253402300799
_ON_ANOTHER_CLOCK = -1
"""Stands for a number of another unit, which is out of range."""
_BILLION = 10**9


def id_kind(values: Sequence[str | None], setting: str, max_reject_share: float) -> Literal["integer", "text"]:
    if setting != "auto":
        return "text" if setting == "text" else "integer"
    given = [value for value in values if value]
    other = sum(_WHOLE.fullmatch(value) is None for value in given)
    if other <= max_reject_share * len(given):
        return "integer"
    if other > 0.1 * len(given):
        return "text"
    raise RefusedError(f"{other} of {len(given)} ids are no whole numbers")


def public_id(value: str | None, kind: str, name: str) -> int | str:
    """The id, or a `ValueError` with the reason."""
    if not value:
        raise ValueError(f"empty {name}")
    if kind == "text":
        if "\0" in value:
            raise ValueError(f"unparsable {name}")
        if len(value.encode()) > 200:
            raise ValueError(f"{name} longer than 200 bytes")
        return value
    value = value.strip()
    if not _WHOLE.fullmatch(value):
        raise ValueError(f"unparsable {name}")
    number = int(value.removesuffix(".0"))
    if not -(2**63) <= number < 2**63:
        raise ValueError(f"{name} beyond int64")
    return number


def _numeric_time(value: str) -> Decimal | None:
    scientific = _SCIENTIFIC.fullmatch(value)
    if _NUMBER.fullmatch(value) or (scientific and len(scientific[1]) >= int(scientific[2])):
        return Decimal(value)
    return None


def _berlin(moment: datetime) -> int:
    """Hours from UTC to the time in Berlin: summer time from the last Sunday of March to that of October."""

    def last_sunday(month: int) -> datetime:
        day = datetime(moment.year, month, 31)
        return day - timedelta(days=(day.weekday() + 1) % 7) + timedelta(hours=2)

    return 2 if last_sunday(3) <= moment < last_sunday(10) + timedelta(hours=1) else 1


_ZONES: Mapping[str, Callable[[datetime], float]] = {
    "UTC": lambda _: 0,
    "Asia/Kolkata": lambda _: 5.5,
    "Europe/Berlin": _berlin,
}


def _iso(value: str, zone: str) -> tuple[int, bool] | None:
    """Nanoseconds since 1970, and whether it is a date alone."""
    found = _ISO.fullmatch(value)
    if not found:
        return None
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    try:
        local = datetime(int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0))
    except ValueError:
        return None
    if hour is None:
        offset = "Z"
    if offset == "Z":
        hours = 0.0
    elif offset:
        sign = -1 if offset[0] == "-" else 1
        hours = sign * (int(offset[1:3]) + int(offset[3:].lstrip(":") or 0) / 60)
    else:
        hours = _ZONES[zone](local)
    seconds = int((local - datetime(1970, 1, 1)).total_seconds()) - round(hours * 3600)
    return seconds * _BILLION + int((fraction or "").ljust(9, "0")), hour is None


@dataclass(frozen=True)
class Clock:
    """How times are read: nanoseconds of a time, or None; and whether the order of the file counts on equal times."""

    read: Callable[[str], int | None]
    by_file: bool = False


def clock_of(values: Sequence[str | None], settings: PrepareSettings) -> Clock:
    given = [value.strip() for value in values if value and value.strip()]
    if given and all(value.startswith("ns") for value in given):  # moments of Parquet
        return Clock(lambda value: int(value[2:]) // 1000 * 1000)  # the order is that of microseconds
    if settings.time_format == "iso":
        return _iso_clock(given, settings)
    if "%" in settings.time_format:
        return _format_clock(settings)
    if settings.time_format == "auto" and given:
        days = sum(_day_in_digits(value) is not None for value in given)
        if days >= 0.99 * len(given):
            return Clock(_day_in_digits, by_file=True)
    numbers = {value: _numeric_time(value) for value in given}
    for unit, digits, ns in _UNITS:
        low = {"s": Decimal(0), "ms": Decimal(10) ** 11, "us": Decimal(10) ** 14, "ns": Decimal(10) ** 17}[unit]
        of_unit = sum((n := numbers[value]) is not None and low <= abs(n) < Decimal(10) ** digits for value in given)
        if settings.time_format == unit or (settings.time_format == "auto" and given and of_unit >= 0.99 * len(given)):
            return Clock(_reader_of_numbers(ns, low, digits, settings.time_format))
    if any(number is not None for number in numbers.values()) and settings.time_format == "auto":
        usable = sum(number is not None for number in numbers.values())
        if usable > 0.01 * len(given):
            raise RefusedError("the times are written in several ways")
    return _iso_clock(given, settings)


def _day_in_digits(value: str) -> int | None:
    """Nanoseconds of a day such as 20240131."""
    if not re.fullmatch(r"(?:19|20)\d{6}(?:\.0)?", value):
        return None
    try:
        day = datetime(int(value[:4]), int(value[4:6]), int(value[6:8]), tzinfo=UTC)
    except ValueError:
        return None
    return (day - datetime(1970, 1, 1, tzinfo=UTC)).days * 86_400 * _BILLION


def _reader_of_numbers(ns: int, low: Decimal, digits: int, setting: str) -> Callable[[str], int | None]:
    def read(value: str) -> int | None:
        number = _numeric_time(value)
        if number is None:
            return None
        if setting == "auto" and not low <= abs(number) < Decimal(10) ** digits:
            return _ON_ANOTHER_CLOCK
        return int((number * ns).to_integral_value(rounding="ROUND_FLOOR"))

    return read


def _iso_clock(given: Sequence[str], settings: PrepareSettings) -> Clock:
    read = [_iso(value, settings.timezone) for value in given]
    if sum(one is not None for one in read) < 0.99 * len(given):
        raise RefusedError("the times are written in no known way")
    dates = sum(one is not None and one[1] for one in read)

    def nanoseconds(value: str) -> int | None:
        found = _iso(value, settings.timezone)
        return None if found is None else found[0]

    return Clock(nanoseconds, by_file=dates >= 0.99 * len(given))


def _format_clock(settings: PrepareSettings) -> Clock:
    def read(value: str) -> int | None:
        try:
            local = datetime.strptime(value, settings.time_format)
        except ValueError:
            return None
        if local.tzinfo is None:
            hours = _ZONES[settings.timezone](local) if has_hours else 0
            local = local.replace(tzinfo=timezone(timedelta(hours=hours)))
        since = local - datetime(1970, 1, 1, tzinfo=UTC)
        return (since // timedelta(microseconds=1)) * 1000

    has_hours = any(code in settings.time_format for code in ("%H", "%I"))
    return Clock(read, by_file=not has_hours)


_WORDS: Mapping[str, float] = {
    **dict.fromkeys(("true", "up", "like", "thumbs up"), 1.0),
    **dict.fromkeys(("false", "down", "dislike", "thumbs down"), 0.0),
}


def _number(value: str | None) -> Decimal | None:
    if value is None:
        return None
    word = _WORDS.get(value.strip().lower())
    if word is not None:
        return Decimal(word)
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", value.strip()):
        return None
    try:
        return Decimal(value.strip())
    except InvalidOperation:
        return None


# -- scales ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scale:
    """Which ratings are valid, and which preference each has."""

    has: Callable[[Decimal], bool]
    cut_points: tuple[Decimal, Decimal, Decimal] | None
    unrated: Decimal | None = None

    def preference(self, rating: Decimal) -> int:
        if self.cut_points is None:
            return 1 if rating == 1 else -1
        return (-2, -1, 1, 2)[sum(rating > cut_point for cut_point in self.cut_points)]


def _cut(low: Decimal, high: Decimal) -> tuple[Decimal, Decimal, Decimal]:
    base = min(low, Decimal(0))
    first, second, third = (base + share * (high - base) for share in map(Decimal, ("0.5", "0.7", "0.9")))
    return first, second, third


def _within(low: float, high: float, *, above_low: bool = False) -> Callable[[Decimal], bool]:
    return lambda rating: low <= rating <= high and not (above_low and rating == low)


def scale_of(values: Iterable[Decimal], settings: PrepareSettings) -> Scale:
    ratings = list(values)
    unrated = None if settings.unrated is None else Decimal(str(settings.unrated))
    if settings.scale:
        low, high = (Decimal(str(end)) for end in settings.scale)
        found = Scale(lambda rating: low <= rating <= high, _cut(low, high), unrated)
    elif settings.max_rating:
        high = Decimal(str(settings.max_rating))
        found = Scale(lambda rating: 0 < rating <= high, _cut(Decimal(0), Decimal(5)), unrated)
    else:
        found = _recognized([rating for rating in ratings if rating != unrated], unrated)
    if settings.cut_points:
        first, second, third = (Decimal(str(cut_point)) for cut_point in settings.cut_points)
        return Scale(found.has, (first, second, third), found.unrated)
    return found


def _recognized(ratings: list[Decimal], unrated: Decimal | None) -> Scale:
    counts = Counter(ratings)
    total = len(ratings)

    def nearly_all(inside: Callable[[Decimal], bool]) -> list[Decimal]:
        """The different values inside, if they are of all but 1% of the rows."""
        kept = [value for value in counts if inside(value)]
        return kept if sum(counts[value] for value in kept) >= 0.99 * total and kept else []

    if sorted(nearly_all(lambda rating: rating in (-1, 1))) == [-1, 1]:
        return Scale(lambda rating: rating in (-1, 1), None, unrated)
    if sorted(nearly_all(lambda rating: rating in (0, 1))) == [0, 1]:
        return Scale(lambda rating: rating in (0, 1), None, unrated)
    if unrated is None and counts[Decimal(-1)] and len(counts) > 2:
        rest = [rating for rating in ratings if rating != -1]
        if sum(rating >= 0 for rating in rest) >= 0.99 * len(rest) and max(rest) > 1:
            return _recognized(rest, Decimal(-1))
    five = nearly_all(_within(0, 5, above_low=True))
    if len(five) > 1 and max(five) > 1:
        return Scale(_within(0, 5, above_low=True), _cut(Decimal(0), Decimal(5)), unrated)
    ten = nearly_all(_within(0, 10))
    if len(ten) > 1 and max(ten) >= 8:
        low = 0 if min(ten) < 1 else 1
        return Scale(_within(low, 10), _cut(Decimal(0), Decimal(10)), unrated)
    hundred = nearly_all(_within(0, 100))
    if len(hundred) > 1 and max(hundred) >= 80:
        return Scale(_within(0, 100), _cut(Decimal(0), Decimal(100)), unrated)
    both = nearly_all(_within(-10, 10))
    if both and min(both) < 0 and max(both) >= 8:
        return Scale(_within(-10, 10), _cut(Decimal(-10), Decimal(10)), unrated)
    raise RefusedError("the scale cannot be told")


# -- preparing ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Event:
    """An event with its exact place in time: nanoseconds, then the position in the file if that counts."""

    user: int | str
    movie: int | str
    rating: Decimal
    preference: int
    at: tuple[int, int]
    written: int


@dataclass(frozen=True)
class Expected:
    """The prepared rows in order, the catalogue, and what is no event."""

    splits: Mapping[str, list[tuple[Any, ...]]]
    movies: list[tuple[Any, ...]]
    rejects: Mapping[str, int]
    unrated: int


@dataclass(frozen=True)
class Amounts:
    """What a column of interactions counts."""

    durations: bool = False


NO_DURATIONS = Amounts()


def expected(
    ratings: Described, movies: Described | None, settings: PrepareSettings, amounts: Amounts = NO_DURATIONS
) -> Expected:
    """The exact result of prepare. Raises `RefusedError` if it should stop."""
    rejects: Counter[str] = Counter()
    rows: list[tuple[int, dict[str, str | None]]] = []
    for position, row in enumerate(ratings.rows()):
        if isinstance(row, str):
            rejects[row] += 1
        else:
            rows.append((position, row))

    def column(role: Role) -> list[str | None]:
        where = ratings.columns.get(role)
        return [None if where is None else row.get(str(where)) for _, row in rows]

    fields = {role: column(role) for role in ROLES}
    kinds = {
        "user": id_kind(fields["user"], settings.user_ids, settings.max_reject_share),
        "movie": id_kind(fields["movie"], settings.movie_ids, settings.max_reject_share),
    }
    catalogue = None if movies is None else _catalogue(movies, kinds["movie"], rejects)
    known = None if catalogue is None else {movie[0] for movie in catalogue}
    clock = Clock(lambda _: 0, by_file=True) if settings.no_time else clock_of(fields["time"], settings)
    numbers = [_number(value) for value in fields["rating"]]
    if settings.implicit:
        scale = Scale(lambda rating: rating > 0, None)
        if "rating" not in ratings.columns:
            numbers, fields["rating"] = [Decimal(1)] * len(rows), ["1"] * len(rows)
    else:
        scale = scale_of([number for number in numbers if number is not None], settings)

    events: list[Event] = []
    unrated = good = 0
    for index, (position, _) in enumerate(rows):
        user, movie, rating, time = (fields[role][index] for role in ROLES)
        try:
            user_id = public_id(user, kinds["user"], "userId")
            movie_id = public_id(movie, kinds["movie"], "movieId")
            number = _judged_rating(rating, numbers[index], scale)
            nanoseconds = 0 if settings.no_time else _judged_time(time, clock)
            if known is not None and movie_id not in known:
                raise ValueError("unknown movie")
        except ValueError as error:
            rejects[str(error)] += 1
            continue
        good += 1
        if number == scale.unrated:
            unrated += 1
            continue
        preference = 0 if settings.implicit else scale.preference(number)
        at = (nanoseconds, position if clock.by_file and settings.no_time != "random" else 0)
        written = good - 1 if settings.no_time else nanoseconds // _BILLION
        events.append(Event(user_id, movie_id, number, preference, at, written))

    share = settings.max_reject_share * (len(rows) + sum(rejects.values()))
    if sum(rejects.values()) > share:
        raise RefusedError("too many bad rows")
    standing = _merged(events, settings, amounts) if settings.implicit else _latest(events)
    core = _core(standing, settings)
    if catalogue is None:
        catalogue = [(one, str(one), None, [], None) for one in {event.movie for event in events}]
    return Expected(
        splits=_split(core, settings),
        movies=sorted(catalogue, key=lambda movie: order_of(movie[0])),
        rejects=dict(rejects),
        unrated=unrated,
    )


def order_of(public: int | str) -> int | bytes:
    """Ids ascend by value, or by their UTF-8 bytes."""
    return public.encode() if isinstance(public, str) else public


def _judged_rating(text: str | None, number: Decimal | None, scale: Scale) -> Decimal:
    if text is None or not text.strip():
        raise ValueError("empty rating")
    if number is None:
        raise ValueError("unparsable rating")
    if number != scale.unrated and not scale.has(number):
        raise ValueError("rating out of range")
    return number


def _judged_time(text: str | None, clock: Clock) -> int:
    if text is None or not text.strip():
        raise ValueError("empty timestamp")
    found = clock.read(text.strip())
    if found is None:
        raise ValueError("unparsable timestamp")
    if not 0 <= found // _BILLION <= _LATEST:
        raise ValueError("timestamp out of range")
    return found


def _latest(events: Iterable[Event]) -> list[Event]:
    """The same user and movie twice: the latest stands, on equal times the higher rating."""
    by_age = sorted(events, key=lambda event: (event.at, event.rating))
    return list({(event.user, event.movie): event for event in by_age}.values())


def _merged(events: Iterable[Event], settings: PrepareSettings, amounts: Amounts) -> list[Event]:
    """Interactions with the same movie as one like, a strong one from a sum on."""
    grouped: dict[tuple[int | str, int | str], list[Event]] = defaultdict(list)
    for event in events:
        grouped[event.user, event.movie].append(event)
    sums = {pair: sum((event.rating for event in group), Decimal(0)) for pair, group in grouped.items()}
    strong = Decimal(2)
    if settings.strong_from is not None:
        strong = Decimal(str(settings.strong_from))
    elif amounts.durations and sums:
        strong = 2 * statistics.median(sums.values())
    merged = []
    for pair, group in grouped.items():
        last = max(group, key=lambda event: event.at)
        merged.append(Event(*pair, sums[pair], 2 if sums[pair] >= strong else 1, last.at, last.written))
    return merged


def _core(events: list[Event], settings: PrepareSettings) -> list[Event]:
    while True:
        per_movie = Counter(event.movie for event in events)
        left = [event for event in events if per_movie[event.movie] >= settings.min_movie_ratings]
        per_user = Counter(event.user for event in left)
        left = [event for event in left if per_user[event.user] >= settings.min_user_ratings]
        if len(left) == len(events):
            if not left:
                raise RefusedError("nothing is left")
            return left
        events = left


def _split(events: Iterable[Event], settings: PrepareSettings) -> dict[str, list[tuple[Any, ...]]]:
    histories: dict[int | str, list[Event]] = defaultdict(list)
    for event in events:
        histories[event.user].append(event)

    def place(event: Event) -> tuple[Any, ...]:
        if settings.no_time == "random":
            dealt = f"{settings.random_seed}:{event.user}:{event.movie}"
            return (hashlib.md5(dealt.encode()).hexdigest(),)
        return (event.at, order_of(event.movie))

    splits: dict[str, list[tuple[Any, ...]]] = {name: [] for name in SPLITS}
    a, b, c = settings.split_ratio
    for user in sorted(histories, key=order_of):
        history = sorted(histories[user], key=place)
        n = len(history)
        train, val = (n, 0) if n < 3 else (n * a // (a + b + c), n * b // (a + b + c))
        for position, event in enumerate(history):
            name = "train" if position < train else "val" if position < train + val else "test"
            written = position if settings.no_time == "random" else event.written
            splits[name].append((event.user, event.movie, event.preference, written))
    return splits


# -- movies ------------------------------------------------------------------------------------------------------------


def _catalogue(movies: Described, kind: str, rejects: Counter[str]) -> list[tuple[Any, ...]]:
    """(id, title, year, genres, further columns or None) of each movie."""
    found: dict[int | str, tuple[Any, ...]] = {}
    own = set(movies.columns.values())
    for row in movies.rows():
        if isinstance(row, str):
            rejects[row] += 1
            continue

        def text(role: str, row: Mapping[str, str | None] = row) -> str:
            return (row.get(str(movies.columns.get(role, ""))) or "").strip()

        try:
            movie_id = public_id(row.get(str(movies.columns["id"])), kind, "movieId")
        except ValueError as error:
            rejects[str(error)] += 1
            continue
        if movie_id in found:
            rejects["duplicate movieId"] += 1
            continue
        title, year = text("title").replace("\n", " "), text("year")
        dated = re.fullmatch(r"(.*?)\s*\(([0-9]{4})\)", title)
        if dated:
            title, year = dated[1], year or dated[2]
        named = {name: value for name, value in row.items() if not name.isdecimal()}
        details = {name: value for name, value in named.items() if name not in own and value}
        found[movie_id] = (movie_id, title, int(year) if year else None, _genres(text("genres")), details or None)
    return list(found.values())


def _genres(text: str) -> list[str]:
    if text.startswith("["):
        try:
            listed = json.loads(text)
        except json.JSONDecodeError:  # as Python writes it
            listed = ast.literal_eval(text)
        return [one["name"] if isinstance(one, dict) else one for one in listed]
    if text in ("", "(no genres listed)"):
        return []
    separator = next((one for one in "|;," if one in text), "|")
    return [one.strip() for one in text.split(separator) if one.strip()]
