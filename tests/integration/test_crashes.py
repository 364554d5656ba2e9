"""Four processes swipe at once and are killed in the middle: no acknowledged swipe may be missing, and every vector
must equal that of a replay of the log. On a real SQLite file, and on a real Redis server that is killed too.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mlrec import Recommender
from mlrec.artifacts import model_folder, registry
from mlrec.serving.stores import open_store
from mlrec.serving.stores.interface import Draft
from tests.processes import wait_until
from tests.stores import planned_swipe, redis_server

ROOT = Path(__file__).parents[2]
WORKERS = 4
EACH = 300
KILLED_AFTER = 500
"""Acknowledged swipes, four tenths of all: the workers are in the midst of theirs."""

USERS = range(9_000_001, 9_000_006)


def start(demo, store, acknowledged, first=0, last=EACH):
    return [
        subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("swiper.py")), str(demo.root), store, f"w{worker}",
             str(first), str(last), str(acknowledged / f"w{worker}")],
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
        )
        for worker in range(WORKERS)
    ]  # fmt: skip


def acknowledged_ids(folder: Path) -> list[str]:
    return [line for path in folder.iterdir() for line in path.read_text().splitlines()]


def wait_for(workers: list[subprocess.Popen[bytes]], folder: Path, n: int) -> None:
    def enough() -> bool:
        assert {worker.poll() for worker in workers} <= {None, 0}, "a worker has failed"
        return len(acknowledged_ids(folder)) >= n

    wait_until(enough, pause=0.01)


def check(demo, store_name: str, acknowledged: set[str]) -> None:
    """Nothing acknowledged is missing, nothing is there twice or otherwise than it was sent, vectors fit the log."""
    model = model_folder.open_model(registry.resolve(demo))
    store = open_store(store_name, None)
    assert store.check() == []
    found: set[str] = set()
    with Recommender.open(demo.root, store=store_name) as rec:
        for user_id in USERS:
            events = store.events(user_id)
            assert [event.event_id for event in events] == list(range(1, len(events) + 1))
            opinions: dict[int, tuple[int, int, int]] = {}
            for event in events:
                assert event.idempotency_key is not None
                name, _, number = event.idempotency_key.partition("-")
                planned = planned_swipe(name, int(number))
                row = model.movie_idx(event.movie_id)
                assert row is not None
                assert (user_id, row, event.preference, event.at) == planned
                assert event.idempotency_key not in found
                found.add(event.idempotency_key)
                opinions[row] = max(opinions.get(row, (0, 0, 0)), (event.at, event.event_id, event.preference))
            # A replay of the log in plain Python, solved at once.
            replayed = sorted((at, row, preference) for row, (at, _, preference) in opinions.items() if preference)
            expected = model.solver().user_vector(
                np.array([row for _, row, _ in replayed], dtype=np.int32),
                np.array([preference for _, _, preference in replayed], dtype=np.int8),
            )
            np.testing.assert_allclose(rec._view(user_id).vector, expected, atol=1e-5)
            kept = store.vector(user_id)
            assert kept is not None
            assert kept.stamp.endswith(f" {len(events)} {events[-1].token:x}")
            np.testing.assert_allclose(np.frombuffer(kept.values, dtype="<f4"), expected, atol=1e-5)
    store.close()
    assert acknowledged <= found


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_nothing_acknowledged_is_lost_when_all_swipers_are_killed(demo, tmp_path, request, kind):
    store = str(tmp_path / "users.db") if kind == "sqlite" else request.getfixturevalue("redis_url")
    folder = tmp_path / "acknowledged"
    folder.mkdir()
    workers = start(demo, store, folder)
    wait_for(workers, folder, KILLED_AFTER)
    for worker in workers:
        worker.send_signal(signal.SIGKILL)
    for worker in workers:
        worker.wait(60)
    before = acknowledged_ids(folder)
    assert KILLED_AFTER <= len(before) < WORKERS * EACH
    assert len(before) == len(set(before))
    check(demo, store, set(before))

    # They come back and send everything again: what is there already is not counted twice.
    workers = start(demo, store, folder)
    assert [worker.wait(120) for worker in workers] == [0] * WORKERS
    everything = {f"w{worker}-{number}" for worker in range(WORKERS) for number in range(EACH)}
    check(demo, store, everything)
    opened = open_store(store, None)
    assert opened.counts().swipes == len(everything)
    opened.close()


def test_nothing_acknowledged_is_lost_when_the_redis_server_is_killed(demo, tmp_path):
    folder = tmp_path / "acknowledged"
    folder.mkdir()
    with redis_server(tmp_path / "redis") as server:
        workers = start(demo, server.url, folder)
        wait_for(workers, folder, KILLED_AFTER)
        server.kill()
        assert {worker.wait(60) for worker in workers} <= {0, 4}  # each was told that the store is gone
        server.start()
        check(demo, server.url, set(acknowledged_ids(folder)))
        workers = start(demo, server.url, folder)
        assert [worker.wait(120) for worker in workers] == [0] * WORKERS
        check(demo, server.url, {f"w{worker}-{number}" for worker in range(WORKERS) for number in range(EACH)})


def test_a_torn_write_ahead_log_costs_nothing_that_was_complete(demo, tmp_path):
    """As after a loss of power: the write-ahead log ends in the middle of the last, unacknowledged commit."""
    path = tmp_path / "users.db"
    store = open_store(str(path), None)
    for number in range(50):
        store.append(1, Draft(number, 1, number))
    content = {name: Path(f"{path}{name}").read_bytes() for name in ("", "-wal")}
    size = len(content["-wal"])
    store.append(1, Draft(999, 1, 999))
    grown = Path(f"{path}-wal").read_bytes()
    assert len(grown) > size
    for cut in (size, size + 1, size + (len(grown) - size) // 2, len(grown) - 1):
        copy = tmp_path / f"copy{cut}.db"
        copy.write_bytes(content[""])
        Path(f"{copy}-wal").write_bytes(grown[:cut])
        for made in (copy, Path(f"{copy}-wal")):
            made.chmod(0o600)
        reopened = open_store(str(copy), None)
        assert [event.movie_id for event in reopened.events(1)] == list(range(50))
        assert reopened.check() == []
        reopened.close()
    store.close()
