"""Clocks that step back or run ahead."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlrec import Recommender
from mlrec.errors import SettingsError
from tests.integration.learning.users import LAWS, NEW


def test_a_future_time_is_refused(rec):
    rec.update_user(NEW, 318, 1, at=int(time.time()) + 3600)  # clocks differ
    for at in (int(time.time()) + 100_000, -3, 1_500_000_000_000):
        with pytest.raises(SettingsError, match="at must be a time in epoch seconds"):
            rec.update_user(NEW, 318, 1, at=at)
    assert len(rec.history(NEW)) == 1


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
    first = rec.update_user(NEW, 318, 1, at=1000, idempotency_key="a")
    assert first.in_effect
    assert first.to_json()["in_effect"] is True
    assert not rec.update_user(NEW, 318, -1, at=999).in_effect
    assert rec.update_user(NEW, 1, -1, at=1).in_effect
    assert rec.update_user(NEW, 318, 1, idempotency_key="a").in_effect  # a repeated call tells what is so now
    assert rec.update_user(NEW, 318, 0, at=1000, idempotency_key="b").in_effect
    assert not rec.update_user(NEW, 318, 1, idempotency_key="a").in_effect
    undone = rec.undo(NEW, idempotency_key="c")
    assert (undone.movie_id, undone.preference, undone.in_effect) == (318, 0, False)
    assert rec.update_user(NEW, 318, 1, idempotency_key="a").in_effect
    assert not rec.update_user(NEW, 318, 0, idempotency_key="b").in_effect


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
