"""Filters of lists: each list is the plain ranking without what the filters take away, and an empty one says why."""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlrec import ListFilters, Recommendation, Recommender

KNOWN, NEW = 42, 900_001
FEW_OPINIONS = 900_002
USERS = [KNOWN, 7, 100, 671, FEW_OPINIONS, NEW]
LAWS = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
GENRES = ["Action", "Comedy", "Drama", "Film-Noir", "horror", "Sci-Fi", "Western", "IMAX"]
# One year more than any movie is old, so that some lists are empty.
YEARS = st.tuples(st.integers(1930, 2017), st.integers(0, 40)).map(lambda first: (first[0], first[0] + first[1]))


@pytest.fixture(scope="module")
def rec(demo):
    with Recommender.open(demo.root, store="memory") as opened:
        for movie_id, preference in ((1, 1), (260, 2), (3, -1), (4, 0)):
            opened.update_user(FEW_OPINIONS, movie_id, preference)
        opened.update_user(KNOWN, 318, 0)
        yield opened


@pytest.fixture(scope="module")
def movies(rec):
    return {movie.movie_id: movie for movie in rec.movies()}


@pytest.fixture(scope="module")
def shelf_ids(movies):
    return sorted(movies)


def ids(listed: Sequence[Any]) -> list[int | str]:
    return [getattr(item, "movie", item).movie_id for item in listed]


def seen_by(rec: Recommender, user: int) -> set[int | str | None]:
    swiped = {event.movie_id for event in rec.history(user) if not event.undone}
    return swiped | {rated.movie_id for rated in rec.ratings(user)}


def passes(movie, drawn: dict[str, Any], seen: set[int | str | None]) -> bool:
    """The filters again, by what people read of them."""
    genres = {name.casefold() for name in movie.genres}
    wanted = {name.casefold() for name in drawn.get("genres") or genres}
    unwanted = {name.casefold() for name in drawn.get("not_genres", ())}
    first, last = drawn.get("years") or (0, 9999)
    only, mode = drawn.get("only"), drawn.get("seen", "hide")
    return (
        (not drawn.get("genres") or bool(genres & wanted))
        and not genres & unwanted
        and first <= (movie.year or (0 if drawn.get("years") is None else -1)) <= last
        and (only is None or movie.movie_id in only)
        and movie.movie_id not in drawn.get("exclude", ())
        and (mode == "show" or (movie.movie_id in seen) == (mode == "only"))
    )


def limited(listed: list[Recommendation], most: int | None) -> list[Recommendation]:
    """At most so many movies of each genre, from the top down."""
    kept: list[Recommendation] = []
    counts: Counter[str] = Counter()
    for item in listed:
        if most is None or all(counts[genre] < most for genre in item.genres):
            kept.append(item)
            counts.update(item.genres)
    return kept


@st.composite
def filters(draw, shelf_ids):
    some = st.sets(st.sampled_from(shelf_ids), max_size=300) | st.just({-1, 10**30, 99_999_999})
    return draw(
        st.fixed_dictionaries(
            {},
            optional={
                "genres": st.lists(st.sampled_from(GENRES), min_size=1, max_size=3),
                "not_genres": st.lists(st.sampled_from(GENRES), max_size=3),
                "years": YEARS,
                "only": some,
                "exclude": some,
                "seen": st.sampled_from(["hide", "show", "only"]),
                "max_per_genre": st.integers(1, 4),
            },
        )
    )


@given(data=st.data(), user=st.sampled_from(USERS), n=st.sampled_from([1, 5, 10, 60, 10_000]))
@LAWS
def test_a_filtered_list_is_the_plain_ranking_without_what_the_filters_take_away(rec, movies, shelf_ids, data, user, n):
    drawn = data.draw(filters(shelf_ids))
    seen = seen_by(rec, user)
    everything = rec.get_top_n(user, 10_000, seen="show")
    expected = [item for item in everything if passes(movies[item.movie_id], drawn, seen)]
    expected = limited(expected, drawn.get("max_per_genre"))[:n]
    found = rec.get_top_n(user, n, **drawn)
    assert ids(found) == ids(expected)
    assert [item.score for item in found] == pytest.approx([item.score for item in expected], abs=1e-6)
    assert [item.rank for item in found] == list(range(1, len(found) + 1))
    assert (found.why_empty is None) == bool(found)


@given(data=st.data(), user=st.sampled_from(USERS), most=st.integers(1, 4), diversity=st.floats(0, 1))
@LAWS
def test_no_genre_has_more_movies_than_it_may_and_no_movie_that_fits_is_missing(
    rec, movies, shelf_ids, data, user, most, diversity
):
    drawn = {**data.draw(filters(shelf_ids)), "max_per_genre": most, "diversity": diversity}
    found = rec.get_top_n(user, 30, **drawn)
    counts = Counter(genre for item in found for genre in item.genres)
    assert max(counts.values(), default=0) <= most
    assert all(passes(movies[item.movie_id], drawn, seen_by(rec, user)) for item in found)
    assert len(set(ids(found))) == len(found)
    if len(found) < 30:  # it is not padded, and not shorter than it need be: each movie left has a full genre
        left = rec.get_top_n(user, 10_000, **{**drawn, "max_per_genre": None, "diversity": 0.0})
        full = {genre for genre, count in counts.items() if count == most}
        assert all(full & set(item.genres) for item in left if item.movie_id not in ids(found))


@given(user=st.sampled_from(USERS), diversity=st.floats(0.05, 1))
@LAWS
def test_a_limit_that_is_never_reached_changes_nothing(rec, user, diversity):
    for drawn in ({}, {"diversity": diversity}):
        assert rec.get_top_n(user, 15, max_per_genre=15, **drawn) == rec.get_top_n(user, 15, **drawn)


def test_the_first_movie_of_each_genre_by_hand(rec):
    """Of popular movies for a new user: one of each genre, in the order in which they come without a limit."""
    plain = rec.get_top_n(NEW, 10_000)
    counts: Counter[str] = Counter()
    expected = []
    for item in plain:
        if not any(counts[genre] for genre in item.genres):
            expected.append(item.movie_id)
            counts.update(item.genres)
    found = rec.get_top_n(NEW, 10_000, max_per_genre=1)
    assert ids(found) == expected
    assert len(expected) > 5


@given(user=st.sampled_from(USERS))
@LAWS
def test_hidden_and_seen_only_share_the_movies(rec, user):
    hidden, shown, only = (set(ids(rec.get_top_n(user, 10_000, seen=seen))) for seen in ("hide", "show", "only"))
    assert not hidden & only
    assert hidden | only == shown
    assert only == seen_by(rec, user)
    assert set(ids(rec.get_top_n(user, 10_000, include_seen=True))) == shown
    assert set(ids(rec.get_top_n(user, 10_000, include_seen=False))) == hidden


@given(data=st.data(), who=st.lists(st.sampled_from(USERS), min_size=2, max_size=3, unique=True))
@LAWS
def test_groups_get_what_passes_and_nothing_that_anybody_dislikes(rec, movies, shelf_ids, data, who):
    # Every movie comes with what each member would say of it, which takes a while: so there are few.
    few = {296, 318, 3, *shelf_ids[:: len(shelf_ids) // 60]}
    drawn = {"only": few, **data.draw(filters(sorted(few)))}
    seen = [seen_by(rec, user) for user in who]
    disliked = {rated.movie_id for user in who for rated in rec.ratings(user) if rated.preference < 0}
    disliked |= {event.movie_id for user in who for event in rec.history(user) if event.preference < 0}
    anybody = set().union(*seen)
    everything = rec.get_top_n_for(who, 100, seen="show", only=few)
    mode = drawn.get("seen", "hide")
    expected = [
        pick.movie for pick in everything
        if passes(movies[pick.movie.movie_id], drawn, set.intersection(*seen) if mode == "only" else anybody)
    ]  # fmt: skip
    expected = limited(expected, drawn.get("max_per_genre"))
    found = rec.get_top_n_for(who, 25, **drawn)
    assert ids(found) == ids(expected)[:25]
    assert not disliked & set(ids(found))
    assert (found.why_empty is None) == bool(found)
    assert ids(rec.get_top_n_for(who[:1], 25, **drawn)) == ids(rec.get_top_n(who[0], 25, **drawn))


@pytest.mark.parametrize(
    "drawn",
    [
        {"only": range(1, 1500), "not_genres": ["Horror"]},
        {"max_per_genre": 1, "years": (1980, 1999)},
        {"max_per_genre": 2, "diversity": 0.3, "exclude": [296]},
        {"seen": "only"},
        {"seen": "only", "genres": ["Western"], "max_per_genre": 1},
    ],
)
def test_everybodys_lists_are_each_ones_own(rec, drawn):
    lists: dict[int, list[int]] = {}
    users = []
    for block in rec.recommend_all(6, **drawn):
        users.append(block.users)
        for user, movie in zip(block.user_id.tolist(), block.movie_id.tolist(), strict=True):
            lists.setdefault(user, []).append(movie)
    everybody = rec.users(1_000).users
    assert sum(users) == len(everybody)
    for user in [one.user_id for one in everybody][::5]:
        assert lists.get(user, []) == ids(rec.get_top_n(user, 6, **drawn)), user


def test_one_object_carries_all_filters_to_every_list(rec):
    shelf = ListFilters(only=range(1, 3_000), not_genres=["Drama"], max_per_genre=3)
    by_name = {"only": range(1, 3_000), "not_genres": ["Drama"], "max_per_genre": 3}
    assert rec.get_top_n(KNOWN, 20, filters=shelf) == rec.get_top_n(KNOWN, 20, **by_name)
    assert rec.get_top_n_for([KNOWN, 7], 20, filters=shelf) == rec.get_top_n_for([KNOWN, 7], 20, **by_name)
    assert rec.recommend_for([260], [], 20, filters=shelf) == rec.recommend_for([260], [], 20, **by_name)
    assert rec.deck(KNOWN, 5, filters=shelf) == rec.deck(KNOWN, 5, **by_name)
    blocks = [list(rec.recommend_all(3, **one)) for one in ({"filters": shelf}, by_name)]
    assert [block.movie_id.tolist() for block in blocks[0]] == [block.movie_id.tolist() for block in blocks[1]]
    # What is named wins, and the rest stays.
    both = rec.get_top_n(KNOWN, 20, filters=shelf, not_genres=["Comedy"], seen="show")
    assert both == rec.get_top_n(KNOWN, 20, only=range(1, 3_000), not_genres=["Comedy"], max_per_genre=3, seen="show")


def test_the_order_of_only_does_not_matter(rec, shelf_ids):
    chosen = np.random.default_rng(3).choice(shelf_ids, 200, replace=False)
    expected = rec.get_top_n(KNOWN, 50, only=sorted(chosen.tolist()))
    assert rec.get_top_n(KNOWN, 50, only=chosen) == rec.get_top_n(KNOWN, 50, only=set(chosen.tolist())) == expected
    scores = [item.score for item in expected]
    assert scores == sorted(scores, reverse=True)


# -- why a list is empty -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("drawn", "words"),
    [
        ({"only": []}, "No movie is left: only leaves none of 9,066 movies."),
        ({"years": (1800, 1801)}, "No movie is left: years leaves none of 9,066 movies."),
        (
            {"only": [1, 260], "genres": ["Horror"]},
            "No movie is left: of 9,066 movies, only leaves 2 and genres leaves none.",
        ),
        (
            {"only": [1, 260, 2571, -5], "not_genres": ["Sci-Fi"], "exclude": [1]},
            "No movie is left: of 9,066 movies, only leaves 3, not_genres leaves 1, and exclude leaves none.",
        ),
        # What takes nothing away is not told.
        (
            {"only": [1], "not_genres": ["Horror"], "exclude": [5], "years": (1800, 1801)},
            "No movie is left: of 9,066 movies, only leaves 1 and years leaves none.",
        ),
    ],
)
def test_an_empty_list_says_which_filter_left_nothing(rec, drawn, words):
    for found in (rec.get_top_n(NEW, **drawn), rec.deck(NEW, **drawn), rec.get_top_n_for([NEW, KNOWN], **drawn)):
        assert found == []
        assert found.why_empty == words
        assert pickle.loads(pickle.dumps(found)).why_empty == words


def test_an_empty_list_says_that_everything_was_seen_or_nothing_or_disliked(rec):
    rated = ids(rec.get_top_n(KNOWN, 3, seen="only"))
    hidden = rec.get_top_n(KNOWN, only=rated).why_empty
    assert hidden == "No movie is left: of 9,066 movies, only leaves 3 and leaving out what has been seen leaves none."
    nothing = rec.get_top_n(NEW, seen="only").why_empty
    assert nothing == "No movie is left: listing only what has been seen leaves none of 9,066 movies."
    group = rec.get_top_n_for([FEW_OPINIONS, NEW], only=[3], seen="show")
    assert group == []
    assert "only leaves 1 and leaving out what somebody dislikes leaves none" in group.why_empty
    assert rec.get_top_n(FEW_OPINIONS, only=[3], seen="show").why_empty is None


def test_a_list_with_movies_has_nothing_to_say(rec):
    found = rec.get_top_n(KNOWN, 5, genres=["Comedy"])
    assert found.why_empty is None
    del found[:]
    assert found.why_empty is None
