"""Raw data for tests of prepare, and ways to inspect the result."""

from __future__ import annotations

import csv
import gzip
import io
import random
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from mlrec.dataset.database import literal
from mlrec.ranking.standing_swipes import StandingSwipes
from mlrec.settings import PrepareSettings
from mlrec.workspace import Workspace
from tests.integration.prepare.definitions import Rating, Swiped
from tests.queries import query

RATINGS_HEADER = "userId,movieId,rating,timestamp"
MOVIES_HEADER = "movieId,title,genres"


def loose(**settings: Any) -> PrepareSettings:
    """Settings with which nothing is filtered and no number of bad rows is too many."""
    how: dict[str, Any] = {"min_user_ratings": 1, "min_movie_ratings": 1, "max_reject_share": 1.0, "max_rating": 5.0}
    how |= {"user_ids": "integer", "movie_ids": "integer"}
    return PrepareSettings(**{**how, **settings})


def swipe_table(swipes: Iterable[Swiped]) -> StandingSwipes:
    """As the store of an app gives them."""
    rows = [(*swipe, event_id) for event_id, swipe in enumerate(swipes, 1)]
    return StandingSwipes(*np.array(rows, dtype=np.int64).reshape(-1, 5).T)


def csv_lines(ratings: Iterable[Rating]) -> list[str]:
    return [f"{r.user_id},{r.movie_id},{r.rating},{r.timestamp}" for r in ratings]


def text_of(header: str, lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in (header, *lines))


def write_raw(
    root: Path, ratings: Iterable[str], movies: Iterable[str] | int = 9, links: Iterable[str] | None = None
) -> Workspace:
    """A workspace with these lines of ratings.csv, and movies by their lines or by their number, counted from 1."""
    raw = root / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    if isinstance(movies, int):
        movies = [f"{movie_id},Movie {movie_id} (1990),Drama" for movie_id in range(1, movies + 1)]
    (raw / "ratings.csv").write_text(text_of(RATINGS_HEADER, ratings))
    (raw / "movies.csv").write_text(text_of(MOVIES_HEADER, movies))
    if links is not None:
        (raw / "links.csv").write_text(text_of("movieId,imdbId,tmdbId", links))
    return Workspace(root)


def crowd(seed: int, users: int = 30, movies: int = 25, ratings: int = 900) -> list[Rating]:
    """Ratings with long tails, ties in time and duplicates."""
    chance = random.Random(seed)

    def long_tail(n: int) -> int:
        return 1 + min(chance.randrange(n), chance.randrange(n))

    return [
        Rating(long_tail(users), long_tail(movies), chance.randrange(1, 11) / 2, 10**9 + chance.randrange(300))
        for _ in range(ratings)
    ]


def rows_of(path: Path) -> list[tuple[Any, ...]]:
    """The rows of a file, or of a folder of part files."""
    path = Path(literal(path), "*.parquet") if path.is_dir() else path
    return query("FROM read_parquet($path, hive_partitioning = false)", {"path": str(path)})


def split_rows(workspace: Workspace) -> dict[str, list[tuple[Any, ...]]]:
    return {name: rows_of(workspace.prepared.root / f"{name}.parquet") for name in ("train", "val", "test")}


def movie_rows(workspace: Workspace) -> list[tuple[Any, ...]]:
    return rows_of(workspace.prepared.root / "movies.parquet")


def rejects(path: Path) -> list[tuple[str, int, str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return [(row["file"], int(row["line"]), row["text"], row["reason"]) for row in csv.DictReader(file)]


def snapshot(folder: Path) -> dict[str, bytes]:
    """The bytes of every file of a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def zipped(files: dict[str, bytes]) -> dict[str, bytes]:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(f"ml/{name}", data)
    return {"ml.zip": content.getvalue()}


def gzipped(files: dict[str, bytes]) -> dict[str, bytes]:
    return {f"{name}.gz": gzip.compress(data) for name, data in files.items()}


RATED_AT = 10**9 + 300
"""Later than every rating of `crowd`."""
