"""The records of raw text files, cut where Python's `csv` module cuts them.

Only CSV knows quotes; in the other editions' files a quote is a character of the title. A quoted field may hold commas,
doubled quotes and line breaks. A quote that is never closed spoils its own line and no other: such a line has no
fields, and reading goes on with the next line. Lines without quotes are left to be cut by whoever takes them.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from mlrec.dataset.text_files import Encoding, line_blocks

if TYPE_CHECKING:
    from mlrec.dataset.sources import RawFile

# A record may not go on for longer than this, or a forgotten quote would swallow the rest of the file.
_MOST_LINES = 100


class Record(NamedTuple):
    """A line of a text file, or several that a quoted field runs over.

    Attributes
    ----------
    line
        Number of the first line, from 1.
    text
        The line, or the lines with LF between them.
    quoted
        The fields of a line with quotes, none if a quote is not closed; None for a line without quotes.
    """

    line: int
    text: str
    quoted: list[str] | None


class LineBlock(NamedTuple):
    """Lines of a text file that follow each other, none of which has quotes; `first` is the number of the first."""

    first: int
    lines: list[str]


def record_blocks(file: RawFile, encoding: Encoding) -> Iterator[LineBlock | list[Record]]:
    """Yield the records of a text file, some thousands at once. Header lines are left out, blank lines are not.

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
    """Whether a record of a CSV file goes on behind a line break. A quote that is never closed makes none."""
    return any(
        "\n" in record.text
        for block in record_blocks(file, encoding)
        if not isinstance(block, LineBlock)
        for record in block
    )


def _records(lines: list[str], first: int, file: RawFile, *, is_end: bool) -> tuple[list[Record], int]:
    """The records that end within some lines, and how many lines they take; the last ones may need lines to come."""
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
    """Cut a record by Python's reader; no fields if a quote is not closed.

    One line more is offered: a reader that takes it is still looking for the end of a field.
    """
    reader = csv.reader((f"{text}\n", "\n"), delimiter=file.delimiter, strict=strict)
    try:
        fields = next(reader)
    except csv.Error:  # text behind a closing quote, if that is strictly forbidden; a field beyond all measure
        return []
    return fields if reader.line_num == 1 else []


def _over_lines(lines: list[str], first: Record, file: RawFile) -> Record:
    """The record of several lines that an open quote begins.

    Its fields must be as many as they should be, and each closing quote must end a field: otherwise the quote that
    opens a field of a later row would be taken for the end of this one.
    """
    for end, line in enumerate(lines[1:], 2):
        if '"' in line:
            text = "\n".join(lines[:end])
            fields = _fields(text, file, strict=True)
            if len(fields) == file.width:
                return Record(first.line, text, fields)
    return first
