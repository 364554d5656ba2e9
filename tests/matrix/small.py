"""Data sets that a test writes out in full."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.matrix.files import Raw, put
from tests.matrix.oracle import NO_DURATIONS, Amounts, Described, Part

COLUMNS: Mapping[str, str | int] = {"user": "userId", "movie": "movieId", "rating": "rating", "time": "timestamp"}
MOVIE_COLUMNS: Mapping[str, str | int] = {"id": "movieId", "title": "title", "genres": "genres"}


def lines(rows: Sequence[Sequence[object]], separator: str = ",") -> str:
    return "".join(separator.join(map(str, row)) + "\n" for row in rows)


def opinions(
    users: Sequence[str], movies: Sequence[str], ratings: Sequence[str], times: Sequence[str], *, every: int = 1
) -> list[tuple[str, str, str, str]]:
    """A rating by each user of each movie, or of every `every`-th pair; ratings and times in turn."""
    pairs = [(user, movie) for user in users for movie in movies][::every]
    return [
        (user, movie, ratings[(number + number // 7) % len(ratings)], times[(number + number // 5) % len(times)])
        for number, (user, movie) in enumerate(pairs)
    ]


def described(
    text: str | bytes | Sequence[str | bytes],
    columns: Mapping[str, str | int] = COLUMNS,
    **how: Any,
) -> Described:
    """Text as a file, or several as part files; `how` says how to read it."""
    texts = [text] if isinstance(text, str | bytes) else text
    encoding = how.get("encoding", "utf-8")
    parts = [Part(one if isinstance(one, bytes) else one.encode(encoding)) for one in texts]
    return Described(tuple(parts), columns, **how)


def data_set(
    root: Path,
    files: Mapping[str, bytes | str],
    ratings: Described,
    movies: Described | None = None,
    *,
    amounts: Amounts = NO_DURATIONS,
    call: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Raw:
    """Write files below a folder, most often below `raw/`, and say how they are to be read.

    `settings` are those of prepare, without a filter unless they say otherwise; `call` is what else prepare is given.
    """
    put(root, {name: data if isinstance(data, bytes) else data.encode() for name, data in files.items()})
    given = {"raw": root / "raw"} if call is None else {name: _below(root, value) for name, value in call.items()}
    loose = {"min_user_ratings": 1, "min_movie_ratings": 1}
    return Raw(given, {**loose, **settings}, ratings, movies, amounts)


def _below(root: Path, place: str) -> str:
    return str(root / place)
