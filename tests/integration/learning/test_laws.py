"""Laws of learning that hold whatever a user swipes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlrec import Recommender, ServeSettings
from mlrec.ranking.fold_in import FoldIn
from mlrec.ranking.ranker import Opinions
from mlrec.settings import FoldInSettings, GradientSettings
from tests.integration.learning.users import LAWS, NEW, swipes, vector_of


def swiped(demo, events, rule="fold-in", user_id=NEW, **options):
    """Vector after single updates, one second apart."""
    with Recommender.open(demo.root, store="memory", settings=ServeSettings(rule=rule, **options)) as rec:
        movie_ids = rec._served().movie_ids
        for second, (row, preference) in enumerate(events):
            rec.update_user(user_id, int(movie_ids[row]), preference, at=1_700_000_000 + second)
        return vector_of(rec, user_id)


@given(events=swipes)
@LAWS
def test_single_updates_equal_one_batch_solve(demo, model, events):
    rows, preferences = (np.array(column) for column in zip(*events, strict=True))
    batch = model.solver().user_vector(rows.astype(np.int32), preferences.astype(np.int8))
    np.testing.assert_allclose(swiped(demo, events), batch, atol=1e-5)


@given(events=swipes)
@LAWS
def test_scores_after_single_updates_are_those_of_all_opinions_at_once(demo, events):
    """Vectors and item-item weights alike learn each swipe exactly."""
    rows, preferences = zip(*events, strict=True)
    opinions = Opinions(np.array(rows, np.int32), np.array(preferences, np.int8))
    with Recommender.open(demo.root, store="memory") as rec:
        served = rec._served()
        for second, (row, preference) in enumerate(events):
            rec.update_user(NEW, int(served.movie_ids[row]), preference, at=1_700_000_000 + second)
        vector = served.fold_in.user_vector(opinions.movie_idx, opinions.preference)
        expected = served.ranker.scores(vector, opinions).shown
        np.testing.assert_allclose(rec._view(NEW).scores.shown, expected, atol=1e-6)


@pytest.mark.parametrize("per_second", [1, 7])
def test_a_long_history_is_learned_swipe_by_swipe_as_if_at_once(demo, monkeypatch, per_second):
    """From some length on, only the newest opinions are summed up: so it is with changes of mind, undos and swipes of
    the same second, which stand by movie.
    """
    draw = np.random.default_rng(3)
    with Recommender.open(demo.root, store="memory") as rec:
        served = rec._served()
        afresh, summed_up, sums = served.model.solver(), [], served.fold_in.sums

        def noticed(rows, *rest, **options):
            summed_up.append(len(rows))
            return sums(rows, *rest, **options)

        monkeypatch.setattr(served.fold_in, "sums", noticed)
        rows = draw.permutation(len(served.movie_ids))[:500].tolist()
        for step, row in enumerate(rows):
            at = 1_700_000_000 + step // per_second
            if step % 97 == 96:  # another opinion of an early movie
                row = rows[step // 2]
            rec.update_user(NEW, int(served.movie_ids[row]), int(draw.choice([-2, -1, 1, 2])), at=at)
            if step % 41 == 40:
                rec.undo(NEW)
            if step % 10 == 0 or step > 480:
                history = rec._view(NEW).history
                expected = afresh.user_vector(history.movie_idx, history.preference)
                np.testing.assert_allclose(vector_of(rec, NEW), expected, atol=1e-6)
    assert len(history) > 470
    assert np.median(summed_up[-40:]) < 100


@given(events=swipes, one_more=st.integers(0, 1302), preference=st.sampled_from([-2, -1, 1, 2]))
@LAWS
def test_a_swipe_and_its_undo_leave_every_score_as_it_was(demo, events, one_more, preference):
    with Recommender.open(demo.root, store="memory") as rec:
        movie_ids = rec._served().movie_ids
        for second, (row, signed) in enumerate(events):
            rec.update_user(NEW, int(movie_ids[row]), signed, at=1_700_000_000 + second)
        before = rec._view(NEW).scores.shown.copy()
        rec.update_user(NEW, int(movie_ids[one_more]), preference, at=1_750_000_000)
        rec.undo(NEW)
        np.testing.assert_array_equal(rec._view(NEW).scores.shown, before)


@given(events=swipes)
@LAWS
def test_explanations_sum_to_the_scores_of_a_list(demo, events):
    with Recommender.open(demo.root, store="memory") as rec:
        movie_ids = rec._served().movie_ids
        for second, (row, signed) in enumerate(events):
            rec.update_user(NEW, int(movie_ids[row]), signed, at=1_700_000_000 + second)
        for item in rec.get_top_n(NEW, 3):
            why = rec.explain(NEW, item.movie_id)
            assert why.popularity + sum(like.value for like in why.likes) == pytest.approx(item.score, abs=1e-6)


def test_single_updates_of_a_known_user_equal_one_batch_solve_over_all(demo, model):
    row = model.user_idx(42)
    history = model.history.of(row)
    learned = np.asarray(model.history.split[history]) == 0
    rows = np.concatenate([np.asarray(model.history.movie_idx[history])[learned], [5, 900, 77]])
    preferences = np.concatenate([np.asarray(model.history.preference[history])[learned], [1, -2, 2]])
    assert not set(rows[-3:].tolist()) & set(rows[:-3].tolist())
    batch = model.solver().user_vector(rows.astype(np.int32), preferences.astype(np.int8))
    found = swiped(demo, [(5, 1), (900, -2), (77, 2)], user_id=42)
    np.testing.assert_allclose(found, batch, atol=1e-5)


@given(events=swipes.filter(lambda events: len(events) > 1), data=st.data())
@LAWS
def test_without_decay_order_does_not_matter_and_implicit_agrees(demo, model, events, data):
    from implicit.cpu.als import AlternatingLeastSquares
    from scipy import sparse
    from threadpoolctl import threadpool_limits

    rule = FoldInSettings(half_life=math.inf)
    results = []
    for order in (events, data.draw(st.permutations(events))):
        with Recommender.open(demo.root, store="memory") as rec:
            rec._served().fold_in = FoldIn(model.movie_factors, rule)
            for second, (row, preference) in enumerate(order):
                rec.update_user(NEW, int(model.movie_ids[row]), preference, at=1000 + second)
            results.append(vector_of(rec, NEW))
    np.testing.assert_allclose(results[0], results[1], atol=1e-5)

    rows, preferences = (np.array(column) for column in zip(*events, strict=True))
    c = (1 + rule.alpha * rule.feedback_weight * np.abs(preferences)) * np.sign(preferences)
    matrix = sparse.csr_matrix((c.astype(np.float32), (np.zeros(len(rows), dtype=int), rows)), shape=(1, 1303))
    with threadpool_limits(1, user_api="blas"):
        als = AlternatingLeastSquares(factors=64, regularization=rule.regularization, alpha=1.0, num_threads=1)
        als.item_factors = np.array(model.movie_factors)
        np.testing.assert_allclose(results[0], als.recalculate_user(0, matrix), atol=1e-4)


@pytest.mark.parametrize("rule", ["fold-in", "gradient"])
@pytest.mark.parametrize("user_id", [42, NEW])
@given(events=swipes, last=st.tuples(st.integers(0, 1302), st.sampled_from([-2, -1, 0, 1, 2])))
@settings(max_examples=10, deadline=None)
def test_swipe_then_undo_is_the_identity(demo, rule, user_id, events, last):
    with Recommender.open(demo.root, store="memory", settings=ServeSettings(rule=rule)) as rec:
        movie_ids = rec._served().movie_ids
        for row, preference in events:
            rec.update_user(user_id, int(movie_ids[row]), preference)
        before, listed = vector_of(rec, user_id), rec.get_top_n(user_id)
        rec.update_user(user_id, int(movie_ids[last[0]]), last[1])
        rec.undo(user_id)
        np.testing.assert_array_equal(vector_of(rec, user_id), before)
        assert rec.get_top_n(user_id) == listed


@given(events=swipes, movie=st.integers(0, 1302), preference=st.sampled_from([1, 2]))
@LAWS
def test_a_like_raises_the_movies_score_unless_it_is_above_its_fixed_point(demo, model, events, movie, preference):
    # Without decay and handover, so that nothing but the like changes.
    rule = FoldInSettings(half_life=math.inf)
    events = [event for event in events if event[0] != movie]
    with Recommender.open(demo.root, store="memory", settings=ServeSettings(handover=0)) as rec:
        rec._served().fold_in = FoldIn(model.movie_factors, rule)
        for row, r in events:
            rec.update_user(NEW, int(model.movie_ids[row]), r)
        before = vector_of(rec, NEW) @ model.movie_factors[movie]
        after = rec.update_user(NEW, int(model.movie_ids[movie]), preference).vector @ model.movie_factors[movie]
    c = 1 + rule.alpha * preference * rule.feedback_weight
    assert after >= before - 1e-5 or before > c / (c - 1)


@given(events=swipes, movie=st.integers(0, 1302), preference=st.sampled_from([-1, -2]))
@LAWS
def test_a_dislike_moves_the_movies_score_towards_zero(demo, model, events, movie, preference):
    rule = FoldInSettings(half_life=math.inf)
    events = [event for event in events if event[0] != movie]
    with Recommender.open(demo.root, store="memory") as rec:
        rec._served().fold_in = FoldIn(model.movie_factors, rule)
        for row, r in events:
            rec.update_user(NEW, int(model.movie_ids[row]), r)
        before = vector_of(rec, NEW) @ model.movie_factors[movie]
        after = rec.update_user(NEW, int(model.movie_ids[movie]), preference).vector @ model.movie_factors[movie]
    assert abs(after) <= abs(before) + 1e-5


def test_the_gradient_rule_steps_from_the_models_vector_or_the_average(demo, model):
    with Recommender.open(demo.root, store="memory", settings=ServeSettings(rule="gradient")) as rec:
        for user_id, start in ((42, model.user_vectors[model.user_idx(42)]), (NEW, model.user_vectors.mean(axis=0))):
            state = rec.update_user(user_id, 318, 2)
            step = 0.05 * 2 * model.movie_factors[model.movie_idx(318)]
            np.testing.assert_allclose(state.vector, start + step, atol=1e-6)
    unit = ServeSettings(rule="gradient", gradient=GradientSettings(norm="unit"))
    with Recommender.open(demo.root, store="memory", settings=unit) as rec:
        assert np.linalg.norm(rec.update_user(42, 318, 2).vector) == pytest.approx(1.0, rel=1e-5)
