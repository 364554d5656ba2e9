"""Every movie of the demo data's movies file, whether anybody has rated it or not, can be used like any other."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from mlrec import Recommender

NEW = 9_000_001
SECONDS = 1_600_000_000


@pytest.fixture(scope="module")
def rec(demo):
    with Recommender.open(demo.root, store="memory") as recommender:
        yield recommender


def test_each_is_there_with_its_origin(rec):
    movies = rec.movies()
    origins = Counter(movie.origin for movie in movies)
    assert sum(origins.values()) == 9_066
    assert origins["trained"] == 1_303
    assert all(movie.likes == 0 for movie in movies if movie.origin == "content")
    assert all(movie.likes > 0 for movie in movies if movie.origin == "folded-in")


def test_each_is_found_by_its_title(rec):
    """Every fifth: a search takes some milliseconds."""
    missed = [movie.label for movie in rec.movies()[::5] if movie not in rec.search(movie.label, 5)]
    assert missed == []


def test_a_movie_of_the_core_that_nobody_likes_is_compared_by_genres_and_year(rec):
    (speed,) = [movie for movie in rec.movies() if movie.title == "Speed 2: Cruise Control"]
    assert (speed.origin, speed.likes) == ("trained", 0)
    similar = rec.similar_movies(speed.movie_id, 5)
    assert [item.score for item in similar] == sorted((item.score for item in similar), reverse=True)
    for item in similar:
        common = set(item.genres) & set(speed.genres)
        assert item.score == pytest.approx(
            len(common) / len(set(item.genres) | set(speed.genres)) * 0.5 ** (abs(item.year - speed.year) / 10)
        )


def test_each_has_similar_movies_and_an_explanation_that_adds_up(rec):
    wrong = []
    movies = rec.movies()
    for movie in [*movies[::3], *(movie for movie in movies if not movie.likes)]:
        similar = rec.similar_movies(movie.movie_id, 1)
        why = rec.explain(42, movie.movie_id)
        total = why.popularity + sum(part.value for part in why.likes)
        if len(similar) != 1 or not -1.001 <= similar[0].score <= 1.001 or abs(total - why.score) > 1e-5:
            wrong.append(movie.label)
    assert wrong == []


def test_each_can_be_liked_and_recommended(demo):
    """Ten of them to a user; somebody new gets all of them in one list."""
    with Recommender.open(demo.root, store="memory") as rec:
        movies = [movie.movie_id for movie in rec.movies()]
        everything = rec.get_top_n(NEW, 10_000)
        assert sorted(item.movie_id for item in everything) == movies
        for second, movie_id in enumerate(movies):
            state = rec.update_user(NEW + second // 10, movie_id, "like", at=SECONDS + second)
            assert state.in_effect
            assert np.isfinite(state.vector).all()
            assert state.vector.any()
