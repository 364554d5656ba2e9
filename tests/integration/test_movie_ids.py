"""Ids of IMDb and TMDB: from links.csv into the model, and out with every movie."""

from __future__ import annotations

import json

import pytest

from mlrec import Recommender
from mlrec.artifacts import registry
from mlrec.dataset.prepare import prepare
from mlrec.errors import IncompatibleFormatError, SettingsError
from mlrec.model.train import train
from mlrec.settings import PrepareSettings, TrainSettings
from mlrec.workspace import Workspace

RATINGS = "userId,movieId,rating,timestamp\n" + "".join(
    f"{user},{movie},{(user + movie) % 5 + 1},{user * 100 + movie}\n" for user in range(1, 9) for movie in range(1, 7)
)
MOVIES = "movieId,title,genres\n" + "".join(f'{movie},"Film {movie}, The (2000)",Drama\n' for movie in range(1, 7))
LINKS = "movieId,imdbId,tmdbId\n1,0114709,862\n2,113497,\n3,,8844\n"


def trained(folder, links: str | None, note: str | None = None) -> Workspace:
    workspace = Workspace(folder / "data")
    workspace.raw.mkdir(parents=True)
    for name, text in {"ratings.csv": RATINGS, "movies.csv": MOVIES, "links.csv": links}.items():
        if text is not None:
            (workspace.raw / name).write_text(text)
    prepare(workspace, PrepareSettings(min_user_ratings=1, min_movie_ratings=1))
    train(workspace, TrainSettings(factors=2, iterations=1, on="all"), note=note)
    return workspace


def test_every_movie_has_the_ids_that_links_tell(tmp_path):
    workspace = trained(tmp_path, LINKS)
    with Recommender.open(workspace.root) as recommender:
        found = {movie.movie_id: (movie.imdb_id, movie.tmdb_id) for movie in recommender.search("film")}
        assert found == {
            1: ("tt0114709", 862), 2: ("tt0113497", None), 3: (None, 8844),
            4: (None, None), 5: (None, None), 6: (None, None),
        }  # fmt: skip
        listed = [*recommender.get_top_n(99), *recommender.similar_movies(5)]
        assert {item.movie_id: (item.imdb_id, item.tmdb_id) for item in listed} == found
        document = recommender.find_movie("1").to_json()
    assert json.loads(json.dumps(document))["imdb_id"] == "tt0114709"
    assert (document["title"], document["raw_title"]) == ("The Film 1", "Film 1, The")


def test_without_links_the_catalogue_is_as_it_was_before_there_were_ids(tmp_path):
    workspace = trained(tmp_path, None)
    catalogue = json.loads(registry.resolve(workspace).catalogue.read_text())
    assert set(catalogue) == {"format_version", "title", "year", "genres"}
    with Recommender.open(workspace.root) as recommender:
        assert {(movie.imdb_id, movie.tmdb_id) for movie in recommender.search("film")} == {(None, None)}


@pytest.mark.parametrize(
    "damage", [{"imdb_id": [1] * 6}, {"tmdb_id": ["8"] * 6}, {"tmdb_id": [8]}, {"imdb_id": {}}], ids=str
)
def test_ids_that_cannot_be_are_told(tmp_path, damage):
    workspace = trained(tmp_path, LINKS)
    files = registry.resolve(workspace)
    files.catalogue.write_text(json.dumps(json.loads(files.catalogue.read_text()) | damage))
    info = json.loads(files.info.read_text())
    info.pop("files")  # as in models of before there were checksums
    files.info.write_text(json.dumps(info))
    with pytest.raises(IncompatibleFormatError, match="damaged"):
        Recommender.open(workspace.root)


def test_a_note_stays_with_its_model(tmp_path):
    workspace = trained(tmp_path, None, note="with half the factors")
    published = registry.published_id(workspace)
    assert published is not None
    assert registry.summary(workspace, published).to_json()["note"] == "with half the factors"
    with pytest.raises(SettingsError, match="501 characters"):
        train(workspace, note="x" * 501)
