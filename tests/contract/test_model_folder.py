"""The model folder is a contract: other programs read it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import duckdb
import numpy as np
import pytest
from scipy import sparse

import mlrec
from mlrec.artifacts import models
from mlrec.artifacts.prepared import read_manifest
from mlrec.dataset.prepare import prepare
from mlrec.dataset.reading import read_prepared
from mlrec.errors import EmptyResultError, IncompatibleFormatError, ModelMissingError, StateError, TrainingFailedError
from mlrec.model.train import train
from mlrec.ranking.fold_in import FoldIn
from mlrec.settings import SPLITS, PrepareSettings, TrainSettings
from mlrec.workspace import ModelFiles, Workspace


@pytest.fixture
def folder(demo):
    return models.resolve(demo).root


def test_the_files_by_name(demo, folder):
    assert {
        "R_train.npz", "mappings.json", "movie_embeddings.npy", "user_embeddings.npy", "model_info.json",
    } <= {path.name for path in folder.iterdir()}  # fmt: skip
    assert (demo.models / "CURRENT").read_text().strip() == folder.name
    assert {path.name for path in demo.prepared.root.iterdir()} == {
        "train.parquet", "val.parquet", "test.parquet", "movies.parquet", "manifest.json", "rejects.csv",
    }  # fmt: skip


def test_embeddings_and_mappings_fit_each_other(folder):
    mappings = json.loads((folder / "mappings.json").read_text())
    movies, users = np.load(folder / "movie_embeddings.npy"), np.load(folder / "user_embeddings.npy")
    assert movies.dtype == users.dtype == np.float32
    assert (movies.shape, users.shape) == ((1303, 64), (670, 64))
    for name, array in (("movie_id_to_index", movies), ("user_id_to_index", users)):
        assert sorted(mappings[name].values()) == list(range(len(array)))


def test_the_training_matrix_holds_the_train_split(demo, folder):
    matrix = sparse.load_npz(folder / "R_train.npz")
    mappings = json.loads((folder / "mappings.json").read_text())
    events = read_prepared(demo).events
    train_events = events.split == SPLITS.index("train")
    assert matrix.format == "csr"
    assert matrix.dtype == np.float32
    assert matrix.nnz == train_events.sum()
    for position in np.flatnonzero(train_events)[::997]:
        row = mappings["user_id_to_index"][str(events.user_id[position])]
        column = mappings["movie_id_to_index"][str(events.movie_id[position])]
        assert matrix[row, column] == events.preference[position]


def test_saved_user_vectors_are_the_exact_fold_in_of_the_train_history(demo, folder):
    """One definition of a user's vector: what is saved is what serving would compute."""
    model = models.open_model(ModelFiles(folder))
    events = read_prepared(demo).events
    fold_in = FoldIn(model.movie_factors, model.fold_in)
    for user_id in (1, 42, 547, 671):
        mine = (events.user_id == user_id) & (events.split == 0)
        rows = np.array([model.movie_idx(movie) for movie in events.movie_id[mine].tolist()], dtype=np.int32)
        expected = fold_in.user_vector(rows, events.preference[mine])
        np.testing.assert_allclose(model.user_vectors[model.user_idx(user_id)], expected, atol=1e-5)


def test_each_users_history_lies_there_in_time_order_with_its_split(demo, folder):
    model = models.open_model(ModelFiles(folder))
    events = read_prepared(demo).events
    mine = events.user_id == 42
    history = model.history.of(model.user_idx(42))
    assert model.movie_ids[model.history.movie_idx[history]].tolist() == events.movie_id[mine].tolist()
    assert model.history.timestamp[history].tolist() == events.timestamp[mine].tolist()
    assert model.history.split[history].tolist() == events.split[mine].tolist()


def test_part_files_whose_users_are_not_in_order_are_read_as_one(demo, demo_copy):
    """Another engine may write a split as a folder; each user is in order, and in one file."""
    train = demo_copy.prepared.split("train")
    content = train.with_name("all.parquet")
    train.rename(content)
    train.mkdir()
    with duckdb.connect() as connection:
        for number, which in enumerate(("user_id % 2 = 0", "user_id % 2 = 1")):
            query = f"SELECT * FROM read_parquet('{content}') WHERE {which} ORDER BY user_id DESC, timestamp, movie_id"
            connection.execute(f"COPY ({query}) TO '{train}/part-{number}.parquet' (FORMAT parquet)")
    content.unlink()
    for name, column in vars(read_prepared(demo).events).items():
        np.testing.assert_array_equal(getattr(read_prepared(demo_copy).events, name), column)


def test_model_info_says_where_the_model_comes_from(demo, folder):
    info = json.loads((folder / "model_info.json").read_text())
    manifest = read_manifest(demo)
    assert info["format_version"] == 1
    assert info["prepared_fingerprint"] == manifest["fingerprint"]
    assert info["dimensions"] == {
        "users": 670,
        "movies": 1303,
        "factors": 64,
        "interactions": manifest["splits"]["train"],
    }
    assert info["random_seed"] == 42
    assert info["trained_on"] == ["train"]
    assert info["versions"]["mlrec"] == mlrec.__version__


def test_a_copied_folder_serves_by_itself(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "elsewhere")
    with mlrec.Recommender.open(model=tmp_path / "elsewhere") as copy:
        assert len(copy.get_top_n(42)) == 10


def test_the_same_seed_gives_the_same_bits(demo_copy):
    folders = [train(demo_copy, TrainSettings(random_seed=7, threads=threads)).folder for threads in (1, 2, 2)]
    for name in ("movie_embeddings.npy", "user_embeddings.npy"):
        assert len({(folder / name).read_bytes() for folder in folders}) == 1
    other = train(demo_copy, TrainSettings(random_seed=8)).folder
    assert (other / "movie_embeddings.npy").read_bytes() != (folders[0] / "movie_embeddings.npy").read_bytes()


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning", "ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize(
    "settings",
    [
        TrainSettings(alpha=1e30, dislikes="as-likes"),
        TrainSettings(alpha=1e300),
        TrainSettings(regularization=1e300),
        TrainSettings(feedback_weight=1e300, iterations=1),
        TrainSettings(feedback_weight=1e300, alpha=1e300, iterations=1),
    ],
    ids=["alpha 1e30", "alpha 1e300", "regularization 1e300", "feedback_weight 1e300", "both"],
)
def test_factors_that_are_not_finite_are_refused_and_nothing_is_saved(demo_copy, settings):
    before = models.list_ids(demo_copy), models.published_id(demo_copy)
    with pytest.raises(TrainingFailedError, match="not finite|no solution"):
        train(demo_copy, settings)
    assert (models.list_ids(demo_copy), models.published_id(demo_copy)) == before


def test_publishing_rolling_back_removing(demo_copy):
    first = models.published_id(demo_copy)
    second = train(demo_copy, TrainSettings(iterations=1)).model_id
    third = train(demo_copy, TrainSettings(iterations=1), publish=False).model_id
    assert models.published_id(demo_copy) == second
    models.publish(demo_copy, first)
    assert models.published_id(demo_copy) == first
    with pytest.raises(StateError, match="is published"):
        models.remove(demo_copy, first)
    models.remove(demo_copy, third)
    assert models.list_ids(demo_copy) == [first, second]
    with pytest.raises(ModelMissingError, match=third):
        models.publish(demo_copy, third)
    assert models.published_id(demo_copy) == first


def test_prune_keeps_the_newest_and_the_published(demo_copy):
    published = models.published_id(demo_copy)
    ids = [train(demo_copy, TrainSettings(iterations=1), publish=False).model_id for _ in range(3)]
    (demo_copy.models / ".20200101T000000-als-dead.new").mkdir()
    assert sorted(models.prune(demo_copy, keep=1)) == sorted(models_before_newest(ids))
    assert models.list_ids(demo_copy) == sorted([published, max(ids)])
    assert not list(demo_copy.models.glob(".*.new"))


def models_before_newest(ids):
    return sorted(ids)[:-1]


@pytest.mark.parametrize("name", ["movie_embeddings.npy", "history_movie_idx.npy", "catalogue.json", "model_info.json"])
@pytest.mark.parametrize("damage", ["truncated", "empty", "missing"])
def test_a_damaged_file_is_an_error_that_names_the_model(demo_copy, name, damage):
    path = models.resolve(demo_copy).root / name
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(content[: len(content) // 2] if damage == "truncated" else b"")
    with pytest.raises((IncompatibleFormatError, ModelMissingError)) as error:
        mlrec.Recommender.open(demo_copy.root)
    assert str(demo_copy.models) in error.value.message
    assert error.value.hint


def test_a_model_of_a_later_format_says_what_to_upgrade(demo_copy):
    files = models.resolve(demo_copy)
    files.info.write_text(files.info.read_text().replace('"format_version": 1', '"format_version": 2'))
    with pytest.raises(IncompatibleFormatError) as error:
        mlrec.Recommender.open(demo_copy.root)
    assert error.value.hint == "Upgrade mlrec."


def test_pickles_are_not_read(demo_copy):
    path = models.resolve(demo_copy).root / "user_ids.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(IncompatibleFormatError):
        mlrec.Recommender.open(demo_copy.root)


@pytest.mark.parametrize("model_id", ["", "../..", ".", "20200101T000000-als-0000"])
def test_an_id_that_is_none_is_refused_everywhere(demo_copy, model_id):
    before = models.list_ids(demo_copy), models.published_id(demo_copy)
    for call in (models.publish, models.remove):
        with pytest.raises(ModelMissingError):
            call(demo_copy, model_id)
    assert (models.list_ids(demo_copy), models.published_id(demo_copy)) == before


def test_a_damaged_model_does_not_hide_the_others(demo_copy):
    good = models.published_id(demo_copy)
    bad = train(demo_copy, TrainSettings(iterations=1)).model_id
    demo_copy.model(bad).info.write_text("{")
    kinds = {model_id: models.summary(demo_copy, model_id)["kind"] for model_id in models.list_ids(demo_copy)}
    assert kinds == {good: "als", bad: "damaged"}


def test_a_failed_write_leaves_no_half_model(demo_copy):
    model = models.open_model(models.resolve(demo_copy))

    def fail(file):
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        models.write_model(demo_copy, replace(model, model_id="20990101T000000-als-0000"), fail)
    assert not demo_copy.unfinished_models()
    assert models.list_ids(demo_copy) == [model.model_id]


@pytest.mark.parametrize("dislikes", ["zero", "ignore"])
def test_nothing_but_dislikes_is_nothing_to_learn_from(tmp_path, dislikes):
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "movies.csv").write_text("movieId,title,genres\n1,A (1990),Drama\n2,B (1991),Drama\n")
    (raw / "ratings.csv").write_text(
        "userId,movieId,rating,timestamp\n" + "".join(f"{u},{m},1,{u}\n" for u in range(1, 9) for m in (1, 2))
    )
    workspace = Workspace(tmp_path)
    prepare(workspace, PrepareSettings(min_user_ratings=1, min_movie_ratings=1))
    with pytest.raises(EmptyResultError, match="no liked movie"):
        train(workspace, TrainSettings(dislikes=dislikes))
    assert models.list_ids(workspace) == []
