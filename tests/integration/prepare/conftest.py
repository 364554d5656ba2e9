"""Fixtures: prepared and raw folders shared by several tests."""

from __future__ import annotations

import pytest

from mlrec.dataset.prepare import Prepared, prepare
from mlrec.workspace import Workspace
from tests.integration.prepare.definitions import Rating
from tests.integration.prepare.raw_data import crowd, csv_lines, loose, write_raw


@pytest.fixture(scope="module")
def one_run(tmp_path_factory) -> tuple[Workspace, Prepared, list[Rating]]:
    """One prepared folder that several tests look at."""
    ratings = [rating._replace(timestamp=rating.timestamp * 3 - 2 * 10**9) for rating in crowd(9)]
    workspace = write_raw(tmp_path_factory.mktemp("one-run"), csv_lines(ratings), movies=25)
    return workspace, prepare(workspace, loose(min_movie_ratings=5)), ratings


@pytest.fixture
def small(tmp_path) -> Workspace:
    return write_raw(tmp_path / "small", csv_lines(crowd(10, users=5, movies=9, ratings=60)))
