"""The lists of all users at once."""

from __future__ import annotations

import pytest

from tests.integration.learning.users import NEW


@pytest.mark.parametrize(
    "options",
    [{}, {"genres": ["Comedy"], "years": (1990, 1999), "exclude": [296]}, {"include_seen": True}, {"diversity": 0.4}],
)
def test_everybodys_lists_are_each_ones_own(rec, options):
    rec.update_user(42, 318, 2)
    rec.update_user(NEW, 1, 1)
    rec.store.forget(7, 1)
    lists: dict[int, list[tuple[int, float, str]]] = {}
    users = 0
    for block in rec.recommend_all(7, **options):
        users += block.users
        for user, rank, movie, score, source in zip(
            *(getattr(block, name).tolist() for name in ("user_id", "rank", "movie_id", "score", "source")), strict=True
        ):
            lists.setdefault(user, []).append((movie, score, source))
            assert rank == len(lists[user])
    assert users == 670  # without the forgotten one, with the new one
    assert list(lists) == sorted(lists)
    assert 7 not in lists
    for user, found in lists.items():
        expected = [(item.movie_id, item.score, item.source) for item in rec.get_top_n(user, 7, **options)]
        assert [entry[0] for entry in found] == [entry[0] for entry in expected], user
        assert [entry[1] for entry in found] == pytest.approx([entry[1] for entry in expected], abs=1e-6)
        assert [entry[2] for entry in found] == [entry[2] for entry in expected]
