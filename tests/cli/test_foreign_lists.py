"""Judging lists made elsewhere on the command line, and JSON documents in files."""

from __future__ import annotations

import json
import shutil

import pytest

from mlrec.artifacts import registry
from mlrec.cli.commands.evaluate import _lists
from tests.cli.test_commands import as_json


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_what_recommend_writes_for_all_users_is_judged_as_it_is(run, demo_copy, tmp_path, ending):
    lists, target = tmp_path / f"served{ending}", tmp_path / "figures.json"
    run("recommend", "--all-users", "--include-seen", "-n", 400, "--out", lists, data=demo_copy.root)
    kept = registry.resolve(demo_copy).metrics
    options = ("--baseline", "popularity", "--recommendations", lists.name, "--recommendations", f"again={lists}")
    if ending == ".csv":
        shown = run("evaluate", *options, "--segments", "--json-out", target, data=demo_copy.root).stdout
        assert "served: lists of served.csv, in order of rank." in shown
        assert f"again: lists of {lists}, in order of rank." in shown
        assert "listed movies were known to the user and removed; the movies below moved up." in shown
        assert "als leads by" in shown
        found = json.loads(target.read_text())
    else:
        done = run("evaluate", *options, "--json", "--json-out", target, data=demo_copy.root)
        found = as_json(done)
        assert found == json.loads(target.read_text())
    assert found["recommendations"]["served"]["ordered_by"] == "rank"
    assert found["models"]["served"] == found["models"]["again"]
    assert abs(found["models"]["served"]["ndcg@10"]["value"] - found["models"]["als"]["ndcg@10"]["value"]) < 0.002
    assert set(found["differences"]) == {"als - popularity", "als - served", "als - again"}
    assert "served" not in kept.read_text()


def test_bad_lists_and_names_are_refused_with_the_reason(run, small_model, tmp_path):
    (tmp_path / "lists.csv").write_text("user_id,movie_id,rank\n1,1,1\n1,2,zero\n")
    (tmp_path / "popularity.csv").write_text("user_id,movie_id,rank\n1,1,1\n")
    for options, code, words in (
        (("lists.csv",), 3, "lists.csv, line 3: the rank 'zero' is not a whole number."),
        (("popularity.csv",), 2, "--recommendations NAME=FILE"),
        (("lists.csv", "--recommendations", "x/../lists.csv"), 2, "Two lists are named 'lists'"),
        (("lists.csv", "--replay"), 2, "--replay cannot be combined with --recommendations"),
    ):
        done = run("evaluate", "--recommendations", *options, data=small_model.root, expect=code)
        assert words in " ".join(done.stderr.split())
        assert done.stdout == ""
    without_model = run("evaluate", "--recommendations", "lists.csv", data=tmp_path / "empty", expect=4)
    assert "mlrec run demo" in without_model.stderr


@pytest.mark.parametrize(
    ("command", "target", "words"),
    [
        ("evaluate", "-", "Use --json to print"),
        ("evaluate --replay", "nowhere/x.json", "There is no folder"),
        ("models compare a b", ".", "is a folder"),
        ("evaluate --report x.json", "x.json", "name the same file"),
    ],
)
def test_a_file_that_cannot_be_written_is_told_before_anything_is_measured(run, small_model, command, target, words):
    done = run(*command.split(), "--json-out", target, data=small_model.root, expect=2)
    assert words in " ".join(done.stderr.split())
    assert done.stdout == ""


def test_a_name_may_stand_before_a_file_that_has_an_equals_sign(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "year=2024.csv").touch()
    assert _lists(["year=2024.csv", "mine=year=2024.csv", "out/a=b.csv", "=x.csv"]) == {
        "year=2024": "year=2024.csv",
        "mine": "year=2024.csv",
        "a=b": "out/a=b.csv",
        "=x": "=x.csv",
    }


def test_replay_and_compare_write_their_documents_to_a_file_too(run, small_model, tmp_path):
    data, target = tmp_path / "data", tmp_path / "figures.json"
    shutil.copytree(small_model.root, data)
    done = run("evaluate", "--replay", "--json", "--json-out", target, data=data)
    assert as_json(done) == json.loads(target.read_text())
    first = registry.published_id(small_model)
    second = as_json(run("train", "--iterations", 2, "--no-publish", "--json", data=data))["model_id"]
    shown = run("models", "compare", first, second, "--split", "test", "--json-out", target, data=data).stdout
    assert first in shown
    assert set(json.loads(target.read_text())["models"]) == {first, second}
