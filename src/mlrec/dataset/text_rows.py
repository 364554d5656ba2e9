"""The records of raw text files, split where Python's `csv` module splits them.

Only CSV has quoting; in the files of other editions, a quote is a character of the title. A quoted field may contain
commas, doubled quotes and line breaks. A quote that is never closed spoils only its own line: that line has no fields,
unless tabs separate them, and reading goes on with the next line. Lines without quotes are left whole, for the caller
to split into fields.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from mlrec.dataset.text_files import Encoding, line_blocks

if TYPE_CHECKING:
    from mlrec.dataset.sources import RawFile

# The longest record, in lines. Without a limit, a forgotten quote would swallow the rest of the file.
_MOST_LINES = 100


class Record(NamedTuple):
    """A line of a text file, or several lines joined by a quoted field.

    Attributes
    ----------
    line
        Number of the first line, from 1.
    text
        The line, or the lines joined with LF.
    quoted
        The fields of a record with quotes; empty if a quote is not closed. None for a line without quotes.
    """

    line: int
    text: str
    quoted: list[str] | None


class LineBlock(NamedTuple):
    """Consecutive lines of a text file, none of which has quotes; `first` is the number of the first line."""

    first: int
    lines: list[str]


def record_blocks(file: RawFile, encoding: Encoding) -> Iterator[LineBlock | list[Record]]:
    """Yield the records of a text file in blocks of some thousands, without header lines but with blank lines.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    to_skip = file.header_lines
    number = 1 + to_skip
    held: list[str] = []
    for lines in chain(line_blocks(file.path, file.label, encoding), [None]):
        pending = held + (lines or [])
        if to_skip:
            pending, to_skip = pending[to_skip:], max(to_skip - len(pending), 0)
        if file.knows_quotes and any('"' in line for line in pending):
            records, read = _records(pending, number, file, is_end=lines is None)
            yield records
        else:
            read = len(pending)
            yield LineBlock(number, pending)
        held = pending[read:]
        number += read


def has_records_over_lines(file: RawFile, encoding: Encoding) -> bool:
    """Whether a record of a CSV file spans several lines. A quote that is never closed does not count."""
    return any(
        "\n" in record.text
        for block in record_blocks(file, encoding)
        if not isinstance(block, LineBlock)
        for record in block
    )


def _records(lines: list[str], first: int, file: RawFile, *, is_end: bool) -> tuple[list[Record], int]:
    """The records that end within the given lines, and how many lines they take. The rest may need further lines."""
    records = []
    position = 0
    while position < len(lines) and (is_end or position + _MOST_LINES <= len(lines)):
        line = lines[position]
        record = Record(first + position, line, _fields(line, file) if '"' in line else None)
        if record.quoted == []:
            record = _over_lines(lines[position : position + _MOST_LINES], record, file)
        records.append(record)
        position += record.text.count("\n") + 1
    return records, position


def _fields(text: str, file: RawFile, *, strict: bool = False) -> list[str]:
    """Split a record with Python's reader. Returns no fields if a quote is not closed.

    The reader is offered one more line. If it takes that line, it is still looking for the end of a field.
    """
    reader = csv.reader((f"{text}\n", "\n"), delimiter=file.delimiter, skipinitialspace=file.skip_blanks, strict=strict)
    try:
        fields = next(reader)
    except csv.Error:  # a field over the size limit or, in strict mode, text after a closing quote
        return []
    return fields if reader.line_num == 1 else []


def _over_lines(lines: list[str], first: Record, file: RawFile) -> Record:
    """The record of several lines that begins with an open quote, or else its first line alone.

    The record must have the right number of fields, and each closing quote must end a field. Otherwise the quote that
    opens a field of a later row would be taken for the end of this one. Many writers of tabs do not quote at all, so
    between tabs it must not consist of lines that are whole rows either.
    """
    for end, line in enumerate(lines[1:], 2):
        if '"' in line:
            text = "\n".join(lines[:end])
            fields = _fields(text, file, strict=True)
            if len(fields) == file.width:
                if file.delimiter == "\t" and all(one.count("\t") == file.width - 1 for one in lines[:end]):
                    break
                return Record(first.line, text, fields)
    # A single quote between tabs is a character, as in the title of a track.
    if file.delimiter == "\t" and first.text.count('"') == 1 and first.text.count("\t") == file.width - 1:
        return first._replace(quoted=first.text.split("\t"))
    return first
