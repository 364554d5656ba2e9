"""Comparing two prepared folders, and two models."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from pyarrow import parquet

from mlrec.artifacts import model_folder, registry
from mlrec.artifacts.prepared import read_manifest
from mlrec.dataset.reading import read_prepared
from mlrec.ranking.histories import EVENT_ARRAYS
from mlrec.settings import SPLITS
from mlrec.workspace import Workspace

OUTSIDE = ["user_id", "movie_id", "preference", "timestamp", "position", "split"]


def hashes(workspace: Workspace) -> dict[str, str]:
    """A hash over the rows of each split, in the order user, time, movie."""
    found: dict[str, str] = {}
    for name in SPLITS:
        events = read_prepared(workspace, (name,)).events
        columns = (events.user_id, events.movie_id, events.preference, events.timestamp)
        table = np.stack([column.astype("<i8") for column in columns], axis=1)
        found[name] = f"{len(table)} rows, {hashlib.sha256(table.tobytes()).hexdigest()}"
    return found


def outside(workspace: Workspace) -> list[tuple[Any, ...]]:
    """The rows of the events outside the core, in the order of the file."""
    table = parquet.read_table(workspace.prepared.outside)
    assert table.column_names == OUTSIDE
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def assert_same_outside(one: Workspace, other: Workspace) -> None:
    """The same rows outside the core, in the same order, of the same types."""
    ours, theirs = outside(one), outside(other)
    assert len(ours) == len(theirs)
    # Not the lists as a whole: telling two long lists apart takes pytest minutes.
    assert next((pair for pair in zip(ours, theirs, strict=True) if pair[0] != pair[1]), None) is None
    types = [parquet.read_schema(workspace.prepared.outside).types for workspace in (one, other)]
    assert types[0] == types[1]
    assert ours == sorted(ours, key=lambda row: (row[0], row[4]))


def told(workspace: Workspace) -> dict[str, Any]:
    """What the manifest says of the rows, whoever has prepared them."""
    manifest = read_manifest(workspace).document
    return {name: value for name, value in manifest.items() if name not in ("created_at", "seconds", "engine")}


def assert_same(one: Workspace, other: Workspace) -> None:
    """The same rows in each split and outside the core, the same rejects byte by byte, catalogue and manifest."""
    assert hashes(one) == hashes(other)
    assert_same_outside(one, other)
    assert one.prepared.rejects.read_bytes() == other.prepared.rejects.read_bytes()
    assert one.prepared.movies.read_bytes() == other.prepared.movies.read_bytes()
    assert told(one) == told(other)


def assert_same_rows(ours: model_folder.Model, theirs: model_folder.Model) -> None:
    """The same users, movies and events in two models, bit by bit: everything but what ALS has learned."""
    for name in ("user_ids", "movie_ids", "origin", "popularity", "n_ratings", "recent_share"):
        assert_equal_arrays(getattr(ours, name), getattr(theirs, name))
    for name in ("indptr", *EVENT_ARRAYS):
        assert_equal_arrays(getattr(ours.history, name), getattr(theirs.history, name))
    assert ours.catalogue == theirs.catalogue
    assert ours.info.dimensions == theirs.info.dimensions


def assert_equal_arrays(one: np.ndarray, other: np.ndarray) -> None:
    """The same values, in arrays of the same type."""
    assert one.dtype == other.dtype
    np.testing.assert_array_equal(one, other)


def opened(workspace: Workspace, model_id: str | None = None) -> model_folder.Model:
    """The published model, or the one of this id."""
    return model_folder.open_model(registry.resolve(workspace, model_id))
