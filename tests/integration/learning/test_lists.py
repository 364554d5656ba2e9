"""Options of lists."""

from __future__ import annotations

import numpy as np
import pytest

from mlrec.errors import SettingsError
from tests.integration.learning.users import ids


def test_diversity_zero_is_off_and_more_of_it_gives_less_alike_lists(memory, model):
    assert memory.get_top_n(42, 10, diversity=0.0) == memory.get_top_n(42, 10)

    def similarity(items):
        Y = np.array([model.movie_factors[model.movie_idx(movie_id)] for movie_id in ids(items)])
        Y /= np.linalg.norm(Y, axis=1, keepdims=True)
        return np.mean([max(Y[place] @ Y[:place].T) for place in range(1, len(Y))])  # to the nearest one above

    users = range(40, 60)
    lists = {d: [memory.get_top_n(user, 10, diversity=d) for user in users] for d in (0.0, 0.3, 0.7)}
    less, more, most = (np.mean([similarity(items) for items in of_users]) for of_users in lists.values())
    assert less > more > most
    for of_user in zip(*lists.values(), strict=True):
        assert all(items[0] == of_user[0][0] for items in of_user)
        assert [item.rank for item in of_user[2]] == list(range(1, 11))
    for d in (-0.1, 1.1):
        with pytest.raises(SettingsError, match="diversity"):
            memory.get_top_n(42, diversity=d)


def test_lists_are_never_padded(memory, model):
    assert len(memory.get_top_n(42, 10_000, diversity=0.5)) < len(model.movie_ids)
    few = memory.get_top_n(42, 10, genres=["Film-Noir"], years=(1970, 1979), diversity=0.5)
    assert 0 < len(few) < 10
