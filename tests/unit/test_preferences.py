"""Names, buckets and numbers of swipes mean the same thing everywhere."""

from __future__ import annotations

import numpy as np
import pytest

from mlrec.errors import SettingsError
from mlrec.preferences import BUCKETS, Swipe, from_bucket


@pytest.mark.parametrize(
    ("given", "meant"),
    [(-2, -2), ("-1", -1), ("−1", -1), (0, 0), ("+1", 1), ("2", 2), (" Like ", 1), ("SUPERDISLIKE", -2), ("skip", 0),
     (np.int8(2), 2), (Swipe.LIKE, 1)],
)  # fmt: skip
def test_what_can_be_given(given, meant):
    assert Swipe.parse(given) == meant


@pytest.mark.parametrize("given", [3, -3, "3", "", "lik", "1.0", True, 1.5, None])
def test_what_cannot(given):
    with pytest.raises(SettingsError, match="not a valid preference"):
        Swipe.parse(given)


def test_buckets_are_swipes_from_worst_to_best():
    assert [int(from_bucket(bucket)) for bucket in (1, 2, 3, 4)] == [-2, -1, 1, 2] == list(map(int, BUCKETS))
    for bucket in (0, 5, -1):
        with pytest.raises(SettingsError, match="not a valid bucket"):
            from_bucket(bucket)


def test_labels_can_be_read_back():
    assert all(Swipe.parse(swipe.label) is swipe for swipe in Swipe)
