"""Finding the films of an export among the movies of a model: by id, or by title and year. Never a guess."""

from __future__ import annotations

import difflib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeVar

from mlrec.own_films.title_keys import TITLE_RULES, TitleKeys, TitleRule, without_year

Rule = Literal["id", "title", "other title", "spelling", "year off by one", "year unknown", "subtitle"]
"""How a film was found.

id
    By its id at IMDb or TMDB.
title
    By its title and its year.
other title
    By a title in brackets or after "a.k.a.", and the year.
spelling
    By its title without a leading article or spaces, and the year.
year off by one
    By its title or another one, and the year before or after.
year unknown
    By its title or another one alone, because the export or the catalogue has no year.
subtitle
    By its title without a part of it, and the year.
"""

T = TypeVar("T")

_NEAREST = 3
# How many movies with a word in common are compared letter by letter.
_COMPARED = 20


@dataclass(frozen=True)
class Film:
    """A film as an export names it.

    Attributes
    ----------
    title
        The title, perhaps with other titles in brackets.
    year
        Its year; None if the export has none.
    other_title
        A second title, such as the original one.
    imdb_id, tmdb_id
        Ids, such as "tt0114709" and 862.
    """

    title: str
    year: int | None = None
    other_title: str | None = None
    imdb_id: str | None = None
    tmdb_id: int | None = None


@dataclass(frozen=True)
class Found:
    """The only movie that a film can be.

    Attributes
    ----------
    row
        Its movie row.
    rule
        How it was found.
    """

    row: int
    rule: Rule


@dataclass(frozen=True)
class NotFound:
    """Why no movie was chosen for a film.

    Attributes
    ----------
    reason
        In words.
    nearest
        Rows of the movies that it could be, or whose titles are nearest; the best first.
    """

    reason: str
    nearest: tuple[int, ...]


class FilmFinder:
    """Finds films among the movies of a catalogue.

    Parameters
    ----------
    titles, years
        Titles and years by movie row, as in the data.
    imdb_ids, tmdb_ids
        Ids by movie row; empty if no movie has one.
    rules
        Which differences of titles are undone. For measuring what each is worth.
    near_years
        Whether a year may be off by one.
    """

    def __init__(
        self,
        titles: Sequence[str],
        years: Sequence[int | None],
        imdb_ids: Sequence[str | None] = (),
        tmdb_ids: Sequence[int | None] = (),
        *,
        rules: Set[TitleRule] = TITLE_RULES,
        near_years: bool = True,
    ) -> None:
        self._titles = titles
        self._years = years
        self._imdb_ids = imdb_ids or [None] * len(titles)
        self._tmdb_ids = tmdb_ids or [None] * len(titles)
        self._rules = rules
        self._near_years = near_years
        self._by_imdb = _rows_by(self._imdb_ids)
        self._by_tmdb = _rows_by(self._tmdb_ids)

    def find(self, film: Film) -> Found | NotFound:
        """Return the movie that a film is, or why none was chosen.

        An id decides if the catalogue has it. Otherwise the rules are tried in the order of `Rule`, and the first that
        any movie fits decides: it must fit one movie only.
        """
        for found in (self._by_imdb.get(film.imdb_id or ""), self._by_tmdb.get(film.tmdb_id or 0)):
            if found is not None:
                return Found(found[0], "id") if len(found) == 1 else _ambiguous(found)
        keys = self._keys_of(film)
        if not keys:
            return NotFound("no title", ())
        has_other_id = False
        for rule, rows in self._candidates(film, keys):
            possible = sorted(row for row in rows if not self._is_another(row, film))
            if len(possible) == 1:
                return Found(possible[0], rule)
            if possible:
                return _ambiguous(possible)
            has_other_id = has_other_id or bool(rows)
        return NotFound(self._reason(film, has_other_id=has_other_id), self._nearest(keys, film.year))

    def _reason(self, film: Film, *, has_other_id: bool) -> str:
        if has_other_id:
            return "only movies with other ids have this title"
        if film.year is not None and self._newest is not None and film.year > self._newest:
            return f"newer than all movies of the model, which end in {self._newest}"
        return "no movie of the model has this title" + ("" if film.year is None else " and year")

    @cached_property
    def _newest(self) -> int | None:
        return max((year for year in self._years if year is not None), default=None)

    def _keys_of(self, film: Film) -> list[TitleKeys]:
        titles = [film.title] if film.other_title is None else [film.title, film.other_title]
        keys = [TitleKeys(without_year(title)[0], self._rules) for title in titles if title.strip()]
        return [one for one in keys if one.own]

    def _is_another(self, row: int, film: Film) -> bool:
        """Whether both sides have an id of the same kind, and the ids differ."""
        imdb_id, tmdb_id = self._imdb_ids[row], self._tmdb_ids[row]
        if film.imdb_id is not None and imdb_id is not None:
            return film.imdb_id != imdb_id
        return film.tmdb_id is not None and tmdb_id is not None and film.tmdb_id != tmdb_id

    def _candidates(self, film: Film, keys: list[TitleKeys]) -> Iterator[tuple[Rule, set[int]]]:
        """The rows that each rule fits, the strictest rule first."""
        own = _union(self._by_own, *(one.own for one in keys))
        other = _union(self._by_any, *(one.own for one in keys)) | _union(self._by_own, *(one.other for one in keys))
        if film.year is None:
            yield "year unknown", own
            yield "year unknown", other
            return
        yield "title", self._of_years(own, film.year)
        yield "other title", self._of_years(other, film.year)
        loose = _union(self._by_loose, *(one.loose for one in keys))
        yield "spelling", self._of_years(loose, film.year)
        if self._near_years:
            yield "year off by one", self._of_years(own, film.year - 1, film.year + 1)
            yield "year off by one", self._of_years(other, film.year - 1, film.year + 1)
        yield "year unknown", {row for row in own if self._years[row] is None}
        longer = _union(self._by_shorter, *(one.loose for one in keys))
        # A film that the catalogue lacks may be a short or a documentary about the film whose title it begins with.
        shorter = _union(self._by_loose, *(one.without_number for one in keys))
        yield "subtitle", self._of_years(longer | shorter, film.year)

    def _of_years(self, rows: set[int], *years: int) -> set[int]:
        return {row for row in rows if self._years[row] in years}

    # -- indices -------------------------------------------------------------------------------------------------------

    @cached_property
    def _keys(self) -> list[TitleKeys]:
        return [TitleKeys(title, self._rules) for title in self._titles]

    @cached_property
    def _by_own(self) -> Mapping[str, list[int]]:
        return _index(one.own for one in self._keys)

    @cached_property
    def _by_any(self) -> Mapping[str, list[int]]:
        return _index(one.own | one.other for one in self._keys)

    @cached_property
    def _by_loose(self) -> Mapping[str, list[int]]:
        return _index(one.loose for one in self._keys)

    @cached_property
    def _by_shorter(self) -> Mapping[str, list[int]]:
        return _index(one.shorter | one.without_number for one in self._keys)

    @cached_property
    def _by_word(self) -> Mapping[str, list[int]]:
        return _index({word for key in one.own for word in key.split()} for one in self._keys)

    def _nearest(self, keys: list[TitleKeys], year: int | None) -> tuple[int, ...]:
        """Rows of the movies whose titles are nearest: they share rare words, and then letters."""
        shared: Counter[int] = Counter()
        for word in {word for one in keys for key in one.own for word in key.split()}:
            rows = self._by_word.get(word, [])
            for row in rows:
                # A rare word says more than a frequent one.
                shared[row] += 1 / len(rows)  # type: ignore[assignment]  # a counter adds fractions as well
        wanted = next(iter(sorted(keys[0].own)))

        def likeness(row: int) -> float:
            letters = max(difflib.SequenceMatcher(None, wanted, key).ratio() for key in sorted(self._keys[row].own))
            known = self._years[row]
            apart = 1.0 if year is None or known is None else min(abs(known - year) / 10, 1.0)
            return letters - 0.2 * apart

        compared = [row for row, _ in shared.most_common(_COMPARED) if self._keys[row].own]
        return tuple(sorted(compared, key=lambda row: (-likeness(row), row))[:_NEAREST])


def _ambiguous(rows: Sequence[int]) -> NotFound:
    return NotFound(f"fits {len(rows)} movies equally well", tuple(rows[:_NEAREST]))


def _index(keys_by_row: Iterable[Iterable[str]]) -> Mapping[str, list[int]]:
    rows: dict[str, list[int]] = defaultdict(list)
    for row, keys in enumerate(keys_by_row):
        for key in keys:
            rows[key].append(row)
    return dict(rows)


def _rows_by(ids: Sequence[T | None]) -> dict[T, list[int]]:
    rows: dict[T, list[int]] = {}
    for row, one in enumerate(ids):
        if one is not None:
            rows.setdefault(one, []).append(row)
    return rows


def _union(index: Mapping[str, list[int]], *keys: Iterable[str]) -> set[int]:
    return {row for several in keys for key in several for row in index.get(key, ())}
