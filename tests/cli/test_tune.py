"""mlrec tune, and how mlrec train and mlrec run use its result."""

from __future__ import annotations

import json

import pytest

from mlrec.artifacts import model_folder, registry


def trained_with(workspace) -> dict:
    return model_folder.open_model(registry.resolve(workspace)).info.settings.to_json()


def test_tune_in_json_and_as_tables(run, few_copy, tmp_path):
    out = tmp_path / "best.json"
    done = run("tune", "--trials", 3, "--threads", 1, "--sample", 100, "--out", out, "--json", data=few_copy.root)
    assert done.stderr == ""
    document = json.loads(done.stdout)
    assert {
        "study", "origin", "trials", "best", "top", "is_default", "importance", "val", "test", "seconds",
        "settings_file",
    } <= set(document)  # fmt: skip
    assert document["trials"] == {"complete": 3, "pruned": 0, "failed": 0}
    assert document["settings_file"] == str(out)
    assert json.loads(out.read_text())["settings"] == document["best"]["settings"]
    for split in ("val", "test"):
        assert set(document[split]["models"]) == {"best", "default"}
        lead = document[split]["differences"]["best - default"]["ndcg@10"]
        assert set(lead) == {"value", "low", "high", "p", "p_holm"}

    shown = run("tune", "--trials", 3, "--threads", 1, "--sample", 100, data=few_copy.root)
    assert shown.stderr == ""
    assert f"The best settings are in {few_copy.study('main').settings}" in shown.stdout
    next_step = f"Next: mlrec train --settings {few_copy.study('main').settings}"
    assert (next_step in shown.stdout) is not document["is_default"]
    assert "the best of 3 trials" in shown.stdout
    refused = run("tune", "--trials", 3, "--random-seed", 7, data=few_copy.root, expect=4)
    assert "--study NEW" in refused.stderr


def test_options_win_over_the_settings_file_which_wins_over_defaults(run, demo_copy, tmp_path):
    file = tmp_path / "own.json"
    own = {"factors": 8, "iterations": 2, "alpha": 5.5, "random_seed": 3, "threads": 1, "half_life": None, "on": "all"}
    file.write_text(json.dumps({"settings": own}))
    run("train", "--settings", file, data=demo_copy.root)
    # Whether to learn from everything is the command's to say.
    assert (own | {"on": "train"}).items() <= trained_with(demo_copy).items()
    given = ("--alpha", 2.0, "--random-seed", 42, "--on", "all", "--half-life", 10, "--threads", 0)
    run("train", "--settings", file, *given, data=demo_copy.root)
    expected = own | {"alpha": 2.0, "random_seed": 42, "on": "all", "half_life": 10.0, "threads": 0}
    assert expected.items() <= trained_with(demo_copy).items()


def test_a_models_description_trains_the_same_model_again(run, demo_copy):
    before = registry.resolve(demo_copy)
    run("train", "--settings", before.info, data=demo_copy.root)
    assert trained_with(demo_copy) == json.loads(before.info.read_text())["settings"]
    assert registry.resolve(demo_copy).movie_embeddings.read_bytes() == before.movie_embeddings.read_bytes()


def test_run_judges_a_model_of_train_and_publishes_one_of_everything_with_the_files_settings(
    run, few_copy, few_raw, tmp_path
):
    file = tmp_path / "own.json"
    file.write_text('{"settings": {"factors": 8, "iterations": 2, "regularization": 33.5, "on": "all"}}')
    done = run("run", "--raw", few_raw, "--settings", file, "--final", "--json", data=few_copy.root)
    document = json.loads(done.stdout)
    expected = {"factors": 8, "iterations": 2, "regularization": 33.5}
    assert (expected | {"on": "train"}).items() <= document["train"]["settings"].items()
    assert (expected | {"on": "all"}).items() <= document["final"]["settings"].items()
    assert document["final"]["published"]


@pytest.mark.parametrize(
    ("text", "words"),
    [("nonsense", "is not JSON"), ('{"settings": {"factor": 1}}', "settings.factor"), ("{}", "'settings'")],
)
def test_a_bad_settings_file_is_an_error_in_plain_words(run, demo, tmp_path, text, words):
    (tmp_path / "bad.json").write_text(text)
    done = run("train", "--settings", "bad.json", data=demo.root, expect=3)
    assert words in done.stderr
    assert "bad.json" in done.stderr
