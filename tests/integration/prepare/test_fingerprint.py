"""The fingerprint changes exactly when the rows may change."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mlrec.dataset.prepare import _RULES_VERSION, prepare
from mlrec.workspace import Workspace
from tests.integration.prepare.definitions import Swiped
from tests.integration.prepare.raw_data import RATED_AT, loose, swipe_table


def fingerprint(root: Path, raw: Path, **changes: Any) -> str:
    return prepare(Workspace(root), loose(min_movie_ratings=5, **changes), raw=raw).manifest.fingerprint


@pytest.mark.parametrize(
    "change",
    [
        {"min_user_ratings": 2},
        {"cut_points": (2.0, 3.5, 4.5)},
        {"max_rating": 6.0},
        {"split": "global-time"},
        {"split_ratio": (7, 2, 1)},
        {"user_offset": 5},
        {"ties": "random"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_fingerprint_changes_with_what_changes_the_rows(one_run, tmp_path, change):
    workspace, result, _ = one_run
    assert fingerprint(tmp_path, workspace.raw, **change) != result.manifest.fingerprint


def test_the_fingerprint_does_not_change_with_how_the_work_is_done(one_run, tmp_path):
    workspace, result, _ = one_run
    how = {"threads": 1, "memory_limit": "500MB", "max_reject_share": 0.5, "random_seed": 7}
    assert fingerprint(tmp_path, workspace.raw, **how) == result.manifest.fingerprint


def test_settings_of_ties_that_are_not_dealt_leave_the_fingerprint_as_it_was(one_run):
    """A model goes on fitting the data that it was trained on before there were these settings."""
    _, result, _ = one_run
    names = [
        "min_user_ratings", "min_movie_ratings", "cut_points", "max_rating", "split", "split_ratio", "user_offset",
    ]  # fmt: skip
    origin = {
        "rules": _RULES_VERSION,
        "input": [(file["role"], file["sha256"]) for file in result.manifest.document["input"]["files"]],
        "settings": {name: result.manifest.document["settings"][name] for name in names},
    }
    expected = hashlib.sha256(json.dumps(origin, sort_keys=True).encode()).hexdigest()
    assert result.manifest.fingerprint == expected


@pytest.mark.parametrize("name", ["ratings.csv", "movies.csv"])
def test_the_fingerprint_changes_with_the_input(one_run, tmp_path, name):
    workspace, result, _ = one_run
    raw = tmp_path / "raw"
    shutil.copytree(workspace.raw, raw)
    (raw / name).write_text((raw / name).read_text().replace("1", "2", 1))
    assert fingerprint(tmp_path, raw) != result.manifest.fingerprint


def app_fingerprint(
    tmp_path: Path, raw: Path, swipes: Sequence[Swiped] | None = None, forgotten: Sequence[int] = (), **changes: Any
) -> str:
    table = None if swipes is None else swipe_table(swipes)
    workspace, how = Workspace(tmp_path / "app"), loose(**changes)
    return prepare(workspace, how, raw=raw, swipes=table, forgotten=forgotten).manifest.fingerprint


def test_the_fingerprint_changes_with_the_swipes_and_forgotten_users_that_change_the_rows(small, tmp_path):
    ours = Swiped(1, 2, 2, RATED_AT)
    ways: list[tuple[list[Swiped] | None, list[int]]] = [
        (None, []),
        ([ours], []),
        ([ours._replace(preference=1)], []),
        ([ours._replace(preference=0)], []),
        ([ours._replace(at=RATED_AT + 1)], []),
        ([ours._replace(movie_id=3)], []),
        ([ours._replace(user_id=2)], []),
        ([ours, Swiped(2, 2, 2, RATED_AT)], []),
        (None, [1]),
        (None, [2]),
        (None, [1, 2]),
        ([ours], [2]),
    ]
    found = [app_fingerprint(tmp_path, small.raw, *way) for way in ways]
    assert len(set(found)) == len(ways)
    again = [app_fingerprint(tmp_path, small.raw, *way, threads=1) for way in ways]
    assert again == found


def test_the_fingerprint_stays_where_swipes_and_forgotten_users_change_nothing(small, tmp_path):
    plain = app_fingerprint(tmp_path, small.raw)
    assert app_fingerprint(tmp_path, small.raw, []) == plain
    assert app_fingerprint(tmp_path, small.raw, [Swiped(1, 1, 2, 5), Swiped(1, 99, 2, RATED_AT)]) == plain
    assert app_fingerprint(tmp_path, small.raw, None, [777]) == plain
    assert app_fingerprint(tmp_path, small.raw, [Swiped(777, 1, 2, RATED_AT)], [777]) == plain
    ours = [Swiped(1, 2, 2, RATED_AT), Swiped(3, 2, -2, RATED_AT)]
    in_turn = app_fingerprint(tmp_path, small.raw, ours, [2, 4])
    assert app_fingerprint(tmp_path, small.raw, ours[::-1], [4, 2, 2, 777]) == in_turn
