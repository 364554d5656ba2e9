"""Corrections by hand: which movie a film of an export is, in the form of the report of films that were not found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlrec.artifacts.model_folder import Model
from mlrec.errors import InputError
from mlrec.ids import PublicId
from mlrec.own_films.matching import Film
from mlrec.own_films.rows import read_csv, year_of

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
        Title, in any case, and year → the same.
    """

    by_id: Mapping[str, int | None]
    by_title: Mapping[tuple[str, int | None], int | None]

    def __len__(self) -> int:
        """Return the number of corrections."""
        return len(self.by_id) + len(self.by_title)

    def knows(self, film: Film, key: str) -> tuple[bool, int | None]:
        """Whether a film is corrected, and its movie row."""
        if key in self.by_id:
            return True, self.by_id[key]
        named = (film.title.casefold(), film.year)
        return named in self.by_title, self.by_title.get(named)


NO_CORRECTIONS = Corrections({}, {})


def read_corrections(path: Path, model: Model) -> Corrections:
    """Read a CSV file with the columns title, year, id and movie_id.

    A row is about the film with its id, or without an id about the film with its title and year. Rows with an empty
    movie_id are passed over.

    Raises
    ------
    InputError
        If the file cannot be read, lacks a column, or names a movie that the model does not have.
    """
    try:
        file = read_csv(path.read_bytes(), path.name)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.", _HINT) from error
    if not file.has("movie_id") or not (file.has("id") or file.has("title")):
        raise InputError(f"{path.name} lacks the column {'title' if file.has('movie_id') else 'movie_id'}.", _HINT)
    by_id: dict[str, int | None] = {}
    by_title: dict[tuple[str, int | None], int | None] = {}
    for row in file.rows:
        if not row["movie_id"]:
            continue
        movie = _movie_row(row["movie_id"], model, f"{path.name}, line {row.line}")
        title, key = _plain(row["title"]), _plain(row["id"])
        if key:
            by_id[key] = movie
        elif title:
            by_title[title.casefold(), year_of(row["year"])] = movie
    return Corrections(by_id, by_title)


_HINT = (
    "Fill in the column movie_id of the report of films that were not found, and pass the report."
    f" Write {NONE} for a film that the model does not have."
)


def _movie_row(text: str, model: Model, place: str) -> int | None:
    if text.lower() == NONE:
        return None
    text = _plain(text)
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


def _plain(text: str) -> str:
    """A text without the apostrophe that reports put before what a spreadsheet would take for a formula."""
    return text[1:] if text[:1] == "'" and text[1:].lstrip()[:1] in ("=", "+", "-", "@") else text
