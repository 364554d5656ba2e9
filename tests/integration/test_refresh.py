"""A newly published model that cannot be served: one warning, the former model goes on serving, doctor says why."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlrec import Recommender
from mlrec.artifacts import registry
from mlrec.doctor import diagnose
from mlrec.errors import IncompatibleFormatError, MlrecError
from mlrec.settings import ServeSettings
from mlrec.workspace import ModelFiles, Workspace
from tests.processes import wait_until

GOLDEN = Path(__file__).parents[1] / "golden"
NEW = "20990101T000000-als-0000"


@pytest.fixture(autouse=True)
def _no_java(monkeypatch):
    """Doctor starts a process to look for it."""
    monkeypatch.setattr("mlrec.doctor._java", list)


@pytest.fixture(params=["v1", "v1-sealed"])
def workspace(request, tmp_path) -> Workspace:
    shutil.copytree(GOLDEN / request.param, tmp_path / "data")
    return Workspace(tmp_path / "data")


def add_model(workspace: Workspace, change: Callable[[ModelFiles], None]) -> ModelFiles:
    """Put a changed copy of the model beside it."""
    new = workspace.model(NEW)
    shutil.copytree(registry.resolve(workspace).root, new.root)
    change(new)
    return new


def point_to(workspace: Workspace, model_id: str) -> None:
    """Publish as an earlier or a later version might, without a look at the model."""
    workspace.current_pointer.write_text(model_id)


def in_info(change: Callable[[dict[str, Any]], object]) -> Callable[[ModelFiles], None]:
    def rewrite(files: ModelFiles) -> None:
        info = json.loads(files.info.read_text())
        change(info)
        files.info.write_text(json.dumps(info))

    return rewrite


def truncated(name: str) -> Callable[[ModelFiles], None]:
    def cut(files: ModelFiles) -> None:
        content = files.array(name).read_bytes()
        files.array(name).write_bytes(content[: len(content) // 2])

    return cut


DAMAGE = {
    "a key that is missing": (
        in_info(lambda info: info.pop("fold_in")), "model_info.json is damaged: fold_in is missing"
    ),
    "a setting that is missing": (
        in_info(lambda info: info["fold_in"].pop("alpha")), "model_info.json is damaged: fold_in.alpha is missing"
    ),
    "a value of another type": (
        in_info(lambda info: info["dimensions"].update(users="40")),
        "model_info.json is damaged: dimensions.users must be a whole number, not '40'",
    ),
    "a rule of a later version": (
        in_info(lambda info: info["fold_in"].update(dislikes="halved")),
        "model_info.json is damaged: fold_in.dislikes must be one of zero, ignore, as-likes, not 'halved'",
    ),
    "a later format": (in_info(lambda info: info.update(format_version=2)), "has format version 2"),
    "truncated factors": (truncated("movie_embeddings"), "movie_embeddings.npy"),
    "truncated events": (truncated("history_timestamp"), "history_timestamp.npy"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_model_that_cannot_be_served_is_refused_by_all_in_the_same_words(workspace, caplog, damage):
    change, words = DAMAGE[damage]
    former = registry.published_id(workspace)
    with Recommender.open(workspace.root, store="memory", settings=ServeSettings(refresh_seconds=0)) as recommender:
        expected = recommender.get_top_n(1, 5)
        add_model(workspace, change)
        point_to(workspace, NEW)
        with pytest.raises(IncompatibleFormatError) as caught:
            recommender.refresh()
        assert words in caught.value.message
        assert serves_on(recommender, expected, caplog)
        assert len(caplog.records) == 1
        assert words in caplog.text
        assert recommender.model_id == former
    (finding,) = [one for one in diagnose(workspace).findings if one.name == "published model"]
    assert finding.status == "problem"
    assert caught.value.message in finding.detail
    point_to(workspace, former)
    (finding,) = [one for one in diagnose(workspace).findings if one.name == "other models"]
    assert caught.value.message in finding.detail


def serves_on(recommender: Recommender, expected: object, caplog: pytest.LogCaptureFixture) -> bool:
    """Whether the former model goes on answering until the new one has been refused, and for a while after that."""
    wait_until(lambda: recommender.get_top_n(1, 5) != expected or caplog.records, seconds=60, pause=0.01)
    until = time.monotonic() + 0.3
    while time.monotonic() < until and recommender.get_top_n(1, 5) == expected:
        time.sleep(0.01)
    return recommender.get_top_n(1, 5) == expected


def test_an_operating_system_that_refuses_is_one_warning(workspace, caplog, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    with Recommender.open(workspace.root, store="memory", settings=ServeSettings(refresh_seconds=0)) as recommender:
        expected = recommender.get_top_n(1, 5)
        add_model(workspace, lambda files: None)
        point_to(workspace, NEW)
        with monkeypatch.context() as patched:
            patched.setattr("numpy.lib.format.open_memmap", refuse)
            assert serves_on(recommender, expected, caplog)
        assert [record.levelno for record in caplog.records] == [logging.WARNING]
        assert "Input/output error" in caplog.text


def test_what_serving_alone_trips_over_is_a_problem_for_doctor_and_a_warning_for_serving(
    workspace, caplog, monkeypatch
):
    def trip(*_: object) -> None:
        raise ArithmeticError("no such ranking")

    with Recommender.open(workspace.root, store="memory", settings=ServeSettings(refresh_seconds=0)) as recommender:
        expected = recommender.get_top_n(1, 5)
        add_model(workspace, lambda files: None)
        point_to(workspace, NEW)
        with monkeypatch.context() as patched:
            patched.setattr("mlrec.serving.served_model.FoldIn", trip)
            assert serves_on(recommender, expected, caplog)
            (finding,) = [one for one in diagnose(workspace).findings if one.name == "published model"]
        assert len(caplog.records) == 1
        assert "no such ranking" in caplog.text
        assert (finding.status, "no such ranking" in finding.detail) == ("problem", True)


def test_a_record_of_a_file_without_its_size_is_named(tmp_path):
    """The description has its own checksum, which is right: another program has written it so."""
    shutil.copytree(GOLDEN / "v1-sealed", tmp_path / "data")
    workspace = Workspace(tmp_path / "data")

    def forget_size(info: dict[str, Any]) -> None:
        del info["files"]["user_ids.npy"]["bytes"], info["files"]["model_info.json"]
        text = json.dumps(info, sort_keys=True)
        info["files"]["model_info.json"] = {"sha256": hashlib.sha256(text.encode()).hexdigest()}

    new = add_model(workspace, in_info(forget_size))
    with pytest.raises(IncompatibleFormatError, match=r"in model_info.json, files.user_ids.npy.bytes is missing"):
        Recommender.open(model=new.root)


def test_more_keys_are_no_damage(tmp_path):
    """In a folder without checksums; with them, see the golden folders."""
    shutil.copytree(GOLDEN / "v1", tmp_path / "data")
    workspace = Workspace(tmp_path / "data")

    def add(info: dict[str, Any]) -> None:
        for part in (info, info["settings"], info["fold_in"], info["dimensions"]):
            part["later"] = {"any": [None]}

    new = add_model(workspace, in_info(add))
    with Recommender.open(workspace.root, store="memory") as recommender:
        registry.publish(workspace, NEW)
        try:
            assert recommender.refresh()
        except MlrecError as error:
            pytest.fail(error.message)
        assert recommender._served().folder_name == new.root.name
