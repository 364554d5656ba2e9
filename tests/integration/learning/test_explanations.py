"""Why a movie is in a list."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from mlrec import Recommender, ServeSettings
from mlrec.errors import CannotExplainError
from mlrec.model.train import train
from mlrec.settings import TrainSettings
from tests.integration.learning.users import LAWS, NEW, swipes


@given(events=swipes)
@LAWS
def test_contributions_sum_to_the_score(demo, model, events):
    with Recommender.open(demo.root, store="memory") as rec:
        for row, preference in events:
            rec.update_user(NEW, int(model.movie_ids[row]), preference)
        liked = {int(model.movie_ids[row]) for row, preference in events if preference > 0}
        for item in rec.get_top_n(NEW, 5, include_seen=True):
            explanation = rec.explain(NEW, item.movie_id)
            parts = explanation.popularity + sum(like.value for like in explanation.likes)
            assert parts == pytest.approx(explanation.score, abs=1e-9)
            assert explanation.score == pytest.approx(item.score, abs=1e-6)
            if rec.knows_user(NEW):
                assert {like.movie_id for like in explanation.likes} == liked


@pytest.mark.parametrize("user_id", [1, 42, 547])
def test_a_known_users_scores_are_explained_too(memory, user_id):
    for item in memory.get_top_n(user_id, 5):
        explanation = memory.explain(user_id, item.movie_id)
        parts = explanation.popularity + sum(like.value for like in explanation.likes)
        assert parts == pytest.approx(item.score, abs=1e-6)
        effects = [abs(like.value) for like in explanation.likes]
        assert effects == sorted(effects, reverse=True)


def test_a_dislike_is_told_as_the_change_that_leaving_it_out_would_make(demo, model):
    """Against solving again without it, all other weights as they are. One movie is outside the core."""
    is_trained = np.asarray(model.is_trained)
    rows = np.flatnonzero(is_trained)[[10, 200, 30, 400, 55]].astype(np.int32)
    rows[2] = np.flatnonzero(~is_trained)[30]
    preferences = np.array([1, -2, 2, -1, 1], dtype=np.int8)
    with Recommender.open(demo.root, store="memory", settings=ServeSettings(handover=0)) as rec:
        for second, (row, preference) in enumerate(zip(rows.tolist(), preferences.tolist(), strict=True)):
            rec.update_user(NEW, int(model.movie_ids[row]), preference, at=1000 + second)
        movie_id = rec.get_top_n(NEW, 1)[0].movie_id
        explanation = rec.explain(NEW, movie_id)
    rule, Y = model.fold_in, np.asarray(model.movie_factors, dtype=np.float64)
    decay = 0.5 ** (np.array([3, 2, 2, 1, 0]) / rule.half_life)  # the third event makes no other one older
    weights = 1 + rule.alpha * np.abs(preferences) * rule.feedback_weight * decay * np.where(is_trained[rows], 1, 0.5)
    trained = Y[is_trained]

    def score(without=None):
        kept = [i for i in range(5) if i != without]
        A = trained.T @ trained + rule.regularization * np.eye(64) + sum(
            (weights[i] - 1) * np.outer(Y[rows[i]], Y[rows[i]]) for i in kept
        )  # fmt: skip
        b = sum(weights[i] * Y[rows[i]] for i in kept if preferences[i] > 0)
        return np.linalg.solve(A, b) @ Y[model.movie_idx(movie_id)]

    told = {dislike.movie_id: dislike.value for dislike in explanation.dislikes}
    # The second opinion looks at likes alone, so a dislike changes the other part of the score.
    share = 1 - model.item_item.rule.weight
    expected = {int(model.movie_ids[rows[i]]): share * (score() - score(without=i)) for i in (1, 3)}
    assert told == pytest.approx(expected, abs=1e-9)


def test_a_visitors_list_is_explained_too(memory):
    item = memory.recommend_for([260, 1196], [2])[0]
    explanation = memory.explain_for(item.movie_id, [260, 1196], [2])
    assert explanation.user_id is None
    assert explanation.score == pytest.approx(item.score, abs=1e-6)
    assert {like.movie_id for like in explanation.because()} == {260, 1196}
    assert explanation.to_json()["likes"][0]["title"]


def test_other_rules_say_that_they_cannot_explain(demo_copy):
    with Recommender.open(demo_copy.root, store="memory", settings=ServeSettings(rule="gradient")) as rec:
        rec.update_user(42, 318, 1)
        with pytest.raises(CannotExplainError, match="exact fold-in"):
            rec.explain(42, 1)
    train(demo_copy, TrainSettings.preset("baseline", iterations=1))
    with Recommender.open(demo_copy.root, store="memory") as rec:
        with pytest.raises(CannotExplainError):
            rec.explain(42, 1)
        rec.update_user(42, 318, 1)  # from the first swipe on the vector is folded in
        item = rec.get_top_n(42, 1)[0]
        assert rec.explain(42, item.movie_id).score == pytest.approx(item.score, abs=1e-5)
