"""`mlrec update`: the result is what training with the same factors of the core would give."""

from __future__ import annotations

import csv
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import mlrec
from mlrec.artifacts import model_folder, registry
from mlrec.artifacts.model_folder import Model
from mlrec.dataset.reading import read_prepared
from mlrec.doctor import diagnose
from mlrec.errors import InputError, StateError, TooManyRejectsError
from mlrec.evaluation.protocol import evaluate
from mlrec.ids import IdArray, rows_of
from mlrec.model.learn import vectors_of_movies
from mlrec.model.matrix import catalogue_of, number_rows
from mlrec.ranking.fold_in import FoldIn
from mlrec.ranking.movie_vectors import Core
from mlrec.ranking.popularity import recent_share
from mlrec.serving.recommender import Recommender
from mlrec.settings import SPLITS, EvaluateSettings, PrepareSettings, TrainSettings
from mlrec.workspace import Workspace

RASHOMON, SEVEN_SAMURAI, THIRD_MAN, TOY_STORY = 5291, 2019, 1212, 1
NEW_FILM = 900_001
NOW = 1_700_000_000


@pytest.fixture(scope="module")
def trained(demo_raw, tmp_path_factory) -> Workspace:
    """A data directory with its raw files and a model of all data."""
    workspace = Workspace(tmp_path_factory.mktemp("update"))
    shutil.copytree(demo_raw, workspace.raw)
    mlrec.prepare(workspace)
    mlrec.train(workspace, TrainSettings(on="all"))
    return workspace


@pytest.fixture
def workspace(trained, tmp_path) -> Workspace:
    shutil.copytree(trained.root, tmp_path / "data")
    return Workspace(tmp_path / "data")


def add_movies(workspace: Workspace, *rows: tuple[object, ...]) -> None:
    with (workspace.raw / "movies.csv").open("a", newline="") as file:
        csv.writer(file).writerows(rows)


def swipe(workspace: Workspace) -> None:
    """Swipes of known and new users: likes, dislikes, a changed rating, an undone swipe, a skip."""
    with Recommender.open(workspace.root) as rec:
        for user_id in range(9001, 9006):
            for place, movie_id in enumerate((RASHOMON, SEVEN_SAMURAI, THIRD_MAN, NEW_FILM)):
                rec.update_user(user_id, movie_id, 2, at=NOW + place)
        for place, (movie_id, preference) in enumerate(((RASHOMON, 2), (TOY_STORY, -2), (NEW_FILM, 1), (THIRD_MAN, 0))):
            rec.update_user(42, movie_id, preference, at=NOW + place)
        rated = rec.ratings(7)[0]
        assert rated.movie_id is not None
        rec.update_user(7, rated.movie_id, -rated.preference, at=NOW)
        rec.update_user(8, RASHOMON, 1, at=NOW)
        rec.undo(8)


def published(workspace: Workspace) -> Model:
    return registry.open_published(workspace)


def fans(model: Model, movie_id: int, n: int) -> list[int]:
    """Users of the data who like a movie."""
    history = model.history.checked()
    liked = np.flatnonzero((history.movie_idx == model.movie_idx(movie_id)) & (history.preference > 0))
    rows = np.searchsorted(history.indptr, liked[:n], side="right") - 1
    return [int(user_id) for user_id in model.user_ids[rows]]


def test_a_film_added_today_with_five_likes_is_recommended_today(workspace):
    add_movies(workspace, (NEW_FILM, "Kurosawa Returns (2016)", "Crime|Drama|Mystery"))
    with Recommender.open(workspace.root) as rec:  # runs all along
        added = mlrec.update(workspace)
        assert (added.movies_added, added.swipes, added.published) == (1, 0, True)
        assert rec.refresh()
        (found,) = rec.search("kurosawa returns")
        assert (found.movie_id, found.origin, found.likes, found.ratings) == (NEW_FILM, "content", 0, 0)
        for user_id in fans(published(workspace), SEVEN_SAMURAI, 5):
            rec.update_user(user_id, NEW_FILM, 2)
        updated = mlrec.update(workspace)
        assert (updated.users_added, updated.movies_added, updated.swipes) == (0, 0, 5)
        assert rec.refresh()
        found = rec.movie(NEW_FILM)
        assert (found.origin, found.likes, found.ratings) == ("folded-in", 5, 5)
        assert NEW_FILM in [item.movie_id for item in rec.recommend_for([RASHOMON, SEVEN_SAMURAI], n=10)]
        assert NEW_FILM in [item.movie_id for item in rec.get_top_n(777_777, 10)]
        explanation = rec.explain_for(NEW_FILM, [RASHOMON, SEVEN_SAMURAI])
        assert explanation.score == pytest.approx(
            explanation.popularity + sum(like.value for like in explanation.likes), abs=1e-6
        )
        assert len(rec.similar_movies(NEW_FILM, 10)) == 10


def expected(workspace: Workspace, then: Model, user_ids: IdArray) -> dict[str, np.ndarray]:
    """What training on the data that is prepared now would give, with the factors of the core of an earlier model."""
    data = read_prepared(workspace)
    catalogue = data.movies.movie_id
    rows = number_rows(data.events.only(np.isin(data.events.user_id, user_ids)), SPLITS, catalogue)
    row = rows_of(then.movie_ids, catalogue)
    is_trained = (row >= 0) & then.is_trained[row]
    factors = np.where(is_trained[:, None], then.movie_factors[row], 0).astype(np.float32)
    assert then.user_gram is not None
    content = catalogue_of(data.movies, catalogue).content
    core = Core(factors, is_trained, then.user_gram)
    movies = vectors_of_movies(core, rows.history, content, then.info.settings, 1)
    history = rows.history
    return {
        "movie_ids": catalogue,
        "movie_factors": movies.vectors,
        "origin": movies.origin,
        "popularity": rows.popularity,
        "n_ratings": rows.n_ratings,
        "recent_share": recent_share(history, len(catalogue), then.info.settings.popularity_half_life),
        "user_ids": rows.user_ids,
        "user_vectors": FoldIn(movies.vectors, then.fold_in, is_trained).user_vectors(
            history.indptr, history.movie_idx, history.preference
        ),
        "indptr": history.indptr,
        "movie_idx": history.movie_idx,
        "preference": history.preference,
        "timestamp": history.timestamp,
    }


@pytest.mark.parametrize("steps", [1, 2])
def test_the_law(workspace, steps):
    """An update, or two, is what preparing with the swipes and training with the same core gives."""
    then = published(workspace)
    add_movies(workspace, (NEW_FILM, "Kurosawa Returns (2016)", "Crime|Drama|Mystery"), (17, "Sense (1995)", "Comedy"))
    mlrec.update(workspace)
    swipe(workspace)
    if steps == 2:
        mlrec.update(workspace)
        with Recommender.open(workspace.root) as rec:
            rec.undo(42)  # the skip
            rec.undo(42)  # a like that the last update has merged
            rec.update_user(9001, TOY_STORY, 1, at=NOW + 9)
    now = published(registry_updated(workspace))
    # With a low threshold, those who have swiped only a few movies are users of the data too.
    mlrec.prepare(workspace, PrepareSettings(min_user_ratings=1, min_movie_ratings=1), with_swipes=True)
    wanted = expected(workspace, then, now.user_ids)
    for name in ("movie_ids", "user_ids", "popularity", "n_ratings", "origin"):
        np.testing.assert_array_equal(getattr(now, name), wanted[name], name)
    np.testing.assert_allclose(now.recent_share, wanted["recent_share"], rtol=1e-5)
    np.testing.assert_allclose(now.movie_factors, wanted["movie_factors"], atol=2e-5)
    np.testing.assert_allclose(now.user_vectors, wanted["user_vectors"], atol=2e-5)
    history = now.history.checked()
    for name in ("indptr", "movie_idx", "preference", "timestamp"):
        np.testing.assert_array_equal(getattr(history, name), wanted[name], name)
    np.testing.assert_array_equal(now.movie_factors[now.is_trained], then.movie_factors[then.is_trained])
    # The weights between movies stay as they were learned, under the new rows.
    assert now.item_item is not None
    assert then.item_item is not None
    assert now.item_item.rule == then.item_item.rule
    row = rows_of(now.movie_ids, then.movie_ids)
    for movie in np.flatnonzero(np.diff(then.item_item.indptr))[::40].tolist():
        weights = then.item_item.between(movie)
        np.testing.assert_array_equal(now.item_item.between(int(row[movie]))[row], weights)


def registry_updated(workspace: Workspace) -> Workspace:
    assert mlrec.update(workspace).is_new
    return workspace


def test_lists_of_others_stay_and_swipes_count_once(workspace):
    with Recommender.open(workspace.root) as rec:
        others = {user: [item.movie_id for item in rec.get_top_n(user, 20)] for user in (1, 100, 564)}
    add_movies(workspace, (NEW_FILM, "Kurosawa Returns (2016)", "Crime|Drama|Mystery"))
    mlrec.update(workspace)
    swipe(workspace)
    with Recommender.open(workspace.root) as rec:
        before = {user: [(item.movie_id) for item in rec.get_top_n(user, 10)] for user in (42, 7, 8, 9001)}
    mlrec.update(workspace)
    with Recommender.open(workspace.root) as rec:
        assert {user: [item.movie_id for item in rec.get_top_n(user, 20)] for user in others} == others
        for user, items in before.items():
            now = [item.movie_id for item in rec.get_top_n(user, 10)]
            assert len(set(now) & set(items)) >= 8  # popularity and vectors of other movies have moved a little
            assert len(rec._view(user).history) == len(rec.ratings(user))


def test_nothing_new_is_no_new_model(workspace):
    before = registry.list_ids(workspace)
    result = mlrec.update(workspace)
    assert not result.is_new
    assert registry.list_ids(workspace) == before
    swipe_one(workspace)
    assert mlrec.update(workspace).swipes == 1
    assert not mlrec.update(workspace).is_new


def swipe_one(workspace: Workspace, user_id: int = 9001, movie_id: int = RASHOMON) -> None:
    with Recommender.open(workspace.root) as rec:
        rec.update_user(user_id, movie_id, 2)


def test_a_changed_title_and_changed_genres_are_taken_over(workspace):
    path = workspace.raw / "movies.csv"
    path.write_text(path.read_text().replace("5291,Rashomon (Rashômon) (1950)", '5291,"Rashomon, The (1950)"'))
    result = mlrec.update(workspace)
    assert (result.movies_added, result.movies_changed) == (0, 1)
    with Recommender.open(workspace.root) as rec:
        assert rec.movie(RASHOMON).title == "The Rashomon"


def test_forgotten_users_are_removed(workspace):
    with Recommender.open(workspace.root) as rec:
        likes = rec.movie(TOY_STORY).likes
        (fan,) = fans(published(workspace), TOY_STORY, 1)
        rec.forget_user(fan)
    result = mlrec.update(workspace)
    assert result.users_removed == 1
    model = published(workspace)
    assert model.user_idx(fan) is None
    with Recommender.open(workspace.root) as rec:
        assert rec.movie(TOY_STORY).likes == likes - 1
    assert not mlrec.update(workspace).is_new


def test_the_folder_is_whole_and_says_where_it_comes_from(workspace):
    then = published(workspace)
    add_movies(workspace, (NEW_FILM, "Kurosawa Returns (2016)", "Crime|Drama|Mystery"))
    mlrec.update(workspace)
    swipe(workspace)
    result = mlrec.update(workspace, publish=False)
    assert not result.published
    files = registry.resolve(workspace, result.model_id)
    model = model_folder.verify_model(files)
    since = model.info.since_training
    assert since is not None
    assert (since.model_id, since.updates, since.users, since.movies) == (then.model_id, 2, 5, 1)
    assert since.swipes == result.swipes == 24
    assert model.info.judged_by == then.model_id
    matrix = np.load(files.train_matrix)
    assert matrix["shape"].tolist() == [len(model.user_ids), len(model.movie_ids)]
    mappings = json.loads(files.mappings.read_text())
    column = mappings["movie_id_to_index"][str(TOY_STORY)]
    former = np.load(registry.resolve(workspace, then.model_id).train_matrix)
    assert np.count_nonzero(matrix["indices"] == column) == np.count_nonzero(
        former["indices"] == then.movie_idx(TOY_STORY)
    )


def test_an_update_of_a_model_of_the_train_split_is_not_evaluated(workspace):
    trained = mlrec.train(workspace)
    swipe_one(workspace)
    updated = mlrec.update(workspace)
    with pytest.raises(StateError, match="update"):
        evaluate(workspace, EvaluateSettings(), model_id=updated.model_id)
    assert evaluate(workspace, EvaluateSettings(baselines=("popularity",)), model_id=trained.model_id).users > 600


def test_a_model_that_cannot_be_updated_says_why(workspace):
    mlrec.train(workspace, TrainSettings(movies="core"))
    with pytest.raises(StateError, match="knows only the movies of its core"):
        mlrec.update(workspace)
    golden = Path(__file__).parents[1] / "golden" / "v1"
    old = Workspace(workspace.root.parent / "old")
    shutil.copytree(golden, old.root)
    with pytest.raises(StateError, match="trained by an earlier version"):
        mlrec.update(old)


def test_a_file_of_other_movies_and_a_damaged_file_change_nothing(workspace, tmp_path):
    before = registry.published_id(workspace)
    other = tmp_path / "other.csv"
    other.write_text("movieId,title,genres\n777777,Other (2000),Drama\n")
    with pytest.raises(InputError, match=r"other.csv has none of the 9,066 movies"):
        mlrec.update(workspace, movies=other)
    add_movies(workspace, *(("x", f"Bad {number}", "Drama") for number in range(200)))
    with pytest.raises(TooManyRejectsError, match=r"200 of 9,\d+ rows of movies.csv are bad; the first is line"):
        mlrec.update(workspace)
    assert registry.published_id(workspace) == before


def test_without_a_movies_file_swipes_still_count(workspace):
    shutil.rmtree(workspace.raw)
    swipe_one(workspace)
    result = mlrec.update(workspace)
    assert result.swipes == 1
    assert "No file of movies was found" in result.warnings[0]


def test_the_doctor_says_when_a_retrain_is_due(workspace):
    def findings() -> dict[str, str]:
        return {one.name: one.detail for one in diagnose(workspace).findings}

    assert "retrain" not in findings()
    with Recommender.open(workspace.root) as rec:
        for user_id in range(9001, 9101):
            rec.update_user(user_id, RASHOMON, 2)
    result = mlrec.update(workspace)
    (reason,) = result.retrain_because
    assert "100 new users since the training, which knew 670" in reason
    assert "100 new users" in findings()["retrain"]


@pytest.mark.parametrize("moment", [0.05, 0.2, 0.4])
def test_a_kill_leaves_the_last_good_model(workspace, moment):
    swipe_one(workspace)
    before = registry.published_id(workspace)
    process = subprocess.Popen(
        [sys.executable, "-m", "mlrec", "--data-dir", str(workspace.root), "update"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 120
    while not (workspace.root / ".scratch").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(moment)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=120)
    with Recommender.open(workspace.root) as rec:
        assert len(rec.get_top_n(42)) == 10
        assert rec.model_id == registry.published_id(workspace)
    result = mlrec.update(workspace)
    assert registry.published_id(workspace) == result.model_id
    assert result.model_id != before
    assert not workspace.unfinished_models()
