"""Comparing two models on the demo data, and publishing only what is not worse."""

from __future__ import annotations

import shutil
from functools import partial

import numpy as np
import pytest

from mlrec.artifacts import model_folder, registry
from mlrec.artifacts.metrics_file import read_metrics
from mlrec.dataset.prepare import prepare
from mlrec.dataset.reading import read_prepared
from mlrec.errors import DataChangedError, EmptyResultError, MlrecError, ModelMissingError, SettingsError
from mlrec.evaluation import gate as gate_module
from mlrec.evaluation.choosing import as_chosen, on_validation
from mlrec.evaluation.comparing import Comparison, compare, has_learned
from mlrec.evaluation.gate import Gate, is_not_worse, publish_if_better, require_gate
from mlrec.evaluation.protocol import evaluate
from mlrec.model.train import train
from mlrec.settings import EvaluateSettings, PrepareSettings, TrainSettings
from mlrec.workspace import Workspace
from tests.figures import bounds

BASELINE = TrainSettings.preset("baseline")


@pytest.fixture(scope="module")
def _both(_demo_trained, tmp_path_factory) -> Workspace:
    """The default model, published, and the baseline preset, which is worse."""
    workspace = Workspace(tmp_path_factory.mktemp("both") / "data")
    shutil.copytree(_demo_trained.root, workspace.root)
    train(workspace, BASELINE, publish=False)
    return workspace


def compared(gate: Gate) -> Comparison:
    assert gate.comparison is not None
    return gate.comparison


@pytest.fixture
def both(_both, tmp_path) -> tuple[Workspace, str, str]:
    """A copy that may be changed, with the ids of the default and of the baseline model."""
    workspace = Workspace(tmp_path / "data")
    shutil.copytree(_both.root, workspace.root)
    default = registry.published_id(workspace)
    assert default is not None
    (baseline,) = set(registry.list_ids(workspace)) - {default}
    return workspace, default, baseline


@pytest.mark.parametrize("split", ["val", "test"])
def test_a_comparison_has_the_figures_of_evaluate_and_is_paired(both, split):
    workspace, _, baseline = both
    # A baseline knows the movies of the core, so that their shares are of the same movies.
    default = train(workspace, TrainSettings(movies="core"), publish=False).model_id
    result = compare(workspace, default, baseline, EvaluateSettings(split=split, ks=(5, 10)))
    settings = EvaluateSettings(split=split, ks=(5, 10), baselines=("als-baseline",))
    alone = evaluate(workspace, settings, model_id=default)
    assert result.models[default] == alone.models["als"]
    assert result.models[baseline] == alone.models["als-baseline"]
    assert result.difference == alone.differences["als - als-baseline"]
    assert (result.users, result.answers_left_out) == (alone.users, 0)
    turned = compare(workspace, baseline, default, EvaluateSettings(split=split, ks=(5, 10)))
    for metric, figure in result.difference.items():
        assert turned.difference[metric].value == pytest.approx(-figure.value)
        assert turned.difference[metric].low == pytest.approx(-bounds(figure)[1])


def test_what_cannot_be_compared(both):
    workspace, default, _ = both
    with pytest.raises(SettingsError):
        compare(workspace, default, default)
    with pytest.raises(ModelMissingError):
        compare(workspace, default, "20200101T000000-als-0000")
    everything = train(workspace, TrainSettings(on="all", iterations=2), publish=False)
    with pytest.raises(EmptyResultError, match="learned from all relevant movies"):
        compare(workspace, default, everything.model_id)


def test_a_better_model_is_published_and_a_worse_one_is_not(both):
    workspace, default, baseline = both
    worse = publish_if_better(workspace, baseline)
    assert (worse.passed, worse.verdict, worse.users_needed) == (False, "worse", None)
    assert bounds(compared(worse).difference["ndcg@10"])[1] < 0
    assert default in worse.reason
    assert registry.published_id(workspace) == default
    registry.publish(workspace, baseline)
    better = publish_if_better(workspace, default)
    assert better.passed
    assert bounds(compared(better).difference["ndcg@10"])[0] > 0
    assert registry.published_id(workspace) == default


@pytest.mark.parametrize("is_first", [False, True], ids=["compared", "the first one"])
def test_what_the_gate_finds_is_kept_and_is_what_evaluate_finds(both, is_first):
    workspace, _, baseline = both
    files = registry.resolve(workspace, baseline)
    files.metrics.unlink(missing_ok=True)
    if is_first:
        workspace.current_pointer.unlink()
    publish_if_better(workspace, baseline)
    kept = read_metrics(files).of("val", "train", "liked-all")
    assert kept is not None
    found = evaluate(workspace, EvaluateSettings(ks=(10,), baselines=()), model_id=baseline)
    assert kept.users == found.users
    assert {name: vars(figure) for name, figure in kept.models["als"].items()} == {
        name: vars(figure) for name, figure in found.models["als"].items()
    }


def test_a_model_of_other_data_keeps_no_figures_of_the_present_data(both, demo_raw):
    workspace, _, baseline = both
    files = registry.resolve(workspace, baseline)
    files.metrics.unlink(missing_ok=True)
    prepare(workspace, PrepareSettings(min_movie_ratings=25), raw=demo_raw)
    publish_if_better(workspace, baseline)
    assert read_metrics(files).results == {}


def test_an_equal_model_is_published(both):
    workspace, _, _ = both
    again = train(workspace, publish=False, chooser=on_validation)
    gate = publish_if_better(workspace, again.model_id)
    assert gate.passed
    assert compared(gate).difference["ndcg@10"].value == 0
    assert registry.published_id(workspace) == again.model_id


@pytest.fixture(scope="module")
def few_users(demo_raw, tmp_path_factory) -> tuple[Workspace, str]:
    """All is held out after one moment: 94 users, 73 of them of unknown taste. The id is of a model of one factor."""
    workspace = Workspace(tmp_path_factory.mktemp("few") / "data")
    prepare(workspace, PrepareSettings(split="global-time"), raw=demo_raw)
    train(workspace, chooser=on_validation)
    return workspace, train(workspace, TrainSettings(factors=1), publish=False, chooser=on_validation).model_id


def test_few_users_do_not_suffice_to_publish_a_model_of_one_factor(few_users):
    workspace, one_factor = few_users
    before = registry.published_id(workspace)
    gate = publish_if_better(workspace, one_factor)
    assert (gate.passed, gate.verdict, registry.published_id(workspace)) == (False, "too-few-users", before)
    lead = compared(gate).difference["ndcg@10"]
    assert bounds(lead)[0] < bounds(lead)[1]
    assert gate.users == 94
    assert gate.users_who_differ is not None
    assert 10 < gate.users_who_differ < 25
    assert gate.users_needed is not None
    assert gate.users_needed > 94
    assert f"About {gate.users_needed:,} users would do." in gate.reason


def test_who_accepts_a_larger_loss_publishes_it(few_users):
    workspace, one_factor = few_users
    gates = [is_not_worse(workspace, one_factor, largest_loss=share) for share in (0.0, 0.05, 0.3)]
    assert [gate.verdict for gate in gates] == ["too-few-users", "too-few-users", "publish"]
    found = compared(gates[0]).models[str(gates[0].published)]["ndcg@10"].value
    assert [gate.margin for gate in gates] == pytest.approx([0, 0.05 * found, 0.3 * found])
    assert "by more than 30% (" in gates[2].reason
    for share in (-0.1, 1.0, float("nan")):
        with pytest.raises(SettingsError, match="largest_loss must be a share"):
            is_not_worse(workspace, one_factor, largest_loss=share)


def test_what_the_gate_found_is_kept_and_outlives_an_evaluation(few_users):
    workspace, one_factor = few_users
    gate = publish_if_better(workspace, one_factor)
    evaluate(workspace, EvaluateSettings(ks=(10,), baselines=()), model_id=one_factor)
    kept = read_metrics(registry.resolve(workspace, one_factor))
    assert kept.gate is not None
    assert gate.difference is not None
    assert (kept.gate.verdict, kept.gate.published, kept.gate.users) == ("too-few-users", gate.published, 94)
    assert (kept.gate.difference.low, kept.gate.difference.high) == bounds(gate.difference)
    assert (kept.gate.margin, kept.gate.users_needed) == (gate.margin, gate.users_needed)
    assert kept.of("val", "train", "liked-all") is not None


def test_the_first_model_is_published(both):
    workspace, _, baseline = both
    workspace.current_pointer.unlink()
    gate = publish_if_better(workspace, baseline)
    assert (gate.passed, gate.verdict, gate.published, gate.comparison) == (True, "publish", None, None)
    assert read_metrics(registry.resolve(workspace, baseline)).gate is None
    assert registry.published_id(workspace) == baseline


def test_for_a_model_of_everything_stands_the_one_that_was_judged(both):
    workspace, default, baseline = both
    train(workspace, TrainSettings(on="all"), judged_by=default)
    gate = is_not_worse(workspace, baseline)
    assert not gate.passed
    assert gate.judged_in_its_place == default
    assert compared(gate).second == default


def test_for_a_model_of_everything_without_a_judge_its_settings_are_trained_anew(both):
    workspace, default, baseline = both
    chosen = partial(as_chosen, model_folder.open_model(registry.resolve(workspace, default)).info.choice)
    final = train(workspace, TrainSettings(on="all"), judged_by="20200101T000000-als-0000", chooser=chosen)
    ids = registry.list_ids(workspace)
    gate = is_not_worse(workspace, baseline)
    assert not gate.passed
    assert gate.judged_in_its_place == f"{final.model_id}, retrained on the train split"
    assert compared(gate).difference == compare(workspace, baseline, default).difference
    assert registry.list_ids(workspace) == ids


def test_models_of_other_data_are_compared_on_what_neither_has_learned(both, demo_raw):
    """The data has grown: each user's split lies later, so the old model has learned from few of the new answers."""
    workspace, default, _ = both
    old = model_folder.open_model(registry.resolve(workspace, default))
    prepare(workspace, PrepareSettings(min_movie_ratings=5, split_ratio=(15, 3, 2)), raw=demo_raw)
    new = train(workspace, publish=False)
    data = read_prepared(workspace)
    held_out = data.held_out("val")
    learned = learned_pairs(old)
    expected = [pair in learned for pair in zip(held_out.user_id.tolist(), held_out.movie_id.tolist(), strict=True)]
    assert has_learned(old, held_out).tolist() == expected
    assert 0 < sum(expected) < len(expected)
    result = compare(workspace, new.model_id, default)
    assert result.answers_left_out == sum(expected)
    for figures in result.models.values():
        assert figures["ndcg@10"].value > 0.02
    gate = is_not_worse(workspace, new.model_id)
    assert gate.judged_in_its_place is None
    assert gate.comparison == result


def test_models_of_another_user_offset_are_refused_and_the_gate_trains_their_settings_anew(both, demo_raw):
    workspace, default, _ = both
    everything = train(workspace, TrainSettings(on="all"), judged_by=default)
    prepare(workspace, PrepareSettings(user_offset=1_000_000), raw=demo_raw)
    with pytest.raises(DataChangedError, match="user offset"):
        compare(workspace, default, everything.model_id)
    new = train(workspace, BASELINE, publish=False)
    gate = is_not_worse(workspace, new.model_id)
    assert not gate.passed
    assert gate.judged_in_its_place == f"{everything.model_id}, retrained on the train split"


def test_a_few_answers_that_are_left_by_chance_judge_nobody(both, demo_raw, tmp_path):
    """The published model has learned from all validation events but those of one new user."""
    workspace, _, _ = both
    raw = tmp_path / "raw"
    shutil.copytree(demo_raw, raw)
    with (raw / "ratings.csv").open("a") as file:
        file.writelines(f"9999,{movie},5,{1_500_000_000 + movie}\n" for movie in (1, 2, 6, 10, 32, 34, 39, 47, 50, 110))
    final = train(workspace, TrainSettings(on="all"))
    prepare(workspace, PrepareSettings(split_ratio=(7, 1, 2)), raw=raw)
    new = train(workspace, publish=False)
    gate = is_not_worse(workspace, new.model_id)
    assert gate.judged_in_its_place == f"{final.model_id}, retrained on the train split"
    assert compared(gate).users > 500


def test_lists_of_both_are_measured_by_one_popularity(both, demo_raw):
    """A model of other data lists the same movies: they are as novel as in the lists of the present model."""
    workspace, default, _ = both
    prepare(workspace, PrepareSettings(split_ratio=(9, 1, 0)), raw=demo_raw)
    new = train(workspace, publish=False)
    result = compare(workspace, new.model_id, default, EvaluateSettings(ks=(10,)))
    figures = [model["novelty@10"].value for model in result.models.values()]
    assert abs(figures[0] - figures[1]) < 0.3  # bits; with each model's own popularity it is 0.8


def test_another_model_that_was_published_meanwhile_is_the_one_to_compare_with(both, monkeypatch):
    workspace, default, baseline = both
    third = train(workspace, TrainSettings(random_seed=7), publish=False)
    registry.publish(workspace, baseline)
    judged = []

    def judge(*arguments, **options):
        found = is_not_worse(*arguments, **options)
        judged.append(found.published)
        if len(judged) == 1:
            registry.publish(workspace, default)  # somebody else, just now
        return found

    monkeypatch.setattr(gate_module, "is_not_worse", judge)
    gate = publish_if_better(workspace, third.model_id)
    assert judged == [baseline, default]
    assert gate.published == default
    assert registry.published_id(workspace) == (third.model_id if gate.passed else default)


def test_what_keeps_a_model_from_being_judged_is_told_before_it_is_trained(both, demo_raw):
    workspace, default, _ = both
    require_gate(workspace)
    workspace.current_pointer.write_text("20200101T000000-als-0000\n")
    with pytest.raises(ModelMissingError):
        require_gate(workspace)
    registry.publish(workspace, default)
    prepare(workspace, PrepareSettings(split_ratio=(8, 0, 2)), raw=demo_raw)
    with pytest.raises(EmptyResultError, match="validation split is empty"):
        require_gate(workspace)
    one, other = registry.list_ids(workspace)[:2]
    with pytest.raises(EmptyResultError, match="cannot be compared"):
        compare(workspace, one, other)


def test_the_published_model_is_not_worse_than_itself(both):
    workspace, default, _ = both
    assert publish_if_better(workspace, default).passed


def test_one_user_cannot_tell_who_is_worse(both, tmp_path, demo_raw):
    workspace, _, _ = both
    raw = tmp_path / "raw"
    shutil.copytree(demo_raw, raw)
    lines = (raw / "ratings.csv").read_text().splitlines(keepends=True)
    (raw / "ratings.csv").write_text("".join([lines[0], *(line for line in lines if line.startswith("15,"))]))
    prepare(workspace, PrepareSettings(min_movie_ratings=1, split_ratio=(1, 1, 8)), raw=raw)
    new = train(workspace, publish=False)
    gate = publish_if_better(workspace, new.model_id)
    assert not gate.passed
    assert (gate.verdict, gate.users_needed) == ("too-few-users", None)
    assert "over 1 user, " in gate.reason
    assert "Nothing says how many would do." in gate.reason
    lead = compared(gate).difference["ndcg@10"]
    assert (lead.low, lead.high, lead.p) == (None, None, None)


def learned_pairs(model) -> set[tuple[int, int]]:
    history = model.history.only(("train",))
    users = np.repeat(model.user_ids, np.diff(history.indptr))
    known = history.movie_idx >= 0
    movies = model.movie_ids[history.movie_idx[known]]
    return set(zip(users[known].tolist(), movies.tolist(), strict=True))


def test_a_damaged_published_model_is_an_error_and_stays(both):
    workspace, default, baseline = both
    registry.resolve(workspace, default).movie_embeddings.write_bytes(b"")
    with pytest.raises(MlrecError, match="damaged"):
        publish_if_better(workspace, baseline)
    assert registry.published_id(workspace) == default


def test_what_hinders_saving_the_figures_does_not_hide_what_was_published(both, monkeypatch, caplog):
    workspace, default, baseline = both
    registry.publish(workspace, baseline)

    def full(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(gate_module, "add_metrics", full)
    gate = publish_if_better(workspace, default)
    assert gate.passed
    assert registry.published_id(workspace) == default
    assert "were not saved" in caplog.text
    assert "No space left" in caplog.text


def test_figures_of_the_gate_are_saved_whatever_the_evaluation_afterwards_is_of(demo_copy):
    shutil.rmtree(demo_copy.models)
    model_id = train(demo_copy, TrainSettings(iterations=2), publish=False).model_id
    settings = EvaluateSettings(protocol="global-time", relevance="any", sample=50, split="test")
    assert publish_if_better(demo_copy, model_id, settings).passed
    results = read_metrics(demo_copy.model(model_id)).document
    assert results["val"]["train"]["liked-all"]["users"] == 607
