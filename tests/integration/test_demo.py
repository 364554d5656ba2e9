"""The main job on the real demo data, against counts and figures that were computed without mlrec."""

from __future__ import annotations

import csv
import json
import shutil
from collections import defaultdict
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest

from mlrec import Recommender
from mlrec.artifacts import metrics_file, model_folder, registry
from mlrec.artifacts.documents import to_json
from mlrec.artifacts.prepared import read_manifest
from mlrec.dataset.prepare import prepare
from mlrec.dataset.reading import read_held_out
from mlrec.errors import DataChangedError, ModelMissingError, StateError, TrainingFailedError
from mlrec.evaluation import contest
from mlrec.evaluation.choosing import on_validation
from mlrec.evaluation.protocol import Evaluation, evaluate
from mlrec.model.train import train
from mlrec.settings import BASELINES, EvaluateSettings, PrepareSettings, TrainSettings
from mlrec.workspace import Workspace
from tests.figures import bounds
from tests.independent import Row, divided, first_difference, popularity_by_date, rows_of
from tests.second_opinion import dense, personal_by_hand

N_MOVIES = 9_066


@pytest.fixture(scope="module")
def independent_splits(demo_raw):
    """The demo data's splits in plain Python: user → events in order of time."""
    with (demo_raw / "ratings.csv").open() as file:
        rows = [
            (int(r["userId"]), int(r["timestamp"]), int(r["movieId"]), float(r["rating"])) for r in csv.DictReader(file)
        ]
    by_user: dict[int, list[Row]] = defaultdict(list)
    for row in divided(
        (user, timestamp, movie, -2 if rating <= 2.5 else -1 if rating <= 3.5 else 1 if rating <= 4.5 else 2)
        for user, timestamp, movie, rating in rows
    ):
        by_user[row.user].append(row)
    return by_user


def test_counts(demo):
    manifest = read_manifest(demo).document
    assert manifest["steps"][0] == {"name": "read", "ratings": 100_004, "users": 671, "movies": 9_066}
    assert {**manifest["steps"][-1], "name": ""} == {"name": "", "ratings": 69_096, "users": 670, "movies": 1_303}
    assert sum(manifest["splits"].values()) == 69_096
    assert manifest["rejects"] == {"rows": 0, "by_reason": {}}
    assert sum(manifest["rating_histogram"].values()) == sum(manifest["ratings_per_month"].values()) == 100_004
    assert min(manifest["ratings_per_month"]) == "1995-01"
    assert max(manifest["ratings_per_month"]) == "2016-10"


def test_every_row_of_the_splits(demo, independent_splits):
    ours = rows_of(demo)
    expected = [row for _, history in sorted(independent_splits.items()) for row in history]
    assert first_difference(ours, expected) is None
    assert sum(row.in_core for row in ours) == 69_096


def test_popularity_and_the_presets_are_where_they_were_measured(demo_copy):
    """Within the core, where the figures can be compared with those of earlier versions."""
    on_val = EvaluateSettings(relevance_within="core", baselines=("popularity",))

    def ndcg(settings):
        train(demo_copy, settings)
        return evaluate(demo_copy, on_val).models

    baseline = [ndcg(TrainSettings.preset("baseline", random_seed=seed)) for seed in (1, 2, 3)]
    assert baseline[0]["popularity"]["ndcg@10"].value == pytest.approx(0.0599, abs=5e-5)
    assert 0.065 <= np.mean([figures["als"]["ndcg@10"].value for figures in baseline]) <= 0.077
    default = [ndcg(TrainSettings(random_seed=seed)) for seed in (1, 2, 3)]
    assert np.mean([figures["als"]["ndcg@10"].value for figures in default]) >= 0.12
    on_test = evaluate(demo_copy, replace(on_val, split="test"))
    assert on_test.models["popularity"]["ndcg@10"].value == pytest.approx(0.0509, abs=5e-5)


@pytest.mark.parametrize("within", ["all", "core"])
@pytest.mark.parametrize("split", ["val", "test"])
@pytest.mark.parametrize("relevance", ["liked", "any"])
def test_metrics_agree_with_an_independent_library(demo, independent_splits, split, relevance, within):
    """Lists are ranked here by plain numpy from the model folder's own files; ir-measures then judges them."""
    import ir_measures
    from ir_measures import AP, RR, P, R, Success, nDCG

    ks = (5, 10, 50)
    settings = EvaluateSettings(split=split, relevance=relevance, ks=ks, baselines=("popularity",))
    result = evaluate(demo, replace(settings, relevance_within=within))
    files = registry.resolve(demo)
    mappings = json.loads(files.mappings.read_text())
    movies = np.load(files.movie_embeddings)
    users = np.load(files.user_embeddings)
    model = model_folder.open_model(files)
    assert model.item_item is not None
    fold_in, B = model.solver(), dense(model.item_item)
    rows = {int(movie): row for movie, row in mappings["movie_id_to_index"].items()}
    by_row = {row: movie for movie, row in rows.items()}
    history_splits = ("train",) if split == "val" else ("train", "val")
    assert len(rows) == N_MOVIES

    core_rows = {rows[e.movie] for events in independent_splits.values() for e in events if e.in_core}
    outside_core = np.array([row not in core_rows for row in range(N_MOVIES)])
    likes = np.array(
        sorted(
            (event.timestamp, user, rows[event.movie])
            for user, events in independent_splits.items()
            for event in events
            if event.split == "train" and event.preference > 0
        )
    )

    judged, run, mixed = {}, {}, 0
    for user, events in independent_splits.items():
        held_out = [event for event in events if event.split == split and (event.in_core or within == "all")]
        answers = {str(event.movie): 1 for event in held_out if event.preference > 0 or relevance == "any"}
        if not answers:
            continue
        history = [(rows[event.movie], event.preference) for event in events if event.split in history_splits]
        seen, preferences = (np.array(column) for column in zip(*history, strict=True))
        seen, preferences = seen.astype(np.int32), preferences.astype(np.int8)
        vector = users[mappings["user_id_to_index"][str(user)]]
        if split == "test":
            vector = fold_in.user_vector(seen, preferences)
        n = len(history)
        weight = min(0.4, max(0, 20 - n) / (20 + 4 * n))
        popular = popularity_by_date(likes, min(e.timestamp for e in held_out), N_MOVIES)
        if vector.any():
            scores = personal_by_hand(
                movies @ vector, model.item_item, B, model.is_trained, seen.tolist(), preferences.tolist()
            )
            if weight:
                best = max(np.delete(scores, seen).max(), 0)
                scores = (1 - weight) * scores + weight * popular * min(1, min(n, 2) * best / popular.max())
                mixed += 1
        else:  # somebody who has liked nothing gets what is popular, but less of what is like the disliked movies
            disliked = fold_in.user_vector(seen, np.abs(preferences), decay=False)
            scores = popular * (1 - np.clip(movies @ disliked, 0, 1))
        scores[seen] = -np.inf
        if within == "core":
            scores[outside_core] = -np.inf
        order = np.lexsort((np.arange(len(scores)), -scores))[: max(ks)]
        judged[str(user)] = answers
        run[str(user)] = {str(by_row[row]): float(len(order) - place) for place, row in enumerate(order)}
    assert split == "test" or mixed > 10

    measures = {
        f"{name}@{k}": measure @ k
        for k in ks
        for name, measure in (
            ("recall", R),
            ("precision", P),
            ("ndcg", nDCG),
            ("map", AP),
            ("mrr", RR),
            ("hit_rate", Success),
        )
    }
    expected = ir_measures.calc_aggregate(measures.values(), judged, run)
    assert result.users == len(judged)
    for name, measure in measures.items():
        assert result.models["als"][name].value == pytest.approx(expected[measure], abs=1e-6), name


def test_baselines_are_where_others_have_measured_them(demo):
    """EASE and popularity on this split as measured independently; the figures are part of the project's notes."""
    val, test = (
        evaluate(demo, EvaluateSettings(split=split, relevance_within="core")).models for split in ("val", "test")
    )
    assert list(val) == ["als", *BASELINES[:-1]]  # als-default would be the same model
    assert val["ease"]["ndcg@10"].value == pytest.approx(0.1102, abs=5e-5)
    # 0.1069 where users without a known like get nothing; here they get what is popular.
    assert test["ease"]["ndcg@10"].value == pytest.approx(0.1076, abs=5e-5)
    assert val["popularity"]["ndcg@10"].value == pytest.approx(0.0599, abs=5e-5)
    for figures in (val, test):
        ndcg = {name: own["ndcg@10"].value for name, own in figures.items()}
        assert ndcg["als"] > ndcg["ease-recent"] > ndcg["ease"] > ndcg["cosine"] > ndcg["popularity"]


def test_an_als_baseline_is_what_publishing_it_would_give(demo_copy):
    parts: list[Literal["val", "test"]] = ["val", "test"]
    train(demo_copy, TrainSettings(movies="core"))
    settings = EvaluateSettings(baselines=("als-baseline",))
    beside = {split: evaluate(demo_copy, replace(settings, split=split)).models["als-baseline"] for split in parts}
    train(demo_copy, TrainSettings.preset("baseline"))
    for split, figures in beside.items():
        alone = evaluate(demo_copy, EvaluateSettings(split=split, baselines=("popularity",)))
        assert alone.models["als"] == figures


@pytest.fixture(scope="module")
def judged(demo) -> Evaluation:
    """The demo model beside all baselines."""
    return evaluate(demo)


def test_differences_are_of_the_same_users(judged):
    for pair, differences in judged.differences.items():
        other = judged.models[pair.removeprefix("als - ")]
        for metric, figure in differences.items():
            assert figure.value == pytest.approx(judged.models["als"][metric].value - other[metric].value)
            low, high = bounds(figure)
            assert low <= figure.value <= high
        # Both models find the same users easy, so the difference is surer than either figure.
        own, lead = judged.models["als"]["ndcg@10"], differences["ndcg@10"]
        if pair not in ("als - popularity", "als - recent"):
            assert np.ptp(bounds(lead)) < np.ptp(bounds(own))


def test_a_baseline_that_cannot_be_trained_is_skipped_with_the_reason(demo, monkeypatch):
    def fail(*_, **__):
        raise TrainingFailedError("No finite factors.", "")

    monkeypatch.setattr(contest, "learn", fail)
    result = evaluate(demo)
    assert "als-baseline" not in result.models
    assert "No finite factors" in result.skipped["als-baseline"]


def test_what_would_take_minutes_is_left_out_unless_asked_for(demo, monkeypatch):
    monkeypatch.setattr(contest, "QUICK_EVENTS", 1000)
    result = evaluate(demo)
    assert list(result.models) == ["als", "popularity"]
    assert set(result.skipped) == set(BASELINES) - {"popularity", "als-default"}
    assert "ease" in evaluate(demo, EvaluateSettings(baselines=("popularity", "ease"))).models
    monkeypatch.setattr(contest, "QUICK_EVENTS", 10**9)
    monkeypatch.setattr(contest, "_available_memory", lambda: 1_000_000)
    skipped = evaluate(demo).skipped
    assert set(skipped) == {"ease", "ease-recent"}
    assert "GiB for 1,303 movies" in skipped["ease"]


def test_regularization_that_followed_the_data_is_written_down(demo, demo_copy):
    info = model_folder.open_model(registry.resolve(demo)).info.document
    assert info["settings"]["regularization"] == info["fold_in"]["regularization"] == pytest.approx(20, abs=0.1)
    assert model_folder.open_model(registry.resolve(demo)).train_settings == TrainSettings()
    # Learning from everything means more likes, and so more of it; what is given stays.
    final = train(demo_copy, TrainSettings(on="all"))
    assert final.settings.regularization is not None
    assert final.settings.regularization > info["settings"]["regularization"]
    given = train(demo_copy, TrainSettings(regularization=5.0, iterations=1))
    assert given.settings.regularization == 5
    assert model_folder.open_model(registry.resolve(demo_copy)).train_settings == TrainSettings(
        regularization=5.0, iterations=1
    )


def test_a_model_that_knows_the_answers_is_refused(demo_copy):
    trained = train(demo_copy, TrainSettings(on="all", iterations=1))
    with pytest.raises(StateError, match="cannot be evaluated on it"):
        evaluate(demo_copy, model_id=trained.model_id)


def test_changed_data_is_refused(demo_copy, demo_raw):
    prepare(demo_copy, PrepareSettings(min_user_ratings=12), raw=demo_raw)
    with pytest.raises(DataChangedError):
        evaluate(demo_copy)
    # The same data, prepared again, is the same data.
    prepare(demo_copy, raw=demo_raw)
    evaluate(demo_copy)


def test_results_are_kept_beside_the_model(demo_copy):
    registry.resolve(demo_copy).metrics.unlink(missing_ok=True)
    settings = EvaluateSettings(baselines=("popularity", "recent"))
    val = evaluate(demo_copy, settings)
    test = evaluate(demo_copy, replace(settings, split="test", relevance="any", history="train"))
    metrics = metrics_file.read_metrics(registry.resolve(demo_copy)).document
    assert metrics["val"]["train"]["liked-all"] == to_json(val, without=("recommendations",))
    assert metrics["test"]["train"]["any-all"] == to_json(test, without=("recommendations",))


def test_other_list_lengths_and_baselines_do_not_remove_what_was_kept(demo_copy):
    registry.resolve(demo_copy).metrics.unlink(missing_ok=True)
    evaluate(demo_copy, EvaluateSettings(baselines=("popularity", "ease")))
    evaluate(demo_copy, EvaluateSettings(ks=(5,), baselines=("popularity",)))
    kept = metrics_file.read_metrics(registry.resolve(demo_copy)).document["val"]["train"]["liked-all"]
    assert kept["ks"] == [5, 10]
    assert {"ndcg@5", "ndcg@10"} <= set(kept["models"]["als"])
    assert set(kept["models"]["ease"]) >= {"ndcg@10"}
    assert "ndcg@5" not in kept["models"]["ease"]
    assert set(kept["differences"]["als - popularity"]) >= {"ndcg@5", "ndcg@10"}


@pytest.mark.parametrize(
    "content", ["{", '{"format_version": 1, "val": []}', '{"format_version": 1, "val": {"train": 3}}']
)
def test_damaged_results_are_written_anew_and_hide_no_model(demo_copy, content):
    files = registry.resolve(demo_copy)
    files.metrics.write_text(content)
    assert registry.summary(demo_copy, files.root.name).kind == "als"
    evaluate(demo_copy, EvaluateSettings(baselines=("popularity",)))
    assert metrics_file.read_metrics(files).document["val"]["train"]["liked-all"]["users"] == 607


def test_a_model_that_is_deleted_while_it_is_evaluated_is_an_error_in_plain_words(demo_copy):
    files = registry.resolve(demo_copy)
    shutil.rmtree(files.root)
    with pytest.raises(ModelMissingError, match="was deleted"):
        metrics_file.add_metrics(files, "val", "train", "liked", {})


def test_a_sample_of_one_user_has_no_intervals(demo):
    result = evaluate(demo, EvaluateSettings(sample=1, baselines=("popularity",)))
    figure, lead = result.models["als"]["ndcg@10"], result.differences["als - popularity"]["ndcg@10"]
    assert (figure.low, figure.high, lead.low, lead.high, lead.p) == (None,) * 5


def test_users_without_a_history_get_what_serving_gives_them(demo_raw, demo_copy):
    """With a global split most held-out users are new: popularity, not an arbitrary order, answers for them."""
    prepare(demo_copy, PrepareSettings(split="global-time"), raw=demo_raw)
    train(demo_copy)
    held_out = read_held_out(demo_copy, "val")
    model = model_folder.open_model(registry.resolve(demo_copy))
    trained = set(np.asarray(model.user_ids)[np.asarray(model.user_vectors).any(axis=1)].tolist())
    new = set(held_out.user_id.tolist()) - trained
    assert len(new) > 10
    result = evaluate(demo_copy, EvaluateSettings(baselines=("popularity",)))
    assert result.models["als"]["ndcg@10"].value > 0.5 * result.models["popularity"]["ndcg@10"].value


@pytest.mark.parametrize("threads", [1, 2])
def test_figures_do_not_depend_on_threads(demo, judged, threads):
    assert evaluate(demo, EvaluateSettings(threads=threads)).models == judged.models


def test_users_with_few_ratings_and_an_empty_validation_part_are_no_trouble(demo_raw, tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "movies.csv").write_bytes((demo_raw / "movies.csv").read_bytes())
    (raw / "ratings.csv").write_text(
        (demo_raw / "ratings.csv").read_text() + "700,1,5,1000\n701,1,5,1000\n701,260,4,1001\n"
    )
    workspace = Workspace(tmp_path / "data")
    prepare(workspace, PrepareSettings(min_user_ratings=1), raw=raw)
    train(workspace, TrainSettings(iterations=2))
    for split in ("val", "test"):
        assert evaluate(workspace, EvaluateSettings(split=split, baselines=("popularity",))).users > 600
    with Recommender.open(workspace.root) as recommender:
        for user in (700, 701):
            assert recommender.knows_user(user)
            assert 1 not in {item.movie_id for item in recommender.get_top_n(user, 10_000)}


def test_a_user_offset_holds_from_the_raw_data_to_serving(demo_raw, demo, tmp_path):
    workspace = Workspace(tmp_path / "data")
    prepare(workspace, PrepareSettings(user_offset=1_000_000), raw=demo_raw)
    train(workspace, chooser=on_validation)
    with Recommender.open(workspace.root) as shifted, Recommender.open(demo.root) as plain:
        assert shifted.get_top_n(1_000_042) == plain.get_top_n(42)
        assert not shifted.knows_user(42)
    model = model_folder.open_model(registry.resolve(workspace))
    assert model.info.user_offset == 1_000_000
