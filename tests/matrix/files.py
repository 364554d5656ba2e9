"""Writing one table of events as a raw data set of any form.

`write` takes a `Form`, which names one value of every factor in `FACTORS`, and returns a `Raw`: what prepare is called
with, and how an independent reader (`oracle.py`) is to read the same bytes.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import hashlib
import io
import json
import lzma
import random
import tarfile
import uuid
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Literal

import duckdb

from mlrec.settings import PrepareSettings
from tests.matrix.events import N_MOVIES, N_UNSEEN, Event
from tests.matrix.oracle import NO_DURATIONS, Amounts, Described, Part
from tests.matrix.pairwise import cover

FACTORS: Mapping[str, Sequence[str]] = {
    "users": ("integer", "uuid", "firebase", "email", "numberlike"),
    "movies": ("integer", "isbn", "slug", "phrase"),
    "naming": ("movielens", "snake", "anime", "books", "headerless", "extra", "shuffled"),
    "separator": ("comma", "tab", "semicolon", "pipe", "colons", "n/a"),
    "quoting": ("none", "all", "minimal", "n/a"),
    "encoding": ("utf-8", "utf-8-bom", "utf-16", "windows-1252", "latin-1", "n/a"),
    "clock": (
        "s", "ms", "us", "ns", "fraction", "scientific", "iso-z", "iso-offset", "iso-local", "date", "ymd", "strptime",
        "parquet-ms", "parquet-us", "parquet-ns", "parquet-zone", "parquet-date", "no-time-file", "no-time-random",
    ),
    "scale": (
        "halves", "1-5", "1-10", "0-10", "0-100", "both-ways", "thumbs", "bits", "unrated", "1-7", "implicit", "counts",
    ),
    "container": (
        "csv", "gz", "bz2", "xz", "zst", "zip", "tar.gz", "parts", "hive", "glob", "jsonl", "parquet", "kaggle",
        "capitals", "named", "alone",
    ),
    "rows": ("clean", "bad"),
}  # fmt: skip
"""Every factor, and its values; `n/a` are of files that are no text with separators."""

_SEPARATORS = {"comma": ",", "tab": "\t", "semicolon": ";", "pipe": "|", "colons": "::"}
_ENCODINGS = {"utf-8-bom": "utf-8-sig", "windows-1252": "cp1252"}
_BILLION = 10**9
_TYPED_CLOCKS = {
    "parquet-ms": "TIMESTAMP_MS", "parquet-us": "TIMESTAMP", "parquet-ns": "TIMESTAMP_NS",
    "parquet-zone": "TIMESTAMPTZ", "parquet-date": "DATE",
}  # fmt: skip
_TEXT_CLOCKS = ("fraction", "scientific", "iso-z", "iso-offset", "iso-local", "date", "strptime")


@dataclass(frozen=True)
class Form:
    """One value of each factor."""

    users: str = "integer"
    movies: str = "integer"
    naming: str = "movielens"
    separator: str = "comma"
    quoting: str = "minimal"
    encoding: str = "utf-8"
    clock: str = "s"
    scale: str = "halves"
    container: str = "csv"
    rows: str = "clean"

    def __str__(self) -> str:
        return "-".join(value.replace("-", "") for value in vars(self).values() if value != "n/a")


def allowed(case: Mapping[str, str]) -> bool:
    """Whether values can meet in one file; some factors may still be open."""
    container, text = case.get("container"), ("separator", "quoting")
    if container in ("jsonl", "parquet"):
        if any(case.get(name, "n/a") != "n/a" for name in text) or case.get("naming") == "headerless":
            return False
        encodings = ("n/a",) if container == "parquet" else ("utf-8", "utf-8-bom")
        if case.get("encoding", encodings[0]) not in encodings:
            return False
    elif container and "n/a" in (case.get(name) for name in (*text, "encoding")):
        return False
    if len({case[name] == "n/a" for name in text if name in case}) > 1:
        return False
    if case.get("clock") in _TYPED_CLOCKS and (
        case.get("container", "parquet") != "parquet" or case.get("naming") == "headerless"
        or any(case.get(name, "n/a") != "n/a" for name in (*text, "encoding"))
    ):  # fmt: skip
        return False
    if case.get("encoding") == "n/a" and (
        case.get("container", "parquet") != "parquet" or case.get("naming") == "headerless"
        or any(case.get(name, "n/a") != "n/a" for name in text)
    ):  # fmt: skip
        return False
    if "n/a" in (case.get(name) for name in text) and (
        case.get("container", "parquet") not in ("jsonl", "parquet")
        or case.get("naming") == "headerless"
        or case.get("encoding") in ("utf-16", "windows-1252", "latin-1")
    ):
        return False
    # Between two colons there is no quoting; a phrase contains what has to be quoted.
    if case.get("separator") == "colons" and case.get("quoting", "none") != "none":
        return False
    return not (case.get("movies") == "phrase" and (case.get("quoting") == "none" or case.get("separator") == "colons"))


@dataclass(frozen=True)
class Raw:
    """A written data set: how prepare is called, and how its files are to be read."""

    call: Mapping[str, Any]
    settings: Mapping[str, Any]
    ratings: Described
    movies: Described | None
    amounts: Amounts = NO_DURATIONS
    needs_zstd: bool = False

    def prepare_settings(self, **more: Any) -> PrepareSettings:
        return PrepareSettings(**{"min_user_ratings": 3, "min_movie_ratings": 4, **self.settings, **more})


# -- ids ---------------------------------------------------------------------------------------------------------------

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def user_id(kind: str, number: int) -> str:
    match kind:
        case "integer":
            return str((number * 37) % 61 + 1)
        case "uuid":
            return str(uuid.uuid5(uuid.NAMESPACE_OID, str(number)))
        case "firebase":
            digest = hashlib.sha256(f"user {number}".encode()).digest()
            return "".join(_DIGITS[byte % 62] for byte in digest[:28])
        case "email":
            return f"{'Zoë' if number % 3 else 'ann'}.{number}+films@example.org".lower()
        case _:
            return (f"1_{number}", f"0x{number:X}", f"{number}e3", f" {number}", f"00{number}")[number % 5]


def movie_id(kind: str, number: int, encoding: str) -> str:
    match kind:
        case "integer":
            return str((number * 31) % 43 * 3 + 1)
        case "isbn":
            digits = f"{number * 7919 % 10**8:08d}"
            return f"0{digits}X" if number % 2 else f"{number % 3}{digits}{number % 10}"
        case "slug":
            names = ("amélie", "naïve-café", "über") if _is_western(encoding) else ("amélie", "天空の城", "🎬-film")
            return f"{names[number % 3]}-{number}"
        case _:
            return (f"Life, the Universe; and {number}", f'The "{number}" | x', f"plain {number}")[number % 3]


def _is_western(encoding: str) -> bool:
    return encoding in ("windows-1252", "latin-1")


# -- times -------------------------------------------------------------------------------------------------------------


def written_time(clock: str, at: int) -> str:
    """A time as the clock shows it; what is finer than the clock is lost."""
    seconds, rest = divmod(at, _BILLION)
    moment = datetime.fromtimestamp(seconds, UTC)
    fraction = f"{rest // 1000:06d}"
    match clock:
        case "s" | "no-time-file" | "no-time-random":
            return str(seconds)
        case "ms":
            return str(at // 10**6)
        case "us":
            return str(at // 10**3)
        case "ns":
            return str(at)
        case "fraction":
            return f"{seconds}.{fraction}"
        case "scientific":
            return f"{str(seconds)[0]}.{str(seconds)[1:]}e{len(str(seconds)) - 1}"
        case "iso-z":
            return f"{moment:%Y-%m-%dT%H:%M:%S}.{fraction}Z" if rest else f"{moment:%Y-%m-%dT%H:%M:%SZ}"
        case "iso-offset":
            local = moment + timedelta(hours=5, minutes=30)
            return f"{local:%Y-%m-%dT%H:%M:%S}.{fraction[:3]}+05:30"
        case "iso-local":
            local = moment + timedelta(hours=2)  # summer in Berlin
            return f"{local:%Y-%m-%d %H:%M:%S}"
        case "date" | "parquet-date":
            return f"{moment:%Y-%m-%d}"
        case "ymd":
            return f"{moment:%Y%m%d}"
        case "strptime":
            return f"{moment:%d/%m/%Y %H:%M}"
        case _:
            return f"{moment:%Y-%m-%d %H:%M:%S}.{rest:09d}{'+00' if clock == 'parquet-zone' else ''}"


_CLOCK_SETTINGS: Mapping[str, Mapping[str, str]] = {
    "iso-local": {"timezone": "Europe/Berlin"},
    "strptime": {"time_format": "%d/%m/%Y %H:%M"},
    "no-time-file": {"no_time": "file"},
    "no-time-random": {"no_time": "random"},
}

# -- scales ------------------------------------------------------------------------------------------------------------

_SCALES: Mapping[str, Sequence[str]] = {
    "halves": ("0.5", "1.0", "1.5", "2.0", "2.5", "3.0", "3.5", "4.0", "4.5", "5.0"),
    "1-5": ("1", "1", "2", "2", "3", "3", "4", "4", "5", "5"),
    "1-10": tuple(str(level + 1) for level in range(10)),
    "0-10": ("0", "1", "2", "3", "5", "6", "7", "8", "9", "10"),
    "0-100": ("0", "10", "25", "50", "50.5", "70", "71", "90", "91", "100"),
    "both-ways": ("-10", "-4.85", "-0.01", "0", "0.01", "4", "4.13", "8", "8.01", "10"),
    "thumbs": ("-1", "-1", "-1", "1", "1", "1", "1", "1", "1", "1"),
    "bits": ("0", "0", "0", "1", "1", "1", "1", "1", "1", "1"),
    "unrated": ("-1", "-1", "2", "3", "5", "6", "7", "8", "9", "10"),
    "1-7": ("1", "2", "3", "3.5", "4", "4.9", "5", "6", "6.3", "7"),
    "counts": ("1", "1", "1", "1", "1", "1", "1", "2", "3", "17"),
}
_SCALE_SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "1-7": {"scale": (1.0, 7.0)},
    "implicit": {"implicit": True},
    "counts": {"implicit": True},
}

# -- columns -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Naming:
    """Names of the columns of ratings and movies, in order. What has no role is a further column."""

    ratings: Sequence[str]
    user: str
    movie: str
    rating: str
    amount: str
    time: str
    movies: Sequence[str] = ("movieId", "title", "genres")
    id: str = "movieId"
    title: str = "title"
    genres: str = "genres"
    year: str | None = None
    genre_separator: str = "|"


_PLAIN = ("user", "movie", "rating", "time")
NAMINGS: Mapping[str, Naming] = {
    "movielens": Naming(_PLAIN, "userId", "movieId", "rating", "count", "timestamp"),
    "snake": Naming(
        _PLAIN, "user_id", "item_id", "score", "play_count", "created_at",
        ("item_id", "title", "release_year", "genres"), "item_id", year="release_year", genre_separator=", ",
    ),
    "anime": Naming(
        _PLAIN, "uid", "anime_id", "score", "views", "date",
        ("anime_id", "name", "genre", "type", "episodes", "rating"), "anime_id", "name", "genre", genre_separator=", ",
    ),
    "books": Naming(
        _PLAIN, "User-ID", "ISBN", "Book-Rating", "Quantity", "Date",
        ("ISBN", "Book-Title", "Book-Author", "Year-Of-Publication", "Publisher"), "ISBN", "Book-Title", "",
        "Year-Of-Publication",
    ),
    "headerless": Naming(_PLAIN, "1", "2", "3", "3", "4"),
    "extra": Naming(
        ("country", "user", "comment", "movie", "rating", "device", "time"),
        "Customer ID", "Product.ID", "STARS", "Plays", "Watched At",
        ("id", "tagline", "original_title", "categories"), "id", "original_title", "categories", genre_separator="json",
    ),
    "shuffled": Naming(
        ("time", "rating", "movie", "user"), "member_id", "film", "value", "times", "ts",
        ("genres", "title", "film"), "film", genre_separator=";",
    ),
}  # fmt: skip
"""No name of one role may also be one of another."""

_COMMENTS = ("good", "so, so; or | not", 'the "best"', "one\nline, and another", "")


def _rating_row(columns: Iterable[str], values: Mapping[str, str], number: int, *, plain: bool) -> list[str]:
    notes = {
        "country": ("DE", "IN", "US")[number % 3],
        "comment": "fine" if plain else _COMMENTS[number % len(_COMMENTS)],
        "device": "tv",
    }
    return [{**notes, **values}[name] for name in columns]


def _columns(naming: Naming, form: Form) -> dict[str, str]:
    """The file's names by our names of its columns; a column may be missing."""
    names = {name: name for name in ("country", "comment", "device")}
    names |= {"user": naming.user, "movie": naming.movie, "time": naming.time}
    names["rating"] = naming.amount if form.scale == "counts" else naming.rating
    left_out = {"rating"} if form.scale == "implicit" else set()
    if form.clock.startswith("no-time"):
        left_out |= {"time"}
    return {name: names[name] for name in naming.ratings if name not in left_out}


# -- rows --------------------------------------------------------------------------------------------------------------


def _rows(form: Form, events: Sequence[Event]) -> list[dict[str, str]]:
    """The good rows: a text for each role."""
    scale = _SCALES.get(form.scale, ("1",) * 10)
    return [
        {
            "user": user_id(form.users, event.user),
            "movie": movie_id(form.movies, event.movie, form.encoding),
            "rating": scale[event.level],
            "time": written_time(form.clock, event.at),
        }
        for event in events
    ]


def _bad_rows(form: Form, good: Mapping[str, str]) -> list[dict[str, str]]:
    """Rows with one fault each, as far as such a file can have it. All of them are less than 1% of the rows."""
    typed = form.container == "parquet"
    bad = [{**good, "user": ""}]
    if form.users == "integer" and not typed:
        bad.append({**good, "user": "12x"})
    if form.users not in ("integer", "email"):
        bad.append({**good, "user": "é" * 101})
    if form.container != "alone" and not (typed and form.movies == "integer"):
        bad.append({**good, "movie": "999999" if form.movies == "integer" else "nowhere"})
    if form.scale not in ("implicit", "counts"):
        bad.append({**good, "rating": "5555"})
    if form.scale == "counts":
        bad.append({**good, "rating": "0"})
    if form.scale != "implicit" and not typed:
        bad.append({**good, "rating": "abc"})
    if form.clock in ("s", "iso-z") and not typed:
        bad.append({**good, "time": "soon"})
    return bad[:6]


def _movie_rows(form: Form, naming: Naming, separator: str) -> list[dict[str, str]]:
    quoted = form.quoting in ("all", "minimal", "n/a")
    joiner = naming.genre_separator
    if not quoted and (joiner == "json" or joiner.strip() == separator):
        joiner = "|" if separator != "|" else ","
    accent = "’é" if form.encoding == "windows-1252" else "é" if form.encoding == "latin-1" else "é夜"
    rows = []
    for number in range(N_MOVIES + N_UNSEEN):
        genres = [("Drama",), ("Comedy", "Sci-Fi"), ("Children's", "Film-Noir", "War")][number % 3]
        if joiner == "json":
            genres_text = json.dumps([{"id": 1, "name": genre} for genre in genres])
        else:
            genres_text = joiner.join(genres)
        title = f"Movie {number} {accent}"
        if quoted and number % 4 == 1:
            title = f'"Great" Movie, The; or | {number}'
        if quoted and number % 7 == 2 and form.container != "jsonl":
            title = f"Movie {number}\nthe second line"
        row = {
            "id": movie_id(form.movies, number, form.encoding),
            "title": title if naming.year else f"{title} ({1950 + number})",
            "year": str(1950 + number),
            "genres": genres_text,
        }
        own = {naming.id: "id", naming.title: "title", naming.genres: "genres", naming.year: "year"}
        rows.append({name: row[own[name]] if name in own else f"{name} of {number} {accent}" for name in naming.movies})
    return rows


# -- text --------------------------------------------------------------------------------------------------------------


def encoded(form: Form, text: str) -> bytes:
    return text.encode(_ENCODINGS.get(form.encoding, form.encoding))


def _text(form: Form, rows: Iterable[Sequence[str]]) -> str:
    separator = _SEPARATORS[form.separator]
    if form.quoting == "none":
        return "".join(separator.join(row) + "\n" for row in rows)
    text = io.StringIO()
    how: Literal[0, 1] = csv.QUOTE_ALL if form.quoting == "all" else csv.QUOTE_MINIMAL
    csv.writer(text, delimiter=separator, quoting=how, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _json_lines(rows: Iterable[Mapping[str, str]], numbers: Iterable[str]) -> str:
    """Objects; of some columns the values are numbers if they look like some."""
    numeric = set(numbers)

    def value(name: str, text: str) -> str:
        return text if name in numeric and _is_json_number(text) else json.dumps(text, ensure_ascii=False)

    return "".join(
        "{" + ", ".join(f"{json.dumps(name)}: {value(name, text)}" for name, text in row.items()) + "}\n"
        for row in rows
    )


def _is_json_number(text: str) -> bool:
    try:
        return type(json.loads(text)) in (int, float)
    except ValueError:
        return False


def parquet(path: Path, rows: Sequence[Mapping[str, str]], types: Mapping[str, str]) -> bytes:
    """A Parquet file; an empty text is a missing value."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        selected = ", ".join(
            f'CAST(unnest(${position}) AS {types[name]}) AS "{name}"' for position, name in enumerate(types, 1)
        )
        columns = [[row[name] if row[name] != "" else None for row in rows] for name in types]
        connection.execute(f"CREATE TABLE file AS SELECT {selected}", columns)
        connection.execute(f"COPY file TO '{path}' (FORMAT parquet)")
    return path.read_bytes()


# -- containers --------------------------------------------------------------------------------------------------------


def zstd(data: bytes) -> bytes:
    """A frame of Zstandard with blocks that are not compressed (RFC 8878), for which no library is needed."""
    blocks = [data[start : start + (1 << 16)] for start in range(0, len(data), 1 << 16)] or [b""]
    frame = [b"\x28\xb5\x2f\xfd", b"\xa0", len(data).to_bytes(4, "little")]
    for number, block in enumerate(blocks):
        header = len(block) << 3 | (number == len(blocks) - 1)
        frame += [header.to_bytes(3, "little"), block]
    return b"".join(frame)


def zip_of(files: Mapping[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return content.getvalue()


def tar_of(files: Mapping[str, bytes], mode: Literal["w", "w:gz", "w:bz2", "w:xz"] = "w:gz") -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode=mode) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return content.getvalue()


_COMPRESSED: Mapping[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zst": zstd,
}  # fmt: skip


def put(root: Path, files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _ending(form: Form) -> str:
    return {"tab": "tsv", "pipe": "txt"}.get(form.separator, "csv")


# -- the whole ---------------------------------------------------------------------------------------------------------


def write(form: Form, events: Sequence[Event], root: Path, *, seed: int = 0) -> Raw:
    """Write a data set into a folder, and describe it."""
    naming = NAMINGS[form.naming]
    columns = _columns(naming, form)
    rows = _rows(form, events)
    chance = random.Random(seed)
    bad = _bad_rows(form, rows[0]) if form.rows == "bad" else []
    for row in bad:
        rows.insert(chance.randrange(1, len(rows)), row)

    header = None if form.naming == "headerless" else list(columns.values())
    width = len(columns)
    positions = {name: position for position, name in enumerate(columns, 1)}
    roles: dict[str, str | int] = {
        role: columns[role] if header else positions[role] for role in _PLAIN if role in columns
    }
    plain = form.quoting == "none"
    lists = [_rating_row(columns, row, number, plain=plain) for number, row in enumerate(rows)]
    if form.rows == "bad" and form.container not in ("jsonl", "parquet") and width > 2:
        lists.insert(chance.randrange(1, len(lists)), lists[0][:-1])

    settings = {**_CLOCK_SETTINGS.get(form.clock, {}), **_SCALE_SETTINGS.get(form.scale, {})}
    if header is None:
        settings["columns"] = tuple((role, str(where)) for role, where in roles.items())
    movie_form = replace(form, quoting="minimal") if form.quoting == "n/a" else form
    separator = _SEPARATORS.get(form.separator, "")
    movies_table = _movie_rows(movie_form, naming, separator)
    movie_roles: dict[str, str | int] = {
        role: name
        for role, name in (("id", naming.id), ("title", naming.title), ("genres", naming.genres), ("year", naming.year))
        if name
    }
    writer = _Writer(form, root, header, lists, columns, roles, naming, movies_table, movie_roles)
    return writer.write(settings)


@dataclass(frozen=True)
class _Writer:
    """The rows as lists, on their way into files."""

    form: Form
    root: Path
    header: list[str] | None
    lists: list[list[str]]
    columns: Mapping[str, str]
    roles: Mapping[str, str | int]
    naming: Naming
    movies: list[dict[str, str]]
    movie_roles: Mapping[str, str | int]

    def write(self, settings: Mapping[str, Any]) -> Raw:
        ratings, movies = self._ratings_files(), self._movies_file()
        call = self._put(ratings, movies)
        text = self.form.container not in ("jsonl", "parquet")
        form: Literal["text", "json", "parquet"] = (
            "text" if text else "json" if self.form.container == "jsonl" else "parquet"
        )
        how = {
            "form": form,
            "encoding": _ENCODINGS.get(self.form.encoding, self.form.encoding),
            "separator": _SEPARATORS.get(self.form.separator, ","),
            "quotes": self.form.separator != "colons",
        }
        return Raw(
            call=call,
            settings=settings,
            ratings=Described(tuple(ratings.values()), self.roles, **how),  # type: ignore[arg-type]
            movies=None if movies is None else Described((Part(movies),), self.movie_roles, **how),  # type: ignore[arg-type]
            needs_zstd=self.form.container == "zst",
        )

    def _ratings_files(self) -> dict[str, Part]:
        """The contents by name, in the order of names."""
        form = self.form
        if form.container == "jsonl":
            rows = [dict(zip(self.columns.values(), fields, strict=True)) for fields in self.lists]
            numbers = [self.columns[name] for name in self.columns if self._is_number(name)]
            return {"ratings.jsonl": Part(encoded(form, _json_lines(rows, numbers)))}
        if form.container == "parquet":
            types = {own: self._type(name) for name, own in self.columns.items()}
            rows = [dict(zip(types, fields, strict=True)) for fields in self.lists]
            return {"ratings.parquet": Part(parquet(self.root / "made" / "ratings.parquet", rows, types))}
        head = [self.header] if self.header else []
        if form.container not in ("parts", "hive", "glob"):
            return {f"ratings.{_ending(form)}": Part(encoded(form, _text(form, [*head, *self.lists])))}
        third = len(self.lists) // 3
        blocks = [self.lists[:third], self.lists[third : 2 * third], self.lists[2 * third :]]
        names = [
            f"year=200{number}/month={number + 1}/part-0.{_ending(form)}"
            if form.container == "hive"
            else f"part-0000{number}.{_ending(form)}"
            for number in range(3)
        ]
        return {
            name: Part(
                encoded(form, _text(form, [*head, *block])),
                {"year": name[5:9], "month": name[16]} if form.container == "hive" else {},
            )
            for name, block in zip(names, blocks, strict=True)
        }

    def _is_number(self, name: str) -> bool:
        return (
            (name == "user" and self.form.users == "integer")
            or (name == "movie" and self.form.movies == "integer")
            or name == "rating"
            or (name == "time" and self.form.clock in ("s", "ms", "us", "ns", "fraction", "scientific"))
        )

    def _type(self, name: str) -> str:
        if name == "time":
            return _TYPED_CLOCKS.get(self.form.clock, "VARCHAR" if self.form.clock in _TEXT_CLOCKS else "BIGINT")
        if name == "rating":
            return "INTEGER" if self.form.scale == "counts" else "DOUBLE"
        return "BIGINT" if self._is_number(name) else "VARCHAR"

    def _movies_file(self) -> bytes | None:
        form = self.form
        if form.container == "alone":
            return None
        if form.container == "jsonl":
            integer = [self.naming.id] if form.movies == "integer" else []
            return encoded(form, _json_lines(self.movies, integer))
        if form.container == "parquet":
            types = {
                name: "BIGINT" if name == self.naming.id and form.movies == "integer" else "VARCHAR"
                for name in self.naming.movies
            }
            return parquet(self.root / "made" / "movies.parquet", self.movies, types)
        return encoded(form, _text(form, [self.naming.movies, *(list(row.values()) for row in self.movies)]))

    def _put(self, ratings: Mapping[str, Part], movies: bytes | None) -> dict[str, Any]:
        """Write the files, and return how prepare finds them."""
        form, raw = self.form, self.root / "raw"
        ending = next(iter(ratings)).rsplit(".", 1)[1]
        contents = {name: part.content for name, part in ratings.items()}
        both = contents if movies is None else {**contents, f"movies.{ending}": movies}
        match form.container:
            case "gz" | "bz2" | "xz" | "zst":
                compress = _COMPRESSED[form.container]
                put(raw, {f"{name}.{form.container}": compress(data) for name, data in both.items()})
            case "zip":
                put(self.root, {"raw.zip": zip_of({f"set/{name}": data for name, data in both.items()})})
                return {"raw": self.root / "raw.zip"}
            case "tar.gz":
                put(self.root, {"raw.tar.gz": tar_of({f"set/{name}": data for name, data in both.items()})})
                return {"raw": self.root / "raw.tar.gz"}
            case "parts" | "hive":
                put(raw / "ratings", contents | {"_SUCCESS": b"", ".part.crc": b"crc"})
                put(raw, {f"movies.{ending}": movies or b""})
            case "glob":
                put(self.root / "logs", contents)
                put(self.root, {f"films.{ending}": movies or b""})
                return {"ratings": f"{self.root / 'logs'}/*.{ending}", "movies": self.root / f"films.{ending}"}
            case "kaggle":
                put(
                    raw,
                    {name.replace("ratings", "rating").replace("movies", "movie"): data for name, data in both.items()},
                )
            case "capitals":
                put(raw, {name.upper() if "rating" in name else name.capitalize(): data for name, data in both.items()})
            case "named":
                put(
                    self.root / "export",
                    {"what people said.log": contents[f"ratings.{ending}"], "films": movies or b""},
                )
                return {
                    "ratings": self.root / "export" / "what people said.log",
                    "movies": str(self.root / "export" / "films"),
                }
            case _:
                put(raw, both)
        return {"raw": raw}


@cache
def forms() -> tuple[Form, ...]:
    """Forms of which some have every two values that can meet."""
    return tuple(Form(**case) for case in cover(FACTORS, allowed))
