"""The holdout is a tenth of the users, always the same ones."""

from __future__ import annotations

import hashlib

import numpy as np

from mlrec.evaluation.holdout import is_held_back


def test_a_user_is_in_it_by_the_documented_hash():
    ids = np.arange(1, 200)
    fractions = [int(hashlib.blake2b(str(one).encode(), digest_size=8).hexdigest(), 16) / 2**64 for one in ids]
    assert is_held_back(ids).tolist() == [fraction >= 0.9 for fraction in fractions]
    assert np.flatnonzero(is_held_back(np.arange(100))).tolist() == [1, 7, 10, 15, 24, 61, 70, 78, 81, 85, 96]


def test_it_is_a_tenth_whatever_the_kind_of_ids_and_does_not_depend_on_the_others():
    for ids in (np.arange(20_000), np.array([f"tt{one:07d}" for one in range(20_000)], dtype=object)):
        found = is_held_back(ids)
        assert 0.09 < found.mean() < 0.11
        assert is_held_back(ids[5:9]).tolist() == found[5:9].tolist()
    assert len(is_held_back(np.array([], dtype=np.int64))) == 0
