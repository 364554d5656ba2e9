"""`mlrec history`."""

from __future__ import annotations

import csv

from mlrec.serving.stores.interface import Draft
from tests.cli.swipe_log.log import AT, COLUMNS, document, opened
from tests.cli.swipe_log.terminal import Terminal


def test_history_in_json(run, data):
    found = document(run("history", "--user", 42, "--json"))
    assert found["user_id"] == 42
    assert found["events"] == [
        {"event_id": 1, "movie_id": 1, "title": "Toy Story", "year": 1995, "preference": 2, "at": AT, "undone": False,
         "client_id": "first, best"},
        {"event_id": 2, "movie_id": 318, "title": "The Shawshank Redemption", "year": 1994, "preference": -1,
         "at": AT + 1, "undone": True, "client_id": None},
        {"event_id": 4, "movie_id": 999_999_999, "title": None, "year": None, "preference": 0, "at": AT + 3,
         "undone": False, "client_id": None},
    ]  # fmt: skip
    latest = document(run("history", "--user", 42, "-n", 2, "--json"))
    assert [event["event_id"] for event in latest["events"]] == [2, 4]


def test_history_as_a_table(run, data):
    lines = [" ".join(line.split()) for line in run("history", "--user", 42).stdout.splitlines()]
    assert lines[0] == "event when movie year swipe"
    assert lines[2] == "1 2023-11-14T22:13:20+00:00 Toy Story 1995 superlike"
    assert lines[3] == "2 2023-11-14T22:13:21+00:00 The Shawshank Redemption 1994 dislike undone"
    assert lines[4] == "4 2023-11-14T22:13:23+00:00 movie 999999999, not in the model skip"


def test_on_a_terminal_history_tells_local_time(data):
    terminal = Terminal("history", "--user", 42, TZ="XYZ-2")
    terminal.read()
    assert terminal.finish() == 0
    assert "2023-11-15 00:13:20   Toy Story" in terminal.seen


def test_the_last_second_of_all_has_no_local_time_in_the_east(empty):
    with opened(empty) as store:
        store.append(1, Draft(1, 1, 253402300799))
    terminal = Terminal("history", "--user", 1, TZ="XYZ-2")
    assert terminal.finish() == 0
    assert "9999-12-31T23:59:59+00:00" in terminal.seen


def test_history_as_csv(run, data, tmp_path):
    done = run("history", "--user", 42, "--csv", "swipes.csv")
    assert done.stdout == "Wrote 3 swipes of user 42 to swipes.csv.\n"
    written = (tmp_path / "swipes.csv").read_text()
    assert list(csv.reader(written.splitlines())) == [
        COLUMNS,
        ["42", "1", "1", "Toy Story", "2", str(AT), "false", "first, best"],
        ["42", "2", "318", "The Shawshank Redemption", "-1", str(AT + 1), "true", ""],
        ["42", "4", "999999999", "", "0", str(AT + 3), "false", ""],
    ]
    assert run("history", "--user", 42, "--csv", "-").stdout == written
    assert [path.name for path in tmp_path.glob("*swipes.csv*")] == ["swipes.csv"]
    assert document(run("users", "import", "swipes.csv", "--max-reject-share", 1, "--json"))["imported"] == 0


def test_history_without_a_model_or_a_store(run, empty):
    assert document(run("history", "--user", 42, "--json")) == {"user_id": 42, "events": []}
    done = run("history", "--user", 42)
    assert done.stdout == "User 42 has not swiped yet.\n"
    assert done.stderr == ""
    assert not empty.exists()
    with opened(empty) as store:
        store.append(42, Draft(17, 1, AT))
    assert "movie 17, not in the model" in run("history", "--user", 42).stdout
    assert document(run("history", "--user", 42, "--json"))["events"][0]["title"] is None


def test_history_on_a_terminal_says_why_it_is_empty(empty):
    terminal = Terminal("history", "--user", 42)
    assert terminal.finish() == 0
    assert "User 42 has not swiped yet." in terminal.seen
    assert "There is no model" in terminal.seen
    with opened(empty) as store:
        store.forget(42, AT)
    terminal = Terminal("history", "--user", 42)
    assert terminal.finish() == 0
    assert "User 42 is forgotten." in terminal.seen


def test_history_of_a_damaged_model_has_no_titles(run, data):
    current = (data / "models" / "CURRENT").read_text().strip()
    (data / "models" / current / "movie_embeddings.npy").write_bytes(b"")
    done = run("history", "--user", 42)
    assert "damaged" in done.stderr
    assert "movie 318, not in the model" in done.stdout
