"""Lists made elsewhere: files and frames of any form, and lists whose figures a model or a baseline has too."""

from __future__ import annotations

import bz2
import gzip
import json
import os
import subprocess
import sys

import duckdb
import numpy as np
import pandas as pd
import pytest

import mlrec
from mlrec.artifacts import metrics_file, registry
from mlrec.artifacts.prepared import IdKinds
from mlrec.dataset.foreign_lists import read_lists
from mlrec.dataset.lists_file import write_lists
from mlrec.errors import InputError, MlrecError, SettingsError
from mlrec.ids import public
from mlrec.serving.recommender import Recommender
from tests.pages import blocks

QUICK = mlrec.EvaluateSettings(baselines=("popularity",))
LISTS = [(1, 30, 1), (1, 4, 2), (2, 7, 1)]


def rows(found):
    return list(zip(public(found.user_id), public(found.movie_id), strict=True))


def text(header="user_id,movie_id,rank", lists=LISTS, separator=","):
    lines = [header.replace(",", separator), *(separator.join(map(str, own)) for own in lists)]
    return "\n".join(lines).encode() + b"\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("lists.csv", text()),
        ("lists.csv.gz", gzip.compress(text("userId,movieId,Rank"))),
        ("lists.csv.bz2", bz2.compress(text("user,item,position"))),
        ("lists.tsv", text("uid,item_id,rank", separator="\t").replace(b"\n", b"\r\n")),
        ("scores.csv", text("user_id,movie_id,score", [(1, 4, 1e-9), (2, 7, -1), (1, 30, 2)])),
        ("rows.csv", text("movie_id,user_id", [(30, 1), (7, 2), (4, 1)])),
        ("lists.jsonl", b'{"user_id":2,"movie_id":7,"rank":1}\n{"user_id":1,"movie_id":4,"rank":3}\n'
                        b'{"rank":2,"user_id":1,"movie_id":30}\n'),
    ],
    ids=lambda own: own if isinstance(own, str) else "",
)  # fmt: skip
def test_files_of_any_form_are_read(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    found = read_lists(str(tmp_path / name), IdKinds())
    assert rows(found) == [(1, 30), (1, 4), (2, 7)]
    assert found.ordered_by == {"scores.csv": "score", "rows.csv": "row"}.get(name, "rank")
    assert found.uneven_ranks == (name == "lists.jsonl")


def test_frames_and_parquet_are_read_with_ids_of_either_kind(tmp_path):
    frame = pd.DataFrame(LISTS, columns=["user_id", "movie_id", "rank"])
    assert rows(read_lists(frame, IdKinds())) == [(1, 30), (1, 4), (2, 7)]
    assert rows(read_lists(frame, IdKinds("integer", "text"))) == [(1, "30"), (1, "4"), (2, "7")]
    path = tmp_path / "lists.parquet"
    query = "SELECT 'ü' AS user_id, unnest(['b', 'a', 'c']) AS item, unnest([0.5, 0.5, 0.75::FLOAT]) AS score"
    duckdb.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
    assert rows(read_lists(str(path), IdKinds("text", "text"))) == [("ü", "c"), ("ü", "a"), ("ü", "b")]


def test_a_repeated_movie_counts_where_it_is_first(tmp_path):
    path = tmp_path / "lists.csv"
    path.write_bytes(text(lists=[(1, 30, 2), (1, 4, 1), (1, 4, 3), (2, 7, 1), (2, 7, 1)]))
    found = read_lists(str(path), IdKinds())
    assert rows(found) == [(1, 4), (1, 30), (2, 7)]
    assert (found.rows, found.repeated, found.uneven_ranks) == (5, 2, 1)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "line 1: the header lacks userId, movieId"),
        (text(lists=[]), "has no rows"),
        (text("user_id,title,rank"), "lacks movieId"),
        (text("user_id,item_id,product_id"), "two columns could be the movie's id"),
        (text(lists=[(1, 2, 1), (1, 3, 0)]), "line 3: the rank '0' is below 1"),
        (text(lists=[(1, 2, 1), (1, 3, "")]), "line 3: the rank '' is not a whole number"),
        (text("user_id,movie_id,score", [(1, 2, "NaN")]), "line 2: the score 'NaN' is not a finite number"),
        (text(lists=[(1, "tt7", 1), (1, "tt8", 2)]), "line 2: the movie id 'tt7' is not a whole number"),
        (text(lists=[(1, "tt7", 1), (1, "tt8", 2)]), "In all, 2 rows"),
        (text(lists=[(1, 2, 1), (1, 2)]), "line 3: fields are missing"),
        (text("user_id,movie_id,rank", [(1, '"2', 1)]), "line 2: a quote is not closed"),
        (b"<html>", "it is a web page"),
        (b"PAR1 damaged PAR1", "cannot be read"),
    ],
    ids=lambda own: own if isinstance(own, str) else "",
)
def test_a_file_that_cannot_be_used_is_an_error_that_says_where(tmp_path, content, words):
    path = tmp_path / "lists.csv"
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        read_lists(str(path), IdKinds())
    assert words in error.value.message
    assert "lists.csv" in error.value.message
    assert error.value.hint


def test_a_fault_is_told_by_the_part_file_that_has_it(tmp_path):
    for name, lists in (("a.csv", LISTS), ("b.csv", [(3, 1, 1), (3, "x", 2)])):
        (tmp_path / name).write_bytes(text(lists=lists))
    with pytest.raises(InputError, match=r"b\.csv, line 3: the movie id 'x'"):
        read_lists(str(tmp_path), IdKinds())
    with pytest.raises(InputError, match="does not exist"):
        read_lists(str(tmp_path / "c.csv"), IdKinds())


def test_a_text_id_is_taken_as_it_is_or_refused(tmp_path):
    path = tmp_path / "lists.csv"
    path.write_bytes(text(lists=[("007", " 7", 1), ("x" * 201, "7", 1)]))
    with pytest.raises(InputError, match=r"line 3: the user id .* is longer than 200 bytes"):
        read_lists(str(path), IdKinds("text", "text"))
    path.write_bytes(text(lists=[("007", " 7", 1)]))
    assert rows(read_lists(str(path), IdKinds("text", "text"))) == [("007", " 7")]


def test_the_recipe_of_the_docs_gives_the_figures_of_the_popularity_baseline(demo_copy):
    """To the last digit, for all metrics, intervals and segments."""
    [recipe] = [block for block in blocks("docs/pipeline.md", "python") if "recommendations=" in block]
    folder = demo_copy.root.parent
    done = subprocess.run(
        [sys.executable, "-c", recipe], cwd=folder, env=os.environ, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    for settings in (QUICK, mlrec.EvaluateSettings(baselines=("popularity",), sample=100, ks=(5, 10))):
        found = mlrec.evaluate(demo_copy, settings, recommendations={"mine": folder / "lists.parquet"})
        assert found.models["mine"] == found.models["popularity"]
        assert found.differences["als - mine"] == found.differences["als - popularity"]
        assert all(part.models["mine"] == part.models["popularity"] for part in found.segments)
        assert found.recommendations["mine"].sentences(found.users, 10) == []


def test_lists_of_the_model_itself_have_its_figures(demo, tmp_path):
    """Exactly for users with many opinions; for others, evaluation knows popularity as it was at the time."""
    path = tmp_path / "own.parquet"
    with Recommender.open(demo.root, store="memory") as rec:
        columns = ({name: column for name, column in vars(block).items() if name != "users"}
                   for block in rec.recommend_all(1500, include_seen=True))  # fmt: skip
        write_lists(path, columns)
    found = mlrec.evaluate(demo, QUICK, recommendations={"own": path})
    report = found.recommendations["own"]
    assert (report.ordered_by, report.users_without_list, report.unknown_movies) == ("rank", 0, 0)
    assert report.known_movies > 0
    for metric in ("ndcg@10", "recall@10", "mrr@10"):
        assert found.models["own"][metric].value == pytest.approx(found.models["als"][metric].value, abs=0.001)
    many = [part for part in found.segments if part.by == "history" and part.name[:2] in ("20", "50")]
    assert sum(part.users for part in many) > 0.7 * found.users
    for part in many:
        assert part.models["own"] == part.models["als"]


def test_figures_of_lists_are_not_kept_and_what_is_odd_is_told(demo_copy, tmp_path):
    kept = registry.resolve(demo_copy)
    kept.metrics.unlink(missing_ok=True)
    mlrec.evaluate(demo_copy, QUICK)
    before = kept.metrics.read_text()
    frame = pd.DataFrame({"user_id": [1, 1, 7, 10**9], "movie_id": [10**9, 10**9, 318, 318]})
    found = mlrec.evaluate(demo_copy, QUICK, recommendations={"<b>few</b>": frame})
    assert kept.metrics.read_text() == before
    assert set(metrics_file.read_metrics(kept).results["val"]["train"]["liked-all"].models) == {"als", "popularity"}
    report = found.to_json()["recommendations"]["<b>few</b>"]
    assert (report["ordered_by"], report["rows"], report["repeated"], report["unknown_users"]) == ("row", 4, 1, 1)
    assert report["users_without_list"] >= found.users - 2
    assert set(found.models) == {"als", "popularity", "<b>few</b>"}
    assert json.loads(json.dumps(found.to_json()))["models"]["<b>few</b>"]["ndcg@10"]["value"] < 0.01
    html = found._repr_html_()
    assert "<b>few</b>" not in html
    assert "have no list, which counts as a list without a hit" in html
    assert set(found.to_frame()["model"]) == set(found.models)


def test_lists_that_leave_out_the_held_out_movies_are_told_apart_from_bad_ones(demo, tmp_path):
    with Recommender.open(demo.root, store="memory") as rec:
        frame = rec.to_frame(n=10)
    from mlrec.evaluation.foreign_lists import told

    [said] = told(mlrec.evaluate(demo, QUICK, recommendations={"served": frame}))
    assert "No list has a relevant movie" in said
    assert "--include-seen" in said


@pytest.mark.parametrize(
    ("lists", "settings", "kind"),
    [
        ({"popularity": "lists.csv"}, QUICK, SettingsError),
        ({"mine": "lists.csv"}, mlrec.EvaluateSettings(protocol="global-time"), SettingsError),
        ({"mine": "lists.csv"}, mlrec.EvaluateSettings(protocol="held-out-users"), SettingsError),
        ({"mine": 7}, QUICK, SettingsError),
        ("lists.csv", QUICK, SettingsError),
        ({7: "lists.csv"}, QUICK, SettingsError),
        ({"mine": "nowhere.csv"}, QUICK, InputError),
        ({"mine": pd.DataFrame({"user_id": [1], "movie_id": [np.nan]})}, QUICK, InputError),
    ],
    ids=["taken", "global-time", "held-out-users", "number", "no dict", "no name", "missing", "no id"],
)
def test_lists_that_cannot_be_judged_are_refused(demo, lists, settings, kind):
    with pytest.raises(MlrecError) as error:
        mlrec.evaluate(demo, settings, recommendations=lists)
    assert type(error.value) is kind or isinstance(error.value, kind)
