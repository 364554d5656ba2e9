"""A preparation interrupted at any moment leaves the last prepared folder as it was, or the new one complete."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mlrec.artifacts.prepared import read_manifest
from mlrec.dataset.prepare import prepare
from mlrec.settings import PrepareSettings
from mlrec.workspace import Workspace
from tests.processes import started, wait_until

MLREC = str(Path(sys.executable).with_name("mlrec"))
OLD = PrepareSettings(min_user_ratings=1, min_movie_ratings=1, user_offset=1_000_000)
NEW = PrepareSettings(min_user_ratings=1, min_movie_ratings=1, threads=1)
NEW_OPTIONS = ["--min-user-ratings", "1", "--min-movie-ratings", "1"]


def write_raw(raw: Path, ratings: int, users: int, movies: int) -> Path:
    chance = random.Random(1)
    raw.mkdir()
    lines = (
        f"{chance.randrange(users)},{chance.randrange(movies)},{chance.randrange(1, 6)},{chance.randrange(10**9)}\n"
        for _ in range(ratings)
    )
    (raw / "ratings.csv").write_text("userId,movieId,rating,timestamp\n" + "".join(lines))
    catalogue = "".join(f"{movie_id},Movie {movie_id} (1990),Drama\n" for movie_id in range(movies))
    (raw / "movies.csv").write_text("movieId,title,genres\n" + catalogue)
    return raw


def snapshot(workspace: Workspace) -> dict[str, bytes]:
    """The bytes of every file of the prepared folder, as a reader finds it."""
    read_manifest(workspace)
    return {path.name: path.read_bytes() for path in workspace.prepared.root.iterdir()}


def rows(workspace: Workspace) -> dict[str, bytes]:
    """The same without the manifest, which tells the time."""
    return {name: content for name, content in snapshot(workspace).items() if name != "manifest.json"}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# -- signals to the command ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def medium(tmp_path_factory) -> tuple[Path, Workspace, dict[str, bytes]]:
    """Raw files that take about a second, and the folder that an earlier run made of them."""
    root = tmp_path_factory.mktemp("medium")
    raw = write_raw(root / "raw", ratings=200_000, users=4000, movies=1500)
    earlier = Workspace(root / "earlier")
    prepare(earlier, OLD, raw=raw)
    return raw, earlier, snapshot(earlier)


def reading(workspace: Workspace) -> bool:
    return workspace.scratch.exists()


def writing_movies(workspace: Workspace) -> bool:
    return (workspace.prepared_new.root / "movies.parquet").exists()


def writing_splits(workspace: Workspace) -> bool:
    return (workspace.prepared_new.root / "train.parquet").exists()


@pytest.mark.parametrize(
    ("how", "moment", "delay"),
    [
        pytest.param(signal.SIGINT, reading, 0.0, id="ctrl-c at the beginning"),
        pytest.param(signal.SIGINT, reading, 0.15, id="ctrl-c while reading"),
        pytest.param(signal.SIGINT, writing_movies, 0.0, id="ctrl-c while writing movies"),
        pytest.param(signal.SIGINT, writing_splits, 0.0, id="ctrl-c while writing splits"),
        pytest.param(signal.SIGKILL, reading, 0.15, id="kill while reading"),
        pytest.param(signal.SIGKILL, writing_splits, 0.0, id="kill while writing splits"),
    ],
)
def test_an_interrupted_command(medium, tmp_path, how, moment: Callable[[Workspace], bool], delay):
    raw, earlier, old = medium
    workspace = Workspace(tmp_path)
    shutil.copytree(earlier.root, workspace.root, dirs_exist_ok=True)
    with started(
        [MLREC, "prepare", "--data-dir", str(workspace.root), "--raw", str(raw), *NEW_OPTIONS],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:

        def reached() -> bool:
            if moment(workspace):
                return True
            assert process.poll() is None, "it was done before it could be interrupted"
            return False

        wait_until(reached, pause=0.001)
        time.sleep(delay)
        process.send_signal(how)
        _, messages = process.communicate(timeout=60)

    assert "Traceback" not in messages
    if process.returncode == 0:  # the signal came when all was done
        assert read_manifest(workspace).document["settings"]["user_offset"] == NEW.user_offset
        return
    if read_manifest(workspace).document["settings"]["user_offset"] == OLD.user_offset:
        assert snapshot(workspace) == old
    if how == signal.SIGINT:
        assert process.returncode == 130
        assert "Interrupted" in messages
    else:
        assert process.returncode == -signal.SIGKILL
        assert ".scratch" in names(workspace.root)
        # The lock died with its holder, and the next run clears up behind it.
        prepare(workspace, NEW, raw=raw)
    assert names(workspace.root) == [".lock", "prepared"]


# -- every step on the file system -----------------------------------------------------------------------------------

# Ends a preparation right before its n-th change of the file system, for every n, each in a process of its own.
STOPPER = """
import os, shutil, signal, sys
from pathlib import Path
import duckdb
import mlrec.artifacts.prepared
from mlrec.dataset.prepare import prepare
from mlrec.settings import PrepareSettings
from mlrec.workspace import Workspace

how, raw, earlier, target = sys.argv[1], *map(Path, sys.argv[2:])

def run(n):
    changes = 0
    def watch(event, arguments):
        nonlocal changes
        if event in ("os.rename", "os.remove", "os.mkdir", "os.rmdir"):
            changes += 1
            if changes == n and how == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            elif changes == n:
                raise KeyboardInterrupt
    folder = target / str(n)
    shutil.copytree(earlier, folder)
    sys.addaudithook(watch)
    try:
        prepare(Workspace(folder), PrepareSettings(min_user_ratings=1, min_movie_ratings=1, threads=1), raw=raw)
    except KeyboardInterrupt:
        os._exit(130)
    os._exit(0 if changes < n else 130)  # some interrupts are swallowed, the work being done

def start(n):
    process = os.fork()
    if process == 0:
        run(n)
    return process

statuses = []
while 0 not in statuses:
    batch = [start(len(statuses) + i) for i in (1, 2, 3, 4)]
    statuses += [os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) for process in batch]
sys.exit(any(status not in (0, 130, -signal.SIGKILL) for status in statuses))
"""


@pytest.mark.parametrize("how", ["ctrl-c", "kill"])
def test_an_interrupt_before_any_change_of_the_file_system(tmp_path, how):
    raw = write_raw(tmp_path / "raw", ratings=200, users=10, movies=20)
    earlier, clean, target = Workspace(tmp_path / "earlier"), Workspace(tmp_path / "clean"), tmp_path / "stopped"
    prepare(earlier, OLD, raw=raw)
    prepare(clean, NEW, raw=raw)
    old, new = snapshot(earlier), rows(clean)

    subprocess.run(
        [sys.executable, "-c", STOPPER, how, str(raw), str(earlier.root), str(target)], check=True, timeout=300
    )

    folders = sorted(target.iterdir(), key=lambda folder: int(folder.name))
    is_old = [snapshot(Workspace(folder)) == old for folder in folders]
    # Up to some step the old folder stands, untouched; from there on the new one does, complete.
    changed = is_old.index(False)
    assert changed > 3
    assert not any(is_old[changed:])
    assert all(rows(Workspace(folder)) == new for folder in folders[changed:])
    # Wherever it stopped, the next run gets through and clears up.
    for folder in folders[2 : changed + 6 : 6]:
        prepare(Workspace(folder), NEW, raw=raw)
        assert rows(Workspace(folder)) == new
        assert names(folder) == [".lock", "prepared"]
