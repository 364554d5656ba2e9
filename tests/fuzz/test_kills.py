"""Processes killed while working: what they acknowledged stays, and what they left behind is cleaned up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import pytest

from mlrec.artifacts import registry
from mlrec.serving.stores import open_store
from mlrec.workspace import Workspace
from tests.fuzz.attack import Case, Fuzz, command
from tests.fuzz.swiping import planned
from tests.processes import wait_until

ROOT = Path(__file__).parents[2]
WORKERS = 4


# -- swipes ------------------------------------------------------------------------------------------------------------


def acknowledged(folder: Path) -> list[str]:
    return [line for path in folder.iterdir() for line in path.read_text().splitlines()]


def swipe_until_killed(case: Case, workspace: Workspace, store: str, name: str) -> list[str]:
    """Let some processes swipe at once, kill them at a moment of chance; returns what was acknowledged."""
    folder = case.folder / name
    folder.mkdir()
    workers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.swiper", workspace.root, store, f"{name}{n}", folder / f"{n}"], cwd=ROOT
        )
        for n in range(WORKERS)
    ]
    try:
        enough = case.chance.choice((1, 20, 200))

        def so_many() -> bool:
            assert {worker.poll() for worker in workers} == {None}, "a worker has failed"
            return len(acknowledged(folder)) >= enough

        wait_until(so_many)
        for worker in workers:
            time.sleep(case.chance.random() / 50)
            worker.send_signal(signal.SIGKILL)
    finally:
        for worker in workers:
            worker.kill()
            worker.wait(60)
    return acknowledged(folder)


def check_swipes(store_name: str, expected: Sequence[str]) -> None:
    """All that was acknowledged is there once and as it was sent, and nothing else but what was sent."""
    store = open_store(store_name, None)
    assert store.check() == []
    found: list[str] = []
    for user_id in store.user_ids():
        events = store.events(user_id)
        assert [event.event_id for event in events] == list(range(1, len(events) + 1))
        assert sorted(events, key=lambda event: (event.at, event.event_id)) == list(events), (
            "the newest is not in effect"
        )
        for event in events:
            assert event.idempotency_key is not None
            name, _, number = event.idempotency_key.partition("-")
            assert (user_id, event.movie_id, event.preference) == planned(name, int(number))
            found.append(event.idempotency_key)
    store.close()
    assert len(found) == len(set(found))
    assert set(expected) <= set(found)


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_no_acknowledged_swipe_is_lost_when_those_who_swipe_are_killed(fuzz: Fuzz, copied, request, kind):
    def attack(case: Case) -> None:
        workspace = copied(case.folder)
        store = str(workspace.users_db)
        if kind == "redis":
            store = request.getfixturevalue("redis_url")
            redis_flush(store)
        first = swipe_until_killed(case, workspace, store, "a")
        check_swipes(store, first)
        second = swipe_until_killed(case, workspace, store, "b")
        check_swipes(store, first + second)
        command("doctor", "--store", store, data=workspace.root, expect={0})

    fuzz.run(1, attack, seconds=60)


def redis_flush(url: str) -> None:
    import redis

    with redis.Redis.from_url(url) as client:
        client.flushall()


# -- commands ----------------------------------------------------------------------------------------------------------

PREPARE = ("prepare", "--min-user-ratings", 2, "--min-movie-ratings", 2)
WAYS: dict[str, tuple[object, ...]] = {
    "prepare": PREPARE,
    "train": ("train", "--iterations", 1, "--factors", 4),
    "evaluate": ("evaluate", "--baseline", "popularity"),
    "models use": ("models", "use", "OTHER"),
    "models remove": ("models", "remove", "OTHER"),
    "models prune": ("models", "prune", "--keep", 1),
    "recommend": ("recommend", "--all-users", "--out", "lists.parquet"),
    "export": ("users", "export", "swipes.csv"),
    "import": ("users", "import", "given.csv", "--max-reject-share", 1),
    "swipe": ("swipe", "--user", 3, "--movie", 5, "--preference", "like"),
    "tune": ("tune", "--trials", 1),
    "fetch": ("fetch", "demo", "--force"),
}


def run(step: int, words: Sequence[object], workspace: Workspace) -> subprocess.CompletedProcess[str]:
    """Run a command that dies at a step of its work on files."""
    return subprocess.run(
        [sys.executable, "-m", "tests.fuzz.dying", str(step), *map(str, words), "--data-dir", workspace.root],
        cwd=workspace.root.parent,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
        capture_output=True,
        text=True,
        timeout=60,
    )


def lay_out(copied, folder: Path) -> Workspace:
    """A copy of the data set, with what the commands want beside it."""
    workspace: Workspace = copied(folder)
    (folder / "given.csv").write_text("user_id,movie_id,preference,at\n7,1,like,1000000000\n7,x,like,1000000000\n")
    command("swipe", "--user", 9, "--movie", 3, "--preference", "like", "--json", data=workspace.root, expect={0})
    return workspace


def words_of(way: str, workspace: Workspace) -> list[object]:
    published = registry.published_id(workspace)
    other = next((model_id for model_id in registry.list_ids(workspace) if model_id != published), published)
    return [other if word == "OTHER" else word for word in WAYS[way]]


def hidden(folder: Path) -> list[str]:
    """What is not for users to see, but for the lock and what marks a file of SQLite's own as in use."""
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.name != ".lock" and (path.name.startswith(".") or path.name in ("prepared.new", "prepared.old"))
    )


@pytest.fixture(scope="session")
def steps_of(copied, tmp_path_factory) -> Callable[[str], int]:
    """How many steps a command's work on files has."""

    @cache
    def steps(way: str) -> int:
        whole = lay_out(copied, tmp_path_factory.mktemp("whole"))
        done = run(0, words_of(way, whole), whole)
        assert done.returncode == 0, done.stderr
        return int(done.stderr.split()[-1])

    return steps


def test_a_command_that_is_killed_leaves_no_trace_once_somebody_has_written_there_again(fuzz: Fuzz, copied, steps_of):
    def attack(case: Case) -> None:
        way = case.chance.choice(sorted(WAYS))
        workspace = lay_out(copied, case.folder)
        step = case.chance.randint(1, steps_of(way))
        case.note(f"{way}, killed at step {step} of {steps_of(way)}")
        died = run(step, words_of(way, workspace), workspace)
        assert died.returncode in (-signal.SIGKILL, 0), died.stderr
        case.note(f"left: {hidden(case.folder)}")
        # Whoever reads finds all in order, whatever was half done.
        assert registry.published_id(workspace) in registry.list_ids(workspace)
        command("recommend", "--user", 1, "--json", data=workspace.root, expect={0})
        assert "Next: " in command("doctor", data=workspace.root).out
        # A model that has been removed cannot be removed again.
        words = WAYS["models prune"] if way == "models remove" else words_of(way, workspace)
        again = run(0, words, workspace)
        assert again.returncode == 0, again.stderr
        assert hidden(case.folder) == [], "left for ever"
        command("doctor", data=workspace.root, expect={0})

    fuzz.run(6, attack, seconds=60)
