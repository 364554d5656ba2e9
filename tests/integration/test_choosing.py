"""What the settings leave open is chosen on validation, judged there, and recorded; test is never looked at."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace

import numpy as np
import pytest

import mlrec
from mlrec.artifacts import model_folder, registry
from mlrec.artifacts.choice import Choice
from mlrec.artifacts.metrics_file import Figure
from mlrec.artifacts.settings_file import read_settings
from mlrec.dataset.events import Events
from mlrec.dataset.reading import PreparedData, read_prepared
from mlrec.evaluation import choosing
from mlrec.evaluation.choosing import on_validation, summary_of, warnings_of
from mlrec.evaluation.protocol import evaluate
from mlrec.model.train import build_model
from mlrec.settings import CHOSEN, SPLITS, EvaluateSettings, ItemItemSettings, TrainSettings


@pytest.fixture(scope="module")
def data(demo) -> PreparedData:
    return read_prepared(demo)


@pytest.fixture(scope="module")
def model(demo):
    return registry.open_published(demo)


def built(data: PreparedData, **settings) -> model_folder.Model:
    return build_model(data, TrainSettings(**settings), chooser=on_validation)[0]


def rule_of(model: model_folder.Model) -> ItemItemSettings:
    assert model.info.item_item is not None
    return model.info.item_item.rule


def choice_of(model: model_folder.Model) -> Choice:
    assert model.info.choice is not None
    return model.info.choice


def test_the_choice_is_the_best_point_that_was_tried(model):
    choice, rule = choice_of(model), model.info.fold_in
    assert set(choice.settings) == set(CHOSEN)
    best = max(choice.tried, key=lambda point: point["ndcg@10"] or 0.0)
    assert {name: best[name] for name in CHOSEN} == dict(choice.settings)
    assert best["ndcg@10"] == choice.figures["model"].value
    assert len(choice.tried) == len({tuple(point[name] for name in CHOSEN) for point in choice.tried})
    assert (rule.half_life, rule.feedback_weight) == (choice.values["half_life"], choice.values["feedback_weight"])
    second = rule_of(model)
    assert (second.weight, second.half_life) == (
        choice.values["item_item_weight"],
        choice.values["item_item_half_life"],
    )
    tried_weights = {point["item_item_weight"] for point in choice.tried}
    assert {0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95} <= tried_weights, "the whole curve of the weight is recorded"


def test_its_figure_is_that_of_evaluate(demo, model):
    """All users outside the holdout are judged on the demo data, by the lists that serving would make."""
    choice = choice_of(model)
    judged = evaluate(demo, EvaluateSettings(users="others", baselines=("popularity",)))
    assert judged.users < 600 < evaluate(demo, EvaluateSettings(baselines=())).users
    assert choice.users == judged.users
    assert choice.figures["model"].value == pytest.approx(judged.models["als"]["ndcg@10"].value, abs=1e-9)
    assert choice.figures["popularity"].value == pytest.approx(judged.models["popularity"]["ndcg@10"].value, abs=1e-9)
    assert choice.beats_popularity
    lead = choice.figures["model"].value - choice.figures["vectors"].value
    assert choice.differences["vectors"].value == pytest.approx(lead)


def test_a_second_opinion_that_hardly_helps_is_dropped(data, model, monkeypatch):
    """Similar movies still look at its weights; lists do not."""
    figures = choice_of(model).figures
    gain = figures["model"].value / figures["vectors"].value - 1
    assert (rule_of(model).weight > 0) == (gain > 0.005)
    monkeypatch.setattr(choosing, "_LEAST_GAIN", 0.9)
    without = built(data)
    assert choice_of(without).values["item_item_weight"] == rule_of(without).weight == 0
    assert choice_of(without).figures["model"] == choice_of(without).figures["vectors"]
    # From the first look at all weights on, the search goes on without it; the last point is that of its weights alone.
    weights = [point["item_item_weight"] for point in choice_of(without).tried]
    assert set(weights[weights.index(0.95) + 1 : -1]) == {0.0}
    assert without.item_item is not None
    assert len(without.item_item.weight)


def test_the_parts_alone_are_what_they_say(data, model):
    choice = choice_of(model)
    given = dict(choice.values)
    for name, weight in (("vectors", 0.0), ("item-item", 0.99)):
        alone = choice_of(built(data, **{**given, "item_item_weight": weight}))
        assert alone.settings == {}
        assert alone.figures["model"].value == pytest.approx(choice.figures[name].value, abs=1e-9)


def test_what_is_given_stays_and_the_rest_is_chosen(data):
    model = built(data, half_life=math.inf, item_item_weight=0.3)
    assert set(choice_of(model).settings) == {"feedback_weight", "item_item_half_life"}
    assert model.info.fold_in.half_life == math.inf
    assert rule_of(model).weight == 0.3
    assert {point["half_life"] for point in choice_of(model).tried} == {None}, "infinity is null in JSON"


def test_without_item_item_only_the_fold_in_is_chosen(data):
    model = built(data, item_item="off")
    assert model.item_item is None
    assert model.info.item_item is None
    assert set(choice_of(model).settings) == {"half_life", "feedback_weight"}
    assert all(set(point) == {"half_life", "feedback_weight", "ndcg@10"} for point in choice_of(model).tried)
    assert set(choice_of(model).figures) == {"model", "popularity"}


def test_the_same_data_and_seed_give_the_same_choice(data, model):
    assert choice_of(built(data)) == choice_of(model)
    assert choice_of(built(data, threads=1)).settings == choice_of(model).settings


def test_test_is_never_looked_at(data, model):
    """With other events in test, even nonsense, the choice is the same."""
    events = data.events
    is_test = events.split == SPLITS.index("test")
    signed = events.preference.copy()
    signed[is_test] = -signed[is_test]
    nonsense = replace(data, events=replace(events, preference=signed))
    assert choice_of(built(nonsense)) == choice_of(model)


def dealt(events: Events, random_seed: int) -> Events:
    """The same events, each user's in a random order. The splits stay as large as they are."""
    draw = np.random.default_rng(random_seed)
    order = np.lexsort((draw.random(len(events)), events.user))
    columns = {name: getattr(events, name)[order] for name in ("movie", "preference", "in_core")}
    return replace(events, **columns)


def test_where_the_order_means_nothing_the_latest_likes_do_not_count_more(data):
    choice = choice_of(built(replace(data, events=dealt(data.events, 3))))
    assert choice.values["item_item_half_life"] == math.inf
    usual = {"half_life": 7.0, "feedback_weight": 5.0, "item_item_half_life": 7.0, "item_item_weight": 0.7}
    (start,) = [point["ndcg@10"] or 0.0 for point in choice.tried if usual.items() <= point.items()]
    assert choice.figures["model"].value > 1.05 * start


def test_a_model_of_all_data_takes_what_was_chosen_before(demo_copy):
    chosen = model_folder.read_info(registry.resolve(demo_copy))
    final = mlrec.train(demo_copy, TrainSettings(on="all"))
    assert final.settings.half_life == chosen.settings.half_life
    assert final.settings.item_item_weight == chosen.settings.item_item_weight
    assert final.choice == chosen.choice
    assert final.warnings == ()
    (said,) = final.summary
    assert said.startswith("As chosen for the model that was evaluated: half-life 7, feedback weight ")
    opened = registry.open_published(demo_copy)
    assert opened.train_settings == TrainSettings(on="all")


def test_where_nothing_can_be_chosen_the_output_says_so(demo_copy, demo_raw, tmp_path):
    """Without a validation split, and for a model of all data if none of the same data was evaluated before."""
    mlrec.prepare(tmp_path, mlrec.PrepareSettings(split_ratio=(9, 0, 1)), raw=demo_raw)
    shutil.rmtree(demo_copy.models)
    for result in (mlrec.train(tmp_path), mlrec.train(demo_copy, TrainSettings(on="all"))):
        assert result.choice is None
        assert result.summary == (
            "Nothing could be chosen on validation. The usual values are used: half-life 7, feedback weight 5,"
            " item-item weight 0.7, item-item half-life 7.",
        )
        assert (result.settings.half_life, result.settings.item_item_weight) == (7.0, 0.7)


def test_a_description_is_a_settings_file_that_chooses_again(demo, tmp_path):
    files = registry.resolve(demo)
    assert read_settings(files.info) == TrainSettings()
    document = json.loads(files.info.read_text())
    assert document["left_to_training"] == list(CHOSEN)
    (tmp_path / "model.json").write_text(json.dumps({**document, "left_to_training": ["half_life"]}))
    settings = read_settings(tmp_path / "model.json")
    assert settings.half_life == "auto"
    assert settings.feedback_weight == document["settings"]["feedback_weight"]


def test_a_sample_is_drawn_where_there_are_many_users(data, model, monkeypatch):
    monkeypatch.setattr(choosing, "_MOST_USERS", 100)
    choice = choice_of(built(data))
    assert choice.users == 100
    figure = choice.figures["model"]
    assert figure.low is not None
    assert figure.high is not None
    assert figure.low < figure.value < figure.high


def choice_with(popularity: Figure, vectors: float = 0.0) -> Choice:
    figures = {
        "model": Figure(0.10, 0.09, 0.11),
        "vectors": Figure(0.10 - vectors, None, None),
        "popularity": Figure(0.05, None, None),
    }
    return Choice(
        settings={"half_life": None, "item_item_weight": 0.7},
        metric="ndcg@10",
        users=93,
        tried=(),
        figures=figures,
        differences={"vectors": Figure(vectors, vectors - 0.01, vectors + 0.01), "popularity": popularity},
    )


def test_a_model_that_is_of_use_is_only_summarized():
    choice = choice_with(Figure(0.05, 0.02, 0.08))
    assert warnings_of(choice) == ()
    assert summary_of(choice) == (
        "Chosen on validation (93 users): half-life inf, item-item weight 0.7.",
        "NDCG@10 there: 0.1000; by vectors alone 0.1000, by popularity 0.0500.",
    )


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (Figure(-0.05, -0.08, -0.01), "The model ranks worse than a list of popular movies"),
        (Figure(0.01, -0.02, 0.04), "It is not certain that the model ranks better than a list of popular movies"),
        (Figure(0.05, None, None), "It is not certain that the model ranks better than a list of popular movies"),
    ],
)
def test_a_model_that_does_not_beat_popularity_says_so_and_what_to_try(found, said):
    (warning,) = warnings_of(choice_with(found))
    assert warning.startswith(said)
    assert "0.1000 against 0.0500 (93 users" in warning
    assert "--min-movie-ratings" in warning
    assert "mlrec tune" in warning


def test_a_model_that_loses_to_its_own_part_says_so():
    (warning,) = warnings_of(choice_with(Figure(0.05, 0.02, 0.08), vectors=-0.02))
    assert warning.startswith("The model ranks worse than its vectors alone: NDCG@10 on validation is 0.1000 against")
    assert warning.endswith("Try 'mlrec tune'."), "the training has chosen the weight"


def test_real_settings_that_lose_to_a_part_are_told(demo_copy):
    result = mlrec.train(
        demo_copy, TrainSettings(half_life=7, item_item_half_life=math.inf, item_item_weight=0.99), publish=False
    )
    (warning,) = [warning for warning in result.warnings if "worse than its vectors alone" in warning]
    assert warning.endswith("--item-item-weight auto")
    assert result.to_json()["warnings"] == list(result.warnings)


def test_random_opinions_do_not_beat_popularity(demo_raw, tmp_path):
    """Movies dealt at random to the people of the demo data: nothing but popularity can be learned."""
    import pandas as pd

    ratings = pd.read_csv(demo_raw / "ratings.csv")
    dealt_again = ratings["movieId"].sample(frac=1, random_state=1).to_numpy()
    ratings["movieId"] = dealt_again
    mlrec.prepare(ratings, data_dir=tmp_path)
    result = mlrec.train(tmp_path)
    assert any("a list of popular movies" in warning for warning in result.warnings)
