"""Arguments of the facade: invalid ones are refused by name, quickly, and nothing is stored."""

from __future__ import annotations

import dataclasses
import inspect
import itertools
import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlrec import ListFilters, MlrecError, Recommender, ServeSettings
from mlrec.errors import SettingsError, UnknownMovieError
from mlrec.serving.list_filters import NamedFilters
from mlrec.workspace import Workspace

NEW = 9_000_001


@pytest.fixture(scope="module")
def rec(demo):
    with Recommender.open(demo.root, store="memory") as opened:
        yield opened


class NoZone(tzinfo):
    """A time zone that does not know its offset."""

    def utcoffset(self, when: datetime | None) -> timedelta | None:
        return None

    dst = utcoffset

    def tzname(self, when: datetime | None) -> str | None:
        return None


NO_USER_IDS: list[Any] = [None, "42", "bob", 2.0, math.nan, True, np.True_, [42], b"42", np.array([1, 2]), object()]
NO_TIMES: list[Any] = ["now", 1.5, math.nan, True, [1], b""]
NO_PREFERENCES: list[Any] = [
    1.0,
    True,
    np.True_,
    np.float32(1),
    [],
    None,
    "lik",
    {},
    3,
    10**5000,
    np.array([1, 2]),
    b"like",
]
NO_YEARS: list[Any] = [
    (2000,), (1, 2, 3), 2000, "1990-1999", (1990.0, 1999), (None, 1999), (True, False), ("1990", "1999"), {},
    (1999, 1990), itertools.count(1990),
]  # fmt: skip
WRONG: list[tuple[str, dict[str, Any], str]] = [
    *(("get_top_n", {"user_id": value}, "user_id must be a whole number") for value in NO_USER_IDS),
    ("get_top_n", {"user_id": 2**63}, "user_id must be an id that fits into 64 bits"),
    ("get_top_n", {"user_id": 10**5000}, "user_id must be an id that fits into 64 bits"),
    *(("get_top_n", {"n": value}, "n must be a whole number from 1 to") for value in
      (None, 2.5, "3", 0, -1, True, 1_000_001, 10**5000, math.inf)),
    *(("get_top_n", {"genres": value}, "genres must be a") for value in (5, b"Drama", True)),
    *(("get_top_n", {"genres": value}, "each of genres must be a string") for value in ([1], [None], ["x" * 501])),
    *(("get_top_n", {"years": value}, "years must be two whole numbers") for value in NO_YEARS),
    *(("get_top_n", {"exclude": value}, "exclude must be a list of movie ids") for value in (5, None, "12", b"12")),
    *(("get_top_n", {"exclude": value}, "each of exclude must be a whole number") for value in
      (["1"], [1.0], [None], [True], [[1]], np.array([1.5]))),
    *(("get_top_n", {"include_seen": value}, "include_seen must be True or False") for value in (None, 1, "yes")),
    *(("get_top_n", {"diversity": value}, "diversity must be a number between 0 and 1") for value in
      (math.nan, -0.1, 1.1, math.inf, "0.5", None, True, 1j, Decimal("0.5"), 10**400)),
    *(("get_top_n", {"only": value}, "only must be a list of movie ids") for value in (5, "12", b"12")),
    *(("get_top_n", {"only": value}, "each of only must be a whole number") for value in
      (["1"], [1.0], [None], [True])),
    *(("get_top_n", {"seen": value}, "seen must be one of hide, show, only") for value in (None, True, "all", 1)),
    ("get_top_n", {"seen": "only", "include_seen": True}, "seen and include_seen were both given"),
    *(("get_top_n", {"max_per_genre": value}, "max_per_genre must be a whole number of at least 1") for value in
      (0, -1, 1.0, "2", True, math.nan)),
    *(("get_top_n", {"filters": value}, "filters must be ListFilters") for value in (5, {"genres": ["Drama"]})),
    *((method, {"max_per_genre": 0}, "max_per_genre must be") for method in ("recommend_for", "recommend_all")),
    ("recommend_for", {"likes": 5}, "likes must be a list"),
    ("recommend_for", {"likes": "12"}, "likes must be a list"),
    ("recommend_for", {"dislikes": [True]}, "each of dislikes must be a whole number"),
    ("recommend_for", {"likes": [1], "dislikes": ["1"]}, "each of dislikes"),
    ("recommend_all", {"n": 2.5}, "n must be"),
    ("recommend_all", {"exclude": 5}, "exclude must be"),
    ("similar_movies", {"movie_id": "1"}, "movie_id must be a whole number, not '1'"),
    ("similar_movies", {"movie_id": 1, "n": None}, "n must be"),
    ("explain", {"user_id": None}, "user_id must be"),
    ("explain", {"movie_id": 1.0}, "movie_id must be"),
    ("explain_for", {"movie_id": None}, "movie_id must be"),
    ("explain_for", {"likes": 1}, "likes must be"),
    ("update_user", {"user_id": "bob"}, "user_id must be a whole number, not 'bob'"),
    ("update_user", {"user_id": True}, "user_id must be a whole number, not True"),
    ("update_user", {"movie_id": "318"}, "movie_id must be"),
    *(("update_user", {"preference": value}, "is not a valid preference") for value in NO_PREFERENCES),
    *(("update_user", {"at": value}, "at must be epoch seconds") for value in NO_TIMES),
    ("update_user", {"at": datetime(2020, 1, 1, tzinfo=NoZone())}, "at has no time zone"),
    ("update_user", {"at": 10**5000}, "at must be a time in epoch seconds"),
    *(("update_user", {"idempotency_key": value}, "idempotency_key must be a string of 1 to 200") for value in
      (5, b"a", "", "x" * 201, "\ud800")),
    ("undo", {"user_id": None}, "user_id must be"),
    ("undo", {"idempotency_key": 7}, "idempotency_key must be"),
    ("is_forgotten", {"user_id": "42"}, "user_id must be"),
    ("forget_user", {"user_id": "42"}, "user_id must be"),
    ("forget_user", {"user_id": True}, "user_id must be"),
    ("history", {"user_id": 4.2}, "user_id must be"),
    ("ratings", {"user_id": "42"}, "user_id must be"),
    ("user", {"user_id": 2**63}, "user_id must be an id that fits"),
    ("users", {"n": 0}, "n must be"),
    ("users", {"after": "42"}, "after must be a whole number"),
    ("standing", {"movie_id": "1"}, "movie_id must be"),
    ("near_titles", {"text": 5}, "text must be a string"),
    ("label_of", {"movie_id": "1"}, "movie_id must be"),
    ("knows_user", {"user_id": None}, "user_id must be"),
    *(("find_movie", {"text": value}, "text must be a string") for value in (593, None, b"heat", ["heat"])),
    ("search", {"text": None}, "text must be a string"),
    ("search", {"text": "x" * 501}, "text must be at most 500 characters"),
    ("search", {"n": 0}, "n must be"),
]  # fmt: skip

USABLE: dict[str, Any] = {
    "user_id": NEW, "movie_id": 318, "preference": 1, "text": "heat",
}  # fmt: skip


def call(rec: Recommender, method: str, given: dict[str, Any]) -> Any:
    """A call in which what is not given has a value that can be used."""
    needed = [
        name for name, parameter in inspect.signature(getattr(rec, method)).parameters.items()
        if parameter.default is inspect.Parameter.empty and name != "named"
    ]  # fmt: skip
    result = getattr(rec, method)(**{**{name: USABLE[name] for name in needed}, **given})
    return list(result) if isinstance(result, Iterator) else result


@pytest.mark.parametrize(("method", "given", "words"), WRONG)
def test_what_cannot_be_used_is_refused_by_name(rec, method, given, words):
    with pytest.raises(SettingsError) as caught:
        call(rec, method, given)
    assert words in caught.value.message
    assert len(caught.value.message) < 300
    assert rec.history(NEW) == []
    assert rec.store.user_ids() == []


def test_what_can_be_used(rec):
    best = rec.get_top_n(42)
    assert rec.get_top_n(np.int64(42), np.int32(10)) == best
    assert rec.get_top_n(np.array(42)) == best
    assert rec.get_top_n(42, diversity=0) == rec.get_top_n(42, diversity=np.float32(0)) == best
    assert rec.get_top_n(42, diversity=Fraction(1, 2)) == rec.get_top_n(42, diversity=0.5)
    assert rec.get_top_n(42, include_seen=np.False_) == best
    assert rec.get_top_n(42, years=[0, 10**30]) == rec.get_top_n(42, years=np.array([0, 9999]))
    first = best[0].movie_id
    for exclude in ([first], (first,), {first}, np.array([first]), iter([first]), {first: 1}):
        assert first not in [item.movie_id for item in rec.get_top_n(42, exclude=exclude)]
    assert rec.get_top_n(42, exclude=[10**400, -5]) == best  # ids that the model does not know
    assert rec.get_top_n(42, exclude=[10**400, *range(-20, 0)]) == best
    assert rec.recommend_for(iter([np.int64(1)]), np.array([2])) == rec.recommend_for([1], [2])
    assert rec.get_top_n(42, genres=(name for name in ["War"])) == rec.get_top_n(42, genres="War")
    assert rec.find_movie("\udcff heat").movie_id == rec.find_movie("heat").movie_id


def test_an_unknown_keyword_is_a_type_error_that_names_the_filters(rec):
    for method in (rec.get_top_n, rec.deck):
        with pytest.raises(TypeError, match="unexpected keyword argument 'genre'; the filters are genres, not_genres"):
            method(42, genre=["War"])
    with pytest.raises(TypeError, match="'seed'"):
        rec.recommend_all(seed=1)


def test_every_filter_is_a_field_and_a_keyword():
    fields = {field.name for field in dataclasses.fields(ListFilters)}
    assert set(NamedFilters.__annotations__) == fields | {"include_seen"}


def test_a_movie_id_of_any_size_is_unknown(rec):
    for call in (rec.similar_movies, lambda movie_id: rec.explain(42, movie_id), lambda m: rec.recommend_for([m])):
        for movie_id in (-1, 10**400, 10**5000):
            with pytest.raises(UnknownMovieError, match="does not know movie"):
                call(movie_id)
    assert rec.label_of(10**5000).startswith("movie ")


@pytest.mark.parametrize("text", ["9" * 19, "9" * 500, "-" + "9" * 19, "٣١٨", "0318", "1e3", "\udcff\udcff", "'" * 500])
def test_a_text_that_is_nearly_an_id_is_looked_for_as_a_title(rec, text):
    with pytest.raises(UnknownMovieError) as caught:
        rec.find_movie(text)
    caught.value.message.encode()  # can be sent on, whatever was asked for


@pytest.mark.parametrize(
    ("method", "given", "limit"),
    [
        ("get_top_n", lambda: {"exclude": itertools.count()}, "exclude must have at most 10,000"),
        ("get_top_n", lambda: {"exclude": range(10**9)}, "exclude must have at most 10,000"),
        ("get_top_n", lambda: {"only": itertools.count()}, "only must have at most 100,000"),
        ("get_top_n", lambda: {"genres": itertools.repeat("Drama")}, "genres must have at most 1,000"),
        ("recommend_for", lambda: {"likes": itertools.count()}, "likes must have at most 10,000"),
        ("recommend_for", lambda: {"likes": [1] * 5000, "dislikes": [2] * 5001}, "likes and dislikes together"),
        ("explain_for", lambda: {"dislikes": itertools.count()}, "dislikes must have at most 10,000"),
    ],
)
def test_lists_have_a_limit_and_need_not_have_an_end(rec, method, given, limit):
    with pytest.raises(SettingsError) as caught:
        call(rec, method, given())
    assert limit in caught.value.message


def test_as_much_as_the_limit_is_taken(rec):
    assert len(rec.get_top_n(42, 1_000_000, exclude=range(10_000), genres=["Drama"] * 1_000)) > 0
    assert len(rec.recommend_for([1] * 10_000)) == 10
    assert rec.search("heat " + "x" * 495) == []


JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.binary(max_size=3),
    st.complex_numbers(), st.decimals(), st.datetimes(),
    st.lists(st.one_of(st.integers(-2, 2000), st.text(max_size=3), st.none()), max_size=3),
    st.tuples(st.integers(), st.integers()), st.dictionaries(st.integers(), st.integers(), max_size=2),
    st.sampled_from([10**5000, np.float64("nan"), np.array(1), np.array([]), np.array([[1]]), object(), {1}, len, int,
                     datetime.max.replace(tzinfo=UTC), Path("x")]),
)  # fmt: skip
METHODS = ["get_top_n", "recommend_for", "recommend_all", "similar_movies", "explain", "explain_for", "update_user",
           "undo", "is_forgotten", "history", "label_of", "knows_user", "find_movie", "search", "near_titles",
           "ratings", "users", "user", "standing"]  # fmt: skip


@pytest.mark.filterwarnings("ignore:event_id is now called:DeprecationWarning")
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_whatever_is_handed_over_the_answer_is_a_result_or_an_error_of_ours(rec, data):
    method = data.draw(st.sampled_from(METHODS))
    names = {name for name in inspect.signature(getattr(rec, method)).parameters if name != "progress"}
    if "named" in names:  # the filters of lists
        names = names - {"named"} | set(NamedFilters.__annotations__)
    given_names = data.draw(st.sets(st.sampled_from(sorted(names)), min_size=1, max_size=2))
    junk = {name: data.draw(JUNK, label=name) for name in sorted(given_names)}
    refusal = "none"
    try:
        call(rec, method, junk)
    except MlrecError as error:
        refusal = error.message
    assert refusal.encode()


# -- opening -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"data_dir": 5}, "data_dir must be a path, not 5"),
        ({"data_dir": None}, "data_dir must be a path"),
        ({"data_dir": b"data"}, "data_dir must be a path"),
        ({"data_dir": "a\0b"}, "data_dir must be a path"),
        ({"data_dir": ""}, "data_dir must be a path"),
        ({"model": 5}, "model must be a path"),
        ({"model": "\0"}, "model must be a path"),
        ({"store": 5}, "store must be the name of a store, not 5"),
        ({"store": b"memory"}, "store must be the name of a store"),
        ({"settings": {"rule": "gradient"}}, "settings must be ServeSettings"),
    ],
)
def test_what_cannot_be_opened_is_refused_by_name(demo, given, words):
    with pytest.raises(SettingsError) as caught:
        Recommender.open(**{"data_dir": demo.root, **given})
    assert words in caught.value.message


def test_a_data_directory_is_a_text_or_a_path(demo, monkeypatch):
    monkeypatch.chdir(demo.root.parent)
    assert Workspace(demo.root.name) == Workspace(Path(demo.root.name))
    assert Workspace(demo.root.name).users_db == Path(demo.root.name) / "users.db"
    for data_dir in (demo.root.name, demo.root, Path(demo.root.name)):
        with Recommender.open(data_dir, store="memory", settings=ServeSettings()) as rec:
            assert rec.get_top_n(42)
    for wrong in (None, 5, b"data", "", "a\0b"):
        with pytest.raises(SettingsError, match="root must be a path"):
            Workspace(wrong)  # type: ignore[arg-type]
