"""Further columns of the movies file: into the model, and out with every movie."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlrec import Movie, Recommendation, Recommender
from mlrec.artifacts import registry
from mlrec.dataset.prepare import prepare
from mlrec.errors import IncompatibleFormatError
from mlrec.model.train import train
from mlrec.settings import PrepareSettings, TrainSettings
from mlrec.workspace import Workspace

RATINGS = "userId,movieId,rating,timestamp\n" + "".join(
    f"{user},{movie},{(user + movie) % 5 + 1},{user * 100 + movie}\n" for user in range(1, 9) for movie in range(1, 7)
)


def trained(folder: Path, header: str, more: str) -> Workspace:
    """A model of movies whose even ones have further fields."""
    workspace = Workspace(folder / "data")
    workspace.raw.mkdir(parents=True)
    (workspace.raw / "ratings.csv").write_text(RATINGS)
    movies = [f"{movie},Film {movie},Drama{more if movie % 2 == 0 else ',' * more.count(',')}" for movie in range(1, 7)]
    (workspace.raw / "movies.csv").write_text("\n".join([f"movieId,title,genres{header}", *movies]))
    prepare(workspace, PrepareSettings(min_user_ratings=1, min_movie_ratings=1))
    train(workspace, TrainSettings(factors=2, iterations=1, on="all"))
    return workspace


def test_every_movie_has_what_the_file_says(tmp_path):
    workspace = trained(tmp_path, ",Studio,n", ',"Ghibli, ""x""",7')
    details = {"Studio": 'Ghibli, "x"', "n": "7"}
    with Recommender.open(workspace.root) as recommender:
        listed: list[Movie | Recommendation] = [*recommender.get_top_n(99), *recommender.similar_movies(5)]
        listed += recommender.search("film")
        assert {item.movie_id: item.details for item in listed} == {
            movie: details if movie % 2 == 0 else {} for movie in range(1, 7)
        }
        assert {hash(item) for item in listed}
        assert json.loads(json.dumps(recommender.find_movie("2").to_json()))["details"] == details
        assert recommender.find_movie("1").to_json()["details"] == {}


@pytest.mark.parametrize(("header", "more"), [("", ""), (",Studio", ",")])
def test_without_further_columns_nothing_is_written(tmp_path, header, more):
    workspace = trained(tmp_path, header, more)
    catalogue = json.loads(registry.resolve(workspace).catalogue.read_text())
    assert set(catalogue) == {"format_version", "title", "year", "genres"}
    with Recommender.open(workspace.root) as recommender:
        movie = recommender.find_movie("1")
        assert movie.details is None
        assert "details" not in movie.to_json()
        assert "details" not in recommender.get_top_n(99)[0].to_json()


@pytest.mark.parametrize("damage", [[{"a": 1}] * 6, [["a"]] * 6, [{"a": "b"}], {}, ["x"] * 6], ids=str)
def test_details_that_cannot_be_are_told(tmp_path, damage):
    workspace = trained(tmp_path, ",Studio", ",Ghibli")
    files = registry.resolve(workspace)
    files.catalogue.write_text(json.dumps(json.loads(files.catalogue.read_text()) | {"details": damage}))
    info = json.loads(files.info.read_text())
    info.pop("files")  # as in models of before there were checksums
    files.info.write_text(json.dumps(info))
    with pytest.raises(IncompatibleFormatError, match="damaged"):
        Recommender.open(workspace.root)
