"""Preparing on Spark gives the same rows and rejects as preparing in DuckDB."""

from __future__ import annotations

import gzip
import random
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from mlrec.dataset.prepare import prepare
from mlrec.dataset.reading import read_prepared
from mlrec.errors import InputError, RawDataMissingError, SettingsError
from mlrec.ranking.standing_swipes import StandingSwipes
from mlrec.settings import SPLITS, PrepareSettings
from mlrec.spark.session import Spark
from mlrec.workspace import Workspace
from tests.integration.prepare import test_bad_rows, test_empty_results, test_formats
from tests.integration.prepare.raw_data import crowd, csv_lines, loose, names, rejects, split_rows, write_raw
from tests.spark.same import assert_same, assert_same_outside, hashes, outside, told

FIELDS = [
    "1", "2", "3", "4.5", "0.5", "5", "10", "1.0", "2.", "+1", "-1", "1e0", "1E1", "1_0", "1__0", "_1", "inf", "nan",
    "-inf", "+nan", "Infinity", ".5", "0x10", "1d", "1f", "", "  ", "x", '"1"', '"1', '1"', '""', '"1,2"', '"1,""',
    "9223372036854775807", "9223372036854775808", "9007199254740993", "9.1e15", "1e400", "\u00a01\u00a0", "\u30002",
    "\t1", "1\t", "é", "١", "1 2", "- 1", "+-1", "-+1", "++1", "1e+1", "1e-1", "1e", "e1", "1.5e1", "00", "-0",
    "1.0000", "1.00001", "5.1", "5.0000000000000001", "true", "NULL", "253402300799", "253402300800", "1e11",
    "1_0.0_0", "1e1_0", "1._0", "\x0b1", "\u200b1", "\ufeff1", "\u20281", "1\u0085", "\x1c1", "userId",
]  # fmt: skip
"""What is hard to read, or reads differently elsewhere."""


MOVIES = [2**53 + 1, 2**53 + 2, 2**63 - 1, -(2**63), *range(1, 37)]
"""Ids of all sizes."""


def nasty_lines(seed: int, delimiter: str, rows: int) -> list[str]:
    """Ratings with ties in time and duplicates, one line in eight of them with a field that is hard to read."""
    chance = random.Random(seed)
    lines = []
    for _ in range(rows):
        fields = [
            str(1 + min(chance.randrange(60), chance.randrange(60))),
            str(MOVIES[min(chance.randrange(40), chance.randrange(40))]),
            str(chance.randrange(1, 11) / 2),
            str(10**9 + chance.randrange(40)),
        ]
        if chance.random() < 0.125:
            for _ in range(chance.choice([1, 1, 2])):
                fields[chance.randrange(4)] = chance.choice(FIELDS)
            fields = fields[: chance.choice([4, 4, 4, 4, 3])] + chance.choice([[], [], [], [""], ["more"]])
        lines.append(delimiter.join(fields))
        if chance.random() < 0.01:
            lines.append(chance.choice(["", " ", "\t", "\u3000"]))
    return lines


def write(folder: Path, name: str, lines: list[str], encoding: str = "utf-8") -> Path:
    """A raw folder with a ratings file of these lines, and the movies."""
    folder.mkdir(parents=True)
    chance = random.Random(1)
    if name.startswith("ratings.csv"):
        lines = ["userId,movieId,rating,timestamp", *lines]
    content = "".join(line + chance.choice(["\n", "\r\n"]) for line in lines).encode(encoding, errors="replace")
    (folder / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    if name == "ratings.dat":
        (folder / "movies.dat").write_text("".join(f"{movie}::Movie {movie} (1990)::Drama\n" for movie in MOVIES))
    else:
        movies = "".join(f"{movie},Movie {movie} (1990),Drama\n" for movie in MOVIES)
        (folder / "movies.csv").write_text(f"movieId,title,genres\n{movies}")
    return folder


def both(raw: Path, tmp_path: Path, spark: Spark, how: PrepareSettings, **app) -> tuple[Workspace, Workspace]:
    """The same raw files prepared by each engine."""
    here, there = Workspace(tmp_path / "duckdb"), Workspace(tmp_path / "spark")
    prepare(here, how, raw=raw, **app)
    prepare(there, how, raw=raw, spark=spark, **app)
    return here, there


# -- the same as DuckDB ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "delimiter", "encoding", "settings"),
    [
        ("ratings.csv", ",", "utf-8-sig", {}),
        (
            "ratings.csv.gz",
            ",",
            "latin-1",
            {"split": "global-time", "cut_points": (1.0, 3.0, 4.0), "split_ratio": (6, 3, 1), "user_offset": 10**12},
        ),
    ],
)
def test_ties_duplicates_and_bad_rows(tmp_path, spark, name, delimiter, encoding, settings):
    lines = nasty_lines(7, delimiter, 6_000)
    lines[3_000:3_000] = ["", "   "] * 40  # blank lines count as lines
    if encoding == "latin-1":
        lines = [line for line in lines if "\u0085" not in line]  # DuckDB takes no control characters beyond ASCII
    raw = write(tmp_path / "raw", name, lines, encoding)
    how = PrepareSettings(min_user_ratings=20, min_movie_ratings=20, max_reject_share=1.0, **settings)
    # Lines are numbered through all pieces of a file.
    pieces = {"spark.sql.files.maxPartitionBytes": "12000", "spark.sql.files.openCostInBytes": "0"}
    for key, value in pieces.items():
        spark.session.conf.set(key, value)
    try:
        here, there = both(raw, tmp_path, spark, how)
        n_pieces = spark.session.read.text(f"file:{raw}/{name}").rdd.getNumPartitions()
    finally:
        for key in pieces:
            spark.session.conf.unset(key)
    assert n_pieces == 1 if name.endswith(".gz") else n_pieces > 8
    assert_same(here, there)
    manifest = read_prepared(there).manifest.document
    assert len(manifest["rejects"]["by_reason"]) >= 13
    steps = {step["name"]: step["ratings"] for step in manifest["steps"]}
    assert steps["read"] > steps["deduplicated"] > steps["core round 1"] > 0


def test_dealt_ties(tmp_path, spark):
    """Ids of all sizes, and users of a few events."""
    chance = random.Random(3)
    lines = [f"{chance.choice(MOVIES)},{chance.choice(MOVIES)},4,{chance.randrange(9)}" for _ in range(600)]
    raw = write(tmp_path / "raw", "ratings.csv", lines)
    here, there = both(raw, tmp_path, spark, loose(ties="random", random_seed=2**32 - 1, split_ratio=(6, 2, 2)))
    assert_same(here, there)
    ties = read_prepared(there).manifest.document["ties"]
    assert ties["users"] > ties["users_cut_in_ties"] > ties["users_held_out_by_ties"] > 0
    by_movie = Workspace(tmp_path / "by movie")
    prepare(by_movie, loose(split_ratio=(6, 2, 2)), raw=raw)
    assert hashes(by_movie)["test"] != hashes(there)["test"]


@pytest.mark.parametrize("settings", [{"ties": "random"}, {"split": "global-time"}], ids=str)
def test_the_demo_data_by_other_splits(demo_raw, tmp_path, spark, settings):
    here, there = both(demo_raw, tmp_path, spark, PrepareSettings(**settings))
    assert_same(here, there)
    assert_in_order(there, is_dealt="ties" in settings)


def test_the_demo_data_with_texts_as_ids(demo_raw, demo, tmp_path, spark):
    raw = tmp_path / "raw"
    raw.mkdir()
    ratings, movies = ((demo_raw / f"{name}.csv").read_text().splitlines() for name in ("ratings", "movies"))
    lines = [ratings[0], *("u{}/é,m{},{},{}".format(*line.split(",")) for line in ratings[1:])]
    (raw / "ratings.csv").write_text("\n".join(lines))
    (raw / "movies.csv").write_text("\n".join([movies[0], *(f"m{line}" for line in movies[1:])]))
    here, there = both(raw, tmp_path, spark, PrepareSettings())
    assert_same_outside(here, there)
    assert told(here) == told(there)
    assert_in_order(there)
    numbers = sorted((int(u[1:-2]), int(m[1:]), *others) for u, m, *others in outside(there))
    # Events of the same second have other places: texts are in another order than numbers.
    assert [row[:4] for row in numbers] == sorted(row[:4] for row in outside(demo))


def assert_in_order(workspace: Workspace, *, is_dealt: bool = False) -> None:
    """There are events outside the core in all splits, by user, place, time and movie."""
    found = outside(workspace)
    assert len(found) > 30_000
    assert {split for *_, split in found} == set(SPLITS)
    rows = [(user, position, at, movie) for user, movie, _, at, position, _ in found]
    assert rows == sorted(rows)
    by_movie = sorted(rows, key=lambda row: (row[0], row[2], row[3]))
    assert is_dealt == (rows != by_movie)


def test_swipes_and_forgotten_users(tmp_path, spark):
    ratings = crowd(4)
    raw = write_raw(tmp_path / "app", csv_lines(ratings), movies=25).raw
    chance = random.Random(2)
    rated = sorted({(rating.user_id, rating.movie_id) for rating in ratings})
    pairs = [*chance.sample(rated, 150), (99, 3), (99, 4), (5, 1)]
    swipes = [(*pair, chance.choice([-2, -1, 0, 1, 2]), 10**9 + chance.randrange(400)) for pair in dict.fromkeys(pairs)]
    swipes += [(100, 77, 1, 10**9), (100, 1, 7, 10**9), (100, 2, 1, -5)]  # an unknown movie, no preference, no time
    table = StandingSwipes(*np.array([(*swipe, i) for i, swipe in enumerate(swipes)], dtype=np.int64).T)
    how = PrepareSettings(min_user_ratings=5, min_movie_ratings=12, max_reject_share=1.0)
    here, there = both(raw, tmp_path, spark, how, swipes=table, forgotten=[1, 2, 99, 12345])
    assert_same(here, there)
    found = outside(there)
    assert {1, 2, 99}.isdisjoint(user for user, *_ in found)
    assert found
    assert set(swipes) & {row[:4] for row in found}
    manifest = read_prepared(there).manifest.document
    assert min(manifest["swipes"][fate] for fate in ("merged", "skips", "outdated", "rejected")) > 0
    assert [step["name"] for step in manifest["steps"]][:4] == [
        "read", "without forgotten users", "with swipes", "deduplicated",
    ]  # fmt: skip


def test_parquet_with_other_names_and_types_of_columns(tmp_path, spark):
    raw = write(tmp_path / "raw", "ratings.csv", [])
    (raw / "ratings.csv").unlink()
    with duckdb.connect() as connection:
        connection.execute(
            "COPY (SELECT (i * 7919 % 50)::INTEGER AS USER_ID, (i % 11 + i % 31)::VARCHAR AS movieid,"
            " i % 10 / 2 AS Rating, (1e9 + i % 17)::DOUBLE AS timestamp, 'x' AS note"
            " FROM range(3000) AS t(i)) TO $path (FORMAT parquet)",
            {"path": str(raw / "ratings.parquet")},
        )
    how = PrepareSettings(min_user_ratings=5, min_movie_ratings=5, max_reject_share=1.0, max_rating=5.0)
    here, there = both(raw, tmp_path, spark, how)
    assert hashes(here) == hashes(there)
    assert_same_outside(here, there)
    assert read_prepared(there).manifest.document["rejects"]["by_reason"]["rating out of range"] == 300


# -- the contract of a prepared folder -------------------------------------------------------------------------------


def cases(test, *wanted: str) -> list:
    """A contract test with the values that it is run with: all of them, or those of these ids."""
    marks = [mark for mark in getattr(test, "pytestmark", []) if mark.name == "parametrize"]
    found: list[tuple[str, dict[str, Any]]] = [(test.__name__, {})]
    for mark in marks:
        parameters = mark.args[0] if isinstance(mark.args[0], tuple) else (mark.args[0],)
        values = [value if len(parameters) > 1 else (value,) for value in mark.args[1]]
        found = [
            (
                f"{label} {mark.kwargs.get('ids', list(map(str, mark.args[1])))[i]}",
                known | dict(zip(parameters, row, strict=True)),
            )
            for label, known in found
            for i, row in enumerate(values)
        ]
    chosen = [(label, known) for label, known in found if not wanted or label.partition(" ")[2] in wanted]
    assert len(chosen) >= len(wanted)
    return [pytest.param(test, known, id=label.removeprefix("test_")) for label, known in chosen]


@pytest.mark.parametrize(
    ("test", "values"),
    [
        *cases(test_formats.test_the_same_data_in_every_format_gives_the_same_rows, "zip of dat", "100k"),
        *cases(test_bad_rows.test_a_bad_row_of_parquet_is_named_by_its_number),
        *cases(test_empty_results.test_an_empty_result_names_the_threshold)[2:],
        *cases(test_empty_results.test_a_ratings_file_without_rows),
        *cases(test_empty_results.test_a_gzipped_ratings_file_that_cannot_be_read_is_bad_input),
        *cases(test_empty_results.test_a_parquet_file_that_is_none_is_bad_input, "ratings.parquet"),
    ],
)
def test_the_contract_holds_on_spark(test, values, tmp_path, spark, monkeypatch):
    monkeypatch.setitem(
        test.__globals__, "prepare", lambda workspace, how=None, **app: prepare(workspace, how, spark=spark, **app)
    )
    test(tmp_path, **values)


def test_a_split_is_a_folder_of_parts_whose_names_give_the_order(tmp_path, spark):
    pairs = [(user, movie) for user in range(500) for movie in range(1, 37)]
    raw = write(
        tmp_path / "raw",
        "ratings.csv",
        [f"{user},{movie},{3 + movie % 3},{10**9 + movie % 7}" for user, movie in pairs],
    )
    workspace = Workspace(tmp_path / "data")
    spark.session.conf.set("spark.sql.adaptive.coalescePartitions.enabled", "false")
    try:
        prepare(workspace, PrepareSettings(), raw=raw, spark=spark)
    finally:
        spark.session.conf.unset("spark.sql.adaptive.coalescePartitions.enabled")
    train = workspace.prepared.split("train")
    parts = sorted(train.iterdir())
    assert len(parts) == 2
    assert all(part.name.endswith(".parquet") for part in parts)
    with duckdb.connect() as connection:
        rows = connection.execute(f"FROM read_parquet('{train}/*.parquet')").fetchall()
        types = connection.execute(f"DESCRIBE FROM read_parquet('{train}/*.parquet')").fetchall()
    assert rows == sorted(rows, key=lambda row: (row[0], row[3], row[1]))
    assert [row[:2] for row in types] == [
        ("user_id", "BIGINT"), ("movie_id", "BIGINT"), ("preference", "TINYINT"), ("timestamp", "BIGINT"),
    ]  # fmt: skip
    manifest = read_prepared(workspace).manifest.document
    assert manifest["engine"]["name"] == "spark"
    assert names(workspace.prepared.root) == [
        "manifest.json", "movies.parquet", "outside.parquet", "rejects.csv", "test.parquet", "train.parquet",
        "val.parquet",
    ]  # fmt: skip
    assert not workspace.scratch.exists()


@pytest.mark.parametrize("folder", ["it's a Fälle [ab] */user_id=77/year=2020/{a,b} 100%20"])
def test_the_name_of_the_data_directory_does_not_matter(tmp_path, spark, folder):
    workspace = write_raw(tmp_path / folder, ["1,1,4.0,5", "1,x,4.0,5"])
    prepare(workspace, loose(), spark=spark)
    assert split_rows(workspace)["train"] == [(1, 1, 1, 5)]
    assert split_rows(workspace)["val"] == []
    assert rejects(workspace.prepared.rejects) == [("ratings.csv", 3, "1,x,4.0,5", "unparsable movieId")]


# -- raw files that only Spark reaches -------------------------------------------------------------------------------


def test_the_demo_data_named_by_a_scheme_and_progress_that_tells_of_tasks(demo_raw, demo, tmp_path, spark):
    there = Workspace(tmp_path / "spark")
    said: Counter[str] = Counter()

    class Listener:
        def task(self, label, total=None, unit=""):
            said[label] += 1
            return self

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def say(self, label):
            said[label] += 1

        def advance(self, amount=1):
            pass

    listening = Spark(spark.settings, spark.log, Listener())
    listening._session = spark.session  # the same session, heard by somebody
    prepare(there, raw=f"file://{demo_raw}", spark=listening, progress=Listener())
    assert_same(demo, there)
    assert sum(len(read_prepared(there, (split,)).events) for split in SPLITS) > 50_000
    assert {"Reading ratings", "Looking for duplicates", "Filtering movies", "Sorting and splitting"} <= set(said)
    assert any(" tasks" in label for label in said)


def test_what_a_scheme_names_must_be_there(tmp_path, spark):
    workspace = Workspace(tmp_path / "data")
    with pytest.raises(InputError, match=r"file:///nowhere/at/all cannot be read: .*does not exist"):
        prepare(workspace, raw="file:///nowhere/at/all", spark=spark)
    with pytest.raises(InputError, match="unheard-of://place cannot be read"):
        prepare(workspace, raw="unheard-of://place", spark=spark)
    (tmp_path / "empty").mkdir()
    with pytest.raises(RawDataMissingError, match="does not contain ratings"):
        prepare(workspace, raw=f"file://{tmp_path}/empty", spark=spark)
    with pytest.raises(SettingsError, match="can be read only with Spark"):
        prepare(workspace, raw=f"file://{tmp_path}/empty")
