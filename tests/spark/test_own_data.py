"""People's own data on Spark: the same rows as from DuckDB, whatever the ids, separators, clocks and scales."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import numpy as np
import pyarrow
import pytest

from mlrec.artifacts.prepared import read_manifest
from mlrec.dataset.prepare import prepare
from mlrec.dataset.reading import read_movies, read_prepared
from mlrec.model.train import train
from mlrec.ranking.movie_vectors import ORIGINS
from mlrec.settings import SPLITS, PrepareSettings, TrainSettings
from mlrec.spark.session import Spark
from mlrec.workspace import Workspace
from tests.spark.same import assert_same_outside, assert_same_rows, opened, outside, told

CORE: dict[str, Any] = {"min_user_ratings": 10, "min_movie_ratings": 20}
"""Thresholds between the movies of `rows`, and between its users."""


class Case(NamedTuple):
    name: str
    content: str
    settings: dict[str, Any]


def rows() -> list[tuple[str, str, int, int]]:
    """User, movie, rating up to 10, and second; some pairs twice, and several within a second."""
    chance = random.Random(7)
    users, movies = [f"u{number}; é" for number in range(40)], [f"{number:03}X" for number in range(30)]
    return [
        (user, chance.choice(movies), chance.randrange(1, 11), 10**9 + chance.randrange(10**6) // 7)
        for user in users
        for _ in range(25)
    ]


def quoted(separator: str) -> str:
    lines = [("uid", "isbn", "score", "created_at"), *((u, m, s, f"{moment(at):%FT%TZ}") for u, m, s, at in rows())]
    return "".join(separator.join(f'"{value}"' for value in line) + "\n" for line in lines)


def moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


CASES = [
    Case("ratings.csv", quoted(";"), {}),
    Case("ratings.csv", quoted("|"), {"ties": "random"}),
    Case(
        "ratings.csv",
        "user,item,rating,ts\n" + "".join(f'"{u}",{int(m[:-1])},{s},{at * 1000 + s}\n' for u, m, s, at in rows()),
        {"user_prefix": "ml-", "split": "global-time"},
    ),
    Case(
        "ratings.csv",
        "user,item,rating,date\n"
        + "".join(f"{int(u[1:-3])},{m},{s},{moment(at):%F}\n" for u, m, s, at in rows())
        + "7,007X,x,2001-09-09\n",
        {},
    ),
    Case(
        "ratings.jsonl",
        "".join(json.dumps({"customer_id": u, "sku": m, "quantity": s}) + "\n" for u, m, s, _ in rows()),
        {"implicit": True, "no_time": "random"},
    ),
    Case(
        "ratings.csv",
        "userId,movieId,rating\n" + "".join(f"{int(u[1:-3])},{int(m[:-1])},{s}\n" for u, m, s, _ in rows()),
        {"no_time": "file", "unrated": 3.0, "min_user_ratings": 9, "min_movie_ratings": 19},
    ),
]


def events_of(workspace: Workspace) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of each split in their order."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    for name in SPLITS:
        events = read_prepared(workspace, (name,)).events
        columns = (events.user_id, events.movie_id, events.preference, events.timestamp)
        found[name] = list(zip(*(column.tolist() for column in columns), strict=True))
    return found


def on_both(tmp_path: Path, spark: Spark, raw: Path, how: PrepareSettings) -> tuple[Workspace, Workspace]:
    here, there = Workspace(tmp_path / "duckdb"), Workspace(tmp_path / "spark")
    prepare(here, how, raw=raw)
    prepare(there, how, raw=raw, spark=spark)
    return here, there


def assert_outside_of_all_kinds(workspace: Workspace) -> None:
    """There are events outside the core in all splits, at several places, and of users without a core."""
    found = outside(workspace)
    assert len(found) > 80
    assert {split for *_, split in found} == set(SPLITS)
    assert len({position for *_, position, _ in found}) > 5
    told_of = read_manifest(workspace).outside_core
    assert told_of is not None
    users = {user for user, *_ in found}
    assert (told_of.events, told_of.users) == (len(found), len(users))
    assert users - {user for user, *_ in events_of(workspace)["train"]}


@pytest.mark.parametrize("case", CASES, ids=["semicolons", "pipes", "milliseconds", "dates", "plays", "no times"])
def test_the_rows_are_those_of_duckdb(tmp_path, spark, case):
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / case.name).write_text(case.content, encoding="utf-8")
    here, there = on_both(tmp_path, spark, raw, PrepareSettings(**(CORE | case.settings)))
    assert events_of(here) == events_of(there)
    assert len(events_of(here)["train"]) > 300
    assert_same_outside(here, there)
    assert_outside_of_all_kinds(there)
    assert here.prepared.rejects.read_bytes() == there.prepared.rejects.read_bytes()
    assert here.prepared.movies.read_bytes() == there.prepared.movies.read_bytes()
    assert told(here) == told(there)


def test_columns_of_parquet_are_known_by_other_names(tmp_path, spark):
    raw = tmp_path / "raw"
    raw.mkdir()
    with duckdb.connect() as connection:
        connection.execute(
            'COPY (SELECT i % 50 AS uid, 100 + i * 7 % 31 AS "anime`id", 1 + i % 10 AS score, 1000000000 + i AS ts'
            " FROM range(2000) AS t(i)) TO $path (FORMAT parquet)",
            {"path": str(raw / "ratings.parquet")},
        )
    how = PrepareSettings(min_user_ratings=5, min_movie_ratings=5, columns=(("movie", "anime`id"),))
    here, there = on_both(tmp_path, spark, raw, how)
    assert events_of(here) == events_of(there)
    assert told(here) == told(there)


def test_data_frames(tmp_path, spark):
    names = ("uid", "item", "score", "ts")
    frame = pyarrow.table(dict(zip(names, map(list, zip(*rows(), strict=True)), strict=True)))
    here, there = Workspace(tmp_path / "duckdb"), Workspace(tmp_path / "spark")
    how = PrepareSettings(**CORE)
    prepare(here, how, ratings=frame)
    prepare(there, how, ratings=frame, spark=spark)
    assert events_of(here) == events_of(there)
    assert len(events_of(here)["train"]) > 300
    assert_same_outside(here, there)
    assert_outside_of_all_kinds(there)
    assert told(here) == told(there)


def test_a_model_of_texts_and_dates_has_the_rows_and_the_order_of_the_other_engine(tmp_path, spark):
    raw = tmp_path / "raw"
    raw.mkdir()
    lines = [f'"{u}",{m},{s},{moment(at):%F}' for u, m, s, at in rows()]
    (raw / "ratings.csv").write_text("\n".join(["user,item,rating,date", *lines]), encoding="utf-8")
    titles = [f"{number:03}X,Movie {number} (1990),Drama" for number in range(30)]
    longest = ["00 a longer id than any that was rated,Never rated (1991),Comedy"]
    (raw / "movies.csv").write_text("\n".join(["movieId,title,genres", *titles, *longest]), encoding="utf-8")
    workspace = Workspace(tmp_path / "data")
    prepare(workspace, PrepareSettings(**CORE), raw=raw, spark=spark)
    assert_outside_of_all_kinds(workspace)
    settings = TrainSettings(factors=8, iterations=2)
    theirs, ours = (opened(workspace, train(workspace, settings, spark=engine).model_id) for engine in (None, spark))
    assert_same_rows(ours, theirs)
    assert ours.user_ids.dtype.kind == ours.movie_ids.dtype.kind == "S"
    assert np.array_equal(ours.movie_ids, read_movies(workspace).movie_id)
    assert {ORIGINS[one] for one in ours.origin} == set(ORIGINS)
