"""Fixtures: data directories with and without swipes."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlrec.serving.stores.interface import Draft
from tests.cli.swipe_log.log import AT, opened


@pytest.fixture
def data(demo_copy, monkeypatch) -> Path:
    """The demo model, with a log of user 42 in which the middle one of three swipes is undone."""
    monkeypatch.setenv("MLREC_DATA_DIR", str(demo_copy.root))
    with opened(demo_copy.root) as store:
        store.append(42, Draft(1, 2, AT, idempotency_key="first, best"))
        store.append(42, Draft(318, -1, AT + 1))
        store.append(42, Draft(318, 0, AT + 2, undoes=2))
        store.append(42, Draft(999_999_999, 0, AT + 3))
    return demo_copy.root


@pytest.fixture
def empty(tmp_path, monkeypatch) -> Path:
    """A data directory that does not exist yet."""
    monkeypatch.setenv("MLREC_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"
