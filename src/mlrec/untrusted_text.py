"""Text that came from data, on its way out: a terminal would obey some of it, and a spreadsheet would compute some."""

from __future__ import annotations

import re

# Characters that a terminal acts on instead of showing them: controls, and those that turn the direction of writing.
# Half of a surrogate pair, as Python reads it from an odd file name, cannot be shown at all.
_ACTING = "\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff"
_SPACES = re.compile("[\t\n\v\f\r]+")
_UNSAFE = re.compile(f"[\0-\x1f{_ACTING}]")
_UNSAFE_IN_JSON = re.compile(f"[{_ACTING}]")
_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]")

_INSTEAD = "\ufffd"


def for_terminal(text: str) -> str:
    """One line that can be printed: line ends and tabs become a space, other characters that act on a terminal `�`."""
    if text.isprintable():
        return text
    return _UNSAFE.sub(_INSTEAD, _SPACES.sub(" ", text))


def for_json(document: str) -> str:
    """The same JSON document, with characters that act on a terminal as escapes; below U+0020 JSON has none itself."""
    return _UNSAFE_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", document)


def for_spreadsheet(text: str) -> str:
    """A cell of one line that a spreadsheet shows as it is: an apostrophe stands before what would be a formula."""
    text = "\t".join(map(for_terminal, text.split("\t")))
    return f"'{text}" if _FORMULA.match(text) else text
