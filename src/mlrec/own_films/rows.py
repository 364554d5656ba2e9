"""What an export says, row by row, whichever service wrote it; and reading its CSV files."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Literal

from mlrec.errors import InputError
from mlrec.own_films.matching import Film

Service = Literal["letterboxd", "imdb", "trakt", "netflix"]
Says = Literal["rating", "like", "seen", "nothing"]
"""What a row says of a film: a rating, a like without a rating, that it was seen, or nothing (a watchlist)."""

SERVICES: dict[Service, str] = {"letterboxd": "Letterboxd", "imdb": "IMDb", "trakt": "Trakt", "netflix": "Netflix"}
"""The services as they write themselves."""

LARGEST_FILE = 64 << 20
"""Bytes of a file of an export. The largest that people have is a few megabytes."""
_MOST_ROWS = 500_000
_LONGEST_FIELD = 100_000
SHOWN = 300
"""Characters of a row that messages and reports show."""
_SEPARATORS = (",", ";", "\t")


@dataclass(frozen=True)
class FilmRow:
    """A row about a film.

    Attributes
    ----------
    service
        Who wrote the export.
    file, line
        Where the row is, for people. The line counts from 1; of a JSON file, it is the number of the entry.
    text
        The row as it is in the file, shortened.
    film
        The film.
    key
        What tells the film from others of the same export: an id or address, if there is one.
    says
        What the row says of it.
    stars
        The rating on the scale of five stars, above 0. None without a rating.
    at
        When, in epoch seconds; None if the row has no date.
    """

    service: Service
    file: str
    line: int
    text: str
    film: Film
    key: str
    says: Says
    stars: float | None
    at: int | None


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be used, and why; attributes as in `FilmRow`."""

    file: str
    line: int
    text: str
    film: Film
    reason: str


Rows = list[FilmRow | BadRow]


@dataclass(frozen=True)
class CsvRow:
    """A row of a CSV file: its fields by the name of the column, in lower case."""

    line: int
    text: str
    fields: dict[str, str]
    is_whole: bool

    def __getitem__(self, column: str) -> str:
        """Return a field without spaces around it; "" if the file has no such column."""
        return self.fields.get(column, "").strip()


@dataclass(frozen=True)
class CsvFile:
    """A CSV file of an export.

    Attributes
    ----------
    label
        Its name for people.
    columns
        Names of the columns in lower case.
    rows
        The rows below the header, without blank ones.
    """

    label: str
    columns: tuple[str, ...]
    rows: list[CsvRow]

    def has(self, *columns: str) -> bool:
        """Whether the file has all these columns."""
        return set(columns) <= set(self.columns)


def decoded(content: bytes, label: str) -> str:
    """Return the content of a text file in UTF-8, UTF-16 or Windows-1252.

    Raises
    ------
    InputError
        If the file is not text.
    """
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = content.decode("utf-16", errors="replace")
    else:
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = content.decode("cp1252", errors="replace")  # older exports, and what spreadsheets save
    if "\0" in text:
        raise InputError(f"{label} is not a text file: it has NUL bytes.", "Pass the export as it was downloaded.")
    return text


def read_csv(content: bytes, label: str) -> CsvFile:
    """Read a CSV file with a header. The separator is a comma, a semicolon or a tab, as in the header.

    Raises
    ------
    InputError
        If the file is not text, or not CSV.
    """
    text = decoded(content, label)
    first = text.lstrip("\r\n").partition("\n")[0]
    separator = max(_SEPARATORS, key=first.count)
    before = csv.field_size_limit(_LONGEST_FIELD)
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        columns: tuple[str, ...] = ()
        rows: list[CsvRow] = []
        for number, fields in _numbered(reader):
            if not any(field.strip() for field in fields):
                continue
            if not columns:
                columns = tuple(field.strip().lower() for field in fields)
                continue
            if len(rows) == _MOST_ROWS:
                raise InputError(f"{label} has over {_MOST_ROWS:,} rows.", "Pass the export of one person.")
            named = {name: field for name, field in zip_longest(columns, fields, fillvalue="") if name}
            rows.append(CsvRow(number, separator.join(fields)[:SHOWN], named, len(fields) == len(columns)))
        return CsvFile(label, columns, rows)
    except csv.Error as error:
        raise InputError(f"{label} is not a CSV file: {error}.", "Pass the export as it was downloaded.") from error
    finally:
        csv.field_size_limit(before)


def _numbered(reader: Any) -> Iterator[tuple[int, list[str]]]:
    """Rows, each with the number of the line that it begins on."""
    line = 1
    for fields in reader:
        yield line, fields
        line = reader.line_num + 1


_YEAR = re.compile(r"(1[89]\d\d|20\d\d)(?:\.0)?")
_IMDB = re.compile(r"(?:tt)?0*(\d{1,10})")


def year_of(text: str) -> int | None:
    """Return a year, or None if the text is none."""
    match = _YEAR.fullmatch(text.strip())
    return int(match[1]) if match else None


def imdb_id_of(text: str) -> str | None:
    """Return an id at IMDb in its usual form, such as "tt0114709"; None if the text is none."""
    match = _IMDB.fullmatch(text.strip().lower())
    return f"tt{int(match[1]):07d}" if match and int(match[1]) else None


def stars_of(text: str, *, of: float) -> float | None:
    """Return a rating on the scale of five stars; None if the text is no rating above 0 and up to `of`."""
    try:
        value = float(text.strip().replace(",", "."))
    except ValueError:
        return None
    return value * 5 / of if 0 < value <= of else None
