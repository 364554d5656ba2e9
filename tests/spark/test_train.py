"""A model trained on Spark is a model like any other."""

from __future__ import annotations

import math
import random
import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from mlrec import Recommender
from mlrec.artifacts import model_folder, registry
from mlrec.artifacts.prepared import read_manifest
from mlrec.dataset.prepare import prepare
from mlrec.dataset.reading import read_movies
from mlrec.errors import EmptyResultError, IncompatibleFormatError, SparkFailedError
from mlrec.evaluation.choosing import on_validation
from mlrec.evaluation.protocol import evaluate
from mlrec.model import item_item
from mlrec.model.learn import rule_of_training, vectors_of_movies
from mlrec.model.train import train
from mlrec.ranking.fold_in import FoldIn
from mlrec.ranking.movie_vectors import ORIGINS, Core, OpinionsByMovie, movie_vectors
from mlrec.settings import EvaluateSettings, FoldInSettings, TrainSettings
from mlrec.spark.package import write_package
from mlrec.spark.session import Spark
from mlrec.spark.worker import EVENTS, gram_matrix, user_vectors
from mlrec.workspace import Workspace
from tests.integration.prepare.definitions import Rating
from tests.integration.prepare.raw_data import crowd, csv_lines, loose, names, write_raw
from tests.spark.same import assert_same_rows, opened


@pytest.fixture(scope="module")
def trained(demo, spark, tmp_path_factory) -> tuple[Workspace, model_folder.Model, model_folder.Model]:
    """The demo data learned from on Spark, with the default settings; the model of `implicit` beside it."""
    workspace = Workspace(tmp_path_factory.mktemp("on-spark"))
    shutil.copytree(demo.prepared.root, workspace.prepared.root)
    result = train(workspace, spark=spark, chooser=on_validation)
    assert result.published
    assert list(result.seconds) == ["read", "fit", "movies", "arrange", "item_item", "choose", "fold_in", "save"]
    return workspace, opened(workspace), opened(demo)


def test_the_folder_holds_what_the_other_engine_writes(trained, demo):
    workspace, ours, theirs = trained
    assert names(registry.resolve(workspace).root) == [
        name for name in names(registry.resolve(demo).root) if name != "metrics.json"
    ]
    assert_same_rows(ours, theirs)
    assert np.array_equal(ours.movie_ids, read_movies(workspace).movie_id)
    assert all(np.bincount(ours.origin) > 100), (
        "some are trained, some folded in, and of some only the content is known"
    )
    ours_matrix, theirs_matrix = (sparse.load_npz(registry.resolve(place).train_matrix) for place in (workspace, demo))
    assert (ours_matrix != theirs_matrix).nnz == 0
    assert ours_matrix.has_canonical_format
    assert ours_matrix.dtype == np.float32
    assert ours.movie_factors.dtype == ours.user_vectors.dtype == np.float32
    assert ours.movie_factors.shape == theirs.movie_factors.shape
    assert ours.user_gram is not None
    assert ours.user_gram.shape == (64, 64)
    assert ours.train_settings == theirs.train_settings
    # ALS has found other vectors, so other values may have been chosen for them.
    assert ours.info.choice is not None
    assert theirs.info.choice is not None
    assert ours.info.choice.users == theirs.info.choice.users
    chosen = theirs.info.choice.values
    assert ours.info.settings.with_values(chosen) == theirs.info.settings
    assert ours.info.engine["name"] == "spark"
    assert theirs.info.engine["name"] == "implicit"
    assert ours.info.document.keys() == theirs.info.document.keys()


def test_the_second_opinion_has_the_same_weights(trained):
    """Spark counts the same pairs of likes as the other engine, so the weights are the same to the last bit."""
    _, ours, theirs = trained
    for name in ("indptr", "movie_idx", "weight"):
        assert np.array_equal(getattr(ours.item_item, name), getattr(theirs.item_item, name))
    assert ours.info.item_item is not None
    assert theirs.info.item_item is not None
    assert replace(ours.info.item_item, rule=theirs.info.item_item.rule) == theirs.info.item_item


def test_of_very_many_likes_the_same_ones_count(trained, spark, monkeypatch):
    workspace, _, theirs = trained
    monkeypatch.setattr(item_item, "_MOST_PAIRS", 400_000)
    monkeypatch.setattr(item_item, "_MOST_MOVIES", 700)
    result = train(workspace, spark=spark, publish=False)
    model = opened(workspace, result.model_id)
    history = theirs.history.only(("train",))
    expected, size = item_item.learn_item_item(history, theirs.is_trained, theirs.item_item.rule, 1)
    assert size.movies == 700
    assert size.likes_per_user is not None
    assert model.info.item_item is not None
    assert model.info.item_item == replace(model.info.item_item, **vars(size))
    for name in ("indptr", "movie_idx", "weight"):
        assert np.array_equal(getattr(model.item_item, name), getattr(expected, name))


def test_user_vectors_are_the_exact_solve(trained):
    _, model, theirs = trained
    history = model.history.only(("train",))
    expected = model.solver().user_vectors(
        np.asarray(history.indptr), np.asarray(history.movie_idx), np.asarray(history.preference)
    )
    np.testing.assert_allclose(model.user_vectors, expected, rtol=1e-4, atol=1e-5)
    has_taste = model.user_vectors.any(axis=1)
    assert np.array_equal(has_taste, theirs.user_vectors.any(axis=1))
    assert has_taste.mean() > 0.99


def test_movies_outside_the_core_solve_their_equations(trained):
    _, model, _ = trained
    assert_movies_are_solved(model)


@pytest.mark.parametrize("split", ["val", "test"])
def test_it_is_as_good_as_the_other_engines(trained, demo, split):
    workspace, ours, theirs = trained
    settings = EvaluateSettings(split=split)
    ndcg = evaluate(workspace, settings, model_id=ours.model_id).models["als"]["ndcg@10"]
    reference = evaluate(demo, settings, model_id=theirs.model_id).models["als"]["ndcg@10"]
    assert reference.low is not None
    assert reference.high is not None
    assert reference.low <= ndcg.value <= reference.high


def test_it_serves_learns_and_explains(trained):
    workspace, model, _ = trained
    with Recommender.open(workspace.root, store="memory") as recommender:
        assert recommender.model_id == model.model_id
        before = recommender.get_top_n(42)
        assert len(before) == 10
        recommender.update_user(42, before[0].movie_id, 2)
        after = recommender.get_top_n(42)
        assert before[0].movie_id not in [item.movie_id for item in after]
        assert [item.movie_id for item in after] != [item.movie_id for item in before[1:]]
        assert recommender.similar_movies(before[0].movie_id, 3)
        explanation = recommender.explain(42, after[0].movie_id)
        parts = explanation.popularity + sum(like.value for like in explanation.likes)
        assert math.isclose(parts, explanation.score, rel_tol=1e-5)
        assert math.isclose(explanation.score, after[0].score, rel_tol=1e-5)


def assert_movies_are_solved(model: model_folder.Model) -> None:
    """The vectors of movies outside the core are those that this machine finds for the factors of the core."""
    settings, is_trained = model.info.settings, model.is_trained
    factors = np.where(is_trained[:, None], model.movie_factors, np.float32(0))
    core = Core(factors, is_trained, np.array(model.user_gram))
    content, history = model.catalogue.content, model.history.only(model.info.trained_on)
    expected = vectors_of_movies(core, history, content, settings, 1)
    np.testing.assert_array_equal(model.origin, expected.origin)
    np.testing.assert_allclose(model.movie_factors, expected.vectors, rtol=1e-4, atol=1e-6)

    # The same once more without the solver of movies: A y = b for each movie that was rated, by hand.
    rule = rule_of_training(settings)
    users = FoldIn(factors, rule, is_trained)
    rows = np.repeat(np.arange(len(history.indptr) - 1), np.diff(history.indptr))
    nothing = OpinionsByMovie.of(rows[:0], history.movie_idx[:0], history.preference[:0], len(factors), rule)
    prior = movie_vectors(core, nothing, factors[:0], model.popularity, content, rule).vectors.astype(np.float64)
    base = core.user_gram + rule.regularization * np.eye(factors.shape[1])
    folded_in = np.flatnonzero(model.origin == ORIGINS.index("folded-in"))
    assert len(folded_in)
    for movie in folded_in[:: max(1, len(folded_in) // 20)]:
        events = np.flatnonzero(history.movie_idx == movie)
        r = history.preference[events]
        if rule.dislikes == "ignore":
            events, r = events[r > 0], r[r > 0]
        assert len(events)
        known = history.of_users(rows[events]).on(is_trained)
        X = users.user_vectors(known.indptr, known.movie_idx, known.preference).astype(np.float64)
        c = 1 + rule.alpha * np.abs(r.astype(np.float64))
        p = np.ones(len(r)) if rule.dislikes == "as-likes" else r > 0
        A = base + (X.T * (c - 1)) @ X
        y = np.linalg.solve(A, (c * p) @ X + base @ prior[movie])
        np.testing.assert_allclose(model.movie_factors[movie], y, rtol=1e-3, atol=1e-5)
    only_content = model.origin == ORIGINS.index("content")
    np.testing.assert_allclose(model.movie_factors[only_content], prior[only_content], rtol=1e-4, atol=1e-6)


@pytest.fixture(scope="module")
def tailed(tmp_path_factory) -> Workspace:
    """A crowd with rare movies and rare users, and movies that nobody has rated, prepared."""
    lines = csv_lines(crowd(8, users=60, movies=60, ratings=2000))
    genres = ("Drama", "Comedy", "War|Drama")
    movies = [f"{movie},Movie {movie} ({1950 + movie}),{genres[movie % 3]}" for movie in range(1, 71)]
    workspace = write_raw(tmp_path_factory.mktemp("tailed"), lines, movies)
    prepare(workspace, loose(min_user_ratings=10, min_movie_ratings=20))
    return workspace


@pytest.mark.parametrize("of_spark", [False, True], ids=["prepared here", "prepared on Spark"])
@pytest.mark.parametrize(("dislikes", "on"), [("zero", "all"), ("ignore", "train"), ("as-likes", "train")])
def test_all_movies_of_the_catalogue_as_the_other_engine_has_them(tailed, spark, tmp_path, dislikes, on, of_spark):
    workspace = tailed
    if of_spark:
        workspace = Workspace(tmp_path)
        prepare(workspace, read_manifest(tailed).settings, raw=tailed.raw, spark=spark)
    settings = TrainSettings(factors=4, iterations=2, alpha=3.0, dislikes=dislikes, on=on)
    theirs, ours = (
        opened(workspace, train(workspace, settings, spark=engine, publish=False).model_id) for engine in (None, spark)
    )
    assert_same_rows(ours, theirs)
    assert ours.movie_ids.tolist() == list(range(1, 71))
    assert {ORIGINS[one] for one in ours.origin} == set(ORIGINS)
    assert_movies_are_solved(ours)
    history = ours.history.only(ours.info.trained_on)
    expected = ours.solver().user_vectors(history.indptr, history.movie_idx, history.preference)
    np.testing.assert_allclose(ours.user_vectors, expected, rtol=1e-4, atol=1e-5)


def test_movies_of_the_core_alone(tailed, spark):
    settings = TrainSettings(factors=4, iterations=2, movies="core")
    theirs, ours = (
        opened(tailed, train(tailed, settings, spark=engine, publish=False).model_id) for engine in (None, spark)
    )
    assert_same_rows(ours, theirs)
    assert ours.is_trained.all()
    assert len(ours.movie_ids) < 60


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Workspace:
    """A crowd of a few users, among them one who likes nothing, prepared."""
    chance = random.Random(6)
    ratings = [rating for rating in crowd(3, users=25, movies=20, ratings=500) if rating.user_id != 9]
    ratings += [Rating(9, movie, 1.0, 10**9 + chance.randrange(300)) for movie in range(1, 9)]
    workspace = write_raw(tmp_path_factory.mktemp("small"), csv_lines(ratings), movies=20)
    prepare(workspace, loose())
    return workspace


@pytest.mark.parametrize("dislikes", ["zero", "ignore", "as-likes"])
def test_sparks_als_solves_the_equation_that_we_take_it_to_solve(small, spark, dislikes):
    """The users are the last to be updated, so each is the optimum for the movie factors as they are."""
    settings = TrainSettings.preset(
        "baseline", factors=4, alpha=3.0, regularization=0.7, dislikes=dislikes, iterations=3, on="all"
    )
    model = opened(small, train(small, settings, spark=spark, publish=False).model_id)
    engine = model.info.engine
    history = model.history
    scale = engine["movie_factors_times"]
    Y, X = np.asarray(model.movie_factors, np.float64) / scale, np.asarray(model.user_vectors, np.float64) * scale

    entries_a_user, entries_a_movie = [], np.zeros(len(Y))
    for row in range(len(X)):
        events = history.of(row)
        movies, r = history.movie_idx[events], np.asarray(history.preference[events], np.float64)
        if dislikes == "ignore":
            movies, r = movies[r > 0], r[r > 0]
        if dislikes == "as-likes":
            r = np.abs(r)
        liked = r > 0
        np.add.at(entries_a_movie, movies[liked], 1)
        entries_a_user.append(liked.sum())
        c = 1 + settings.alpha * np.abs(r)
        A = Y.T @ Y + (Y[movies] * (c - 1)[:, None]).T @ Y[movies] + engine["regParam"] * liked.sum() * np.eye(4)
        np.testing.assert_allclose(A @ X[row], (c * liked) @ Y[movies], rtol=2e-3, atol=2e-5)

    assert model.user_gram is not None
    np.testing.assert_allclose(model.user_gram * scale**2, X.T @ X, rtol=1e-4, atol=1e-6)

    n_users, n_movies = np.array(entries_a_user, np.float64), entries_a_movie
    per_user, per_movie = ((n**2).sum() / n.sum() for n in (n_users, n_movies))
    assert math.isclose(engine["regParam"], 0.7 / math.sqrt(per_user * per_movie), rel_tol=1e-9)
    assert math.isclose(scale, (per_movie / per_user) ** 0.25, rel_tol=1e-6)
    assert model.info.trained_on == ("train", "val", "test")
    assert registry.published_id(small) is None


def test_movies_beyond_what_is_learned_from_only_age_the_others(small, spark):
    """With movies that occur in the held-out parts alone."""
    ours = train(small, TrainSettings(factors=4, iterations=2), spark=spark, publish=False)
    theirs = train(small, TrainSettings(factors=4, iterations=2), publish=False)
    one, other = (opened(small, result.model_id) for result in (ours, theirs))
    assert_same_rows(one, other)
    likes_nothing = one.user_idx(9)
    assert likes_nothing is not None
    assert not one.user_vectors[likes_nothing].any()


def test_nothing_is_learned_from_where_nothing_is_liked(tmp_path, spark):
    workspace = write_raw(tmp_path, [f"{user},{movie},1.0,5" for user in (1, 2) for movie in (1, 2, 3)])
    prepare(workspace, loose())
    with pytest.raises(EmptyResultError, match="no liked movie"):
        train(workspace, spark=spark)
    assert names(workspace.root) == [".lock", "prepared", "raw"]


@pytest.mark.parametrize("engine", ["implicit", "spark"])
def test_nothing_is_learned_from_where_all_events_are_held_out(tmp_path, spark, engine):
    workspace = write_raw(tmp_path, csv_lines(crowd(8)), movies=25)
    prepare(workspace, loose(min_user_ratings=5, min_movie_ratings=5, split_ratio=(1, 10**9, 0)))
    assert read_manifest(workspace).splits["train"] == 0
    with pytest.raises(EmptyResultError, match="no liked movie"):
        train(workspace, spark=spark if engine == "spark" else None)


@pytest.mark.parametrize("name", ["val", "outside"])
def test_a_missing_file_is_told(small, tmp_path, spark, name):
    workspace = Workspace(tmp_path)
    shutil.copytree(small.prepared.root, workspace.prepared.root)
    (workspace.prepared.root / f"{name}.parquet").unlink()
    with pytest.raises(IncompatibleFormatError, match=rf"{name}\.parquet is missing"):
        train(workspace, spark=spark)


@pytest.mark.parametrize("is_trained", [None, np.arange(40) % 3 > 0], ids=["all trained", "some trained"])
def test_the_workers_answer_does_not_depend_on_how_events_are_cut_into_batches(is_trained):
    import pyarrow as pa

    rng = np.random.default_rng(4)
    factors = rng.normal(0, 0.3, (40, 8)).astype(np.float32)
    settings = FoldInSettings(regularization=2.0)
    users = np.sort(rng.integers(0, 30, 600)).astype(np.int32)
    events: dict[str, Any] = {
        "user_idx": users,
        "movie_idx": rng.integers(-1, 40, 600).astype(np.int32),
        "preference": rng.choice([-2, -1, 1, 2], 600).astype(np.int8),
    }
    indptr = np.searchsorted(users, np.arange(31))
    expected = FoldIn(factors, settings, is_trained).user_vectors(indptr, events["movie_idx"], events["preference"])

    class Shipped:
        value = factors

    for size in (1, 7, 64, 600):
        batches = [
            pa.RecordBatch.from_arrays([pa.array(events[name][start : start + size]) for name in EVENTS], names=EVENTS)
            for start in range(0, 600, size)
        ]
        found = {}
        for batch in user_vectors(Shipped(), settings, is_trained)(iter([batches[0].slice(0, 0), *batches])):
            for user, vector in zip(batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True):
                assert user not in found
                found[user] = np.frombuffer(vector, np.float32)
        assert sorted(found) == sorted(set(users.tolist()))
        for user, vector in found.items():
            error, length = np.linalg.norm(vector - expected[user]), np.linalg.norm(expected[user])
            assert error <= 2e-5 * length


def test_the_workers_sum_over_batches_is_that_of_all_factors():
    import pyarrow as pa

    factors = np.random.default_rng(4).normal(0, 0.3, (50, 3)).astype(np.float32)
    batches = [
        pa.RecordBatch.from_arrays([pa.array(factors[start:end].tolist(), pa.list_(pa.float32()))], names=["features"])
        for start, end in ((0, 0), (0, 1), (1, 40), (40, 50))
    ]
    (found,) = gram_matrix(iter(batches))
    gram = np.frombuffer(found["gram"][0].as_py(), "<f8").reshape(3, 3)
    np.testing.assert_allclose(gram, factors.astype(np.float64).T @ factors)
    assert list(gram_matrix(iter(batches[:1]))) == []


def test_the_package_that_is_shipped_has_what_the_worker_needs(tmp_path):
    package = write_package(tmp_path / "mlrec.zip")
    code = (
        f"import sys; sys.path.insert(0, {str(package)!r})\n"
        "import mlrec.spark.worker as worker\n"
        "heavy = {'duckdb', 'scipy', 'implicit', 'typer', 'rich', 'pyspark'} & {*sys.modules}\n"
        "print(worker.__file__.startswith(sys.path[0]), heavy)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("True set()\n", "")


def test_workers_without_the_python_that_is_asked_for_are_told_before_anything_waits(spark, tmp_path):
    anew = Spark(spark.settings, spark.log)
    anew._session, anew._gateway = spark.session, spark._gateway
    context = spark.session.sparkContext
    right, context.pythonExec = context.pythonExec, "/nowhere/python3"
    try:
        with pytest.raises(SparkFailedError, match="The workers cannot find their Python") as error:
            anew.ready_workers()
    finally:
        context.pythonExec = right
        assert anew._package is not None
        anew._package.cleanup()
    assert "--spark-conf spark.pyspark.python=" in error.value.hint


def test_a_driver_that_dies_is_told_and_the_next_one_works(small, spark):
    """The last test of this folder: it takes the session away."""
    before = registry.list_ids(small)
    assert spark.session is not None  # it has started
    threading.Timer(1.5, spark._gateway.proc.kill).start()
    with pytest.raises(SparkFailedError, match="Spark's driver process on this machine has ended") as error:
        train(small, TrainSettings(iterations=200), spark=spark)
    assert str(spark.log) in error.value.hint
    assert registry.list_ids(small) == before
    assert not small.scratch.exists()

    spark.stop()
    with Spark(spark.settings, spark.log) as again:
        train(small, TrainSettings(iterations=1), spark=again)
    assert len(registry.list_ids(small)) == len(before) + 1
