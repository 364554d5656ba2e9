"""Raw text files as bytes and as lines: plain or gzipped, UTF-8 or an older encoding, with any mixture of line ends.

A line ends with LF, CR LF or CR, as in Python's `csv` module. No byte is skipped, so the rows that a reader finds can
be compared with the number of lines that the survey counts.
"""

from __future__ import annotations

import codecs
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, cast

import numpy as np

from mlrec.errors import InputError

Encoding = Literal["utf-8", "latin-1", "windows-1252"]

_BLOCK = 1 << 23
# For what numpy does with a block, it should fit into the processor's cache.
_SURVEYED_BLOCK = 1 << 20
_LF = ord("\n")
_A = ord("A")
_LONGEST_LINE = 1 << 24
_READ_ERRORS = (OSError, EOFError, zlib.error, UnicodeDecodeError)

_C1 = bytes(range(0x80, 0xA0))
_ALL_BUT_C1 = bytes(byte for byte in range(256) if byte not in _C1)
WINDOWS_1252 = {byte: character for byte in _C1 if (character := bytes([byte]).decode("cp1252", errors="ignore"))}
"""The characters of Windows-1252 where Latin-1 has control characters, U+0080 to U+009F."""


@dataclass(frozen=True)
class Survey:
    """What the bytes of a text file show before its rows are read.

    Attributes
    ----------
    encoding
        UTF-8 if the whole file is valid UTF-8. Otherwise Windows-1252 if the file has a byte that is a control
        character in Latin-1, else Latin-1.
    lines
        Number of lines, including blank ones.
    is_uniform
        Whether all lines end the same way.
    has_quotes
        Whether the file contains a double quote.
    has_letters
        Whether a byte of the rows is an A or beyond, as all letters are.
    row_bytes
        Number of bytes of the rows, without line ends.
    """

    encoding: Encoding
    lines: int
    is_uniform: bool
    has_quotes: bool
    has_letters: bool
    row_bytes: int


def open_binary(path: Path) -> IO[bytes]:
    """Open a plain or gzipped file for reading."""
    return cast("IO[bytes]", gzip.open(path) if path.suffix == ".gz" else path.open("rb"))


@contextmanager
def readable(label: object) -> Iterator[None]:
    """Turn errors of reading into an InputError that names the raw file."""
    try:
        yield
    except _READ_ERRORS as error:
        raise InputError(
            f"{label} cannot be read: {error}.", "Check the file's permissions. If it is damaged, get it again."
        ) from error


def survey(path: Path, label: str, header_lines: int = 0) -> Survey:
    """Read all bytes of a text file once.

    Parameters
    ----------
    path
        The file.
    label
        Its name in messages.
    header_lines
        Number of lines before the first row.

    Raises
    ------
    InputError
        If the file cannot be read to its end.
    """
    utf_8: codecs.IncrementalDecoder | None = codecs.getincrementaldecoder("utf-8")()
    lf = cr = crlf = 0
    has_c1 = has_quotes = has_letters = False
    row_bytes = 0
    last = b"\n"
    for number, block in enumerate(_blocks(path, label, _SURVEYED_BLOCK)):
        bytes_ = np.frombuffer(block, dtype=np.uint8)
        # For such a frequent byte, numpy counts much faster than bytes.count.
        lf += int(np.count_nonzero(bytes_ == _LF))
        header = _first_lines(block, header_lines) if number == 0 else b""
        row_bytes += len(block) - len(header.translate(None, b"\r\n"))
        has_letters = has_letters or int(bytes_[len(header) :].max(initial=0)) >= _A
        crlf += last == b"\r" and block.startswith(b"\n")
        if b"\r" in block:
            cr += block.count(b"\r")
            crlf += block.count(b"\r\n")
        has_quotes = has_quotes or b'"' in block
        if not block.isascii():
            has_c1 = has_c1 or bool(block.translate(None, _ALL_BUT_C1))
        utf_8 = _still_utf_8(utf_8, block)
        last = block[-1:]
    is_utf_8 = _still_utf_8(utf_8, b"", final=True) is not None
    return Survey(
        encoding="utf-8" if is_utf_8 else "windows-1252" if has_c1 else "latin-1",
        lines=lf + cr - crlf + (last not in (b"\n", b"\r")),
        is_uniform=[lf - crlf, cr - crlf, crlf].count(0) >= 2,
        has_quotes=has_quotes,
        has_letters=has_letters,
        row_bytes=row_bytes - lf - cr,
    )


def _first_lines(block: bytes, n: int) -> bytes:
    """The first n lines of a block with their ends, or nothing if it has not so many."""
    found = re.match(rb"(?:[^\r\n]*+(?:\r\n|\r|\n)){%d}" % n, block)
    return b"" if found is None else found[0]


def _still_utf_8(
    decoder: codecs.IncrementalDecoder | None, block: bytes, *, final: bool = False
) -> codecs.IncrementalDecoder | None:
    """The decoder, or None once it has found bytes that are not UTF-8."""
    if decoder is None or (block.isascii() and not final and not decoder.getstate()[0]):
        return decoder
    try:
        decoder.decode(block, final)
    except UnicodeDecodeError:
        return None
    return decoder


def line_blocks(path: Path, label: str, encoding: Encoding) -> Iterator[list[str]]:
    """Yield the lines of a text file in blocks of some thousands, without line ends and without a byte order mark.

    Raises
    ------
    InputError
        If the file cannot be read to its end, or a line is too long.
    """
    codec = "utf-8-sig" if encoding == "utf-8" else "latin-1"
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(codec)(), translate=True)
    number, rest = 0, ""
    with readable(label):
        for block in _blocks(path, label):
            *lines, rest = (rest + _decoded(decoder, block, encoding)).split("\n")
            if len(rest) > _LONGEST_LINE:
                raise InputError(
                    f"{label}, line {number + len(lines) + 1} is over {_LONGEST_LINE:,} characters long.",
                    "Check that it is a text file.",
                )
            number += len(lines)
            yield lines
        *lines, rest = (rest + _decoded(decoder, b"", encoding, final=True)).split("\n")
        yield [*lines, rest] if rest else lines


def count_blank_lines(path: Path, label: str) -> int:
    """The number of empty lines in a text file."""
    return sum(lines.count("") for lines in line_blocks(path, label, "latin-1"))


def _decoded(decoder: io.IncrementalNewlineDecoder, block: bytes, encoding: Encoding, *, final: bool = False) -> str:
    text = decoder.decode(block, final)
    return text.translate(WINDOWS_1252) if encoding == "windows-1252" else text


def _blocks(path: Path, label: str, size: int = _BLOCK) -> Iterator[bytes]:
    with readable(label), open_binary(path) as file:
        while block := file.read(size):
            yield block
