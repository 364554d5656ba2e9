"""What is known of users: pages of them, their ratings, and each in short."""

from __future__ import annotations

import csv
from collections import Counter

import numpy as np
import pytest

from mlrec import Recommender
from mlrec.dataset.reading import read_prepared
from mlrec.ids import PublicId
from mlrec.serving.people import UserPage
from mlrec.settings import SPLITS

STRANGER = 9_000_001


@pytest.fixture
def recommender(demo):
    with Recommender.open(demo.root, store="memory") as opened:
        yield opened


def test_ratings_are_those_of_the_prepared_data(demo, recommender):
    events = read_prepared(demo).events
    own = events.only(events.user_id == 42)
    rated = recommender.ratings(42)
    assert [(one.preference, one.at, one.split) for one in rated] == [
        (preference, at, SPLITS[split])
        for preference, at, split in zip(
            own.preference.tolist(), own.timestamp.tolist(), own.split.tolist(), strict=True
        )
    ]
    known = [one for one in rated if one.movie_id is not None]
    assert {one.movie_id for one in known} <= set(own.movie_id.tolist())
    assert all(one.title and ", The" not in one.title for one in known)
    assert recommender.ratings(STRANGER) == []
    recommender.forget_user(42)
    assert recommender.ratings(42) == []


def test_pages_of_users_hold_everybody_once(demo, recommender):
    recommender.update_user(STRANGER, 318, "like", at=1_700_000_000)
    recommender.update_user(STRANGER, 260, "like", at=1_700_000_001)
    recommender.undo(STRANGER)
    recommender.forget_user(1)
    pages: list[UserPage] = []
    after: PublicId | None = None
    while not pages or after is not None:
        pages.append(recommender.users(200, after=after))
        after = pages[-1].next_after
    users = [user for page in pages for user in page.users]
    counted = Counter(read_prepared(demo).events.user_id.tolist())
    assert {page.total for page in pages} == {len(users)} == {len(counted)}  # one has come, one has gone
    assert [user.user_id for user in users] == sorted({*counted, STRANGER} - {1})
    assert {user.user_id: user.ratings for user in users[:-1]} == {
        user_id: n for user_id, n in counted.items() if user_id != 1
    }
    last = users[-1]
    assert (last.user_id, last.ratings, last.swipes, last.last_at) == (STRANGER, 0, 1, 1_700_000_000)


def test_a_profile_counts_opinions_and_liked_genres(demo, demo_raw, recommender):
    before = recommender.user(STRANGER)
    assert (before.is_known, before.has_taste, before.first_at, before.liked_genres) == (False, False, None, {})
    recommender.update_user(STRANGER, 318, "like", at=1_700_000_000)
    recommender.update_user(STRANGER, 296, "superlike", at=1_700_000_005)
    recommender.update_user(STRANGER, 260, "dislike", at=1_700_000_010)
    recommender.update_user(STRANGER, 260, "skip", at=1_700_000_020)
    now = recommender.user(STRANGER)
    assert (now.likes, now.dislikes, now.swipes, now.undone) == (2, 0, 4, 0)
    assert (now.first_at, now.last_at) == (1_700_000_000, 1_700_000_020)
    with (demo_raw / "movies.csv").open(newline="", encoding="utf-8") as file:
        genres = {row["movieId"]: row["genres"].split("|") for row in csv.DictReader(file)}
    assert now.liked_genres == Counter([*genres["318"], *genres["296"]])
    assert list(now.liked_genres.values()) == sorted(now.liked_genres.values(), reverse=True)
    recommender.undo(STRANGER)
    assert (recommender.user(STRANGER).dislikes, recommender.user(STRANGER).undone) == (1, 1)


def test_of_a_forgotten_user_nothing_is_told(recommender):
    recommender.forget_user(42)
    profile = recommender.user(42)
    assert (profile.is_forgotten, profile.is_known, profile.ratings, profile.likes) == (True, False, 0, 0)
    assert (profile.first_at, profile.liked_genres) == (None, {})


def test_a_movie_stands_where_its_score_puts_it(recommender):
    everything = recommender.get_top_n(42, 10_000, include_seen=True)
    for place in (0, 1, 99, len(everything) - 1):
        standing = recommender.standing(42, everything[place].movie_id)
        above = int(np.sum([other.score > everything[place].score for other in everything]))
        assert (standing.rank, standing.of) == (above + 1, len(everything))
    assert recommender.standing(42, everything[0].movie_id).top_percent == 1
    assert recommender.standing(42, everything[-1].movie_id).top_percent == 100
