"""Find movies by what a person types: an id, a title, or a text similar to a title."""

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
from mlrec.ids import IdArray, PublicId, kind_of, public_at, row_of
from mlrec.serving.spoken_titles import label, spoken

_ENGLISH_ARTICLE = re.compile(r"^(?:the|an?) (?=.)")
_ID = re.compile(r"0|-?[1-9]\d{0,18}", re.ASCII)
_SHOWN_CANDIDATES = 8
_NEAR = 0.75
# Shorter words are not corrected: they resemble too many others.
_SHORTEST_WORD = 4
_NEAR_WORDS = 3
# How many letters a misspelled word may be longer or shorter.
_NEAR_LENGTH = 2
# How many words of a text are used; each is compared with every word of every title.
_MOST_WORDS = 4


class TitleIndex:
    """A search index of the titles of a model's movies.

    Parameters
    ----------
    movie_ids
        Public ids by row, as in `mlrec.ids`, (movies,).
    titles, years
        Titles and years by row, as in the data.
    popularity
        Likes by row, int64 (movies,). Of equally good matches, the more popular comes first.
    is_whole_catalogue
        Whether the model has every movie of the movies file, or only those of the core.
    """

    def __init__(
        self,
        movie_ids: IdArray,
        titles: Sequence[str],
        years: Sequence[int | None],
        popularity: NDArray[np.int64],
        *,
        is_whole_catalogue: bool = True,
    ) -> None:
        self._movie_ids = movie_ids
        self._titles = titles
        self._years = years
        self._popularity = popularity
        if is_whole_catalogue:
            self.why_unknown = "it is not in the movies file"
            self.how_to_add = "To add a movie: put it in the movies file, then run 'mlrec update'."
        else:
            self.why_unknown = "it is not one of the movies with enough ratings"
            self.how_to_add = "For a model that knows every movie: mlrec train --known-movies all"

    @cached_property
    def _keys(self) -> list[str]:
        return [normalized(title) for title in self._titles]

    def search(self, text: str, n: int) -> list[int]:
        """Return the rows of the movies that match a text best.

        The best match is the whole title, then its beginning, the beginning of a word, and any part. If no title
        matches in these ways, similar titles are returned.

        Parameters
        ----------
        text
            What was typed. Case, accents, punctuation and a leading article do not matter. "Hamlet (1996)" searches for
            a movie of that year.
        n
            Most rows to return.

        Returns
        -------
        list of int
            Movie rows, best match first, of equal matches the more popular first. Empty if no title is similar.
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
        """Return the rows of movies that a misspelt text could mean, if `search` finds none: each word may be misspelt.

        Returns
        -------
        list of int
            Movie rows: first those with most words similar to words of the text, of equal ones the more popular first.
            Empty if no word of a title is similar.
        """
        hits: Counter[int] = Counter()
        words = [word for word in normalized(_split_year(text)[0]).split() if len(word) >= _SHORTEST_WORD]
        for word in dict.fromkeys(words[:_MOST_WORDS]):
            candidates = [known for known in self._rows_by_word if abs(len(known) - len(word)) <= _NEAR_LENGTH]
            for near in difflib.get_close_matches(word, candidates, n=_NEAR_WORDS, cutoff=_NEAR):
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
        """Return the row of the only movie that a text can mean.

        Parameters
        ----------
        text
            A movie id, or a title as in `search`. A text that is an id means the movie of that id, whatever the titles
            are.

        Raises
        ------
        UnknownMovieError
            If no movie matches, or several do; the hint names candidates.
        """
        if (movie_id := self._as_id(text)) is not None and (row := row_of(self._movie_ids, movie_id)) is not None:
            return row
        found = self.search(text, _SHOWN_CANDIDATES)
        key = normalized(_split_year(text)[0])
        exact, but_for_an_article = (
            [row for row in found if _grade(key, self._keys[row]) == grade] for grade in (0, 1)
        )
        meant = exact or but_for_an_article or found
        if len(meant) == 1:
            return meant[0]
        if not meant:
            near = self.near(text, _SHOWN_CANDIDATES)
            raise UnknownMovieError(
                f"No movie of the model matches {shown(text)}: {self.why_unknown}.",
                f"Similar titles: {self._named(near)}. {self.how_to_add}"
                if near
                else f"Try 'mlrec search' with one word of the title. {self.how_to_add}",
            )
        raise UnknownMovieError(
            f"{shown(text)} matches several movies.", f"Give the id or the year: {self._named(meant)}"
        )

    def _as_id(self, text: str) -> PublicId | None:
        """What a text is as an id; None if it cannot be one. A text id is taken exactly as it is."""
        if kind_of(self._movie_ids) == "text":
            return text
        return int(text) if _ID.fullmatch(text.strip()) else None

    def _named(self, rows: Iterable[int]) -> str:
        """Ids, titles and years of some movies, in one line."""
        return "; ".join(
            f"{shown(public_at(self._movie_ids, row))} {label(spoken(self._titles[row]), self._years[row])}"
            for row in rows
        )


def normalized(title: str) -> str:
    """Reduce a title to plain lower-case words, article first: "Matrix, The" and "the matrix!" become the same."""
    decomposed = unicodedata.normalize("NFKD", spoken(title, any_case=True)).casefold()
    plain = "".join(character for character in decomposed if not unicodedata.combining(character))
    return " ".join(re.findall(r"\w+", re.sub("['’]", "", plain)))


def _split_year(text: str) -> tuple[str, int | None]:
    match = re.fullmatch(r"(.*\S)\s*\(((?:18|19|20)\d\d)\)\s*", text)
    return (match[1], int(match[2])) if match else (text, None)


def _bare(key: str) -> str:
    """A normalized title without a leading English article."""
    return _ENGLISH_ARTICLE.sub("", key)


def _grade(key: str, title: str) -> int | None:
    """How well a title matches: 0 is best; None if it does not match."""
    bare = _bare(title)
    if key == title:
        return 0
    if key == bare:
        return 1
    if title.startswith(key) or bare.startswith(key):
        return 2
    if f" {key}" in title:
        return 3
    return 4 if key in title else None
