"""mlrec recommend: for users, visitors and all users, with reasons; as tables, JSON and files."""

from __future__ import annotations

import csv
import json

import pytest

from mlrec import Recommender
from tests.command_line import MLREC
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
