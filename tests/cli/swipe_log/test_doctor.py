"""What `mlrec doctor` says about the swipe log."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from mlrec.serving.stores import open_store
from mlrec.serving.stores.interface import Draft
from tests.cli.swipe_log.log import AT, document, opened
from tests.stores import redis_server


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
    assert detail.startswith(f"3 (1 undone), users 1, forgotten users 1; SQLite {data}/users.db: an acknowledged swipe")


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
    assert "not an SQLite database" in run("doctor", expect=4).stdout


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
    assert "is not a valid store" in run("doctor", "--store", "ftp://x", expect=2).stderr


def test_doctor_passes_on_what_is_risky(run, empty, tmp_path):
    with redis_server(tmp_path / "redis", "--appendonly", "no") as server:
        with closing(open_store(server.url, None)) as store:
            store.append(1, Draft(1, 1, AT))
        (_, kept), (status, warning) = swipes_finding(run("doctor", "--store", server.url, "--json"))
    assert "next snapshot" in kept
    assert status == "note"
    assert "Set appendonly yes" in warning
