"""The facade on the real demo model."""

from __future__ import annotations

import gc
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
import pytest

from mlrec import MlrecError, Recommendation, Recommender, ServeSettings
from mlrec.artifacts import model_folder, registry
from mlrec.errors import ModelMissingError, SettingsError, StateError, UnknownMovieError
from mlrec.model.train import train
from mlrec.ranking.effective_history import effective_history
from mlrec.serving import user_views
from mlrec.settings import TrainSettings
from tests.independent import popularity_by_date, rows_of
from tests.processes import wait_until
from tests.second_opinion import dense, personal_by_hand


@pytest.fixture(scope="module")
def recommender(demo):
    with Recommender.open(demo.root) as opened:
        yield opened


@pytest.fixture(scope="module")
def model(demo):
    return model_folder.open_model(registry.resolve(demo))


def ids(items: list[Recommendation]) -> list[Any]:
    return [item.movie_id for item in items]


def test_the_list_is_the_best_scored_unseen_movies(recommender, model):
    row = model.user_idx(42)
    learned = model.history.only(("train",))
    own = learned.of(row)
    scores = personal_by_hand(
        np.asarray(model.movie_factors) @ model.user_vectors[row],
        model.item_item,
        dense(model.item_item),
        model.is_trained,
        learned.movie_idx[own].tolist(),
        learned.preference[own].tolist(),
    )
    scores[model.history.movie_idx[model.history.of(row)]] = -np.inf
    expected = model.movie_ids[np.argsort(-scores, kind="stable")[:10]]
    items = recommender.get_top_n(42)
    assert ids(items) == expected.tolist()
    assert [item.rank for item in items] == list(range(1, 11))
    assert {item.source for item in items} == {"personal"}
    assert items[0].score == pytest.approx(scores.max(), rel=1e-5)


def test_nothing_that_the_user_has_rated_is_listed_whatever_its_split(recommender, model):
    seen = model.movie_ids[model.history.movie_idx[model.history.of(model.user_idx(42))]]
    everything = recommender.get_top_n(42, 10_000)
    assert not set(ids(everything)) & set(seen.tolist())
    assert len(everything) == len(model.movie_ids) - len(seen)
    assert set(seen.tolist()) <= set(ids(recommender.get_top_n(42, 10_000, include_seen=True)))


def test_an_unknown_user_gets_what_is_popular_of_late(demo, recommender, model):
    items = recommender.get_top_n(10**12, 10_000)
    assert not recommender.knows_user(10**12)
    assert {item.source for item in items} == {"popular"}
    shares = {item.movie_id: item.score for item in items}
    likes = np.array(
        sorted(
            (row.timestamp, row.user, model.movie_idx(row.movie))
            for row in rows_of(demo)
            if row.split == "train" and row.preference > 0
        )
    )
    expected = popularity_by_date(likes, np.inf, len(model.movie_ids))
    assert [shares[movie] for movie in model.movie_ids.tolist()] == pytest.approx(expected.tolist(), rel=1e-5)
    assert items[0].score == max(shares.values())
    assert items[300].score == max(item.score for item in items[300:])  # behind the spread cards, plain popularity


def test_filters(recommender):
    items = recommender.get_top_n(42, 20, genres=["comedy", "War"], years=(1990, 1999))
    assert len(items) == 20
    for item in items:
        assert {"Comedy", "War"} & set(item.genres)
        assert item.year is not None
        assert 1990 <= item.year <= 1999
    first = items[0].movie_id
    assert first not in ids(recommender.get_top_n(42, 20, exclude=[first, 987654321]))


def test_a_filter_that_leaves_nothing_gives_an_empty_list(recommender):
    assert recommender.get_top_n(42, years=(1800, 1801)) == []


def test_bad_arguments_are_refused(recommender):
    with pytest.raises(SettingsError, match="Scifi"):
        recommender.get_top_n(42, genres=["Scifi"])
    with pytest.raises(SettingsError, match="from 1 to"):
        recommender.get_top_n(42, 0)
    with pytest.raises(UnknownMovieError, match="999999999"):
        recommender.similar_movies(999_999_999)


def test_similar_movies(recommender):
    items = recommender.similar_movies(1, 5)
    assert items[0].title == "Toy Story 2"
    assert 1 not in ids(items)
    assert [item.score for item in items] == sorted((item.score for item in items), reverse=True)


def test_a_new_model_is_picked_up_by_refresh(demo_copy):
    with Recommender.open(demo_copy.root) as recommender:
        first = recommender.model_id
        assert recommender.refresh() is False
        second = train(demo_copy, TrainSettings(random_seed=3, iterations=2)).model_id
        assert recommender.model_id == first
        assert recommender.refresh() is True
        assert recommender.model_id == second
        registry.publish(demo_copy, first)
        assert recommender.refresh() is True
        assert recommender.model_id == first


def test_several_threads_get_what_one_gets(recommender):
    expected = {user: recommender.get_top_n(user) for user in range(1, 100)}
    with ThreadPoolExecutor(8) as pool:
        answers = dict(zip(expected, pool.map(recommender.get_top_n, expected), strict=True))
    assert answers == expected


def test_no_model_is_a_clear_error(tmp_path):
    with pytest.raises(ModelMissingError, match="no model"):
        Recommender.open(tmp_path)
    with pytest.raises(MlrecError, match="does not contain a model"):
        Recommender.open(model=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_closing_twice_does_no_harm_and_a_closed_recommender_says_so(demo):
    with Recommender.open(demo.root) as recommender:
        recommender.close()
    recommender.close()
    with pytest.raises(StateError, match="closed"):
        recommender.get_top_n(42)


def test_ids_are_whole_numbers(recommender):
    with pytest.raises(SettingsError, match="user_id must be a whole number, not '42'"):
        recommender.get_top_n("42")
    assert recommender.get_top_n(np.int64(42)) == recommender.get_top_n(42)
    assert recommender.get_top_n(42, genres="Comedy") == recommender.get_top_n(42, genres=["Comedy"])


# -- new models under a running recommender ----------------------------------------------------------------------------


@pytest.fixture
def two_models(demo_copy):
    """Two published models to switch between; the second is a copy under another id."""
    first = registry.published_id(demo_copy)
    shutil.copytree(demo_copy.model(first).root, demo_copy.models / "20200101T000000-als-0000")
    return demo_copy, (first, "20200101T000000-als-0000")


def held(folder: Path) -> tuple[int, int]:
    """Open files of this process, and files of a folder that are mapped into its memory."""
    mapped = [line for line in Path("/proc/self/maps").read_text().splitlines() if str(folder) in line]
    return len(list(Path("/proc/self/fd").iterdir())), len(mapped)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="this system does not tell what a process holds")
def test_neither_files_nor_memory_of_former_models_are_held(two_models):
    workspace, ids_ = two_models
    gc.collect()
    before = held(workspace.root)
    gc.disable()  # what only the collector of cycles would find is held as well
    try:
        with Recommender.open(workspace.root, store="memory") as rec:
            now = None
            for number in range(40):
                for user in range(1 + number, 6 + number):
                    rec.get_top_n(user)
                rec.search("star wars"), rec.similar_movies(1), rec.recommend_for([1])
                registry.publish(workspace, ids_[(number + 1) % 2])
                assert rec.refresh() is True
                now = now or held(workspace.root)
                assert held(workspace.root) == now
        assert held(workspace.root) == before
    finally:
        gc.enable()


def test_a_call_under_way_does_not_bring_back_the_former_model(two_models, monkeypatch):
    """Its view is derived on the former model while another thread switches: it answers, and is not kept."""
    workspace, ids_ = two_models
    has_begun, may_go_on = Event(), Event()

    def slowly(*arguments):
        has_begun.set()
        assert may_go_on.wait(120)
        return effective_history(*arguments)

    with Recommender.open(workspace.root, store="memory") as rec:
        monkeypatch.setattr(user_views, "effective_history", slowly)
        listed = []
        call = Thread(target=lambda: listed.append(rec.get_top_n(42)))
        call.start()
        assert has_begun.wait(120)
        registry.publish(workspace, ids_[1])
        assert rec.refresh() is True
        may_go_on.set()
        call.join()
        assert len(listed[0]) == 10
        assert [kept.view for kept in rec._users._kept.values()] == []


def test_what_was_read_of_the_log_is_kept_from_one_model_to_the_next(two_models, monkeypatch):
    workspace, ids_ = two_models
    with Recommender.open(workspace.root, store="memory") as rec:
        for movie_id in (318, 260, 1):
            rec.update_user(42, movie_id, 2)
        expected = rec.get_top_n(42)
        read: list[tuple[object, ...]] = []
        registry.publish(workspace, ids_[1])
        assert rec.refresh() is True
        events = rec.store.events

        def recorded(*arguments, **options):
            read.append(arguments)
            return events(*arguments, **options)

        monkeypatch.setattr(rec.store, "events", recorded)
        assert rec.get_top_n(42) == expected
        assert read == []


def test_closing_lets_go_of_everything_though_the_object_lives_on(two_models):
    workspace, _ = two_models
    rec = Recommender.open(workspace.root, store="memory")
    rec.get_top_n(42)
    rec.close()
    assert rec._users._kept == {}
    assert held(workspace.root)[1] == 0


def answers(rec: Recommender) -> bool:
    assert len(rec.get_top_n(42)) == 10
    return True


@pytest.mark.parametrize("error", [ZeroDivisionError("of any kind"), OSError(24, "Too many open files"), MemoryError()])
def test_a_new_model_that_cannot_be_opened_is_one_warning_and_serving_goes_on(two_models, monkeypatch, caplog, error):
    workspace, ids_ = two_models

    def fail(_):
        raise error

    with Recommender.open(workspace.root, store="memory", settings=ServeSettings(refresh_seconds=0)) as rec:
        with monkeypatch.context() as patched:
            patched.setattr("mlrec.artifacts.registry.open_published", fail)
            registry.publish(workspace, ids_[1])
            wait_until(lambda: answers(rec) and caplog.records, pause=0.001)
            for _ in range(100):
                assert answers(rec)
                time.sleep(0.001)
        assert len(caplog.records) == 1
        assert "goes on serving" in caplog.text
        assert rec.model_id == ids_[0]
        wait_until(
            lambda: answers(rec) and rec._served().folder_name == ids_[1], pause=0.01
        )  # when it can be opened, it is


def test_a_model_folder_that_was_renamed_is_opened_once(two_models):
    """Its id is in its description, and the pointer names the folder."""
    workspace, ids_ = two_models
    registry.publish(workspace, ids_[1])
    with Recommender.open(workspace.root, store="memory") as rec:
        assert rec.refresh() is False
