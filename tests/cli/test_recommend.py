"""mlrec recommend: for users, visitors and all users, with reasons; as tables, JSON and files."""

from __future__ import annotations

import csv
import json
from typing import Any

import pytest

from mlrec import Recommender
from tests.command_line import MLREC
from tests.exports import LETTERBOXD, address, csv_text, films_of
from tests.processes import started, wait_until


@pytest.fixture(autouse=True)
def _demo_model_with_a_store_of_its_own(demo, tmp_path, monkeypatch):
    monkeypatch.setenv("MLREC_DATA_DIR", str(demo.root))
    monkeypatch.setenv("MLREC_STORE", str(tmp_path / "users.db"))


def test_reasons_for_a_user(run):
    done = run("recommend", "--user", 42, "-n", 2, "--explain")
    assert done.stdout.count("because you liked") == 2
    document = json.loads(run("recommend", "--user", 42, "-n", 2, "--explain", "--json").stdout)
    for item in document["items"]:
        parts = item["explanation"]["popularity"] + sum(like["value"] for like in item["explanation"]["likes"])
        assert parts == pytest.approx(item["score"], abs=1e-6)


def test_a_visitor_by_titles_and_ids(run, tmp_path):
    done = run("recommend", "--like", "Toy Story", "--like", 260, "--dislike", 3, "-n", 3)
    assert "likes Toy Story (1995), likes Star Wars: Episode IV - A New Hope (1977), dislikes Grumpier" in done.stdout
    document = json.loads(run("recommend", "--like", "Toy Story", "--dislike", 3, "--explain", "--json").stdout)
    assert document["user_id"] is None
    assert (document["likes"], document["dislikes"]) == ([1], [3])
    assert not {1, 3} & {item["movie_id"] for item in document["items"]}
    assert not (tmp_path / "users.db").exists()


def test_a_new_user_is_told_where_the_list_comes_from(run):
    done = run("recommend", "--user", 123456789, "-n", 3)
    assert done.stdout.count("popular") == 3
    assert "User 123456789 has no likes that the model knows" in done.stderr
    assert run("recommend", "--user", 123456789, "-n", 3, "--genre", "western").stdout.count("genre") >= 3


def test_swipes_change_the_list(run):
    before = json.loads(run("recommend", "--user", 42, "--json").stdout)["items"]
    run("swipe", "--user", 42, "--movie", before[0]["movie_id"], "--preference", 2)
    after = json.loads(run("recommend", "--user", 42, "--json").stdout)["items"]
    assert before[0]["movie_id"] not in {item["movie_id"] for item in after}
    stepped = json.loads(run("recommend", "--user", 42, "--json", "--rule", "gradient").stdout)["items"]
    assert [item["movie_id"] for item in stepped] != [item["movie_id"] for item in after]


def test_diversity(run):
    first, second = (
        json.loads(run("recommend", "--user", 42, "--json", *options).stdout)["items"]
        for options in ((), ("--diversity", 0.6))
    )
    assert first[0] == second[0]
    assert first != second


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_everybodys_lists_in_a_file(run, tmp_path, demo, suffix):
    run("swipe", "--user", 9_000_001, "--movie", 318, "--preference", 1)
    out = tmp_path / f"recs.{suffix}"
    out.write_text("an older file")
    document = json.loads(run("recommend", "--all-users", "--out", out, "-n", 4, "--json").stdout)
    assert (document["users"], document["rows"], document["out"]) == (671, 671 * 4, str(out))
    if suffix == "csv":
        with out.open() as file:
            rows = [(int(r["user_id"]), int(r["rank"]), int(r["movie_id"]), r["source"]) for r in csv.DictReader(file)]
    else:
        import duckdb

        with duckdb.connect() as connection:
            connection.execute("SELECT user_id, rank, movie_id, source FROM read_parquet($1)", [str(out)])
            rows = connection.fetchall()
            types = dict(connection.execute(f"DESCRIBE FROM '{out}'").fetchall()[i][:2] for i in range(5))
        assert types == {
            "user_id": "BIGINT",
            "rank": "INTEGER",
            "movie_id": "BIGINT",
            "score": "FLOAT",
            "source": "VARCHAR",
        }
    with Recommender.open(demo.root, store=tmp_path / "users.db") as rec:
        for user_id in (42, 9_000_001):
            expected = [(user_id, i.rank, i.movie_id, i.source) for i in rec.get_top_n(user_id, 4)]
            assert [row for row in rows if row[0] == user_id] == expected
    assert {entry.name for entry in tmp_path.iterdir()} <= {
        f"recs.{suffix}",
        "users.db",
        "users.db-wal",
        "users.db-shm",
    }


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "--user ID"),
        (["--user", "1", "--like", "1"], 2, "Use one of"),
        (["--all-users"], 2, "--out"),
        (["--user", "1", "--out", "x.csv"], 2, "--all-users"),
        (["--all-users", "--out", "x.json"], 2, ".parquet"),
        (["--all-users", "--out", "x.csv", "--explain"], 2, "--explain"),
        (["--all-users", "--out", "nowhere/x.csv"], 2, "no folder"),
        (["--user", "1", "--diversity", "2"], 2, "--diversity"),
        (["--like", "star wars"], 3, "260 Star Wars: Episode IV"),
        (["--like", "1", "--dislike", "Toy Story"], 2, "both liked and disliked"),
        (["--user", "99999999999999999999"], 2, "64 bits"),
        (["--user", "1_0"], 2, "not a valid id"),
        (["--user", "007"], 2, "not a valid id"),
        (["--user", "1", "--exclude", "1_0"], 2, "not a valid id"),
        (["--user", "1", "--only", "nowhere.txt"], 2, "--only"),
        (["--user", "1", "--include-seen", "--seen-only"], 2, "not both"),
        (["--user", "1", "--max-per-genre", "0"], 2, "--max-per-genre"),
    ],
)
def test_mistakes_are_told(run, arguments, code, words):
    done = run("recommend", *arguments, expect=code)
    assert words in done.stderr
    assert done.stdout == ""


def test_scores_that_have_no_parts_say_so(run):
    run("swipe", "--user", 42, "--movie", 318, "--preference", 2)
    done = run("recommend", "--user", 42, "--explain", "--rule", "gradient", expect=4)
    assert "exact fold-in" in done.stderr


@pytest.mark.parametrize("name", ["recs.parquet", "recs.csv"])
def test_what_a_killed_export_has_left_goes_with_the_next_one(run, demo, tmp_path, name):
    with started([MLREC, "recommend", "--all-users", "--out", name, "-n", "1000"], cwd=tmp_path) as process:

        def writing() -> bool:
            assert process.poll() is None
            return any(tmp_path.glob(f".{name}.*/lists.duckdb"))

        wait_until(writing, pause=0.002)
    assert any(tmp_path.glob(f".{name}.*/lists.duckdb"))
    assert not (tmp_path / name).exists()
    run("recommend", "--all-users", "--out", name, "-n", "2")
    assert not list(tmp_path.glob(f".{name}.*"))
    assert (tmp_path / name).stat().st_size > 1_000


# -- only these, not those ---------------------------------------------------------------------------------------------


def listed(run, *arguments, **options):
    return [item["movie_id"] for item in json.loads(run("recommend", *arguments, "--json", **options).stdout)["items"]]


FORMS = {
    "lines": "2571\n\n318\n  260 \n1\n99999999\n318\n",
    "csv": 'title,movieId,rating\n"Matrix, The",2571,5\nx,318,\nx,260,1\nx,1,2\nx,99999999,\nx,318,1\n',
    "tsv": "\ufeffid\tname\n2571\tx\n318\tx\n260\tx\n1\tx\n99999999\tx\n318\tx\n",
    "links": "imdbId;tmdbId;movie_id\r\n9;8;2571\r\n7;6;318\r\n5;4;260\r\n3;2;1\r\n1;1;99999999\r\n0;0;318\r\n",
}


@pytest.mark.parametrize("form", FORMS)
def test_only_the_movies_in_a_file_the_best_first(run, demo, tmp_path, form):
    file = tmp_path / "my list.csv"
    file.write_text(FORMS[form], encoding="utf-8", newline="")
    done = run("recommend", "--user", 7, "--only", file, "--include-seen", "--json")
    assert "does not know 1 of the 5 movies in" in done.stderr
    with Recommender.open(demo.root, store="memory") as rec:
        expected = [item.movie_id for item in rec.get_top_n(7, 10_000, seen="show")]
    expected = [movie_id for movie_id in expected if movie_id in (1, 260, 318, 2571)]
    assert [item["movie_id"] for item in json.loads(done.stdout)["items"]] == expected
    assert listed(run, "--user", 7, "--only", "-", "--include-seen", text=FORMS[form].lstrip("\ufeff")) == expected


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "has no movie ids"),
        (b"\n\n", "has no movie ids"),
        (b"movie_id\n", "has no movie ids"),
        (b"318\nToy Story\n", "line 2: 'Toy Story' is not a valid id"),
        (b"title,movie_id\nx,318\ny,3x\n", "line 3: '3x' is not a valid id"),
        (b"318\n\xff\n", "is not text in UTF-8"),
    ],
)
def test_a_file_that_is_no_list_of_ids(run, tmp_path, content, words):
    file = tmp_path / "ids.txt"
    file.write_bytes(content)
    done = run("recommend", "--user", 7, "--only", file, expect=3)
    assert words in done.stderr
    assert done.stdout == ""


def test_a_watchlist_of_letterboxd_in_the_order_of_the_person(run, demo, tmp_path):
    films = films_of(demo, 30)
    file = tmp_path / "watchlist.csv"
    rows = [("2021-03-04", film.title, film.year, address(film)) for film in films]
    file.write_text(csv_text(LETTERBOXD, [*rows, ("2021-03-04", "A Film of Tomorrow", 2031, "u")]))
    done = run("recommend", "--user", 7, "--only", file, "--include-seen", "-n", 40, "--json")
    with Recommender.open(demo.root, store="memory") as rec:
        wanted = rec.get_top_n(7, 40, only=[film.movie_id for film in films], seen="show")
    assert [item["movie_id"] for item in json.loads(done.stdout)["items"]] == [item.movie_id for item in wanted]
    assert len(wanted) == 30
    assert "The model does not know 1 of the 31 movies in " in done.stderr


def test_a_file_of_ids_that_never_ends_is_not_read_to_the_end(run, demo, tmp_path, monkeypatch):
    monkeypatch.setattr("mlrec.cli.list_options._MOST_BYTES", 1 << 20)
    file = tmp_path / "ids.txt"
    file.write_text("318\n" * (1 << 19))
    done = run("recommend", "--user", 7, "--only", file, expect=3)
    assert "is over 1 MiB long. Write one movie id per line" in " ".join(done.stderr.split())


def test_filters_for_one_for_groups_and_for_visitors(run, demo, tmp_path):
    file = tmp_path / "shelf.txt"
    file.write_text("\n".join(map(str, range(1, 1_000))))
    words = ("--not-genre", "Drama", "--max-per-genre", 2, "--only", file, "-n", 30)
    wanted: dict[str, Any] = {"not_genres": ["Drama"], "max_per_genre": 2, "only": range(1, 1_000)}
    with Recommender.open(demo.root, store="memory") as rec:
        one = [item.movie_id for item in rec.get_top_n(7, 30, **wanted)]
        two = [pick.movie.movie_id for pick in rec.get_top_n_for([7, 42], 30, **wanted)]
        visitor = [item.movie_id for item in rec.recommend_for([260], [], 30, **wanted)]
        again = [item.movie_id for item in rec.get_top_n(7, 30, seen="only")]
    assert 3 < len(one) < 30
    assert listed(run, "--user", 7, *words) == one
    found = json.loads(run("recommend", "--user", 7, "--user", 42, *words, "--json").stdout)["items"]
    assert [item["movie_id"] for item in found] == two
    assert listed(run, "--like", 260, *words) == visitor
    assert listed(run, "--user", 7, "--seen-only", "-n", 30) == again


def test_filters_for_everybody_and_who_gets_nothing(run, demo, tmp_path):
    file, out = tmp_path / "shelf.txt", tmp_path / "recs.csv"
    file.write_text("318\n296\n")
    document = json.loads(run("recommend", "--all-users", "--out", out, "--only", file, "--json").stdout)
    with out.open() as lines:
        rows = [(int(row["user_id"]), int(row["movie_id"])) for row in csv.DictReader(lines)]
    with Recommender.open(demo.root, store="memory") as rec:
        expected = {
            user.user_id: [item.movie_id for item in rec.get_top_n(user.user_id, only=[318, 296])]
            for user in rec.users(1_000).users
        }
    assert rows == [(user, movie) for user, movies in expected.items() for movie in movies]
    empty = sum(not movies for movies in expected.values())
    assert document["empty_lists"] == empty > 0
    told = run("recommend", "--all-users", "--out", out, "--only", file)
    assert f"The filters leave no movie for {empty} users." in told.stderr


def test_an_empty_list_names_the_option_that_left_nothing(run, tmp_path):
    file = tmp_path / "shelf.txt"
    file.write_text("1\n260\n2571\n")
    arguments = ("recommend", "--user", 9_000_001, "--only", file, "--genre", "Horror")
    words = f"of 9,066 movies, --only {file} leaves 3 and --genre Horror leaves none."
    done = run(*arguments)
    assert done.stdout == f"For user 9000001, no movie is left: {words}\n"
    assert done.stderr == ""
    assert json.loads(run(*arguments, "--json").stdout)["why_empty"] == f"No movie is left: {words}"
    group = run("recommend", "--user", 7, "--user", 42, "--years", "1800-1801")
    assert group.stdout == "For users 7 and 42, no movie is left: --years 1800-1801 leaves none of 9,066 movies.\n"
    visitor = run("recommend", "--like", 260, "--seen-only", "--not-genre", "Sci-Fi")
    assert "--not-genre Sci-Fi leaves" in visitor.stdout
    assert "and --seen-only leaves none." in visitor.stdout
    assert "why_empty" not in json.loads(run("recommend", "--user", 7, "--json").stdout)
