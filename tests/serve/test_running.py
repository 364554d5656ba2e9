"""Starting, stopping, keys, limits, several workers, and what is told to those who run it."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from mlrec.artifacts import registry
from mlrec.model.train import train
from mlrec.settings import TrainSettings
from tests.processes import wait_until
from tests.serve.service import NEW_USER, SHAWSHANK, command

KEY, OTHER_KEY = "k" * 32, "another-key-of-somebody"


def refused(data, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(data, *options), capture_output=True, text=True, timeout=120)


def counts(service, client=None) -> dict[tuple[str, ...], float]:
    text = (client or service.client).get("/metrics").text
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


# -- the start ---------------------------------------------------------------------------------------------------------


def test_an_address_that_others_reach_needs_keys(demo_copy, tmp_path):
    for host in ("0.0.0.0", "::", "192.0.2.1", "example.com"):
        done = refused(demo_copy.root, "--host", host)
        assert done.returncode == 2
        assert "--api-key-file" in done.stderr
        assert done.stdout == ""
    keys = tmp_path / "keys"
    keys.write_text(f"# ours\n\napp = {KEY}\n")
    with subprocess.Popen(
        command(demo_copy.root, "--host", "0.0.0.0", "--api-key-file", str(keys)), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Swipe at http://0.0.0.0:")
        process.terminate()
        assert process.wait(60) == 0


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("app\n", "line 1: not a name and a key"),
        ("app = short\n", "shorter than 16"),
        ("", "has no keys"),
        (f"a = {KEY}\na = {OTHER_KEY}\n", "line 2: the name or the key is there twice"),
        (f"a = {KEY}\nb = {KEY}\n", "line 2: the name or the key is there twice"),
        (None, "cannot be read"),
    ],
)
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_fault_in_the_keys_is_told_with_its_line(demo_copy, tmp_path, content, words, workers):
    keys = tmp_path / "keys"
    if content is not None:
        keys.write_text(content)
    done = refused(demo_copy.root, "--api-key-file", str(keys), "--workers", workers)
    assert done.returncode in (2, 3)
    assert words in done.stderr
    assert KEY not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("workers", ["1", "2"])
def test_without_a_model_it_says_what_to_do(tmp_path, workers):
    done = refused(tmp_path, "--workers", workers)
    assert done.returncode == 4
    assert "mlrec run demo" in done.stderr or "mlrec train" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_told(demo_copy, shared):
    port = shared.address.rpartition(":")[2]
    done = subprocess.run([*command(demo_copy.root), "--port", port], capture_output=True, text=True, timeout=120)
    assert done.returncode == 4
    assert f"Port {port}" in done.stderr
    assert "--port" in done.stderr


def test_settings_that_cannot_be_used_are_told(demo_copy):
    for options, words in (
        (("--poster-url", "javascript:{tmdb_id}"), "poster_url"),
        (("--poster-url", "https://images.example.com/x.jpg"), "poster_url"),
        (("--cors-origin", "app.example.com"), "cors_origins"),
        (("--wait", "0"), "wait_seconds"),
    ):
        done = refused(demo_copy.root, *options)
        assert done.returncode == 2, done.stderr
        assert words in done.stderr


# -- the end -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", ["1", "2"])
def test_requests_in_flight_finish_and_a_second_signal_ends_at_once(serve, demo_copy, workers):
    import sqlite3

    service = serve("--workers", workers, "--wait", "60")
    swipe = {"movie_id": SHAWSHANK, "swipe": "like"}
    assert service.client.post(f"/v1/users/{NEW_USER}/swipes", json=swipe).status_code == 200
    holder = sqlite3.connect(demo_copy.users_db, isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(service.client.post, f"/v1/users/{NEW_USER}/swipes", json={**swipe, "movie_id": 1})
        wait_until(lambda: service.has_pending("writing"), pause=0.05)
        service.process.send_signal(signal.SIGTERM)
        time.sleep(0.4)
        holder.execute("COMMIT")
        assert waiting.result().status_code == 200  # it was in flight
    assert service.process.wait(60) == 0

    service = serve("--workers", workers, "--wait", "60")
    holder.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(service.client.post, f"/v1/users/{NEW_USER}/swipes", json={**swipe, "movie_id": 2})
        wait_until(lambda: service.has_pending("writing"), pause=0.05)
        service.process.send_signal(signal.SIGINT)
        time.sleep(0.7)
        assert service.process.poll() is None
        service.process.send_signal(signal.SIGINT)
        service.process.wait(30)  # long before the swipe has waited for its minute
        with pytest.raises(httpx.TransportError):
            waiting.result()
    holder.close()


# -- keys and sessions -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", ["1", "2"])
def test_keys_are_needed_and_read_again_on_a_hangup(serve, tmp_path, workers):
    keys = tmp_path / "keys"
    keys.write_text(f"app = {KEY}\n")
    keys.chmod(0o644)
    service = serve("--api-key-file", str(keys), "--workers", workers)
    assert "chmod 600" in service.log_text()
    client = service.client

    def status(**headers: str) -> int:
        """Of a new connection, which may reach any worker."""
        encoded = httpx.Headers(headers, encoding="utf-8")
        return httpx.get(f"{service.address}/v1/genres", headers=encoded, timeout=60).status_code

    def statuses(key: str) -> set[int]:
        return {status(Authorization=f"Bearer {key}") for _ in range(20)}

    answer = client.get("/v1/genres")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert answer.headers["content-type"] == "application/problem+json"
    assert status(Authorization=f"Bearer {KEY}") == 200
    assert status(**{"X-API-Key": KEY}) == 200
    for wrong in (KEY + "k", KEY[:-1], "Ü" * 20, "x"):
        assert status(Authorization=f"Bearer {wrong}") == 401
    assert status(Authorization=f"Basic {KEY}") == 401
    assert client.get("/metrics").status_code == 401
    assert {client.get(path).status_code for path in ("/livez", "/readyz", "/", "/docs", "/page/app.js")} == {200}

    keys.write_text(f"app = {OTHER_KEY}\nsecond = {'s' * 20}\n")
    running = service.workers()  # one of them may still begin
    service.process.send_signal(signal.SIGHUP)
    wait_until(lambda: statuses(OTHER_KEY) == {200} and statuses(KEY) == {401}, pause=0.1)
    keys.write_text("broken\n")
    service.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "stay as they are" in service.log_text())
    assert status(Authorization=f"Bearer {OTHER_KEY}") == 200
    wait_until(lambda: {line["key"] for line in service.log() if line.get("key")} == {"app"})
    assert service.workers() == running
    assert OTHER_KEY not in service.log_text()


def test_a_session_acts_for_its_own_user_only(serve, demo_copy, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text(f"app = {KEY}\n")
    service = serve("--api-key-file", str(keys))
    with httpx.Client(base_url=service.address, verify=False) as person:
        assert person.get("/v1/genres").status_code == 401
        session = person.post("/session").json()
        user = session["user_id"]
        assert session["may_be_anyone"] is False
        assert 2**52 <= user < 2**53  # a whole number that JavaScript can hold
        assert person.post("/session").json()["user_id"] == user
        assert person.post(f"/v1/users/{user}/swipes", json={"movie_id": SHAWSHANK, "swipe": "like"}).status_code == 200
        assert person.get(f"/v1/users/{user}/recommendations").status_code == 200
        assert person.get("/v1/movies/1").status_code == 200
        for method, path in (
            ("GET", "/v1/users/42"), ("GET", "/v1/users/42/recommendations"), ("GET", "/v1/users/42/swipes"),
            ("DELETE", "/v1/users/42"), ("DELETE", "/v1/users/42/swipes/latest"), ("GET", "/metrics"),
        ):  # fmt: skip
            assert person.request(method, path).status_code == 403
        assert person.post("/v1/batch/recommendations", json={"user_ids": [42]}).status_code == 403
        assert person.post("/session", params={"user": "42"}).status_code == 403
        cookie = person.cookies["mlrec_session"]
        for forged in (cookie[:-1] + ("0" if cookie[-1] != "0" else "1"), "0" * 32 + cookie[32:], "x", ""):
            answer = httpx.get(f"{service.address}/v1/users/{user}", headers={"Cookie": f"mlrec_session={forged}"})
            assert answer.status_code == 401
    assert stat.S_IMODE(demo_copy.session_secret.stat().st_mode) == 0o600


def test_a_session_outlives_a_restart(serve):
    first = serve()
    with httpx.Client(base_url=first.address) as person:
        user = person.post("/session").json()["user_id"]
        cookies = dict(person.cookies)
    first.stop()
    second = serve("--workers", "2")
    headers = {"Cookie": f"mlrec_session={cookies['mlrec_session']}"}
    assert {httpx.post(f"{second.address}/session", headers=headers).json()["user_id"] for _ in range(8)} == {user}


def test_without_a_page_there_are_no_sessions(serve):
    service = serve("--no-page")
    assert service.client.get("/").status_code == 404
    assert service.client.get("/docs").status_code == 404
    assert service.client.post("/session").status_code == 404
    assert service.client.get("/v1/genres").status_code == 200


def test_origins_that_may_use_it_from_a_browser(serve):
    service = serve("--cors-origin", "https://app.example.com")
    asked = {"Origin": "https://app.example.com", "Access-Control-Request-Method": "POST"}
    asked["Access-Control-Request-Headers"] = "content-type, idempotency-key"
    allowed = service.client.options("/v1/users/1/swipes", headers=asked)
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == "https://app.example.com"
    other = service.client.options("/v1/users/1/swipes", headers={**asked, "Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in other.headers
    refused = service.client.get("/v1/movies/51", headers={"Origin": "https://app.example.com"})
    assert refused.headers["access-control-allow-origin"] == "https://app.example.com"


# -- limits ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_rate_limit_counts_over_all_workers(serve, workers):
    service = serve("--rate-limit", "60", "--workers", workers)
    statuses, retry_after, started = [], [], time.monotonic()
    for _ in range(30):
        with httpx.Client(
            base_url=service.address, verify=False
        ) as client:  # a new connection may reach another worker
            answer = client.get("/v1/genres")
            statuses.append(answer.status_code)
            if answer.status_code == 429:
                retry_after.append(answer.headers["retry-after"])
    # A burst of a sixth of the minute's, and one more for each second that it took.
    assert 10 <= statuses.count(200) <= 11 + time.monotonic() - started
    assert statuses.count(429) == 30 - statuses.count(200)
    assert all(int(seconds) >= 1 for seconds in retry_after)
    assert {service.client.get("/livez").status_code for _ in range(20)} == {200}


# -- several workers, and what is told ---------------------------------------------------------------------------------


def test_counts_are_right_with_several_workers(serve):
    service = serve("--workers", "2")

    def ask(i: int) -> None:
        with httpx.Client(base_url=service.address, verify=False) as client:
            client.get("/v1/users/42/recommendations")
            client.get("/v1/users/8000000/recommendations")
            body = {
                "movie_id": SHAWSHANK,
                "swipe": "like" if i % 4 else "dislike",
                "source": "popular",
                "event_id": "x",
            }
            client.post(f"/v1/users/{NEW_USER + i}/swipes", json=body)
            client.post(f"/v1/users/{NEW_USER + i}/swipes", json=body)
            client.get("/v1/movies/51")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(40)))
    # A worker counts a request when its answer has left, and another one may tell the counts before that.
    wait_until(lambda: counts(service).get(("mlrec_requests_total", "GET", "/v1/movies/{movie_id}", "404")) == 40)
    found = counts(service)
    pids = set()
    for _ in range(30):
        with httpx.Client(base_url=service.address, verify=False) as client:
            pids.add(counts(service, client)["mlrec_worker_pid",])
    assert len(pids) == 2
    template = "/v1/users/{user_id}"
    assert found["mlrec_requests_total", "GET", f"{template}/recommendations", "200"] == 80
    assert found["mlrec_requests_total", "POST", f"{template}/swipes", "200"] == 80
    assert found["mlrec_requests_total", "GET", "/v1/movies/{movie_id}", "404"] == 40
    assert found["mlrec_request_seconds_count", "GET", f"{template}/recommendations"] == 80
    assert found["mlrec_swipes_total", "like", "popular"] == 30
    assert found["mlrec_swipes_total", "dislike", "popular"] == 10
    assert found["mlrec_lists_total", "cold"] == 40
    assert found["mlrec_lists_total", "personal"] == 40
    assert found["mlrec_model_age_seconds",] > 0


def test_the_access_log_knows_requests_and_no_users(serve):
    service = serve()
    secret_user = 771_234_567
    service.client.get(f"/v1/users/{secret_user}/recommendations?genre=Film-Noir", headers={"X-Request-ID": "trace-1"})
    service.client.get("/v1/movies", params={"title": "a private search"})
    wait_until(lambda: len(service.log()) >= 2)
    entry = next(line for line in service.log() if line.get("request_id") == "trace-1")
    assert {name: entry[name] for name in ("method", "path", "status", "level")} == {
        "method": "GET", "path": "/v1/users/{user_id}/recommendations", "status": 200, "level": "info",
    }  # fmt: skip
    assert entry["ms"] > 0
    assert entry["bytes"] > 500
    for private in (str(secret_user), "Film-Noir", "private"):
        assert private not in service.log_text()
    quiet = serve("--no-access-log")
    quiet.client.get("/v1/genres")
    assert quiet.log() == []


def test_all_workers_pick_up_a_new_model_and_let_go_of_the_old_one(serve, demo_copy):
    service = serve("--workers", "2")
    before = service.client.get("/v1/model").json()["model_id"]

    def models() -> set[str]:
        found = set()
        for _ in range(12):
            with httpx.Client(base_url=service.address, verify=False) as client:
                found.add(client.get("/v1/model").json()["model_id"])
        return found

    assert models() == {before}

    def mapped(worker: int) -> set[str]:
        maps = subprocess.run(["cat", f"/proc/{worker}/maps"], capture_output=True, text=True).stdout
        return set(re.findall(r"models/([^/]+)/", maps))

    def all_have_turned_to(model_id: str) -> bool:
        return all(mapped(worker) == {model_id} for worker in service.workers())

    for is_idle in (True, False):
        train(demo_copy, TrainSettings(iterations=1, factors=8))
        published = registry.published_id(demo_copy)
        assert published is not None
        if is_idle:  # nobody asks: the first who does gets the new model
            wait_until(partial(all_have_turned_to, published), pause=0.2)
        end = time.monotonic() + 120
        while models() != {published}:
            assert not is_idle
            assert time.monotonic() < end, published
            time.sleep(0.5)
    # No worker keeps a file of a model that is no longer served.
    for worker in service.workers():
        assert mapped(worker) <= {published}


def test_a_worker_that_dies_is_started_again(serve):
    service = serve("--workers", "2")
    first = service.workers()
    assert len(first) == 2
    os.kill(first[0], signal.SIGKILL)
    wait_until(lambda: len(set(service.workers()) - set(first)) == 1, pause=0.1)
    assert service.client.get("/v1/genres").status_code == 200


def test_the_document_of_the_api_is_complete(shared):
    document = shared.client.get("/openapi.json").json()
    assert document["info"]["title"] == "mlrec"
    tags = {tag["name"] for tag in document["tags"]}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            where = f"{method} {path}"
            assert operation["tags"][0] in tags, where
            assert operation["description"], where
            assert any(status.startswith("2") for status in operation["responses"]), where
            for status, response in operation["responses"].items():
                if int(status) >= 400 and path != "/readyz":
                    assert "application/problem+json" in response["content"], (where, status)
            for parameter in operation.get("parameters", ()):
                assert parameter.get("description") or parameter["schema"].get("description"), (where, parameter)
    assert json.dumps(document).count("HTTPValidationError") == 0


def test_signals_of_a_terminal_change_no_number_of_workers(serve):
    """For uvicorn, they mean one worker more or less; the socket of one less would keep its share of connections."""
    service = serve("--workers", "2")
    for sig in (signal.SIGTTOU, signal.SIGTTIN, signal.SIGTTOU):
        service.process.send_signal(sig)
    time.sleep(1.5)
    assert len(service.workers()) == 2
    for _ in range(20):
        assert httpx.get(f"{service.address}/livez", timeout=60).status_code == 200


def test_connections_are_spread_over_the_workers(serve):
    service = serve("--workers", "2")
    pids = set()
    for _ in range(40):  # each connection on its own; all at one worker once in 2^39 times
        text = httpx.get(f"{service.address}/metrics", timeout=60).text
        pids |= set(re.findall(r"^mlrec_worker_pid (\S+)", text, re.MULTILINE))
    assert len(pids) == 2
