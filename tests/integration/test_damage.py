"""Damaged files: whatever the damage, the result is right or an error in plain words, never a traceback.

MLREC_FUZZ_CASES sets the number of cases of each kind, and MLREC_FUZZ_SEED changes them.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from mlrec import MlrecError, Recommender
from mlrec.artifacts import registry
from mlrec.artifacts.prepared import read_manifest
from mlrec.artifacts.settings_file import read_settings, write_settings
from mlrec.cli.app import app
from mlrec.dataset.reading import read_held_out, read_movies, read_prepared
from mlrec.errors import IncompatibleFormatError
from mlrec.evaluation.protocol import evaluate
from mlrec.evaluation.tuning.study import Origin, open_study
from mlrec.settings import EvaluateSettings, TrainSettings
from mlrec.workspace import StudyFiles, Workspace
from tests.damage import damage

CASES = int(os.environ.get("MLREC_FUZZ_CASES", "10"))
FIRST = int(os.environ.get("MLREC_FUZZ_SEED", "0"))
USERS = (1, 42, 130, 10**12)

MODEL_FILES = (
    "model_info.json", "catalogue.json", "mappings.json", "R_train.npz", "metrics.json", "movie_embeddings.npy",
    "user_embeddings.npy", "user_ids.npy", "movie_ids.npy", "popularity.npy", "history_indptr.npy",
    "history_movie_idx.npy", "history_preference.npy", "history_timestamp.npy", "history_split.npy",
)  # fmt: skip
PREPARED_FILES = ("train.parquet", "val.parquet", "test.parquet", "movies.parquet", "manifest.json")


@pytest.fixture(autouse=True)
def _no_java(monkeypatch):
    """Doctor starts a process to look for it."""
    monkeypatch.setattr("mlrec.doctor._java", list)


@pytest.fixture(scope="module")
def sealed(few, tmp_path_factory) -> Workspace:
    """A data directory of this module's own, with two models; each test leaves it as it was."""
    workspace = Workspace(tmp_path_factory.mktemp("sealed") / "data")
    shutil.copytree(few.root, workspace.root)
    evaluate(workspace, EvaluateSettings(baselines=("popularity",)))
    shutil.copytree(registry.resolve(workspace).root, workspace.models / "20200101T000000-als-0000")
    return workspace


@pytest.fixture(scope="module")
def unsealed(sealed, tmp_path_factory) -> Workspace:
    """The same as earlier versions wrote it, without checksums."""
    workspace = Workspace(tmp_path_factory.mktemp("unsealed") / "data")
    shutil.copytree(sealed.root, workspace.root)
    for path in (*workspace.models.glob("*/model_info.json"), workspace.prepared.manifest):
        document = json.loads(path.read_text())
        del (document["engine"] if path.name == "manifest.json" else document)["files"]
        path.write_text(json.dumps(document))
    return workspace


def seeds(n: int = CASES) -> Iterator[int]:
    return iter(range(FIRST, FIRST + n))


def attempted(call: Callable[[], Any]) -> Any:
    """What a call returns, or the error in plain words that it ends in."""
    try:
        return call()
    except MlrecError as error:
        return error


def says_where(error: MlrecError) -> bool:
    return re.search(r"\.(json|npy|npz|parquet)\b|/models|/prepared", error.message) is not None and bool(error.hint)


def answers(workspace: Workspace) -> list[object]:
    """What the model says to some users."""
    with Recommender.open(workspace.root, store="memory") as rec:
        lists = [rec.get_top_n(user) for user in USERS]
        return [*lists, rec.recommend_for([1, 260], [2]), rec.similar_movies(1), rec.search("star wars")]


def everybodys_lists(workspace: Workspace) -> int:
    with Recommender.open(workspace.root, store="memory") as rec:
        return sum(block.users for block in rec.recommend_all(3))


def check_commands(workspace: Workspace) -> None:
    """Neither doctor nor a listing dies of what it finds, and a listing has every model."""
    ids = registry.list_ids(workspace)
    for command in (["doctor", "--json"], ["models", "list"], ["models", "list", "--json"]):
        done = CliRunner().invoke(app, ["--data-dir", str(workspace.root), *command])
        assert done.exit_code in ((0, 4) if command[0] == "doctor" else (0,)), (command, done.output, done.exception)
        assert command[0] == "doctor" or all(model_id in done.output for model_id in ids)


# -- models ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODEL_FILES)
def test_any_change_of_a_model_is_noticed_when_it_is_opened(sealed, name):
    right = answers(sealed)
    path = registry.resolve(sealed).root / name
    meaning = json.loads(path.read_bytes()) if path.suffix == ".json" else None
    for seed in seeds():
        with damage(path, seed) as changed:
            found = attempted(lambda: answers(sealed))
            if isinstance(found, MlrecError):
                assert isinstance(found, IncompatibleFormatError)
                assert says_where(found)
            else:  # evaluation results do not count, nor spaces in a description
                assert found == right
                assert name == "metrics.json" or (name == "model_info.json" and json.loads(changed) == meaning)
            if seed % 10 == 0:
                check_commands(sealed)
    assert answers(sealed) == right


@pytest.mark.parametrize("name", MODEL_FILES)
def test_a_damaged_model_without_checksums_answers_or_says_what_is_wrong(unsealed, name):
    """Not every change can be told there. But no list is of movies that there are not, and no error is a traceback."""
    right = answers(unsealed)
    path = registry.resolve(unsealed).root / name
    for seed in seeds():
        with damage(path, seed):
            for found in (attempted(lambda: answers(unsealed)), attempted(lambda: everybodys_lists(unsealed))):
                assert not isinstance(found, MlrecError) or says_where(found)
            if seed % 10 == 0:
                check_commands(unsealed)
    assert answers(unsealed) == right


# -- prepared data -----------------------------------------------------------------------------------------------------


def same(one, other) -> bool:
    return one.movies.title == other.movies.title and all(
        np.array_equal(column, getattr(other.events, name)) for name, column in vars(one.events).items()
    )


@pytest.mark.parametrize("name", PREPARED_FILES)
@pytest.mark.parametrize("has_checksums", [True, False])
def test_damaged_prepared_data_is_read_right_or_refused(sealed, unsealed, name, has_checksums):
    workspace = sealed if has_checksums else unsealed
    right = read_prepared(workspace)
    path = workspace.prepared.root / name
    for seed in seeds():
        with damage(path, seed):
            found = attempted(lambda: read_prepared(workspace))
            if isinstance(found, MlrecError):
                assert isinstance(found, IncompatibleFormatError)
                assert says_where(found)
            else:
                assert not has_checksums or same(found, right)
                assert np.isin(found.events.preference, (-2, -1, 1, 2)).all()
            attempted(lambda: read_movies(workspace)), attempted(lambda: read_held_out(workspace, "val"))
            if seed % 10 == 0:
                check_commands(workspace)
    assert same(read_prepared(workspace), right)
    assert read_manifest(workspace) == right.manifest


# -- journals ----------------------------------------------------------------------------------------------------------

ORIGIN = Origin("fingerprint", "ndcg@10", "val", "liked", 0, 42)


def trials_of(files: StudyFiles) -> list[tuple[int, float, TrainSettings]]:
    with open_study(files, ORIGIN, 31_000) as study:
        return sorted((trial.number, trial.value, trial.settings) for trial in study.best(100))


@pytest.fixture(scope="module")
def journal(tmp_path_factory) -> StudyFiles:
    files = StudyFiles(tmp_path_factory.mktemp("tuning"), "hill")

    def judge(settings, tell):
        tell(4, 0.1)
        return 1 / settings.alpha

    with open_study(files, ORIGIN, 31_000) as study:
        for _ in range(6):
            study.run_trial(judge)
    return files


def test_a_damaged_journal_is_refused_or_goes_on_without_its_last_trials(journal):
    right = trials_of(journal)
    assert len(right) == 6
    for seed in seeds(4 * CASES):
        with damage(journal.journal, seed):
            found = attempted(lambda: trials_of(journal))
            if isinstance(found, MlrecError):
                assert isinstance(found, IncompatibleFormatError)
                assert "--fresh" in found.hint
            else:
                assert found == right[: len(found)]
    assert trials_of(journal) == right


def test_a_damaged_journal_of_an_earlier_version_is_refused_or_opened(journal, tmp_path):
    files = StudyFiles(tmp_path, "hill")
    lines = [json.loads(line) for line in journal.journal.read_bytes().splitlines()]
    files.journal.write_text("".join(json.dumps({**line, "crc32": None}) + "\n" for line in lines))
    assert trials_of(files) == trials_of(journal)
    for seed in seeds(4 * CASES):
        with damage(files.journal, seed):
            attempted(lambda: trials_of(files))


# -- other documents ---------------------------------------------------------------------------------------------------


def test_a_damaged_settings_file_is_refused_or_read(tmp_path):
    path = tmp_path / "best.json"
    write_settings(path, TrainSettings(alpha=3.5, half_life=float("inf")), {"name": "main"})
    for seed in seeds(10 * CASES):
        with damage(path, seed):
            found = attempted(lambda: read_settings(path))
            assert isinstance(found, TrainSettings) or str(path) in found.message


DOCUMENTS = ("models/{id}/model_info.json", "models/{id}/catalogue.json", "models/{id}/metrics.json",
             "prepared/manifest.json")  # fmt: skip
NOTHING_LIKE_IT = {
    "deep": b'{"format_version": 1, "a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "rather deep": b'{"format_version": 1, "a": ' + b"[" * 400 + b"]" * 400 + b"}",
    "list": b"[1]",
    "number": b"1",
    "huge number": b'{"format_version": 1' + b"0" * 5_000 + b"}",
    "not a number": b'{"format_version": 1, "a": NaN}',
    "true": b'{"format_version": true}',
    "not UTF-8": b'{"format_version": 1, "a": "\xff"}',
    "UTF-16": '{"format_version": 1}'.encode("utf-16"),
    "empty": b"",
    "zeros": bytes(500),
}


@pytest.mark.parametrize("content", NOTHING_LIKE_IT.values(), ids=NOTHING_LIKE_IT)
@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_document_that_is_none_is_told_in_plain_words(sealed, document, content):
    path = sealed.root / document.format(id=registry.published_id(sealed))
    kept = path.read_bytes()
    path.write_bytes(content)
    try:
        check_commands(sealed)
        for command in (["models", "show"], ["models", "show", "--json"], ["evaluate", "--baseline", "popularity"]):
            done = CliRunner().invoke(app, ["--data-dir", str(sealed.root), *command])
            assert done.exit_code in (0, 4), (command, done.output, done.exception)
    finally:
        path.write_bytes(kept)


@pytest.mark.parametrize("key", ["model_id", "settings", "fold_in", "trained_on", "dimensions", "files", "created_at"])
@pytest.mark.parametrize("value", [None, 5, "text", [], [[]], {}, {"a": {"b": 1}}, True])
def test_a_description_with_another_value_is_damaged_or_served(unsealed, key, value):
    path = registry.resolve(unsealed).info
    kept = path.read_bytes()
    path.write_text(json.dumps({**json.loads(kept), key: value}))
    try:
        check_commands(unsealed)
        found = attempted(lambda: answers(unsealed))
        assert not isinstance(found, MlrecError) or says_where(found)
    finally:
        path.write_bytes(kept)


def test_a_folder_where_a_file_should_be_is_told_in_plain_words(sealed):
    own = registry.resolve(sealed)
    for path in (own.info, own.catalogue, own.movie_embeddings, sealed.prepared.manifest, sealed.current_pointer):
        kept = path.read_bytes()
        path.unlink()
        path.mkdir()
        for command, codes in (("doctor", (4,)), ("recommend", (0, 4)), ("train", (0, 4))):
            more = {"recommend": ["--user", "42"], "train": ["--no-publish", "--iterations", "1"]}.get(command, [])
            done = CliRunner().invoke(app, ["--data-dir", str(sealed.root), command, *more])
            assert done.exit_code in codes, (path, command, done.output, done.exception)
        path.rmdir()
        path.write_bytes(kept)
