"""Replay on the demo data: what is held out, that nothing is known in advance, and which rule learns best."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mlrec.artifacts import model_folder, registry
from mlrec.dataset.reading import read_prepared
from mlrec.errors import EmptyResultError, ModelMissingError
from mlrec.evaluation.replay import replay as replay_module
from mlrec.evaluation.replay.arms import default_arms, learn_before, learn_with_swipes, retrain_arm
from mlrec.evaluation.replay.replay import replay
from mlrec.evaluation.replay.trials import predict
from mlrec.evaluation.replay.window import hold_out
from mlrec.ids import rows_of
from mlrec.ranking.popularity import recent_share
from mlrec.settings import ReplaySettings, ServeSettings, TrainSettings
from tests.independent import popularity_by_date
from tests.second_opinion import dense, personal_by_hand

QUICK = TrainSettings(iterations=3)


@pytest.fixture(scope="module")
def data(demo):
    return read_prepared(demo)


@pytest.fixture(scope="module")
def window(data):
    return hold_out(data.events, 0.2)


@pytest.fixture(scope="module")
def model(data, window):
    return learn_before(window, data.movies, QUICK, ServeSettings(), 2)


@pytest.fixture(scope="module")
def replayed(demo):
    """With the default settings, and the files of the data directory before and after."""

    def files():
        return {path: path.stat().st_mtime_ns for path in demo.root.rglob("*")}

    before = files()
    return replay(demo), before, files()


def test_fold_in_learns_better_than_all_others(replayed):
    """On held-out users of real data, with the default settings; intervals exclude 0, but for MRR below the ceiling."""
    result = replayed[0]
    assert 120 <= result.users <= 150
    assert result.likes > 5000
    variants = ["vectors alone", "fold-in, no dislikes", "fold-in, no decay"]
    assert list(result.arms) == ["fold-in", *variants, "gradient", "static", "recent", "popularity", "retrain"]
    for name, difference in result.differences.items():
        other = result.arms[name.removeprefix("fold-in - ")]
        for metric, figure in difference.items():
            assert figure.value == pytest.approx(result.arms["fold-in"][metric].value - other[metric].value)
            assert figure.low < figure.value < figure.high, name
            if name == "fold-in - retrain" and metric != "disliked@10":
                assert -0.02 < figure.value < 0, "a ceiling, and not far above"
                assert metric != "hit_rate@10" or figure.high < 0, name
            elif name.removeprefix("fold-in - ") not in variants and metric != "disliked@10":
                assert figure.low > 0, name
    assert result.update_seconds["gradient"] < result.update_seconds["fold-in"] < result.update_seconds["retrain"]
    assert not result.skipped
    for arm in result.arms.values():
        assert 0 < arm["disliked@10"].value < 0.15
        assert arm["mrr@10"].value < arm["hit_rate@10"].value
        assert arm["hit_rate@10"].low < arm["hit_rate@10"].value < arm["hit_rate@10"].high


def test_the_curve_parts_the_likes_by_what_was_swiped_before(replayed):
    result = replayed[0]
    assert [(part.swipes, part.below) for part in result.curve] == [
        (0, 1), (1, 2), (2, 5), (5, 10), (10, 20), (20, 50), (50, None),
    ]  # fmt: skip
    assert sum(part.likes for part in result.curve) == result.likes
    assert result.curve[0].likes == result.curve[0].users  # one first event each
    for metric in ("hit_rate@10", "mrr@10"):
        weighted = sum(part.likes * part.arms["fold-in"][metric].value for part in result.curve) / result.likes
        assert weighted == pytest.approx(result.arms["fold-in"][metric].value)
    # Before the first swipe nobody is known: all that is served is popularity, spread over genres.
    start = result.curve[0].arms
    assert start["fold-in"] == start["fold-in, no decay"] == start["fold-in, no dislikes"] == start["retrain"]


def test_held_out_users_are_the_latest_and_nothing_later_is_learned(data, window):
    events = data.events
    first = {int(user): int(events.timestamp[events.user_id == user].min()) for user in np.unique(events.user_id)}
    expected = {user for user, moment in first.items() if moment >= window.starts_at}
    held_out = set(window.replayed.user_id.tolist())
    assert held_out == expected
    assert len(held_out) == pytest.approx(0.2 * len(first), abs=2)
    assert not held_out & set(window.learned.user_id.tolist())
    assert window.learned.timestamp.max() < window.starts_at
    # Nothing of a held-out user is left out.
    assert len(window.replayed) == np.isin(events.user_id, list(held_out)).sum()


def test_hits_are_those_of_lists_ranked_one_by_one(data, window, model):
    """Plain numpy solves, blends, masks and ranks before each like, as somebody would who reads the documentation."""
    serve = ServeSettings()
    users = np.unique(window.replayed.user_id)[::8]
    own = np.isin(window.replayed.user_id, users)
    events = window.replayed.only(own)
    trials = predict(events, model, default_arms(model, serve), 10, threads=2)

    learned_likes = (window.learned.preference > 0) & window.learned.in_core
    rule = QUICK.resolved(int(learned_likes.sum())).fold_in
    Y, trained = model.ranker.personal.movie_factors.astype(np.float64), model.is_trained
    gram = Y[trained].T @ Y[trained] + rule.regularization * np.eye(Y.shape[1])
    item_item = model.ranker.personal.item_item
    assert item_item is not None
    B = dense(item_item)
    row_of = {int(movie): row for row, movie in enumerate(model.movie_ids)}
    likes = np.zeros(len(row_of))
    for movie, preference in zip(window.learned.movie_id.tolist(), window.learned.preference.tolist(), strict=True):
        likes[row_of[movie]] += preference > 0
    share = recent_share(model.history, len(row_of), QUICK.popularity_half_life)  # has tests of its own
    learned = (window.learned.timestamp, window.learned.user, window.learned.movie_id, window.learned.preference)
    dated = [
        (at, user, row_of[movie]) for at, user, movie, p in zip(*(c.tolist() for c in learned), strict=True) if p > 0
    ]
    recent = popularity_by_date(np.array(sorted(dated)), np.inf, len(row_of), half_life=365)

    def fold_in(rows, preferences):
        A, b = gram.copy(), np.zeros(Y.shape[1])
        for position, (row, preference) in enumerate(zip(rows, preferences, strict=True)):
            age = sum(later is None or trained[later] for later in rows[position + 1 :])
            weight = rule.feedback_weight * (1 if row is None or trained[row] else 0.5)
            confidence = 1 + rule.alpha * abs(preference) * weight * 0.5 ** (age / rule.half_life)
            if row is None:
                continue
            A += (confidence - 1) * np.outer(Y[row], Y[row])
            b += confidence * Y[row] * (preference > 0)
        return np.linalg.solve(A, b)

    def lists(scores, seen):
        scores = scores.copy()
        scores[seen] = -np.inf
        return np.lexsort((np.arange(len(scores)), -scores))[:10]

    expected: dict[str, list[bool]] = {"fold-in": [], "gradient": [], "recent": [], "popularity": []}
    disliked = []
    compared = []
    for user in users.tolist():
        history = events.user_id == user
        rows = [row_of.get(movie) for movie in events.movie_id[history].tolist()]
        preferences = events.preference[history].tolist()
        step = model.average_vector.astype(np.float64)
        for position, (row, preference) in enumerate(zip(rows, preferences, strict=True)):
            if preference > 0:
                seen = [earlier for earlier in rows[:position] if earlier is not None]
                liked_before = any(p > 0 and r is not None for p, r in zip(preferences[:position], rows, strict=False))
                weight = min(0.4, max(0, 20 - position) / (20 + 4 * position))
                by_vector = Y @ fold_in(rows[:position], preferences[:position])
                personal = personal_by_hand(by_vector, item_item, B, trained, rows[:position], preferences[:position])
                bound = min(1.0, min(position, 2) * max(np.delete(personal, seen).max(), 0) / share.max())
                # The spread of the very first list, and dislikes alone, have tests of their own.
                compared.append(liked_before)
                blended = (1 - weight) * personal + weight * bound * share
                expected["fold-in"].append(row in lists(blended, seen))
                expected["gradient"].append(row in lists(Y @ step, seen))
                expected["popularity"].append(row in lists(likes, seen))
                expected["recent"].append(row in lists(recent, seen))
                later = [r for r, p in zip(rows[position:], preferences[position:], strict=True) if p < 0]
                disliked.append(np.isin(lists(likes, seen), [r for r in later if r is not None]).mean())
            if row is not None:
                step += serve.gradient.learning_rate * preference * Y[row]
                step *= min(1.0, serve.gradient.max_norm / np.linalg.norm(step))
    assert len(compared) == len(trials.user) > 300
    for name in ("popularity", "recent"):
        assert trials.hits(10)[name].tolist() == expected[name]
    assert trials.disliked["popularity"].tolist() == disliked
    # Two scores that differ in the seventh digit only may change places.
    assert np.mean(trials.hits(10)["gradient"] != np.array(expected["gradient"])) < 0.005
    usual = np.array(compared)
    assert np.mean(trials.hits(10)["fold-in"][usual] != np.array(expected["fold-in"])[usual]) < 0.005
    assert sum(expected["fold-in"]) > sum(expected["popularity"])


def test_what_comes_later_does_not_matter(window, model):
    """Whoever cuts the held-out users' events short, or turns them round at the end, sees the same earlier hits."""
    arms = default_arms(model, ServeSettings())
    whole = predict(window.replayed, model, arms, 10, threads=1)
    _, starts = np.unique(window.replayed.user_id, return_index=True)
    position = np.arange(len(window.replayed)) - np.repeat(starts, np.diff([*starts, len(window.replayed)]))
    early = position < 30
    cut = window.replayed.only(early)
    short = predict(cut, model, arms, 10, threads=2)
    for name, hits in whole.hits(10).items():
        np.testing.assert_array_equal(hits[whole.n_before < 30], short.hits(10)[name])
    for name, rank in whole.ranks.items():
        # Far down, scores that differ in the seventh digit only may change places.
        np.testing.assert_allclose(rank[whole.n_before < 30], short.ranks[name], rtol=0.02)


def test_a_retrained_model_knows_the_first_swipes_and_nothing_else(data, window, model):
    none = learn_with_swipes(model, window, 0, QUICK, ServeSettings(), 2)
    np.testing.assert_array_equal(none.popularity, model.popularity)
    np.testing.assert_array_equal(none.history.movie_idx, model.history.movie_idx)
    five = learn_with_swipes(model, window, 5, QUICK, ServeSettings(), 2)
    _, starts = np.unique(window.replayed.user_id, return_index=True)
    first = np.concatenate([np.arange(start, start + 5) for start in starts])
    likes = window.replayed.movie_id[first][window.replayed.preference[first] > 0]
    added = np.array([np.count_nonzero(likes == movie) for movie in model.movie_ids])
    np.testing.assert_array_equal(five.popularity - model.popularity, added)
    # Each user is served by the model of the swipes made so far, folded into its factors.
    arm = retrain_arm({0: model, 5: five})
    own = slice(starts[0], starts[1])
    movie_idx, preference = rows_of(model.movie_ids, window.replayed.movie_id[own]), window.replayed.preference[own]
    found = arm(movie_idx, preference, np.array([0, 4, 5, 9]))
    for row, (position, used) in enumerate([(0, model), (4, model), (5, five), (9, five)]):
        served = default_arms(used, ServeSettings())["fold-in"]
        expected = served(movie_idx, preference, np.array([position]))[0]
        np.testing.assert_allclose(found[row], expected, atol=1e-6)


def test_a_sample_replays_some_of_the_users_and_learns_from_the_same(data, window):
    some = window.sampled(20, 1)
    assert some.n_users == 20
    assert set(some.replayed.user_id.tolist()) < set(window.replayed.user_id.tolist())
    assert some.learned is window.learned
    assert window.sampled(0, 1) is window.sampled(10**6, 1) is window


def test_large_data_is_not_retrained(demo, monkeypatch):
    monkeypatch.setattr(replay_module, "QUICK_EVENTS", 1000)
    result = replay(demo, ReplaySettings(sample=10))
    assert "retrain" not in result.arms
    assert "takes minutes to train" in result.skipped["retrain"]
    assert (result.users, result.held_out_users) == (10, 134)


def test_the_same_seed_gives_the_same_figures_on_one_thread_and_another_one_others(few):
    first, same, other = (
        replay(few, ReplaySettings(threads=threads, random_seed=seed)) for threads, seed in ((2, 42), (1, 42), (1, 7))
    )
    assert same.arms == first.arms
    assert same.differences == first.differences
    assert other.differences != same.differences


def test_nothing_is_written(replayed):
    _, before, after = replayed
    assert before == after


def test_the_models_own_settings_are_used(replayed, demo):
    info = model_folder.open_model(registry.resolve(demo)).info.document
    result = replayed[0]
    assert result.settings_of == info["model_id"]
    # What followed the data there follows what is learned from here.
    following = {"regularization": None, "iterations": "auto", "start_share": "auto"}
    assert replace(result.train, threads=0).to_json() == info["settings"] | {"threads": 0} | following
    with pytest.raises(ModelMissingError):
        replay(demo, model_id="20200101T000000-als-0000")


@pytest.mark.parametrize(("share", "what"), [(0.0001, "nobody can be held out"), (0.9999, "nothing to learn from")])
def test_a_share_that_leaves_nothing_is_an_error(demo, share, what):
    with pytest.raises(EmptyResultError, match=what):
        replay(demo, ReplaySettings(held_out_share=share))
