"""The commands around the swipe log: history, users, and what doctor says of it."""

from __future__ import annotations

import csv
import json
import os
import pty
import select
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from mlrec.serving.stores import open_store
from mlrec.serving.stores.interface import Draft, Event, SwipeStore
from mlrec.workspace import Workspace
from tests.stores import redis_server

MLREC = str(Path(sys.executable).with_name("mlrec"))
COLUMNS = ["user_id", "event_id", "movie_id", "title", "preference", "at", "undone", "client_id"]
AT = 1_700_000_000  # 2023-11-14 22:13:20 UTC


@pytest.fixture
def data(demo_copy, monkeypatch) -> Path:
    """The demo model, with a log of user 42 in which the middle one of three swipes is undone."""
    monkeypatch.setenv("MLREC_DATA_DIR", str(demo_copy.root))
    with opened(demo_copy.root) as store:
        store.append(42, Draft(1, 2, AT, client_id="first, best"))
        store.append(42, Draft(318, -1, AT + 1))
        store.append(42, Draft(318, 0, AT + 2, undoes=2))
        store.append(42, Draft(999_999_999, 0, AT + 3))
    return demo_copy.root


@pytest.fixture
def empty(tmp_path, monkeypatch) -> Path:
    """A data directory that does not exist yet."""
    monkeypatch.setenv("MLREC_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


def document(done) -> dict:
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


@contextmanager
def opened(data: Path) -> Iterator[SwipeStore]:
    store = open_store(None, Workspace(data))
    yield store
    store.close()


def events_of(data: Path, user_id: int) -> list[Event]:
    with opened(data) as store:
        return list(store.events(user_id))


class Terminal:
    """A command on a real pseudo-terminal."""

    def __init__(self, *arguments: object, **environment: str) -> None:
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [MLREC, *map(str, arguments)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=os.environ | {"TERM": "xterm", "COLUMNS": "120"} | environment,
            start_new_session=True,
        )
        os.close(slave)
        self.seen = ""

    def read(self, until: str | None = None) -> str:
        """Read until a text has been seen, or else to the end."""
        deadline = time.monotonic() + 60
        while until is None or until not in self.seen:
            assert time.monotonic() < deadline, self.seen
            if not select.select([self.master], [], [], 1)[0]:
                continue
            try:
                self.seen += os.read(self.master, 10_000).decode(errors="replace")
            except OSError:  # the other end is closed
                break
        return self.seen

    def answer(self, text: str) -> None:
        os.write(self.master, text.encode())

    def finish(self) -> int:
        self.read()
        os.close(self.master)
        return self.process.wait(timeout=60)


# -- history -----------------------------------------------------------------------------------------------------------


def test_history_in_json(run, data):
    found = document(run("history", "--user", 42, "--json"))
    assert found["user_id"] == 42
    assert found["events"] == [
        {"event_id": 1, "movie_id": 1, "title": "Toy Story", "year": 1995, "preference": 2, "at": AT, "undone": False,
         "client_id": "first, best"},
        {"event_id": 2, "movie_id": 318, "title": "Shawshank Redemption, The", "year": 1994, "preference": -1,
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
    assert lines[3] == "2 2023-11-14T22:13:21+00:00 Shawshank Redemption, The 1994 dislike undone"
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
    assert done.stdout == "3 swipes of user 42 are in swipes.csv.\n"
    written = (tmp_path / "swipes.csv").read_text()
    assert list(csv.reader(written.splitlines())) == [
        COLUMNS,
        ["42", "1", "1", "Toy Story", "2", str(AT), "false", "first, best"],
        ["42", "2", "318", "Shawshank Redemption, The", "-1", str(AT + 1), "true", ""],
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


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["history"], 2, "--user"),
        (["history", "--user", 2**63], 2, "64 bits"),
        (["history", "--user", "1", "-n", "0"], 2, "-n"),
        (["history", "--user", "1", "--json", "--csv", "-"], 2, "not both"),
        (["history", "--user", "1", "--csv", "no/folder/x.csv"], 2, "no folder"),
        (["history", "--user", "1", "--csv", "/"], 2, "folder"),
        (["history", "--user", "1", "--store", "http://x"], 2, "is no store"),
        (["history", "--user", "1", "--store", "redis://127.0.0.1:1/0"], 4, "cannot be used"),
        (["users", "forget"], 2, "ID"),
        (["users", "forget", 2**64], 2, "64 bits"),
        (["users", "allow", "everybody"], 2, "whole number"),
        (["users", "nonsense"], 2, "nonsense"),
        (["users", "--json", "export", "x.csv"], 2, "behind"),
        (["users", "export", "-", "--json"], 2, "not both"),
        (["users", "export", "data/users.db"], 2, "the swipes themselves"),
        (["users", "import", "nothing.csv"], 3, "nothing.csv cannot be read: No such file"),
        (["users", "import", "."], 3, "Is a directory"),
        (["users", "import", "data/users.db"], 3, "is not UTF-8"),
        (["users", "import", "-"], 3, "stdin is empty"),
    ],
)
def test_mistakes(run, empty, arguments, code, words):
    with opened(empty) as store:
        store.append(1, Draft(1, 1, AT))
    done = run(*arguments, expect=code)
    # The box that Typer draws around a message breaks its lines.
    assert words in " ".join(done.stderr.replace("│", " ").split())
    assert done.stdout == ""
    assert len(events_of(empty, 1)) == 1


# -- users -------------------------------------------------------------------------------------------------------------


def test_users_are_counted(run, data):
    with opened(data) as store:
        store.forget(7, AT)
    done = run("users")
    counts = dict(line.rsplit(maxsplit=1) for line in done.stdout.splitlines()[:4])
    assert counts == {"users with swipes": "1", "swipes": "3", "of them undone": "1", "forgotten users": "1"}
    assert f"SQLite {data}/users.db: an acknowledged swipe survives" in done.stdout
    assert document(run("users", "--json")) == {
        "users": 1,
        "swipes": 3,
        "undone": 1,
        "forgotten": 1,
        "forgotten_user_ids": [7],
        "store": f"{data}/users.db",
        "durability": f"SQLite {data}/users.db: an acknowledged swipe survives a loss of power",
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
    assert done.stdout.startswith("User 42 is forgotten: 4 events are deleted")
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
    assert run("users", "allow", 42).stdout == "User 42 was not forgotten; nothing has changed.\n"


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("YES\n", 0), ("n\n", 130), ("\n", 130), ("\x04", 130)])
def test_on_a_terminal_forgetting_asks_first(data, answer, code):
    terminal = Terminal("users", "forget", 42)
    terminal.read(until="[y/N]")
    assert "Delete all 4 events of user 42" in terminal.seen
    assert events_of(data, 42)
    terminal.answer(answer)
    assert terminal.finish() == code
    assert bool(events_of(data, 42)) == (code != 0)
    assert ("Nothing has been deleted." in terminal.seen) == (code != 0)


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


# -- import and export -------------------------------------------------------------------------------------------------


def test_import_in_json(run, data, tmp_path):
    (tmp_path / "swipes.csv").write_text(
        "userId,movieId,preference,timestamp,event_id,undone\n"
        "42,1,2,1700000000,,\n"  # in the log already
        "42,2,like,2024-02-29T12:00:00+01:00,mine,\n"
        "43,3,-2,1700000001,,false\n"
        "43,4,1,1700000002,,true\n"
        "43,123456789,1,1700000003,,\n"
    )
    found = document(run("users", "import", "swipes.csv", "--max-reject-share", 0.2, "--json"))
    assert found == {
        "imported": 2,
        "already_there": 1,
        "undone": 1,
        "rejects": {"rows": 1, "by_reason": {"unknown movie": 1}},
        "rejects_file": f"{data}/swipes.rejects.csv",
    }
    assert list(csv.reader((data / "swipes.rejects.csv").read_text().splitlines())) == [
        ["file", "line", "text", "reason"],
        ["swipes.csv", "6", "43,123456789,1,1700000003,,", "unknown movie"],
    ]
    assert [event["movie_id"] for event in document(run("history", "--user", 43, "--json"))["events"]] == [3]
    assert document(run("history", "--user", 42, "-n", 1, "--json"))["events"][0]["client_id"] == "mine"

    again = run("users", "import", "swipes.csv", "--any-movie")
    assert again.stdout == "Swipes imported: 1; already there: 3; undone, left out: 1.\n"
    assert again.stderr == ""
    assert not (data / "swipes.rejects.csv").exists()  # nothing was rejected this time


def test_an_import_learns(run, data, tmp_path):
    likes = [593, 2571, 260, 1196, 1210, 2028]
    (tmp_path / "swipes.csv").write_text(
        "user_id,movie_id,bucket,at\n" + "".join(f"9000001,{movie},4,{AT}\n" for movie in likes)
    )
    run("users", "import", "swipes.csv")
    items = document(run("recommend", "--user", 9000001, "--json"))["items"]
    assert {item["source"] for item in items} == {"personal"}
    assert not {item["movie_id"] for item in items} & set(likes)


def test_too_many_bad_rows_stop_the_import(run, data, tmp_path):
    (tmp_path / "swipes.csv").write_text("user_id,movie_id,preference,at\n1,1,1,1\n1,1,7,1\nnobody,1,1,1\n")
    done = run("users", "import", "swipes.csv", "--rejects", "reports/bad.csv", expect=3)
    assert "2 of 3 rows are bad (66.7%, allowed 1.0%)" in done.stderr
    assert "swipes.csv, line 3: preference out of range" in done.stderr
    assert "reports/bad.csv" in done.stderr
    assert len((tmp_path / "reports" / "bad.csv").read_text().splitlines()) == 3
    assert document(run("history", "--user", 1, "--json"))["events"] == []
    done = run("users", "import", "swipes.csv", "--max-reject-share", 1)
    assert done.stdout.startswith("Swipes imported: 1;")
    assert "left out: 2 (preference out of range 1, unparsable user_id 1)" in done.stderr


def test_the_rejects_do_not_take_the_place_of_the_input(run, empty, tmp_path):
    content = "user_id,movie_id,preference,at\nx,1,1,1\n"
    (tmp_path / "swipes.csv").write_text(content)
    run("users", "import", "swipes.csv", "--rejects", tmp_path / "swipes.csv", expect=2)
    assert (tmp_path / "swipes.csv").read_text() == content


def test_without_a_model_any_movie_is_taken_and_that_is_told(run, empty, tmp_path):
    (tmp_path / "swipes.csv").write_text(f"user_id,movie_id,preference,at\n1,77,1,{AT}\n")
    done = run("users", "import", "swipes.csv")
    assert done.stdout.startswith("Swipes imported: 1;")
    assert "There is no model" in done.stderr
    assert "any movie is taken" in done.stderr


def test_a_damaged_model_cannot_tell_movies(run, data, tmp_path):
    current = (data / "models" / "CURRENT").read_text().strip()
    (data / "models" / current / "movie_ids.npy").write_bytes(b"")
    (tmp_path / "swipes.csv").write_text(f"user_id,movie_id,preference,at\n1,1,1,{AT}\n")
    assert "damaged" in run("users", "import", "swipes.csv", expect=4).stderr
    run("users", "export", "backup.csv")  # a backup can be made all the same


def test_a_progress_bar_on_a_terminal_leaves_the_result(data, tmp_path):
    (tmp_path / "swipes.csv").write_text(
        "user_id,movie_id,preference,at\n" + "".join(f"{user},1,1,{AT}\n" for user in range(5000))
    )
    terminal = Terminal("users", "import", tmp_path / "swipes.csv")
    assert terminal.finish() == 0
    assert "Swipes imported: 5,000;" in terminal.seen
    assert "Traceback" not in terminal.seen


def test_an_export_comes_back(run, data, tmp_path):
    with opened(data) as store:
        store.append(7, Draft(260, 1, AT))
    with opened(data) as store:
        store.forget(8, AT)
    done = run("users", "export", "backup.csv")
    assert done.stdout == "4 swipes of 2 users are in backup.csv.\n"
    assert "1 users are forgotten here" in done.stderr
    assert document(run("users", "export", "again.csv", "--json")) == {
        "users": 2, "swipes": 4, "file": "again.csv", "damaged_user_ids": [],
    }  # fmt: skip
    assert run("users", "export", "-").stdout == (tmp_path / "backup.csv").read_text()
    assert (tmp_path / "again.csv").read_text() == (tmp_path / "backup.csv").read_text()

    same = document(run("users", "import", "backup.csv", "--any-movie", "--json"))
    assert (same["imported"], same["already_there"], same["undone"]) == (0, 3, 1)
    moved = document(run("users", "import", "backup.csv", "--any-movie", "--store", "copy.db", "--json"))
    assert (moved["imported"], moved["already_there"], moved["undone"]) == (3, 0, 1)
    for user in (7, 42):
        events = document(run("history", "--user", user, "--json"))["events"]
        copies = document(run("history", "--user", user, "--store", "copy.db", "--json"))["events"]
        for event in (*events, *copies):
            del event["event_id"]
        assert copies == [event for event in events if not event["undone"]]


def test_an_export_goes_through_links_and_into_devices(run, data, tmp_path):
    (tmp_path / "target.csv").write_text("old")
    (tmp_path / "link.csv").symlink_to("target.csv")
    run("users", "export", "link.csv")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "target.csv").read_text().startswith("user_id,")
    os.mkfifo(tmp_path / "pipe")
    with subprocess.Popen([MLREC, "users", "export", tmp_path / "pipe"], stdout=subprocess.PIPE) as exporting:
        assert (tmp_path / "pipe").read_text().startswith("user_id,")
        assert exporting.wait(timeout=60) == 0
    assert (tmp_path / "pipe").is_fifo()


def test_a_reader_that_leaves_an_export_early_is_no_error(data):
    with opened(data) as store:
        store.extend((user, Draft(1, 1, AT)) for user in range(10_000))
    done = subprocess.run(
        f"set -o pipefail; {MLREC} users export - | head -n 1",
        shell=True,
        capture_output=True,
        text=True,
        executable="/bin/bash",
    )
    assert done.stdout == ",".join(COLUMNS) + "\n"
    assert done.stderr == ""
    assert done.returncode == 0


def test_a_log_moves_to_redis_and_back(run, data, redis_url, tmp_path):
    with opened(data) as store:
        store.append(7, Draft(260, 1, AT, client_id="é"))
    exported = run("users", "export", "-").stdout
    moved = document(run("users", "import", "-", "--any-movie", "--json", text=exported, MLREC_STORE=redis_url))
    assert (moved["imported"], moved["undone"]) == (3, 1)
    again = document(run("users", "import", "-", "--any-movie", "--json", text=exported, MLREC_STORE=redis_url))
    assert (again["imported"], again["already_there"]) == (0, 3)

    counts = document(run("users", "--json", "--store", redis_url))
    assert (counts["users"], counts["swipes"], counts["store"]) == (2, 3, redis_url)
    assert "appendfsync always" in run("users", "--store", redis_url).stdout
    (event,) = document(run("history", "--user", 7, "--store", redis_url, "--json"))["events"]
    assert (event["title"], event["client_id"]) == ("Star Wars: Episode IV - A New Hope", "é")

    run("users", "export", "back.csv", "--store", redis_url)
    back = document(run("users", "import", "back.csv", "--any-movie", "--json"))
    assert (back["imported"], back["already_there"]) == (0, 3)

    run("users", "forget", 7, "--store", redis_url)
    assert document(run("history", "--user", 7, "--store", redis_url, "--json"))["events"] == []
    (tmp_path / "late.csv").write_text(f"user_id,movie_id,preference,at\n7,1,1,{AT}\n")
    late = document(run("users", "import", "late.csv", "--max-reject-share", 1, "--json", "--store", redis_url))
    assert late["rejects"] == {"rows": 1, "by_reason": {"forgotten user": 1}}
    run("users", "allow", 7, "--store", redis_url)
    assert document(run("users", "import", "late.csv", "--json", "--store", redis_url))["imported"] == 1


# -- doctor ------------------------------------------------------------------------------------------------------------


def swipes_finding(done) -> list[tuple[str, str]]:
    findings = document(done)["findings"]
    return [(found["status"], found["detail"]) for found in findings if found["name"] == "swipes"]


def test_doctor_of_no_swipes_makes_no_file(run, empty):
    ((status, detail),) = swipes_finding(run("doctor", "--json"))
    assert status == "note"
    assert detail.startswith("none yet; SQLite")
    assert not empty.exists()


def test_doctor_counts_swipes(run, data):
    with opened(data) as store:
        store.forget(8, AT)
    ((status, detail),) = swipes_finding(run("doctor", "--json"))
    assert status == "ok"
    assert detail.startswith(f"3 of 1 users (1 undone), 1 forgotten; SQLite {data}/users.db: an acknowledged swipe")


def test_doctor_finds_a_damaged_store(run, empty):
    with opened(empty) as store:
        store.extend((1, Draft(movie, 1, AT)) for movie in range(3000))
    content = bytearray((empty / "users.db").read_bytes())
    content[4096 * 5 : 4096 * 9] = b"\xab" * 4096 * 4
    (empty / "users.db").write_bytes(content)
    ((status, detail),) = swipes_finding(run("doctor", "--json", expect=4))
    assert status == "problem"
    assert "is damaged" in detail
    (empty / "users.db").write_text("something else entirely")
    assert "no SQLite database" in run("doctor", expect=4).stdout


def test_doctor_finds_users_of_whom_a_part_is_missing(run, empty):
    with opened(empty) as store:
        store.extend((user, Draft(movie, 1, AT)) for user in range(1, 9) for movie in range(5))
    with closing(sqlite3.connect(empty / "users.db", isolation_level=None)) as database:
        database.execute("DELETE FROM users WHERE user_id IN (2, 3, 5, 7)")
    ((status, detail),) = swipes_finding(run("doctor", "--json", expect=4))
    assert status == "problem"
    assert "4 users are damaged" in detail
    assert "user 2: the row that says where the log ends is missing; user 3:" in detail
    assert "and 1 more" in detail
    assert "mlrec users export" in detail
    # What it says to do works, and costs nothing that is left.
    run("users", "export", "left.csv")
    for user in (2, 3, 5, 7):
        run("users", "forget", user)
        run("users", "allow", user)
    assert document(run("users", "import", "left.csv", "--json"))["imported"] == 20
    ((status, _),) = swipes_finding(run("doctor", "--json"))
    assert status == "ok"


def test_doctor_knows_redis(run, empty, redis_url):
    with closing(open_store(redis_url, None)) as store:
        store.append(1, Draft(1, 1, AT))
    ((status, detail),) = swipes_finding(run("doctor", "--store", redis_url, "--json"))
    assert status == "ok"
    assert "appendfsync always" in detail
    assert "redis installed" in run("doctor", "--store", redis_url).stdout
    ((status, detail),) = swipes_finding(run("doctor", "--store", "redis://127.0.0.1:1/0", "--json", expect=4))
    assert status == "problem"
    assert "cannot be used" in detail
    assert "is no store" in run("doctor", "--store", "ftp://x", expect=2).stderr


def test_doctor_passes_on_what_is_risky(run, empty, tmp_path):
    with redis_server(tmp_path / "redis", "--appendonly", "no") as server:
        with closing(open_store(server.url, None)) as store:
            store.append(1, Draft(1, 1, AT))
        (_, kept), (status, warning) = swipes_finding(run("doctor", "--store", server.url, "--json"))
    assert "next snapshot" in kept
    assert status == "note"
    assert "set appendonly yes" in warning


@pytest.mark.parametrize(
    "name",
    [
        "redis://me:QX/JZqx@127.0.0.1:1/0",
        "redis://me:QX%2FJZqx@127.0.0.1:1/0",
        "REDIS://:QX#JZqx@127.0.0.1:1",
        "redis:/:QX/JZqx@127.0.0.1:1",
        "postgres://:QX/JZqx@127.0.0.1/db",
    ],
)
def test_no_command_prints_a_password(run, data, name):
    for done in (
        run("doctor", "--store", name, expect=None),
        run("users", "--json", "--store", name, expect=None),
        run("swipe", "--user", 42, "--undo", expect=None, MLREC_STORE=name),
    ):
        assert done.returncode in (2, 4)
        assert "JZqx" not in done.stdout + done.stderr


def test_a_user_whose_log_is_damaged_holds_up_no_export_and_can_be_forgotten(run, data, tmp_path):
    with opened(data) as store:
        store.append(43, Draft(1, 1, AT))
    with closing(sqlite3.connect(data / "users.db", isolation_level=None)) as database:
        database.execute("PRAGMA ignore_check_constraints = ON")
        database.execute("UPDATE events SET preference = 17 WHERE user_id = 42 AND event_id = 1")
    done = run("users", "export", tmp_path / "left.csv", "--json", expect=4)
    assert document(done) == {
        "users": 1,
        "swipes": 1,
        "file": str(tmp_path / "left.csv"),
        "damaged_user_ids": [42],
    }
    assert "Left out: User 42 in " in done.stderr
    with (tmp_path / "left.csv").open(newline="") as file:
        assert [row["user_id"] for row in csv.DictReader(file)] == ["43"]
    assert document(run("users", "forget", 42, "--json"))["forgotten"] is True
    run("users", "export", tmp_path / "left.csv")


def test_an_export_with_a_time_to_come_is_imported_again(run, data, tmp_path):
    later = int(time.time()) + 10 * 86_400  # of a host whose clock was ahead
    with opened(data) as store:
        store.append(43, Draft(1, 1, later))
    run("users", "export", tmp_path / "all.csv")
    done = run("users", "import", tmp_path / "all.csv", "--any-movie", "--store", tmp_path / "other.db", "--json")
    report = document(done)
    assert (report["imported"], report["rejects"]["rows"]) == (3, 0)
    assert (
        document(run("history", "--user", 43, "--json", "--store", tmp_path / "other.db"))["events"][0]["at"] == later
    )
