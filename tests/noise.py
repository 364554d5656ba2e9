"""The ways in which services write the title of one film differently."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from mlrec.serving.spoken_titles import spoken

_ROMAN = {"II": "2", "III": "3", "IV": "4", "VI": "6", "VII": "7", "VIII": "8"}
_ARTICLE = re.compile(r"(The|A|An|Le|La|Les|L'|Der|Die|Das|Il|El)\s+(.+)")


def _without_accents(title: str) -> str:
    return "".join(one for one in unicodedata.normalize("NFKD", title) if not unicodedata.combining(one))


def _roman_to_arabic(title: str) -> str:
    return re.sub(r"\b[IVX]+\b", lambda found: _ROMAN.get(found[0], found[0]), title)


def _arabic_to_roman(title: str) -> str:
    arabic = {digits: roman for roman, digits in _ROMAN.items()}
    return re.sub(r"(?<= )\d\b(?!\S)", lambda found: arabic.get(found[0], found[0]), title)


def _article_to_the_end(title: str) -> str:
    match = _ARTICLE.fullmatch(title) if "(" not in title else None
    return f"{match[2]}, {match[1]}" if match else title


def _punctuated(title: str) -> str:
    return title.replace("'", "’").replace(" - ", " – ").replace("...", "…")


NOISES: dict[str, Callable[[str], str]] = {
    "as it is": lambda title: title,
    "as people say it": spoken,
    "article at the end": lambda title: _article_to_the_end(spoken(title)),
    "no accents": _without_accents,
    "decomposed accents": lambda title: unicodedata.normalize("NFD", title),
    "typographic": _punctuated,
    "no punctuation": lambda title: re.sub(r"[.!?,:]", "", spoken(title)) if "(" not in title else title,
    "and": lambda title: title.replace("&", "and"),
    "ampersand": lambda title: title.replace(" and ", " & "),
    "arabic numerals": _roman_to_arabic,
    "roman numerals": _arabic_to_roman,
    "capitals": str.upper,
    "small": str.lower,
    "spaces": lambda title: f"  {title.replace(' ', '  ')} ",
    "year in brackets": lambda title: f"{title} (1999)",
    "without brackets": lambda title: re.sub(r"\s*\([^()]*\)", "", title).strip() or title,
    "another title in brackets": lambda title: f"{title} (Zzyzx Qwv)" if "(" not in title else title,
    "a.k.a.": lambda title: f"{title} a.k.a. Zzyzx Qwv" if "(" not in title else title,
}
"""Name → how it changes a title of a catalogue, such as "Matrix, The"."""
