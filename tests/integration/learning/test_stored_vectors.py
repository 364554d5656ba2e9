"""Vectors stored with the swipes."""

from __future__ import annotations

import numpy as np

from mlrec import Recommender, ServeSettings
from mlrec.errors import StoreUnavailableError
from mlrec.serving.stores.interface import StoredVector
from tests.integration.learning.users import NEW, vector_of


def test_a_vector_that_was_kept_under_the_former_half_step_is_not_used(demo, tmp_path):
    name = str(tmp_path / "users.db")
    with Recommender.open(demo.root, store=name, settings=ServeSettings(rule="gradient")) as rec:
        expected = rec.update_user(42, 318, 2).vector
        head = rec.store.head(42)
        former = f"{rec.model_id} gradient 0.05 cap 10.0 {head.last_event_id} {head.token:x}"
        rec.store.save_vector(42, StoredVector(former, np.full(64, 7, dtype="<f4").tobytes()))
    with Recommender.open(demo.root, store=name, settings=ServeSettings(rule="gradient")) as rec:
        np.testing.assert_array_equal(vector_of(rec, 42), expected)


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


def test_a_cache_that_fails_does_not_fail_a_swipe(rec, monkeypatch):
    def fail(*_):
        raise StoreUnavailableError("The disk is full.", "")

    monkeypatch.setattr(rec.store, "vector", fail)
    monkeypatch.setattr(rec.store, "save_vector", fail)
    assert rec.update_user(NEW, 318, 1).opinions == 1
    assert rec.get_top_n(NEW)
