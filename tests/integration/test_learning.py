"""A recommender that learns from swipes: the laws of updating, through the facade, on the demo model and stores."""

from __future__ import annotations

import math
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlrec import Recommender, ServeSettings, Swipe
from mlrec.artifacts import model_folder, registry
from mlrec.errors import (
    CannotExplainError,
    EventIdConflictError,
    ForgottenUserError,
    NothingToUndoError,
    SettingsError,
    StoreUnavailableError,
    UnknownMovieError,
)
from mlrec.model.train import train
from mlrec.ranking.effective_history import KnownHistory, SwipeLog, effective_history
from mlrec.ranking.fold_in import FoldIn
from mlrec.serving.stores.interface import Draft, StoredVector
from mlrec.serving.stores.sqlite import SqliteStore
from mlrec.settings import FoldInSettings, GradientSettings, TrainSettings

NEW = 10**9  # a user whom the model does not know


@pytest.fixture
def rec(demo, store_name):
    """A recommender on the demo model with a store of each kind."""
    with Recommender.open(demo.root, store=store_name) as opened:
        yield opened


@pytest.fixture
def memory(demo):
    with Recommender.open(demo.root, store="memory") as opened:
        yield opened


@pytest.fixture(scope="module")
def model(demo):
    return model_folder.open_model(registry.resolve(demo))


def ids(items) -> list[int]:
    return [item.movie_id for item in items]


def vector_of(rec, user_id):
    return rec._view(user_id).vector


def score_of(rec, user_id, movie_id):
    items = rec.get_top_n(user_id, 10_000, include_seen=True)
    return next(item.score for item in items if item.movie_id == movie_id)


# -- a swipe -----------------------------------------------------------------------------------------------------------


def test_a_swipe_is_stored_learned_and_not_shown_again(rec):
    before = rec.get_top_n(42)
    state = rec.update_user(42, before[0].movie_id, +2)
    assert (state.user_id, state.movie_id, state.preference, state.undone, state.is_new) == (
        42, before[0].movie_id, 2, False, True,
    )  # fmt: skip
    assert state.model_id == rec.model_id
    assert state.opinions == 57  # 56 in the train part of the model's data
    after = rec.get_top_n(42)
    assert before[0].movie_id not in ids(after)
    assert ids(after) != ids(before)[1:]
    stored = rec.store.vector(42)
    assert stored.stamp == f"{rec.model_id} fold-in {state.event_id} {rec.store.head(42).token:x}"
    np.testing.assert_array_equal(np.frombuffer(stored.values, dtype=np.float32), state.vector)
    event = rec.store.events(42)[0]
    assert (event.movie_id, event.preference) == (before[0].movie_id, 2)
    assert abs(event.at - time.time()) < 60


@pytest.mark.parametrize(
    ("given", "stored"), [("superlike", 2), ("-1", -1), (Swipe.SKIP, 0), (np.int64(1), 1), ("SUPERDISLIKE", -2)]
)
def test_preferences_by_name_or_number(memory, given, stored):
    assert memory.update_user(NEW, 1, given).preference == stored
    assert memory.store.events(NEW)[0].preference == stored


@pytest.mark.parametrize(
    ("arguments", "options", "error", "words"),
    [
        ((42, 318, 3), {}, SettingsError, "no preference"),
        ((42, 318, "lik"), {}, SettingsError, "no preference"),
        ((42, 318, 1), {"at": -1}, SettingsError, "epoch seconds"),
        ((42, 318, 1), {"at": 1_700_000_000_000}, SettingsError, "epoch seconds"),
        ((42, 318, 1), {"at": datetime(2020, 1, 1)}, SettingsError, "time zone"),
        ((42, 318, 1), {"event_id": ""}, SettingsError, "1 to 200"),
        ((42, 318, 1), {"event_id": "\ud800"}, SettingsError, "1 to 200"),
        ((42, 10**400, 1), {}, UnknownMovieError, "does not know"),
        ((2**63, 318, 1), {}, SettingsError, "64 bits"),
        ((42, 999_999, 1), {}, UnknownMovieError, "999999"),
    ],
)
def test_what_cannot_be_stored_changes_nothing(memory, arguments, options, error, words):
    with pytest.raises(error, match=words):
        memory.update_user(*arguments, **options)
    assert memory.store.user_ids() == []


def test_an_unknown_movie_names_near_ones(memory, model):
    with pytest.raises(UnknownMovieError) as error:
        memory.update_user(42, 4, 1)
    assert 4 not in model.movie_ids
    assert "3 Grumpier Old Men (1995)" in error.value.hint
    assert "5 Father of the Bride Part II (1995)" in error.value.hint


def test_times_may_be_given(memory):
    memory.update_user(42, 318, 1, at=12345)
    memory.update_user(42, 318, 1, at=datetime(2020, 1, 1, tzinfo=UTC))
    assert [event.at for event in memory.store.events(42)] == [12345, 1_577_836_800]


def test_a_retried_swipe_is_counted_once(rec):
    first = rec.update_user(NEW, 318, 1, event_id="a")
    again = rec.update_user(NEW, 318, "like", event_id="a")
    assert (again.event_id, again.is_new, again.opinions) == (first.event_id, False, 1)
    with pytest.raises(EventIdConflictError):
        rec.update_user(NEW, 318, -1, event_id="a")
    with pytest.raises(EventIdConflictError):
        rec.update_user(NEW, 1, 1, event_id="a")
    assert len(rec.store.events(NEW)) == 1
    undone = rec.undo(NEW, event_id="b")
    assert rec.update_user(NEW, 1, 1).is_new
    again = rec.undo(NEW, event_id="b")
    assert (again.event_id, again.movie_id, again.preference, again.is_new) == (undone.event_id, 318, 1, False)
    rec.undo(NEW)
    again = rec.undo(NEW, event_id="b")  # nothing is left to undo, and nothing needs to be
    assert (again.event_id, again.movie_id, again.is_new) == (undone.event_id, 318, False)
    rec.update_user(NEW, 1, 1)
    for call in (lambda: rec.undo(NEW, event_id="a"), lambda: rec.update_user(NEW, 318, 0, event_id="b")):
        with pytest.raises(EventIdConflictError):
            call()


def test_the_later_opinion_replaces_the_earlier_and_the_log_keeps_both(rec):
    rec.update_user(NEW, 318, 2, at=100)
    rec.update_user(NEW, 1, 1, at=150)
    state = rec.update_user(NEW, 318, -2, at=200)
    assert state.opinions == 2
    assert [(event.movie_id, event.preference, event.undone) for event in rec.history(NEW)] == [
        (318, 2, False), (1, 1, False), (318, -2, False),
    ]  # fmt: skip
    rec.update_user(NEW, 318, 1, at=50)  # older than what stands: logged, without effect
    np.testing.assert_array_equal(vector_of(rec, NEW), state.vector)


def test_a_skip_hides_the_movie_and_cancels_an_opinion(rec):
    plain = rec.update_user(NEW, 1, 1).vector
    rec.update_user(NEW, 318, 2)
    state = rec.update_user(NEW, 318, 0)
    np.testing.assert_allclose(state.vector, plain, atol=1e-6)
    assert 318 not in ids(rec.get_top_n(NEW, 10_000))


# -- laws --------------------------------------------------------------------------------------------------------------

swipes = st.lists(
    st.tuples(st.integers(0, 1302), st.sampled_from([-2, -1, 1, 2])), min_size=1, max_size=25, unique_by=lambda s: s[0]
)
LAWS = settings(max_examples=25, deadline=None)


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
    batch = FoldIn(model.movie_factors, model.fold_in).user_vector(rows.astype(np.int32), preferences.astype(np.int8))
    np.testing.assert_allclose(swiped(demo, events), batch, atol=1e-5)


def test_single_updates_of_a_known_user_equal_one_batch_solve_over_all(demo, model):
    row = model.user_idx(42)
    history = model.history.of(row)
    learned = np.asarray(model.history.split[history]) == 0
    rows = np.concatenate([np.asarray(model.history.movie_idx[history])[learned], [5, 900, 77]])
    preferences = np.concatenate([np.asarray(model.history.preference[history])[learned], [1, -2, 2]])
    assert not set(rows[-3:].tolist()) & set(rows[:-3].tolist())
    batch = FoldIn(model.movie_factors, model.fold_in).user_vector(rows.astype(np.int32), preferences.astype(np.int8))
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


def test_a_vector_that_was_kept_under_the_former_half_step_is_not_used(demo, tmp_path):
    name = str(tmp_path / "users.db")
    with Recommender.open(demo.root, store=name, settings=ServeSettings(rule="gradient")) as rec:
        expected = rec.update_user(42, 318, 2).vector
        head = rec.store.head(42)
        former = f"{rec.model_id} gradient 0.05 cap 10.0 {head.last_event_id} {head.token:x}"
        rec.store.save_vector(42, StoredVector(former, np.full(64, 7, dtype="<f4").tobytes()))
    with Recommender.open(demo.root, store=name, settings=ServeSettings(rule="gradient")) as rec:
        np.testing.assert_array_equal(vector_of(rec, 42), expected)


# -- undo --------------------------------------------------------------------------------------------------------------


def test_undo_takes_back_one_swipe_after_the_other(rec):
    for movie_id in (318, 1, 260):
        rec.update_user(NEW, movie_id, 1)
    assert [rec.undo(NEW).movie_id for _ in range(2)] == [260, 1]
    rec.update_user(NEW, 593, 1)
    assert [rec.undo(NEW).movie_id for _ in range(2)] == [593, 318]
    with pytest.raises(NothingToUndoError):
        rec.undo(NEW)
    assert [event.undone for event in rec.history(NEW)] == [True] * 4
    assert rec.get_top_n(NEW)[0].source == "popular"


def test_concurrent_undos_take_back_different_swipes(rec):
    for movie_id in [318, 1, 260, 593, 296, 527, 356, 480]:
        rec.update_user(NEW, movie_id, 1)
    with ThreadPoolExecutor(4) as pool:
        undone = list(pool.map(lambda _: rec.undo(NEW).movie_id, range(8)))
    assert sorted(undone) == sorted([318, 1, 260, 593, 296, 527, 356, 480])


# -- several holders ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_two_recommenders_see_each_others_swipes_at_once(demo, tmp_path, request, kind):
    store = str(tmp_path / "u.db") if kind == "sqlite" else request.getfixturevalue("redis_url")
    with Recommender.open(demo.root, store=store) as one, Recommender.open(demo.root, store=store) as other:
        one.get_top_n(42), other.get_top_n(42)
        one.update_user(42, 318, 2)
        assert other.get_top_n(42) == one.get_top_n(42)
        other.undo(42)
        assert one.get_top_n(42) == other.get_top_n(42)
    with Recommender.open(demo.root, store=store) as later:
        assert [(event.movie_id, event.undone) for event in later.history(42)] == [(318, True)]


def test_threads_that_swipe_for_one_user_lose_nothing(rec, model):
    movie_ids = model.movie_ids[:120].tolist()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda movie_id: rec.update_user(NEW, movie_id, 1, at=100 + movie_id), movie_ids))
    expected = FoldIn(model.movie_factors, model.fold_in).user_vector(
        np.arange(120, dtype=np.int32), np.ones(120, dtype=np.int8)
    )
    np.testing.assert_allclose(vector_of(rec, NEW), expected, atol=1e-5)


def test_a_stored_vector_is_used_and_one_of_another_origin_is_not(rec, demo, store_name):
    state = rec.update_user(NEW, 318, 1)
    good = rec.store.vector(NEW)
    rec._users._kept.clear()
    marked = np.arange(64, dtype="<f4")
    rec.store.save_vector(NEW, StoredVector(good.stamp, marked.tobytes()))
    np.testing.assert_array_equal(vector_of(rec, NEW), marked)
    for stamp, values in [
        ("another-model" + good.stamp[good.stamp.index(" ") :], marked.tobytes()),
        (good.stamp + "0", marked.tobytes()),
        (good.stamp, marked[:10].tobytes()),
        (good.stamp, b"\0\1\2"),
    ]:
        rec.store.save_vector(NEW, StoredVector(stamp, values))
        rec._users._kept.clear()
        np.testing.assert_allclose(vector_of(rec, NEW), state.vector, atol=1e-6)


def test_few_users_are_kept_and_all_are_answered_right(demo):
    with (
        Recommender.open(demo.root, store="memory", settings=ServeSettings(cached_users=3)) as small,
        Recommender.open(demo.root, store="memory") as large,
    ):
        for user_id in [*range(1, 20), *range(1, 20)]:
            assert small.get_top_n(user_id) == large.get_top_n(user_id)
        assert len(small._users._kept) == 3


def write_log(path, *movie_ids):
    """A store file with a log of likes."""
    store = SqliteStore(path)
    for movie_id in movie_ids:
        store.append(NEW, Draft(movie_id, 1, 100 + movie_id))
    store.close()


@pytest.mark.parametrize("backup", [(1,), (1, 2, 3), (1, 2, 6, 7), ()], ids=["shorter", "as long", "longer", "empty"])
def test_a_log_that_has_gone_back_to_a_backup_is_read_anew(demo, model, tmp_path, backup):
    """Event ids count again there, so the same last id does not mean the same log."""
    movies = model.movie_ids.tolist()
    path = tmp_path / "users.db"
    write_log(path, *(movies[row] for row in (1, 2, 3)))
    write_log(tmp_path / "backup.db", *(movies[row] for row in backup))
    with Recommender.open(demo.root, store=str(path)) as rec:
        rec.get_top_n(NEW)
        for suffix in ("", "-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        if backup:
            (tmp_path / "backup.db").replace(path)
            assert [event.movie_id for event in rec.history(NEW)] == [movies[row] for row in backup]
        rec.update_user(NEW, movies[9], 2)
        with Recommender.open(demo.root, store=str(path)) as fresh:
            assert rec.get_top_n(NEW) == fresh.get_top_n(NEW)
            np.testing.assert_allclose(vector_of(rec, NEW), vector_of(fresh, NEW), atol=1e-6)
        assert rec.undo(NEW).movie_id == movies[9]
        if backup:
            assert rec.undo(NEW).movie_id == movies[backup[-1]]


def test_a_user_who_is_forgotten_and_allowed_between_two_looks_begins_anew(rec, model, monkeypatch):
    """The race: the head is read, then the user is forgotten, allowed and swipes again, then the log is read."""
    movies = model.movie_ids.tolist()
    for row in (1, 2, 3):
        rec.update_user(NEW, movies[row], 1)
    rec.update_user(NEW, movies[4], 1)
    head = rec.store.head(NEW)
    rec.store.forget(NEW, 5)
    rec.store.allow(NEW)
    rec.store.append(NEW, Draft(movies[10], 2, 100))
    real = rec.store.head
    heads = iter([head._replace(last_event_id=head.last_event_id + 1, token=1)])
    monkeypatch.setattr(rec.store, "head", lambda user_id: next(heads, None) or real(user_id))
    for _ in range(2):
        view = rec._view(NEW)
        assert view.history.movie_id.tolist() == [movies[10]]
        expected = FoldIn(model.movie_factors, model.fold_in).user_vector(
            np.array([10], np.int32), np.array([2], np.int8)
        )
        np.testing.assert_allclose(view.vector, expected, atol=1e-6)


def test_a_cache_that_fails_does_not_fail_a_swipe(rec, monkeypatch):
    def fail(*_):
        raise StoreUnavailableError("The disk is full.", "")

    monkeypatch.setattr(rec.store, "vector", fail)
    monkeypatch.setattr(rec.store, "save_vector", fail)
    assert rec.update_user(NEW, 318, 1).opinions == 1
    assert rec.get_top_n(NEW)


def test_undo_of_one_of_two_equal_swipes_in_a_second_changes_nothing_after_a_merge():
    """Like, undo and like again within a second is one like, which the model has learned: none of it is new."""
    log = SwipeLog().extended([(1, 20, 1, 100, 0), (2, 20, 0, 101, 1), (3, 20, 1, 100, 0)])
    known = KnownHistory(
        np.array([1], np.int32), np.array([1], np.int8), np.array([100], np.int64), np.array([True])
    )  # fmt: skip
    history = effective_history(known, log, np.array([10, 20, 30]))
    assert history.movie_id.tolist() == [20]
    assert not history.is_new.any()


def test_a_future_time_is_refused(rec):
    rec.update_user(NEW, 318, 1, at=int(time.time()) + 3600)  # clocks differ
    for at in (int(time.time()) + 100_000, -3, 1_500_000_000_000):
        with pytest.raises(SettingsError, match="no time in epoch seconds"):
            rec.update_user(NEW, 318, 1, at=at)
    assert len(rec.history(NEW)) == 1


# -- clocks ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def clock(monkeypatch):
    """Sets this process's clock."""
    return lambda seconds: monkeypatch.setattr(time, "time", lambda: seconds)


def opinions_of(rec, user_id) -> dict[int, int]:
    history = rec._view(user_id).history
    return dict(zip(history.movie_id.tolist(), history.preference.tolist(), strict=True))


def test_a_clock_that_steps_back_does_not_lose_the_newest_swipe(rec, clock):
    clock(1_700_003_600.5)
    assert rec.update_user(NEW, 318, "like").in_effect
    clock(1_700_000_000.5)
    assert rec.update_user(NEW, 318, "dislike").in_effect
    assert opinions_of(rec, NEW) == {318: -1}
    assert [event.at for event in rec.history(NEW)] == [1_700_003_600] * 2
    assert rec.undo(NEW).preference == -1
    assert opinions_of(rec, NEW) == {318: 1}
    assert rec.update_user(NEW, 318, "skip").in_effect
    assert opinions_of(rec, NEW) == {}


def test_a_host_ten_years_ahead_does_not_have_the_last_word(demo, rec, store_name, clock):
    """Two hosts on one store; memory has one holder, whose clock is set right."""
    now = 1_700_000_000
    clock(now + 10 * 365 * 86_400)
    rec.update_user(NEW, 318, "like")
    with Recommender.open(demo.root, store=store_name) as other:
        clock(now)
        holder = rec if store_name == "memory" else other
        assert holder.update_user(NEW, 318, "dislike").in_effect
        assert opinions_of(holder, NEW) == opinions_of(rec, NEW) == {318: -1}


def test_a_swipe_of_now_goes_before_a_rating_of_the_models_data(memory, model, clock):
    history = model.history.of(model.user_idx(42))
    row = int(model.history.movie_idx[history][-1])
    movie_id, rated_at = int(model.movie_ids[row]), int(model.history.timestamp[history][-1])
    clock(rated_at - 10_000)
    assert memory.update_user(42, movie_id, -2).in_effect
    assert opinions_of(memory, 42)[movie_id] == -2
    assert memory.store.events(42)[0].at == rated_at
    assert not memory.update_user(42, movie_id, 1, at=rated_at - 1).in_effect
    assert memory.update_user(42, movie_id, 1, at=rated_at).in_effect


def test_whether_a_swipe_is_in_effect_is_told(rec):
    first = rec.update_user(NEW, 318, 1, at=1000, event_id="a")
    assert first.in_effect
    assert first.to_json()["in_effect"] is True
    assert not rec.update_user(NEW, 318, -1, at=999).in_effect
    assert rec.update_user(NEW, 1, -1, at=1).in_effect
    assert rec.update_user(NEW, 318, 1, event_id="a").in_effect  # a repeated call tells what is so now
    assert rec.update_user(NEW, 318, 0, at=1000, event_id="b").in_effect
    assert not rec.update_user(NEW, 318, 1, event_id="a").in_effect
    undone = rec.undo(NEW, event_id="c")
    assert (undone.movie_id, undone.preference, undone.in_effect) == (318, 0, False)
    assert rec.update_user(NEW, 318, 1, event_id="a").in_effect
    assert not rec.update_user(NEW, 318, 0, event_id="b").in_effect


@given(
    swipes=st.lists(
        st.tuples(st.integers(0, 4_000_000_000), st.sampled_from([1, 318, 260]), st.sampled_from([-2, -1, 0, 1, 2])),
        max_size=12,
    )
)
@LAWS
def test_by_whatever_clock_the_last_swipe_on_a_movie_stands(demo, swipes):
    with pytest.MonkeyPatch.context() as patch, Recommender.open(demo.root, store="memory") as rec:
        for seconds, movie_id, preference in swipes:
            patch.setattr(time, "time", lambda seconds=seconds: seconds)
            assert rec.update_user(42, movie_id, preference).in_effect
        last = {movie_id: preference for _, movie_id, preference in swipes}
        opinions = opinions_of(rec, 42)
        assert {movie_id: opinions.get(movie_id, 0) for movie_id in last} == last


# -- forgetting --------------------------------------------------------------------------------------------------------


def test_a_forgotten_user_is_a_stranger_here_and_elsewhere(rec):
    stranger = rec.get_top_n(NEW)
    rec.update_user(42, 318, 2)
    assert rec.forget_user(42) == 1
    assert rec.get_top_n(42) == stranger
    assert not rec.knows_user(42)
    with pytest.raises(ForgottenUserError):
        rec.update_user(42, 318, 2)
    with pytest.raises(ForgottenUserError):
        rec.undo(42)
    rec.store.allow(42)
    assert rec.knows_user(42)  # by the model's data
    assert rec.history(42) == []


def test_forgetting_and_allowing_between_two_calls_leaves_no_trace(rec):
    rec.update_user(NEW, 318, 2)
    rec.store.forget(NEW, 1)
    rec.store.allow(NEW)
    state = rec.update_user(NEW, 1, 1)
    assert state.opinions == 1


# -- a new model -------------------------------------------------------------------------------------------------------


def test_swipes_survive_a_retrain_and_a_rollback(demo_copy):
    with Recommender.open(demo_copy.root) as rec:
        for movie_id in (318, 593, 260, 1, 296, 2571):
            rec.update_user(NEW, movie_id, 1)
        first, listed = rec.model_id, rec.get_top_n(NEW)
        train(demo_copy, TrainSettings(random_seed=5, factors=32))
        assert rec.get_top_n(NEW) == listed
        assert rec.refresh() is True
        other = rec.get_top_n(NEW)
        assert rec.store.vector(NEW).stamp.startswith(rec.model_id)
        model = model_folder.open_model(registry.resolve(demo_copy))
        rows = np.array([model.movie_idx(m) for m in sorted((318, 593, 260, 1, 296, 2571))], dtype=np.int32)
        again = FoldIn(model.movie_factors, model.fold_in).user_vector(rows, np.ones(6, dtype=np.int8), decay=False)
        assert vector_of(rec, NEW).shape == again.shape == (32,)
        assert ids(other) != ids(listed)
        assert {item.source for item in other} == {"personal"}
        registry.publish(demo_copy, first)
        assert rec.refresh() is True
        assert rec.get_top_n(NEW) == listed


def test_a_long_lived_recommender_finds_the_new_model_by_itself(demo_copy):
    with Recommender.open(demo_copy.root, settings=ServeSettings(refresh_seconds=0.1)) as rec:
        view, first = rec._view(42), rec.model_id
        second = train(demo_copy, TrainSettings(iterations=2)).model_id
        for _ in range(200):
            assert len(rec.get_top_n(42)) == 10  # answers go on all the while
            if rec.model_id == second:
                break
            time.sleep(0.02)
        assert rec.model_id == second
        assert view.served.model_id == first  # what a call under way holds stays as it was


def test_a_damaged_new_model_leaves_the_old_one_serving(demo_copy, caplog):
    with Recommender.open(demo_copy.root, settings=ServeSettings(refresh_seconds=0)) as rec:
        first = rec.model_id
        second = train(demo_copy, TrainSettings(iterations=1)).model_id
        (demo_copy.model(second).root / "movie_embeddings.npy").write_bytes(b"")
        for _ in range(100):
            assert len(rec.get_top_n(42)) == 10
            if caplog.records:
                break
            time.sleep(0.02)
        assert "was not opened" in caplog.text
        assert rec.model_id == first


def test_a_movie_that_the_model_has_lost_keeps_its_log_entries(demo_copy, demo_raw):
    from mlrec.dataset.prepare import prepare
    from mlrec.settings import PrepareSettings

    rare = 74  # 23 ratings in the demo data
    with Recommender.open(demo_copy.root) as rec:
        rare = int(rec._served().movie_ids[np.argmin(rec._served().share)])
        rec.update_user(NEW, 318, 2, at=100)
        with_rare = rec.update_user(NEW, rare, 2, at=200)
        prepare(demo_copy, PrepareSettings(min_movie_ratings=60), raw=demo_raw)
        train(demo_copy)
        rec.refresh()
        assert [event.movie_id for event in rec.history(NEW)] == [318, rare]
        assert rec.history(NEW)[1].title is None
        view = rec._view(NEW)
        assert view.history.movie_idx[1] == -1
        assert len(rec.get_top_n(NEW)) == 10
        assert rec.undo(NEW).movie_id == rare
        registry.publish(demo_copy, with_rare.model_id)
        rec.refresh()
        assert rec.history(NEW)[1].title is not None


# -- cold start --------------------------------------------------------------------------------------------------------


def test_a_new_users_first_cards_are_popular_and_of_many_kinds(memory, model):
    items = memory.get_top_n(NEW, 10)
    assert {item.source for item in items} == {"popular"}
    by_likes = np.sort(model.popularity)[::-1]
    assert min(item.score * 670 for item in items) >= by_likes[60]
    spread = len({genre for item in items for genre in item.genres})
    plain = model.movie_ids[np.argsort(-model.popularity, kind="stable")[:10]].tolist()
    catalogue = model.catalogue
    plain_spread = len({genre for movie_id in plain for genre in catalogue.genres[model.movie_idx(movie_id)]})
    assert spread >= plain_spread


def test_within_favourite_genres_the_source_says_so(memory):
    items = memory.get_top_n(NEW, 10, genres=["Western"])
    assert {item.source for item in items} == {"genre"}
    assert all("Western" in item.genres for item in items)


def test_the_list_becomes_personal_swipe_by_swipe(memory):
    sources = []
    for movie_id in (260, 1196, 1210, 1198, 2571, 1240, 1214, 589, 541, 1200, 1036):
        memory.update_user(NEW, movie_id, 1)
        sources.append([item.source for item in memory.get_top_n(NEW, 10)].count("personal"))
    assert sources[-1] == 10
    assert "Sci-Fi" in memory.get_top_n(NEW, 1)[0].genres


def test_nothing_but_dislikes_still_gives_a_sensible_list(memory, model):
    stranger = memory.get_top_n(NEW, 30)
    horror = [int(model.movie_ids[row]) for row, g in enumerate(model.catalogue.genres) if "Horror" in g][:12]
    for movie_id in horror:
        memory.update_user(NEW, movie_id, -2)
    items = memory.get_top_n(NEW, 30)
    assert len(items) == 30
    assert {item.source for item in items} == {"popular"}
    assert not set(horror) & set(ids(items))
    assert [item.score for item in items] == sorted((item.score for item in items), reverse=True)
    assert sum("Horror" in item.genres for item in items) <= sum("Horror" in item.genres for item in stranger)
    assert model.popularity[model.movie_idx(items[0].movie_id)] > 100


# -- visitors ----------------------------------------------------------------------------------------------------------


def test_a_visitor_gets_a_list_and_leaves_nothing(rec, model):
    items = rec.recommend_for(likes=[260, 1196, 1210], dislikes=[2], n=5)
    assert not {260, 1196, 1210, 2} & set(ids(items))
    assert rec.recommend_for([1210, 260, 1196], [2], 5) == items
    assert rec.store.user_ids() == []
    assert ids(rec.recommend_for(n=5)) == ids(rec.get_top_n(NEW, 5))
    with pytest.raises(UnknownMovieError):
        rec.recommend_for([4])
    with pytest.raises(SettingsError, match="both"):
        rec.recommend_for([1], [1])


def test_visitors_options_and_gradient_rule(demo):
    with Recommender.open(demo.root, store="memory", settings=ServeSettings(rule="gradient")) as rec:
        items = rec.recommend_for([260], n=5, genres="Comedy", years=(1980, 1989), exclude=[1198])
        assert all("Comedy" in item.genres and 1980 <= item.year <= 1989 for item in items)
        assert ids(rec.recommend_for(n=3)) == ids(rec.get_top_n(NEW, 3))


# -- options -----------------------------------------------------------------------------------------------------------


def test_diversity_zero_is_off_and_more_of_it_gives_less_alike_lists(memory, model):
    assert memory.get_top_n(42, 10, diversity=0.0) == memory.get_top_n(42, 10)

    def likeness(items):
        Y = np.array([model.movie_factors[model.movie_idx(movie_id)] for movie_id in ids(items)])
        Y /= np.linalg.norm(Y, axis=1, keepdims=True)
        return np.mean([max(Y[place] @ Y[:place].T) for place in range(1, len(Y))])  # to the nearest one above

    users = range(40, 60)
    lists = {d: [memory.get_top_n(user, 10, diversity=d) for user in users] for d in (0.0, 0.3, 0.7)}
    less, more, most = (np.mean([likeness(items) for items in of_users]) for of_users in lists.values())
    assert less > more > most
    for of_user in zip(*lists.values(), strict=True):
        assert all(items[0] == of_user[0][0] for items in of_user)
        assert [item.rank for item in of_user[2]] == list(range(1, 11))
    for d in (-0.1, 1.1):
        with pytest.raises(SettingsError, match="diversity"):
            memory.get_top_n(42, diversity=d)


def test_lists_are_never_padded(memory, model):
    assert len(memory.get_top_n(42, 5000, diversity=0.5)) < 1303
    few = memory.get_top_n(42, 10, genres=["Film-Noir"], years=(1990, 1999), diversity=0.5)
    assert 0 < len(few) < 10


# -- explanations ------------------------------------------------------------------------------------------------------


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
    """Against solving again without it, all other weights as they are."""
    rows = np.array([10, 200, 30, 400, 55], dtype=np.int32)
    preferences = np.array([1, -2, 2, -1, 1], dtype=np.int8)
    with Recommender.open(demo.root, store="memory", settings=ServeSettings(handover=0)) as rec:
        for second, (row, preference) in enumerate(zip(rows.tolist(), preferences.tolist(), strict=True)):
            rec.update_user(NEW, int(model.movie_ids[row]), preference, at=1000 + second)
        movie_id = rec.get_top_n(NEW, 1)[0].movie_id
        explanation = rec.explain(NEW, movie_id)
    rule, Y = model.fold_in, np.asarray(model.movie_factors, dtype=np.float64)
    decay = 0.5 ** (np.arange(4, -1, -1) / rule.half_life)
    weights = 1 + rule.alpha * np.abs(preferences) * rule.feedback_weight * decay

    def score(without=None):
        kept = [i for i in range(5) if i != without]
        A = Y.T @ Y + rule.regularization * np.eye(64) + sum(
            (weights[i] - 1) * np.outer(Y[rows[i]], Y[rows[i]]) for i in kept
        )  # fmt: skip
        b = sum(weights[i] * Y[rows[i]] for i in kept if preferences[i] > 0)
        return np.linalg.solve(A, b) @ Y[model.movie_idx(movie_id)]

    told = {dislike.movie_id: dislike.value for dislike in explanation.dislikes}
    expected = {int(model.movie_ids[rows[i]]): score() - score(without=i) for i in (1, 3)}
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


# -- everybody ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [{}, {"genres": ["Comedy"], "years": (1990, 1999), "exclude": [296]}, {"include_seen": True}, {"diversity": 0.4}],
)
def test_everybodys_lists_are_each_ones_own(rec, options):
    rec.update_user(42, 318, 2)
    rec.update_user(NEW, 1, 1)
    rec.store.forget(7, 1)
    lists: dict[int, list[tuple[int, float, str]]] = {}
    users = 0
    for block in rec.recommend_all(7, **options):
        users += block.users
        for user, rank, movie, score, source in zip(
            *(getattr(block, name).tolist() for name in ("user_id", "rank", "movie_id", "score", "source")), strict=True
        ):
            lists.setdefault(user, []).append((movie, score, source))
            assert rank == len(lists[user])
    assert users == 670  # without the forgotten one, with the new one
    assert list(lists) == sorted(lists)
    assert 7 not in lists
    for user, found in lists.items():
        expected = [(item.movie_id, item.score, item.source) for item in rec.get_top_n(user, 7, **options)]
        assert [entry[0] for entry in found] == [entry[0] for entry in expected], user
        assert [entry[1] for entry in found] == pytest.approx([entry[1] for entry in expected], abs=1e-6)
        assert [entry[2] for entry in found] == [entry[2] for entry in expected]


def test_a_lone_model_folder_learns_in_memory(demo):
    folder = registry.resolve(demo).root
    with Recommender.open(model=folder) as rec:
        rec.update_user(42, 318, 2)
        assert rec.store.place == "memory"
        assert rec.refresh() is False
    assert not (demo.root / "users.db").exists()
