"""Lists for people who want to watch a movie together, on the demo data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlrec import Recommender
from mlrec.errors import SettingsError
from mlrec.settings import GROUP_RULES

people = st.lists(st.sampled_from([1, 7, 15, 42, 100, 300, 671, 900_001, 900_002]), min_size=1, max_size=4, unique=True)
LAWS = settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def rec(demo):
    with Recommender.open(demo.root, store="memory") as opened:
        yield opened


def test_one_person_gets_the_list_of_one(rec):
    for user in (42, 900_001):
        for rule in GROUP_RULES:
            alone = rec.get_top_n_for([user, user], 20, rule=rule)
            assert [pick.movie for pick in alone] == rec.get_top_n(user, 20)
            assert {tuple(own.user_id for own in pick.members) for pick in alone} == {(user,)}


@given(who=people, rule=st.sampled_from(GROUP_RULES), seed=st.integers(0, 100))
@LAWS
def test_it_does_not_matter_who_is_named_first(rec, who, rule, seed):
    other = np.random.default_rng(seed).permutation(who).tolist()
    first, second = (rec.get_top_n_for(order, 10, rule=rule) for order in (who, other))
    assert [pick.movie for pick in first] == [pick.movie for pick in second]
    for pick, again in zip(first, second, strict=True):
        assert sorted(pick.members, key=lambda own: own.user_id) == sorted(again.members, key=lambda own: own.user_id)


@given(who=people, rule=st.sampled_from(GROUP_RULES), place=st.integers(0, 9), include_seen=st.booleans())
@LAWS
def test_a_dislike_of_anybody_is_a_veto(demo, who, rule, place, include_seen):
    with Recommender.open(demo.root, store="memory") as rec:  # which forgets the swipe
        before = rec.get_top_n_for(who, 10, rule=rule, include_seen=include_seen)
        disliked = before[place].movie.movie_id
        rec.update_user(who[-1], disliked, "dislike")
        after = rec.get_top_n_for(who, 60, rule=rule, include_seen=include_seen and len(who) > 1)
        assert disliked not in [pick.movie.movie_id for pick in after]


def test_nobody_gets_what_anybody_has_seen(rec):
    seen = {rated.movie_id for user in (42, 7) for rated in rec.ratings(user)}
    listed = [pick.movie.movie_id for pick in rec.get_top_n_for([42, 7], 300)]
    assert len(listed) == 300
    assert not seen & set(listed)
    again = rec.get_top_n_for([42, 7], 50, include_seen=True)
    assert seen & {pick.movie.movie_id for pick in again}


def test_the_score_is_the_geometric_mean_of_what_each_would_say(rec):
    for pick in rec.get_top_n_for([42, 7, 100], 10):
        own = [member.score for member in pick.members]
        assert pick.movie.score == pytest.approx(np.prod(own) ** (1 / 3), rel=1e-5)
        for member in pick.members:
            assert member.standing == rec.standing(member.user_id, pick.movie.movie_id)
            assert member.score == pytest.approx(rec.explain(member.user_id, pick.movie.movie_id).score, abs=1e-6)
            assert member.because == tuple(rec.explain(member.user_id, pick.movie.movie_id).because())


def test_filters_hold_for_groups(rec):
    options = {"genres": ["Comedy"], "not_genres": ["Drama"], "years": (1990, 1999)}
    first = rec.get_top_n_for([42, 7], 5, **options)
    left_out = [pick.movie.movie_id for pick in first[:2]]
    for pick in rec.get_top_n_for([42, 7], 5, exclude=left_out, diversity=0.3, **options):
        assert "Comedy" in pick.movie.genres
        assert "Drama" not in pick.movie.genres
        assert 1990 <= (pick.movie.year or 0) <= 1999
        assert pick.movie.movie_id not in left_out


@pytest.mark.parametrize(
    ("who", "options", "words"),
    [
        ([], {}, "at least one"),
        ("42", {}, "a list of user ids"),
        (range(1, 30), {}, "at most 20"),
        ([42, "Ann"], {}, "each of user_ids"),
        ([42, 7], {"rule": "mean"}, "one of multiplicative, average, least-misery"),
        ([42, 7], {"n": 0}, "n must be"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(rec, who, options, words):
    with pytest.raises(SettingsError, match=words):
        rec.get_top_n_for(who, **options)
