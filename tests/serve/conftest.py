"""One service of the demo data for all tests that only ask, and one for each test that changes what is served."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest

from mlrec.workspace import Workspace
from tests.serve.service import Service, serving


@pytest.fixture(scope="session")
def shared(demo, tmp_path_factory) -> Iterator[Service]:
    """A service with a page and without keys. Each test swipes for users of its own."""
    with _serving_a_copy(demo, tmp_path_factory.mktemp("shared")) as service:
        yield service


@pytest.fixture(scope="module")
def own(demo, tmp_path_factory) -> Iterator[Service]:
    """The same for one file of tests, which may also forget the users of the data."""
    with _serving_a_copy(demo, tmp_path_factory.mktemp("own")) as service:
        yield service


def _serving_a_copy(demo: Workspace, folder: Path) -> AbstractContextManager[Service]:
    shutil.copytree(demo.root, folder / "data")
    return serving(folder / "data")


@pytest.fixture
def serve(demo_copy) -> Iterator[Callable[..., Service]]:
    """Start a service of this test's own data directory with some options."""
    with ExitStack() as stack:
        yield lambda *options, **environment: stack.enter_context(serving(demo_copy.root, *options, **environment))
