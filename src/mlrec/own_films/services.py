"""How each service writes its exports: which files say something about films, and what their rows mean."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import PurePosixPath
from typing import Any

from mlrec.errors import InputError
from mlrec.own_films.dates import DayOrder, day_order, seconds_of
from mlrec.own_films.matching import Film
from mlrec.own_films.rows import (
    SHOWN,
    BadRow,
    CsvFile,
    CsvRow,
    FilmRow,
    Rows,
    Says,
    Service,
    decoded,
    imdb_id_of,
    stars_of,
    year_of,
)
from mlrec.serving.stores.interface import latest_moment

# -- Letterboxd --------------------------------------------------------------------------------------------------------

_LETTERBOXD = ("name", "year", "letterboxd uri")
# Files without ratings have the same columns, so their names say what they mean. Browsers number copies: "watched (1)".
_BY_NAME: Mapping[str, Says] = {"watched": "seen", "watchlist": "nothing", "films": "like"}
_COPY = re.compile(r"(\w+?)[\s_-]*(?:\(?\d*\)?)")


def is_letterboxd(file: CsvFile) -> bool:
    """Whether a file is one of Letterboxd's with a film in each row."""
    return file.has(*_LETTERBOXD)


def read_letterboxd(file: CsvFile, name: str) -> Rows:
    """Read a file of Letterboxd: ratings.csv, diary.csv, reviews.csv, watched.csv, watchlist.csv or likes/films.csv.

    The diary and the reviews have the addresses of their entries, not of the films.

    Raises
    ------
    InputError
        If the name is needed to tell what the file means, and does not.
    """
    stem = PurePosixPath(name).stem.lower()
    match = _COPY.fullmatch(stem)
    without_rating = _BY_NAME.get(match[1] if match else stem)
    is_diary = file.has("watched date")
    if without_rating is None and not file.has("rating"):
        raise InputError(
            f"{file.label} has films of Letterboxd, but does not say whether they were watched, liked or wanted.",
            "Give the file its original name: watched.csv, watchlist.csv or films.csv.",
        )
    return [_of_letterboxd(row, file, without_rating, is_diary=is_diary) for row in file.rows]


def _of_letterboxd(row: CsvRow, file: CsvFile, without_rating: Says | None, *, is_diary: bool) -> FilmRow | BadRow:
    film = Film(row["name"], year_of(row["year"]))
    says, stars, fault = _rating(row["rating"], of=5, without=without_rating or "seen")
    key = "" if is_diary else row["letterboxd uri"]
    return _row("letterboxd", file, row, film, key, says, stars, row["watched date"] or row["date"], fault)


# -- IMDb --------------------------------------------------------------------------------------------------------------

# What the generations of the export call the columns of rating and date.
_IMDB_RATING = ("your rating", "you rated")
_IMDB_DATE = ("date rated", "created")
_EPISODES = re.compile(r"tv\s*episode|podcast|music\s*video|video\s*game", re.IGNORECASE)


def is_imdb(file: CsvFile) -> bool:
    """Whether a file is a list of titles of IMDb."""
    return file.has("const")


def read_imdb(file: CsvFile) -> Rows:
    """Read ratings.csv of IMDb, or a list or watchlist, whose rows without a rating say nothing."""
    rating, day = (
        next((name for name in names if name in file.columns), names[0]) for names in (_IMDB_RATING, _IMDB_DATE)
    )
    order, _ = day_order((row[day] for row in file.rows), _today())
    found: Rows = []
    for row in file.rows:
        film = Film(row["title"], year_of(row["year"]), row["original title"] or None, imdb_id_of(row["const"]))
        says, stars, fault = _rating(row[rating], of=10, without="nothing")
        if _EPISODES.search(row["title type"]):
            fault = f"not a film, but a {row['title type']}"
        found.append(_row("imdb", file, row, film, row["const"], says, stars, row[day], fault, order))
    return found


# -- Netflix -----------------------------------------------------------------------------------------------------------

_SERIES = re.compile(
    r":\s*(season|series|part|volume|vol\.|book|chapter|limited series|collection|staffel|saison|temporada|stagione"
    r"|seizoen|säsong|sezon|сезон)\s*\w*\s*(:|$)",
    re.IGNORECASE,
)


def is_netflix(file: CsvFile) -> bool:
    """Whether a file is a viewing history of Netflix."""
    return set(file.columns) == {"title", "date"}


def read_netflix(file: CsvFile) -> tuple[Rows, list[str]]:
    """Read NetflixViewingHistory.csv. Returns what is worth telling, too."""
    order, is_shown = day_order((row["date"] for row in file.rows), _today())
    notes = []
    if not is_shown:
        notes.append(f"{file.label}: nothing shows whether 3/4 is in March or in April. It is taken for March.")
    found: Rows = []
    for row in file.rows:
        fault = "an episode of a series" if _SERIES.search(row["title"]) else None
        found.append(_row("netflix", file, row, Film(row["title"]), "", "seen", None, row["date"], fault, order))
    return found, notes


# -- Trakt -------------------------------------------------------------------------------------------------------------

_LONGEST_TMDB_ID = 12
_TIMES = ("rated_at", "last_watched_at", "watched_at", "listed_at", "collected_at")
_OTHER_KINDS = ("show", "episode", "season", "person", "list")


def read_trakt(content: bytes, label: str) -> Rows | None:
    """Read a JSON file of Trakt: ratings, what was watched, or a watchlist. None if it is something else.

    Raises
    ------
    InputError
        If the file is not JSON, or is nested deeper than any export.
    """
    try:
        document = json.loads(decoded(content, label))
    except RecursionError:
        raise InputError(f"{label} is nested too deeply to be an export.", "Pass the export as downloaded.") from None
    except ValueError as error:
        raise InputError(f"{label} is not JSON: {error}.", "Pass the export as it was downloaded.") from error
    if isinstance(document, dict):
        lists = [value for value in document.values() if isinstance(value, list)]
        document = lists[0] if len(lists) == 1 else None
    if not isinstance(document, list):
        return None
    entries = [(number, entry) for number, entry in enumerate(document, 1) if isinstance(entry, dict)]
    if document and not any(any(time in entry for time in _TIMES) for _, entry in entries):
        return None
    return [row for number, entry in entries if (row := _of_trakt(entry, number, label)) is not None]


def _of_trakt(entry: Mapping[str, Any], number: int, label: str) -> FilmRow | BadRow | None:
    nested = entry.get("movie")
    if not isinstance(nested, dict):
        if any(isinstance(entry.get(kind), dict) for kind in _OTHER_KINDS) or entry.get("type") in _OTHER_KINDS:
            return None  # ratings of shows and episodes
        nested = entry
    ids = nested.get("ids") if isinstance(nested.get("ids"), dict) else nested
    assert isinstance(ids, dict)
    imdb, tmdb = (ids.get(name, ids.get(f"{name}_id")) for name in ("imdb", "tmdb"))
    title = nested.get("title")
    film = Film(
        title if isinstance(title, str) else "",
        year_of(str(nested.get("year"))),
        None,
        imdb_id_of(imdb) if isinstance(imdb, str) else None,
        _tmdb_id(tmdb),
    )
    time = next((time for time in _TIMES if isinstance(entry.get(time), str)), "")
    without: Says = "nothing" if time in ("listed_at", "collected_at") else "seen"
    rating = entry.get("rating")
    says, stars, fault = _rating("" if rating is None else str(rating), of=10, without=without)
    written = entry[time] if time else ""
    at = seconds_of(written)
    text = f"{film.title} ({film.year or '?'})"[:SHOWN]
    if (fault := fault or _fault(film, written, at)) is not None:
        return BadRow(label, number, text, film, fault)
    key = film.imdb_id or (f"tmdb {film.tmdb_id}" if film.tmdb_id else "")
    return FilmRow("trakt", label, number, text, film, key, says, stars, at)


def _tmdb_id(value: Any) -> int | None:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < _LONGEST_TMDB_ID else None


# -- common ------------------------------------------------------------------------------------------------------------


def _rating(text: str, *, of: float, without: Says) -> tuple[Says, float | None, str | None]:
    """What a rating says: stars, or what the row says without one, or a fault."""
    if not text.strip():
        return without, None, None
    stars = stars_of(text, of=of)
    if stars is None:
        return without, None, f"rating {text[:40]!r} is not above 0 and up to {of:g}"
    return "rating", stars, None


def _row(
    service: Service,
    file: CsvFile,
    row: CsvRow,
    film: Film,
    key: str,
    says: Says,
    stars: float | None,
    written: str,
    fault: str | None,
    order: DayOrder = "month first",
) -> FilmRow | BadRow:
    at = seconds_of(written, order)
    if not row.is_whole:
        fault = "another number of fields than the header"
    if (fault := fault or _fault(film, written, at)) is not None:
        return BadRow(file.label, row.line, row.text, film, fault)
    return FilmRow(service, file.label, row.line, row.text, film, key, says, stars, at)


def _fault(film: Film, written: str, at: int | None) -> str | None:
    """What is wrong with a row of any service, given its date as it is written and as it was read."""
    if written and at is None:
        return f"unreadable date {written[:40]!r}"
    if at is not None and not 0 <= at <= latest_moment():
        return "date before 1970" if at < 0 else "date in the future"
    return None if film.title or film.imdb_id or film.tmdb_id else "no title"


def _today() -> date:
    return datetime.now(UTC).date()


def known_files(names: Iterable[str]) -> list[str]:
    """Names of the files that may be part of an export, without what Letterboxd calls deleted and orphaned."""
    found = []
    for name in names:
        path = PurePosixPath(name)
        folders = {part.lower() for part in path.parts[:-1]}
        is_hidden = any(part.startswith((".", "__MACOSX")) for part in path.parts)
        if path.suffix.lower() in (".csv", ".json") and not is_hidden and not folders & {"deleted", "orphaned"}:
            found.append(name)
    return sorted(found)
