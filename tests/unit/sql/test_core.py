"""The steps that drop duplicates and everything outside the core, each alone."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.sql.steps import INT64_MAX, Database, load_ratings


def test_pairs_rated_more_than_once_are_found(db):
    load_ratings(db, (1, 1, 4, 1), (1, 1, 4, 1), (1, 2, 4, 1), (2, 1, 4, 1), (2, 2, 3, 1), (2, 2, 4, 9))
    db.run("30_duplicates")
    assert db.rows("FROM repeated ORDER BY user_id, movie_id") == [(1, 1), (2, 2)]


@pytest.mark.parametrize(
    ("ratings", "standing"),
    [
        ([(1, 1, 5.0, 10), (1, 1, 1.0, 20)], (1, 1, 1.0, 20)),
        ([(1, 1, 1.0, 20), (1, 1, 5.0, 10)], (1, 1, 1.0, 20)),
        ([(1, 1, 2.0, 10), (1, 1, 4.0, 10)], (1, 1, 4.0, 10)),
        ([(1, 1, 4.0, 10), (1, 1, 2.0, 10)], (1, 1, 4.0, 10)),
        ([(1, 1, 5.0, 9), (1, 1, 3.0, 10), (1, 1, 3.5, 10)], (1, 1, 3.5, 10)),
        ([(1, 1, 3.0, 10), (1, 1, 3.0, 10)], (1, 1, 3.0, 10)),
    ],
)
def test_of_duplicates_the_latest_stands_then_the_higher_rating(db, ratings, standing):
    load_ratings(db, *ratings, (1, 2, 0.5, 99), (2, 1, 0.5, 99))
    db.run("30_duplicates")
    db.run("31_standing")
    db.run("32_drop_duplicates")
    assert db.rows("SELECT user_id, movie_id, rating, timestamp FROM ratings ORDER BY user_id, movie_id") == [
        standing,
        (1, 2, 0.5, 99),
        (2, 1, 0.5, 99),
    ]


few_ratings = st.lists(
    st.tuples(st.integers(1, 5), st.integers(1, 5), st.sampled_from([1.0, 2.5, 4.0, 5.0]), st.integers(0, 3)),
    max_size=40,
)


@settings(max_examples=15, deadline=None)
@given(few_ratings)
def test_dropping_duplicates_gives_what_a_dictionary_gives(server, ratings):
    by_age = sorted(ratings, key=lambda row: (row[3], row[2]))
    standing = {(user_id, movie_id): (timestamp, rating) for user_id, movie_id, rating, timestamp in by_age}
    database = Database(server)
    load_ratings(database, *ratings)
    database.run("30_duplicates")
    database.run("31_standing")
    database.run("32_drop_duplicates")
    rows = database.rows("SELECT user_id, movie_id, timestamp, rating FROM ratings")
    assert sorted(rows) == sorted((*pair, *last) for pair, last in standing.items())


def core_round(db: Database) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """One round; the movies and users left, each with its number of ratings."""
    db.run("40_core_movies")
    db.run("41_core_users")
    return (
        db.rows("SELECT movie_id, n FROM core_movies ORDER BY movie_id"),
        db.rows("SELECT user_id, n FROM core_users ORDER BY user_id"),
    )


# User 4 alone keeps movie 3 at two ratings; once user 4 is gone, movie 3 goes, and then user 3.
CHAIN = ((1, 1), (1, 2), (2, 1), (2, 2), (3, 2), (3, 3), (4, 3))


@pytest.mark.parametrize(
    ("pairs", "is_ruled_out"),
    [
        ([(1, 1), (1, 2), (2, 1), (2, 2)], True),
        ([(-5, 9), (INT64_MAX, -3)], True),
        ([(1, 1)], True),
        ([], True),
        ([(2, 1), (2, 3), (1, 2), (3, 1)], True),
        ([(1, 1), (1, 1)], False),
        ([(1, 2), (1, 1)], False),
        ([(1, 1), (2, 1), (1, 1)], False),
        ([(1, 1), (2, 1), (1, 2)], False),
    ],
)
def test_only_users_that_stand_together_with_ascending_movies_rule_duplicates_out(db, pairs, is_ruled_out):
    load_ratings(db, *((user_id, movie_id, 4.0, 0) for user_id, movie_id in pairs))
    db.run("25_tally")
    db.run("26_disorder")
    query = "SELECT NOT is_out_of_order AND user_runs = (SELECT count(*) FROM core_users) FROM disorder"
    assert db.rows(query) == [(is_ruled_out,)]


def test_before_the_core_filter_everybody_is_in(db):
    load_ratings(db, *((user_id, movie_id, 4.0, 0) for user_id, movie_id in CHAIN))
    db.run("25_tally")
    assert db.rows("SELECT user_id, n FROM core_users ORDER BY user_id") == [(1, 2), (2, 2), (3, 2), (4, 1)]
    assert db.rows("SELECT movie_id, n FROM core_movies ORDER BY movie_id") == [(1, 2), (2, 3), (3, 2)]


def test_one_round_drops_movies_and_then_users(db):
    db.set(min_movie_ratings=2, min_user_ratings=2)
    load_ratings(db, *((user_id, movie_id, 4.0, 0) for user_id, movie_id in CHAIN))
    db.run("25_tally")
    assert core_round(db) == ([(1, 2), (2, 3), (3, 1)], [(1, 2), (2, 2), (3, 2)])
    assert core_round(db) == ([(1, 2), (2, 2)], [(1, 2), (2, 2)])
    assert core_round(db) == ([(1, 2), (2, 2)], [(1, 2), (2, 2)])


def test_thresholds_of_one_keep_everything(db):
    db.set(min_movie_ratings=1, min_user_ratings=1)
    load_ratings(db, (1, 1, 4.0, 0), (2, 2, 4.0, 0))
    db.run("25_tally")
    assert core_round(db) == ([(1, 1), (2, 1)], [(1, 1), (2, 1)])


@settings(max_examples=15, deadline=None)
@given(st.sets(st.tuples(st.integers(1, 8), st.integers(1, 8)), min_size=1), st.integers(1, 4), st.integers(1, 4))
def test_the_core_is_the_same_whether_movies_or_users_are_dropped_first(server, pairs, min_user, min_movie):
    left = set(pairs)
    while True:
        users = Counter(user_id for user_id, _ in left)
        kept = {(user_id, movie_id) for user_id, movie_id in left if users[user_id] >= min_user}
        movies = Counter(movie_id for _, movie_id in kept)
        kept = {(user_id, movie_id) for user_id, movie_id in kept if movies[movie_id] >= min_movie}
        if kept == left:
            break
        left = kept

    database = Database(server)
    database.set(min_movie_ratings=min_movie, min_user_ratings=min_user)
    load_ratings(database, *((user_id, movie_id, 4.0, 0) for user_id, movie_id in pairs))
    database.run("25_tally")
    before = None
    while before != (now := core_round(database)):
        before = now
    assert now == (
        sorted(Counter(movie_id for _, movie_id in left).items()),
        sorted(Counter(user_id for user_id, _ in left).items()),
    )
