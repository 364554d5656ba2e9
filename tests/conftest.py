"""Fixtures: the real demo data, prepared and trained once for the whole run.

Fixtures import heavy packages themselves, so that tests/unit does not wait for them.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from mlrec.workspace import Workspace
from tests.few_users import leave_few_users
from tests.processes import give_children_default_signals
from tests.ram_disk import use_ram_disk
from tests.stores import KINDS, redis_server

# Several workers share the processors, where threads of BLAS that wait for each other would take a third of the time.
# Before numpy is imported, and for the programs that tests start.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Programs that tests start need not compile mlrec each time, even if this process is told not to keep what it compiles.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
use_ram_disk()


def pytest_configure(config: pytest.Config) -> None:
    # The process of pytest-xdist that starts the others goes on ignoring, so that these learn what to ignore.
    if not getattr(config.option, "numprocesses", None):
        give_children_default_signals()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    if config.getvalue("dist") != "loadfile":
        return None
    from tests.scheduling import FileScheduling

    return FileScheduling(config, log)


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch):
    """A developer's own settings must not reach the tests."""
    for name in ("MLREC_DATA_DIR", "MLREC_MIRROR", "MLREC_STORE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def demo_raw(tmp_path_factory) -> Path:
    """A folder with the demo data's movies.csv and ratings.csv."""
    from mlrec.dataset.demo import write_demo

    folder = tmp_path_factory.mktemp("demo") / "raw"
    folder.mkdir()
    write_demo(folder)
    return folder


@pytest.fixture(scope="session")
def few_raw(demo_raw, tmp_path_factory) -> Path:
    """A fifth of the demo data: its first 150 users and the movies that they have rated."""
    folder = tmp_path_factory.mktemp("few") / "raw"
    folder.mkdir()
    leave_few_users(demo_raw, folder)
    return folder


@pytest.fixture(scope="session")
def _demo_trained(demo_raw, tmp_path_factory) -> Workspace:
    return _trained(demo_raw, tmp_path_factory.mktemp("demo-trained"))


@pytest.fixture(scope="session")
def _few_trained(few_raw, tmp_path_factory) -> Workspace:
    return _trained(few_raw, tmp_path_factory.mktemp("few-trained"))


def _trained(raw: Path, folder: Path) -> Workspace:
    from mlrec.dataset.prepare import prepare
    from mlrec.evaluation.choosing import on_validation
    from mlrec.model.train import train

    workspace = Workspace(folder)
    prepare(workspace, raw=raw)
    train(workspace, chooser=on_validation)
    return workspace


@pytest.fixture(scope="session")
def demo(_demo_trained) -> Workspace:
    """The demo data, prepared and trained with the defaults. For reading only."""
    return _demo_trained


@pytest.fixture
def demo_copy(_demo_trained, tmp_path) -> Workspace:
    """A copy of `demo` that a test may change."""
    return _copied(_demo_trained, tmp_path / "data")


@pytest.fixture(scope="session")
def few(_few_trained) -> Workspace:
    """A fifth of the demo data, prepared and trained with the defaults. For reading only.

    For what takes long with all of it, where any real data will do: evaluations with replay, which train seven models.
    """
    return _few_trained


@pytest.fixture
def few_copy(_few_trained, tmp_path) -> Workspace:
    """A copy of `few` that a test may change."""
    return _copied(_few_trained, tmp_path / "data")


@pytest.fixture(scope="session")
def text_demo(demo, tmp_path_factory) -> Workspace:
    """The model of `demo` with text ids of users and movies. For reading only."""
    from mlrec.artifacts import registry
    from tests.text_ids import with_text_ids

    workspace = Workspace(tmp_path_factory.mktemp("text"))
    with_text_ids(registry.resolve(demo), workspace)
    return workspace


@pytest.fixture
def text_copy(text_demo, tmp_path) -> Workspace:
    """A copy of `text_demo` that a test may change."""
    return _copied(text_demo, tmp_path / "text")


def _copied(workspace: Workspace, folder: Path) -> Workspace:
    shutil.copytree(workspace.root, folder)
    return Workspace(folder)


@pytest.fixture(scope="session")
def _shared_redis(tmp_path_factory):
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def redis_url(_shared_redis) -> str:
    """URL of an empty database in a real server that keeps what it acknowledges."""
    import redis

    with redis.Redis.from_url(_shared_redis.url) as client:
        client.flushall()
    return _shared_redis.url


@pytest.fixture(params=KINDS)
def store_name(request, tmp_path) -> str:
    """Name of an empty store of each kind."""
    if request.param == "redis":
        return str(request.getfixturevalue("redis_url"))
    return str(tmp_path / "stores" / "users.db") if request.param == "sqlite" else "memory"


@pytest.fixture
def store(store_name):
    """An empty store of each kind."""
    from mlrec.serving.stores import open_store

    opened = open_store(store_name, None)
    yield opened
    opened.close()
