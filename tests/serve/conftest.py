"""One service of the demo data for all tests that only ask, and one for each test that changes what is served."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from mlrec.workspace import Workspace
from tests.serve.service import Service, serving


@pytest.fixture(scope="session")
def shared(demo, tmp_path_factory) -> Iterator[Service]:
    """A service with a page and without keys. Each test swipes for users of its own."""
    workspace = Workspace(tmp_path_factory.mktemp("shared") / "data")
    shutil.copytree(demo.root, workspace.root)
    with serving(workspace.root) as service:
        yield service


@pytest.fixture
def serve(demo_copy) -> Iterator[Callable[..., Service]]:
    """Start a service of this test's own data directory with some options."""
    with ExitStack() as stack:
        yield lambda *options, **environment: stack.enter_context(serving(demo_copy.root, *options, **environment))
