"""Popularity by date, against the formula in plain Python."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlrec.ranking.best_unseen import Part
from mlrec.ranking.histories import History
from mlrec.ranking.popularity import PopularityByDate, recent_share

DAY = 86_400
Event = tuple[int, int, int]


def history_of(users: list[list[Event]]) -> History:
    """Events (movie, preference, day) of each user, in time order."""
    events = [event for own in users for event in sorted(own, key=lambda event: event[2])]
    columns = np.array(events, dtype=np.int64).reshape(-1, 3).T
    return History(
        indptr=np.cumsum([0, *map(len, users)]),
        movie_idx=columns[0].astype(np.int32),
        preference=columns[1].astype(np.int8),
        timestamp=columns[2] * DAY,
        split=np.zeros(len(events), dtype=np.int8),
    )


def by_hand(users: list[list[Event]], before: float, half_life: float, n_movies: int) -> list[float]:
    likes = [[(movie, day) for movie, preference, day in own if preference > 0 and day < before] for own in users]
    days = [day for own in likes for _, day in own]
    if not days:
        return [0.0] * n_movies

    def weight(day: int) -> float:
        return 0.5 ** ((max(days) - day) / half_life)

    people = [own for own in likes if own]
    mass = sum(weight(max(day for _, day in own)) for own in people)
    found = []
    for movie in range(n_movies):
        own_likes = [day for own in people for liked, day in own if liked == movie]
        plain = len(own_likes) / len(people)
        found.append((sum(map(weight, own_likes)) + 5 * plain) / (mass + 5))
    return found


HALF_LIVES = st.sampled_from([0.01, 0.5, 7.0, 1000.0, math.inf])
USERS = st.lists(
    st.lists(
        st.tuples(st.integers(0, 4), st.sampled_from([-2, -1, 1, 2]), st.integers(0, 40)),
        max_size=8,
        unique_by=lambda e: e[0],
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=150, deadline=None)
@given(users=USERS, moments=st.lists(st.integers(0, 45), max_size=9), half_life=HALF_LIVES)
def test_the_shares_at_any_moment_are_those_of_the_likes_before_it(monkeypatch_blocks, users, moments, half_life):
    popularity = PopularityByDate(history_of(users), 5, half_life)
    found, most_of_others = popularity.at(np.array(moments, dtype=np.int64) * DAY)
    expected = [by_hand(users, moment, half_life, 5) for moment in moments]
    np.testing.assert_allclose(found, np.reshape(expected, (-1, 5)), rtol=1e-5, atol=1e-7)
    assert not most_of_others.any()


@settings(max_examples=150, deadline=None)
@given(
    users=USERS,
    moments=st.lists(st.integers(0, 45), max_size=9),
    half_life=HALF_LIVES,
    rows=st.sets(st.integers(0, 4), min_size=1, max_size=4),
)
def test_the_shares_of_some_movies_are_the_same_and_no_other_share_exceeds_the_bound(
    monkeypatch_blocks, users, moments, half_life, rows
):
    popularity = PopularityByDate(history_of(users), 5, half_life)
    at = np.array(moments, dtype=np.int64) * DAY
    part = Part.of(np.isin(np.arange(5), sorted(rows)))
    everything, _ = popularity.at(at)
    found, most_of_others = popularity.at(at, part)
    np.testing.assert_allclose(found, everything[:, part.rows], rtol=1e-6, atol=1e-9)
    assert (everything[:, part.others] <= most_of_others[:, None]).all()


@settings(max_examples=100, deadline=None)
@given(users=USERS, half_life=st.sampled_from([0.5, 7.0, 1000.0]))
def test_the_shares_now_are_those_after_all_likes(users, half_life):
    found = recent_share(history_of(users), 5, half_life)
    np.testing.assert_allclose(found, by_hand(users, math.inf, half_life, 5), rtol=1e-5, atol=1e-7)


@pytest.fixture(autouse=True, scope="module")
def monkeypatch_blocks():
    """So few likes in a block that there are several, and so few sums at once that there are several groups."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mlrec.ranking.popularity._FEWEST_LIKES", 3)
        patch.setattr("mlrec.ranking.popularity._MOST_SUMS", 7)
        yield


def test_without_dates_it_is_the_share_of_all_users():
    users = [[(0, 1, 1), (1, -1, 2)], [(0, 2, 30)], []]
    assert recent_share(history_of(users), 2, math.inf).tolist() == pytest.approx([2 / 3, 0])


def test_a_newer_like_weighs_more_and_a_few_new_users_do_not_fill_the_list():
    old = [[(0, 1, 0)] for _ in range(100)]
    share = recent_share(history_of([*old, [(1, 1, 3650)], [(1, 1, 3650)]]), 2, 1000.0)
    assert share[0] > share[1] > 2 / 102
