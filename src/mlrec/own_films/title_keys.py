"""What two spellings of a film's title have in common: keys that are equal if the titles mean the same.

Catalogues and exports write titles differently: "Matrix, The" and "The Matrix", "Amélie" and "Amelie (Fabuleux destin
d'Amélie Poulain, Le)", "Rocky II" and "Rocky 2". A `TitleRule` undoes one kind of difference.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Set
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Literal, get_args

from mlrec.serving.spoken_titles import spoken

TitleRule = Literal["accents", "punctuation", "articles", "numerals", "brackets", "spelling", "subtitles"]
"""The kinds of differences that keys can undo.

accents
    "Léon" and "Leon", "Ødipus" and "Odipus".
punctuation
    "WALL·E" and "WALL-E", "Tom & Jerry" and "Tom and Jerry".
articles
    "Matrix, The" and "The Matrix"; among the weaker keys also "Matrix".
numerals
    "Rocky II" and "Rocky 2".
brackets
    Other titles in brackets or after "a.k.a.": each is a title of its own.
spelling
    A weaker key: without spaces, with "vol." in full, and with numbers for words.
subtitles
    The weakest keys: "Star Wars" and "Star Wars: Episode IV - A New Hope", "Life of Brian" and "Monty Python's Life of
    Brian".
"""

TITLE_RULES: frozenset[TitleRule] = frozenset(get_args(TitleRule))

# Letters that Unicode does not take apart.
_LETTERS = str.maketrans(
    {"æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "ł": "l", "þ": "th", "ħ": "h", "ı": "i", "ŋ": "n", "ß": "ss"}
)
_APOSTROPHES = re.compile("['’‘ʼ`´]")
_WORD = re.compile(r"\w+")
_INITIALS = re.compile(r"(?<!\w)(?:[^\W\d_]\.){2,}")
_GROUP = re.compile(r"\s*[(\[]([^()\[\]]*)[)\]]")
_AKA = re.compile(r"(?<!\w)(?:a\.\s?k\.\s?a\.?|aka)(?!\w)[\s:]*", re.IGNORECASE)
_YEAR = re.compile(r"(.*\S)\s*[(\[]((?:18|19|20)\d\d)[)\]]", re.DOTALL)
_SUBTITLE = re.compile(r"\s*:\s+|\s+[-–—]\s+|:(?=\w)")
_ARTICLES = frozenset(
    {
        "the", "a", "an", "le", "la", "les", "l", "un", "une", "des", "il", "lo", "i", "gli", "el", "los", "las", "una",
        "uno", "der", "die", "das", "den", "dem", "ein", "eine", "de", "het", "een", "en", "et", "ett", "o", "os", "as",
        "um", "uma",
    }
)  # fmt: skip
_ROMAN = {
    "i": "1", "ii": "2", "iii": "3", "iv": "4", "v": "5", "vi": "6", "vii": "7", "viii": "8", "ix": "9", "x": "10",
    "xi": "11", "xii": "12", "xiii": "13", "xiv": "14", "xv": "15", "xvi": "16", "xvii": "17", "xviii": "18",
    "xix": "19", "xx": "20", "xxi": "21",
}  # fmt: skip
_NUMBERS = {
    "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9",
    "ten": "10", "eleven": "11", "twelve": "12", "thirteen": "13",
}  # fmt: skip
_IN_FULL = {
    "vol": "volume", "pt": "part", "vs": "versus", "v": "versus", "dr": "doctor", "mr": "mister", "st": "saint",
    "mt": "mount", "colour": "color", "colours": "colors", "grey": "gray",
}  # fmt: skip
_COUNTERS = frozenset(("part", "volume", "chapter", "episode"))
_OF_SOMEBODY = re.compile(r"(?:[^\W\d_][\w.]*\s+){0,2}\w+(?:['’]s|s['’])\s+(.+)", re.DOTALL)
_NUMBERED = re.compile(r"^\s*(?:episode|part|vol(?:ume|\.)?|chapter)\s+\w+\.?\s*$", re.IGNORECASE)
# A shorter part of a title is often the title of another film.
_SHORTEST = 8
# Titles with more parts than this have subtitles only up to here.
_MOST_PARTS = 4


def without_year(title: str) -> tuple[str, int | None]:
    """Cut a year in brackets off the end of a title: "Heat (1995)" becomes "Heat" and 1995."""
    match = _YEAR.fullmatch(title.strip())
    return (match[1], int(match[2])) if match else (title.strip(), None)


@dataclass(frozen=True)
class TitleKeys:
    """The keys of one title, made when they are first asked for.

    Attributes
    ----------
    title
        The title, without its year.
    rules
        Which differences the keys undo.
    """

    title: str
    rules: Set[TitleRule] = TITLE_RULES

    @cached_property
    def own(self) -> frozenset[str]:
        """Keys of the title itself, with and without what is in brackets."""
        return self._of(self._own)

    @cached_property
    def other(self) -> frozenset[str]:
        """Keys of the other titles that it mentions: in brackets, or after "a.k.a."."""
        return self._of(self._others) - self.own

    @cached_property
    def loose(self) -> frozenset[str]:
        """Weaker keys of all these titles: without spaces and articles, with numbers for words."""
        if "spelling" not in self.rules and "articles" not in self.rules:
            return frozenset()
        return frozenset(self._loosened(key) for key in self.own | self.other) - {""}

    @cached_property
    def shorter(self) -> frozenset[str]:
        """The weakest keys: the title without some of its parts, which colons and dashes divide, or whose it is."""
        return frozenset(key for key, _ in self._without_parts if len(key) >= _SHORTEST)

    @cached_property
    def without_number(self) -> frozenset[str]:
        """Those of these keys for which a numbered part was left out, such as "Episode IV" or "Vol. 1"."""
        return frozenset(key for key, is_numbered in self._without_parts if is_numbered)

    @cached_property
    def _without_parts(self) -> list[tuple[str, bool]]:
        if "subtitles" not in self.rules:
            return []
        title = self._spoken(self._own[0])
        parts = [part for part in _SUBTITLE.split(title) if part.strip()][:_MOST_PARTS]
        found = []
        if match := _OF_SOMEBODY.fullmatch(title):
            found.append((self._loosened(self._key(match[1])), False))
        for n in range(1, len(parts)):
            for kept in combinations(range(len(parts)), n):
                if all(_NUMBERED.search(parts[number]) for number in kept):
                    continue  # "Episode IV" alone says nothing
                left_out = (parts[number] for number in range(len(parts)) if number not in kept)
                key = self._loosened(self._key(" ".join(parts[number] for number in kept)))
                found.append((key, any(map(_NUMBERED.search, left_out))))
        return [(key, is_numbered) for key, is_numbered in found if key]

    @cached_property
    def _own(self) -> list[str]:
        """The title, without what is in brackets, and with it."""
        if "brackets" not in self.rules or not self._has_others:
            return [self.title]
        main = _AKA.split(_GROUP.sub(" ", self.title))[0].strip()
        return [main, self.title] if main else [self.title]

    @cached_property
    def _others(self) -> list[str]:
        if "brackets" not in self.rules or not self._has_others:
            return []
        _, *after = _AKA.split(_GROUP.sub(" ", self.title))
        within = [_AKA.sub("", group) for group in _GROUP.findall(self.title)]
        return [title.strip() for title in (*after, *within) if title.strip()]

    @property
    def _has_others(self) -> bool:
        return "(" in self.title or "[" in self.title or _AKA.search(self.title) is not None

    def _of(self, titles: list[str]) -> frozenset[str]:
        return frozenset(self._key(self._spoken(title)) for title in titles) - {""}

    def _spoken(self, title: str) -> str:
        return spoken(title, any_case=True) if "articles" in self.rules else title

    def _key(self, title: str) -> str:
        """Reduce a title to what all its usual spellings share."""
        text = title.casefold()
        if "accents" in self.rules and not text.isascii():
            decomposed = unicodedata.normalize("NFKD", text.translate(_LETTERS))
            text = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
        if "punctuation" not in self.rules:
            return " ".join(text.split())
        text = _INITIALS.sub(lambda found: found[0].replace(".", "") + " ", text)  # "E.T." and "ET"
        words = _WORD.findall(_APOSTROPHES.sub("", text.replace("&", " and ")))
        if "numerals" in self.rules:
            words = [_ROMAN.get(word, word) for word in words]
        return " ".join(words)

    def _loosened(self, key: str) -> str:
        words = list(self._loose_words(key)) or key.split()
        return ("" if "spelling" in self.rules else " ").join(words)

    def _loose_words(self, key: str) -> Iterator[str]:
        words = key.split()
        if "articles" in self.rules and len(words) > 1 and words[0] in _ARTICLES:
            words = words[1:]
        if "spelling" not in self.rules:
            yield from words
            return
        if len(words) > 1 and words[-1] == "dr":
            words = [*words[:-1], "drive"]
        words = [_NUMBERS.get(word, _IN_FULL.get(word, word)) for word in words]
        for word, following in zip(words, [*words[1:], ""], strict=True):
            if not (word in _COUNTERS and following.isdigit()):  # "Part 2" and "2"
                yield word
