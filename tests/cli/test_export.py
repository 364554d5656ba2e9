"""mlrec export: vectors that other programs read as they are, and that rank as serving does."""

from __future__ import annotations

import json
import shutil
import stat
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mlrec
from mlrec.artifacts import model_folder
from mlrec.artifacts.model_folder import Model
from mlrec.dataset.vectors_file import write_vectors
from mlrec.errors import InputError, SettingsError
from mlrec.model.train import train
from mlrec.settings import TrainSettings
from mlrec.workspace import Workspace
from tests.independent import rows_of


def read(folder: Path, kind: str) -> tuple[list, np.ndarray, list, np.ndarray]:
    """Ids and vectors of movies and of users, read by pandas or NumPy alone."""
    if kind == "npy":
        arrays = {path.stem: np.load(path, allow_pickle=False) for path in folder.glob("*.npy")}
        assert all(arrays[name].flags.c_contiguous for name in ("movie_vectors", "user_vectors"))
        assert {arrays[name].dtype for name in ("movie_vectors", "user_vectors")} == {np.dtype("<f4")}
        return (
            arrays["movie_ids"].tolist(), arrays["movie_vectors"], arrays["user_ids"].tolist(), arrays["user_vectors"],
        )  # fmt: skip
    movies, users = (
        pd.read_parquet(folder / f"{name}.parquet") if kind == "parquet" else pd.read_csv(folder / f"{name}.csv")
        for name in ("movies", "users")
    )
    if kind == "parquet":
        vectors = [np.stack(table["vector"].to_numpy()) for table in (movies, users)]
    else:
        names = [name for name in users.columns if name.startswith("factor_")]
        vectors = [table[names].to_numpy(np.float32) for table in (movies, users)]
    return movies["movie_id"].tolist(), vectors[0], users["user_id"].tolist(), vectors[1]


@pytest.fixture(scope="module")
def vectors_alone(demo, tmp_path_factory) -> Workspace:
    """A model without a second opinion: its vectors are all that ranks for users with many opinions."""
    workspace = Workspace(tmp_path_factory.mktemp("vectors") / "data")
    shutil.copytree(demo.root, workspace.root)
    train(workspace, TrainSettings(item_item="off"))
    return workspace


@pytest.mark.parametrize("kind", ["parquet", "npy", "csv"])
def test_vectors_are_those_of_the_model_and_rank_as_serving_does(run, vectors_alone, tmp_path, kind):
    folder = tmp_path / "new" / "vectors"
    done = run("export", "--format", kind, "--output", folder, "--json", data=vectors_alone.root)
    said = json.loads(done.stdout)
    assert (said["movies"], said["users"], said["factors"], said["users_left_out"]) == (9066, 670, 64, 0)
    assert sorted(path.name for path in folder.iterdir()) == sorted([*said["files"], "vectors.json"])
    movie_ids, movies, user_ids, users = read(folder, kind)
    model = model_folder.open_model(vectors_alone.model(said["model_id"]))
    assert movie_ids == model.movie_ids.tolist()
    assert user_ids == model.user_ids.tolist()
    np.testing.assert_array_equal(movies, model.movie_factors)
    np.testing.assert_array_equal(users, model.user_vectors)
    with mlrec.Recommender.open(vectors_alone.root, store="memory") as recommender:
        for user in (42, 300, 600):
            served = recommender.get_top_n(user, 20, include_seen=True)
            assert {one.source for one in served} == {"personal"}
            scores = movies @ users[user_ids.index(user)]
            best = np.argsort(-scores, kind="stable")[:20]
            assert [movie_ids[row] for row in best] == [one.movie_id for one in served]
            np.testing.assert_allclose(scores[best], [one.score for one in served], rtol=1e-4)


def test_titles_and_genres(demo, tmp_path):
    mlrec.export_vectors(demo, tmp_path / "p")
    mlrec.export_vectors(demo, tmp_path / "n", file_format="npy")
    parquet, catalogue = pd.read_parquet(tmp_path / "p" / "movies.parquet"), pd.read_csv(tmp_path / "n" / "movies.csv")
    assert parquet.columns.tolist() == ["movie_id", "title", "year", "genres", "origin", "ratings", "vector"]
    assert catalogue.columns.tolist() == ["movie_id", "title", "year", "genres", "origin", "ratings"]
    row = parquet[parquet["movie_id"] == 1].iloc[0]
    assert (row["title"], row["year"], list(row["genres"])[:2]) == ("Toy Story", 1995, ["Adventure", "Animation"])
    assert (row["origin"], row["ratings"]) == (
        "trained",
        sum(r.movie == 1 and r.split == "train" for r in rows_of(demo)),
    )
    assert parquet["origin"].value_counts()["trained"] == 1303
    assert catalogue[["origin", "ratings"]].equals(parquet[["origin", "ratings"]])
    assert catalogue["title"].tolist() == parquet["title"].tolist()
    assert catalogue["genres"].fillna("").tolist() == ["|".join(genres) for genres in parquet["genres"]]


def test_forgotten_users_are_left_out(run, demo_copy, tmp_path):
    with mlrec.Recommender.open(demo_copy.root) as recommender:
        recommender.forget_user(42)
        recommender.forget_user(10**9)  # whom the model does not know
    done = run("export", data=demo_copy.root)
    (folder,) = demo_copy.root.joinpath("vectors").iterdir()
    assert "Forgotten users left out: 1." in done.stdout
    assert str(folder) in done.stdout
    users = pd.read_parquet(folder / "users.parquet")
    assert len(users) == 669
    assert 42 not in users["user_id"].to_numpy()
    assert stat.S_IMODE((folder / "users.parquet").stat().st_mode) == 0o600


def test_nothing_is_overwritten_without_force_and_nothing_else_ever(run, demo, tmp_path):
    folder = tmp_path / "vectors"
    run("export", "--output", folder, "--format", "csv", data=demo.root)
    before = (folder / "movies.csv").read_bytes()
    done = run("export", "--output", folder, data=demo.root, expect=3)
    assert "--force" in done.stderr
    assert (folder / "movies.csv").read_bytes() == before
    run("export", "--output", folder, "--force", data=demo.root)
    assert sorted(path.name for path in folder.iterdir()) == ["movies.parquet", "users.parquet", "vectors.json"]
    other = tmp_path / "thesis"
    other.mkdir()
    (other / "chapter-1.txt").write_text("two years of work")
    for place in (other, other / "chapter-1.txt", tmp_path):
        done = run("export", "--output", place, "--force", data=demo.root, expect=3)
        assert "Choose a folder that does not exist yet." in done.stderr
    assert (other / "chapter-1.txt").read_text() == "two years of work"
    empty = tmp_path / "empty"
    empty.mkdir()
    run("export", "--output", empty, data=demo.root)
    assert (empty / "vectors.json").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_failure_leaves_what_was_there(demo, tmp_path, monkeypatch):
    folder = tmp_path / "vectors"
    mlrec.export_vectors(demo, folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    monkeypatch.setattr("mlrec.dataset.vectors_file.sync_tree", lambda _: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(OSError, match="full"):
        mlrec.export_vectors(demo, folder, file_format="npy", force=True)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["vectors"]


@pytest.mark.parametrize("kind", ["parquet", "npy", "csv"])
def test_text_ids_and_titles_that_look_like_formulas(demo, tmp_path, kind):
    whole = model_folder.open_model(demo.model(next(iter(demo.models.glob("2*"))).name))
    users = np.array([b"007", b"1e3", 'zo\u00eb,"x"'.encode()])
    catalogue = model_folder.Catalogue(["=1+1", "B"], [None, 1999], [[], ["Drama", "Sci-Fi"]])
    model = Model(
        model_id="m", info=whole.info, user_ids=users, movie_ids=np.array([b"a|b", b"tt1"]),
        movie_factors=np.eye(2, dtype=np.float32), user_vectors=np.ones((3, 2), dtype=np.float32),
        popularity=np.zeros(2, dtype=np.int64), origin=np.zeros(2, dtype=np.int8), user_gram=None, n_ratings=None,
        recent_share=np.zeros(2, dtype=np.float32), catalogue=catalogue, history=whole.history,
    )  # fmt: skip
    document = write_vectors(tmp_path / "v", model, kind, without=["1e3", 7])
    assert (document["user_ids"], document["users"]) == ("text", 2)
    if kind == "npy":
        assert np.load(tmp_path / "v" / "user_ids.npy", allow_pickle=False).tolist() == ["007", 'zo\u00eb,"x"']
        movies = pd.read_csv(tmp_path / "v" / "movies.csv")
    elif kind == "csv":
        users = pd.read_csv(tmp_path / "v" / "users.csv", dtype={"user_id": str})
        assert users["user_id"].tolist() == ["007", 'zo\u00eb,"x"']
        movies = pd.read_csv(tmp_path / "v" / "movies.csv")
    else:
        assert pd.read_parquet(tmp_path / "v" / "users.parquet")["user_id"].tolist() == ["007", 'zo\u00eb,"x"']
        movies = pd.read_parquet(tmp_path / "v" / "movies.parquet")
        assert [list(genres) for genres in movies["genres"]] == [[], ["Drama", "Sci-Fi"]]
    assert movies["movie_id"].tolist() == ["a|b", "tt1"]
    assert movies["title"].tolist() == (["=1+1", "B"] if kind == "parquet" else ["'=1+1", "B"])
    assert movies["year"].fillna(0).tolist() == [0, 1999]


def test_mistakes(run, demo, tmp_path):
    assert "There is no model 'x'" in run("export", "--model", "x", data=demo.root, expect=4).stderr
    assert "--format" in run("export", "--format", "pickle", data=demo.root, expect=2).stderr
    assert run("export", data=tmp_path / "nothing", expect=4).stderr
    with pytest.raises(SettingsError, match="file_format must be one of parquet, npy, csv"):
        mlrec.export_vectors(demo, file_format="pickle")  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="folder must be a path"):
        mlrec.export_vectors(demo, 5)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="contains other files"):
        mlrec.export_vectors(demo, demo.root, force=True)
