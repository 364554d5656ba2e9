"""mlrec users import --user and mlrec users replay, as a person runs them."""

from __future__ import annotations

import csv
import json
import shutil

import pytest

from mlrec import Recommender
from mlrec.workspace import Workspace
from tests.command_line import in_this_process
from tests.exports import LETTERBOXD, Known, address, csv_text, films_of, letterboxd

ME = "900001"


def run(workspace, *words, typed=b""):
    return in_this_process([*words, "--data-dir", str(workspace.root)], typed=typed)


@pytest.fixture(scope="module")
def with_ids(few_raw, tmp_path_factory) -> Workspace:
    """A fifth of the demo data with the ids of IMDb and TMDB, which are made up here."""
    from mlrec.dataset.prepare import prepare
    from mlrec.model.train import train

    raw = tmp_path_factory.mktemp("ids") / "raw"
    shutil.copytree(few_raw, raw)
    with (raw / "movies.csv").open(newline="", encoding="utf-8") as file:
        movies = [row["movieId"] for row in csv.DictReader(file)]
    links = csv_text(["movieId", "imdbId", "tmdbId"], [(one, f"{int(one) + 7:07d}", int(one) + 9) for one in movies])
    (raw / "links.csv").write_text(links)
    workspace = Workspace(raw.parent / "data")
    prepare(workspace, raw=raw)
    train(workspace)
    return workspace


def test_every_film_is_found_by_its_id(with_ids, tmp_path):
    films = films_of(with_ids, 10_000)
    header = ["Const", "Your Rating", "Date Rated", "Title", "Original Title", "Title Type", "Year"]
    rows = [
        [f"tt{one.movie_id + 7:07d}", 1 + n % 10, "2021-03-04", f"Other title {n}", "", "Movie", 1900]
        for n, one in enumerate(films)
    ]
    path = tmp_path / "ratings.csv"
    path.write_text(csv_text(header, rows))
    outcome = json.loads(run(with_ids, "users", "import", str(path), "--user", ME, "--dry-run", "--json").stdout)
    assert outcome["found_by"] == {"id": len(films)}
    assert outcome["not_imported"] == []
    trakt = [
        {
            "rated_at": "2021-03-04T00:00:00Z",
            "rating": 9,
            "movie": {"title": "X", "year": 1900, "ids": {"tmdb": one.movie_id + 9}},
        }
        for one in films
    ]
    path = tmp_path / "ratings-movies.json"
    path.write_text(json.dumps(trakt))
    outcome = json.loads(run(with_ids, "users", "import", str(path), "--user", ME, "--dry-run", "--json").stdout)
    assert outcome["found_by"] == {"id": len(films)}


def test_from_the_zip_to_a_list_that_knows_the_person(few_copy, tmp_path):
    films = films_of(few_copy, 1000)
    action = [film for film in films[:200] if film.movie_id % 2]
    export = letterboxd(
        tmp_path / "letterboxd-me.zip",
        rated=[(film, 5 if film in action else 1.5, f"2021-03-{1 + n % 28:02d}") for n, film in enumerate(films[:200])],
        watched=[(film, "2021-04-01") for film in films[:250]] + [(Known(9, "A Film of Tomorrow", 2031), "2021-04-01")],
    )
    dry = run(few_copy, "users", "import", str(export), "--user", ME, "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert "Nothing was stored. To import, leave out --dry-run." in dry.stdout
    assert "found" in dry.stdout
    assert "250 (99.6%)" in dry.stdout
    wet = run(few_copy, "users", "import", str(export), "--user", ME)
    assert wet.returncode == 0, wet.stderr
    assert "1 row not imported (1 newer than all movies of the model" in wet.stderr
    assert f"mlrec users replay {ME}" in wet.stdout
    again = run(few_copy, "users", "import", str(export), "--user", ME)
    assert "Stored: nothing new. Already stored: 250." in again.stdout
    listed = json.loads(run(few_copy, "recommend", "--user", ME, "-n", "20", "--json").stdout)["items"]
    seen = {film.movie_id for film in films[:250]}
    assert not seen & {pick["movie_id"] for pick in listed}
    assert {pick["source"] for pick in listed} == {"personal"}
    replay = run(few_copy, "users", "replay", ME)
    assert replay.returncode == 0, replay.stderr
    assert (
        replay.stdout.rstrip()
        .splitlines()[-1]
        .startswith(("mlrec predicts", "Popularity predicts", "It is not certain"))
    )


def test_stdin_and_a_folder(few_copy, tmp_path):
    film = films_of(few_copy, 1)[0]
    content = csv_text([*LETTERBOXD, "Rating"], [["2021-03-04", film.title, film.year, address(film), 5]])
    piped = run(few_copy, "users", "import", "-", "--user", ME, "--json", typed=content)
    assert json.loads(piped.stdout)["imported"] == 1
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / "ratings.csv").write_text(content)
    again = run(few_copy, "users", "import", str(folder), "--user", ME, "--json")
    assert json.loads(again.stdout)["already_there"] == 1, "the name of the file is no part of a row"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["EXPORT"], "is an export of one person's films."),
        (["EXPORT", "--dry-run"], "--scale-to-me, --match and --dry-run require --user"),
        (["EXPORT", "--user", "me"], "'me' is not a valid id"),
        (["EXPORT", "--user", ME, "--any-movie"], "--any-movie and --max-reject-share are for files of swipes"),
        (["missing.zip", "--user", ME], "missing.zip cannot be read: No such file or directory"),
        (["SWIPES", "--user", ME], "swipes.csv is not an export of films that mlrec knows"),
    ],
)
def test_what_does_not_go_together(words, message, few_copy, tmp_path):
    letterboxd(tmp_path / "export.zip", [(films_of(few_copy, 1)[0], 4, "2021-03-04")])
    (tmp_path / "swipes.csv").write_text("user_id,movie_id,preference,at\n1,2,1,1600000000\n")
    places = {"EXPORT": str(tmp_path / "export.zip"), "SWIPES": str(tmp_path / "swipes.csv")}
    found = run(few_copy, "users", "import", *(places.get(word, word) for word in words))
    assert found.returncode != 0
    assert message in " ".join(found.stderr.split())
    assert found.stdout == ""


def test_a_file_of_swipes_is_imported_as_before(few_copy, tmp_path):
    film = films_of(few_copy, 1)[0]
    (tmp_path / "swipes.csv").write_text(f"user_id,movie_id,preference,at\n{ME},{film.movie_id},1,1600000000\n")
    found = run(few_copy, "users", "import", str(tmp_path / "swipes.csv"))
    assert found.returncode == 0
    assert "Swipes imported: 1." in found.stdout
    with Recommender.open(few_copy.root) as rec:
        assert len(rec.history(int(ME))) == 1
