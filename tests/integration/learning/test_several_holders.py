"""Several recommenders, threads and caches on one store."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from mlrec import Recommender, ServeSettings
from mlrec.serving.stores.interface import Draft
from mlrec.serving.stores.sqlite import SqliteStore
from tests.integration.learning.users import NEW, vector_of


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
    expected = model.solver().user_vector(np.arange(120, dtype=np.int32), np.ones(120, dtype=np.int8))
    np.testing.assert_allclose(vector_of(rec, NEW), expected, atol=1e-5)


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
        expected = model.solver().user_vector(np.array([10], np.int32), np.array([2], np.int8))
        np.testing.assert_allclose(view.vector, expected, atol=1e-6)
