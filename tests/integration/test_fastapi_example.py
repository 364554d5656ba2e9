"""The example of an application of one's own, by a real server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient

from examples.fastapi_app import STATUS, TOKENS, app
from mlrec import Recommender, errors
from mlrec.errors import MlrecError, ModelMissingError

ROOT = Path(__file__).parents[2]
ANN, BOB = ({"Authorization": f"Bearer {token}"} for token in TOKENS)


@pytest.fixture
def client(demo_copy, monkeypatch):
    monkeypatch.setenv("MLREC_DATA_DIR", str(demo_copy.root))
    with TestClient(app) as client:
        yield client


def ids(movies) -> list[int]:
    return [movie["movie_id"] for movie in movies]


def test_everybody_gets_an_own_list(client, demo):
    with Recommender.open(demo.root, store="memory") as recommender:
        expected = [item.movie_id for item in recommender.get_top_n(42, 5)]
    assert ids(client.get("/cards", params={"n": 5}, headers=ANN).json()) == expected
    assert {movie["source"] for movie in client.get("/cards", headers=BOB).json()} == {"popular"}
    assert client.get("/cards").status_code == 401
    assert client.get("/cards", headers={"Authorization": "Bearer x"}).status_code == 401


def test_an_answer_gives_the_next_list_and_an_undo_the_former(client):
    before = ids(client.get("/cards", headers=BOB).json())
    sent = {"movie_id": before[0], "swipe": "like", "idempotency_key": "card-1"}
    for _ in range(2):
        after = ids(client.post("/answers", json=sent, headers=BOB).json())
    assert before[0] not in after
    assert client.post("/answers", json={**sent, "swipe": "dislike"}, headers=BOB).status_code == 409
    assert ids(client.delete("/answers/latest", headers=BOB).json()) == before
    assert client.delete("/answers/latest", headers=BOB).status_code == 409


def test_what_cannot_be_meant_is_refused(client):
    assert client.post("/answers", json={"movie_id": 51, "swipe": "like"}, headers=ANN).status_code == 404
    assert client.post("/answers", json={"movie_id": 1, "swipe": "love"}, headers=ANN).status_code == 422
    assert client.get("/cards", params={"n": 0}, headers=ANN).status_code == 422


def test_what_is_out_of_reach_is_told_in_the_log_only(client, demo_copy, caplog):
    demo_copy.users_db.write_bytes(b"no database" * 100)
    answer = client.get("/cards", headers=ANN)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "users.db" not in answer.text
    assert "users.db" in caplog.text


def test_every_error_has_a_status():
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, MlrecError)]
    assert [kind for kind in kinds if not set(kind.__mro__) & set(STATUS)] == [MlrecError]


def test_without_a_model_it_does_not_start(tmp_path, monkeypatch):
    monkeypatch.setenv("MLREC_DATA_DIR", str(tmp_path))
    with pytest.raises(ModelMissingError), TestClient(app):
        pass


@contextmanager
def running(data_dir: Path, log: Path):
    command = [sys.executable, "-m", "uvicorn", "examples.fastapi_app:app", "--port", "0", "--workers", "2"]
    environment = os.environ | {"MLREC_DATA_DIR": str(data_dir)}
    with log.open("wb") as output, subprocess.Popen(command, cwd=ROOT, env=environment, stderr=output) as process:
        try:
            end = time.monotonic() + 60
            while log.read_text().count("Application startup complete") < 2:
                assert time.monotonic() < end
                assert process.poll() is None, log.read_text()
                time.sleep(0.05)
            yield re.findall(r"running on (http://127\.0\.0\.1:\d+)", log.read_text())[0]
        finally:
            process.terminate()
            process.wait(30)


def test_two_workers_know_of_each_others_swipes(demo_copy, tmp_path):
    with running(demo_copy.root, tmp_path / "log") as address:
        movies = ids(httpx.get(f"{address}/cards", params={"n": 20}, headers=BOB).json())
        for movie in movies:  # a connection each, so that both workers get to answer
            answer = httpx.post(f"{address}/answers", json={"movie_id": movie, "swipe": "like"}, headers=BOB)
            assert not set(ids(answer.json())) & set(movies[: movies.index(movie) + 1])
    with Recommender.open(demo_copy.root) as recommender:
        assert [event.movie_id for event in recommender.history(TOKENS["token-of-bob"])] == movies
    assert "Traceback" not in (tmp_path / "log").read_text()
