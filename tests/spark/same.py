"""Comparing two prepared folders."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from mlrec.artifacts.prepared import read_manifest
from mlrec.dataset.reading import read_prepared
from mlrec.settings import SPLITS
from mlrec.workspace import Workspace


def hashes(workspace: Workspace) -> dict[str, str]:
    """A hash over the rows of each split, in the order user, time, movie."""
    found: dict[str, str] = {}
    for name in SPLITS:
        events = read_prepared(workspace, (name,)).events
        columns = (events.user_id, events.movie_id, events.preference, events.timestamp)
        table = np.stack([column.astype("<i8") for column in columns], axis=1)
        found[name] = f"{len(table)} rows, {hashlib.sha256(table.tobytes()).hexdigest()}"
    return found


def told(workspace: Workspace) -> dict[str, Any]:
    """What the manifest says of the rows, whoever has prepared them."""
    manifest = read_manifest(workspace).document
    return {name: value for name, value in manifest.items() if name not in ("created_at", "seconds", "engine")}


def assert_same(one: Workspace, other: Workspace) -> None:
    """The same rows in each split, the same rejects byte by byte, the same catalogue and the same manifest."""
    assert hashes(one) == hashes(other)
    assert one.prepared.rejects.read_bytes() == other.prepared.rejects.read_bytes()
    assert one.prepared.movies.read_bytes() == other.prepared.movies.read_bytes()
    assert told(one) == told(other)
