"""The other protocols, on the demo data: which events are learned from, known, and to be found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mlrec.artifacts import model_folder, registry
from mlrec.dataset.prepare import prepare
from mlrec.dataset.reading import read_prepared
from mlrec.errors import EmptyResultError
from mlrec.evaluation.protocol import evaluate
from mlrec.evaluation.replay.replay import replay
from mlrec.evaluation.side_by_side import side_by_side
from mlrec.evaluation.splits import by_global_time, by_held_out_users, by_user_time, shuffled_sittings
from mlrec.model.train import train
from mlrec.settings import BaselineName, EvaluateSettings, PrepareSettings, ReplaySettings, TrainSettings
from mlrec.workspace import Workspace
from tests.figures import bounds

QUICK: tuple[BaselineName, ...] = ("popularity",)


@pytest.fixture(scope="module")
def global_time(demo_raw, tmp_path_factory) -> Workspace:
    workspace = Workspace(tmp_path_factory.mktemp("global-time"))
    prepare(workspace, PrepareSettings(split="global-time"), raw=demo_raw)
    return workspace


def rows(events):
    return list(zip(events.user_id.tolist(), events.movie_id.tolist(), events.split.tolist(), strict=True))


def test_each_division_is_the_one_that_prepare_writes(demo, global_time):
    by_user, by_moment = read_prepared(demo).events, read_prepared(global_time).events
    assert rows(by_global_time(by_user, (8, 1, 1))) == rows(by_moment)
    assert rows(by_user_time(by_moment, (8, 1, 1))) == rows(by_user)


def test_a_global_time_of_its_own_is_what_preparing_and_training_anew_gives(demo, global_time):
    """With what was chosen for the model of the other protocol."""
    train(global_time, registry.settings_of(demo)[1])
    settings = EvaluateSettings(split="test", baselines=("popularity", "ease"))
    prepared = evaluate(global_time, settings)
    anew = evaluate(demo, replace(settings, protocol="global-time"))
    assert (anew.protocol, anew.trained_anew, prepared.trained_anew) == ("global-time", True, False)
    assert prepared.protocol == "global-time"
    assert anew.model_id == registry.published_id(demo)
    assert (anew.models, anew.differences, anew.segments) == (prepared.models, prepared.differences, prepared.segments)


def test_nothing_is_written_by_a_protocol_with_a_model_of_its_own(demo):
    def files():
        return {path: path.stat().st_mtime_ns for path in demo.root.rglob("*")}

    before = files()
    evaluate(demo, EvaluateSettings(protocol="held-out-users", baselines=QUICK))
    assert files() == before


@pytest.mark.parametrize("relevance", ["liked", "any"])
def test_held_out_users_are_strangers_whose_history_is_divided(demo, relevance):
    events = read_prepared(demo).events
    parts = {part: by_held_out_users(events, part, relevance, 0.1, 3) for part in ("val", "test")}
    users = {part: set(divided.user_id[divided.split > 0].tolist()) for part, divided in parts.items()}
    everybody = set(events.user_id.tolist())
    assert len(users["val"]) == len(users["test"]) == 67
    assert not users["val"] & users["test"]
    for divided in parts.values():
        learned = divided.user_id[divided.split == 0]
        assert set(learned.tolist()) == everybody - users["val"] - users["test"]
        assert len(learned) == np.isin(events.user_id, list(set(learned.tolist()))).sum()
        for user in users["val" if divided is parts["val"] else "test"]:
            own = events.user_id == user
            wanted = own & (events.preference > 0) if relevance == "liked" else own
            folded_in = (divided.user_id == user) & (divided.split == 1)
            answers = (divided.user_id == user) & (divided.split == 2)
            assert (folded_in | answers).sum() == own.sum()
            if relevance == "liked":
                assert (divided.preference[folded_in] > 0).all()
                answers &= divided.preference > 0
            in_core = wanted & events.in_core  # which is divided as if there were no other events
            assert answers.sum() == in_core.sum() // 5 + (wanted & ~events.in_core).sum() // 5  # the rest is folded in
            assert folded_in.sum() + answers.sum() == wanted.sum()
            assert (np.diff(divided.timestamp[folded_in]) >= 0).all()  # in time order, for decay


def test_other_seeds_hold_out_other_users_and_the_same_seed_the_same(demo):
    events = read_prepared(demo).events
    first, again, other = (by_held_out_users(events, "val", "liked", 0.1, seed) for seed in (1, 1, 2))
    assert rows(first) == rows(again)
    assert rows(first) != rows(other)


@pytest.mark.parametrize(("share", "hint"), [(0.0001, "larger"), (0.4999, "smaller")])
def test_a_share_that_leaves_nobody_is_an_error(demo, share, hint):
    events = read_prepared(demo).events
    some = events.only(events.user_id < 3)
    with pytest.raises(EmptyResultError) as error:
        by_held_out_users(some, "val", "liked", share, 1)
    assert hint in error.value.hint


def test_held_out_users_have_the_published_figures(demo):
    result = evaluate(demo, EvaluateSettings(protocol="held-out-users", baselines=("popularity", "ease")))
    assert result.ks == (20, 50, 100)
    assert result.history == "fold-in"
    assert result.users + result.users_left_out == 67
    for figures in result.models.values():
        for k in result.ks:
            assert figures[f"recall@{k}"].value <= figures[f"capped_recall@{k}"].value <= 1
        assert figures["disliked@20"].value > 0
    assert bounds(result.models["als"]["ndcg@100"])[0] > result.models["popularity"]["ndcg@100"].value
    any_rated = evaluate(
        demo, EvaluateSettings(protocol="held-out-users", relevance="any", split="test", baselines=QUICK)
    )
    assert any_rated.split == "test"
    assert any_rated.models["als"]["ndcg@100"].value > any_rated.models["popularity"]["ndcg@100"].value


def test_without_a_model_the_default_settings_are_used(demo_raw, tmp_path):
    workspace = Workspace(tmp_path)
    prepare(workspace, raw=demo_raw)
    settings = EvaluateSettings(protocol="global-time", baselines=QUICK)
    result = evaluate(workspace, settings)
    assert result.model_id is None
    train(workspace)  # with the values to start from
    assert result.models == evaluate(workspace, settings).models


def test_the_settings_of_the_named_model_are_used(demo_copy):
    train(demo_copy, TrainSettings(movies="core"))  # as the baseline knows no others
    other = train(demo_copy, TrainSettings.preset("baseline"), publish=False)
    settings = EvaluateSettings(protocol="global-time", baselines=("als-baseline",))
    named = evaluate(demo_copy, replace(settings, baselines=("als-default",)), model_id=other.model_id)
    default = evaluate(demo_copy, settings)
    assert named.models["als"] == default.models["als-baseline"]
    assert named.models["als-default"] == default.models["als"]


def test_dealing_sittings_anew_moves_movies_within_a_sitting_and_nothing_else(demo):
    events = read_prepared(demo).events
    dealt = shuffled_sittings(events, 5)
    for name in ("user", "timestamp", "split"):
        assert getattr(dealt, name).tolist() == getattr(events, name).tolist()
    pause = np.diff(events.timestamp) > 1_800
    sitting = np.cumsum(np.append(True, pause | (np.diff(events.user) != 0)))

    def opinions(of):
        return sorted(zip(sitting, of.movie_id.tolist(), of.preference.tolist(), of.in_core.tolist(), strict=True))

    assert opinions(dealt) == opinions(events)
    assert (dealt.movie != events.movie).mean() > 0.8
    assert rows(dealt) == rows(shuffled_sittings(events, 5)) != rows(shuffled_sittings(events, 6))


def test_figures_do_not_depend_on_the_filter_if_all_events_count_for_the_split(demo_raw, tmp_path):
    """The same settings, trained on all movies, on those with 5 ratings and with 20, are judged by the same likes."""
    settings = EvaluateSettings(split="test", split_on="all", baselines=QUICK, resamples=1000)
    figures: dict[str, list[float]] = {"als": [], "popularity": []}
    relevant = []
    for fewest in (1, 5, 20):
        workspace = Workspace(tmp_path / str(fewest))
        prepare(workspace, PrepareSettings(min_movie_ratings=fewest), raw=demo_raw)
        result = evaluate(workspace, settings)
        assert (result.trained_anew, result.split_on) == (True, "all")
        relevant.append(result.relevant.movies)
        for name, found in figures.items():
            found.append(result.models[name]["ndcg@10"].value)
    for found in figures.values():
        assert np.ptp(found) < 0.003
    assert relevant[0] == relevant[1] > relevant[2] > 0.99 * relevant[0]  # one user of 671 is not in the core of 20


def test_without_the_order_of_pages_what_learns_it_no_longer_leads(demo):
    """In the demo data, people rated down pages: docs/decisions/0019."""
    settings = EvaluateSettings(baselines=("sequence",), resamples=1000)
    as_it_is = evaluate(demo, settings)
    dealt = evaluate(demo, replace(settings, shuffle_sittings=True))
    assert dealt.shuffled_sittings
    assert dealt.trained_anew
    assert as_it_is.differences["als - sequence"]["ndcg@10"].is_below
    assert not dealt.differences["als - sequence"]["ndcg@10"].is_below
    first, last = (
        next(segment for segment in as_it_is.segments if segment.name == name).models
        for name in ("same minute", "later")
    )
    assert first["sequence"]["ndcg@10"].value > 1.2 * first["als"]["ndcg@10"].value
    assert last["sequence"]["ndcg@10"].value < last["als"]["ndcg@10"].value


def test_the_holdout_and_the_others_are_all(demo):
    settings = EvaluateSettings(split="test", baselines=QUICK)
    found = {users: evaluate(demo, replace(settings, users=users)) for users in ("all", "others", "holdout")}
    assert found["others"].users + found["holdout"].users == found["all"].users
    for metric in ("ndcg@10", "recall@10"):
        parts = [found[name].users * found[name].models["als"][metric].value for name in ("others", "holdout")]
        assert sum(parts) / found["all"].users == pytest.approx(found["all"].models["als"][metric].value)
    assert found["holdout"].judged == "holdout"


def test_only_figures_of_all_users_are_kept(demo_copy):
    evaluate(demo_copy, EvaluateSettings(baselines=()))
    before = registry.resolve(demo_copy).metrics.read_bytes()
    evaluate(demo_copy, EvaluateSettings(users="holdout", baselines=()))
    assert registry.resolve(demo_copy).metrics.read_bytes() == before


def test_other_seeds_train_other_models_with_the_same_settings(demo_copy):
    result = evaluate(demo_copy, EvaluateSettings(baselines=(), seeds=3))
    assert result.seeds is not None
    assert result.seeds.random_seeds == (42, 43, 44)
    figures = result.seeds.models["ndcg@10"]
    assert figures[0] == result.models["als"]["ndcg@10"].value
    spread = result.seeds.spread["ndcg@10"]
    deviation = np.std(figures, ddof=1)
    assert bounds(spread) == pytest.approx(
        [np.mean(figures) + sign * 4.302653 * deviation * (4 / 3) ** 0.5 for sign in (-1, 1)]
    )
    train(demo_copy, replace(registry.settings_of(demo_copy)[1], random_seed=44))
    assert figures[2] == evaluate(demo_copy, EvaluateSettings(baselines=())).models["als"]["ndcg@10"].value


def test_all_protocols_side_by_side_are_each_by_itself(demo):
    settings = EvaluateSettings(split="test", baselines=QUICK, resamples=1000)
    swipes = ReplaySettings(sample=20, resamples=1000)
    found = side_by_side(demo, settings, swipes)
    assert list(found.evaluations) == ["user-time", "global-time", "held-out-users"]
    assert found.evaluations["user-time"] == evaluate(demo, settings)
    alone = evaluate(demo, replace(settings, protocol="held-out-users"))
    assert found.evaluations["held-out-users"] == alone
    replayed = replay(demo, swipes)
    columns = {column.protocol: column for column in found.columns()}
    assert columns["held-out-users"].metric == "ndcg@100"
    assert columns["held-out-users"].figures["als"] == alone.models["als"]["ndcg@100"]
    assert columns["replay"].figures["als"] == replayed.arms["fold-in"]["hit_rate@10"]
    assert columns["replay"].leads["recent"] == replayed.differences["fold-in - recent"]["hit_rate@10"]
    assert found.skipped == {}


def test_segments_add_up_to_the_whole(demo):
    result = evaluate(demo, EvaluateSettings(baselines=("popularity", "ease"), ks=(5, 10)))
    users = [segment for segment in result.segments if segment.by == "history"]
    movies = [segment for segment in result.segments if segment.by == "popularity"]
    assert sum(segment.users for segment in users) == result.users
    for name, figures in result.models.items():
        for metric in ("ndcg@5", "ndcg@10", "recall@10"):
            weighted = sum(segment.users * segment.models[name][metric].value for segment in users)
            assert weighted / result.users == pytest.approx(figures[metric].value)
    # The answers of all users, those on movies that the model does not know excepted, found or not.
    assert [segment.name for segment in movies] == ["most popular", "middle", "least popular"]
    assert sum(segment.movies or 0 for segment in movies) == len(
        model_folder.open_model(registry.resolve(demo)).movie_ids
    )
    known = sum(segment.answers for segment in movies)
    unknown = sum(segment.answers for segment in users) - known
    assert 0 <= unknown < 0.01 * known
    for name, figures in result.models.items():
        hits = sum(segment.answers * segment.models[name]["recall@10"].value for segment in movies)
        assert hits == pytest.approx(10 * result.users * figures["precision@10"].value)
    assert movies[0].models["popularity"]["recall@10"].value > 0.2
    assert movies[2].models["popularity"]["recall@10"].value == 0
