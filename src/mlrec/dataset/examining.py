"""Finding out from the beginning of a raw file how it is to be read: encoding, separator, header and columns."""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from mlrec.dataset import columns
from mlrec.dataset.columns import OPTION_NAMES, Line, Recognized
from mlrec.dataset.compression import opened
from mlrec.dataset.database import connect, literal
from mlrec.dataset.look_alikes import look_alike_of, refuse_pointer
from mlrec.dataset.sources import CSV_COLUMNS, Layout, RawFile, Role
from mlrec.dataset.sql_steps import first_line
from mlrec.dataset.text_files import survey
from mlrec.dataset.unpacking import rewritten, unpacked
from mlrec.errors import InputError, shown
from mlrec.progress import SILENT, Progress
from mlrec.settings import PrepareSettings
from mlrec.untrusted_text import for_terminal

_BEGINNING = 1 << 16
_SEPARATORS = ("::", "\t", ";", "|", ",")
_SEPARATOR_NAMES: Mapping[str, str] = {"\t": "tab", " ": "a space"}
_SAMPLE_LINES = 20
# UTF-32 comes first: in its little-endian form it begins as UTF-16 does.
_MARKS: Mapping[bytes, str] = {
    codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32", codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16", codecs.BOM_UTF8: "utf-8-sig",
}  # fmt: skip
_ENCODING_NAMES: Mapping[str, str] = {"utf-16": "UTF-16", "utf-32": "UTF-32"}


@dataclass(frozen=True)
class Examiner:
    """Examines the raw files of one preparation.

    Attributes
    ----------
    settings
        What the user says about the files.
    scratch
        An existing folder for copies.
    progress
        Reports the bytes of copies.
    """

    settings: PrepareSettings
    scratch: Path
    progress: Progress = SILENT

    def examined(
        self,
        role: Role,
        path: Path,
        label: str,
        *,
        name: str = "",
        further: Sequence[str] = (),
        movie_name: str | None = None,
        is_whole: bool = True,
    ) -> RawFile:
        """Find out how a file is to be read.

        Parameters
        ----------
        role
            What it contains.
        path
            The file.
        label
            Its name in messages.
        name
            Its own name, if that of the path is another. MovieLens' files without a header are known by name.
        further
            Names of columns that will be appended to each row.
        movie_name
            The name of the movies' column in the ratings file.
        is_whole
            False if the path has only the beginning of the file, of which no copy can be made.

        Raises
        ------
        InputError
            If the file cannot be used.
        """
        readable_path = self._readable(role, path, label, is_whole=is_whole)
        start = _beginning(readable_path, label)
        given = () if readable_path == path else (path,)
        if start.startswith(b"PAR1"):
            names = parquet_columns(readable_path, label)
            nested = nested_columns(names)
            found = self.parquet(
                role, readable_path, label, [*names], further=further, nested=nested, movie_name=movie_name
            )
            return replace(found, given=given)
        file = self._text(role, readable_path, label, name or path.name, start, tuple(further), movie_name, is_whole)
        return replace(file, given=() if file.path == path else (path,))

    def parquet(
        self,
        role: Role,
        path: Path,
        label: str,
        names: Sequence[str],
        *,
        further: Sequence[str] = (),
        nested: Collection[str] = (),
        movie_name: str | None = None,
    ) -> RawFile:
        """Describe a Parquet file with columns of these names, of which the nested ones hold objects or lists."""
        found = columns.recognized(role, [*names, *further], Line(label), self.settings, movie_name)
        file = _with_columns(RawFile(role, path, label, "parquet"), found, [*names, *further])
        _refuse_nested(file, nested)
        return file

    def _readable(self, role: Role, path: Path, label: str, *, is_whole: bool) -> Path:
        """The file, or a copy without its compression."""
        refuse_pointer(path, label)
        return unpacked(path, self.scratch / role, label, self.progress) if is_whole else path

    # -- text ----------------------------------------------------------------------------------------------------------

    def _text(
        self,
        role: Role,
        path: Path,
        label: str,
        name: str,
        start: bytes,
        further: tuple[str, ...],
        movie_name: str | None,
        is_whole: bool,
    ) -> RawFile:
        """Describe a text file."""
        own = self.settings.encoding
        marked = next((encoding for mark, encoding in _MARKS.items() if start.startswith(mark)), None)
        foreign = _codec(own) if own else marked if marked in _ENCODING_NAMES else None
        text = _decoded(start, foreign or marked, label, own)
        lines = _lines(text, is_cut=len(start) == _BEGINNING)
        comments = _leading_comments(lines)
        if foreign or comments:
            if not is_whole:
                raise InputError(
                    f"{label} cannot be read with Spark: it is not in UTF-8, or has comments.",
                    "Copy the file to this machine, or convert it.",
                )
            path = rewritten(
                path, self.scratch / role, label, foreign, without_comments=comments > 0, progress=self.progress
            )
        # The encoding of ratings is determined while they are read.
        encoding = survey(path, label).encoding if role != "ratings" and is_whole else "utf-8"
        unusual = (own or _ENCODING_NAMES[foreign],) if foreign else ()
        file = RawFile(role, path, label, "delimited", encoding=encoding, unusual=unusual)
        objects = _objects(lines)
        if not objects and re.search(r"\.(json|jsonl|ndjson)\b", name.lower()) and lines[0].lstrip()[:1] in ("{", "["):
            raise InputError(
                f"{label}, line 1 is not an object of JSON: {shown(lines[0])}.",
                "Write one object per line, such as: jq -c '.[]' FILE",
            )
        if not objects and (alike := look_alike_of(text.encode(errors="replace") if foreign else start)):
            raise InputError(f"{label} is not a data file: it is {alike.what}.", alike.hint)
        if movielens := _movielens_form(role, name, lines, self.settings):
            layout, delimiter = movielens
            return replace(
                file,
                layout=layout,
                delimiter=delimiter,
                quotes=False,
                columns=CSV_COLUMNS[role],
                headers=tuple(columns.MOVIELENS_NAMES[one] for one in CSV_COLUMNS[role]),
                names=_role_names(role, {one: columns.MOVIELENS_NAMES[one] for one in CSV_COLUMNS[role]}),
            )
        if objects:
            return self._json(file, lines, objects, further, movie_name)
        return self._delimited(file, lines, further, movie_name)

    def _json(
        self,
        file: RawFile,
        lines: list[str],
        objects: list[Mapping[str, Any]],
        further: tuple[str, ...],
        movie_name: str | None,
    ) -> RawFile:
        """Describe a file with an object of JSON in each line. Keys may be missing in some."""
        names = [*dict.fromkeys(key for one in objects for key in one), *further]
        line = Line(f"{file.label}, line 1", lines[0])
        found = columns.recognized(file.role, names, line, self.settings, movie_name)
        file = replace(file, layout="json", quotes=False, unusual=(*file.unusual, "JSON lines"))
        file = _with_columns(file, found, names)
        plain = {key for one in objects for key, value in one.items() if not isinstance(value, dict | list)}
        _refuse_nested(file, set(names).difference(plain, further))
        return file

    def _delimited(self, file: RawFile, lines: list[str], further: tuple[str, ...], movie_name: str | None) -> RawFile:
        """Describe a file with separated fields."""
        place = 0
        separator = _spelled(self.settings.separator)
        if lines and (declared := re.fullmatch(r'"?sep=([^"]{1,2}?)"?,*', lines[0].strip("\r\n"), re.IGNORECASE)):
            separator = separator or _spelled(declared[1])
            place = 1
        while place < len(lines) and (lines[place].startswith("#") or not lines[place].strip()):
            place += 1
        place = min(place, len(lines) - 1)  # of a file without any other line
        text = lines[place]
        if "\0" in text:
            raise InputError(
                f"{file.label}, line {place + 1} has NUL characters: {shown(text)}.",
                "Convert it to CSV in UTF-8."
                if file.role == "recommendations"
                else "If it is text in UTF-16, add --encoding utf-16-le. If it is not text, convert it to CSV.",
            )
        line = Line(f"{file.label}, line {place + 1}", text)
        sample = [one for one in lines[place : place + _SAMPLE_LINES] if one.strip() and not one.startswith("#")]
        if file.role == "ratings" and columns.is_by_position(self.settings):
            separator = separator or self._separator_of_rows(sample, line)
            names = _fields(text, separator, line)
            found = columns.by_position(len(names) + len(further), line, self.settings)
            headers = [*(f"column {number + 1}" for number in range(len(names))), *further]
            described = self._described(file, found, headers, separator, lines, place, skip_blanks=False)
            return replace(described, own_names={})
        separator = separator or self._separator_of_header(file.role, text, line, movie_name)
        skip_blanks = len(separator) == 1 and separator.isprintable() and _has_blanks(text, separator)
        names = [name.strip() for name in _fields(text, separator, line, skip_blanks=skip_blanks)]
        names = [*names, *further]
        found = columns.recognized(file.role, names, line, self.settings, movie_name)
        return self._described(file, found, names, separator, lines, place + 1, skip_blanks=skip_blanks)

    def _described(
        self,
        file: RawFile,
        found: Recognized,
        headers: Sequence[str],
        separator: str,
        lines: list[str],
        header_lines: int,
        *,
        skip_blanks: bool,
    ) -> RawFile:
        unusual = () if separator == "," else (f"separated by {_SEPARATOR_NAMES.get(separator, separator)}",)
        file = replace(
            file,
            delimiter=separator,
            header_lines=header_lines,
            quotes=len(separator) == 1,
            skip_blanks=skip_blanks,
            quoted_start=any('"' in line for line in lines[header_lines:]),
            unusual=(*file.unusual, *unusual),
        )
        return _with_columns(file, found, headers)

    def _separator_of_header(self, role: Role, text: str, line: Line, movie_name: str | None) -> str:
        """The separator with which the header has the most of the needed columns, or else the most fields."""

        def fitness(separator: str) -> tuple[int, int]:
            names = [name.strip() for name in _fields(text, separator, line)]
            return columns.likeness(role, names, self.settings, movie_name), len(names)

        return max(reversed(_SEPARATORS), key=fitness)

    def _separator_of_rows(self, sample: list[str], line: Line) -> str:
        """The separator that splits rows without a header into equally many fields, enough for all columns."""
        needed = max(int(position) for _, position in self.settings.columns)
        widths = {separator: {len(_fields(one, separator, line)) for one in sample} for separator in _SEPARATORS}
        fitting = [separator for separator, found in widths.items() if len(found) == 1 and max(found) >= max(needed, 2)]
        if len(fitting) == 1:
            return fitting[0]
        if not fitting:
            blanks = {len(one.split(" ")) for one in sample}
            if len(blanks) == 1 and max(blanks) >= max(needed, 2):
                return " "
            return max(reversed(_SEPARATORS), key=lambda separator: len(_fields(line.text or "", separator, line)))
        ways = " or ".join(f"{shown(_SEPARATOR_NAMES.get(one, one))} ({max(widths[one])} fields)" for one in fitting)
        raise InputError(
            f"{line.place}: the fields could be separated by {ways}. The line is {shown(line.text)}.",
            f"Choose one: --separator '{fitting[0]}'",
        )


def parquet_columns(path: Path, label: str) -> dict[str, str]:
    """Names and SQL types of the columns of a Parquet file."""
    import duckdb

    try:
        with connect() as connection:
            described = connection.execute(
                "DESCRIBE SELECT * FROM read_parquet($path, hive_partitioning = false)", {"path": literal(path)}
            ).fetchall()
    except (duckdb.Error, UnicodeDecodeError) as error:
        raise InputError(f"{label} cannot be read: {first_line(error)}", "Check the file, or get it again.") from error
    return {name: kind for name, kind, *_ in described}


def nested_columns(kinds: Mapping[str, str]) -> frozenset[str]:
    """The columns that hold objects or lists, by the SQL type of each column."""
    return frozenset(name for name, kind in kinds.items() if kind.startswith(("STRUCT", "MAP")) or kind.endswith("]"))


def _refuse_nested(file: RawFile, nested: Collection[str]) -> None:
    """Raise InputError if a column of ratings that mlrec uses is among these, which hold objects or lists."""
    if file.role != "ratings":
        return
    for name, own in file.own_names.items():
        if own in nested:
            raise InputError(
                f"{file.label}: {for_terminal(own)[:60]} holds objects or lists, not the {OPTION_NAMES[name]} itself.",
                "Put the value into a column of its own first. With JSON lines, for example:"
                " jq -c '.movie = .movie.id' FILE > NEW",
            )


def _with_columns(file: RawFile, found: Recognized, headers: Sequence[str]) -> RawFile:
    return replace(
        file,
        columns=found.columns,
        own_names=found.names,
        names=_role_names(file.role, found.names),
        headers=tuple(headers),
        amount_kind=found.amount_kind,
    )


def _role_names(role: Role, names: Mapping[str, str]) -> dict[str, str]:
    """The recognized names as they are shown."""
    words = OPTION_NAMES if role == "ratings" else {"movie_id": "movie"}
    return {words.get(name, name): own for name, own in names.items()}


def _beginning(path: Path, label: str) -> bytes:
    with opened(path, label) as file:
        return file.read(_BEGINNING)


def _codec(encoding: str) -> str:
    """Python's name of an encoding that the user has named."""
    try:
        name = codecs.lookup(encoding).name
        "".encode(name)
    except (LookupError, ValueError):
        raise InputError(
            f"{shown(encoding)} is not an encoding.", "Use a name such as --encoding windows-1252 or utf-16."
        ) from None
    return "utf-8-sig" if name == "utf-8" else name


def _decoded(start: bytes, codec: str | None, label: str, named: str | None) -> str:
    """The beginning of a text file; in an older encoding, only its accents are wrong."""
    try:
        return codecs.getincrementaldecoder(codec or "utf-8")().decode(start)
    except UnicodeError as error:
        if named:
            raise InputError(
                f"{label} is not text in {named}: {error}.", "Use another --encoding, or none to have it recognized."
            ) from error
        return start.decode("latin-1")


def _lines(text: str, *, is_cut: bool) -> list[str]:
    """The lines of a beginning. The last one, which may be cut, counts only if it is the only one."""
    lines = re.split(r"\r\n|\r|\n", text.removeprefix("\ufeff"))
    return lines[:-1] if len(lines) > 1 and (is_cut or not lines[-1]) else lines


def _leading_comments(lines: Iterable[str]) -> int:
    count = 0
    for line in lines:
        if not line.startswith("#"):
            break
        count += 1
    return count


class _Form(NamedTuple):
    layout: Layout
    delimiter: str


def _movielens_form(role: Role, name: str, lines: list[str], settings: PrepareSettings) -> _Form | None:
    """How a file of MovieLens without a header is read; None if it is none of these."""
    stem = name.lower()
    for ending in (".gz", ".bz2", ".xz", ".zst"):
        stem = stem.removesuffix(ending)
    if role == "ratings" and settings.columns:
        return None
    if stem == "u.item" and role == "movies":
        return _Form("item", "|")
    if stem == "u.data" and role == "ratings":
        return _Form("delimited", "\t")
    if stem.endswith(".dat") and role in ("ratings", "movies"):
        if any(line.strip() for line in lines) and not any("::" in line for line in lines):
            return None
        first = next((line for line in lines if line.strip()), "")
        has_header = any(
            columns.likeness(role, [one.strip() for one in first.split(separator)], settings, None)
            == len(columns.required(role, settings))
            for separator in _SEPARATORS
        )
        return None if has_header else _Form("delimited", "::")
    return None


def _objects(lines: list[str]) -> list[Mapping[str, Any]]:
    """The objects in lines of JSON; empty if the first line has none."""
    found: list[Mapping[str, Any]] = []
    for number, line in enumerate(lines):
        try:
            value = json.loads(line) if line.lstrip().startswith("{") else None
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, dict) and value:
            found.append(value)
        elif number == 0:
            return []
    return found


def _spelled(separator: str | None) -> str | None:
    """The separator that a user means: a tab may be written as a backslash and a t."""
    return "\t" if separator == "\\t" else separator


def _fields(text: str, separator: str, line: Line, *, skip_blanks: bool = False) -> list[str]:
    """Split a line."""
    if len(separator) > 1:
        return text.split(separator)
    try:
        return next(csv.reader([text], delimiter=separator, skipinitialspace=skip_blanks), [])
    except csv.Error as error:
        raise InputError(f"{line.place}: this is not a valid line of CSV: {error}.", "Check the file.") from error


def _has_blanks(text: str, separator: str) -> bool:
    """Whether a blank follows every separator of the header."""
    _, *after = text.split(separator)
    return bool(after) and all(field.startswith(" ") for field in after)
