"""Fixtures: a mirror on this machine, and a network without any other."""

from __future__ import annotations

import threading

import pytest

from mlrec.workspace import Workspace
from tests.integration.fetch.mirror import ARCHIVES, Mirror, MirrorHandler, MirrorServer


@pytest.fixture
def mirror():
    server = MirrorServer(("127.0.0.1", 0), MirrorHandler)
    result = Mirror(f"http://127.0.0.1:{server.server_port}/movielens/")
    result.files = {f"/movielens/{name}.zip": archive for name, archive in ARCHIVES.items()}
    server.mirror = result
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield result
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def _no_outside_world(monkeypatch):
    monkeypatch.delenv("MLREC_MIRROR", raising=False)
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path / "data")


@pytest.fixture
def archives(tmp_path):
    """A local folder with the archives."""
    folder = tmp_path / "archives"
    folder.mkdir()
    for name, archive in ARCHIVES.items():
        (folder / f"{name}.zip").write_bytes(archive)
    return folder
