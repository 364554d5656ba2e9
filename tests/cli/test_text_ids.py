"""Ids on the command line: numbers where the data has numbers, and texts, exactly as they are, where it has texts."""

from __future__ import annotations

import csv
import io
import json
import shlex
import shutil
from contextlib import closing
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from mlrec import Recommender
from mlrec.artifacts.prepared import IdKinds
from mlrec.cli import cards, public_ids
from mlrec.cli.app import app
from mlrec.serving.stores import open_store
from mlrec.serving.stores.interface import Draft
from mlrec.serving.swipe import SwipeSession
from mlrec.workspace import Workspace
from tests.text_ids import in_numbers, movie_text, user_text

AT = 1_700_000_000
ANN, BOB = "u/ann 'ü\",", "-42"


class Result:
    def __init__(self, code: int, stdout: str, stderr: str) -> None:
        self.code, self.stdout, self.stderr = code, stdout, stderr

    @property
    def document(self) -> dict[str, Any]:
        found = json.loads(self.stdout)
        assert isinstance(found, dict)
        return found


def mlrec(workspace: Workspace, *words: object, expect: int = 0) -> Result:
    done = CliRunner().invoke(app, ["--data-dir", str(workspace.root), *map(str, words)], prog_name="mlrec")
    assert done.exit_code == expect, done.output
    return Result(done.exit_code, done.stdout, done.stderr)


def events(workspace: Workspace, user_id: int | str) -> list[tuple[Any, int]]:
    with closing(open_store(None, workspace)) as store:
        return [(event.movie_id, event.preference) for event in store.events(user_id)]


@pytest.mark.parametrize("text", [" 7", "7 ", "1_23", "0x1F", "1e3", "٤٢", "007", "+7", "7.0", "", "bob", str(2**63)])
def test_what_is_no_whole_number_is_refused_where_ids_are_numbers(demo_copy, text):
    for words in (
        ["recommend", "--user", text],
        ["recommend", "--user", 1, "--exclude", text],
        ["swipe", "--user", text, "--undo"],
        ["history", "--user", text],
        ["history", "--user", text, "--ratings"],
        ["users", "show", "--", text],
        ["users", "list", "--after", text],
        ["users", "forget", "--yes", "--", text],
        ["users", "allow", "--", text],
    ):
        done = mlrec(demo_copy, *words, expect=2)
        whose = "movie" if "--exclude" in words else "user"
        told = " ".join(done.stderr.replace("│", " ").split())
        assert f"The {whose} ids of this data are whole numbers" in told
    assert mlrec(demo_copy, "users", "--json").document["forgotten_user_ids"] == []


@pytest.mark.parametrize("text", ["", "x" * 201, "\udcff"])
def test_what_cannot_be_an_id_is_refused_where_ids_are_texts(text_copy, text):
    for words in (["recommend", "--user", text], ["users", "forget", "--yes", "--", text]):
        done = mlrec(text_copy, *words, expect=2)
        assert "The user ids of this data are texts of 1 to 200 bytes" in " ".join(
            done.stderr.replace("│", " ").split()
        )


def test_lists_are_those_of_the_same_model_with_numbers(demo_copy, text_copy):
    for words in (["-n", 20], ["--explain"], ["--exclude", "MOVIE"], ["--genre", "Drama", "--diversity", 0.5]):
        found = []
        for workspace, user, movie in ((demo_copy, 42, 296), (text_copy, user_text(42), movie_text(296))):
            options = [movie if word == "MOVIE" else word for word in words]
            found.append(mlrec(workspace, "recommend", "--user", user, *options, "--json"))
        assert found[1].document["user_id"] == user_text(42)
        assert in_numbers(found[1].document) == found[0].document
    similar = [mlrec(demo_copy, "similar", 1, "--json"), mlrec(text_copy, "similar", movie_text(1), "--json")]
    assert similar[1].document["movie_id"] == movie_text(1)
    assert in_numbers(similar[1].document) == similar[0].document
    visitor = [
        mlrec(demo_copy, "recommend", "--like", "Toy Story", "--json"),
        mlrec(text_copy, "recommend", "--like", "Toy Story", "--json"),
    ]
    assert visitor[1].document["likes"] == [movie_text(1)]
    assert [in_numbers(one) for one in visitor[1].document["items"]] == visitor[0].document["items"]


@pytest.mark.parametrize("user", ["42", " 7", "1_23", "0x1F", "1e3", "٤٢", "007", ANN, BOB, "=1", "x" * 200, "a\nb"])
def test_the_way_of_a_text(text_copy, user):
    key = ["--idempotency-key", "k"]
    first = mlrec(
        text_copy, "swipe", "--user", user, "--movie", movie_text(318), "--preference", "like", *key, "--json"
    )
    assert (first.document["user_id"], first.document["movie_id"]) == (user, movie_text(318))
    mlrec(text_copy, "swipe", "--user", user, "--movie", "toy story", "--preference", "dislike")
    assert events(text_copy, user) == [(movie_text(318), 1), (movie_text(1), -1)]
    assert mlrec(text_copy, "history", "--user", user, "--json").document["user_id"] == user
    assert mlrec(text_copy, "users", "show", "--json", "--", user).document["user_id"] == user
    listed = mlrec(text_copy, "users", "list", "-n", 1000, "--json").document["users"]
    assert user in [one["user_id"] for one in listed]
    assert [one["user_id"] for one in listed] == sorted(one["user_id"] for one in listed)
    for words in (
        ["recommend", "--user", user],
        ["history", "--user", user],
        ["users", "show", "--", user],
        ["users", "list"],
    ):
        assert all(line.isprintable() for line in mlrec(text_copy, *words).stdout.splitlines())
    assert mlrec(text_copy, "users", "forget", "--json", "--", user).document["user_id"] == user
    refused = mlrec(text_copy, "swipe", "--user", user, "--movie", movie_text(1), "--preference", 1, expect=4)
    hint = refused.stderr.splitlines()[1].removeprefix("To allow storing again: mlrec ")
    if user.isprintable():
        assert mlrec(text_copy, *shlex.split(hint)).code == 0
        mlrec(text_copy, "swipe", "--user", user, "--movie", movie_text(1), "--preference", 1)


def test_an_id_wins_over_a_title_and_is_shown_whole(text_copy):
    assert "The Shawshank Redemption" in mlrec(text_copy, "similar", "0000318").stdout
    assert "0000318" in mlrec(text_copy, "search", "shawshank").stdout
    told = mlrec(text_copy, "similar", "star wars", expect=3).stderr
    assert "'0000260' Star Wars" in told


def test_pages_go_on_from_the_hint(text_copy):
    first = mlrec(text_copy, "users", "list", "-n", 3)
    after = shlex.split(first.stdout.split("Next: mlrec ")[1].strip())
    assert after[-1] == user_text(3)
    assert user_text(4) in mlrec(text_copy, *after).stdout


def test_doctor_and_run_name_a_user_that_there_is(text_copy, demo_copy):
    assert public_ids.recommend_example(demo_copy.root) == "mlrec recommend --user 42"
    words = shlex.split(public_ids.recommend_example(text_copy.root))
    assert words == ["mlrec", "recommend", "--user", user_text(1)]


def test_doctor_names_a_user_that_there_is(text_copy, demo):
    shutil.copytree(demo.prepared.root, text_copy.prepared.root)
    told = " ".join(mlrec(text_copy, "doctor").stdout.split())
    assert f"mlrec recommend --user {shlex.quote(user_text(1))}" in told


@pytest.mark.parametrize("user", ["x" * 200, "a\nb\x1b[2J", "🎬" * 50])
def test_a_long_or_hostile_id_does_not_break_the_screen(text_copy, user):
    with Recommender.open(text_copy.root, store="memory") as recommender:
        session = SwipeSession(recommender, user)
        written = io.StringIO()
        console = Console(width=80, file=written)
        console.print(cards.screen(session, session.card, "", 80, 24))
    first = written.getvalue().splitlines()[0]
    assert first.rstrip().endswith("0 swipes in this session")
    assert first.isprintable()


def test_a_batch(text_copy, tmp_path):
    mlrec(text_copy, "recommend", "--all-users", "--out", tmp_path / "out.csv", "-n", 2)
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["user_id"] == user_text(1)
    assert len(rows[0]["movie_id"]) == 7


# -- without a model ---------------------------------------------------------------------------------------------------


def test_without_a_model_the_prepared_data_says_what_ids_are(tmp_path, monkeypatch):
    from mlrec.artifacts import prepared

    workspace = Workspace(tmp_path)
    for kinds, found in ((IdKinds("text", "integer"), "42"), (IdKinds("integer", "text"), 42)):
        manifest = type("Manifest", (), {"ids": kinds})
        monkeypatch.setattr(prepared, "read_manifest", lambda _, manifest=manifest: manifest)
        assert mlrec(workspace, "users", "forget", 42, "--json").document["user_id"] == found
    mlrec(workspace, "users", "forget", "bob", expect=2)


def test_without_a_model_and_data_the_swipes_say_it_and_else_the_form(tmp_path):
    workspace = Workspace(tmp_path)
    assert mlrec(workspace, "users", "allow", 42, "--json").document["user_id"] == 42
    assert mlrec(workspace, "users", "allow", "042", "--json").document["user_id"] == "042"
    mlrec(workspace, "users", "allow", 2**63, expect=2)
    with closing(open_store(None, workspace)) as store:
        store.append("ann", Draft("m", 1, AT))
    assert mlrec(workspace, "users", "forget", 42, "--json").document["user_id"] == "42"
    with closing(open_store(None, workspace)) as store:
        store.append(42, Draft("m", 1, AT))
    assert mlrec(workspace, "users", "forget", 42, "--json").document["user_id"] == 42
    assert events(workspace, 42) == []


# -- export and import -------------------------------------------------------------------------------------------------


def test_an_export_comes_back(text_copy, tmp_path):
    users = ["42", " 7", "007", "a,b", 'say "hi"', "🎬", "=1+1", BOB]
    with closing(open_store(None, text_copy)) as store:
        for user in users:
            store.append(user, Draft(movie_text(318), 1, AT))
    mlrec(text_copy, "users", "export", tmp_path / "out.csv")
    other = Workspace(tmp_path / "other")
    mlrec(other, "users", "import", tmp_path / "out.csv")
    with closing(open_store(None, other)) as store:
        assert store.user_ids() == sorted(users)
    assert events(other, " 7") == [(movie_text(318), 1)]
    again = mlrec(text_copy, "users", "import", tmp_path / "out.csv", "--json").document
    assert (again["imported"], again["already_there"]) == (0, len(users))

    (tmp_path / "numbers.csv").write_text(f"user_id,movie_id,preference,at\n7,318,1,{AT}\n7,0000318,1,{AT}\n")
    done = mlrec(text_copy, "users", "import", tmp_path / "numbers.csv", "--max-reject-share", 1)
    assert "unknown movie 1" in done.stderr
    assert events(text_copy, "7") == [(movie_text(318), 1)]


def test_a_user_whose_id_has_a_line_break_is_left_out_of_an_export(text_copy, tmp_path):
    with closing(open_store(None, text_copy)) as store:
        for user in ("a\nb", "plain"):
            store.append(user, Draft(movie_text(318), 1, AT))
    done = mlrec(text_copy, "users", "export", tmp_path / "out.csv", "--json", expect=4)
    assert done.document["unwritable_user_ids"] == ["a\nb"]
    assert (done.document["users"], done.document["damaged_user_ids"]) == (1, [])
    assert "line break" in done.stderr
    assert [line.split(",")[0] for line in (tmp_path / "out.csv").read_text().splitlines()] == ["user_id", "plain"]
    mlrec(text_copy, "history", "--user", "a\nb", "--csv", "-", expect=3)


def test_an_export_leaves_out_ids_that_are_not_like_those_of_the_model(text_copy, tmp_path):
    with closing(open_store(None, text_copy)) as store:
        store.append(42, Draft(318, 1, AT))
        store.append("42", Draft(movie_text(318), 2, AT))
        store.append("42", Draft(318, 1, AT))
    done = mlrec(text_copy, "users", "export", tmp_path / "out.csv")
    assert "Users left out, because their ids are not like those of the model: 1." in done.stderr
    with (tmp_path / "out.csv").open(newline="") as file:
        assert [(row["user_id"], row["movie_id"]) for row in csv.DictReader(file)] == [("42", movie_text(318))]
    everything = ["--store", text_copy.root / "users.db"]
    done = mlrec(Workspace(tmp_path / "none"), "users", "export", tmp_path / "all.csv", *everything)
    assert "left out" not in done.stderr.replace("Titles are left out", "")
    assert len((tmp_path / "all.csv").read_text().splitlines()) == 4
