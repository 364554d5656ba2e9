"""Making text from data safe to show: terminals act on some characters, and spreadsheets run text that is a formula."""

from __future__ import annotations

import re

# Characters that a terminal acts on instead of showing: controls, and those that change the writing direction.
# Half of a surrogate pair, which Python reads from some file names, cannot be shown at all.
_ACTING = "\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff"
_SPACES = re.compile("[\t\n\v\f\r]+")
_UNSAFE = re.compile(f"[\0-\x1f{_ACTING}]")
_UNSAFE_IN_JSON = re.compile(f"[{_ACTING}]")
_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]")

_INSTEAD = "\ufffd"


def for_terminal(text: str) -> str:
    """The text as one printable line. Line ends and tabs become a space, others that a terminal acts on become `�`."""
    if text.isprintable():
        return text
    return _UNSAFE.sub(_INSTEAD, _SPACES.sub(" ", text))


def for_json(document: str) -> str:
    """The JSON document with characters that a terminal acts on escaped. JSON itself has none below U+0020."""
    return _UNSAFE_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", document)


def for_spreadsheet(text: str) -> str:
    """The text as a one-line cell that a spreadsheet shows as it is. A would-be formula gets an apostrophe in front."""
    text = "\t".join(map(for_terminal, text.split("\t")))
    return f"'{text}" if _FORMULA.match(text) else text


def from_spreadsheet(cell: str) -> str:
    """The text of a cell that `for_spreadsheet` wrote, without the apostrophe in front of a would-be formula."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell[1:]) else cell
