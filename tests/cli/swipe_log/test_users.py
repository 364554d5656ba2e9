"""`mlrec users`: counting, forgetting, allowing."""

from __future__ import annotations

import os
import signal

import pytest

from tests.cli.swipe_log.log import AT, document, events_of, opened
from tests.cli.swipe_log.terminal import Terminal


def test_users_are_counted(run, data):
    with opened(data) as store:
        store.forget(7, AT)
    done = run("users")
    counts = dict(line.rsplit(maxsplit=1) for line in done.stdout.splitlines()[:4])
    assert counts == {"users with swipes": "1", "swipes": "3", "undone swipes": "1", "forgotten users": "1"}
    assert f"SQLite {data}/users.db: an acknowledged swipe survives" in done.stdout
    assert document(run("users", "--json")) == {
        "users": 1,
        "swipes": 3,
        "undone": 1,
        "forgotten": 1,
        "forgotten_user_ids": [7],
        "store": f"{data}/users.db",
        "durability": f"SQLite {data}/users.db: an acknowledged swipe survives a power failure",
    }


def test_users_of_nothing_make_nothing(run, empty):
    assert document(run("users", "--json"))["users"] == 0
    assert not empty.exists()


def test_store_and_data_directory_may_be_named_before_the_subcommand(run, tmp_path):
    run("users", "--data-dir", "elsewhere", "--store", "mine.db", "forget", 5)
    assert [path.name for path in tmp_path.iterdir()] == ["elsewhere"]
    assert document(run("users", "--data-dir", "elsewhere", "--store", "mine.db", "--json"))["forgotten"] == 1


def test_a_forgotten_user_is_gone_until_allowed(run, data):
    done = run("users", "forget", 42)
    assert done.stdout.startswith("User 42 is forgotten: 4 events deleted")
    assert "mlrec run --final" in done.stdout
    assert done.stderr == ""
    assert document(run("history", "--user", 42, "--json"))["events"] == []
    assert b"first, best" not in (data / "users.db").read_bytes()
    assert document(run("users", "forget", 42, "--json")) == {
        "user_id": 42,
        "forgotten": True,
        "deleted_events": 0,
    }
    # What the model knows of the user is not served either.
    assert document(run("recommend", "--user", 42, "--json"))["items"][0]["source"] == "popular"

    assert document(run("users", "allow", 42, "--json")) == {"user_id": 42, "was_forgotten": True}
    assert document(run("recommend", "--user", 42, "--json"))["items"][0]["source"] == "personal"
    assert run("users", "allow", 42).stdout == "User 42 was not forgotten. Nothing changed.\n"


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("YES\n", 0), ("n\n", 130), ("\n", 130), ("\x04", 130)])
def test_on_a_terminal_forgetting_asks_first(data, answer, code):
    terminal = Terminal("users", "forget", 42)
    terminal.read(until="[y/N]")
    assert "Delete all 4 events of user 42" in terminal.seen
    assert events_of(data, 42)
    terminal.answer(answer)
    assert terminal.finish() == code
    assert bool(events_of(data, 42)) == (code != 0)
    assert ("Nothing was deleted." in terminal.seen) == (code != 0)


def test_an_interrupt_at_the_question_deletes_nothing(data):
    terminal = Terminal("users", "forget", 42)
    terminal.read(until="[y/N]")
    os.kill(terminal.process.pid, signal.SIGINT)
    assert terminal.finish() == 130
    assert "Traceback" not in terminal.seen
    assert len(events_of(data, 42)) == 4


def test_who_is_sure_is_not_asked(data):
    terminal = Terminal("users", "forget", 42, "--yes")
    assert terminal.finish() == 0
    assert "[y/N]" not in terminal.seen
    assert not events_of(data, 42)
