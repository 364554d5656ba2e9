"""The model folder is a contract: other programs read it."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import replace

import duckdb
import numpy as np
import pytest
from scipy import sparse

import mlrec
from mlrec.artifacts import model_folder, registry
from mlrec.artifacts.metrics_file import read_metrics
from mlrec.artifacts.model_folder import verify_model
from mlrec.artifacts.prepared import read_manifest
from mlrec.artifacts.settings_file import read_settings
from mlrec.dataset.prepare import prepare
from mlrec.dataset.reading import read_prepared
from mlrec.errors import (
    EmptyResultError,
    IncompatibleFormatError,
    ModelMissingError,
    SettingsError,
    StateError,
    TrainingFailedError,
)
from mlrec.evaluation.protocol import evaluate
from mlrec.locks import exclusive
from mlrec.model.train import train
from mlrec.settings import SPLITS, EvaluateSettings, PrepareSettings, TrainSettings
from mlrec.workspace import ModelFiles, Workspace


@pytest.fixture
def folder(demo):
    return registry.resolve(demo).root


def test_the_files_by_name(demo, folder):
    assert {
        "R_train.npz", "mappings.json", "movie_embeddings.npy", "user_embeddings.npy", "model_info.json",
    } <= {path.name for path in folder.iterdir()}  # fmt: skip
    assert (demo.models / "CURRENT").read_text().strip() == folder.name
    assert {path.name for path in demo.prepared.root.iterdir()} == {
        "train.parquet", "val.parquet", "test.parquet", "outside.parquet", "movies.parquet", "manifest.json",
        "rejects.csv",
    }  # fmt: skip


def test_embeddings_and_mappings_fit_each_other(folder):
    mappings = json.loads((folder / "mappings.json").read_text())
    movies, users = np.load(folder / "movie_embeddings.npy"), np.load(folder / "user_embeddings.npy")
    assert movies.dtype == users.dtype == np.float32
    assert (movies.shape, users.shape) == ((9066, 64), (670, 64))
    origin = np.load(folder / "movie_origin.npy")
    assert np.count_nonzero(origin == 0) == 1303
    for name, array in (("movie_id_to_index", movies), ("user_id_to_index", users)):
        assert sorted(mappings[name].values()) == list(range(len(array)))


def test_the_training_matrix_holds_the_train_split(demo, folder):
    matrix = sparse.load_npz(folder / "R_train.npz")
    mappings = json.loads((folder / "mappings.json").read_text())
    events = read_prepared(demo).events
    train_events = (events.split == SPLITS.index("train")) & events.in_core
    assert matrix.format == "csr"
    assert matrix.dtype == np.float32
    assert matrix.nnz == train_events.sum()
    for position in np.flatnonzero(train_events)[::997]:
        row = mappings["user_id_to_index"][str(events.user_id[position])]
        column = mappings["movie_id_to_index"][str(events.movie_id[position])]
        assert matrix[row, column] == events.preference[position]


def test_saved_user_vectors_are_the_exact_fold_in_of_the_train_history(demo, folder):
    """One definition of a user's vector: what is saved is what serving would compute."""
    model = model_folder.open_model(ModelFiles(folder))
    events = read_prepared(demo).events
    fold_in = model.solver()
    for user_id in (1, 42, 547, 671):
        mine = (events.user_id == user_id) & (events.split == 0)
        rows = np.array([model.movie_idx(movie) for movie in events.movie_id[mine].tolist()], dtype=np.int32)
        expected = fold_in.user_vector(rows, events.preference[mine])
        np.testing.assert_allclose(model.user_vectors[model.user_idx(user_id)], expected, atol=1e-5)


def test_each_users_history_lies_there_in_time_order_with_its_split(demo, folder):
    model = model_folder.open_model(ModelFiles(folder))
    events = read_prepared(demo).events
    mine = events.user_id == 42
    row = model.user_idx(42)
    assert row is not None
    history = model.history.of(row)
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
    manifest = read_manifest(demo).document
    assert info["format_version"] == 1
    assert info["prepared_fingerprint"] == manifest["fingerprint"]
    assert info["dimensions"] == {
        "users": 670,
        "movies": 9066,
        "factors": 64,
        "interactions": manifest["splits"]["train"],
        "trained_movies": 1303,
    }
    assert info["random_seed"] == 42
    assert info["trained_on"] == ["train"]
    assert info["versions"]["mlrec"] == mlrec.__version__


def test_a_models_description_is_a_settings_file(demo):
    files = registry.resolve(demo)
    assert read_settings(files.info) == model_folder.open_model(files).train_settings == TrainSettings()


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
    before = registry.list_ids(demo_copy), registry.published_id(demo_copy)
    with pytest.raises(TrainingFailedError, match=r"not finite|no solution"):
        train(demo_copy, settings)
    assert (registry.list_ids(demo_copy), registry.published_id(demo_copy)) == before


def test_publishing_rolling_back_removing(demo_copy):
    first = registry.published_id(demo_copy)
    second = train(demo_copy, TrainSettings(iterations=1)).model_id
    third = train(demo_copy, TrainSettings(iterations=1), publish=False).model_id
    assert registry.published_id(demo_copy) == second
    assert first is not None
    registry.publish(demo_copy, first)
    assert registry.published_id(demo_copy) == first
    with pytest.raises(StateError, match="is published"):
        registry.remove(demo_copy, first)
    registry.remove(demo_copy, third)
    assert registry.list_ids(demo_copy) == [first, second]
    with pytest.raises(ModelMissingError, match=third):
        registry.publish(demo_copy, third)
    assert registry.published_id(demo_copy) == first


def test_prune_keeps_the_newest_and_the_published(demo_copy):
    published = registry.published_id(demo_copy)
    ids = [train(demo_copy, TrainSettings(iterations=1), publish=False).model_id for _ in range(3)]
    (demo_copy.models / ".20200101T000000-als-dead.new").mkdir()
    assert sorted(registry.prune(demo_copy, keep=1)) == sorted(models_before_newest(ids))
    assert registry.list_ids(demo_copy) == sorted([str(published), max(ids)])
    assert not list(demo_copy.models.glob(".*.new"))


def models_before_newest(ids):
    return sorted(ids)[:-1]


@pytest.mark.parametrize("name", ["movie_embeddings.npy", "history_movie_idx.npy", "catalogue.json", "model_info.json"])
@pytest.mark.parametrize("damage", ["truncated", "empty", "missing"])
def test_a_damaged_file_is_an_error_that_names_the_model(demo_copy, name, damage):
    path = registry.resolve(demo_copy).root / name
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
    files = registry.resolve(demo_copy)
    files.info.write_text(files.info.read_text().replace('"format_version": 1', '"format_version": 2'))
    with pytest.raises(IncompatibleFormatError) as error:
        mlrec.Recommender.open(demo_copy.root)
    assert error.value.hint == "Upgrade mlrec."


def test_pickles_are_not_read(demo_copy):
    path = registry.resolve(demo_copy).root / "user_ids.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(IncompatibleFormatError):
        mlrec.Recommender.open(demo_copy.root)


@pytest.mark.parametrize("model_id", ["", "../..", ".", "20200101T000000-als-0000"])
def test_an_id_that_is_none_is_refused_everywhere(demo_copy, model_id):
    before = registry.list_ids(demo_copy), registry.published_id(demo_copy)
    for call in (registry.publish, registry.remove):
        with pytest.raises(ModelMissingError):
            call(demo_copy, model_id)
    assert (registry.list_ids(demo_copy), registry.published_id(demo_copy)) == before


def test_a_damaged_model_does_not_hide_the_others(demo_copy):
    good = registry.published_id(demo_copy)
    bad = train(demo_copy, TrainSettings(iterations=1)).model_id
    demo_copy.model(bad).info.write_text("{")
    kinds = {model_id: registry.summary(demo_copy, model_id).kind for model_id in registry.list_ids(demo_copy)}
    assert kinds == {good: "als", bad: "damaged"}


def test_a_failed_write_leaves_no_half_model(demo_copy):
    model = model_folder.open_model(registry.resolve(demo_copy))

    def fail(file):
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        registry.write_model(demo_copy, replace(model, model_id="20990101T000000-als-0000"), fail)
    assert not demo_copy.unfinished_models()
    assert registry.list_ids(demo_copy) == [model.model_id]


@pytest.mark.parametrize("dislikes", ["zero", "ignore"])
def test_nothing_but_dislikes_is_nothing_to_learn_from(tmp_path, dislikes):
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "movies.csv").write_text("movieId,title,genres\n1,A (1990),Drama\n2,B (1991),Drama\n")
    (raw / "ratings.csv").write_text(
        "userId,movieId,rating,timestamp\n" + "".join(f"{u},{m},{m},{u}\n" for u in range(1, 9) for m in (1, 2))
    )
    workspace = Workspace(tmp_path)
    prepare(workspace, PrepareSettings(min_user_ratings=1, min_movie_ratings=1))
    with pytest.raises(EmptyResultError, match="no liked movie"):
        train(workspace, TrainSettings(dislikes=dislikes))
    assert registry.list_ids(workspace) == []


# -- what is in the files ----------------------------------------------------------------------------------------------


def test_the_description_has_size_and_checksum_of_every_file(folder):
    info = json.loads((folder / "model_info.json").read_text())
    others = {path.name: path for path in folder.iterdir() if path.name != "metrics.json"}
    assert set(info["files"]) == set(others)
    for name, entry in info["files"].items():
        if name != "model_info.json":
            content = others[name].read_bytes()
            assert entry == {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def test_the_checksum_of_the_description_is_that_of_all_else_in_it(folder):
    info = json.loads((folder / "model_info.json").read_text())
    own = info["files"].pop("model_info.json")
    assert own == {"sha256": hashlib.sha256(json.dumps(info, sort_keys=True).encode()).hexdigest()}


def test_a_model_that_was_copied_under_another_id_has_checksums_of_its_own(demo_copy):
    model = model_folder.open_model(registry.resolve(demo_copy))
    copied = replace(model, model_id="20990101T000000-als-0000")
    files = registry.write_model(demo_copy, copied, lambda file: file.write(b"matrix"))
    assert verify_model(files).model_id == "20990101T000000-als-0000"


@pytest.fixture
def unsealed(demo_copy):
    """A model of an earlier version, whose description has no checksums."""
    files = registry.resolve(demo_copy)
    info = json.loads(files.info.read_text())
    del info["files"]
    files.info.write_text(json.dumps(info))
    return files


def test_a_model_without_checksums_goes_on_working(demo, demo_copy, unsealed):
    with mlrec.Recommender.open(demo.root, store="memory") as now:
        expected = now.get_top_n(42), now.get_top_n(10**12)
    with mlrec.Recommender.open(demo_copy.root, store="memory") as former:
        assert (former.get_top_n(42), former.get_top_n(10**12)) == expected
    verify_model(unsealed)
    registry.publish(demo_copy, unsealed.root.name)


def changed(name, change):
    """Change an array of a model in place."""

    def apply(root):
        array = np.load(root / f"{name}.npy")
        np.save(root / f"{name}.npy", change(array))

    return apply


def put(place, value):
    def change(array):
        array[place] = value
        return array

    return change


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("movie_embeddings", put(7, np.nan), "movie_embeddings.npy has a value that is not finite"),
        ("movie_embeddings", put((7, 3), 1e30), "movie_embeddings.npy has a value that is not finite or is impossibly"),
        ("movie_embeddings", lambda a: a.astype(np.float64), "movie_embeddings.npy holds an array of another type"),
        ("movie_embeddings", np.asfortranarray, "movie_embeddings.npy holds an array of another type"),
        ("movie_embeddings", lambda a: a.astype(">f4"), "movie_embeddings.npy holds an array of another type"),
        ("movie_embeddings", lambda a: a[:, :-1], "do not match each other"),
        ("user_embeddings", lambda a: a[:-1], "do not match each other"),
        ("movie_ids", lambda a: a[::-1], "movie_ids.npy is not in ascending order"),
        ("movie_ids", put(4, 1), "movie_ids.npy is not in ascending order"),
        ("user_ids", put(0, 10**12), "user_ids.npy is not in ascending order"),
        ("popularity", put(3, -1), "popularity.npy"),
        ("popularity", put(3, 671), "popularity.npy"),
        ("popularity", lambda a: a[:0], "do not match each other"),
        ("history_indptr", put(0, 1), "history_indptr.npy"),
        ("history_indptr", put(5, 10**9), "history_indptr.npy"),
        ("history_indptr", put(-1, 0), "history_indptr.npy"),
        ("history_split", lambda a: a[:-1], "do not match each other"),
        ("movie_origin", put(5, 3), "movie_origin.npy has an impossible origin"),
        ("movie_origin", put(5, -1), "movie_origin.npy has an impossible origin"),
        ("movie_origin", lambda a: a[1:], "do not match each other"),
        ("movie_ratings", put(0, 0), "movie_ratings.npy has fewer ratings than likes"),
        ("recent_share", put(9, -0.1), "recent_share.npy has an impossible share"),
        ("recent_share", put(9, np.nan), "recent_share.npy has an impossible share"),
        ("recent_share", put(9, 1.5), "recent_share.npy has an impossible share"),
        ("user_gram", put((0, 1), np.inf), "user_gram.npy has a value that is not finite"),
        ("user_gram", lambda a: a[1:], "do not match each other"),
        ("item_item_weight", put(9, 0.0), "item_item_weight.npy has a value that is not finite"),
        ("item_item_weight", put(9, -0.1), "item_item_weight.npy has a value that is not finite"),
        ("item_item_weight", put(9, np.nan), "item_item_weight.npy has a value that is not finite"),
        ("item_item_weight", lambda a: a[1:], "item-item weights do not match each other"),
        ("item_item_movie_idx", put(9, 9066), "item_item_movie_idx.npy has an impossible movie"),
        ("item_item_movie_idx", put(0, -1), "item_item_movie_idx.npy has an impossible movie"),
        ("item_item_movie_idx", lambda a: a[::-1], "item_item_movie_idx.npy is not in ascending order"),
        ("item_item_indptr", lambda a: a[1:], "item-item weights do not match each other"),
        ("item_item_indptr", put(0, 1), "item_item_indptr.npy does not divide the weights"),
        ("item_item_indptr", put(5, 10**9), "item_item_indptr.npy does not divide the weights"),
    ],
)
def test_what_cannot_be_is_refused_when_a_model_is_opened_also_without_checksums(
    demo_copy, unsealed, name, change, words
):
    changed(name, change)(unsealed.root)
    with pytest.raises(IncompatibleFormatError) as error:
        mlrec.Recommender.open(demo_copy.root)
    assert words in error.value.message
    assert str(unsealed.root) in error.value.message


@pytest.mark.parametrize("name", ["item_item_indptr", "item_item_movie_idx", "item_item_weight"])
def test_a_second_opinion_that_is_missing_is_missed(demo_copy, unsealed, name):
    unsealed.array(name).unlink()
    with pytest.raises(IncompatibleFormatError, match=f"{name}.npy is missing"):
        mlrec.Recommender.open(demo_copy.root)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("history_movie_idx", 9066, "history_movie_idx.npy has a movie that is not in the model"),
        ("history_movie_idx", -2, "history_movie_idx.npy has a movie that is not in the model"),
        ("history_preference", 0, "history_preference.npy"),
        ("history_preference", 3, "history_preference.npy"),
        ("history_split", 3, "history_split.npy"),
        ("history_split", -1, "history_split.npy"),
        ("history_timestamp", -(2**62), "history_timestamp.npy has events that are not in time order"),
        ("user_embeddings", np.nan, "user_embeddings.npy has a value that is not finite"),
    ],
)
def test_what_cannot_be_of_one_user_is_refused_where_it_is_read(demo_copy, unsealed, name, value, words):
    """Nothing wrong is listed, and other users' lists go on."""
    model = model_folder.open_model(unsealed)
    row = model.user_idx(42)
    assert row is not None
    place = row if name == "user_embeddings" else model.history.of(row).stop - 1
    with mlrec.Recommender.open(demo_copy.root, store="memory") as rec:
        expected = rec.get_top_n(41)
    changed(name, put(place, value))(unsealed.root)
    with mlrec.Recommender.open(demo_copy.root, store="memory") as rec:
        assert rec.get_top_n(41) == expected
        reads = [lambda: rec.get_top_n(42), lambda: list(rec.recommend_all(5))]
        if name != "user_embeddings":  # a swipe computes the vector anew, from the history alone
            reads.append(lambda: rec.update_user(42, 1, 2))
        for read in reads:
            with pytest.raises(IncompatibleFormatError) as error:
                read()
            assert words in error.value.message
            assert str(unsealed.root) in error.value.message
    with pytest.raises(IncompatibleFormatError, match="damaged"):
        evaluate(demo_copy, EvaluateSettings(baselines=("popularity",)))
    with pytest.raises(IncompatibleFormatError, match="damaged"):
        registry.publish(demo_copy, unsealed.root.name)


def test_a_swipe_computes_a_vector_that_was_damaged_anew(demo_copy, unsealed):
    """A swipe reads histories, and not the saved vector."""
    row = model_folder.open_model(unsealed).user_idx(42)
    with mlrec.Recommender.open(demo_copy.root, store="memory") as rec:
        rec.update_user(42, 1, 2)
        expected = rec.get_top_n(42)
    changed("user_embeddings", put(row, np.nan))(unsealed.root)
    with mlrec.Recommender.open(demo_copy.root, store="memory") as rec:
        rec.update_user(42, 1, 2)
        assert rec.get_top_n(42) == expected


def test_a_change_that_could_be_is_told_by_the_checksum(demo_copy):
    """One byte of a preference: 1 becomes 2."""
    files = registry.resolve(demo_copy)
    preference = np.load(files.array("history_preference"))
    preference[np.flatnonzero(preference == 1)[0]] = 2
    np.save(files.array("history_preference"), preference)
    for call in (lambda: mlrec.Recommender.open(demo_copy.root), lambda: registry.publish(demo_copy, files.root.name)):
        with pytest.raises(IncompatibleFormatError, match=r"history_preference\.npy has changed since it was written"):
            call()


# -- several at once ---------------------------------------------------------------------------------------------------


@pytest.fixture
def another(demo_copy):
    """A model that is not published, and is the next to be pruned."""
    published = registry.resolve(demo_copy)
    shutil.copytree(published.root, demo_copy.models / "20200101T000000-als-0000")
    return "20200101T000000-als-0000"


def outcomes(*calls):
    """What becomes of calls that are made at the same time: None, or a StateError."""
    found: list[StateError | None] = [None] * len(calls)

    def run(number):
        try:
            calls[number]()
        except StateError as error:
            found[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(calls))]
    for thread in threads:
        thread.start()
    return threads, found


def publish_next(workspace, model_id):
    assert registry.publish_in_place_of(workspace, registry.published_id(workspace), model_id)


@pytest.mark.parametrize("publish", [registry.publish, publish_next])
@pytest.mark.parametrize("delete", [registry.remove, lambda workspace, _: registry.prune(workspace, 1)])
@pytest.mark.parametrize("publisher_first", [True, False])
def test_a_model_is_published_or_deleted_but_never_both(demo_copy, another, publish, delete, publisher_first):
    """Both have looked, and wait for each other, when the lock is let go."""
    calls = [lambda: publish(demo_copy, another), lambda: delete(demo_copy, another)]
    with exclusive(demo_copy.models):
        first, _ = outcomes(calls[0 if publisher_first else 1])
        time.sleep(0.2)
        second, _ = outcomes(calls[1 if publisher_first else 0])
        time.sleep(0.2)
        assert all(thread.is_alive() for thread in (*first, *second))
    for thread in (*first, *second):
        thread.join()
    model_folder.open_model(registry.resolve(demo_copy))  # what is published is there
    is_published = registry.published_id(demo_copy) == another
    assert is_published == (another in registry.list_ids(demo_copy))


def test_publishing_and_deleting_at_once_again_and_again(demo_copy):
    template = registry.resolve(demo_copy)
    for number in range(40):
        model_id = f"20200101T{number:06}-als-0000"
        shutil.copytree(template.root, demo_copy.models / model_id)
        threads, found = outcomes(
            lambda model_id=model_id: registry.publish(demo_copy, model_id),
            lambda model_id=model_id: registry.remove(demo_copy, model_id),
        )
        for thread in threads:
            thread.join()
        assert [error is None for error in found].count(True) == 1, found
        assert registry.resolve(demo_copy).info.exists()
        registry.publish(demo_copy, template.root.name)


def test_what_is_deleted_while_it_is_opened_makes_way_for_what_was_published(demo_copy, another, monkeypatch):
    resolve = registry.resolve

    def and_then_it_is_deleted(workspace, model_id=None):
        found = resolve(workspace, model_id)
        if found.root.name == another:
            monkeypatch.undo()
            assert newest is not None
            registry.publish(workspace, newest)
            registry.remove(workspace, another)
        return found

    newest = registry.published_id(demo_copy)
    registry.publish(demo_copy, another)
    monkeypatch.setattr(registry, "resolve", and_then_it_is_deleted)
    with mlrec.Recommender.open(demo_copy.root) as rec:
        assert rec.model_id == newest


# -- a full disk -------------------------------------------------------------------------------------------------------

WRITES_A_MODEL = """
import resource, signal, sys
from dataclasses import replace
from pathlib import Path
from mlrec.artifacts import model_folder, registry
from mlrec.workspace import Workspace
workspace = Workspace(Path(sys.argv[1]))
model = replace(model_folder.open_model(registry.resolve(workspace)), model_id="20990101T000000-als-0000")
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
try:
    registry.write_model(workspace, model, lambda file: None)
except OSError as error:
    print(error.errno, error.strerror)
"""


@pytest.mark.parametrize("room", [0, 100, 100_000])
def test_a_disk_that_is_full_in_the_middle_of_an_array_says_so(demo_copy, room):
    """As the operating system calls it, by which the command line knows it; nothing half-written stays."""
    before = registry.list_ids(demo_copy)
    done = subprocess.run(
        [sys.executable, "-c", WRITES_A_MODEL, str(demo_copy.root), str(room)],
        stdout=subprocess.PIPE,
        text=True,
        timeout=120,
    )
    assert done.stdout == "27 File too large\n"
    assert registry.list_ids(demo_copy) == before
    assert not demo_copy.unfinished_models()


@pytest.mark.parametrize(
    ("note", "words"),
    [(5, "note must be a string"), ("\ud800", "not valid text"), ("a" * 5000, "characters; at most")],
)
def test_a_note_that_cannot_be_kept_is_refused_before_the_training(demo_copy, note, words):
    before = registry.list_ids(demo_copy)
    with pytest.raises(SettingsError, match=words):
        train(demo_copy, TrainSettings(iterations=1), note=note)
    assert registry.list_ids(demo_copy) == before


def test_a_number_that_is_too_large_for_a_float_is_damage_that_is_named(demo_copy):
    files = registry.resolve(demo_copy)
    evaluate(demo_copy, EvaluateSettings(baselines=("popularity",), resamples=1000))
    text = files.metrics.read_text()
    value = json.loads(text)["val"]["train"]["liked-all"]["models"]["als"]["ndcg@10"]["value"]
    files.metrics.write_text(text.replace(str(value), "1e999"))
    with pytest.raises(IncompatibleFormatError, match=r"metrics.json is damaged: 1e999 is not a finite number"):
        read_metrics(files)
