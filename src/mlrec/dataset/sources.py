"""What a raw file is, and how it is described to the SQL that reads it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from mlrec.artifacts.checksums import checksum
from mlrec.dataset.database import literal, quoted_name, quoted_text
from mlrec.dataset.text_files import Encoding
from mlrec.errors import InputError
from mlrec.ids import IdKind

Role = Literal["ratings", "movies", "links", "recommendations"]
Layout = Literal["delimited", "item", "json", "parquet"]
AmountKind = Literal["count", "duration"]

CSV_COLUMNS: Mapping[Role, tuple[str, ...]] = {
    "ratings": ("user_id", "movie_id", "rating", "timestamp"),
    "movies": ("movie_id", "title", "genres"),
    "links": ("movie_id", "imdb_id", "tmdb_id"),
    "recommendations": ("user_id", "movie_id", "rank", "score"),
}
# How columns of Parquet files become text, other than by the macro field_text.
_AS_TEXT: Mapping[str, str] = {"rating": "CAST", "score": "CAST", "genres": "genres_text"}
MOVIE_COLUMNS = (*CSV_COLUMNS["movies"], "year")
"""What mlrec makes use of in a file of movies."""
ITEM_WIDTH = 24
"""Number of fields in a line of u.item: 5 and the 19 genre flags."""


class Piece(NamedTuple):
    """Where the lines of one part begin in a file that was joined from several.

    Attributes
    ----------
    first_line
        Number of the first line in the joined file, from 1.
    label
        The part's name in messages.
    first_line_in_piece
        Number of that line in the part itself.
    """

    first_line: int
    label: str
    first_line_in_piece: int


def is_remote(raw: str) -> bool:
    """Whether a place is given as a URL, for Spark to read, rather than as a path."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", raw) is not None


@dataclass(frozen=True)
class Elsewhere:
    """A file on a file system that only Spark can read.

    Attributes
    ----------
    uri
        The URI that Spark reads it by.
    bytes
        Its size.
    sha256
        Computes the hash of its content.
    """

    uri: str
    bytes: int
    sha256: Callable[[], str]


@dataclass(frozen=True)
class RawFile:
    """One raw file, ready to be read.

    Attributes
    ----------
    role
        What it contains.
    path
        Where it is read from. For a member of a zip, this is the unpacked copy.
    label
        Its name in messages.
    layout
        Which SQL reader reads it.
    delimiter, encoding
        For text files.
    header_lines
        Number of lines before the first row.
    columns
        The columns in the order of the file. Names that mlrec does not use are kept unchanged.
    own_names
        For Parquet and JSON: mlrec's name of a column → its own name.
    names
        What was recognized: user, movie, rating and time → the file's own name of the column.
    headers
        The own names of all columns, in the order of the file.
    quotes
        Whether a double quote may begin a field, which then may have separators and line breaks.
    skip_blanks
        Whether a blank follows every separator, which is then no part of the fields.
    quoted_start
        Whether the first rows have quotes.
    id_kinds
        For a data frame: user and movie → what the type of the column makes its ids. Empty for files.
    amount_kind
        For interactions: what the amounts in the column `rating` are. None if there is no such column.
    unusual
        What is worth telling about the file, such as an encoding or a separator.
    pieces
        The parts of a file that was joined from several.
    given
        The files that the user gave, if `path` is a copy of their content.
    elsewhere
        Where the whole file is, if `path` holds only its beginning.
    """

    role: Role
    path: Path
    label: str
    layout: Layout
    delimiter: str = ","
    encoding: Encoding = "utf-8"
    header_lines: int = 0
    columns: tuple[str, ...] = ()
    own_names: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    headers: tuple[str, ...] = ()
    quotes: bool = True
    skip_blanks: bool = False
    quoted_start: bool = False
    id_kinds: Mapping[str, IdKind] = field(default_factory=dict)
    amount_kind: AmountKind | None = None
    unusual: tuple[str, ...] = ()
    pieces: tuple[Piece, ...] = ()
    given: tuple[Path, ...] = ()
    elsewhere: Elsewhere | None = None

    @property
    def bytes(self) -> int:
        """The size of what the user gave."""
        return self.elsewhere.bytes if self.elsewhere else sum(path.stat().st_size for path in self._origin)

    def sha256(self) -> str:
        """The hash of what the user gave. That of part files is the hash of their hashes and folders, in order."""
        if self.elsewhere:
            return self.elsewhere.sha256()
        if not self.pieces:
            return checksum(self._origin[0])
        # Folders such as year=2024 are columns of the rows.
        parts = [[checksum(path), *(name for name in path.parts[:-1] if "=" in name)] for path in self._origin]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    @property
    def _origin(self) -> tuple[Path, ...]:
        return self.given or (self.path,)

    @property
    def wanted(self) -> tuple[str, ...]:
        """The columns that mlrec uses, of those that the file has."""
        return tuple(name for name in CSV_COLUMNS[self.role] if name in self.columns)

    @property
    def width(self) -> int:
        """Number of fields in a row."""
        return ITEM_WIDTH if self.layout == "item" else len(self.columns)

    @property
    def knows_quotes(self) -> bool:
        """Whether a double quote begins a field that may hold delimiters and line breaks."""
        return self.layout == "delimited" and self.quotes and len(self.delimiter) == 1

    def for_sql(self) -> dict[str, Any]:
        """Describe the file as the value of the SQL variable `<role>_file`."""
        return {
            "path": literal(self.path),
            "label": self.label,
            "delimiter": self.delimiter,
            "quote": '"' if self.knows_quotes and self.quoted_start else "",
            "skip_blanks": self.skip_blanks,
            "header_lines": self.header_lines,
            "width": self.width,
            # 0 stands for a column that the file lacks.
            "fields": {
                name: self.columns.index(name) + 1 if name in self.columns else 0 for name in CSV_COLUMNS[self.role]
            },
            "columns": {
                name if name in self.wanted else f"unused_{position}": "VARCHAR"
                for position, name in enumerate(self.columns)
            },
            "numbers": {name: "VARCHAR" if name == "rating" else "BIGINT" for name in self.columns},
        }

    def selected(self) -> str:
        """The columns that mlrec uses as an SQL select list. Of ratings, all are texts; interactions count once."""
        names = MOVIE_COLUMNS if self.role == "movies" else CSV_COLUMNS[self.role]
        selected = [f"{self._selected(name)} AS {name}" for name in names]
        if self.role == "movies":
            selected.append(f"{self._details()} AS details")
        return ", ".join(selected)

    def _selected(self, name: str) -> str:
        if name not in self.columns:
            return "'1'" if name == "rating" else "CAST(NULL AS VARCHAR)"
        if self.role == "ratings" and self.layout == "delimited":
            return name
        field = self._at(self.columns.index(name), _AS_TEXT.get(name, "field_text"))
        return f"trim({field})" if self.role == "links" and name != "movie_id" else field

    def _details(self) -> str:
        """The further columns of movies, as the text of a JSON object; NULL if all are empty."""
        used = {*MOVIE_COLUMNS, ""}
        names: dict[str, int] = {}
        for place, name in enumerate(self.columns):
            if name not in used and (own := self._header(place)):
                names.setdefault(own, place)
        entries = ", ".join(f"{{'k': {quoted_text(own)}, 'v': {self._at(place)}}}" for own, place in names.items())
        return f"details_of([{entries}])" if entries else "CAST(NULL AS VARCHAR)"

    def _at(self, place: int, as_text: str = "field_text") -> str:
        """A column in SQL. That of a Parquet file becomes text by a macro or a cast."""
        if self.layout == "delimited":
            field = f"fields[{place + 1}]"
            return f"ltrim({field})" if self.skip_blanks else field
        own = self._header(place)
        if self.layout == "json":
            pointer = "/" + own.replace("~", "~0").replace("/", "~1")
            return f"json_extract_string(document, {quoted_text(pointer)})"
        column = f"raw.{quoted_name(own)}"
        return f"CAST({column} AS VARCHAR)" if as_text == "CAST" else f"{as_text}({column})"

    def _header(self, place: int) -> str:
        name = self.columns[place]
        return self.headers[place] if self.headers else self.own_names.get(name, name)


@dataclass(frozen=True)
class RawSource:
    """The raw files of one data set.

    Attributes
    ----------
    ratings, movies, links
        The files; `movies` and `links` may be None.
    left_out
        Why an optional file cannot be used.
    notes
        What the user should know about files that were not taken.
    """

    ratings: RawFile
    movies: RawFile | None
    links: RawFile | None
    left_out: tuple[InputError, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[RawFile, ...]:
        """All files, ratings first."""
        return tuple(file for file in (self.ratings, self.movies, self.links) if file)
