"""Finding the raw files of a data set, in any supported form, and describing them to the SQL that reads them."""

from __future__ import annotations

import csv
import re
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from mlrec.artifacts.checksums import checksum
from mlrec.dataset.archive import Archive
from mlrec.dataset.database import literal
from mlrec.dataset.look_alikes import refuse_impostor
from mlrec.dataset.text_files import Encoding, open_binary, readable, survey
from mlrec.errors import InputError, RawDataMissingError

Role = Literal["ratings", "movies", "links"]
Layout = Literal["delimited", "item", "parquet"]
AmountKind = Literal["count", "duration"]

CSV_COLUMNS: Mapping[Role, tuple[str, ...]] = {
    "ratings": ("user_id", "movie_id", "rating", "timestamp"),
    "movies": ("movie_id", "title", "genres"),
    "links": ("movie_id", "imdb_id", "tmdb_id"),
}
ITEM_WIDTH = 24
"""Number of fields in a line of u.item: 5 and the 19 genre flags."""

_READ_ERRORS = (OSError, EOFError, zlib.error)

# Families of files that belong together. In a folder, the first complete family counts.
_FAMILIES: tuple[Mapping[Role, tuple[str, ...]], ...] = (
    {
        "ratings": ("ratings.csv", "ratings.csv.gz", "ratings.parquet"),
        "movies": ("movies.csv", "movies.csv.gz", "movies.parquet"),
        "links": ("links.csv", "links.csv.gz", "links.parquet"),
    },
    {"ratings": ("ratings.dat", "ratings.dat.gz"), "movies": ("movies.dat", "movies.dat.gz")},
    {"ratings": ("u.data", "u.data.gz"), "movies": ("u.item", "u.item.gz")},
)


DATA_FILE_NAMES = frozenset(name for family in _FAMILIES for names in family.values() for name in names)
"""Names of the files in the raw folder that count as data."""


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
        For Parquet: mlrec's name of a column → its own name.
    names
        What was recognized: user, movie, rating and time → the file's own name of the column.
    skip_blanks
        Whether a blank follows every separator, which is then no part of the fields.
    quoted_start
        Whether the first rows have quotes.
    amount_kind
        For interactions: what the amounts in the column `rating` are. None if there is no such column.
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
    skip_blanks: bool = False
    quoted_start: bool = False
    amount_kind: AmountKind | None = None
    elsewhere: Elsewhere | None = None

    @property
    def bytes(self) -> int:
        """Its size."""
        return self.elsewhere.bytes if self.elsewhere else self.path.stat().st_size

    def sha256(self) -> str:
        """The hash of its content."""
        if self.elsewhere:
            return self.elsewhere.sha256()
        return checksum(self.path)

    @property
    def wanted(self) -> tuple[str, ...]:
        """The columns that mlrec uses."""
        return CSV_COLUMNS[self.role]

    @property
    def width(self) -> int:
        """Number of fields in a row."""
        return ITEM_WIDTH if self.layout == "item" else len(self.columns)

    @property
    def knows_quotes(self) -> bool:
        """Whether a double quote begins a field that may hold delimiters and line breaks."""
        return self.layout == "delimited" and self.delimiter == ","

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
        }

    def selected(self) -> str:
        """The columns of a ratings file as an SQL select list of texts. Without amounts, interactions count once."""
        return ", ".join(f"{self._selected(name)} AS {name}" for name in CSV_COLUMNS["ratings"])

    def _selected(self, name: str) -> str:
        if name not in self.columns:
            return "'1'" if name == "rating" else "CAST(NULL AS VARCHAR)"
        if self.layout != "parquet":
            return name
        own = 'raw."' + self.own_names.get(name, name).replace('"', '""') + '"'
        return f"CAST({own} AS VARCHAR)" if name == "rating" else f"field_text({own})"


@dataclass(frozen=True)
class RawSource:
    """The raw files of one data set.

    Attributes
    ----------
    ratings, movies, links
        The files; `movies` and `links` may be None.
    left_out
        Why an optional file cannot be used.
    """

    ratings: RawFile
    movies: RawFile | None
    links: RawFile | None
    left_out: tuple[InputError, ...] = ()

    @property
    def files(self) -> tuple[RawFile, ...]:
        """All files, ratings first."""
        return tuple(file for file in (self.ratings, self.movies, self.links) if file)


def is_remote(raw: str) -> bool:
    """Whether a place is given as a URL, for Spark to read, rather than as a path."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", raw) is not None


def find_source(raw: Path, scratch: Path) -> RawSource:
    """Find the data set in a folder.

    Files directly in the folder take precedence over those in its subfolders and zip archives. Members of an archive
    are unpacked into `scratch`.

    Parameters
    ----------
    raw
        A folder, or a zip archive.
    scratch
        An existing folder for unpacked files.

    Raises
    ------
    RawDataMissingError
        If there is no complete data set.
    InputError
        If there are several, or a file's header lacks a column.
    """
    if not raw.exists():
        raise RawDataMissingError(
            f"{raw} does not exist.",
            "Start with the demo data: mlrec run demo. Or put your ratings there and run: mlrec run",
        )
    if raw.is_file():
        candidates = _in_archive(raw)
    elif found := _in_folder(raw):
        candidates = found
    else:
        candidates = [
            found
            for entry in sorted(raw.iterdir())
            if not entry.name.startswith(".")
            for found in (_in_folder(entry) if entry.is_dir() else _in_archive(entry))
        ]
        # An archive beside the folder it was unpacked to is the same data set, not a second one.
        folders = {candidate.place.name for candidate in candidates if candidate.place.is_dir()}
        candidates = [found for found in candidates if found.place.is_dir() or found.place.stem not in folders]
    if not candidates:
        raise RawDataMissingError(
            f"{raw} does not contain ratings with their movies.",
            "It should contain movies.csv and ratings.csv, or the files or the zip of a MovieLens edition."
            " The demo data: mlrec run demo",
        )
    if len(candidates) > 1:
        places = ", ".join(candidate.name for candidate in candidates)
        raise InputError(
            f"{raw} contains more than one data set: {places}.",
            "Choose one of them with --raw, or move the others away.",
        )
    return candidates[0].open(raw, scratch)


@dataclass(frozen=True)
class _Candidate:
    """A complete family of files in a folder or an archive, not yet opened."""

    place: Path
    members: Mapping[Role, str]

    @property
    def name(self) -> str:
        """Name of the place in messages."""
        inside = PurePosixPath(self.members["ratings"]).parent
        return self.place.name if self.place.is_dir() or inside == PurePosixPath() else f"{self.place.name}:{inside}"

    def open(self, raw: Path, scratch: Path) -> RawSource:
        if not self.place.is_dir():
            with Archive(self.place) as archive:
                archive.require_room(self.members.values(), scratch)
        return opened_source(
            {role: partial(self._open_member, role, member, raw, scratch) for role, member in self.members.items()}
        )

    def _open_member(self, role: Role, member: str, raw: Path, scratch: Path) -> RawFile:
        if self.place.is_dir():
            path = self.place / member
            return examined(role, path, str(path.relative_to(raw)))
        path = scratch / PurePosixPath(member).name
        with Archive(self.place) as archive:
            archive.unpack({member: path})
        return examined(role, path, f"{self.place.name}:{member}")


def opened_source(openers: Mapping[Role, Callable[[], RawFile]]) -> RawSource:
    """Open the files of a data set. Links are optional: if they cannot be used, the reason goes to `left_out`."""
    files: dict[Role, RawFile] = {}
    left_out: list[InputError] = []
    for role, open_file in openers.items():
        try:
            files[role] = open_file()
        except InputError as error:
            if role != "links":
                raise
            left_out.append(error)
    return RawSource(files["ratings"], files["movies"], files.get("links"), tuple(left_out))


def choose(names: Iterable[str]) -> Mapping[Role, str] | None:
    """The files of the first complete family among these names, by role; None if no family is complete."""
    available = {PurePosixPath(name).name: name for name in names}
    for family in _FAMILIES:
        chosen = {
            role: available[next(filter(available.__contains__, options))]
            for role, options in family.items()
            if any(option in available for option in options)
        }
        if "ratings" in chosen and "movies" in chosen:
            return chosen
    return None


def _in_folder(folder: Path) -> list[_Candidate]:
    chosen = choose(entry.name for entry in folder.iterdir() if entry.is_file())
    return [_Candidate(folder, chosen)] if chosen else []


def _in_archive(path: Path) -> list[_Candidate]:
    """The data sets in a zip archive: those in its outermost folder, or folders of equal depth, that have one."""
    if path.suffix.lower() != ".zip":
        return []
    with Archive(path, str(path)) as archive:
        names = archive.names()
    folders: dict[PurePosixPath, list[str]] = {}
    for name in names:
        folders.setdefault(PurePosixPath(name).parent, []).append(name)
    complete = {folder: chosen for folder, members in folders.items() if (chosen := choose(members))}
    outermost = min((len(folder.parts) for folder in complete), default=0)
    return [_Candidate(path, chosen) for folder, chosen in complete.items() if len(folder.parts) == outermost]


def examined(role: Role, path: Path, label: str) -> RawFile:
    """Find out how a file of one of the known names is to be read."""
    refuse_impostor(path, label)
    name = path.name.removesuffix(".gz")
    if name.endswith(".parquet"):
        return RawFile(role, path, label, "parquet", columns=CSV_COLUMNS[role])
    # The encoding of ratings is determined while they are read.
    encoding = survey(path, label).encoding if role != "ratings" else "utf-8"
    if name == "u.item":
        return RawFile(role, path, label, "item", "|", encoding, columns=CSV_COLUMNS[role])
    if name == "u.data" or name.endswith(".dat"):
        delimiter = "\t" if name == "u.data" else "::"
        return RawFile(role, path, label, "delimited", delimiter, encoding, columns=CSV_COLUMNS[role])
    return RawFile(role, path, label, "delimited", ",", encoding, header_lines=1, columns=_header(role, path, label))


def _header(role: Role, path: Path, label: str) -> tuple[str, ...]:
    """Columns of a CSV file, from its first line; userId and user_id count as the same name."""
    with readable(label), open_binary(path) as file:
        beginning = file.read(1 << 16).decode("utf-8-sig", errors="replace")
    first_line = re.split(r"[\r\n]", beginning, maxsplit=1)[0].strip()
    try:
        found = next(csv.reader([first_line]), [])
    except csv.Error as error:
        raise InputError(f"{label}, line 1: this is not a valid line of CSV: {error}.", "Check the file.") from error
    known = {name.replace("_", ""): name for name in CSV_COLUMNS[role]}
    columns = tuple(known.get(name.strip().lower().replace("_", ""), name.strip()) for name in found)
    missing = [name for name in CSV_COLUMNS[role] if name not in columns]
    if missing:
        camel = {"user_id": "userId", "movie_id": "movieId", "imdb_id": "imdbId", "tmdb_id": "tmdbId"}
        wanted = ",".join(camel.get(name, name) for name in CSV_COLUMNS[role])
        raise InputError(
            f"{label}, line 1: the header lacks {', '.join(camel.get(name, name) for name in missing)}.",
            f"The first line should be {wanted}",
        )
    duplicate = next((name for name in columns if name in CSV_COLUMNS[role] and columns.count(name) > 1), None)
    if duplicate:
        raise InputError(f"{label}, line 1: the header names {duplicate} twice.", "Give each column a different name.")
    return columns
