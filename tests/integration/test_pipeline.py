"""The pipeline from Python: what the commands do, without a command line."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mlrec
from mlrec.artifacts import registry
from mlrec.artifacts.metrics_file import read_metrics
from mlrec.errors import EmptyResultError, SettingsError
from mlrec.pipeline import EvaluateResult, NotEvaluated, PrepareResult, TrainResult
from mlrec.workspace import Workspace

QUICK = mlrec.TrainSettings(factors=8, iterations=2)
FEW = mlrec.EvaluateSettings(baselines=("popularity",))


def test_run_tells_each_step_as_it_ends(demo_raw, tmp_path):
    steps: list[object] = []
    published = []

    def note(step):
        steps.append(step)
        published.append(registry.published_id(Workspace(tmp_path)))

    result = mlrec.run(tmp_path, raw=demo_raw, final=True, train_settings=QUICK, evaluate_settings=FEW, on_step=note)
    assert result.final is not None
    assert [type(step) for step in steps] == [PrepareResult, TrainResult, EvaluateResult, EvaluateResult, TrainResult]
    assert published == [None, None, None, None, result.final.model_id]
    assert result.fetched is None
    assert result.gate is None
    assert [evaluation.split for evaluation in result.evaluations] == ["val", "test"]
    assert {evaluation.model_id for evaluation in result.evaluations} == {result.trained.model_id}
    assert (result.trained.published, result.trained.settings.on) == (False, "train")
    assert (result.final.published, result.final.settings.on) == (True, "all")
    assert result.final.settings.factors == 8
    assert result.final.compared_with_published is None  # there was no model before
    assert list(result.to_json()) == ["prepare", "train", "evaluate", "final"]


def test_run_publishes_what_is_asked(demo_copy, demo_raw):
    before = registry.published_id(demo_copy)
    unpublished = mlrec.run(
        demo_copy, raw=demo_raw, final=True, publish=False, train_settings=QUICK, evaluate_settings=FEW
    )
    assert unpublished.final is not None
    assert not unpublished.final.published
    worse = mlrec.run(
        demo_copy, raw=demo_raw, final=True, publish="if-better", train_settings=QUICK, evaluate_settings=FEW
    )
    assert worse.gate is not None
    assert (worse.gate.passed, worse.gate.published, worse.final) == (False, before, None)
    kept = read_metrics(registry.resolve(demo_copy, worse.trained.model_id))
    assert kept.gate is not None
    assert (kept.gate.verdict, sorted(kept.results)) == ("worse", ["test", "val"])
    assert registry.published_id(demo_copy) == before


def test_a_model_of_everything_is_trained_on_train_first_whatever_the_settings_say(demo_raw, tmp_path):
    everything = mlrec.TrainSettings(factors=8, iterations=2, on="all")
    result = mlrec.run(tmp_path, raw=demo_raw, train_settings=everything, evaluate_settings=FEW)
    assert result.trained.settings.on == "train"
    assert result.trained.published
    assert result.final is None


def test_an_empty_part_is_told_and_left_out(demo_raw, tmp_path):
    steps: list[object] = []
    result = mlrec.run(
        str(tmp_path),
        raw=demo_raw,
        prepare_settings=mlrec.PrepareSettings(split_ratio=(8, 0, 2)),
        train_settings=QUICK,
        evaluate_settings=FEW,
        on_step=steps.append,
    )
    (left_out,) = [step for step in steps if isinstance(step, NotEvaluated)]
    assert left_out.split == "val"
    assert [evaluation.split for evaluation in result.evaluations] == ["test"]
    with pytest.raises(EmptyResultError, match="validation split is empty"):
        mlrec.train(tmp_path, QUICK, publish="if-better")


def test_the_gate_of_train(demo_copy):
    before = registry.published_id(demo_copy)
    worse = mlrec.train(demo_copy.root, QUICK, publish="if-better")
    assert worse.gate is not None
    assert (worse.gate.passed, worse.published) == (False, False)
    assert worse.to_json()["gate"]["published"] == before
    better = mlrec.train(demo_copy.root, publish="if-better")
    assert better.gate is not None
    assert (better.gate.passed, better.published) == (True, True)
    assert registry.published_id(demo_copy) == better.model_id
    assert "gate" not in mlrec.train(demo_copy, QUICK, publish=False).to_json()
    assert registry.published_id(demo_copy) == better.model_id
    there = registry.list_ids(demo_copy)
    with pytest.raises(SettingsError, match="cannot be compared with the published one"):
        mlrec.train(demo_copy, mlrec.TrainSettings(on="all"), publish="if-better")
    with pytest.raises(SettingsError, match="publish must be"):
        mlrec.train(demo_copy, publish="maybe")  # type: ignore[arg-type]
    assert registry.list_ids(demo_copy) == there


def test_a_plain_training_says_how_it_compares_with_the_model_that_it_replaces(demo_copy):
    before = registry.published_id(demo_copy)
    new = mlrec.train(demo_copy, QUICK)
    found = new.compared_with_published
    assert found is not None
    assert found.published == before
    assert new.choice is not None
    assert found.value == new.choice.figures["model"].value
    assert found.published_value is not None
    assert found.published_value > found.value
    assert found.command == f"mlrec models compare {new.model_id} {before}"
    assert f"{found.value:.4f}, and was {found.published_value:.4f} ({new.choice.users} users)" in found.summary
    assert found.command in found.summary
    assert new.to_json()["compared_with_published"]["published"] == before
    baseline = mlrec.train(demo_copy, mlrec.TrainSettings.preset("baseline", iterations=1))
    nobody = baseline.compared_with_published  # it has no choice, and so no figures
    assert nobody is not None
    assert (nobody.published, nobody.value, nobody.users) == (new.model_id, None, None)
    assert "nobody has compared the two" in nobody.summary
    assert f"mlrec models compare {baseline.model_id} {new.model_id}" in nobody.summary
    everything = mlrec.train(demo_copy, mlrec.TrainSettings(factors=8, iterations=1, on="all")).compared_with_published
    assert everything is not None
    assert everything.command == "mlrec run --final --publish-if-better"
    unpublished = mlrec.train(demo_copy, QUICK, publish=False)
    assert unpublished.compared_with_published is None
    assert "compared_with_published" not in unpublished.to_json()


def test_figures_of_other_data_do_not_stand_side_by_side(demo_copy, demo_raw):
    mlrec.prepare(demo_copy, mlrec.PrepareSettings(min_movie_ratings=25), raw=demo_raw)
    found = mlrec.train(demo_copy, QUICK).compared_with_published
    assert found is not None
    assert (found.value, found.published_value) == (None, None)


def test_prepare_takes_the_swipes_of_the_store_and_leaves_out_who_is_forgotten(demo_copy, demo_raw):
    with mlrec.Recommender.open(demo_copy.root) as recommender:
        recommender.update_user(42, 318, "like")
        recommender.update_user(42, 260, "like")
        recommender.undo(42)
        recommender.forget_user(7)
    plain = mlrec.prepare(demo_copy.root, raw=demo_raw)
    assert plain.unmerged_swipes == 1
    assert plain.manifest.swipes is None
    merged = mlrec.prepare(demo_copy.root, raw=demo_raw, with_swipes=True)
    assert merged.unmerged_swipes == 0
    assert merged.manifest.swipes is not None
    assert merged.manifest.swipes.merged == 1
    assert "without forgotten users" in [step.name for step in merged.manifest.steps]


SETTINGS: list[Any] = [{}, {"factors": 2}, "", 5, mlrec.ServeSettings()]
NO_PATHS: list[Any] = [5, "", b"raw", "a\0b", [], {}]
NO_TEXTS: list[Any] = [5, b"demo", ["demo"], {}, True, Path("demo")]
NO_BOOLEANS: list[Any] = [None, 0, 1, "no", []]
NO_PUBLISHING: list[Any] = [None, 1, "maybe", []]
OF_PREPARE: list[tuple[str, list[Any], str]] = [
    ("data_dir", NO_PATHS, "data_dir must be a path"),
    ("raw", NO_PATHS, "raw must be a path"),
    ("store", [5, b"users.db", [], {}, True], "store must be the name of a store"),
    ("with_swipes", NO_BOOLEANS, "with_swipes must be True or False"),
    ("spark", ["local", True, {}], "spark must be Spark"),
]
WRONG: list[tuple[Callable[..., object], str, list[Any], str]] = [
    *((mlrec.prepare, *row) for row in OF_PREPARE),
    (mlrec.prepare, "settings", SETTINGS, "settings must be PrepareSettings"),
    (mlrec.train, "data_dir", NO_PATHS, "data_dir must be a path"),
    (mlrec.train, "settings", SETTINGS, "settings must be TrainSettings"),
    (mlrec.train, "publish", NO_PUBLISHING, "publish must be True, False or 'if-better'"),
    (mlrec.train, "note", NO_TEXTS, "note must be a string"),
    (mlrec.train, "spark", ["local", True, {}], "spark must be Spark"),
    (mlrec.evaluate, "data_dir", NO_PATHS, "data_dir must be a path"),
    (mlrec.evaluate, "settings", SETTINGS, "settings must be EvaluateSettings"),
    (mlrec.evaluate, "model_id", NO_TEXTS, "model_id must be a string"),
    *((mlrec.run, *row) for row in OF_PREPARE),
    (mlrec.run, "note", NO_TEXTS, "note must be a string"),
    (mlrec.run, "edition", NO_TEXTS, "edition must be a string"),
    (mlrec.run, "source", NO_TEXTS, "source must be a string"),
    (mlrec.run, "final", NO_BOOLEANS, "final must be True or False"),
    (mlrec.run, "publish", NO_PUBLISHING, "publish must be True, False or 'if-better'"),
    (mlrec.run, "prepare_settings", SETTINGS, "prepare_settings must be PrepareSettings"),
    (mlrec.run, "train_settings", SETTINGS, "train_settings must be TrainSettings"),
    (mlrec.run, "evaluate_settings", SETTINGS, "evaluate_settings must be EvaluateSettings"),
]


@pytest.mark.parametrize(
    ("function", "name", "value", "message"),
    [(function, name, value, message) for function, name, values, message in WRONG for value in values],
)
def test_what_is_no_argument_is_refused_by_name_and_nothing_is_written(tmp_path, function, name, value, message):
    folder = tmp_path / "data"
    with pytest.raises(SettingsError, match=f"^{message}"):
        function(**{"data_dir": folder, name: value})
    assert not folder.exists()


def test_a_path_is_a_path_however_it_is_given(demo_copy, demo_raw):
    with mlrec.Recommender.open(demo_copy.root, store="other.db") as recommender:
        recommender.update_user(42, 318, "like")
    assert mlrec.prepare(demo_copy.root, raw=str(demo_raw), store=Path("other.db")).unmerged_swipes == 1


def test_the_names_cost_nothing_until_they_are_used():
    program = (
        "import sys, mlrec\n"
        "assert not {'numpy', 'duckdb', 'scipy', 'implicit'} & set(sys.modules)\n"
        "assert {'prepare', 'train', 'evaluate', 'run'} <= set(mlrec.__all__)\n"
        "mlrec.run\n"
        "heavy = {'duckdb', 'scipy', 'implicit', 'typer', 'rich', 'redis', 'pyspark', 'optuna'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
