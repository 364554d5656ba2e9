"""Fixtures: the real demo data, prepared and trained once for the whole run."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mlrec.dataset.demo import write_demo
from mlrec.dataset.prepare import prepare
from mlrec.model.train import train
from mlrec.workspace import Workspace


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch):
    """A developer's own settings must not reach the tests."""
    for name in ("MLREC_DATA_DIR", "MLREC_MIRROR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def demo_raw(tmp_path_factory) -> Path:
    """A folder with the demo data's movies.csv and ratings.csv."""
    folder = tmp_path_factory.mktemp("demo") / "raw"
    folder.mkdir()
    write_demo(folder)
    return folder


@pytest.fixture(scope="session")
def _demo_trained(demo_raw, tmp_path_factory) -> Workspace:
    workspace = Workspace(tmp_path_factory.mktemp("demo-trained"))
    prepare(workspace, raw=demo_raw)
    train(workspace)
    return workspace


@pytest.fixture(scope="session")
def demo(_demo_trained) -> Workspace:
    """The demo data, prepared and trained with the defaults. For reading only."""
    return _demo_trained


@pytest.fixture
def demo_copy(_demo_trained, tmp_path) -> Workspace:
    """A copy of `demo` that a test may change."""
    workspace = Workspace(tmp_path / "data")
    shutil.copytree(_demo_trained.root, workspace.root)
    return workspace
