"""Swipes and a recommender stay usable when a new model is published."""

from __future__ import annotations

import shutil

import numpy as np

from mlrec import Recommender, ServeSettings
from mlrec.artifacts import registry
from mlrec.artifacts.model_folder import open_model
from mlrec.dataset.prepare import prepare
from mlrec.model.train import train
from mlrec.serving.swipe import SwipeSession
from mlrec.settings import PrepareSettings, TrainSettings
from tests.integration.learning.users import NEW, ids, vector_of
from tests.processes import wait_until


def test_swipes_survive_a_retrain_and_a_rollback(demo_copy):
    with Recommender.open(demo_copy.root) as rec:
        for movie_id in (318, 593, 260, 1, 296, 2571):
            rec.update_user(NEW, movie_id, 1)
        first, listed = rec.model_id, rec.get_top_n(NEW)
        train(demo_copy, TrainSettings(random_seed=5, factors=32))
        assert rec.get_top_n(NEW) == listed
        assert rec.refresh() is True
        other = rec.get_top_n(NEW)
        kept = rec.store.vector(NEW)
        assert kept is not None
        assert kept.stamp.startswith(rec.model_id)
        model = open_model(registry.resolve(demo_copy))
        rows = np.array([model.movie_idx(m) for m in sorted((318, 593, 260, 1, 296, 2571))], dtype=np.int32)
        again = model.solver().user_vector(rows, np.ones(6, dtype=np.int8), decay=False)
        assert vector_of(rec, NEW).shape == again.shape == (32,)
        assert ids(other) != ids(listed)
        assert "personal" in {item.source for item in other}
        registry.publish(demo_copy, first)
        assert rec.refresh() is True
        assert rec.get_top_n(NEW) == listed


def answers(rec: Recommender) -> bool:
    """Lists go on all the while."""
    assert len(rec.get_top_n(42)) == 10
    return True


def test_a_long_lived_recommender_finds_the_new_model_by_itself(demo_copy):
    with Recommender.open(demo_copy.root, settings=ServeSettings(refresh_seconds=0.1)) as rec:
        view, first = rec._view(42), rec.model_id
        second = train(demo_copy, TrainSettings(iterations=2)).model_id
        wait_until(lambda: answers(rec) and rec.model_id == second)
        assert view.served.model_id == first  # what a call under way holds stays as it was


def test_a_damaged_new_model_leaves_the_old_one_serving(demo_copy, caplog):
    with Recommender.open(demo_copy.root, settings=ServeSettings(refresh_seconds=0)) as rec:
        first = rec.model_id
        second = train(demo_copy, TrainSettings(iterations=1)).model_id
        (demo_copy.model(second).root / "movie_embeddings.npy").write_bytes(b"")
        wait_until(lambda: answers(rec) and caplog.records)
        assert "was not opened" in caplog.text
        assert rec.model_id == first


def test_a_movie_that_the_model_has_lost_keeps_its_log_entries(demo_copy, demo_raw):
    rare = 74  # 23 ratings in the demo data
    with Recommender.open(demo_copy.root) as rec:
        rec.update_user(NEW, 318, 2, at=100)
        with_rare = rec.update_user(NEW, rare, 2, at=200)
        prepare(demo_copy, PrepareSettings(min_movie_ratings=60), raw=demo_raw)
        train(demo_copy, TrainSettings(movies="core"))
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


def test_a_session_goes_on_when_a_model_without_its_card_takes_over(demo_copy, demo_raw):
    with Recommender.open(demo_copy.root) as rec:
        session = SwipeSession(rec, NEW)
        card = session.card
        assert card is not None
        raw = demo_copy.root / "less"
        shutil.copytree(demo_raw, raw)
        ratings = (raw / "ratings.csv").read_text().splitlines(keepends=True)
        (raw / "ratings.csv").write_text(
            "".join(row for row in ratings if row.split(",")[1] != str(card.movie.movie_id))
        )
        prepare(demo_copy, raw=raw)
        train(demo_copy, TrainSettings(iterations=1, movies="core"))
        assert rec.refresh()
        other = session.card
        assert other is not None
        assert other.movie.movie_id != card.movie.movie_id
