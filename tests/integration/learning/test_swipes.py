"""A swipe is stored, learned and not shown again."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime

import numpy as np
import pytest

from mlrec import Recommender, Swipe
from mlrec.artifacts import registry
from mlrec.errors import (
    EventIdConflictError,
    ForgottenUserError,
    IdempotencyKeyConflictError,
    SettingsError,
    StoreUnavailableError,
    UnknownMovieError,
)
from mlrec.serving.results import SwipeRequest
from mlrec.settings import ServeSettings
from tests.integration.learning.users import NEW, ids, vector_of


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
        ((42, 318, 3), {}, SettingsError, "not a valid preference"),
        ((42, 318, "lik"), {}, SettingsError, "not a valid preference"),
        ((42, 318, 1), {"at": -1}, SettingsError, "epoch seconds"),
        ((42, 318, 1), {"at": 1_700_000_000_000}, SettingsError, "epoch seconds"),
        ((42, 318, 1), {"at": datetime(2020, 1, 1)}, SettingsError, "time zone"),
        ((42, 318, 1), {"idempotency_key": ""}, SettingsError, "1 to 200"),
        ((42, 318, 1), {"idempotency_key": "\ud800"}, SettingsError, "1 to 200"),
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
        memory.update_user(42, 51, 1)
    assert 51 not in model.movie_ids
    assert "50 The Usual Suspects (1995)" in error.value.hint
    assert "52 Mighty Aphrodite (1995)" in error.value.hint
    assert "mlrec update" in error.value.hint


def test_times_may_be_given(memory):
    memory.update_user(42, 318, 1, at=12345)
    memory.update_user(42, 318, 1, at=datetime(2020, 1, 1, tzinfo=UTC))
    assert [event.at for event in memory.store.events(42)] == [12345, 1_577_836_800]


def test_a_retried_swipe_is_counted_once(rec):
    first = rec.update_user(NEW, 318, 1, idempotency_key="a")
    again = rec.update_user(NEW, 318, "like", idempotency_key="a")
    assert (again.event_id, again.is_new, again.opinions) == (first.event_id, False, 1)
    with pytest.raises(IdempotencyKeyConflictError):
        rec.update_user(NEW, 318, -1, idempotency_key="a")
    with pytest.raises(IdempotencyKeyConflictError):
        rec.update_user(NEW, 1, 1, idempotency_key="a")
    assert len(rec.store.events(NEW)) == 1
    undone = rec.undo(NEW, idempotency_key="b")
    assert rec.update_user(NEW, 1, 1).is_new
    again = rec.undo(NEW, idempotency_key="b")
    assert (again.event_id, again.movie_id, again.preference, again.is_new) == (undone.event_id, 318, 1, False)
    rec.undo(NEW)
    again = rec.undo(NEW, idempotency_key="b")  # nothing is left to undo, and nothing needs to be
    assert (again.event_id, again.movie_id, again.is_new) == (undone.event_id, 318, False)
    rec.update_user(NEW, 1, 1)
    for call in (lambda: rec.undo(NEW, idempotency_key="a"), lambda: rec.update_user(NEW, 318, 0, idempotency_key="b")):
        with pytest.raises(IdempotencyKeyConflictError):
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


def test_a_lone_model_folder_learns_in_memory(demo):
    folder = registry.resolve(demo).root
    with Recommender.open(model=folder) as rec:
        rec.update_user(42, 318, 2)
        assert rec.store.place == "memory"
        assert rec.refresh() is False
    assert not (demo.root / "users.db").exists()


def test_the_idempotency_key_under_its_old_name_warns_and_works(memory):
    rec = memory
    with pytest.warns(DeprecationWarning, match="idempotency_key") as told:
        first = rec.update_user(NEW, 318, 1, event_id="a")
    assert told[0].filename == __file__
    assert first.is_new
    assert not rec.update_user(NEW, 318, 1, idempotency_key="a").is_new
    with pytest.warns(DeprecationWarning, match="idempotency_key"):
        assert rec.undo(NEW, event_id="b").undone
    assert not rec.undo(NEW, idempotency_key="b").is_new
    for call in (
        lambda: rec.update_user(NEW, 1, 1, idempotency_key="c", event_id="c"),
        lambda: rec.undo(NEW, idempotency_key="c", event_id="c"),
    ):
        with pytest.raises(SettingsError, match="both given"):
            call()
    (swipe,) = rec.history(NEW)
    assert swipe.idempotency_key == "a"
    with pytest.warns(DeprecationWarning, match="idempotency_key"):
        assert swipe.client_id == "a"
    assert EventIdConflictError is IdempotencyKeyConflictError


def test_swipes_learned_together_are_those_learned_one_by_one(rec, demo):
    made: list[tuple[int, int, int | str]] = [
        (42, 318, 2),
        (NEW, 1, "like"),
        (NEW, 593, "dislike"),
        (42, 356, 0),
        (15, 318, -1),
    ]
    states = rec.update_users(SwipeRequest(*swipe, at=1_700_000_000 + n) for n, swipe in enumerate(made))
    with Recommender.open(demo.root, store="memory") as other:
        alone = [other.update_user(*swipe, at=1_700_000_000 + n) for n, swipe in enumerate(made)]
        assert [(s.user_id, s.movie_id, s.preference, s.event_id, s.is_new, s.in_effect) for s in states] == [
            (s.user_id, s.movie_id, s.preference, s.event_id, s.is_new, s.in_effect) for s in alone
        ]
        for user in (42, NEW, 15):
            np.testing.assert_array_equal(vector_of(rec, user), vector_of(other, user))
            assert ids(rec.get_top_n(user)) == ids(other.get_top_n(user))
    # A state is that of the user after all of the swipes.
    assert states[1].opinions == states[2].opinions == 2
    np.testing.assert_array_equal(states[1].vector, states[2].vector)


def test_a_swipe_that_is_refused_does_not_stop_the_others(rec):
    rec.update_user(NEW, 1, 1, idempotency_key="used")
    rec.update_user(NEW + 1, 1, 1)
    rec.forget_user(NEW + 1)
    found = rec.update_users(
        [
            SwipeRequest(NEW, 999_999, 1),
            SwipeRequest(NEW, 318, 7),
            SwipeRequest(NEW, 318, 1, idempotency_key="used"),
            SwipeRequest(NEW + 1, 318, 1),
            SwipeRequest(NEW, 318, 1, at=-1),
            SwipeRequest(NEW, 593, "superlike", idempotency_key="new"),
            SwipeRequest(NEW, 593, "superlike", idempotency_key="new"),
        ]
    )
    kinds = [UnknownMovieError, SettingsError, IdempotencyKeyConflictError, ForgottenUserError, SettingsError]
    assert list(map(type, found[:5])) == kinds
    assert [state.is_new for state in found[5:]] == [True, False]
    assert [event.movie_id for event in rec.history(NEW)] == [1, 593]
    assert rec.update_users([]) == []


def test_swipes_that_a_locked_store_does_not_take_have_its_error(demo, tmp_path):
    file = tmp_path / "users.db"
    with Recommender.open(demo.root, store=str(file), settings=ServeSettings(store_seconds=0.2)) as rec:
        rec.update_user(NEW, 1, 1)
        with closing(sqlite3.connect(file, isolation_level=None)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            unknown, stored = rec.update_users([SwipeRequest(NEW, 999_999, 1), SwipeRequest(NEW, 318, 1)])
            assert isinstance(unknown, UnknownMovieError)
            assert isinstance(stored, StoreUnavailableError)
            (unknown,) = rec.update_users([SwipeRequest(NEW, 999_999, 1)])  # waits for nothing
            assert isinstance(unknown, UnknownMovieError)
        assert [event.movie_id for event in rec.history(NEW)] == [1]
