"""mlrec prepare and mlrec run with a store of swipes: --with-swipes merges it, and its blocklist always applies."""

from __future__ import annotations

import json
import os
import pty
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mlrec import Recommender
from mlrec.dataset.reading import read_prepared
from mlrec.serving.stores import open_store
from mlrec.workspace import Workspace
from tests.command_line import MLREC, Finished, in_this_process
from tests.processes import started
from tests.waiting import is_readable

LATER = 1_600_000_000
NEW = 9_000_001


@pytest.fixture
def data(demo_copy, demo_raw) -> Workspace:
    """The demo data with its raw files, prepared and trained."""
    demo_copy.raw.symlink_to(demo_raw)
    return demo_copy


def run(data: Workspace, *arguments: object, expect: int = 0) -> Finished:
    done = in_this_process([*map(str, arguments), "--data-dir", str(data.root)])
    assert done.returncode == expect, done.stderr
    return done


def swipe(data: Workspace, store: str | None = None) -> None:
    """A new user with 12 opinions, and user 42 with a second thought and a skip."""
    with Recommender.open(data.root, store=store) as rec:
        for i, item in enumerate(rec.get_top_n(NEW, 12)):
            rec.update_user(NEW, item.movie_id, (2, 1, -1)[i % 3], at=LATER + i)
        rec.update_user(42, 1, -2, at=LATER)
        rec.update_user(42, 318, 0, at=LATER)


def users_of(data: Workspace) -> set[int]:
    return set(read_prepared(data).events.user_id.tolist())


def folder_of(data: Workspace) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in data.prepared.root.iterdir()}


def test_prepare_with_swipes_in_json(data):
    swipe(data)
    document = json.loads(run(data, "prepare", "--with-swipes", "--json").stdout)
    assert document["swipes"] == {"standing": 14, "merged": 13, "skips": 1, "outdated": 0, "rejected": 0}
    assert "with swipes" in [step["name"] for step in document["steps"]]
    assert NEW in users_of(data)
    without = json.loads(run(data, "prepare", "--json").stdout)
    assert without["swipes"] is None
    assert without["fingerprint"] != document["fingerprint"]
    assert NEW not in users_of(data)


def test_run_final_with_swipes_publishes_a_model_that_knows_them(data):
    swipe(data)
    document = json.loads(run(data, "run", "--with-swipes", "--final", "--json").stdout)
    assert document["prepare"]["swipes"]["merged"] == 13
    recommended = json.loads(run(data, "recommend", "--user", NEW, "--json").stdout)
    assert recommended["model_id"] == document["final"]["model_id"]
    with Recommender.open(data.root) as rec:
        view = rec._view(NEW)
        assert view.served.model.user_idx(NEW) is not None
        assert len(view.history) == 12
        assert not view.history.is_new.any()


def test_people_are_told_how_many_swipes_were_merged(data):
    swipe(data)
    done = run(data, "prepare", "--with-swipes")
    assert "Swipes: merged 13, skips 1, older than a rating of the same movie 0." in done.stdout
    assert "with swipes" in done.stdout
    assert done.stderr == ""


def on_a_terminal(data: Workspace, *arguments: str) -> str:
    """What a person sees on stderr."""
    ours, its = pty.openpty()
    environment = os.environ | {"TERM": "dumb", "COLUMNS": "200"}
    command = [MLREC, *arguments, "--data-dir", str(data.root)]
    text = b""
    with started(command, stdout=subprocess.DEVNULL, stderr=its, env=environment) as process:
        os.close(its)
        end = time.monotonic() + 120
        while process.poll() is None or is_readable(ours, 0):
            assert time.monotonic() < end, text.decode()
            if is_readable(ours, 0.05):
                try:
                    text += os.read(ours, 65536)
                except OSError:  # the other end is closed
                    break
    os.close(ours)
    return text.decode()


def test_swipes_that_were_not_merged_are_mentioned_to_a_person_and_not_to_a_pipe(data):
    assert "--with-swipes" not in on_a_terminal(data, "prepare")
    swipe(data)
    with Recommender.open(data.root) as rec:
        rec.undo(42)
    assert "The store has 13 swipes that are not merged." in on_a_terminal(data, "prepare")
    assert "--with-swipes" not in on_a_terminal(data, "prepare", "--with-swipes")
    assert run(data, "prepare").stderr == ""


@pytest.mark.parametrize("options", [[], ["--with-swipes"]])
def test_the_blocklist_is_heeded_with_and_without_swipes(data, options):
    swipe(data)
    store = open_store(None, data)
    store.forget(42, LATER)
    store.close()
    document = json.loads(run(data, "prepare", *options, "--json").stdout)
    assert document["steps"][1]["name"] == "without forgotten users"
    assert 42 not in users_of(data)
    assert (NEW in users_of(data)) == bool(options)


def test_another_store_can_be_named(data, redis_url):
    swipe(data, redis_url)
    store = open_store(redis_url, None)
    store.forget(7, LATER)
    store.close()
    document = json.loads(run(data, "run", "--with-swipes", "--store", redis_url, "--json").stdout)
    assert document["prepare"]["swipes"]["merged"] == 13
    assert NEW in users_of(data)
    assert 7 not in users_of(data)
    assert not data.users_db.exists()


# -- stores that fail --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [["prepare"], ["prepare", "--with-swipes"], ["run", "--with-swipes"]], ids=" ".join)
def test_a_damaged_store_stops_the_command_and_the_prepared_data_stays(data, options):
    before = folder_of(data)
    data.users_db.write_bytes(b"no database at all" * 100)
    assert "users.db" in run(data, *options, expect=4).stderr
    assert folder_of(data) == before


@contextmanager
def silent_server(path: Path) -> Iterator[socket.socket]:
    """A server that takes connections and never answers."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        server.settimeout(30)
        yield server


@pytest.mark.parametrize("options", [["prepare"], ["prepare", "--with-swipes"]], ids=" ".join)
def test_a_store_that_cannot_be_reached_stops_the_command_and_the_prepared_data_stays(data, tmp_path, options):
    before = folder_of(data)
    assert "cannot be used" in run(data, *options, "--store", f"unix://{tmp_path}/gone.sock", expect=4).stderr
    with silent_server(tmp_path / "silent.sock"):
        assert "cannot be used" in run(data, *options, "--store", f"unix://{tmp_path}/silent.sock", expect=4).stderr
    assert folder_of(data) == before


def test_ctrl_c_while_a_store_is_read_leaves_the_prepared_data_as_it_is(data, tmp_path):
    before = folder_of(data)
    command = [MLREC, "prepare", "--with-swipes", "--store", f"unix://{tmp_path}/s.sock", "--data-dir", str(data.root)]
    with (
        silent_server(tmp_path / "s.sock") as server,
        started(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process,
    ):
        connection, _ = server.accept()  # from here on it waits for an answer
        with connection:
            process.send_signal(signal.SIGINT)
            _, messages = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in messages
    assert folder_of(data) == before
