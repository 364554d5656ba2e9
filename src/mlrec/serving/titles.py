"""Finding movies by what a person types: an id, a title, or something near one."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mlrec.errors import UnknownMovieError, shown
from mlrec.serving.spoken_titles import label, spoken

_ENGLISH_ARTICLE = re.compile(r"^(?:the|an?) (?=.)")
_ID = re.compile(r"0|-?[1-9]\d{0,18}", re.ASCII)
_SHOWN_CANDIDATES = 8
_NEAR = 0.75
# Words that a near title may share a slip of: shorter ones are near to too many.
_SHORTEST_WORD = 4
_NEAR_WORDS = 3
# Words of a text that are looked at; each is compared with every word of a title.
_MOST_WORDS = 8


class TitleIndex:
    """Titles of a model's movies, ready to be searched.

    Parameters
    ----------
    movie_ids
        Public ids by row.
    titles, years
        By row, as the data has them.
    popularity
        By row; breaks ties between equally good matches.
    """

    def __init__(
        self,
        movie_ids: NDArray[np.int64],
        titles: Sequence[str],
        years: Sequence[int | None],
        popularity: NDArray[np.int64],
    ) -> None:
        self._movie_ids = movie_ids
        self._titles = titles
        self._years = years
        self._popularity = popularity

    @cached_property
    def _keys(self) -> list[str]:
        return [normalized(title) for title in self._titles]

    def search(self, text: str, n: int) -> list[int]:
        """Rows of the movies that match best: whole title, its beginning, a word's beginning, any part, then near ones.

        Parameters
        ----------
        text
            What was typed. Case, accents, punctuation and a leading article do not matter; "Hamlet (1996)" asks for
            the year.
        n
            How many at most.

        Returns
        -------
        list of int
            Movie rows, best first; more popular ones first among equals. Empty if nothing is near.
        """
        text, year = _split_year(text)
        key = normalized(text)
        if not key:
            return []
        graded = [
            (grade, -int(self._popularity[row]), row)
            for row, title_key in enumerate(self._keys)
            if (grade := _grade(key, title_key)) is not None and (year is None or self._years[row] == year)
        ]
        if graded:
            return [row for _, _, row in sorted(graded)[:n]]
        bare = [_bare(title_key) for title_key in self._keys]
        near = difflib.get_close_matches(_bare(key), set(bare), n=n, cutoff=_NEAR)
        place = {title: position for position, title in enumerate(near)}
        rows = (row for row, title in enumerate(bare) if title in place)
        return sorted(rows, key=lambda row: (place[bare[row]], -int(self._popularity[row]), row))[:n]

    def near(self, text: str, n: int) -> list[int]:
        """Rows of movies that could have been meant where `search` finds none: each word may have a slip of its own.

        Returns
        -------
        list of int
            Movie rows: those with most words that are near ones of the text, then the more popular ones. Empty if no
            word of a title is near.
        """
        hits: Counter[int] = Counter()
        words = [word for word in normalized(_split_year(text)[0]).split() if len(word) >= _SHORTEST_WORD]
        for word in dict.fromkeys(words[:_MOST_WORDS]):
            for near in difflib.get_close_matches(word, self._rows_by_word, n=_NEAR_WORDS, cutoff=_NEAR):
                hits.update(self._rows_by_word[near])
        return sorted(hits, key=lambda row: (-hits[row], -int(self._popularity[row]), row))[:n]

    @cached_property
    def _rows_by_word(self) -> dict[str, set[int]]:
        rows: dict[str, set[int]] = {}
        for row, title_key in enumerate(self._keys):
            for word in title_key.split():
                if len(word) >= _SHORTEST_WORD:
                    rows.setdefault(word, set()).add(row)
        return rows

    def resolve(self, text: str) -> int:
        """Row of the one movie that is meant.

        Parameters
        ----------
        text
            A movie id, or a title as in `search`.

        Raises
        ------
        UnknownMovieError
            If no movie is meant, or several could be; the hint names them.
        """
        if _ID.fullmatch(text.strip()) and abs(movie_id := int(text)) < 2**63:
            position = int(np.searchsorted(self._movie_ids, movie_id))
            if position < len(self._movie_ids) and self._movie_ids[position] == movie_id:
                return position
        found = self.search(text, _SHOWN_CANDIDATES)
        key = normalized(_split_year(text)[0])
        exact = [row for row in found if _grade(key, self._keys[row]) == 0]
        meant = exact or found
        if len(meant) == 1:
            return meant[0]
        if not meant:
            near = self.near(text, _SHOWN_CANDIDATES)
            raise UnknownMovieError(
                f"The model knows no movie like {shown(text)}.",
                f"Near titles: {self._named(near)}" if near else "Try 'mlrec search' with one word of it.",
            )
        raise UnknownMovieError(
            f"{shown(text)} could be several movies.", f"Give the id or the year: {self._named(meant)}"
        )

    def _named(self, rows: Iterable[int]) -> str:
        """Ids, titles and years of some movies, in one line."""
        return "; ".join(f"{self._movie_ids[row]} {label(spoken(self._titles[row]), self._years[row])}" for row in rows)


def normalized(title: str) -> str:
    """Reduce a title to plain lower-case words, the article first: "Matrix, The" and "the matrix!" are the same."""
    decomposed = unicodedata.normalize("NFKD", spoken(title, any_case=True)).casefold()
    plain = "".join(character for character in decomposed if not unicodedata.combining(character))
    return " ".join(re.findall(r"\w+", re.sub("['’]", "", plain)))


def _split_year(text: str) -> tuple[str, int | None]:
    match = re.fullmatch(r"(.*\S)\s*\(((?:18|19|20)\d\d)\)\s*", text)
    return (match[1], int(match[2])) if match else (text, None)


def _bare(key: str) -> str:
    """A normalized title without an English article at its beginning."""
    return _ENGLISH_ARTICLE.sub("", key)


def _grade(key: str, title: str) -> int | None:
    """How well a title matches, 0 best; None if not at all."""
    bare = _bare(title)
    if key in (title, bare):
        return 0
    if title.startswith(key) or bare.startswith(key):
        return 1
    if f" {key}" in title:
        return 2
    return 3 if key in title else None
