"""Fixtures: recommenders on the demo data."""

from __future__ import annotations

import pytest

from mlrec import Recommender
from mlrec.artifacts import registry
from mlrec.artifacts.model_folder import open_model


@pytest.fixture
def rec(demo, store_name):
    """A recommender on the demo model with a store of each kind."""
    with Recommender.open(demo.root, store=store_name) as opened:
        yield opened


@pytest.fixture
def memory(demo):
    with Recommender.open(demo.root, store="memory") as opened:
        yield opened


@pytest.fixture(scope="module")
def model(demo):
    return open_model(registry.resolve(demo))
