"""A warm start on the demo data: a model of its older half, then models of all of it that begin there or anew."""

from __future__ import annotations

import json
import shutil

import pytest

import mlrec
from mlrec.artifacts import model_folder, registry
from mlrec.errors import ModelMissingError, SettingsError, StateError
from mlrec.evaluation.comparing import compare
from mlrec.settings import EvaluateSettings
from mlrec.workspace import Workspace
from tests.command_line import in_this_process

QUICK = mlrec.TrainSettings(factors=8, item_item="off", half_life=7, feedback_weight=5)


def train(workspace: Workspace, *options: str) -> dict[str, object]:
    """Train on the command line, and return what --json prints."""
    done = in_this_process(["--data-dir", str(workspace.root), "train", "--json", *options])
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def grown_(demo_raw, tmp_path_factory) -> tuple[Workspace, str]:
    """The demo data, with a published model of the half that is older; and the id of that model."""
    workspace = Workspace(tmp_path_factory.mktemp("grown") / "data")
    header, *ratings = (demo_raw / "ratings.csv").read_text().splitlines(keepends=True)
    ratings.sort(key=lambda line: int(line.rstrip().rsplit(",", 1)[1]))
    half = tmp_path_factory.mktemp("older") / "ratings.csv"
    half.write_text("".join([header, *ratings[: len(ratings) // 2]]))
    mlrec.prepare(data_dir=workspace, ratings=half, movies=demo_raw / "movies.csv")
    first = mlrec.train(workspace)
    mlrec.prepare(data_dir=workspace, raw=demo_raw)
    return workspace, first.model_id


@pytest.fixture
def grown(grown_, tmp_path) -> tuple[Workspace, str]:
    """A copy that may be changed."""
    shutil.copytree(grown_[0].root, tmp_path / "data")
    return Workspace(tmp_path / "data"), grown_[1]


def test_three_sweeps_from_the_published_model_are_as_good_as_ten(grown):
    workspace, first = grown
    warm = train(workspace, "--warm-start", "--no-publish")
    cold = train(workspace, "--no-publish")
    assert warm["warm_start_from"] == first
    assert cold["warm_start_from"] is None
    assert warm["settings"]["iterations"] == 3  # type: ignore[index]
    assert cold["settings"]["iterations"] == 10  # type: ignore[index]
    for split in ("val", "test"):
        found = compare(workspace, str(warm["model_id"]), str(cold["model_id"]), EvaluateSettings(split=split))
        lead = found.difference["ndcg@10"]
        assert lead.low is not None
        assert lead.high is not None
        assert lead.low < 0 < lead.high or lead.value > 0
        assert lead.low > -0.01


def test_a_model_says_what_it_began_with_and_trains_elsewhere_as_one_that_began_anew(grown):
    workspace, first = grown
    trained = mlrec.train(workspace, mlrec.TrainSettings(item_item="off"), warm_start=True, publish=False)
    model = model_folder.open_model(registry.resolve(workspace, trained.model_id))
    assert model.info.warm_start_from == trained.warm_start_from == first
    assert trained.summary[0] == f"It began with the movie factors of {first}."
    assert (model.info.settings.iterations, model.info.settings.start_share) == (3, 0.0)
    assert (model.settings_elsewhere.iterations, model.settings_elsewhere.start_share) == ("auto", "auto")
    given = mlrec.train(workspace, mlrec.TrainSettings(iterations=1, start_share=0), warm_start=True, publish=False)
    model = model_folder.open_model(registry.resolve(workspace, given.model_id))
    assert model.info.settings.iterations == 1
    assert (model.settings_elsewhere.iterations, model.settings_elsewhere.start_share) == ("auto", 0.0)


def test_run_begins_both_of_its_models_with_the_published_one(grown, demo_raw):
    workspace, first = grown
    result = mlrec.run(workspace, raw=demo_raw, final=True, warm_start=True)
    assert result.final is not None
    assert result.trained.warm_start_from == result.final.warm_start_from == first
    # The published model has learned from what is held out, so the next one begins with the model evaluated for it.
    again = mlrec.run(workspace, raw=demo_raw, final=True, warm_start=True)
    assert again.final is not None
    assert again.trained.warm_start_from == result.trained.model_id
    assert again.final.warm_start_from == result.final.model_id


def test_what_is_evaluated_does_not_begin_with_what_it_is_asked(grown):
    workspace, _ = grown
    everything = mlrec.train(workspace, mlrec.TrainSettings(on="all"))
    with pytest.raises(StateError, match="learned from events that are held out now") as caught:
        mlrec.train(workspace, warm_start=True)
    assert everything.model_id in caught.value.message
    on_all = mlrec.train(workspace, mlrec.TrainSettings(on="all"), warm_start=True, publish=False)
    assert on_all.warm_start_from == everything.model_id


def test_what_cannot_begin_anywhere_says_so(grown, demo_raw, tmp_path):
    workspace, first = grown
    there = registry.list_ids(workspace)
    with pytest.raises(SettingsError, match=f"those of model {first} have 64 factors, not 8") as caught:
        mlrec.train(workspace, QUICK, warm_start=True)
    assert "--factors 64" in caught.value.hint
    with pytest.raises(SettingsError, match="exclude each other"):
        mlrec.train(workspace, mlrec.TrainSettings(start_share=0.2), warm_start=True)
    assert registry.list_ids(workspace) == there
    with pytest.raises(ModelMissingError, match="No model is published"):
        mlrec.run(tmp_path / "new", raw=demo_raw, warm_start=True)
    assert not (tmp_path / "new" / "prepared").exists()


def test_a_model_of_other_movies_is_no_beginning(few_copy, tmp_path):
    mlrec.train(few_copy, QUICK)
    rows = "".join(
        f"{user},{movie},{4 + movie % 2},{movie}\n" for user in range(1, 31) for movie in range(900_001, 900_031)
    )
    (tmp_path / "others.csv").write_text("userId,movieId,rating,timestamp\n" + rows)
    mlrec.prepare(data_dir=few_copy, ratings=tmp_path / "others.csv")
    with pytest.raises(StateError, match="has learned none of the"):
        mlrec.train(few_copy, QUICK, warm_start=True)


@pytest.mark.parametrize("command", ["train", "run"])
def test_spark_has_no_warm_start(command, tmp_path):
    done = in_this_process(["--data-dir", str(tmp_path), command, "--warm-start", "--engine", "spark"])
    assert done.returncode == 2
    assert "--warm-start needs the local engine" in done.stderr
