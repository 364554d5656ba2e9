"""The example application: every endpoint and error, and two real workers at once."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from fastapi.testclient import TestClient

from examples.fastapi_app import STATUS, app, opened
from mlrec import Swipe, errors
from mlrec.errors import MlrecError, ModelMissingError
from mlrec.model.train import train
from mlrec.serving.stores import open_store
from mlrec.settings import TrainSettings
from tests.text_ids import movie_text

ROOT = Path(__file__).parents[2]
NEW_USER = 7001
TOY_STORY, JUMANJI = 1, 2


@pytest.fixture
def served(demo_copy, monkeypatch):
    """The data directory that the application is going to open."""
    monkeypatch.setenv("MLREC_DATA_DIR", str(demo_copy.root))
    monkeypatch.delenv("MLREC_REFRESH_SECONDS", raising=False)
    return demo_copy


@pytest.fixture
def client(served):
    with TestClient(app) as client:
        yield client


@pytest.fixture
def store(served):
    with closing(open_store(None, served)) as store:
        yield store


def ids(movies: list[dict[str, Any]]) -> list[Any]:
    return [movie["movie_id"] for movie in movies]


def refused(response, status: int) -> str:
    """Message of an error, once it is clear that the answer has the form of one."""
    assert response.status_code == status, response.text
    body = response.json()
    assert set(body) == {"error", "hint"}
    return str(body["error"])


# -- what it answers ---------------------------------------------------------------------------------------------------


def test_recommendations_and_their_filters(client):
    items = client.get("/users/42/recommendations").json()
    assert [item["rank"] for item in items] == list(range(1, 11))
    names = ("rank", "movie_id", "title", "year", "genres", "score", "source", "imdb_id", "tmdb_id", "details")
    assert set(items[0]) == {*names, "taste", "origin"}
    assert {item["source"] for item in items} == {"personal"}

    wanted = {"n": 20, "genre": ["comedy", "War"], "first_year": 1990, "last_year": 1999, "diversity": 0.3}
    filtered = client.get("/users/42/recommendations", params=wanted).json()
    assert len(filtered) == 20
    for item in filtered:
        assert {"Comedy", "War"} & set(item["genres"])
        assert 1990 <= item["year"] <= 1999
    assert min(item["year"] for item in items) < 1999
    recent = client.get("/users/42/recommendations", params={"first_year": 1999}).json()
    assert len(recent) == 10
    assert min(item["year"] for item in recent) >= 1999


def test_a_swipe_answers_the_state_and_the_next_list(client, store):
    before = client.get(f"/users/{NEW_USER}/recommendations").json()
    assert {item["source"] for item in before} == {"popular"}

    sent = {"movie_id": TOY_STORY, "swipe": "superlike", "idempotency_key": "card-1"}
    body = client.post(f"/users/{NEW_USER}/swipes", params={"n": 5}, json=sent).json()
    state = {
        "event_id": 1, "movie_id": TOY_STORY, "preference": 2, "undone": False, "is_new": True, "in_effect": True,
        "opinions": 1,
    }  # fmt: skip
    model_id = client.get("/health").json()["model_id"]
    assert body["state"] == {"user_id": NEW_USER, "model_id": model_id, **state}
    assert len(body["recommendations"]) == 5
    assert TOY_STORY not in ids(body["recommendations"])
    assert body["recommendations"] == client.get(f"/users/{NEW_USER}/recommendations", params={"n": 5}).json()

    again = client.post(f"/users/{NEW_USER}/swipes", json=sent).json()
    assert again["state"] == {**body["state"], "is_new": False}
    assert [(event.movie_id, event.preference) for event in store.events(NEW_USER)] == [(TOY_STORY, 2)]


def test_undo_takes_back_the_latest_swipe(client):
    before = client.get(f"/users/{NEW_USER}/recommendations").json()
    client.post(f"/users/{NEW_USER}/swipes", json={"movie_id": TOY_STORY, "swipe": "dislike"})
    body = client.delete(f"/users/{NEW_USER}/swipes/latest", params={"idempotency_key": "undo-1"}).json()
    assert body["state"]["undone"] is True
    assert (body["state"]["movie_id"], body["state"]["opinions"]) == (TOY_STORY, 0)
    assert body["recommendations"] == before


def test_why_adds_up_to_the_score(client):
    best = client.get("/users/42/recommendations", params={"n": 1}).json()[0]
    explanation = client.get(f"/users/42/why/{best['movie_id']}").json()
    assert explanation["title"] == best["title"]
    assert explanation["score"] == pytest.approx(best["score"], rel=1e-5)
    parts = explanation["popularity"] + sum(like["value"] for like in explanation["likes"])
    assert parts == pytest.approx(explanation["score"])
    assert {like["preference"] for like in explanation["likes"]} <= {1, 2}


def test_movies_are_found_by_title_and_by_similarity(client):
    found = client.get("/movies", params={"title": "toy story", "n": 2}).json()
    assert [movie["title"] for movie in found] == ["Toy Story", "Toy Story 2"]
    similar = client.get(f"/movies/{TOY_STORY}/similar", params={"n": 3}).json()
    assert similar[0]["title"] == "Toy Story 2"
    assert {item["source"] for item in similar} == {"similar"}


def test_a_visitor_gets_a_list_and_leaves_nothing_behind(client, store):
    liked = client.post("/visitors/recommendations", params={"n": 5}, json={"likes": [TOY_STORY]}).json()
    other = client.post("/visitors/recommendations", params={"n": 5}, json={"dislikes": [TOY_STORY]}).json()
    assert len(liked) == len(other) == 5
    assert liked != other
    assert TOY_STORY not in ids(liked + other)
    assert store.user_ids() == []


# -- what it refuses ---------------------------------------------------------------------------------------------------


def test_unknown_movies_are_404(client, store):
    unknown = 999_999_999
    answers = [
        client.post("/users/42/swipes", json={"movie_id": unknown, "swipe": "like"}),
        client.post("/visitors/recommendations", json={"likes": [unknown]}),
        client.get(f"/users/42/why/{unknown}"),
        client.get(f"/movies/{unknown}/similar"),
    ]
    for answer in answers:
        assert str(unknown) in refused(answer, 404)
    assert store.user_ids() == []


def test_what_cannot_be_meant_is_422(client, store):
    assert "Scifi" in refused(client.get("/users/42/recommendations", params={"genre": "Scifi"}), 422)
    assert "diversity" in refused(client.get("/users/42/recommendations", params={"diversity": 2}), 422)
    assert "64 bits" in refused(client.get(f"/users/{2**63}/recommendations"), 422)
    for user_id in ("1_0", "007", "+7", "7.0"):
        assert client.get(f"/users/{user_id}/recommendations").status_code == 422
    both = {"likes": [TOY_STORY], "dislikes": [TOY_STORY]}
    assert "both" in refused(client.post("/visitors/recommendations", json=both), 422)
    long_id = {"movie_id": TOY_STORY, "swipe": "like", "idempotency_key": "x" * 201}
    assert "idempotency_key" in refused(client.post("/users/42/swipes", json=long_id), 422)
    # What FastAPI itself finds wrong has FastAPI's own form.
    for answer in (
        client.post("/users/42/swipes", json={"movie_id": TOY_STORY, "swipe": "love"}),
        client.get("/users/42/recommendations", params={"n": 0}),
        client.get("/users/somebody/recommendations"),
    ):
        assert answer.status_code == 422
        assert "detail" in answer.json()
    assert store.user_ids() == []


# -- text ids ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def text_client(text_copy, monkeypatch):
    monkeypatch.setenv("MLREC_DATA_DIR", str(text_copy.root))
    with TestClient(app) as client:
        yield client


@pytest.mark.parametrize(
    "user_id", ["42", "007", "1_0", " 7", "a/b", "a//b/", "x/recommendations", "ü?#%x", "🎬", "-x"]
)
def test_a_text_id_in_an_address_is_taken_as_it_is(text_client, user_id):
    address, movie = f"/users/{quote(user_id, safe='')}", movie_text(TOY_STORY)
    sent = {"movie_id": movie, "swipe": "like"}
    body = text_client.post(f"{address}/swipes", json=sent).json()
    assert (body["state"]["user_id"], body["state"]["movie_id"]) == (user_id, movie)
    assert movie not in ids(body["recommendations"])
    assert {type(one) for one in ids(body["recommendations"])} == {str}
    assert text_client.get(f"{address}/recommendations").json() == body["recommendations"]
    assert text_client.get(f"{address}/why/{movie}").json()["user_id"] == user_id
    assert text_client.delete(f"{address}/swipes/latest").json()["state"]["user_id"] == user_id
    assert text_client.get(f"/movies/{movie}/similar", params={"n": 1}).json()[0]["title"] == "Toy Story 2"


def test_texts_are_422_where_ids_are_numbers(client):
    assert client.post("/visitors/recommendations", json={"likes": ["1"]}).status_code == 422
    assert client.post("/users/42/swipes", json={"movie_id": "1", "swipe": "like"}).status_code == 422


def test_numbers_are_422_where_ids_are_texts(text_client):
    assert "each of likes" in refused(text_client.post("/visitors/recommendations", json={"likes": [1]}), 422)
    assert "movie_id" in refused(text_client.post("/users/42/swipes", json={"movie_id": 1, "swipe": "like"}), 422)
    assert "200 bytes" in refused(text_client.get(f"/users/{'x' * 201}/recommendations"), 422)
    assert "NUL" in refused(text_client.get("/users/a%00b/recommendations"), 422)
    assert text_client.post("/users/a/swipes", json={"movie_id": True, "swipe": "like"}).status_code == 422


HOSTILE_BODIES = {
    "NaN": b'{"likes": [NaN], "movie_id": NaN, "swipe": "like"}',
    "infinity": b'{"likes": [1e999], "movie_id": -Infinity, "swipe": "like"}',
    "a fraction": b'{"likes": [1.5], "movie_id": 1.5, "swipe": "like"}',
    "half of a surrogate pair": b'{"likes": ["\\ud800"], "movie_id": 1, "swipe": "\\ud800"}',
    "half a pair in the key": b'{"likes": "\\udc00", "movie_id": 1, "swipe": "like", "idempotency_key": "\\udc00"}',
    "half of a surrogate pair as a key": b'{"\\ud800": 1, "likes": 1}',
    "half of a surrogate pair alone": b'"\\ud800"',
    "4,000 digits": b'{"likes": [%b], "movie_id": %b, "swipe": "like"}' % (b"9" * 4000, b"9" * 4000),
    "5,000 digits": b'{"likes": [%b], "movie_id": %b, "swipe": "like"}' % (b"9" * 5000, b"9" * 5000),
    "an id beyond 64 bits": b'{"likes": [99999999999999999999], "movie_id": 99999999999999999999, "swipe": "like"}',
    "100,000 brackets": b"[" * 100_000,
    "no UTF-8": b"\xff\xfe{}",
    "no JSON": b"{",
    "nothing": b"",
    "too many ids": b'{"likes": [%b1]}' % (b"1," * 10_000),
    "too many ids together": b'{"likes": [%b1], "dislikes": [2]}' % (b"1," * 9_999),
    "too large": b'{"likes": [%b1]}' % (b"1," * 2_000_000),
}


@pytest.mark.parametrize("path", ["/visitors/recommendations", "/users/42/swipes"])
@pytest.mark.parametrize("body", HOSTILE_BODIES.values(), ids=HOSTILE_BODIES)
def test_a_body_that_cannot_be_used_is_refused_at_once(served, store, path, body):
    with TestClient(app, raise_server_exceptions=False) as client:
        started = time.monotonic()
        answer = client.post(path, content=body, headers={"content-type": "application/json"})
        assert time.monotonic() - started < 5
    assert 400 <= answer.status_code < 500, answer.text
    assert {"detail"} == set(answer.json()) or {"error", "hint"} == set(answer.json())
    assert len(answer.content) < 5_000
    assert store.user_ids() == []


def test_a_body_without_a_length_is_read_up_to_the_limit(client):
    def endless() -> Iterator[bytes]:
        yield b'{"likes": ['
        for _ in range(1000):
            yield b"1," * 1000

    answer = client.post("/visitors/recommendations", content=endless(), headers={"content-type": "application/json"})
    assert answer.status_code == 413


def test_as_many_opinions_as_the_library_takes_fit_into_a_body(client):
    many = {"likes": [2**62] * 10_000}
    assert str(2**62) in refused(client.post("/visitors/recommendations", json=many), 404)


@pytest.mark.parametrize(
    "path",
    [
        f"/users/{'9' * 4000}/recommendations",
        f"/users/{'9' * 5000}/recommendations",
        "/users/True/recommendations",
        "/users/42/recommendations?diversity=nan",
        "/users/42/recommendations?first_year=2000&last_year=1990",
        f"/users/42/recommendations?genre={'x' * 501}",
        "/users/42/recommendations?" + "&".join(["genre=Drama"] * 1001),
        "/users/42/recommendations?genre=%ff",
        f"/users/42/why/{'9' * 4000}",
        f"/movies/{'9' * 4000}/similar",
        f"/movies?title={'x' * 501}",
    ],
)
def test_an_address_that_cannot_be_used_is_refused(served, path):
    with TestClient(app, raise_server_exceptions=False) as client:
        answer = client.get(path)
    assert 400 <= answer.status_code < 500, answer.text
    assert len(answer.content) < 5_000


def test_conflicts_are_409(client):
    refused(client.delete(f"/users/{NEW_USER}/swipes/latest"), 409)
    client.post(f"/users/{NEW_USER}/swipes", json={"movie_id": TOY_STORY, "swipe": "like", "idempotency_key": "a"})
    other = {"movie_id": JUMANJI, "swipe": "like", "idempotency_key": "a"}
    assert "'a'" in refused(client.post(f"/users/{NEW_USER}/swipes", json=other), 409)


def test_the_key_under_its_old_name_is_still_taken(client, store):
    old = {"movie_id": TOY_STORY, "swipe": "like", "event_id": "a"}
    for is_new in (True, False):
        assert client.post(f"/users/{NEW_USER}/swipes", json=old).json()["state"]["is_new"] is is_new
    both = {**old, "idempotency_key": "b"}
    assert "not both" in refused(client.post(f"/users/{NEW_USER}/swipes", json=both), 422)
    for is_new in (True, False):
        undone = client.delete(f"/users/{NEW_USER}/swipes/latest", params={"event_id": "b"}).json()
        assert undone["state"]["is_new"] is is_new
    assert [event.idempotency_key for event in store.events(NEW_USER)] == ["a", "b"]
    page = client.get("/openapi.json").json()
    assert page["components"]["schemas"]["NewSwipe"]["properties"]["event_id"]["deprecated"] is True


def test_a_forgotten_user_is_410_and_still_gets_the_popular_list(client, store):
    client.post("/users/42/swipes", json={"movie_id": TOY_STORY, "swipe": "like"})
    store.forget(42, at=int(time.time()))
    refused(client.post("/users/42/swipes", json={"movie_id": TOY_STORY, "swipe": "like"}), 410)
    assert client.get("/users/42/recommendations").json() == client.get(f"/users/{NEW_USER}/recommendations").json()


def test_a_score_that_has_no_parts_is_501(served):
    train(served, TrainSettings.preset("baseline", iterations=1))
    with TestClient(app) as client:
        assert "cannot be explained" in refused(client.get(f"/users/42/why/{TOY_STORY}"), 501)


def test_a_store_that_is_out_of_reach_is_503_and_worth_another_try(served, monkeypatch, caplog):
    (served.root / "file").write_text("no folder")
    monkeypatch.setenv("MLREC_STORE", "file/users.db")
    with TestClient(app) as client:
        answer = client.post("/users/42/swipes", json={"movie_id": TOY_STORY, "swipe": "like"})
        assert client.get("/health").status_code == 200
    refused(answer, 503)
    assert int(answer.headers["retry-after"]) > 0
    assert "users.db" in caplog.text
    assert "users.db" not in answer.text


def test_a_store_that_is_no_store_is_503_and_waiting_does_not_help(served):
    served.users_db.write_bytes(b"somebody else's file, and nothing that SQLite knows" * 9)
    with TestClient(app) as client:
        answer = client.get("/users/42/recommendations")
    refused(answer, 503)
    assert "retry-after" not in answer.headers


@pytest.mark.parametrize(("kind", "status"), [(errors.EmptyResultError, 400), (errors.ModelMissingError, 503)])
def test_any_other_error_is_told_by_its_branch(client, kind, status):
    def unlucky() -> None:
        raise kind("It is not there.", "Look again.")

    app.dependency_overrides[opened] = unlucky
    try:
        assert ("not there" in refused(client.get("/health"), status)) == (status == 400)
    finally:
        app.dependency_overrides.clear()


def test_every_error_has_a_status():
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, MlrecError)]
    assert [kind for kind in kinds if not set(kind.__mro__) & set(STATUS)] == [MlrecError]


def test_without_a_model_it_does_not_start(tmp_path, monkeypatch):
    monkeypatch.setenv("MLREC_DATA_DIR", str(tmp_path))
    with pytest.raises(ModelMissingError), TestClient(app):
        pass


# -- two workers -------------------------------------------------------------------------------------------------------


class Workers:
    """A running uvicorn with two workers; its log says which process answered which request."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self.log = log

    def url(self) -> str:
        """The address, once both answer there."""
        text = ""
        while text.count("Application startup complete") < 2:
            time.sleep(0.02)
            text = self.log.read_text()
            assert self.process.poll() is None, text
        return re.findall(r"running on (http://127\.0\.0\.1:\d+)", text)[0]

    def by_call(self) -> dict[int, int]:
        """The process that answered each request with a number, call=17, in its query."""
        found = re.findall(r'^(\d+) \S+ - "GET \S+[?&]call=(\d+)', self.log.read_text(), re.MULTILINE)
        return {int(call): int(process) for process, call in found}


@contextmanager
def two_workers(data_dir: Path, folder: Path):
    logging = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"process": {"format": "%(process)d %(message)s"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "process"}},
        "root": {"handlers": ["stderr"], "level": "INFO"},
    }
    (folder / "logging.json").write_text(json.dumps(logging))
    log = folder / "uvicorn.log"
    words = ["examples.fastapi_app:app", "--port", "0", "--workers", "2", "--log-config", str(folder / "logging.json")]
    environment = os.environ | {"MLREC_DATA_DIR": str(data_dir), "MLREC_REFRESH_SECONDS": "0.1"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", *words],
            cwd=ROOT, env=environment, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    try:
        yield Workers(process, log)
        process.terminate()
        process.wait(20)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(60)
    text = log.read_text()
    assert "Traceback" not in text, text
    assert text.count("Application shutdown complete") == 2, text


def test_two_workers_lose_nothing_and_pick_up_a_new_model(demo_copy, tmp_path):
    a_connection_each = httpx.Limits(max_keepalive_connections=0)  # so that both workers get to answer
    with (
        two_workers(demo_copy.root, tmp_path) as workers,
        httpx.Client(base_url=workers.url(), limits=a_connection_each, timeout=30) as http,
        ThreadPoolExecutor(16) as pool,
    ):
        calls = count()

        def get(path: str, **params: Any) -> tuple[int, Any]:
            call = next(calls)
            return call, http.get(path, params=params | {"call": call}).raise_for_status().json()

        # Ten users answer fifteen cards each, all at once, and every request is sent twice.
        users = range(NEW_USER, NEW_USER + 10)
        path = f"/users/{NEW_USER}/recommendations"
        movies: list[int] = ids(get(path, n=15)[1])
        swipes = [(user, movie, ("like", "dislike")[(user + movie) % 2]) for user in users for movie in movies]

        def send(swipe: tuple[int, int, str]) -> tuple[int, int, int, bool]:
            user, movie, answer = swipe
            body = {"movie_id": movie, "swipe": answer, "idempotency_key": f"card {movie}"}
            state = http.post(f"/users/{user}/swipes", json=body).raise_for_status().json()["state"]
            return user, state["event_id"], state["movie_id"], state["is_new"]

        states = list(pool.map(send, random.Random(1).sample(swipes * 2, len(swipes) * 2)))
        logged = {(user, event_id, movie) for user, event_id, movie, is_new in states if is_new}
        assert len(logged) == len(swipes)
        assert sorted(states) == sorted((*event, is_new) for event in logged for is_new in (False, True))
        with closing(open_store(None, demo_copy)) as store:
            log = [(user, event) for user in users for event in store.events(user)]
        assert {(user, event.event_id, event.movie_id) for user, event in log} == logged
        assert sorted((user, event.movie_id, Swipe(event.preference).label) for user, event in log) == sorted(swipes)
        assert {event.event_id for _, event in log} == set(range(1, len(movies) + 1))

        # Whichever worker is asked knows of all swipes.
        lists: dict[int, Any] = {}
        until = time.monotonic() + 20
        while len({workers.by_call()[call] for call in lists}) < 2:
            assert time.monotonic() < until, "one worker answers everything"
            lists |= pool.map(lambda _: get(path, n=50), range(60))
        assert len({json.dumps(items) for items in lists.values()}) == 1
        assert not set(ids(next(iter(lists.values())))) & set(movies)

        # Another model is published while requests go on: none fails, and soon each worker answers from it.
        old = get("/health")[1]["model_id"]
        new = train(demo_copy, TrainSettings(random_seed=3, iterations=2)).model_id
        switched: set[int] = set()
        until = time.monotonic() + 20
        while len(switched) < 2:
            assert time.monotonic() < until, workers.log.read_text()
            health = dict(pool.map(lambda _: get("/health"), range(16)))
            assert {answer["model_id"] for answer in health.values()} <= {old, new}
            switched |= {workers.by_call()[call] for call, answer in health.items() if answer["model_id"] == new}
        assert get("/health")[1]["model_id"] == new
        state = http.delete(f"/users/{NEW_USER}/swipes/latest").raise_for_status().json()["state"]
        assert (state["model_id"], state["opinions"]) == (new, len(movies) - 1)
