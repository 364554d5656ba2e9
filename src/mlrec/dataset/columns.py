"""Recognizing the columns of raw files by their names.

Case, underscores, blanks, dots and hyphens do not matter. The names of MovieLens win over all others. Otherwise, two
columns that could be the same thing are an error, because only the user knows which one is meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mlrec.dataset.sources import CSV_COLUMNS, AmountKind, Role
from mlrec.errors import InputError, shown
from mlrec.settings import PrepareSettings
from mlrec.untrusted_text import for_terminal

MOVIELENS_NAMES: Mapping[str, str] = {
    "user_id": "userId", "movie_id": "movieId", "rating": "rating", "timestamp": "timestamp", "title": "title",
    "genres": "genres", "year": "year", "imdb_id": "imdbId", "tmdb_id": "tmdbId",
}  # fmt: skip
"""mlrec's name of a column → its name in MovieLens, which messages use."""

OPTION_NAMES: Mapping[str, str] = {"user_id": "user", "movie_id": "movie", "rating": "rating", "timestamp": "time"}
"""mlrec's name of a column → its name in `--columns`."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_MOVIE_NAMES = _words(
    "movieid movie itemid item filmid film showid productid product isbn asin animeid bookid trackid artistid songid"
    " gameid tmdbid imdbid contentid articleid sku mid iid businessid videoid venueid stockcode beerid beerbeerid"
    " recipeid jokeid courseid postid"
)
_USER_NAMES = _words(
    "userid user uid username customerid customer memberid member accountid visitorid sessionid reviewerid personid"
    " clientid viewerid playerid profileid profilename reviewprofilename"
)
_COUNT_NAMES = _words("count counts plays playcount listens views clicks quantity qty purchases times")
_DURATION_NAMES = _words("seconds duration durationseconds watchtime listenedseconds")
_RATINGS_FILE: Mapping[str, frozenset[str]] = {
    "user_id": _USER_NAMES,
    "movie_id": _MOVIE_NAMES,
    "rating": _words(
        "rating ratings score stars preference value weight bookrating userrating yourrating overall reviewoverall rate"
    ),
    "timestamp": _words(
        "timestamp time ts datetime date createdat watchedat ratedat eventtime unixtime unixreviewtime reviewtime"
        " orderdate listenedat playedat updatedat dateadded reviewdate invoicedate purchasedate transactiondate tdat"
    ),
}
_MOVIES_FILE: Mapping[str, frozenset[str]] = {
    "movie_id": _MOVIE_NAMES | {"id"},
    "title": _words(
        "title name booktitle movietitle originaltitle primarytitle moviename filmname showname productname prodname"
        " itemname artistname trackname songname gamename"
    ),
    "year": _words("year releaseyear yearofpublication startyear"),
    "genres": _words("genres genre category categories"),
}
_LINKS_FILE: Mapping[str, frozenset[str]] = {
    "movie_id": _MOVIE_NAMES - {"imdbid", "tmdbid"},
    "imdb_id": frozenset({"imdbid"}),
    "tmdb_id": frozenset({"tmdbid"}),
}
_RECOMMENDATIONS_FILE: Mapping[str, frozenset[str]] = {
    "user_id": _USER_NAMES,
    "movie_id": _MOVIE_NAMES,
    "rank": _words("rank ranking position"),
    "score": _words("score scores prediction predictedrating rating"),
}
# Names of further ids and titles, which movies often have beside the one that is meant.
_FURTHER_NAMES = _words("imdbid tmdbid originaltitle")
_SHOWN_COLUMNS = 20


@dataclass(frozen=True)
class Line:
    """The line that names the columns, for messages.

    Attributes
    ----------
    place
        File and line, such as "ratings.csv, line 1".
    text
        The line as it is. None for a Parquet file, whose columns are in no line.
    """

    place: str
    text: str | None = None


@dataclass(frozen=True)
class Recognized:
    """The columns of a file.

    Attributes
    ----------
    columns
        In the order of the file: mlrec's name of a column that it uses, and the own name of any other.
    names
        mlrec's name → own name, of the columns that mlrec uses.
    amount_kind
        Of interactions: what the column `rating` has. None if there is no such column.
    """

    columns: tuple[str, ...]
    names: Mapping[str, str]
    amount_kind: AmountKind | None = None


def normalized(name: str) -> str:
    """A column's name without what does not matter in it."""
    return re.sub(r"[\s_.-]", "", name).casefold()


def movie_id_column(names: Sequence[str]) -> int | None:
    """Return the place of the column of movie ids among the columns of a list of movies; None if there is none."""
    keys = [normalized(name) for name in names]
    known = [place for place, key in enumerate(keys) if key in _MOVIES_FILE["movie_id"]]
    return min(known, key=lambda place: (keys[place] != "movieid", keys[place] in _FURTHER_NAMES, place), default=None)


def is_by_position(settings: PrepareSettings) -> bool:
    """Whether the settings give the columns by their positions, so that the ratings file has no header."""
    return bool(settings.columns) and all(re.fullmatch(r"[1-9]\d{0,5}", value) for _, value in settings.columns)


def required(role: Role, settings: PrepareSettings) -> tuple[str, ...]:
    """The columns that a file must have."""
    if role == "movies":
        return ("movie_id", "title")
    if role == "recommendations":
        return ("user_id", "movie_id")
    optional = {"rating"} if settings.implicit else set()
    return tuple(
        name
        for name in CSV_COLUMNS[role]
        if role != "ratings" or (name not in optional and (name != "timestamp" or settings.no_time is None))
    )


def likeness(role: Role, names: Sequence[str], settings: PrepareSettings, movie_name: str | None) -> int:
    """How many of the required columns these names could be."""
    found = _candidates(role, names, settings, movie_name)
    return sum(bool(found.get(name)) for name in required(role, settings))


def recognized(
    role: Role, names: Sequence[str], line: Line, settings: PrepareSettings, movie_name: str | None = None
) -> Recognized:
    """Recognize the columns of a file.

    Parameters
    ----------
    role
        What the file contains.
    names
        Its columns' names.
    line
        Where they are.
    settings
        Columns that the user names, and whether the file needs ratings and times.
    movie_name
        The name of the movies' column in the ratings file, which a file of movies or links may have, too.

    Raises
    ------
    InputError
        If a required column is missing, or several could be it.
    """
    found = _candidates(role, names, settings, movie_name)
    if missing := [name for name in required(role, settings) if not found.get(name)]:
        raise _lacking(role, names, missing, line, settings)
    for name, places in found.items():
        if len(places) > 1:
            raise _several(role, name, [names[place] for place in places], line, movie_name)
    by_place = {places[0]: name for name, places in found.items() if places}
    if len(by_place) < sum(map(bool, found.values())):
        raise InputError(
            f"{line.place}: --columns names one column for two things.", "Give each thing a column of its own."
        )
    return Recognized(
        columns=tuple(by_place.get(place, _unused(name)) for place, name in enumerate(names)),
        names={name: names[place] for place, name in sorted(by_place.items())},
        amount_kind=_amount_kind(names, found.get("rating", [])) if settings.implicit else None,
    )


def by_position(width: int, line: Line, settings: PrepareSettings) -> Recognized:
    """The columns of a ratings file without a header, at the positions that the settings give.

    Raises
    ------
    InputError
        If a position is beyond the last column, or a required column has none.
    """
    places = {_mlrec_name(role): int(position) - 1 for role, position in settings.columns}
    if missing := [name for name in required("ratings", settings) if name not in places]:
        wanted = ",".join(f"{OPTION_NAMES[name]}=POSITION" for name in missing)
        raise InputError(
            f"--columns gives positions, but not that of {_listed(MOVIELENS_NAMES[name] for name in missing)}."
            f" {_seen(line)}",
            f"Add to --columns: {wanted}{_otherwise(missing)}",
        )
    for name, place in places.items():
        if place >= width:
            raise InputError(
                f"{line.place}: there is no column {place + 1} for the {OPTION_NAMES[name]}; there are {width}."
                f" {_seen(line)}",
                "Positions count from 1. If the fields are separated otherwise, add --separator.",
            )
    if len(set(places.values())) < len(places):
        raise InputError("--columns gives one position for two things.", "Give each thing a column of its own.")
    if settings.no_time is not None:
        places.pop("timestamp", None)
    by_place = {place: name for name, place in places.items()}
    return Recognized(
        columns=tuple(by_place.get(place, f"column {place + 1}") for place in range(width)),
        names={name: f"column {place + 1}" for place, name in sorted(by_place.items())},
        amount_kind="count" if settings.implicit and "rating" in places else None,
    )


def _mlrec_name(option: str) -> str:
    return next(name for name, own in OPTION_NAMES.items() if own == option)


def _unused(name: str) -> str:
    """The name of a column that is not used: never one of mlrec's own."""
    return f"other {name}" if name in MOVIELENS_NAMES else name


def _known_names(role: Role, settings: PrepareSettings) -> dict[str, frozenset[str]]:
    if role == "movies":
        return dict(_MOVIES_FILE)
    if role == "links":
        return dict(_LINKS_FILE)
    if role == "recommendations":
        return dict(_RECOMMENDATIONS_FILE)
    known = dict(_RATINGS_FILE)
    if settings.implicit:
        known["rating"] |= _COUNT_NAMES | _DURATION_NAMES
    if settings.no_time is not None:
        del known["timestamp"]
    return known


def _candidates(
    role: Role, names: Sequence[str], settings: PrepareSettings, movie_name: str | None
) -> dict[str, list[int]]:
    """Mlrec's names → the places of the columns that it could be."""
    keys = [normalized(name) for name in names]
    given = {_mlrec_name(option): own for option, own in settings.columns} if role == "ratings" else {}
    chosen = {name: _named(own, names, keys) for name, own in given.items()}
    taken = {place for places in chosen.values() for place in places}
    found = {}
    for name, known in _known_names(role, settings).items():
        if name in chosen:
            found[name] = chosen[name]
            continue
        free = [place for place in range(len(names)) if place not in taken]
        exact = [place for place in free if keys[place] == normalized(MOVIELENS_NAMES.get(name, name))]
        shared = [
            place for place in free if name == "movie_id" and movie_name and keys[place] == normalized(movie_name)
        ]
        others = [place for place in free if keys[place] in known]
        first = [place for place in others if role != "movies" or keys[place] not in _FURTHER_NAMES]
        found[name] = exact or shared or first or others
    return found


def _named(own: str, names: Sequence[str], keys: Sequence[str]) -> list[int]:
    """The places of the columns of a name that the user gave."""
    exact = [place for place, name in enumerate(names) if name == own]
    return exact or [place for place, key in enumerate(keys) if key == normalized(own)]


def _amount_kind(names: Sequence[str], places: Sequence[int]) -> AmountKind | None:
    if not places:
        return None
    return "duration" if normalized(names[places[0]]) in _DURATION_NAMES else "count"


# -- messages ----------------------------------------------------------------------------------------------------------


def _seen(line: Line) -> str:
    return "" if line.text is None else f"The line is {shown(line.text) if line.text else 'empty'}."


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def _columns_of(names: Sequence[str]) -> str:
    some = _listed(for_terminal(name)[:60] for name in names[:_SHOWN_COLUMNS])
    return f"Its columns are {some}{', …' if len(names) > _SHOWN_COLUMNS else ''}."


def _otherwise(missing: Sequence[str]) -> str:
    ways = {"timestamp": "--no-time file if there are no times", "rating": "--implicit if rows are interactions"}
    options = [ways[name] for name in missing if name in ways]
    return f" (or use {', and '.join(options)})" if options and len(missing) == len(options) else ""


def _lacking(
    role: Role, names: Sequence[str], missing: Sequence[str], line: Line, settings: PrepareSettings
) -> InputError:
    given = dict(settings.columns) if role == "ratings" else {}
    wrong = [given[OPTION_NAMES[name]] for name in missing if OPTION_NAMES.get(name) in given]
    if wrong:
        message = f"{line.place}: there is no column {shown(wrong[0])}."
    else:
        what = "the header lacks" if line.text is not None else "there is no column"
        message = f"{line.place}: {what} {_listed(MOVIELENS_NAMES[name] for name in missing)}."
    shape = " ".join(part for part in (_seen(line), _columns_of(names) if len(names) > 1 else "") if part)
    if role == "recommendations":
        return InputError(f"{message} {shape}".rstrip(), "Name the columns user_id, movie_id, and rank or score.")
    if role != "ratings":
        wanted = ",".join(MOVIELENS_NAMES[name] for name in CSV_COLUMNS[role])
        way_out = ". Or move the file away, to go on with ids as titles." if role == "movies" else ""
        return InputError(f"{message} {shape}".rstrip(), f"The first line should be {wanted}{way_out}")
    by_name = ",".join(f"{OPTION_NAMES[name]}=NAME" for name in missing)
    hint = f"Name the column: --columns {by_name}{_otherwise(missing)}"
    if len(missing) == len(required(role, settings)) and not wrong and line.text is not None:
        header = ",".join(MOVIELENS_NAMES[name] for name in missing)
        positions = ",".join(f"{OPTION_NAMES[name]}={place}" for place, name in enumerate(missing, 1))
        hint = (
            f"The first line should be {header}. If the file has no header, say which column is which, for example:"
            f" --columns {positions}{_otherwise(missing)}"
        )
    return InputError(f"{message} {shape}".rstrip(), hint)


def _several(role: Role, name: str, names: Sequence[str], line: Line, movie_name: str | None) -> InputError:
    names = [for_terminal(one)[:60] for one in names]
    if len({normalized(one) for one in names}) == 1:
        twice = f"{MOVIELENS_NAMES.get(name, name)} twice: {' and '.join(names)}"
        message = f"{line.place}: the header names {twice}. {_seen(line)}"
        return InputError(message.rstrip(), "Give each column a different name.")
    what = OPTION_NAMES.get(name, name) if role == "ratings" else {"movie_id": "movie's id"}.get(name, name)
    many = {2: "two", 3: "three"}.get(len(names), str(len(names)))
    message = f"{line.place}: {many} columns could be the {what}: {_listed(names[:-1])} and {names[-1]}."
    if role == "ratings":
        return InputError(message, f"Choose one: --columns {what}={names[0]}")
    wanted = movie_name if name == "movie_id" and movie_name else MOVIELENS_NAMES.get(name, name)
    return InputError(message, f"Rename the right one to {wanted}.")
