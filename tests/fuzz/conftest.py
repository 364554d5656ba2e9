"""Fixtures: the driver, and a small data set, prepared and trained, that an attack may copy."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mlrec.dataset.prepare import prepare
from mlrec.model.train import train
from mlrec.settings import PrepareSettings, TrainSettings
from mlrec.workspace import Workspace
from tests.fuzz.attack import Fuzz
from tests.fuzz.small import write_small_raw


@pytest.fixture
def fuzz(request) -> Fuzz:
    """Runs the cases of the test that asks for it."""
    return Fuzz(request.node.nodeid)


@pytest.fixture(scope="session")
def small(tmp_path_factory) -> Workspace:
    """A small data set, prepared, with two models, of which the later is published. For reading only."""
    workspace = Workspace(tmp_path_factory.mktemp("small") / "data")
    write_small_raw(workspace.raw)
    prepare(workspace, PrepareSettings(min_user_ratings=2, min_movie_ratings=2))
    for iterations in (1, 2):
        train(workspace, TrainSettings(factors=8, iterations=iterations))
    return workspace


@pytest.fixture(scope="session")
def copied(small) -> Callable[[Path], Workspace]:
    """Makes a copy of `small` in a folder, which an attack may do harm to."""

    def copy(folder: Path) -> Workspace:
        shutil.copytree(small.root, folder / "data")
        return Workspace(folder / "data")

    return copy
