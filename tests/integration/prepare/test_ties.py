"""Ratings of one user in the same second."""

from __future__ import annotations

import pytest

from mlrec.artifacts.prepared import read_manifest
from mlrec.dataset.prepare import prepare
from mlrec.dataset.ties import Ties
from mlrec.errors import SettingsError
from tests.integration.prepare.definitions import Rating
from tests.integration.prepare.raw_data import crowd, csv_lines, loose, split_rows, write_raw


def test_each_seed_deals_ties_otherwise(tmp_path):
    ratings = [rating._replace(timestamp=0) for rating in crowd(4)]
    workspace = write_raw(tmp_path, csv_lines(ratings), movies=25)
    dealt = []
    for seed in (1, 2, 1):
        manifest = prepare(workspace, loose(ties="random", random_seed=seed)).manifest.document
        dealt.append((manifest["fingerprint"], split_rows(workspace)))
    assert dealt[0] == dealt[2]
    assert dealt[0][0] != dealt[1][0]
    assert dealt[0][1]["test"] != dealt[1][1]["test"]


def test_times_that_are_too_coarse_to_split_by_are_told_with_the_way_out(tmp_path):
    times = {user: [0] * 10 if user < 4 else list(range(10)) for user in range(12)}
    ratings = [Rating(user, movie, 5.0, at) for user, row in times.items() for movie, at in enumerate(row, 1)]
    workspace = write_raw(tmp_path, csv_lines(ratings), movies=10)
    result = prepare(workspace, loose())
    assert result.manifest.document["ties"] == {
        "rule": "movie-id", "users": 12, "users_cut_in_ties": 4, "users_held_out_by_ties": 4,
    }  # fmt: skip
    (warning,) = result.warnings
    assert "4 of 12 users" in warning
    assert "--ties random" in warning
    assert prepare(workspace, loose(ties="random")).warnings == ()
    assert prepare(workspace, loose(split="global-time")).warnings == ()


def test_real_times_are_fine_enough_though_a_third_of_the_rows_are_tied(demo):
    ties = read_manifest(demo).document["ties"]
    assert ties == {"rule": "movie-id", "users": 670, "users_cut_in_ties": 198, "users_held_out_by_ties": 16}
    assert Ties(**{name: ties[name] for name in Ties._fields}).warning("movie-id") is None


def test_ties_of_a_global_split_cannot_be_dealt():
    with pytest.raises(SettingsError, match="user-time"):
        loose(split="global-time", ties="random")
