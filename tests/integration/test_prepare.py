"""Raw files to the prepared folder, against a second implementation of the definitions in plain Python."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import math
import random
import shutil
import tempfile
import threading
import zipfile
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlrec.artifacts import prepared
from mlrec.artifacts.prepared import read_manifest
from mlrec.dataset.database import literal
from mlrec.dataset.editions import ML_100K_GENRES
from mlrec.dataset.prepare import _RULES_VERSION, Prepared, prepare
from mlrec.dataset.reading import read_prepared
from mlrec.dataset.ties import Ties
from mlrec.errors import (
    EmptyResultError,
    InputError,
    PreparedDataMissingError,
    SettingsError,
    TooManyRejectsError,
    WorkspaceLockedError,
)
from mlrec.ranking.standing_swipes import StandingSwipes
from mlrec.settings import PrepareSettings
from mlrec.workspace import PreparedFiles, Workspace

RATINGS_HEADER = "userId,movieId,rating,timestamp"
MOVIES_HEADER = "movieId,title,genres"
REQUIRED: dict[str, Any] = {"fingerprint": "", "settings": {}, "splits": {}}
"""What every manifest has."""
INT64_MAX = 2**63 - 1


class Rating(NamedTuple):
    user_id: int
    movie_id: int
    rating: float
    timestamp: int


# -- the definitions once more, in plain Python ----------------------------------------------------------------------


def drop_duplicates(ratings: Iterable[Rating]) -> list[Rating]:
    """The same user and movie twice: the latest stands, on equal timestamps the higher rating."""
    by_age = sorted(ratings, key=lambda rating: (rating.timestamp, rating.rating))
    return list({(rating.user_id, rating.movie_id): rating for rating in by_age}.values())


def core_rounds(ratings: list[Rating], min_user: int, min_movie: int) -> list[list[Rating]]:
    """What is left after each round of the filter, the last one being the first that changes nothing."""
    rounds: list[list[Rating]] = []
    while True:
        per_movie = Counter(rating.movie_id for rating in ratings)
        left = [rating for rating in ratings if per_movie[rating.movie_id] >= min_movie]
        per_user = Counter(rating.user_id for rating in left)
        left = [rating for rating in left if per_user[rating.user_id] >= min_user]
        rounds.append(left)
        if len(left) == len(ratings):
            return rounds
        ratings = left


class Swiped(NamedTuple):
    user_id: int
    movie_id: int
    preference: int
    at: int


def merged(ratings: Iterable[Rating], swipes: Iterable[Swiped], how: PrepareSettings) -> list[Rating]:
    """Latest opinions of ratings and standing swipes; of the same second the swipe stands, and a skip is no opinion."""
    tops = dict(zip((-2, -1, 1, 2), (*how.cut_points, how.max_rating), strict=True))
    standing = {(rating.user_id, rating.movie_id): rating for rating in drop_duplicates(ratings)}
    for user_id, movie_id, preference, at in swipes:
        rating = standing.get((user_id, movie_id))
        if rating is None or at >= rating.timestamp:
            standing.pop((user_id, movie_id), None)
            if preference:
                standing[user_id, movie_id] = Rating(user_id, movie_id, tops[preference], at)
    return list(standing.values())


def bucket(rating: float, cut_points: Sequence[float]) -> int:
    return (-2, -1, 1, 2)[sum(rating > cut_point for cut_point in cut_points)]


def split_by_user(ratings: list[Rating], how: PrepareSettings) -> dict[str, list[Rating]]:
    def place(rating: Rating) -> tuple[Any, ...]:
        if how.ties == "movie-id":
            return rating.timestamp, rating.movie_id
        dealt = f"{how.random_seed}:{rating.user_id + how.user_offset}:{rating.movie_id}"
        return rating.timestamp, hashlib.md5(dealt.encode()).hexdigest()

    ratio = how.split_ratio
    splits: dict[str, list[Rating]] = {"train": [], "val": [], "test": []}
    for user_id in sorted({rating.user_id for rating in ratings}):
        history = sorted((rating for rating in ratings if rating.user_id == user_id), key=place)
        n = len(history)
        train, val = n * ratio[0] // sum(ratio), n * ratio[1] // sum(ratio)
        if n < 3:
            train, val = n, 0
        parts = {"train": history[:train], "val": history[train : train + val], "test": history[train + val :]}
        for name, part in parts.items():
            splits[name] += sorted(part, key=lambda r: (r.timestamp, r.movie_id))
    return splits


def ties_of(splits: dict[str, list[Rating]]) -> dict[str, int]:
    """Users of whom something is held out, and what ties do to them."""
    times = {
        user_id: {name: [r.timestamp for r in part if r.user_id == user_id] for name, part in splits.items()}
        for user_id in {rating.user_id for part in ("val", "test") for rating in splits[part]}
    }
    cut, mostly = 0, 0
    for of_user in times.values():
        distinct = [timestamp for part in of_user.values() for timestamp in set(part)]
        cut += len(distinct) > len(set(distinct))
        held_out = [timestamp in of_user["train"] for timestamp in of_user["val"] + of_user["test"]]
        mostly += 2 * sum(held_out) >= len(held_out)
    return {"users": len(times), "users_cut_in_ties": cut, "users_held_out_by_ties": mostly}


def split_by_moments(ratings: list[Rating], how: PrepareSettings) -> dict[str, list[Rating]]:
    ratio = how.split_ratio
    times = sorted(rating.timestamp for rating in ratings)
    val_position = len(times) * ratio[0] // sum(ratio)
    test_position = val_position + len(times) * ratio[1] // sum(ratio)
    never = INT64_MAX
    val_from, test_from = ((*times, never)[position] for position in (val_position, test_position))
    splits: dict[str, list[Rating]] = {"train": [], "val": [], "test": []}
    for rating in sorted(ratings, key=lambda r: (r.user_id, r.timestamp, r.movie_id)):
        name = "test" if rating.timestamp >= test_from else "val" if rating.timestamp >= val_from else "train"
        splits[name].append(rating)
    return splits


def expected_rows(core: list[Rating], how: PrepareSettings) -> dict[str, list[tuple[int, int, int, int]]]:
    """The rows of each split, in order."""
    split = split_by_user if how.split == "user-time" else split_by_moments
    return {
        name: [
            (r.user_id + how.user_offset, r.movie_id, bucket(r.rating, how.cut_points), r.timestamp) for r in ratings
        ]
        for name, ratings in split(core, how).items()
    }


def counts(name: str, ratings: list[Rating]) -> dict[str, Any]:
    return {
        "name": name,
        "ratings": len(ratings),
        "users": len({rating.user_id for rating in ratings}),
        "movies": len({rating.movie_id for rating in ratings}),
    }


# -- builders --------------------------------------------------------------------------------------------------------


def loose(**settings: Any) -> PrepareSettings:
    """Settings with which nothing is filtered and no number of bad rows is too many."""
    return PrepareSettings(**{"min_user_ratings": 1, "min_movie_ratings": 1, "max_reject_share": 1.0, **settings})


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
    with duckdb.connect() as connection:
        return connection.execute("FROM read_parquet($path, hive_partitioning = false)", {"path": str(path)}).fetchall()


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


# -- against the definitions -----------------------------------------------------------------------------------------

BAD_ROWS = {
    "x,1,4.0,5": "unparsable userId",
    "1,99,4.0,5": "unknown movie",
    "1,1,4.0": "missing field",
    "1,1,5.5,5": "rating out of range",
    "1,1,4.0,": "empty timestamp",
    f"{INT64_MAX + 1},1,4.0,5": "userId beyond int64",
}

good_rows = st.builds(
    Rating,
    user_id=st.integers(-1, 5),
    movie_id=st.integers(1, 6),
    rating=st.sampled_from([0.5, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0]),
    timestamp=st.integers(0, 6),
)
tables = st.lists(good_rows | st.sampled_from(sorted(BAD_ROWS)), max_size=70)
divisions = st.sampled_from(
    [{"split": "user-time"}, {"split": "global-time"}, {"ties": "random"}, {"ties": "random", "random_seed": 2**32 - 1}]
)
ways = st.builds(
    lambda division, **others: loose(**division, **others),
    divisions,
    min_user_ratings=st.integers(1, 4),
    min_movie_ratings=st.integers(1, 4),
    split_ratio=st.sampled_from([(8, 1, 1), (1, 1, 1), (3, 1, 0), (1, 0, 0)]),
    user_offset=st.sampled_from([0, 10**6]),
)


@pytest.mark.parametrize("row", BAD_ROWS)
def test_a_single_bad_row_is_named(tmp_path, row):
    """Each kind alone: the quick way must not take any of them for good."""
    workspace = write_raw(tmp_path, [*csv_lines([Rating(1, 1, 4.0, 5)]), row], movies=6)
    manifest = prepare(workspace, loose(min_user_ratings=1, min_movie_ratings=1, max_reject_share=0.5)).manifest
    assert rejects(workspace.prepared.rejects) == [("ratings.csv", 3, row, BAD_ROWS[row])]
    assert manifest["input"]["rows"]["ratings"] == 2


@settings(max_examples=20, deadline=None)
@given(tables, ways)
def test_any_table_gives_what_the_definitions_say(table, how):
    lines = [csv_lines([row])[0] if isinstance(row, Rating) else row for row in table]
    ratings = [row for row in table if isinstance(row, Rating)]
    standing = drop_duplicates(ratings)
    rounds = core_rounds(standing, how.min_user_ratings, how.min_movie_ratings)
    with tempfile.TemporaryDirectory() as root:
        workspace = write_raw(Path(root), lines, movies=6)
        if not rounds[-1]:
            with pytest.raises(EmptyResultError):
                prepare(workspace, how)
            return
        manifest = prepare(workspace, how).manifest
        rows = expected_rows(rounds[-1], how)
        assert split_rows(workspace) == rows
        assert rejects(workspace.prepared.rejects) == [
            ("ratings.csv", line, row, BAD_ROWS[row]) for line, row in enumerate(table, 2) if isinstance(row, str)
        ]
    assert manifest["steps"] == [
        counts("read", ratings),
        counts("deduplicated", standing),
        *(counts(f"core round {i}", left) for i, left in enumerate(rounds, 1)),
    ]
    assert manifest["splits"] == {name: len(events) for name, events in rows.items()}
    if how.split == "user-time":
        assert manifest["ties"] == {"rule": how.ties, **ties_of(split_by_user(rounds[-1], how))}
    else:
        assert manifest["ties"] is None


def as_shown(text: str) -> str:
    """A spreadsheet would compute text that begins with a minus."""
    return f"'{text}" if text.startswith("-") else text


swipes_of_a_table = st.lists(
    st.builds(
        Swiped,
        user_id=st.integers(-1, 9),
        movie_id=st.integers(1, 7),
        preference=st.integers(-2, 2),
        at=st.integers(-1, 8),
    ),
    max_size=30,
    unique_by=lambda swipe: swipe[:2],
)


@settings(max_examples=20, deadline=None)
@given(st.lists(good_rows, min_size=1, max_size=70), swipes_of_a_table, st.sets(st.integers(-1, 9), max_size=3), ways)
def test_any_swipes_and_forgotten_users_give_what_the_definitions_say(ratings, swipes, forgotten, how):
    """Ids in the raw files are moved by the offset, those of swipes and of forgotten users are not."""
    offset, plain = how.user_offset, replace(how, user_offset=0)
    moved = [rating._replace(user_id=rating.user_id + offset) for rating in ratings]
    swipes = [swipe._replace(user_id=swipe.user_id + offset) for swipe in swipes]
    forgotten = {user_id + offset for user_id in forgotten}

    known = [rating for rating in moved if rating.user_id not in forgotten]
    told = [swipe for swipe in swipes if swipe.user_id not in forgotten]
    good = [swipe for swipe in told if swipe.movie_id <= 6 and swipe.at >= 0]
    standing = merged(known, good, plain)
    rounds = core_rounds(standing, how.min_user_ratings, how.min_movie_ratings)
    with tempfile.TemporaryDirectory() as root:
        workspace = write_raw(Path(root), csv_lines(ratings), movies=6)
        if not rounds[-1]:
            with pytest.raises(EmptyResultError):
                prepare(workspace, how, swipes=swipe_table(swipes), forgotten=forgotten)
            return
        manifest = prepare(workspace, how, swipes=swipe_table(swipes), forgotten=forgotten).manifest
        rows = expected_rows(rounds[-1], plain)
        assert split_rows(workspace) == rows
        rejected = rejects(workspace.prepared.rejects)
    reason = {True: "timestamp out of range", False: "unknown movie"}
    assert rejected == [
        ("swipe log", line, as_shown(",".join(map(str, swipe))), reason[swipe.at < 0])
        for line, swipe in enumerate(swipes, 1)
        if swipe in told and swipe not in good
    ]
    latest = {(rating.user_id, rating.movie_id): rating.timestamp for rating in drop_duplicates(known)}
    outdated = [swipe for swipe in good if latest.get(swipe[:2], -1) > swipe.at]
    skips = [swipe for swipe in good if not swipe.preference and swipe not in outdated]
    assert manifest["swipes"] == {
        "standing": len(told),
        "merged": len(good) - len(outdated) - len(skips),
        "skips": len(skips),
        "outdated": len(outdated),
        "rejected": len(told) - len(good),
    }
    assert manifest["steps"][0] == counts("read", moved)
    steps = {step["name"]: step for step in manifest["steps"]}
    assert ("without forgotten users" in steps) == (len(known) < len(ratings))
    if "without forgotten users" in steps:
        assert steps["without forgotten users"] == counts("without forgotten users", known)
    assert steps["deduplicated"] == counts("deduplicated", standing)
    assert sum(manifest["rating_histogram"].values()) == len(ratings)


@pytest.mark.parametrize("division", [{"split": "user-time"}, {"split": "global-time"}, {"ties": "random"}], ids=str)
@pytest.mark.parametrize("seed", [1, 5])
def test_a_crowd_gives_what_the_definitions_say(tmp_path, seed, division):
    how = loose(min_user_ratings=10, min_movie_ratings=15, cut_points=(1.0, 2.5, 4.0), **division)
    ratings = crowd(seed)
    standing = drop_duplicates(ratings)
    rounds = core_rounds(standing, how.min_user_ratings, how.min_movie_ratings)
    assert len(standing) < len(ratings)
    assert len(rounds) > 2
    assert rounds[-1]
    workspace = write_raw(tmp_path, csv_lines(ratings), movies=25)
    manifest = prepare(workspace, how).manifest
    assert split_rows(workspace) == expected_rows(rounds[-1], how)
    assert [step["ratings"] for step in manifest["steps"]] == [len(ratings), len(standing), *map(len, rounds)]
    in_core = Counter(rating.movie_id for rating in rounds[-1])
    assert {movie_id: n for movie_id, *_, n in movie_rows(workspace)} == {m: in_core[m] for m in range(1, 26)}


def test_rows_in_another_order_give_the_same_folder(tmp_path):
    ratings = drop_duplicates(crowd(3))
    shuffled = random.Random(3).sample(ratings, len(ratings))
    one, other = (
        write_raw(tmp_path / name, csv_lines(rows), movies=25) for name, rows in (("a", ratings), ("b", shuffled))
    )
    prepare(one, loose())
    prepare(other, loose())
    assert split_rows(one) == split_rows(other)
    assert movie_rows(one) == movie_rows(other)


def test_one_rating_a_user_keeps_every_user(tmp_path):
    workspace = write_raw(tmp_path, [f"{user_id},{user_id % 3 + 1},4.0,5" for user_id in range(60)])
    manifest = prepare(workspace, PrepareSettings(min_user_ratings=1)).manifest
    assert manifest["steps"][-1] == {"name": "core round 1", "ratings": 60, "users": 60, "movies": 3}
    assert manifest["splits"] == {"train": 60, "val": 0, "test": 0}


def test_the_user_offset_moves_every_user_and_nothing_else(tmp_path):
    lines = csv_lines(crowd(4))
    plain, moved = write_raw(tmp_path / "a", lines, movies=25), write_raw(tmp_path / "b", lines, movies=25)
    prepare(plain, loose())
    manifest = prepare(moved, loose(user_offset=2**40)).manifest
    assert split_rows(moved) == {
        name: [(user_id + 2**40, *rest) for user_id, *rest in rows] for name, rows in split_rows(plain).items()
    }
    assert manifest["settings"]["user_offset"] == 2**40


def test_a_user_id_that_the_offset_pushes_beyond_int64_is_rejected(tmp_path):
    workspace = write_raw(tmp_path, ["1,1,4.0,5", f"{INT64_MAX},1,4.0,5"])
    prepare(workspace, loose(user_offset=1))
    assert split_rows(workspace)["train"] == [(2, 1, 1, 5)]
    assert [reason for *_, reason in rejects(workspace.prepared.rejects)] == ["userId beyond int64"]


# What the quick way cannot hold exactly must send the file the slow way, each by itself.
@pytest.mark.parametrize("user_ids", [[INT64_MAX], [2**53 + 1], [-(2**63), -(2**53) - 1, -1, 0, 2**53 - 1]])
def test_user_ids_of_any_size_stay_what_they_are(tmp_path, user_ids):
    workspace = write_raw(tmp_path, [f"{user_id},1,4.0,5" for user_id in user_ids])
    prepare(workspace, loose())
    assert split_rows(workspace)["train"] == [(user_id, 1, 1, 5) for user_id in user_ids]


@pytest.mark.parametrize("movie_id", [INT64_MAX, 2**53 + 1])
def test_movie_ids_of_any_size_stay_what_they_are(tmp_path, movie_id):
    movies = [f"{movie_id},A (1990),Drama", f"{movie_id - 1},B (1991),Drama"]
    workspace = write_raw(tmp_path, [f"1,{movie_id},4.0,5"], movies)
    prepare(workspace, loose())
    assert split_rows(workspace)["train"] == [(1, movie_id, 1, 5)]


def test_global_time_writes_its_two_moments(tmp_path):
    workspace = write_raw(tmp_path, [f"{t % 2},{t % 5 + 1},4.0,{100 + t}" for t in range(10)])
    assert prepare(workspace, loose(split="global-time")).manifest["moments"] == {"val_from": 108, "test_from": 109}
    assert prepare(workspace, loose()).manifest["moments"] is None


def test_a_ratio_in_large_numbers_is_the_same_ratio(tmp_path):
    workspace = write_raw(tmp_path, csv_lines(crowd(5, ratings=100)), movies=25)
    prepare(workspace, loose(split="global-time"))
    small = split_rows(workspace)
    prepare(workspace, loose(split="global-time", split_ratio=(800_000_000, 100_000_000, 100_000_000)))
    assert split_rows(workspace) == small


# -- every format ----------------------------------------------------------------------------------------------------

FORMAT_RATINGS = [rating._replace(rating=float(math.ceil(rating.rating))) for rating in crowd(6, ratings=300)]
FORMAT_MOVIES: list[tuple[int, str, list[str]]] = [
    (1, "Amélie (2001)", ["Comedy", "Romance"]),
    (2, "American President, The (1995)", ["Children's", "Film-Noir", "Sci-Fi"]),
    (3, '"Great" Thing, A (1990)', []),
    *((movie_id, f"Movie {movie_id} (1999)", ["Drama"]) for movie_id in range(4, 26)),
]


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def csv_files() -> dict[str, bytes]:
    movies = [(movie_id, title, "|".join(genres) or "(no genres listed)") for movie_id, title, genres in FORMAT_MOVIES]
    return {
        "ratings.csv": csv_text([RATINGS_HEADER.split(","), *FORMAT_RATINGS]).encode(),
        "movies.csv": csv_text([MOVIES_HEADER.split(","), *movies]).encode(),
    }


def dat_files() -> dict[str, bytes]:
    movies = [f"{movie_id}::{title}::{'|'.join(genres)}\n" for movie_id, title, genres in FORMAT_MOVIES]
    ratings = [f"{r.user_id}::{r.movie_id}::{r.rating:g}::{r.timestamp}\n" for r in FORMAT_RATINGS]
    return {"ratings.dat": "".join(ratings).encode(), "movies.dat": "".join(movies).encode("latin-1")}


def early_files() -> dict[str, bytes]:
    movies = [
        "|".join([str(movie_id), title, "01-Jan-1990", "", "http://us.imdb.com/M/title-exact", *flags]) + "\n"
        for movie_id, title, genres in FORMAT_MOVIES
        for flags in [["1" if genre in genres else "0" for genre in ML_100K_GENRES]]
    ]
    ratings = [f"{r.user_id}\t{r.movie_id}\t{r.rating:g}\t{r.timestamp}\n" for r in FORMAT_RATINGS]
    return {"u.data": "".join(ratings).encode(), "u.item": "".join(movies).encode("latin-1")}


def zipped(files: dict[str, bytes]) -> dict[str, bytes]:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(f"ml/{name}", data)
    return {"ml.zip": content.getvalue()}


def gzipped(files: dict[str, bytes]) -> dict[str, bytes]:
    return {f"{name}.gz": gzip.compress(data) for name, data in files.items()}


def parquet_files(folder: Path, *, genres_as_list: bool) -> dict[str, bytes]:
    with duckdb.connect() as connection:
        for name, data in csv_files().items():
            (folder / name).write_bytes(data)
        connection.execute(f"CREATE TABLE ratings AS FROM read_csv('{folder / 'ratings.csv'}')")
        connection.execute(f"CREATE TABLE movies AS FROM read_csv('{folder / 'movies.csv'}')")
        if genres_as_list:
            connection.execute("ALTER TABLE movies ALTER genres TYPE VARCHAR[] USING string_split(genres, '|')")
        for name in ("ratings", "movies"):
            connection.execute(f"COPY {name} TO '{folder / name}.parquet' (FORMAT parquet)")
    return {path.name: path.read_bytes() for path in folder.glob("*.parquet")}


FORMATS = {
    "csv": lambda _: csv_files(),
    "csv, Windows line ends": lambda _: {name: data.replace(b"\n", b"\r\n") for name, data in csv_files().items()},
    "csv, old Mac line ends": lambda _: {name: data.replace(b"\n", b"\r") for name, data in csv_files().items()},
    "csv, both line ends": lambda _: {name: data.replace(b"\n", b"\r\n", 7) for name, data in csv_files().items()},
    "csv with a byte order mark": lambda _: {name: b"\xef\xbb\xbf" + data for name, data in csv_files().items()},
    "csv.gz": lambda _: gzipped(csv_files()),
    "zip of csv": lambda _: zipped(csv_files()),
    "dat": lambda _: dat_files(),
    "zip of dat": lambda _: zipped(dat_files()),
    "100k": lambda _: early_files(),
    "zip of 100k": lambda _: zipped(early_files()),
    "parquet": lambda folder: parquet_files(folder, genres_as_list=False),
    "parquet with lists": lambda folder: parquet_files(folder, genres_as_list=True),
}


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_data_in_every_format_gives_the_same_rows(tmp_path, form):
    workspace = Workspace(tmp_path / "data")
    workspace.raw.mkdir(parents=True)
    for name, data in FORMATS[form](tmp_path).items():
        (workspace.raw / name).write_bytes(data)
    how = loose(min_user_ratings=3, min_movie_ratings=3)
    prepare(workspace, how)
    core = core_rounds(drop_duplicates(FORMAT_RATINGS), 3, 3)[-1]
    assert split_rows(workspace) == expected_rows(core, how)
    assert [row[:4] for row in movie_rows(workspace)] == [
        (movie_id, title[:-7], int(title[-5:-1]), genres) for movie_id, title, genres in FORMAT_MOVIES
    ]
    assert rejects(workspace.prepared.rejects) == []


@pytest.mark.parametrize("bad_line", ["", "boom"], ids=["quick", "row by row"])
def test_extra_and_reordered_columns(tmp_path, bad_line):
    workspace = write_raw(tmp_path, [])
    lines = ["5,seen twice,4.5,2,7", "6,fine,2,3,7", *filter(None, [bad_line])]
    (workspace.raw / "ratings.csv").write_text(text_of("timestamp,note,rating,movieId,userId", lines))
    prepare(workspace, loose())
    assert split_rows(workspace)["train"] == [(7, 2, 1, 5), (7, 3, -2, 6)]


def test_quoted_fields(tmp_path):
    workspace = write_raw(tmp_path, ['"7","2","4.5","5"', "7,3,2,6"])
    prepare(workspace, loose())
    assert split_rows(workspace)["train"] == [(7, 2, 1, 5), (7, 3, -2, 6)]
    assert rejects(workspace.prepared.rejects) == []


def test_links_give_the_ids_of_other_catalogues(tmp_path):
    workspace = write_raw(
        tmp_path, ["1,1,4.0,5"], movies=4, links=["1,0114709,862", "2,tt0113497,", "3,10366206,603692", "9,1,1"]
    )
    manifest = prepare(workspace, loose()).manifest
    assert [(movie_id, imdb_id, tmdb_id) for movie_id, _, _, _, imdb_id, tmdb_id, _ in movie_rows(workspace)] == [
        (1, "tt0114709", 862),
        (2, "tt0113497", None),
        (3, "tt10366206", 603692),
        (4, None, None),
    ]
    assert rejects(workspace.prepared.rejects) == [("links.csv", 5, "9,1,1", "unknown movie")]
    assert manifest["input"]["rows"] == {"movies": 4, "links": 4, "ratings": 1}


@pytest.fixture(scope="module")
def street(tmp_path_factory) -> Path:
    """A folder that holds one prepared workspace, "a"."""
    folder = tmp_path_factory.mktemp("street")
    prepare(write_raw(folder / "a", ["5,1,1.0,5", "6,1,1.0,5"]), loose())
    return folder


@pytest.mark.parametrize("folder", ["it's a Fälle", "user_id=77/year=2020", "[ab]", "*", "{a,b}"])
def test_the_name_of_the_data_directory_does_not_matter(street, folder):
    """DuckDB takes brackets and stars for patterns and 'key=value' for columns; the neighbour must stay out of it."""
    workspace = write_raw(street / folder, ["1,2,4.0,5"])
    manifest = prepare(workspace, loose()).manifest
    data = read_prepared(workspace)
    assert manifest["splits"] == {"train": 1, "val": 0, "test": 0}
    assert list(zip(data.events.user_id, data.events.movie_id, data.events.preference, strict=True)) == [(1, 2, 1)]
    assert data.movies.year == [1990] * 9


# -- bad rows --------------------------------------------------------------------------------------------------------


def test_every_bad_row_is_reported_with_file_line_text_and_reason(tmp_path):
    workspace = write_raw(
        tmp_path,
        ["1,1,4.0,5", "x,1,4.0,5", "", "1,2,9.0,6", "1,7,4.0,7", ",1,4.0,5", '"say, ""what""",1,4.0,5', "1,3,4.0,8"],
        ["1,A (1990),Drama", "2,B (1990)", "2,B (1990),Drama", "3,C (1990),Drama"],
        links=["1,0114709,862", "4,1,1"],
    )
    manifest = prepare(workspace, loose()).manifest
    assert rejects(workspace.prepared.rejects) == [
        ("links.csv", 3, "4,1,1", "unknown movie"),
        ("movies.csv", 3, "2,B (1990)", "missing field"),
        ("ratings.csv", 3, "x,1,4.0,5", "unparsable userId"),
        ("ratings.csv", 5, "1,2,9.0,6", "rating out of range"),
        ("ratings.csv", 6, "1,7,4.0,7", "unknown movie"),
        ("ratings.csv", 7, ",1,4.0,5", "empty userId"),
        ("ratings.csv", 8, '"say, ""what""",1,4.0,5', "unparsable userId"),
    ]
    assert manifest["rejects"] == {
        "rows": 7,
        "by_reason": {
            "unknown movie": 2,
            "unparsable userId": 2,
            "empty userId": 1,
            "missing field": 1,
            "rating out of range": 1,
        },
    }
    assert split_rows(workspace)["train"] == [(1, 1, 1, 5), (1, 3, 1, 8)]


@pytest.mark.parametrize(
    ("files", "label", "line", "text"),
    [
        (
            {"ratings.dat": b"1::1::4::5\n1::x::4::5\n", "movies.dat": "1::Amélie::\n".encode("latin-1")},
            "ratings.dat",
            2,
            "1::x::4::5",
        ),
        (
            {"u.data": b"1\t1\t4\t5\n1\tx\t4\t5\n", "u.item": b"1|A (1990)|||" + b"|0" * 19 + b"\n"},
            "u.data",
            2,
            "1\tx\t4\t5",
        ),
        (
            gzipped({"ratings.csv": text_of(RATINGS_HEADER, ["1,1,4,5", "1,x,4,5"]).encode()})
            | {"movies.csv": text_of(MOVIES_HEADER, ["1,A,"]).encode()},
            "ratings.csv.gz",
            3,
            "1,x,4,5",
        ),
        (
            zipped(
                {
                    "ratings.csv": text_of(RATINGS_HEADER, ["1,1,4,5", "1,x,4,5"]).encode(),
                    "movies.csv": text_of(MOVIES_HEADER, ["1,A,"]).encode(),
                }
            ),
            "ml.zip:ml/ratings.csv",
            3,
            "1,x,4,5",
        ),
        (
            {
                "ratings.csv": text_of(RATINGS_HEADER, ["1,1,4,5", "1,é,4,5"]).encode("latin-1"),
                "movies.csv": text_of(MOVIES_HEADER, ["1,A,"]).encode(),
            },
            "ratings.csv",
            3,
            "1,é,4,5",
        ),
    ],
    ids=["dat", "100k", "gz", "zip", "latin-1"],
)
def test_a_bad_row_is_named_in_every_format(tmp_path, files, label, line, text):
    workspace = Workspace(tmp_path)
    workspace.raw.mkdir()
    for name, data in files.items():
        (workspace.raw / name).write_bytes(data)
    prepare(workspace, loose())
    assert rejects(workspace.prepared.rejects) == [(label, line, text, "unparsable movieId")]
    assert split_rows(workspace)["train"] == [(1, 1, 1, 5)]


def test_a_bad_row_of_parquet_is_named_by_its_number(tmp_path):
    workspace = write_raw(tmp_path, [])
    (workspace.raw / "ratings.csv").unlink()
    with duckdb.connect() as connection:
        connection.execute(
            "COPY (SELECT * FROM (VALUES (1, 1, 4.0, 5), (NULL, 1, 4.0, 5), (1, 2, 4.0, 6))"
            f" AS t(userId, movieId, rating, timestamp)) TO '{workspace.raw / 'ratings.parquet'}' (FORMAT parquet)"
        )
    prepare(workspace, loose())
    assert rejects(workspace.prepared.rejects) == [("ratings.parquet", 2, ",1,4.0,5", "empty userId")]
    assert split_rows(workspace)["train"] == [(1, 1, 1, 5), (1, 2, 1, 6)]


def test_a_good_file_has_an_empty_report_of_rejects(tmp_path):
    workspace = write_raw(tmp_path, ["1,1,4.0,5"])
    prepare(workspace, loose())
    assert workspace.prepared.rejects.read_text() == "file,line,text,reason\n"


def test_a_trailing_comma_is_judged_the_same_with_and_without_a_bad_row_elsewhere(tmp_path):
    alone = write_raw(tmp_path / "alone", ["1,1,4.0,5,", "1,2,4.0,5"])
    beside = write_raw(tmp_path / "beside", ["1,1,4.0,5,", "1,2,4.0,5", "boom"])
    prepare(alone, loose())
    prepare(beside, loose())
    assert split_rows(alone) == split_rows(beside)


def with_bad_rows(root: Path, bad: int, good: int) -> Workspace:
    """A workspace with so many bad and good ratings."""
    lines = [f"{i},{i % 9 + 1},4.0,5" for i in range(good)] + [f"x{i},1,4.0,5" for i in range(bad)]
    return write_raw(root, lines)


def test_one_bad_row_in_a_hundred_is_allowed(tmp_path):
    workspace = with_bad_rows(tmp_path, bad=2, good=198)
    manifest = prepare(workspace, PrepareSettings(min_user_ratings=1, min_movie_ratings=1)).manifest
    assert manifest["rejects"]["rows"] == 2


def test_more_bad_rows_than_that_stop_with_a_report_and_the_last_folder_untouched(tmp_path):
    workspace = write_raw(tmp_path, ["1,1,4.0,5"])
    prepare(workspace, loose())
    before = snapshot(workspace.prepared.root)

    with_bad_rows(tmp_path, bad=2, good=197)
    with pytest.raises(TooManyRejectsError) as error:
        prepare(workspace, PrepareSettings(min_user_ratings=1, min_movie_ratings=1))
    assert "2 of 199 rows of ratings.csv are bad" in error.value.message
    assert "the first is line 199: unparsable userId" in error.value.message
    assert str(tmp_path / "rejects.csv") in error.value.hint
    assert rejects(tmp_path / "rejects.csv") == [
        ("ratings.csv", 199, "x0,1,4.0,5", "unparsable userId"),
        ("ratings.csv", 200, "x1,1,4.0,5", "unparsable userId"),
    ]
    assert snapshot(workspace.prepared.root) == before
    assert names(tmp_path) == [".lock", "prepared", "raw", "rejects.csv"]


def test_the_report_of_a_failure_goes_when_the_input_is_mended(tmp_path):
    workspace = write_raw(tmp_path, ["boom"])
    with pytest.raises(TooManyRejectsError):
        prepare(workspace, PrepareSettings())
    prepare(write_raw(tmp_path, ["1,1,4.0,5"]), loose())
    assert names(tmp_path) == [".lock", "prepared", "raw"]


@pytest.mark.parametrize(("share", "enough"), [(0.08, False), (0.09, True)])
def test_the_share_of_bad_rows_is_a_setting(tmp_path, share, enough):
    workspace = with_bad_rows(tmp_path, bad=1, good=11)  # 1 of 12 is 8.3%
    how = loose(max_reject_share=share)
    if enough:
        prepare(workspace, how)
    else:
        with pytest.raises(TooManyRejectsError):
            prepare(workspace, how)


def test_a_large_catalogue_does_not_hide_that_ratings_are_bad(tmp_path):
    lines = [f"{i},1,4.0,5" for i in range(660)] + [f"x{i},1,4.0,5" for i in range(80)]
    workspace = write_raw(tmp_path, lines, movies=9_000, links=[f"{i},{i},{i}" for i in range(1, 9_000)])
    with pytest.raises(TooManyRejectsError, match=r"80 of 740 rows of ratings\.csv are bad \(10\.8%"):
        prepare(workspace, PrepareSettings(min_user_ratings=1, min_movie_ratings=1))


def test_many_good_ratings_do_not_hide_that_the_catalogue_is_bad(tmp_path):
    workspace = write_raw(tmp_path, [f"{i},1,4.0,5" for i in range(1_000)])
    movies = workspace.raw / "movies.csv"
    movies.write_text(movies.read_text() + "boom\n")
    with pytest.raises(TooManyRejectsError, match=r"1 of 10 rows of movies\.csv are bad"):
        prepare(workspace, PrepareSettings(min_user_ratings=1, min_movie_ratings=1))


@pytest.mark.parametrize(
    ("links", "warning"),
    [
        (b"movieId,imdbId,tmdbId\n1,0114709,862\nx,y,z\n", "1 of 2 rows of links.csv are bad"),
        (b"movie;imdb\n1;0114709\n", "Links are left out: links.csv, line 1: the header lacks"),
        (b"", "Links are left out: links.csv, line 1: the header lacks"),
    ],
    ids=["bad rows", "another header", "empty"],
)
def test_links_never_stop_the_job(tmp_path, links, warning):
    workspace = write_raw(tmp_path, ["1,1,4.0,5"])
    (workspace.raw / "links.csv").write_bytes(links)
    manifest = prepare(workspace, PrepareSettings(min_user_ratings=1, min_movie_ratings=1)).manifest
    assert [text[: len(warning)] for text in manifest["warnings"]] == [warning]
    assert manifest["splits"]["train"] == 1


def test_damaged_links_never_stop_the_job(tmp_path):
    workspace = write_raw(tmp_path, ["1,1,4.0,5"])
    (workspace.raw / "links.parquet").write_bytes(b"PAR1" + bytes(100) + b"PAR1")
    manifest = prepare(workspace, loose()).manifest
    assert ["links.parquet" in text for text in manifest["warnings"]] == [True]


# -- nothing left, nothing there -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("thresholds", "message", "option"),
    [
        ({"min_movie_ratings": 7}, "no movie has 7 ratings", "--min-movie-ratings"),
        ({"min_user_ratings": 4}, "no user has 4 ratings", "--min-user-ratings"),
        ({"min_user_ratings": 3, "min_movie_ratings": 4}, "no user has 3 ratings", "--min-user-ratings"),
    ],
)
def test_an_empty_result_names_the_threshold(tmp_path, thresholds, message, option):
    ratings = [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 4), (3, 1), (3, 2), (4, 1), (4, 2), (5, 1), (6, 1)]
    workspace = write_raw(tmp_path, [f"{user_id},{movie_id},4.0,5" for user_id, movie_id in ratings])
    with pytest.raises(EmptyResultError, match=message) as error:
        prepare(workspace, loose(**thresholds))
    assert option in error.value.hint
    assert names(tmp_path) == [".lock", "raw"]


def test_a_ratings_file_without_rows(tmp_path):
    with pytest.raises(EmptyResultError, match=r"ratings\.csv holds no ratings"):
        prepare(write_raw(tmp_path, []), loose())


@pytest.mark.parametrize(
    ("ratings", "movies"),
    [(["x,1,4.0,5", "1,1,9.0,5"], 9), ([], ["1,A (1990),Drama", "broken"])],
    ids=["every rating is bad", "a bad movie and no rating"],
)
def test_no_threshold_is_blamed_when_no_rating_is_good(tmp_path, ratings, movies):
    with pytest.raises(EmptyResultError) as error:
        prepare(write_raw(tmp_path, ratings, movies), loose())
    assert "no movie has" not in error.value.message
    assert "ratings.csv" in error.value.message


@pytest.mark.parametrize("harm", ["damaged", "truncated"])
def test_a_gzipped_ratings_file_that_cannot_be_read_is_bad_input(tmp_path, harm):
    workspace = write_raw(tmp_path, [])
    (workspace.raw / "ratings.csv").unlink()
    content = gzip.compress(text_of(RATINGS_HEADER, (f"{i},1,4.0,{i * 7919}" for i in range(5000))).encode())
    harmed = content[:-200] if harm == "truncated" else content[:10] + b"\xff" * 4 + content[14:]
    (workspace.raw / "ratings.csv.gz").write_bytes(harmed)
    with pytest.raises(InputError, match=r"ratings\.csv\.gz"):
        prepare(workspace, loose())


@pytest.mark.parametrize("name", ["ratings.parquet", "movies.parquet"])
def test_a_parquet_file_that_is_none_is_bad_input(tmp_path, name):
    workspace = write_raw(tmp_path, ["1,1,4.0,5"])
    (workspace.raw / name).with_suffix(".csv").unlink()
    (workspace.raw / name).write_bytes(b"PAR1 not quite")
    with pytest.raises(InputError, match=name):
        prepare(workspace, loose())


# -- the same rows whatever the machine ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def many(tmp_path_factory) -> Workspace:
    """Prepared with two threads: more rows than DuckDB gives to one, with ties and duplicates."""
    chance = random.Random(8)
    lines = [
        f"{chance.randrange(3000)},{chance.randrange(1, 401)},{chance.randrange(1, 11) / 2},{chance.randrange(5000)}"
        for _ in range(130_000)
    ]
    workspace = write_raw(tmp_path_factory.mktemp("many"), lines, movies=400)
    prepare(workspace, PrepareSettings(threads=2))
    return workspace


def assert_same_rows(one: Workspace, other: Workspace) -> None:
    with duckdb.connect() as connection:
        for name in ("train", "val", "test"):
            columns, others = (
                connection.execute(
                    "FROM read_parquet($path)", {"path": str(workspace.prepared.root / f"{name}.parquet")}
                ).fetchnumpy()
                for workspace in (one, other)
            )
            assert all(np.array_equal(columns[key], others[key]) for key in columns)
    assert movie_rows(one) == movie_rows(other)


@pytest.mark.parametrize("threads", [1, 4])
def test_the_same_rows_in_the_same_order_with_any_number_of_threads(many, tmp_path, threads):
    workspace = Workspace(tmp_path)
    prepare(workspace, PrepareSettings(threads=threads), raw=many.raw)
    assert_same_rows(workspace, many)


def test_the_same_rows_in_the_same_order_where_a_bad_row_makes_it_go_slowly(many, tmp_path):
    ratings = (many.raw / "ratings.csv").read_text()
    workspace = write_raw(tmp_path, [], movies=400)
    (workspace.raw / "ratings.csv").write_text(f"{ratings}boom\n")
    prepare(workspace, PrepareSettings(threads=4))
    assert_same_rows(workspace, many)


def test_little_memory_gives_the_same_rows_and_spills_inside_the_data_directory(many, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    workspace = Workspace(tmp_path / "data")
    prepare(workspace, PrepareSettings(memory_limit="40MB", threads=1), raw=many.raw)
    assert_same_rows(workspace, many)
    assert names(elsewhere) == []
    assert names(workspace.root) == [".lock", "prepared"]


# -- the manifest and the folder -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def one_run(tmp_path_factory) -> tuple[Workspace, Prepared, list[Rating]]:
    """One prepared folder that several tests look at."""
    ratings = [rating._replace(timestamp=rating.timestamp * 3 - 2 * 10**9) for rating in crowd(9)]
    workspace = write_raw(tmp_path_factory.mktemp("one-run"), csv_lines(ratings), movies=25)
    return workspace, prepare(workspace, loose(min_movie_ratings=5)), ratings


def test_columns_and_types(one_run):
    workspace, *_ = one_run
    with duckdb.connect() as connection:
        for name in ("train", "val", "test"):
            described = connection.execute(
                "DESCRIBE FROM read_parquet($path)", {"path": str(workspace.prepared.root / f"{name}.parquet")}
            ).fetchall()
            assert [row[:2] for row in described] == [
                ("user_id", "BIGINT"),
                ("movie_id", "BIGINT"),
                ("preference", "TINYINT"),
                ("timestamp", "BIGINT"),
            ]


def test_the_folder_holds_what_the_contract_says_and_nothing_else_is_left(one_run):
    workspace, result, _ = one_run
    assert result.folder == workspace.root / "prepared"
    assert names(result.folder) == [
        "manifest.json",
        "movies.parquet",
        "rejects.csv",
        "test.parquet",
        "train.parquet",
        "val.parquet",
    ]
    assert names(workspace.root) == [".lock", "prepared", "raw"]


def test_the_manifest_is_the_file(one_run):
    _, result, _ = one_run
    assert json.loads((result.folder / "manifest.json").read_text()) == result.manifest


def test_the_manifest_counts_ratings_by_value_and_month(one_run):
    _, result, ratings = one_run
    months = Counter(datetime.fromtimestamp(rating.timestamp, UTC).strftime("%Y-%m") for rating in ratings)
    assert result.manifest["ratings_per_month"] == dict(sorted(months.items()))
    values = Counter(rating.rating for rating in ratings)
    assert {float(value): n for value, n in result.manifest["rating_histogram"].items()} == dict(values)


def test_months_begin_and_end_at_midnight_utc(tmp_path):
    moments = [(1999, 12, 31, 23, 59, 59), (2000, 1, 1), (2000, 2, 29, 23, 59, 59), (2000, 3, 1), (1970, 1, 1)]
    seconds = [int(datetime(*moment, tzinfo=UTC).timestamp()) for moment in moments]
    workspace = write_raw(tmp_path, [f"1,{i},4.0,{second}" for i, second in enumerate(seconds, 1)])
    assert prepare(workspace, loose()).manifest["ratings_per_month"] == {
        "1970-01": 1,
        "1999-12": 1,
        "2000-01": 1,
        "2000-02": 1,
        "2000-03": 1,
    }


def test_ratings_that_differ_in_the_last_digits_are_counted_apart(tmp_path):
    workspace = write_raw(tmp_path, ["1,1,3.1234567,5", "1,2,3.1234568,5"])
    histogram = prepare(workspace, loose()).manifest["rating_histogram"]
    assert sum(histogram.values()) == 2


def test_the_manifest_names_the_input(one_run):
    workspace, result, ratings = one_run
    described = result.manifest["input"]
    assert [(file["role"], file["file"]) for file in described["files"]] == [
        ("ratings", "ratings.csv"),
        ("movies", "movies.csv"),
    ]
    assert described["files"][0]["bytes"] == (workspace.raw / "ratings.csv").stat().st_size
    assert described["rows"] == {"movies": 25, "ratings": len(ratings)}


def test_the_splits_add_up_to_the_last_step(one_run):
    workspace, result, _ = one_run
    assert sum(result.manifest["splits"].values()) == result.manifest["steps"][-1]["ratings"]
    assert result.manifest["splits"] == {name: len(rows) for name, rows in split_rows(workspace).items()}


def test_the_manifest_holds_every_setting(one_run):
    _, result, _ = one_run
    assert PrepareSettings(
        **{name: tuple(v) if isinstance(v, list) else v for name, v in result.manifest["settings"].items()}
    ) == loose(min_movie_ratings=5)


def fingerprint(root: Path, raw: Path, **changes: Any) -> str:
    return str(prepare(Workspace(root), loose(min_movie_ratings=5, **changes), raw=raw).manifest["fingerprint"])


@pytest.mark.parametrize(
    "change",
    [
        {"min_user_ratings": 2},
        {"cut_points": (2.0, 3.5, 4.5)},
        {"max_rating": 6.0},
        {"split": "global-time"},
        {"split_ratio": (7, 2, 1)},
        {"user_offset": 5},
        {"ties": "random"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_fingerprint_changes_with_what_changes_the_rows(one_run, tmp_path, change):
    workspace, result, _ = one_run
    assert fingerprint(tmp_path, workspace.raw, **change) != result.manifest["fingerprint"]


def test_the_fingerprint_does_not_change_with_how_the_work_is_done(one_run, tmp_path):
    workspace, result, _ = one_run
    how = {"threads": 1, "memory_limit": "500MB", "max_reject_share": 0.5, "random_seed": 7}
    assert fingerprint(tmp_path, workspace.raw, **how) == result.manifest["fingerprint"]


def test_settings_of_ties_that_are_not_dealt_leave_the_fingerprint_as_it_was(one_run):
    """A model goes on fitting the data that it was trained on before there were these settings."""
    _, result, _ = one_run
    names = [
        "min_user_ratings", "min_movie_ratings", "cut_points", "max_rating", "split", "split_ratio", "user_offset",
    ]  # fmt: skip
    origin = {
        "rules": _RULES_VERSION,
        "input": [(file["role"], file["sha256"]) for file in result.manifest["input"]["files"]],
        "settings": {name: result.manifest["settings"][name] for name in names},
    }
    expected = hashlib.sha256(json.dumps(origin, sort_keys=True).encode()).hexdigest()
    assert result.manifest["fingerprint"] == expected


def test_each_seed_deals_ties_otherwise(tmp_path):
    ratings = [rating._replace(timestamp=0) for rating in crowd(4)]
    workspace = write_raw(tmp_path, csv_lines(ratings), movies=25)
    dealt = []
    for seed in (1, 2, 1):
        manifest = prepare(workspace, loose(ties="random", random_seed=seed)).manifest
        dealt.append((manifest["fingerprint"], split_rows(workspace)))
    assert dealt[0] == dealt[2]
    assert dealt[0][0] != dealt[1][0]
    assert dealt[0][1]["test"] != dealt[1][1]["test"]


def test_times_that_are_too_coarse_to_split_by_are_told_with_the_way_out(tmp_path):
    times = {user: [0] * 10 if user < 4 else list(range(10)) for user in range(12)}
    ratings = [Rating(user, movie, 4.0, at) for user, row in times.items() for movie, at in enumerate(row, 1)]
    workspace = write_raw(tmp_path, csv_lines(ratings), movies=10)
    result = prepare(workspace, loose())
    assert result.manifest["ties"] == {
        "rule": "movie-id", "users": 12, "users_cut_in_ties": 4, "users_held_out_by_ties": 4,
    }  # fmt: skip
    (warning,) = result.warnings
    assert "4 of 12 users" in warning
    assert "--ties random" in warning
    assert prepare(workspace, loose(ties="random")).warnings == ()
    assert prepare(workspace, loose(split="global-time")).warnings == ()


def test_real_times_are_fine_enough_though_a_third_of_the_rows_are_tied(demo):
    ties = read_manifest(demo)["ties"]
    assert ties == {"rule": "movie-id", "users": 670, "users_cut_in_ties": 198, "users_held_out_by_ties": 16}
    assert Ties(**{name: ties[name] for name in Ties._fields}).warning("movie-id") is None


def test_ties_of_a_global_split_cannot_be_dealt():
    with pytest.raises(SettingsError, match="user-time"):
        loose(split="global-time", ties="random")


@pytest.mark.parametrize("name", ["ratings.csv", "movies.csv"])
def test_the_fingerprint_changes_with_the_input(one_run, tmp_path, name):
    workspace, result, _ = one_run
    raw = tmp_path / "raw"
    shutil.copytree(workspace.raw, raw)
    (raw / name).write_text((raw / name).read_text().replace("1", "2", 1))
    assert fingerprint(tmp_path, raw) != result.manifest["fingerprint"]


def test_without_swipes_and_forgotten_users_the_folder_says_nothing_of_them(one_run):
    _, result, _ = one_run
    assert result.manifest["swipes"] is None
    assert {step["name"] for step in result.manifest["steps"]} & {"with swipes", "without forgotten users"} == set()


RATED_AT = 10**9 + 300
"""Later than every rating of `crowd`."""


def app_fingerprint(
    tmp_path: Path, raw: Path, swipes: Sequence[Swiped] | None = None, forgotten: Sequence[int] = (), **changes: Any
) -> str:
    table = None if swipes is None else swipe_table(swipes)
    workspace, how = Workspace(tmp_path / "app"), loose(**changes)
    return str(prepare(workspace, how, raw=raw, swipes=table, forgotten=forgotten).manifest["fingerprint"])


def test_the_fingerprint_changes_with_the_swipes_and_forgotten_users_that_change_the_rows(small, tmp_path):
    ours = Swiped(1, 2, 2, RATED_AT)
    ways: list[tuple[list[Swiped] | None, list[int]]] = [
        (None, []),
        ([ours], []),
        ([ours._replace(preference=1)], []),
        ([ours._replace(preference=0)], []),
        ([ours._replace(at=RATED_AT + 1)], []),
        ([ours._replace(movie_id=3)], []),
        ([ours._replace(user_id=2)], []),
        ([ours, Swiped(2, 2, 2, RATED_AT)], []),
        (None, [1]),
        (None, [2]),
        (None, [1, 2]),
        ([ours], [2]),
    ]
    found = [app_fingerprint(tmp_path, small.raw, *way) for way in ways]
    assert len(set(found)) == len(ways)
    again = [app_fingerprint(tmp_path, small.raw, *way, threads=1) for way in ways]
    assert again == found


def test_the_fingerprint_stays_where_swipes_and_forgotten_users_change_nothing(small, tmp_path):
    plain = app_fingerprint(tmp_path, small.raw)
    assert app_fingerprint(tmp_path, small.raw, []) == plain
    assert app_fingerprint(tmp_path, small.raw, [Swiped(1, 1, 2, 5), Swiped(1, 99, 2, RATED_AT)]) == plain
    assert app_fingerprint(tmp_path, small.raw, None, [777]) == plain
    assert app_fingerprint(tmp_path, small.raw, [Swiped(777, 1, 2, RATED_AT)], [777]) == plain
    ours = [Swiped(1, 2, 2, RATED_AT), Swiped(3, 2, -2, RATED_AT)]
    in_turn = app_fingerprint(tmp_path, small.raw, ours, [2, 4])
    assert app_fingerprint(tmp_path, small.raw, ours[::-1], [4, 2, 2, 777]) == in_turn


def test_bad_swipes_count_as_bad_rows_and_leave_the_last_folder_as_it_is(small):
    prepare(small, loose())
    before = snapshot(small.prepared.root)
    bad = [Swiped(user_id, 99, 1, RATED_AT) for user_id in range(10)]
    good = [Swiped(user_id, 1, 1, RATED_AT) for user_id in range(10)]
    with pytest.raises(TooManyRejectsError, match="10 of 20 rows of swipe log are bad") as stopped:
        prepare(small, loose(max_reject_share=0.4), swipes=swipe_table(bad + good))
    assert "Leave out the swipes" in stopped.value.hint
    assert snapshot(small.prepared.root) == before
    assert len(rejects(small.failed_rejects)) == 10
    manifest = prepare(small, loose(max_reject_share=0.5), swipes=swipe_table(bad + good)).manifest
    assert manifest["swipes"] == {"standing": 20, "merged": 10, "skips": 0, "outdated": 0, "rejected": 10}
    assert manifest["input"]["rows"]["swipes"] == 20


def test_a_swipe_log_is_the_same_log_whatever_the_cut_points(small):
    swipes = [Swiped(77, movie_id, preference, RATED_AT) for movie_id, preference in enumerate((-2, -1, 1, 2), 1)]
    for cut_points in ((2.5, 3.5, 4.5), (0.1, 0.2, 4.9)):
        prepare(small, loose(cut_points=cut_points, split_ratio=(1, 0, 0)), swipes=swipe_table(swipes))
        assert [row for row in split_rows(small)["train"] if row[0] == 77] == [tuple(swipe) for swipe in swipes]


@pytest.fixture
def small(tmp_path) -> Workspace:
    return write_raw(tmp_path / "small", csv_lines(crowd(10, users=5, movies=9, ratings=60)))


def test_raw_files_may_lie_elsewhere(small, tmp_path):
    elsewhere = Workspace(tmp_path / "elsewhere")
    prepare(elsewhere, loose(), raw=small.raw)
    prepare(small, loose())
    assert split_rows(elsewhere) == split_rows(small)
    assert names(elsewhere.root) == [".lock", "prepared"]


@pytest.mark.parametrize("limit", ["lots", "", "1", "-1GB"])
def test_a_memory_limit_that_is_none_is_refused(limit):
    with pytest.raises(SettingsError, match="memory_limit"):
        PrepareSettings(memory_limit=limit)


# -- one writer, and a folder that is always whole -------------------------------------------------------------------


def test_a_second_writer_is_refused_and_the_folder_stays(small):
    prepare(small, loose())
    before = snapshot(small.prepared.root)
    with small.writing("train"), pytest.raises(WorkspaceLockedError, match="mlrec train"):
        prepare(small, loose(user_offset=1))
    assert snapshot(small.prepared.root) == before
    prepare(small, loose(user_offset=1))


def test_what_a_killed_run_left_is_cleared_by_the_next(small):
    (small.scratch / "spill").mkdir(parents=True)
    (small.scratch / "spill" / "duckdb_temp_storage_DEFAULT-0.tmp").write_bytes(b"what did not fit into memory")
    small.prepared_new.root.mkdir()
    (small.prepared_new.root / "train.parquet").write_bytes(b"half a file")
    prepare(small, loose())
    assert names(small.root) == [".lock", "prepared", "raw"]
    assert "rejects.csv" in names(small.prepared.root)


def publish(workspace: Workspace, n: int) -> None:
    with workspace.writing("test"), prepared.replacing(workspace) as files:
        prepared.complete(files, {**REQUIRED, "n": n})


@pytest.mark.parametrize(
    ("whole", "half_written", "standing"),
    [
        (["prepared.new", "prepared.old"], [], "prepared.new"),
        (["prepared.new"], [], "prepared.new"),
        (["prepared.old"], [], "prepared.old"),
        (["prepared.old"], ["prepared.new"], "prepared.old"),
        (["prepared", "prepared.new", "prepared.old"], [], "prepared"),
        (["prepared"], ["prepared.new"], "prepared"),
        (["prepared.old"], ["prepared"], None),
        ([], ["prepared.new"], None),
        ([], [], None),
    ],
)
def test_an_interrupted_swap_is_finished_or_undone(tmp_path, whole, half_written, standing):
    workspace = Workspace(tmp_path)
    for name in whole:
        (tmp_path / name).mkdir()
        prepared.complete(PreparedFiles(tmp_path / name), {**REQUIRED, "name": name})
    for name in half_written:
        (tmp_path / name).mkdir()
        (tmp_path / name / "train.parquet").write_bytes(b"half a file")

    if standing is None:
        with pytest.raises(PreparedDataMissingError, match="no prepared data"):
            prepared.read_manifest(workspace)
    else:
        assert prepared.read_manifest(workspace)["name"] == standing
    publish(workspace, 7)
    assert prepared.read_manifest(workspace)["n"] == 7
    assert names(tmp_path) == [".lock", "prepared"]


def test_readers_find_a_whole_folder_at_every_moment_of_a_swap(tmp_path):
    workspace = Workspace(tmp_path)
    done = threading.Event()

    def read() -> list[int]:
        seen = []
        while not done.is_set():
            seen.append(prepared.read_manifest(workspace)["n"])
        return seen

    publish(workspace, 0)
    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        try:
            for n in range(1, 50):
                publish(workspace, n)
        finally:
            done.set()
    for reader in readers:
        seen = reader.result()
        assert seen == sorted(seen)
        assert len(set(seen)) > 1


def test_a_reader_does_not_trip_the_first_preparation(tmp_path):
    """Nothing is prepared yet: what the reader takes for an interrupted swap is still being synced by the writer."""
    for n in range(8):
        workspace = Workspace(tmp_path / str(n))
        done = threading.Event()

        def read(workspace: Workspace = workspace, done: threading.Event = done) -> None:
            while not done.is_set():
                with suppress(PreparedDataMissingError):
                    prepared.read_manifest(workspace)

        with ThreadPoolExecutor(1) as pool:
            reader = pool.submit(read)
            try:
                publish(workspace, n)
            finally:
                done.set()
        reader.result()
        assert prepared.read_manifest(workspace)["n"] == n
