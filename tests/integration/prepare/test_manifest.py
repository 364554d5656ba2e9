"""The manifest and the prepared folder."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import duckdb

from mlrec.dataset.prepare import prepare
from mlrec.settings import PrepareSettings
from tests.integration.prepare.raw_data import loose, names, split_rows, write_raw


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
        "outside.parquet",
        "rejects.csv",
        "test.parquet",
        "train.parquet",
        "val.parquet",
    ]
    assert names(workspace.root) == [".lock", "prepared", "raw"]


def test_the_manifest_is_the_file(one_run):
    _, result, _ = one_run
    assert json.loads((result.folder / "manifest.json").read_text()) == result.manifest.document


def test_the_manifest_counts_ratings_by_value_and_month(one_run):
    _, result, ratings = one_run
    months = Counter(datetime.fromtimestamp(rating.timestamp, UTC).strftime("%Y-%m") for rating in ratings)
    assert result.manifest.document["ratings_per_month"] == dict(sorted(months.items()))
    values = Counter(rating.rating for rating in ratings)
    assert {float(value): n for value, n in result.manifest.document["rating_histogram"].items()} == dict(values)


def test_months_begin_and_end_at_midnight_utc(tmp_path):
    moments = [
        "1999-12-31T23:59:59", "2000-01-01T00:00:00", "2000-02-29T23:59:59", "2000-03-01T00:00:00",
        "1970-01-01T00:00:00",
    ]  # fmt: skip
    seconds = [int(datetime.fromisoformat(f"{moment}+00:00").timestamp()) for moment in moments]
    workspace = write_raw(tmp_path, [f"1,{i},4.0,{second}" for i, second in enumerate(seconds, 1)])
    assert prepare(workspace, loose()).manifest.document["ratings_per_month"] == {
        "1970-01": 1,
        "1999-12": 1,
        "2000-01": 1,
        "2000-02": 1,
        "2000-03": 1,
    }


def test_ratings_that_differ_in_the_last_digits_are_counted_apart(tmp_path):
    workspace = write_raw(tmp_path, ["1,1,3.1234567,5", "1,2,3.1234568,5"])
    histogram = prepare(workspace, loose()).manifest.document["rating_histogram"]
    assert sum(histogram.values()) == 2


def test_the_manifest_names_the_input(one_run):
    workspace, result, ratings = one_run
    described = result.manifest.document["input"]
    assert [(file["role"], file["file"]) for file in described["files"]] == [
        ("ratings", "ratings.csv"),
        ("movies", "movies.csv"),
    ]
    assert described["files"][0]["bytes"] == (workspace.raw / "ratings.csv").stat().st_size
    assert described["rows"] == {"movies": 25, "ratings": len(ratings)}


def test_the_splits_add_up_to_the_last_step(one_run):
    workspace, result, _ = one_run
    assert sum(result.manifest.document["splits"].values()) == result.manifest.document["steps"][-1]["ratings"]
    assert result.manifest.document["splits"] == {name: len(rows) for name, rows in split_rows(workspace).items()}


def test_the_manifest_holds_every_setting(one_run):
    _, result, _ = one_run
    kept: dict[str, Any] = {
        name: tuple(v) if isinstance(v, list) else v for name, v in result.manifest.document["settings"].items()
    }
    assert PrepareSettings(**kept) == loose(min_movie_ratings=5, cut_points=(2.5, 3.5, 4.5))
