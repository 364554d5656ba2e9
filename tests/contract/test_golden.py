"""Folders and stores written by earlier versions still open, and give the same answers."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mlrec.artifacts import metrics_file, model_folder, prepared, registry, settings_file
from mlrec.artifacts.prepared import read_manifest
from mlrec.artifacts.settings_file import read_settings
from mlrec.dataset import raw_folder
from mlrec.dataset.raw_folder import Marker
from mlrec.dataset.reading import read_prepared
from mlrec.doctor import diagnose
from mlrec.errors import ForgottenUserError
from mlrec.evaluation import jury
from mlrec.evaluation.protocol import evaluate
from mlrec.evaluation.tuning.journal import Journal
from mlrec.evaluation.tuning.search import tune
from mlrec.evaluation.tuning.study import SPACE_VERSION
from mlrec.model.train import train
from mlrec.serving.recommender import Recommender
from mlrec.serving.spoken_titles import spoken
from mlrec.serving.stores import open_store, redis_connection
from mlrec.serving.stores.interface import Draft
from mlrec.serving.stores.sqlite_file import MIGRATIONS
from mlrec.settings import EvaluateSettings, ServeSettings, TrainSettings, TuneSettings
from mlrec.workspace import Workspace

GOLDEN = Path(__file__).parents[1] / "golden"
FOLDERS = sorted(path.name for path in GOLDEN.iterdir() if path.is_dir() and path.name.startswith("v"))
NUMBERED = [name for name in FOLDERS if "ids" not in json.loads((GOLDEN / name / "expected.json").read_text())]
"""Folders whose ids are whole numbers."""
FORGOTTEN = 3


def of_then(workspace: Workspace) -> ServeSettings:
    """How that version served. Popularity handed over sooner before `v3-outside`: with 3, today's rule is the same for
    users with three opinions or more.
    """
    return ServeSettings() if read_manifest(workspace).outside_core else ServeSettings(handover=3)


@pytest.fixture(params=FOLDERS)
def workspace(request, tmp_path) -> Workspace:
    """A copy of a data directory that an earlier version wrote."""
    shutil.copytree(GOLDEN / request.param, tmp_path / "data")
    return Workspace(tmp_path / "data")


def expected(workspace: Workspace) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((workspace.root / "expected.json").read_text())
    return found


def ids(workspace: Workspace, kind: str) -> Callable[[int], int | str]:
    """The id of the user or movie that has this number in folders with whole numbers as ids."""
    named = expected(workspace).get("ids", {}).get(kind)
    return (lambda number: named[str(number)]) if named else (lambda number: number)


def as_written(workspace: Workspace, user_id: str) -> int | str:
    """An id that is a key in JSON."""
    return user_id if "ids" in expected(workspace) else int(user_id)


def same(items: list[dict[str, Any]], then: list[dict[str, Any]]) -> bool:
    """Whether a list is what it was; newer versions tell more, and put articles of titles first."""
    return [{name: item[name] for name in old} for item, old in zip(items, then, strict=True)] == [
        {**old, "title": spoken(old["title"]), "score": pytest.approx(old["score"], abs=1e-5)} for old in then
    ]


def test_lists_are_what_they_were(workspace):
    then, users, movies = expected(workspace), ids(workspace, "users"), ids(workspace, "movies")
    with Recommender.open(workspace.root, settings=of_then(workspace)) as recommender:
        for written, items in then["lists"].items():
            user_id = as_written(workspace, written)
            # With one or two opinions, popularity had another part then.
            opinions = recommender.user(user_id).likes + recommender.user(user_id).dislikes
            if of_then(workspace) == ServeSettings() or opinions not in (1, 2):
                assert same([item.to_json() for item in recommender.get_top_n(user_id, 5)], items)
        assert same([item.to_json() for item in recommender.similar_movies(movies(1), 5)], then["similar"])
        why = recommender.explain(users(1), then["why"]["movie_id"])
        assert why.score == pytest.approx(then["why"]["score"], abs=1e-5)
        assert [like.movie_id for like in why.likes] == [like["movie_id"] for like in then["why"]["likes"]]
        for user_id, events in then["history"].items():
            now = [event.to_json() for event in recommender.history(as_written(workspace, user_id))]
            assert [{name: event[name] for name in old} for event, old in zip(now, events, strict=True)] == [
                {**old, "title": spoken(old["title"])} for old in events
            ]


def test_people_go_on_swiping(workspace):
    users, movies = ids(workspace, "users"), ids(workspace, "movies")
    with Recommender.open(workspace.root) as recommender:
        before = recommender.undo(users(1))
        assert before.movie_id == movies(3)  # the like of 4 had been undone then
        after = recommender.update_user(users(1), movies(4), "superlike", idempotency_key="a-2")
        assert after.event_id == before.event_id + 1
        assert recommender.update_user(users(1), movies(2), "like", idempotency_key="a-1").is_new is False
        with pytest.raises(ForgottenUserError):
            recommender.update_user(users(FORGOTTEN), movies(4), "like")
    with Recommender.open(workspace.root) as recommender:
        assert movies(4) not in [movie.movie_id for movie in recommender.get_top_n(users(1), 30)]


def test_the_doctor_finds_nothing_broken(workspace):
    findings = {finding.name: finding for finding in diagnose(workspace).findings}
    assert [finding for finding in findings.values() if finding.status == "problem"] == []
    in_core = read_manifest(workspace).splits["train"]
    assert f"train {in_core}" in findings["prepared data"].detail
    assert in_core == 560 or read_manifest(workspace).outside_core is not None


def test_prepared_data_is_evaluated_and_trained_on(workspace, monkeypatch):
    monkeypatch.setattr(jury, "ServeSettings", lambda: of_then(workspace))
    assert len(read_prepared(workspace).events) == 720
    (files,) = (workspace.model(path.name) for path in workspace.models.iterdir() if path.is_dir())
    kinds = json.loads(files.metrics.read_text())["val"]["train"]
    then = kinds.get("liked-all", kinds.get("liked"))["models"]["als"]["ndcg@10"]["value"]
    now = evaluate(workspace, EvaluateSettings(baselines=("popularity",)))
    assert now.models["als"]["ndcg@10"].value == pytest.approx(then, abs=1e-9)
    assert train(workspace, TrainSettings(factors=4, iterations=2)).published


def test_settings_and_a_study_are_taken_up(workspace):
    assert read_settings(workspace.study("main").settings).factors > 0
    journal = workspace.study("main").journal
    before = journal.read_bytes()
    assert tune(workspace, TuneSettings(trials=3, sample=0)).counts.finished == 3
    assert journal.read_bytes().startswith(before)


def test_what_fetch_put_there_is_its_own(workspace):
    """The first version had no marker."""
    marker = Marker.read(workspace.raw_files)
    assert (marker is not None) == workspace.raw_files.marker.exists()
    files = [path.name for path in workspace.raw.iterdir() if path.suffix in (".csv", ".jsonl")]
    assert files
    assert marker is None or marker.is_intact(workspace.raw_files, files)


def test_ids_and_the_note_are_read(tmp_path):
    """Models of earlier versions have neither; every movie of `v1-ids` has two ids."""
    shutil.copytree(GOLDEN / "v1-ids", tmp_path / "data")
    workspace = Workspace(tmp_path / "data")
    published = registry.published_id(workspace)
    assert published is not None
    assert registry.summary(workspace, published).to_json()["note"] == "golden: λ as the data says"
    with Recommender.open(workspace.root) as recommender:
        movies = recommender.search("film", 30)
        listed = recommender.get_top_n(1, 30)
    assert {movie.movie_id: (movie.imdb_id, movie.tmdb_id) for movie in movies} == {
        movie_id: (f"tt000{1000 + movie_id}", 500 + movie_id) for movie_id in range(1, 31)
    }
    assert listed
    assert {(item.imdb_id, item.tmdb_id) for item in listed} <= {(movie.imdb_id, movie.tmdb_id) for movie in movies}


@pytest.mark.parametrize("name", ["v1", "v1-sealed"])
def test_models_from_before_ids_and_notes_have_none(name, tmp_path):
    shutil.copytree(GOLDEN / name, tmp_path / "data")
    workspace = Workspace(tmp_path / "data")
    (model_id,) = registry.list_ids(workspace)
    summary = registry.summary(workspace, model_id)
    assert summary.info is not None
    assert summary.info.note is None
    with Recommender.open(workspace.root) as recommender:
        assert {(movie.imdb_id, movie.tmdb_id) for movie in recommender.search("film", 30)} == {(None, None)}


def in_files(pattern: str) -> set[int]:
    """Format versions of the golden documents of a name."""
    return {json.loads(path.read_text())["format_version"] for path in GOLDEN.glob(pattern)}


def in_databases() -> set[int]:
    found = set()
    for path in (*GOLDEN.glob("v*/users.db"), *GOLDEN.glob("stores-v*/users.db")):
        with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as connection:
            found.add(connection.execute("PRAGMA user_version").fetchone()[0])
    return found


def in_redis() -> set[int]:
    paths = (*GOLDEN.glob("redis-v*.json"), *GOLDEN.glob("stores-v*/redis.json"))
    return {int(json.loads(path.read_text())["mlrec:format"]["string"]) for path in paths}


def in_journals() -> set[int]:
    lines = [line for path in GOLDEN.glob("v*/tuning/*.journal") for line in path.read_text().splitlines()]
    attributes = [json.loads(line).get("user_attr", {}) for line in lines]
    return {one["mlrec"]["space_version"] for one in attributes if "mlrec" in one}


@pytest.mark.parametrize(
    ("today", "found"),
    [
        (model_folder.FORMAT_VERSION, lambda: in_files("v*/models/*/model_info.json")),
        (model_folder.FORMAT_VERSION, lambda: in_files("v*/models/*/catalogue.json")),
        (model_folder.FORMAT_VERSION, lambda: in_files("v*/models/*/mappings.json")),
        (metrics_file.FORMAT_VERSION, lambda: in_files("v*/models/*/metrics.json")),
        (prepared.FORMAT_VERSION, lambda: in_files("v*/prepared/manifest.json")),
        (settings_file.FORMAT_VERSION, lambda: in_files("v*/tuning/*.json")),
        (raw_folder.MARKER_FORMAT_VERSION, lambda: in_files("v*/raw/SOURCE.json")),
        (SPACE_VERSION, in_journals),
        (len(MIGRATIONS), in_databases),
        (redis_connection.FORMAT_VERSION, in_redis),
    ],
    ids=["model", "catalogue", "mappings", "metrics", "manifest", "settings", "marker", "study", "users.db", "redis"],
)  # fmt: skip
def test_every_format_of_today_is_golden(today, found):
    """Whoever raises a version adds a golden folder of it: tests/golden/README.md says how."""
    assert today in found()


# -- the next minor version --------------------------------------------------------------------------------------------

LATER = {"later": {"of": ["any", {"kind": None}]}}
MAPS = {
    "files", "rows", "by_reason", "rating_histogram", "ratings_per_month", "versions", "seconds", "models",
    "differences", "als", "popularity", "ease", "als - popularity", "als - ease", "user_id_to_index",
    "movie_id_to_index",
}  # fmt: skip
"""Keys of objects whose own keys are data: there, another key is not another field."""


def of_the_next_version(value: Any, name: str = "") -> Any:
    """A JSON document with a key that nobody knows in every object."""
    if isinstance(value, list):
        return [of_the_next_version(one) for one in value]
    if not isinstance(value, dict):
        return value
    more = {key: of_the_next_version(one, key) for key, one in value.items()}
    return more if name in MAPS else more | LATER


def sealed(path: Path, section: str | None) -> None:
    """Write a sealed document anew, with what is in its folder now."""
    document = json.loads(path.read_text())
    part = document[section] if section else document
    record = part["files"]
    del record[path.name]
    for name, entry in record.items():
        content = (path.parent / name).read_bytes()
        entry |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    own = hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
    record[path.name] = {"sha256": own}
    path.write_text(json.dumps(document))


@pytest.fixture
def newer(tmp_path) -> Workspace:
    """What the next minor version might write: each document has more keys than this version knows."""
    shutil.copytree(GOLDEN / "v1-sealed", tmp_path / "newer")
    workspace = Workspace(tmp_path / "newer")
    for path in (*workspace.models.glob("*/*.json"), workspace.prepared.manifest, workspace.raw_files.marker):
        path.write_text(json.dumps(of_the_next_version(json.loads(path.read_text()))))
    for path in workspace.models.glob("*/model_info.json"):
        sealed(path, None)
    sealed(workspace.prepared.manifest, "engine")
    study = workspace.study("main")
    document = json.loads(study.settings.read_text())
    study.settings.write_text(json.dumps({**of_the_next_version(document), "settings": document["settings"]}))
    logs = [json.loads(line) for line in study.journal.read_text().splitlines()]
    study.journal.write_text("")
    for log in logs:
        del log["crc32"]
        if "user_attr" in log:
            log["user_attr"] = {name: of_the_next_version(value) for name, value in log["user_attr"].items()}
    Journal(study.journal).append_logs(logs)
    return workspace


def test_a_model_of_the_next_minor_version_serves(newer):
    test_lists_are_what_they_were(newer)
    test_people_go_on_swiping(newer)


def test_everything_else_of_the_next_minor_version_is_read(newer, monkeypatch):
    (files,) = (newer.model(path.name) for path in newer.models.iterdir() if path.is_dir())
    test_the_doctor_finds_nothing_broken(newer)
    metrics = metrics_file.read_metrics(files)
    result = metrics.of("test", "train+val", "liked-all") or metrics.of("test", "train+val", "liked")
    assert result is not None
    assert result.users > 0
    assert registry.summary(newer, files.root.name).kind == "als"
    test_what_fetch_put_there_is_its_own(newer)
    test_settings_and_a_study_are_taken_up(newer)
    test_prepared_data_is_evaluated_and_trained_on(newer, monkeypatch)


def test_an_evaluation_keeps_results_that_this_version_does_not_know(newer):
    (files,) = (newer.model(path.name) for path in newer.models.iterdir() if path.is_dir())
    evaluate(newer, EvaluateSettings(baselines=("popularity",)))
    assert json.loads(files.metrics.read_text())["later"] == LATER["later"]


def lay(url: str, path: Path) -> None:
    """Put the keys of a golden file into an empty Redis database."""
    import redis

    with redis.Redis.from_url(url) as client:
        for key, content in json.loads(path.read_text()).items():
            if "hash" in content:
                client.hset(key, mapping={name: value.encode("latin-1") for name, value in content["hash"].items()})
            elif "stream" in content:
                for entry_id, fields in content["stream"]:
                    client.xadd(key, fields, id=entry_id)
            else:
                client.set(key, content["string"])


STORES = sorted(path.name for path in GOLDEN.glob("stores-v*"))


@pytest.mark.parametrize("folder", STORES)
@pytest.mark.parametrize("name", ["users.db", "redis.json"])
def test_stores_with_text_ids_are_read_and_written_on(request, tmp_path, folder, name):
    then = json.loads((GOLDEN / folder / "expected.json").read_text())[name]
    if name == "redis.json":
        url = request.getfixturevalue("redis_url")
        lay(url, GOLDEN / folder / name)
        opened = open_store(url, None)
    else:
        shutil.copy(GOLDEN / folder / name, tmp_path / name)
        (tmp_path / name).chmod(0o600)
        opened = open_store(tmp_path / name, None)
    with closing(opened) as store:
        assert store.check() == []
        assert store.user_ids() == [1, 1001, "1", "a b", "a}b{c*", "x" * 200, "é🎬"]
        assert store.forgotten() == [3, "gone"]
        for one in then:
            user_id = one["user"]
            assert [list(event) for event in store.events(user_id)] == one["events"]
            vector = store.vector(user_id)
            assert vector is not None
            assert [vector.stamp, list(vector.values)] == one["vector"]
            again = store.append(user_id, Draft(9, 1, 1, idempotency_key="a-1"))
            assert again is not None
            assert not again.is_new
            appended = store.append(user_id, Draft("new", 1, 1), in_order=True)
            assert appended is not None
            assert (appended.event.event_id, appended.event.at) == (5, 1_700_000_030)
        for user_id in (3, "gone"):
            with pytest.raises(ForgottenUserError):
                store.append(user_id, Draft("new", 1, 1))
        assert store.append("allowed again", Draft("new", 1, 1)) is not None
        assert store.check() == []


@pytest.mark.parametrize("workspace", NUMBERED, indirect=True)
def test_keys_in_redis_are_read_and_written_on(redis_url, workspace):
    lay(redis_url, GOLDEN / "redis-v1.json")
    with closing(open_store(redis_url, None)) as store:
        assert store.forgotten() == [3, 4]
        assert store.user_ids() == [1, 2, 1001]
        assert store.check() == []
    with Recommender.open(workspace.root, store=redis_url) as recommender:
        assert [event.movie_id for event in recommender.history(1)] == [2, 3, 4]
        assert recommender.update_user(1, 2, "like", idempotency_key="a-1").is_new is False
        assert recommender.undo(1).movie_id == 3
        assert recommender.update_user(5, 7, "like").event_id == 2
        for user_id in (3, 4):
            with pytest.raises(ForgottenUserError):
                recommender.update_user(user_id, 7, "like")
