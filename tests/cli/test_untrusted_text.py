"""Titles, genres, file names and other outside text: the terminal acts on none of it."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse
from typer.testing import CliRunner

from mlrec.artifacts import model_folder, registry
from mlrec.cli.app import app
from mlrec.workspace import Workspace

BIDI = {chr(code) for code in (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))}
CLEAR, TITLE, CLIPBOARD = "\x1b[2J", "\x1b]0;owned\x07", "\x1b]52;c;bWxyZWM=\x07"

PIECES = st.sampled_from(
    [CLEAR, TITLE, CLIPBOARD, "\x9b2J", "\x9d0;owned\x9c", "\u202e", "\u2066", "\u200f", "\u061c", "\u2028", "\u2029",
     "\x85", "\x7f", "\0", "\r", "\n", "\t", "\b", "\x07", "[bold]", ":skull:", "[/]", "é", "七人", "=1+1", "…"]
)  # fmt: skip
HOSTILE = st.lists(PIECES | st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8).map("".join)


def acting(text: str) -> set[str]:
    """The characters of a text that a terminal would act on."""
    return {c for c in text if c != "\n" and (unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") or c in BIDI)}


def renamed(small_model: Workspace, root: Path, title: str, genre: str) -> Workspace:
    """A data directory with the same model, whose movies and genres have other names."""
    model = model_folder.open_model(registry.resolve(small_model))
    catalogue = replace(
        model.catalogue,
        title=[f"{title} movie {number}" for number in range(len(model.movie_ids))],
        genres=[[genre]] * len(model.movie_ids),
    )
    workspace = Workspace(root)
    workspace.models.mkdir(parents=True)
    model = replace(model, catalogue=catalogue)
    registry.write_model(workspace, model, lambda file: sparse.save_npz(file, sparse.csr_matrix((1, 1))))
    registry.publish(workspace, model.model_id)
    return workspace


def run(root: Path, *words: object, text: str = "") -> SimpleNamespace:
    done = CliRunner().invoke(app, ["--data-dir", str(root), *map(str, words)], input=text, prog_name="mlrec")
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exc_info
    return SimpleNamespace(code=done.exit_code, stdout=done.stdout, stderr=done.stderr)


@pytest.fixture
def folders(tmp_path) -> Iterator[Path]:
    def fresh() -> Iterator[Path]:
        for number in range(1_000_000):
            yield tmp_path / str(number)
            shutil.rmtree(tmp_path / str(number), ignore_errors=True)

    return fresh()


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(title=HOSTILE, genre=HOSTILE, word=HOSTILE)
def test_nothing_that_is_printed_acts_on_the_terminal(small_model, folders, title, genre, word):
    workspace = renamed(small_model, next(folders) / "data", title, genre)
    argument = word.replace("\0", "") or "x"
    swipes = workspace.root / "swipes.csv"
    swipes.write_bytes(f"user_id,movie_id,preference,at,{word!r}\n1,1,{word!r},1\n".encode())
    calls: list[tuple[list[object], str]] = [
        (["search", "movie"], ""),
        (["search", argument, "--"], ""),
        (["similar", 1], ""),
        (["similar", "movie"], ""),
        (["similar", argument], ""),
        (["recommend", "--user", 1, "--explain"], ""),
        (["recommend", "--user", 999], ""),
        (["recommend", "--like", 1, "--like", 2, "--dislike", 3, "--explain"], ""),
        (["recommend", "--user", 1, "--genre", argument], ""),
        (["swipe", "--user", 1, "--movie", 2, "--preference", "like"], ""),
        (["swipe", "--user", 1, "--movie", 2, "--preference", argument], ""),
        (["swipe", "--user", 5], "like\nwhy\ndislike\nundo\nhelp\nquit\n"),
        (["swipe", "--user", 5], f"{word}\n"),
        (["history", "--user", 1], ""),
        (["history", "--user", 5, "--csv", "-"], ""),
        (["swipe", "--user", 1, "--undo"], ""),
        (["users", "import", swipes], ""),
        (["users", "import", argument], ""),
        (["models", "list"], ""),
        (["models", "show"], ""),
        (["models", "show", argument], ""),
        (["doctor"], ""),
        (["doctor", "--store", argument], ""),
        (["prepare", "--raw", argument], ""),
        (["prepare", "--memory-limit", argument], ""),
        (["train", "--settings", argument], ""),
        (["fetch", argument], ""),
        (["recommend", "--years", argument, "--user", 1], ""),
        ([argument], ""),
        ([f"--{argument}"], ""),
    ]
    for words, text in calls:
        done = run(workspace.root, *words, text=text)
        assert not acting(done.stdout), (words, done.stdout)
        assert not acting(done.stderr), (words, done.stderr)
        assert done.code in (0, 2, 3, 4)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(title=HOSTILE, genre=HOSTILE)
def test_json_loses_nothing_and_acts_on_nothing(small_model, folders, title, genre):
    workspace = renamed(small_model, next(folders) / "data", title, genre)
    run(workspace.root, "swipe", "--user", 1, "--movie", 2, "--preference", "like")
    calls = [
        ["search", "movie"],
        ["similar", "1"],
        ["recommend", "--user", "1", "--explain"],
        ["history", "--user", "1"],
    ]
    for words in calls:
        done = run(workspace.root, *words, "--json")
        assert not acting(done.stdout)
        document = json.loads(done.stdout)
        items = document.get("items", document.get("events"))
        assert all(item["title"].startswith(f"{title} movie ") for item in items)
        assert all(item["genres"] == [genre] for item in items if "genres" in item)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(title=HOSTILE, genre=HOSTILE, width=st.integers(20, 120), height=st.integers(10, 40))
def test_the_screen_of_a_session_obeys_nothing_either(small_model, folders, title, genre, width, height):
    from rich.console import Console

    from mlrec import Recommender, Swipe
    from mlrec.cli import cards
    from mlrec.serving.swipe import SwipeSession

    workspace = renamed(small_model, next(folders) / "data", title, genre)
    shown = io.StringIO()
    console = Console(file=shown, width=width, markup=False, emoji=False, highlight=False)
    with Recommender.open(workspace.root, store="memory") as recommender:
        session = SwipeSession(recommender, 1)
        console.print(cards.screen(session, session.card, "", width, height))
        session.answer(Swipe.LIKE)
        console.print(cards.screen(session, session.card, "", width, height))
        console.print(cards.screen(session, session.card, f"{title} is not an answer", width, height))
        console.print(cards.page(cards.why_lines(session.why(session.top[0].movie_id)), height))
    assert not acting(shown.getvalue())
    assert "movie" in shown.getvalue()


def test_data_is_no_markup_and_no_emoji(small_model, tmp_path):
    workspace = renamed(small_model, tmp_path / "data", "[red]:skull: [/]", "[b]")
    for words in (["search", "movie"], ["similar", "1"], ["swipe", "--user", 3, "--movie", 2, "--preference", "1"]):
        assert "[red]:skull: [/] movie" in run(workspace.root, *words).stdout


def test_a_line_end_or_a_tab_in_a_title_is_a_space(small_model, tmp_path):
    workspace = renamed(small_model, tmp_path / "data", "One\r\nTwo\tThree", "Drama")
    assert "One Two Three movie 0" in run(workspace.root, "search", "movie").stdout
    assert "One Two Three movie" in run(workspace.root, "swipe", "--user", 3).stdout


def test_file_names_are_shown_as_the_rest_is(small_model, tmp_path):
    folder = tmp_path / f"{CLEAR}raw\u202e"
    shutil.copytree(small_model.raw, folder)
    with (folder / "ratings.csv").open("a") as file:
        file.write("1,1,x,1\n" * 10)
    done = run(tmp_path / f"data{TITLE}", "prepare", "--raw", folder)
    assert done.code == 3
    assert "\ufffd[2Jraw\ufffd" in done.stderr or "data\ufffd]0;owned\ufffd" in done.stderr
    assert not acting(done.stdout + done.stderr)


def test_a_file_name_that_is_not_utf_8_is_no_hindrance(tmp_path):
    path = tmp_path / "swipes\udcff.csv"
    try:
        path.write_text("user_id,movie_id,preference,at\nx,1,1,1\n1,1,1,1\n")
    except OSError:
        pytest.skip("this file system does not take such names")
    done = run(tmp_path / "data", "users", "import", path, "--max-reject-share", 1)
    assert done.code == 0
    assert "unparsable user_id 1" in done.stderr
    assert "swipes\ufffd.csv" in (tmp_path / "data" / "swipes.rejects.csv").read_text()
    done = run(tmp_path / "data", "users", "export", tmp_path / "out\udcff.csv")
    assert "out\ufffd.csv" in done.stdout
    document = run(tmp_path / "data", "users", "export", tmp_path / "out\udcff.csv", "--json").stdout
    assert json.loads(document)["file"] == str(tmp_path / "out\udcff.csv")


# -- CSV ---------------------------------------------------------------------------------------------------------------

FORMULAS = ["=HYPERLINK(\"http://x\",\"y\")", "+1", "-30-", "@SUM(A1)", "\t=1", " =1", "\r=1", "＝1"]  # fmt: skip


@pytest.mark.parametrize("title", FORMULAS)
@pytest.mark.parametrize("command", ["history", "users"])
def test_titles_are_no_formulas_in_an_export_and_ids_stand_as_they_are(small_model, tmp_path, title, command):
    workspace = renamed(small_model, tmp_path / "data", title, "Drama")
    event_ids = ["=cmd|' /C calc'!A0", "-1", "plain", "@x", "+\t7"]
    for number, event_id in enumerate(event_ids, 1):
        words = ["swipe", "--user", -5, "--movie", number, "--preference", "like", "--idempotency-key", event_id]
        assert run(workspace.root, *words).code == 0
    export = ["history", "--user", -5, "--csv"] if command == "history" else ["users", "export"]
    assert run(workspace.root, *export, tmp_path / "out.csv").code == 0
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["client_id"] for row in rows] == event_ids
    assert {row["user_id"] for row in rows} == {"-5"}
    assert all(row["title"].startswith("'") and row["title"].endswith(f"movie {n}") for n, row in enumerate(rows))

    other = Workspace(tmp_path / "other")
    assert run(other.root, "users", "import", tmp_path / "out.csv").code == 0
    back = json.loads(run(other.root, "history", "--user", -5, "--json").stdout)
    assert [event["client_id"] for event in back["events"]] == event_ids


def test_rejected_rows_are_no_formulas_in_their_report(tmp_path):
    rows = "".join(f"{text}\n" for text in ("=1+1", "@x,1", CLEAR, "-5,1,x,1", "+\t,,,"))
    (tmp_path / "=bad.csv").write_text(f"user_id,movie_id,preference,at\n{rows}")
    done = run(tmp_path / "data", "users", "import", tmp_path / "=bad.csv", "--max-reject-share", 1)
    assert done.code == 0
    with (tmp_path / "data" / "swipes.rejects.csv").open(newline="") as file:
        report = list(csv.DictReader(file))
    assert [row["text"] for row in report] == ["'=1+1", "'@x,1", "\ufffd[2J", "'-5,1,x,1", "'+\t,,,"]
    assert {row["file"] for row in report} == {"'=bad.csv"}


# -- who may read what was written -------------------------------------------------------------------------------------


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.mark.parametrize(
    "words",
    [
        ["users", "export", "out.csv"],
        ["history", "--user", 1, "--csv", "out.csv"],
        ["recommend", "--all-users", "--out", "out.csv"],
        ["recommend", "--all-users", "--out", "out.parquet"],
        ["users", "import", "bad.csv", "--max-reject-share", 1, "--rejects", "out.csv"],
    ],
    ids=lambda words: f"{words[0]} {words[1]} {words[-1]}",
)
def test_what_tells_of_people_is_for_its_owner_unless_a_file_is_there(small_model, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.csv").write_text("user_id,movie_id,preference,at\nx,1,1,1\n")
    target = Path(next(str(word) for word in words if str(word).startswith("out.")))
    root = tmp_path / "data"
    shutil.copytree(small_model.root, root)
    before = os.umask(0)
    try:
        assert run(root, *words).code == 0
        assert mode(target) == 0o600
        target.chmod(0o664)
        assert run(root, *words).code == 0
        assert mode(target) == 0o664
    finally:
        os.umask(before)


def test_a_default_list_of_rejects_is_for_its_owner(small_model, tmp_path):
    (tmp_path / "bad.csv").write_text("user_id,movie_id,preference,at\n1,1,x,1\n")
    assert run(tmp_path / "data", "users", "import", tmp_path / "bad.csv").code == 3
    assert mode(tmp_path / "data" / "swipes.rejects.csv") == 0o600
