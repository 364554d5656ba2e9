"""Lists in one order for all users, against plain Python."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlrec.evaluation import listers
from mlrec.evaluation.listers import in_order
from mlrec.ranking.best_unseen import Seen


@pytest.mark.parametrize("look_ahead", [0, 1, 246])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_the_first_unseen_movies_in_order(look_ahead, data):
    n_movies, n = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 6))
    order = data.draw(st.lists(st.integers(0, n_movies - 1), unique=True))
    seen = data.draw(st.lists(st.sets(st.integers(0, n_movies - 1)), max_size=5))
    expected = [([movie for movie in order if movie not in own] + [-1] * n)[:n] for own in seen]
    positions = np.repeat(np.arange(len(seen)), [len(own) for own in seen])
    movie_idx = np.array([movie for own in seen for movie in own], dtype=np.int32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listers, "_LOOK_AHEAD", look_ahead)
        lister = in_order(np.array(order, dtype=np.int64), n_movies)
        found = lister(np.arange(len(seen)), Seen(positions.astype(np.int64), movie_idx), n)
    assert found.tolist() == expected
    assert found.dtype == np.int64
