"""Faults in the middle of the work: killed workers, held locks, full disks, stores that hang. All over HTTP."""

from __future__ import annotations

import os
import random
import signal
import socket
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from urllib.parse import urlsplit

import httpx
import pytest

from mlrec.serving.stores import open_store
from tests.processes import wait_until
from tests.serve.service import NEW_USER, SHAWSHANK, Service
from tests.stores import redis_server

SWIPE = {"movie_id": SHAWSHANK, "swipe": "like"}


def movies_of(service: Service, n: int) -> list[int]:
    found = service.client.get("/v1/users/1/recommendations", params={"n": n, "include_seen": "true"}).json()
    return [item["movie_id"] for item in found]


@pytest.mark.parametrize("store_kind", ["sqlite", "redis"])
def test_a_worker_killed_among_a_thousand_swipes_loses_none(serve, demo_copy, store_kind, redis_url):
    """Whatever was acknowledged is in the log, once; what got no answer is sent again with the same key."""
    options = ("--store", redis_url) if store_kind == "redis" else ()
    service = serve("--workers", "2", "--no-access-log", *options)
    movies = movies_of(service, 125)
    users = range(NEW_USER, NEW_USER + 8)
    acknowledged: dict[int, list[str]] = {user: [] for user in users}
    repeats = 0
    lock = threading.Lock()

    def swipe_all(user: int) -> None:
        nonlocal repeats
        client = httpx.Client(base_url=service.address, timeout=60)
        for number, movie in enumerate(movies):
            key = f"{user}-{number}"
            body = {"movie_id": movie, "swipe": "like", "event_id": key}
            for attempt in range(200):
                try:
                    answer = client.post(f"/v1/users/{user}/swipes", json=body)
                    if answer.status_code == 200:
                        acknowledged[user].append(key)
                        with lock:
                            repeats += not answer.json()["state"]["is_new"]
                        break
                    assert answer.status_code == 503, answer.text
                except httpx.TransportError:
                    client.close()
                    client = httpx.Client(base_url=service.address, timeout=60)
                time.sleep(0.01 * min(attempt, 10))
            else:
                raise AssertionError("the service did not come back")
        client.close()

    def kill_now_and_then() -> None:
        chance = random.Random(7)
        for _ in range(5):
            time.sleep(0.4)
            if found := service.workers():
                with suppress(ProcessLookupError):
                    os.kill(chance.choice(found), signal.SIGKILL)

    with ThreadPoolExecutor(9) as pool:
        killer = pool.submit(kill_now_and_then)
        list(pool.map(swipe_all, users))
        killer.result()
    with closing(open_store(redis_url if store_kind == "redis" else None, demo_copy)) as store:
        for user in users:
            keys = [event.idempotency_key for event in store.events(user)]
            assert keys == acknowledged[user]
            assert len(keys) == len(set(keys)) == 125
    assert "Traceback" not in service.log_text().replace("KeyboardInterrupt", "")
    # All of it once more: nothing changes.
    answer = service.client.post(
        f"/v1/users/{NEW_USER}/swipes", json={**SWIPE, "movie_id": movies[3], "event_id": f"{NEW_USER}-3"}
    )
    assert answer.json()["state"]["is_new"] is False


def test_swipes_that_wait_for_a_lock_stop_neither_lists_nor_health(serve, demo_copy):
    service = serve("--wait", "5")
    assert service.client.post(f"/v1/users/{NEW_USER}/swipes", json=SWIPE).status_code == 200
    swiper = httpx.Client(base_url=service.address, timeout=60, limits=httpx.Limits(max_connections=None))
    with (
        swiper,
        closing(sqlite3.connect(demo_copy.users_db, isolation_level=None)) as holder,
        ThreadPoolExecutor(130) as pool,
    ):
        holder.execute("BEGIN IMMEDIATE")  # as a long import does

        def swipe(number: int) -> httpx.Response:
            return swiper.post(f"/v1/users/{NEW_USER + number}/swipes", json=SWIPE)

        # 64 may wait, and up to 32 are tried together. More are refused at once, which says that the others wait.
        swipes = [pool.submit(swipe, number) for number in range(120)]
        wait_until(lambda: sum(one.done() for one in swipes) >= 20)
        answered = 0
        while not all(one.done() for one in swipes):
            for path in ("/livez", "/readyz", "/v1/users/42/recommendations", f"/v1/users/{NEW_USER}/deck"):
                assert service.client.get(path).status_code == 200
                answered += not all(one.done() for one in swipes)
        assert answered >= 4  # while swipes waited
        refused = [one.result() for one in swipes]
        assert {answer.status_code for answer in refused} == {503}
        assert all("retry-after" in answer.headers for answer in refused)
        assert sum("Too many" in answer.text for answer in refused) >= 20
        assert sum("Too many" not in answer.text for answer in refused) >= 20
        holder.execute("ROLLBACK")
    assert service.client.post(f"/v1/users/{NEW_USER}/swipes", json={**SWIPE, "movie_id": 1}).status_code == 200
    text = service.client.get("/metrics").text
    assert 'mlrec_store_errors_total{reason="unavailable"}' in text
    assert str(demo_copy.users_db) in service.log_text()  # the log has the reason, which no answer has
    names = {answer.headers["x-request-id"] for answer in refused}
    told = [line["message"] for line in service.log() if "locked" in line.get("message", "")]
    assert told
    assert all(any(name in message for name in names) for message in told)


def test_a_store_that_hangs_makes_the_service_unready_and_comes_back(serve, tmp_path):
    with redis_server(tmp_path / "redis") as server:
        service = serve("--store", server.url, "--wait", "1")
        assert service.client.post(f"/v1/users/{NEW_USER}/swipes", json=SWIPE).status_code == 200
        os.kill(server.process.pid, signal.SIGSTOP)
        try:
            answer = service.client.post(f"/v1/users/{NEW_USER}/swipes", json={**SWIPE, "movie_id": 1, "event_id": "a"})
            assert answer.status_code == 503
            assert "redis" not in answer.text.lower()
            wait_until(lambda: service.client.get("/readyz").status_code == 503, pause=0.2)
            assert service.client.get("/readyz").json()["store"] == "failing"
            assert service.client.get("/livez").status_code == 200
            assert service.client.get("/v1/movies/1").status_code == 200  # needs no store
        finally:
            os.kill(server.process.pid, signal.SIGCONT)
        wait_until(lambda: service.client.get("/readyz").status_code == 200, pause=0.2)
        again = service.client.post(f"/v1/users/{NEW_USER}/swipes", json={**SWIPE, "movie_id": 1, "event_id": "a"})
        assert again.status_code == 200
        assert len(service.client.get(f"/v1/users/{NEW_USER}/swipes").json()) == 2


def test_a_disk_that_is_full_refuses_swipes_and_goes_on_with_lists(serve, demo_copy):
    """A limit on the size of files stands for the disk: SQLite sees the same error."""
    import resource
    import subprocess

    service = serve()
    assert service.client.post(f"/v1/users/{NEW_USER}/swipes", json=SWIPE).status_code == 200
    size = max(path.stat().st_size for path in demo_copy.root.glob("users.db*"))
    subprocess.run(["prlimit", f"--pid={service.process.pid}", f"--fsize={size}:{size}"], check=True)
    refused = 0
    for number, movie in enumerate(movies_of(service, 200)):
        answer = service.client.post(
            f"/v1/users/{NEW_USER + 1}/swipes", json={"movie_id": movie, "swipe": "like", "event_id": str(number)}
        )
        assert answer.status_code in (200, 503), answer.text
        refused += answer.status_code == 503
    assert refused > 0
    assert service.client.get(f"/v1/users/{NEW_USER}/recommendations").status_code == 200
    assert service.client.get("/livez").status_code == 200
    subprocess.run(["prlimit", f"--pid={service.process.pid}", f"--fsize={resource.RLIM_INFINITY}"], check=False)
    service.stop()
    with closing(open_store(None, demo_copy)) as store:
        assert len(store.events(NEW_USER)) == 1
        assert len(store.events(NEW_USER + 1)) == 200 - refused


def test_a_body_that_never_ends_holds_nothing(serve):
    service = serve("--no-access-log")
    host = urlsplit(service.address)
    hanging = []
    for _ in range(60):
        connection = socket.create_connection((host.hostname, host.port))
        connection.sendall(
            f"POST /v1/users/1/swipes HTTP/1.1\r\nHost: {host.netloc}\r\nContent-Type: application/json\r\n"
            "Content-Length: 1000\r\n\r\n{".encode()
        )
        hanging.append(connection)
    for _ in range(20):
        assert service.client.get("/v1/users/42/recommendations").status_code == 200
    assert service.client.post(f"/v1/users/{NEW_USER}/swipes", json=SWIPE).status_code == 200
    hanging[0].settimeout(60)
    assert hanging[0].recv(100).startswith(b"HTTP/1.1 408")
    for connection in hanging:
        connection.close()


def test_a_damaged_model_leaves_the_old_one_serving(serve, demo_copy):
    from mlrec.artifacts import registry
    from mlrec.model.train import train
    from mlrec.settings import TrainSettings

    service = serve()
    before = service.client.get("/v1/model").json()["model_id"]
    train(demo_copy, TrainSettings(iterations=1), publish=False)
    (new,) = [one for one in registry.list_ids(demo_copy) if one != before]
    (demo_copy.model(new).root / "movie_embeddings.npy").write_bytes(b"damaged")
    demo_copy.current_pointer.write_text(f"{new}\n")

    def is_told() -> bool:
        service.client.get("/v1/model")  # a worker looks for a new model when it is asked for something
        return "goes on serving" in service.log_text()

    wait_until(is_told, pause=0.2)
    answer = service.client.get("/v1/users/42/recommendations")
    assert answer.status_code == 200
    assert service.client.get("/v1/model").json()["model_id"] == before
    assert service.client.get("/readyz").status_code == 200
