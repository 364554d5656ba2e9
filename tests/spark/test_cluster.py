"""The commands on a cluster: a master and two workers, separate processes on the loopback interface."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from mlrec import Recommender
from mlrec.dataset.prepare import prepare
from mlrec.workspace import Workspace
from tests.processes import wait_until
from tests.spark.same import assert_same, hashes

MLREC = str(Path(sys.executable).with_name("mlrec"))


def mlrec(data: Path, *arguments: object) -> subprocess.Popen[str]:
    """A running mlrec."""
    return subprocess.Popen(
        [MLREC, "--data-dir", str(data), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str], code: int) -> tuple[str, str]:
    """What it printed until it ended with this code."""
    output, messages = process.communicate(timeout=900)
    assert process.returncode == code, messages
    assert "Traceback" not in messages
    return output, messages


def wait_for_executors(cluster, n: int) -> list[int]:
    wait_until(lambda: len(cluster.executors()) >= n, pause=0.1)
    return cluster.executors()


def test_run_on_two_workers_one_of_whose_executors_dies(cluster, demo_raw, demo, tmp_path):
    cluster.start(workers=2)
    data, settings = tmp_path / "shared", tmp_path / "settings.json"
    settings.write_text(json.dumps({"settings": {"factors": 16, "iterations": 2}}))
    process = mlrec(data, "run", "--raw", demo_raw, "--settings", settings, "--json", *cluster.options())
    seen = set(wait_for_executors(cluster, 2))
    time.sleep(3)  # into the midst of the preparation
    victim = seen.pop()
    os.kill(victim, signal.SIGKILL)
    output, messages = ended(process, 0)
    assert messages == ""
    document = json.loads(output)  # and nothing else is on stdout
    assert document["prepare"]["engine"]["master"] == cluster.master
    assert document["train"]["published"] is True
    assert_same(demo, Workspace(data))
    # Two executors on two workers, and one that took the place of the dead one.
    started = [path for number in (0, 1) for path in (cluster.folder / f"work-{number}").glob("app-*/*")]
    assert len(started) >= 3
    assert {path.parent.parent.name for path in started} == {"work-0", "work-1"}

    with Recommender.open(data) as recommender:
        before = recommender.get_top_n(42)
        recommender.update_user(42, before[0].movie_id, -2)
        assert before[0].movie_id not in [item.movie_id for item in recommender.get_top_n(42)]
    wait_until(lambda: not cluster.executors(), pause=0.1)  # nothing of an application stays on the workers


def test_when_all_workers_die_the_command_ends_and_the_last_state_stays(cluster, demo_raw, tmp_path):
    cluster.start(workers=1)
    workspace = Workspace(tmp_path / "shared")
    prepare(workspace, raw=demo_raw)
    before = hashes(workspace)
    process = mlrec(
        workspace.root, "prepare", "--raw", demo_raw, "--min-user-ratings", 30,
        *cluster.options(spark__mlrec__executorTimeout="3"),
    )  # fmt: skip
    wait_for_executors(cluster, 1)
    time.sleep(2)
    cluster.stop_workers()
    output, messages = ended(process, 4)
    assert output == ""
    assert f"Error: Spark on {cluster.master} has had no executor for 3 seconds." in messages
    assert "Check that its workers are running" in messages
    assert hashes(workspace) == before
    assert not workspace.prepared_new.root.exists()


def test_ctrl_c_leaves_the_last_state_and_no_process(demo_copy, demo_raw):
    before = hashes(demo_copy)
    process = mlrec(demo_copy.root, "prepare", "--raw", demo_raw, "--engine", "spark", "--spark-master", "local[2]")
    wait_until(demo_copy.scratch.joinpath("spark").exists, pause=0.1)
    java = child_of(process)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, messages = ended(process, 130)
    assert messages == "Interrupted. Completed work is kept.\n"
    assert hashes(demo_copy) == before
    wait_until(lambda: not running(java), pause=0.1)


def child_of(process: subprocess.Popen[str]) -> int:
    """The process of Java that a running mlrec has begun."""
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
            if int(parent) == process.pid:
                return int(entry.name)
    raise AssertionError("no child")


def running(pid: int) -> bool:
    with suppress(OSError):
        return "java" in Path(f"/proc/{pid}/cmdline").read_text()
    return False
