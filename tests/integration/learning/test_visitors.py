"""Visitors, of whom nothing is stored."""

from __future__ import annotations

import pytest

from mlrec import Recommender, ServeSettings
from mlrec.errors import SettingsError, UnknownMovieError
from tests.integration.learning.users import NEW, ids


def test_a_visitor_gets_a_list_and_leaves_nothing(rec, model):
    items = rec.recommend_for(likes=[260, 1196, 1210], dislikes=[2], n=5)
    assert not {260, 1196, 1210, 2} & set(ids(items))
    assert rec.recommend_for([1210, 260, 1196], [2], 5) == items
    assert rec.store.user_ids() == []
    assert ids(rec.recommend_for(n=5)) == ids(rec.get_top_n(NEW, 5))
    with pytest.raises(UnknownMovieError):
        rec.recommend_for([51])
    with pytest.raises(SettingsError, match="both"):
        rec.recommend_for([1], [1])


def test_visitors_options_and_gradient_rule(demo):
    with Recommender.open(demo.root, store="memory", settings=ServeSettings(rule="gradient")) as rec:
        items = rec.recommend_for([260], n=5, genres="Comedy", years=(1980, 1989), exclude=[1198])
        assert all("Comedy" in item.genres and 1980 <= (item.year or 0) <= 1989 for item in items)
        assert ids(rec.recommend_for(n=3)) == ids(rec.get_top_n(NEW, 3))
