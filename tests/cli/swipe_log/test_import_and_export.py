"""`mlrec users import` and `mlrec users export`."""

from __future__ import annotations

import csv
import os
import sqlite3
import subprocess
import time
from contextlib import closing

from mlrec.serving.stores.interface import Draft
from tests.cli.swipe_log.log import AT, COLUMNS, MLREC, document, opened
from tests.cli.swipe_log.terminal import Terminal
from tests.processes import started


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
    assert again.stdout == "Swipes imported: 1. Already stored: 3. Left out because undone: 1.\n"
    assert again.stderr == ""
    assert not (data / "swipes.rejects.csv").exists()  # nothing was rejected this time


def test_an_import_learns(run, data, tmp_path):
    likes = [593, 2571, 260, 1196, 1210, 2028]
    (tmp_path / "swipes.csv").write_text(
        "user_id,movie_id,bucket,at\n" + "".join(f"9000001,{movie},4,{AT}\n" for movie in likes)
    )
    run("users", "import", "swipes.csv")
    items = document(run("recommend", "--user", 9000001, "--json"))["items"]
    assert "personal" in {item["source"] for item in items}
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
    assert done.stdout.startswith("Swipes imported: 1.")
    assert "Bad rows left out: 2 (preference out of range 1, unparsable user_id 1)" in done.stderr


def test_the_rejects_do_not_take_the_place_of_the_input(run, empty, tmp_path):
    content = "user_id,movie_id,preference,at\nx,1,1,1\n"
    (tmp_path / "swipes.csv").write_text(content)
    run("users", "import", "swipes.csv", "--rejects", tmp_path / "swipes.csv", expect=2)
    assert (tmp_path / "swipes.csv").read_text() == content


def test_the_rejects_take_the_place_of_nothing_but_rejects(run, empty, tmp_path):
    """Neither of a stranger's file nor of the store, which they would destroy; an earlier report is replaced."""
    (tmp_path / "swipes.csv").write_text(f"user_id,movie_id,preference,at\n1,77,1,{AT}\nx,1,1,1\n")
    (tmp_path / "notes.txt").write_text("mine")
    few = ("--max-reject-share", "1")
    run("users", "import", "swipes.csv", "--rejects", tmp_path / "notes.txt", *few, expect=2)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    store = str(tmp_path / "swipes.db")
    run("users", "import", "swipes.csv", "--store", store, "--rejects", store, *few, expect=2)
    assert run("users", "import", "swipes.csv", "--store", store, *few).stdout.startswith("Swipes imported: 1.")
    for _ in range(2):
        run("users", "import", "swipes.csv", "--rejects", tmp_path / "bad.csv", *few)
    assert (tmp_path / "bad.csv").read_text().startswith("file,line,text,reason")


def test_without_a_model_any_movie_is_taken_and_that_is_told(run, empty, tmp_path):
    (tmp_path / "swipes.csv").write_text(f"user_id,movie_id,preference,at\n1,77,1,{AT}\n")
    done = run("users", "import", "swipes.csv")
    assert done.stdout.startswith("Swipes imported: 1.")
    assert "There is no model" in done.stderr
    assert "Swipes of any movie are imported" in done.stderr


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
    assert "Swipes imported: 5,000." in terminal.seen
    assert "Traceback" not in terminal.seen


def test_an_export_comes_back(run, data, tmp_path):
    with opened(data) as store:
        store.append(7, Draft(260, 1, AT))
    with opened(data) as store:
        store.forget(8, AT)
    done = run("users", "export", "backup.csv")
    assert done.stdout == "Wrote 4 swipes of 2 users to backup.csv.\n"
    assert "Forgotten users in this store: 1." in done.stderr
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
    with started([MLREC, "users", "export", tmp_path / "pipe"], stdout=subprocess.PIPE) as exporting:
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
        timeout=120,
    )
    assert done.stdout == ",".join(COLUMNS) + "\n"
    assert done.stderr == ""
    assert done.returncode == 0


def test_a_log_moves_to_redis_and_back(run, data, redis_url, tmp_path):
    with opened(data) as store:
        store.append(7, Draft(260, 1, AT, idempotency_key="é"))
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
