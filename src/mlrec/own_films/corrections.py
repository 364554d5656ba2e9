"""Corrections by hand: which movie a film of an export is, in the form of the report of films that were not found."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mlrec.artifacts.model_folder import Model
from mlrec.errors import InputError
from mlrec.ids import PublicId
from mlrec.own_films.matching import Film
from mlrec.own_films.rows import read_csv, year_of
from mlrec.own_films.sources import content_of
from mlrec.plurals import counted
from mlrec.untrusted_text import from_spreadsheet

_SHOWN = 5
NONE = "none"
"""What stands in place of a movie id for a film that the model does not have."""


@dataclass(frozen=True)
class Corrections:
    """The movies of films, as a person filled them in.

    Attributes
    ----------
    by_id
        Id or address of the film in the export → movie row; None if the model does not have the film.
    by_title
        Title without accents and capitals, and year → the same.
    places
        Where each of these keys stands, for people.
    """

    by_id: Mapping[str, int | None]
    by_title: Mapping[tuple[str, int | None], int | None]
    places: Mapping[object, str] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of corrections."""
        return len(self.by_id) + len(self.by_title)

    def knows(self, film: Film, key: str) -> tuple[bool, int | None]:
        """Whether a film is corrected, and its movie row."""
        if key in self.by_id:
            return True, self.by_id[key]
        named = _named(film.title, film.year)
        return named in self.by_title, self.by_title.get(named)

    def without_film(self, films: Iterable[tuple[Film, str]]) -> list[str]:
        """Say which corrections fit none of the films of an export, each with its id or address."""
        known: set[object] = set()
        for film, key in films:
            known |= {key, _named(film.title, film.year)}
        missing = [place for key, place in self.places.items() if key not in known]
        if not missing:
            return []
        others = f", and {len(missing) - _SHOWN:,} more" if len(missing) > _SHOWN else ""
        verb = "fits" if len(missing) == 1 else "fit"
        named = "; ".join(missing[:_SHOWN])
        return [f"{counted(len(missing), 'correction')} {verb} no film of the export: {named}{others}."]


def _named(title: str, year: int | None) -> tuple[str, int | None]:
    letters = (one for one in unicodedata.normalize("NFKD", title.casefold()) if not unicodedata.combining(one))
    return "".join(letters), year


NO_CORRECTIONS = Corrections({}, {})


def read_corrections(path: Path, model: Model) -> Corrections:
    """Read a CSV file with the columns title, year, id and movie_id.

    A row is about the film with its id, or without an id about the film with its title and year. Rows with an empty
    movie_id are passed over.

    Raises
    ------
    InputError
        If the file cannot be read, lacks a column, names a movie that the model does not have, or says two things of
        one film.
    """
    try:
        file = read_csv(content_of(path, path.name), path.name)
    except InputError as error:
        raise InputError(error.message, _HINT) from error
    if not file.has("movie_id") or not (file.has("id") or file.has("title")):
        raise InputError(f"{path.name} lacks the column {'title' if file.has('movie_id') else 'movie_id'}.", _HINT)
    by_id: dict[str, int | None] = {}
    by_title: dict[tuple[str, int | None], int | None] = {}
    places: dict[object, str] = {}
    for row in file.rows:
        if not row["movie_id"]:
            continue
        place = f"{path.name}, line {row.line}"
        movie = _movie_row(row["movie_id"], model, place)
        title, key = from_spreadsheet(row["title"]), from_spreadsheet(row["id"])
        if not (title or key):
            raise InputError(f"{place} names no film.", _HINT)
        named = _named(title, year_of(row["year"]))
        if (by_id.get(key, movie) if key else by_title.get(named, movie)) != movie:
            raise InputError(
                f"{place} says another movie than an earlier line about the same film.", "Keep one of them."
            )
        if key:
            by_id[key] = movie
        else:
            by_title[named] = movie
        places[key or named] = f"line {row.line}, {title or key}" + (f" ({row['year']})" if row["year"] else "")
    return Corrections(by_id, by_title, places)


_HINT = (
    "Fill in the column movie_id of the report of films that were not found, and pass the report."
    f" Write {NONE} for a film that the model does not have."
)


def _movie_row(text: str, model: Model, place: str) -> int | None:
    if text.lower() == NONE:
        return None
    text = from_spreadsheet(text)
    wanted: PublicId | None = text
    if model.movie_id_kind == "integer":
        # Spreadsheets write whole numbers as 42.0.
        digits = text.removesuffix(".0")
        wanted = int(digits) if digits.removeprefix("-").isdecimal() and digits.isascii() and len(digits) < 20 else None
    row = None if wanted is None else model.movie_idx(wanted)
    if row is None:
        raise InputError(
            f"{place}: the model does not know movie {text!r}.", f"Find ids with: mlrec search TITLE. Or write {NONE}."
        )
    return row
