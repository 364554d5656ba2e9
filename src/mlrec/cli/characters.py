"""Substitutes for characters that the encoding of stdout or stderr lacks."""

from __future__ import annotations

import codecs
import io
import sys
import unicodedata

READABLE = "mlrec.readable"
"""Name of the error handler that replaces characters that cannot be encoded."""

_ARROWS = {"→": "->", "←": "<-", "↑": "^", "↓": "v", "▲": "^", "▼": "v"}
_MARKS = {"✓": "ok", "✗": "x", "·": "-", "█": "#", "░": ".", "…": "...", "–": "-", "—": "-", "−": "-", "×": "x",
          "±": "+/-", "∞": "inf", "⁄": "/", "‘": "'", "’": "'", "“": '"', "”": '"', "«": '"', "»": '"'}  # fmt: skip
_LETTERS = {"λ": "lambda", "ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l",
            "Ł": "L", "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "ı": "i"}  # fmt: skip
_INSTEAD = _ARROWS | _MARKS | _LETTERS


def prepare_streams() -> None:
    """Let no command fail because of a character: stdout and stderr use substitutes, stdin takes any bytes."""
    for stream, errors in ((sys.stdout, READABLE), (sys.stderr, READABLE), (sys.stdin, "replace")):
        if isinstance(stream, io.TextIOWrapper) and stream.errors != errors:
            stream.reconfigure(errors=errors)


def as_encoded(text: str) -> str:
    """Return text as stdout will show it, so that columns can be measured before they are printed."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return text if text.isascii() else text.encode(encoding, READABLE).decode(encoding)


def _readable(error: UnicodeError) -> tuple[str, int]:
    """Error handler: replace our own symbols by a table, drop accents from letters, and use `?` for the rest."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(map(_substitute, lacking)), error.end


def _substitute(character: str) -> str:
    if character in _INSTEAD:
        return _INSTEAD[character]
    if unicodedata.combining(character):  # an accent of the letter before it
        return ""
    parts = unicodedata.normalize("NFKD", character)
    plain = "".join(_INSTEAD.get(part, part) for part in parts if not unicodedata.combining(part))
    return plain if plain.isascii() else "?"


codecs.register_error(READABLE, _readable)
