"""Finding movies by what people type."""

from __future__ import annotations

import numpy as np
import pytest

from mlrec.errors import UnknownMovieError
from mlrec.serving.titles import TitleIndex, normalized

MOVIES = [  # id, title, year, likes
    (1, "Toy Story", 1995, 100),
    (3, "Toy Story 2", 1999, 50),
    (10, "Matrix, The", 1999, 90),
    (11, "Matrix Reloaded, The", 2003, 20),
    (20, "Hamlet", 1990, 5),
    (21, "Hamlet", 1996, 9),
    (30, "Amelie (Fabuleux destin d'Amélie Poulain, Le)", 2001, 40),
    (1984, "300", 2007, 30),
    (40, "[REC]", 2007, 7),
]
IDS, TITLES, YEARS, LIKES = (list(column) for column in zip(*sorted(MOVIES), strict=True))


@pytest.fixture
def titles() -> TitleIndex:
    return TitleIndex(np.array(IDS), TITLES, YEARS, np.array(LIKES))


def found(titles: TitleIndex, text: str) -> list[int]:
    return [IDS[row] for row in titles.search(text, 10)]


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("toy story", [1, 3]),
        ("MATRIX", [10, 11]),
        ("the matrix", [10, 11]),
        ("matrix, the", [10, 11]),
        ("Matrix, The (1999)", [10]),
        ("le fabuleux destin", [30]),
        ("amélie", [30]),
        ("amelie poulain", [30]),
        ("rec", [40]),
        ("matirx", [10]),
        ("hamlet (1996)", [21]),
        ("hamlet", [21, 20]),
        ("qqqq", []),
        ("", []),
    ],
)
def test_search(titles, text, ids):
    assert found(titles, text) == ids


@pytest.mark.parametrize(
    ("text", "movie_id"),
    [
        ("1", 1),
        ("Toy Story", 1),
        ("toy story 2", 3),
        ("matrix", 10),
        ("Hamlet (1990)", 20),
        ("reloaded", 11),
        ("300", 1984),
    ],
)
def test_resolve(titles, text, movie_id):
    assert IDS[titles.resolve(text)] == movie_id


def test_an_ambiguous_title_lists_the_candidates(titles):
    with pytest.raises(UnknownMovieError) as error:
        titles.resolve("hamlet")
    assert "20 Hamlet (1990)" in error.value.hint
    assert "21 Hamlet (1996)" in error.value.hint


def test_candidates_go_by_the_titles_that_people_say(titles):
    with pytest.raises(UnknownMovieError, match="several") as error:
        titles.resolve("matr")
    assert "10 The Matrix (1999); 11 The Matrix Reloaded (2003)" in error.value.hint


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("reloded", [11]),
        ("hamlt poulan", [30, 21, 20]),
        ("qqqq", []),
        ("toy", []),  # too short to be near to one word rather than to many
        ("zzzz " * 50, []),
    ],
)
def test_a_word_with_a_slip_is_near_to_titles_that_have_it(titles, text, ids):
    assert [IDS[row] for row in titles.near(text, 10)] == ids


def test_an_unknown_title_says_so(titles):
    with pytest.raises(UnknownMovieError, match="qqqq"):
        titles.resolve("qqqq")


def test_normalized_forms_are_equal():
    assert normalized("Matrix, The") == normalized("THE matrix!") == "the matrix"
    assert normalized("Amélie") == normalized("amelie")


def test_an_exact_title_is_meant_before_one_that_has_an_article_more():
    index = TitleIndex(np.array([1, 2, 3]), ["Hero", "Hero, A", "Heroes"], [2002, 1998, 1977], np.array([5, 9, 1]))
    assert index.resolve("Hero") == 0
    assert index.resolve("A Hero") == 1
    assert index.resolve("hero, a") == 1
