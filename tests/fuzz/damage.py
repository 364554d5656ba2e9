"""Ways to damage files: bytes that flip, go missing, are repeated, change places, or have odd values."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from copy import deepcopy
from random import Random
from typing import Any

NUMBERS = (
    "0", "-1", "1", "7", "00", "007", "1_23", "1e1", "1E1", "1.26E+09", "0x1F", "1.0", "1.", ".5", "1.5", "+3", "-0",
    "NaN", "inf", "-inf", "1e400", "1e-400", "9007199254740993", "9223372036854775807", "9223372036854775808",
    "-9223372036854775809", "99999999999999999999999", "4294967296", "253402300800", "1000000000000", "١٢", "½", "",
    " ", "1 2", "1,5", "--1", "true", "null",
)  # fmt: skip
"""Odd numbers, and what only looks like one."""

TEXTS = (
    b"\xff\xfe", b"\xe9", b"\xc3", b"\x80\x81", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", "é—ß".encode(), "日本".encode(),
    "\u202eabc\u202c".encode(), "\u2028".encode(), b"\xef\xbb\xbf", b"\x1b[2J\x1b]0;owned\x07", b"\x9b31m", b"\x7f",
    b'"', b"'", b",", b"::", b"\t", b"|", b'""', b'",', b"=1+1", b"{}", b"[]", b"%s", b"\\", b"/../", b"--", b";",
)  # fmt: skip
"""Bytes that are no UTF-8, that mean something to a terminal, or that end a field somewhere."""

LINE_ENDS = (b"\n", b"\r\n", b"\r", b"\n\r", b"\r\r\n", b"\n\n", b"")

Kind = Callable[[Random, bytes], bytes]


def _place(chance: Random, content: bytes) -> int:
    """Anywhere, but often near the beginning or the end, where formats have their headers and indexes."""
    size = len(content)
    near = min(size, 256)
    return chance.choice(
        (chance.randint(0, size), chance.randint(0, size), chance.randint(0, near), chance.randint(size - near, size))
    )


def _slice(chance: Random, content: bytes) -> tuple[int, int]:
    begin = _place(chance, content)
    return begin, min(len(content), begin + chance.choice((1, 2, 4, 16, 64, 512, 4096)))


def flip_a_bit(chance: Random, content: bytes) -> bytes:
    damaged = bytearray(content or b"\0")
    damaged[min(_place(chance, content), len(damaged) - 1)] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def change_bytes(chance: Random, content: bytes) -> bytes:
    begin, end = _slice(chance, content)
    return content[:begin] + chance.randbytes(end - begin) + content[end:]


def insert_bytes(chance: Random, content: bytes) -> bytes:
    place = _place(chance, content)
    return content[:place] + chance.randbytes(chance.choice((1, 2, 7, 100))) + content[place:]


def insert_text(chance: Random, content: bytes) -> bytes:
    place = _place(chance, content)
    return content[:place] + chance.choice(TEXTS) + content[place:]


def delete_slice(chance: Random, content: bytes) -> bytes:
    begin, end = _slice(chance, content)
    return content[:begin] + content[end:]


def repeat_slice(chance: Random, content: bytes) -> bytes:
    begin, end = _slice(chance, content)
    return content[:end] + content[begin:end] * chance.choice((1, 1, 3)) + content[end:]


def splice_nuls(chance: Random, content: bytes) -> bytes:
    """As after a crash of the machine, where a file system has the length but not the content."""
    begin, end = _slice(chance, content)
    return content[:begin] + bytes(end - begin) + content[end:]


def truncate(chance: Random, content: bytes) -> bytes:
    return content[: _place(chance, content)]


def cut_the_beginning(chance: Random, content: bytes) -> bytes:
    return content[_place(chance, content) :]


def empty(_: Random, __: bytes) -> bytes:
    return b""


def only_nuls(_: Random, content: bytes) -> bytes:
    return bytes(len(content))


def append_rubbish(chance: Random, content: bytes) -> bytes:
    return content + chance.randbytes(chance.choice((1, 8, 1000)))


def something_else(chance: Random, _: bytes) -> bytes:
    """Another file under this name."""
    return chance.choice(
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 533444411\n",
            b"<!DOCTYPE html><html><body>404 Not Found</body></html>\n",
            b"PK\x03\x04" + chance.randbytes(60),
            b"\x1f\x8b\x08\x00" + chance.randbytes(60),
            b"PAR1" + chance.randbytes(60) + b"PAR1",
            b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (99999999, 99), }\n",
            b"SQLite format 3\x00" + bytes(84),
            b"null",
            b"[" * 200_000,
            b'{"a":' * 100_000,
            b'{"format_version": 1}',
            chance.randbytes(3000),
        )
    )


def odd_number(chance: Random, content: bytes) -> bytes:
    numbers = list(re.finditer(rb"-?\d+(\.\d+)?", content))
    if not numbers:
        return flip_a_bit(chance, content)
    found = chance.choice(numbers)
    return content[: found.start()] + chance.choice(NUMBERS).encode() + content[found.end() :]


def other_line_ends(chance: Random, content: bytes) -> bytes:
    """All of them, or each at random."""
    lines = re.split(rb"\r\n|\r|\n", content)
    if chance.random() < 0.5:
        return chance.choice(LINE_ENDS).join(lines)
    return b"".join(line + chance.choice(LINE_ENDS) for line in lines)


def reorder_lines(chance: Random, content: bytes) -> bytes:
    lines = content.splitlines(keepends=True)
    chance.shuffle(lines)
    return b"".join(lines)


def repeat_line(chance: Random, content: bytes) -> bytes:
    lines = content.splitlines(keepends=True) or [b""]
    lines.insert(chance.randint(0, len(lines)), chance.choice(lines))
    return b"".join(lines)


def drop_line(chance: Random, content: bytes) -> bytes:
    lines = content.splitlines(keepends=True) or [b""]
    del lines[chance.randrange(len(lines))]
    return b"".join(lines)


def swap_fields(chance: Random, content: bytes) -> bytes:
    """Two fields of one line change places."""
    lines = content.splitlines(keepends=True) or [b""]
    number = chance.randrange(len(lines))
    delimiter = next((mark for mark in (b"::", b"\t", b"|", b",") if mark in lines[number]), b",")
    fields = lines[number].rstrip(b"\r\n").split(delimiter)
    chance.shuffle(fields)
    lines[number] = delimiter.join(fields) + b"\n"
    return b"".join(lines)


def in_another_encoding(chance: Random, content: bytes) -> bytes:
    return content.decode("utf-8", errors="replace").encode(
        chance.choice(("utf-16", "utf-16-le", "latin-1", "cp1252", "utf-8-sig", "utf-32")), errors="replace"
    )


ANY_FILE: tuple[Kind, ...] = (
    flip_a_bit, flip_a_bit, flip_a_bit, change_bytes, insert_bytes, insert_text, delete_slice, repeat_slice,
    splice_nuls, truncate, cut_the_beginning, empty, only_nuls, append_rubbish, something_else,
)  # fmt: skip
TEXT_FILE: tuple[Kind, ...] = (
    *ANY_FILE, odd_number, odd_number, odd_number, other_line_ends, reorder_lines, repeat_line, drop_line, swap_fields,
    in_another_encoding,
)  # fmt: skip


def damaged(chance: Random, content: bytes, kinds: tuple[Kind, ...] = ANY_FILE) -> tuple[bytes, str]:
    """Harm a content in one to three ways; returns what is left of it, and a word on what was done."""
    chosen = chance.choices(kinds, k=chance.choice((1, 1, 1, 2, 3)))
    for kind in chosen:
        content = kind(chance, content)
    return content, ", ".join(kind.__name__.replace("_", " ") for kind in chosen)


# -- documents ---------------------------------------------------------------------------------------------------------

VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 99, 2**31, 2**63, -(2**63) - 1, 10**400, 0.5, -0.0, 1e300, float("inf"),
    float("nan"), "", "x", "../..", "\0", "\ud800", "2026-01-01", "é" * 1000, [], {}, [[]], [None], {"": None}, ["x"],
    {"x": {"x": {}}},
)  # fmt: skip
"""What may stand in a JSON document where something else was expected."""


def damaged_json(chance: Random, content: bytes) -> tuple[bytes, str]:
    """Harm a JSON document as a document: a value somewhere in it becomes another, or a key goes, comes or moves."""
    document = json.loads(content)
    what = []
    for _ in range(chance.choice((1, 1, 2, 5))):
        parent, key = _somewhere(chance, document)
        if parent is None:
            document = deepcopy(chance.choice(VALUES))
            what.append("the whole document")
            break
        what.append(f"at {key!r}")
        match chance.randrange(4):
            case 0 if isinstance(parent, dict):
                parent["unknown"] = parent.pop(key)
            case 1:
                del parent[key]
            case _:
                parent[key] = deepcopy(chance.choice(VALUES))
    return json.dumps(document).encode(), f"another value {', '.join(what)}"


def _somewhere(chance: Random, document: Any) -> tuple[Any, Any]:
    """A container within a document and a key of it; every level is as likely to be the last."""
    parent, key, value = None, None, document
    while isinstance(value, dict | list) and value and (parent is None or chance.random() < 0.6):
        parent = value
        key = chance.choice(list(parent)) if isinstance(parent, dict) else chance.randrange(len(parent))
        value = parent[key]
    return (parent, key) if chance.random() < 0.97 else (None, None)
