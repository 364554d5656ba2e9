"""Folders and stores that earlier versions wrote are opened, and answer what they answered then."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mlrec.artifacts.settings_file import read_settings
from mlrec.dataset.reading import read_prepared
from mlrec.doctor import diagnose
from mlrec.errors import ForgottenUserError
from mlrec.evaluation.protocol import evaluate
from mlrec.evaluation.tuning.search import tune
from mlrec.model.train import train
from mlrec.serving.recommender import Recommender
from mlrec.serving.spoken_titles import spoken
from mlrec.serving.stores import open_store
from mlrec.settings import EvaluateSettings, TrainSettings, TuneSettings
from mlrec.workspace import Workspace

GOLDEN = Path(__file__).parents[1] / "golden"
FOLDERS = sorted(path.name for path in GOLDEN.iterdir() if path.is_dir() and path.name.startswith("v"))
FORGOTTEN = 3


@pytest.fixture(params=FOLDERS)
def workspace(request, tmp_path) -> Workspace:
    """A copy of a data directory that an earlier version wrote."""
    shutil.copytree(GOLDEN / request.param, tmp_path / "data")
    return Workspace(tmp_path / "data")


def expected(workspace: Workspace) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((workspace.root / "expected.json").read_text())
    return found


def same(items: list[dict[str, Any]], then: list[dict[str, Any]]) -> bool:
    """Whether a list is what it was; newer versions tell more, and put articles of titles first."""
    return [{name: item[name] for name in old} for item, old in zip(items, then, strict=True)] == [
        {**old, "title": spoken(old["title"]), "score": pytest.approx(old["score"], abs=1e-5)} for old in then
    ]


def test_lists_are_what_they_were(workspace):
    then = expected(workspace)
    with Recommender.open(workspace.root) as recommender:
        for user_id, items in then["lists"].items():
            assert same([item.to_json() for item in recommender.get_top_n(int(user_id), 5)], items)
        assert same([item.to_json() for item in recommender.similar_movies(1, 5)], then["similar"])
        why = recommender.explain(1, then["why"]["movie_id"])
        assert why.score == pytest.approx(then["why"]["score"], abs=1e-5)
        assert [like.movie_id for like in why.likes] == [like["movie_id"] for like in then["why"]["likes"]]
        for user_id, events in then["history"].items():
            now = [event.to_json() for event in recommender.history(int(user_id))]
            assert [{name: event[name] for name in old} for event, old in zip(now, events, strict=True)] == [
                {**old, "title": spoken(old["title"])} for old in events
            ]


def test_people_go_on_swiping(workspace):
    with Recommender.open(workspace.root) as recommender:
        before = recommender.undo(1)
        assert before.movie_id == 3  # the like of 4 had been undone then
        after = recommender.update_user(1, 4, "superlike", event_id="a-2")
        assert after.event_id == before.event_id + 1
        assert recommender.update_user(1, 2, "like", event_id="a-1").is_new is False
        with pytest.raises(ForgottenUserError):
            recommender.update_user(FORGOTTEN, 4, "like")
    with Recommender.open(workspace.root) as recommender:
        assert 4 not in [movie.movie_id for movie in recommender.get_top_n(1, 30)]


def test_the_doctor_finds_nothing_broken(workspace):
    findings = {finding.name: finding for finding in diagnose(workspace).findings}
    assert [finding for finding in findings.values() if finding.status == "problem"] == []
    assert "train 560" in findings["prepared data"].detail


def test_prepared_data_is_evaluated_and_trained_on(workspace):
    assert len(read_prepared(workspace).events) == 720
    (files,) = (workspace.model(path.name) for path in workspace.models.iterdir() if path.is_dir())
    then = json.loads(files.metrics.read_text())["val"]["train"]["liked"]["models"]["als"]["ndcg@10"]["value"]
    now = evaluate(workspace, EvaluateSettings(baselines=("popularity",)))
    assert now.models["als"]["ndcg@10"].value == pytest.approx(then, abs=1e-9)
    assert train(workspace, TrainSettings(factors=4, iterations=2)).published


def test_settings_and_a_study_are_taken_up(workspace):
    assert read_settings(workspace.study("main").settings).factors > 0
    journal = workspace.study("main").journal
    before = journal.read_bytes()
    assert tune(workspace, TuneSettings(trials=3, sample=0)).counts.finished == 3
    assert journal.read_bytes().startswith(before)


def test_keys_in_redis_are_read_and_written_on(redis_url, workspace):
    import redis

    with redis.Redis.from_url(redis_url) as client:
        for key, content in json.loads((GOLDEN / "redis-v1.json").read_text()).items():
            if "hash" in content:
                client.hset(key, mapping={name: value.encode("latin-1") for name, value in content["hash"].items()})
            elif "stream" in content:
                for entry_id, fields in content["stream"]:
                    client.xadd(key, fields, id=entry_id)
            else:
                client.set(key, content["string"])
    with closing(open_store(redis_url, None)) as store:
        assert store.forgotten() == [3, 4]
        assert store.user_ids() == [1, 2, 1001]
        assert store.check() == []
    with Recommender.open(workspace.root, store=redis_url) as recommender:
        assert [event.movie_id for event in recommender.history(1)] == [2, 3, 4]
        assert recommender.update_user(1, 2, "like", event_id="a-1").is_new is False
        assert recommender.undo(1).movie_id == 3
        assert recommender.update_user(5, 7, "like").event_id == 2
        for user_id in (3, 4):
            with pytest.raises(ForgottenUserError):
                recommender.update_user(user_id, 7, "like")
