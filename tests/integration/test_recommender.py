"""The facade on the real demo model."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from mlrec import MlrecError, Recommendation, Recommender
from mlrec.artifacts import models
from mlrec.errors import ModelMissingError, SettingsError, StateError, UnknownMovieError
from mlrec.model.train import train
from mlrec.settings import TrainSettings


@pytest.fixture(scope="module")
def recommender(demo):
    with Recommender.open(demo.root) as opened:
        yield opened


@pytest.fixture(scope="module")
def model(demo):
    return models.open_model(models.resolve(demo))


def ids(items: list[Recommendation]) -> list[int]:
    return [item.movie_id for item in items]


def test_the_list_is_the_best_scored_unseen_movies(recommender, model):
    row = model.user_idx(42)
    scores = np.asarray(model.movie_factors) @ model.user_vectors[row]
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


def test_an_unknown_user_gets_the_popular_movies(recommender, model):
    items = recommender.get_top_n(10**12, 10_000)
    assert not recommender.knows_user(10**12)
    assert {item.source for item in items} == {"popular"}
    shares = {item.movie_id: item.score for item in items}
    assert shares == pytest.approx(dict(zip(model.movie_ids.tolist(), (model.popularity / 670).tolist(), strict=True)))
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
    with pytest.raises(SettingsError, match="at least 1"):
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
        models.publish(demo_copy, first)
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
    with pytest.raises(MlrecError, match="no model"):
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
