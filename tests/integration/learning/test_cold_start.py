"""The first lists of new users."""

from __future__ import annotations

import numpy as np

from tests.integration.learning.users import NEW, ids


def test_a_new_users_first_cards_are_popular_and_of_many_kinds(memory, model):
    items = memory.get_top_n(NEW, 10)
    assert {item.source for item in items} == {"popular"}
    by_likes = np.sort(model.popularity)[::-1]
    assert min(item.score * 670 for item in items) >= by_likes[60]
    spread = len({genre for item in items for genre in item.genres})
    plain = model.movie_ids[np.argsort(-model.popularity, kind="stable")[:10]].tolist()
    catalogue = model.catalogue
    plain_spread = len({genre for movie_id in plain for genre in catalogue.genres[model.movie_idx(movie_id)]})
    assert spread >= plain_spread


def test_within_favourite_genres_the_source_says_so(memory):
    items = memory.get_top_n(NEW, 10, genres=["Western"])
    assert {item.source for item in items} == {"genre"}
    assert all("Western" in item.genres for item in items)


def test_the_list_becomes_personal_swipe_by_swipe(memory):
    sources = []
    for movie_id in (260, 1196, 1210, 1198, 2571, 1240, 1214, 589, 541, 1200, 1036):
        memory.update_user(NEW, movie_id, 1)
        sources.append([item.source for item in memory.get_top_n(NEW, 10)].count("personal"))
    assert sources[-1] == 10
    assert "Sci-Fi" in memory.get_top_n(NEW, 1)[0].genres


def test_nothing_but_dislikes_still_gives_a_sensible_list(memory, model):
    stranger = memory.get_top_n(NEW, 30)
    horror = [int(model.movie_ids[row]) for row, g in enumerate(model.catalogue.genres) if "Horror" in g][:12]
    for movie_id in horror:
        memory.update_user(NEW, movie_id, -2)
    items = memory.get_top_n(NEW, 30)
    assert len(items) == 30
    assert {item.source for item in items} == {"popular"}
    assert not set(horror) & set(ids(items))
    assert [item.score for item in items] == sorted((item.score for item in items), reverse=True)
    assert sum("Horror" in item.genres for item in items) <= sum("Horror" in item.genres for item in stranger)
    assert model.popularity[model.movie_idx(items[0].movie_id)] > 100
