"""Finding films by title and year: what is undone, what is never guessed, and laws over the whole demo catalogue."""

from __future__ import annotations

import csv
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlrec.own_films.matching import Film, FilmFinder, Found, NotFound
from mlrec.own_films.title_keys import TitleKeys, without_year
from tests.noise import NOISES

CATALOGUE = [
    ("Matrix, The", 1999),
    ("Léon: The Professional (a.k.a. The Professional) (Léon)", 1994),
    ("Amelie (Fabuleux destin d'Amélie Poulain, Le)", 2001),
    ("Rocky II", 1979),
    ("Rocky III", 1982),
    ("Seven (a.k.a. Se7en)", 1995),
    ("WALL·E", 2008),
    ("Tom & Jerry: The Movie", 1992),
    ("Robin Hood", 1922),
    ("Robin Hood", 1973),
    ("Robin Hood", 2010),
    ("Hamlet", 1996),
    ("Hamlet", 1997),
    ("Harry Potter and the Sorcerer's Stone (a.k.a. Harry Potter and the Philosopher's Stone)", 2001),
    ("Star Wars: Episode IV - A New Hope", 1977),
    ("City of God (Cidade de Deus)", 2002),
    ("Kill Bill: Vol. 1", 2003),
    ("Kill Bill: Vol. 2", 2004),
    ("Birdman: Or (The Unexpected Virtue of Ignorance)", 2014),
    ("Undated Film", None),
    ("Monty Python's Life of Brian", 1979),
    ("Mulholland Drive", 2001),
    ("L.A. Confidential", 1997),
]
FINDER = FilmFinder([title for title, _ in CATALOGUE], [year for _, year in CATALOGUE])


def found(title: str, year: int | None) -> tuple[str, str] | NotFound:
    result = FINDER.find(Film(title, year))
    return (CATALOGUE[result.row][0], result.rule) if isinstance(result, Found) else result


@pytest.mark.parametrize(
    ("title", "year", "expected", "rule"),
    [
        ("The Matrix", 1999, "Matrix, The", "title"),
        ("Matrix, The", 1999, "Matrix, The", "title"),
        ("Matrix", 1999, "Matrix, The", "spelling"),
        ("Leon: The Professional", 1994, "Léon: The Professional (a.k.a. The Professional) (Léon)", "title"),
        ("Léon", 1994, "Léon: The Professional (a.k.a. The Professional) (Léon)", "other title"),
        ("The Professional", 1994, "Léon: The Professional (a.k.a. The Professional) (Léon)", "other title"),
        ("Le Fabuleux Destin d’Amélie Poulain", 2001, CATALOGUE[2][0], "other title"),
        ("Amélie", 2001, CATALOGUE[2][0], "title"),
        ("Rocky 2", 1979, "Rocky II", "title"),
        ("ROCKY II", 1979, "Rocky II", "title"),
        ("Se7en", 1995, "Seven (a.k.a. Se7en)", "other title"),
        ("WALL-E", 2008, "WALL·E", "title"),
        ("Wall E", 2008, "WALL·E", "title"),
        ("Tom and Jerry: The Movie", 1992, "Tom & Jerry: The Movie", "title"),
        ("Robin Hood", 1973, "Robin Hood", "title"),
        ("Harry Potter and the Philosopher's Stone", 2001, CATALOGUE[13][0], "other title"),
        ("Star Wars", 1977, "Star Wars: Episode IV - A New Hope", "subtitle"),
        ("City of God", 2003, "City of God (Cidade de Deus)", "year off by one"),
        ("Cidade de Deus", 2001, "City of God (Cidade de Deus)", "year off by one"),
        ("Kill Bill: Volume 2", 2004, "Kill Bill: Vol. 2", "spelling"),
        ("Kill Bill Vol 1", 2003, "Kill Bill: Vol. 1", "title"),
        ("Birdman or (The Unexpected Virtue of Ignorance)", 2014, CATALOGUE[18][0], "title"),
        ("Life of Brian", 1979, "Monty Python's Life of Brian", "subtitle"),
        ("Mulholland Dr.", 2001, "Mulholland Drive", "spelling"),
        ("LA Confidential", 1997, "L.A. Confidential", "title"),
        ("Undated Film", 1984, "Undated Film", "year unknown"),
        ("Matrix, The", None, "Matrix, The", "year unknown"),
    ],
)
def test_spellings_of_one_film(title, year, expected, rule):
    assert found(title, year) == (expected, rule)


@pytest.mark.parametrize(
    ("title", "year"),
    [
        ("Robin Hood", None),
        ("Robin Hood", 1991),
        ("Rocky", 1976),
        ("Rocky IV", 1985),
        ("Matrix Reloaded, The", 2003),
        ("Heat", 1995),
        ("", 1999),
        ("   ", None),
        ("!!!", 1999),
        ("The", 1999),
    ],
)
def test_a_film_that_is_not_there_is_not_guessed(title, year):
    result = found(title, year)
    assert isinstance(result, NotFound) or CATALOGUE[[t for t, _ in CATALOGUE].index(result[0])] == (title, year), (
        result
    )


def test_between_two_candidates_there_is_no_guess():
    finder = FilmFinder(["Twins", "Twins", "Twins"], [1996, 1998, 2005])
    result = finder.find(Film("Twins", 1997))
    assert result == NotFound("fits 2 movies equally well", (0, 1))
    same = FilmFinder(["Twins", "Twins"], [1997, 1997]).find(Film("Twins", 1997))
    assert same == NotFound("fits 2 movies equally well", (0, 1))


def test_a_strict_rule_decides_before_a_loose_one():
    finder = FilmFinder(["Hamlet", "Hamlet", "Prince (Hamlet)"], [1996, 1997, 1996])
    assert finder.find(Film("Hamlet", 1996)) == Found(0, "title")
    assert finder.find(Film("Hamlet", 1997)) == Found(1, "title")


def test_an_id_decides_and_a_differing_id_forbids():
    finder = FilmFinder(
        ["Old Boy", "Oldboy", "Oldboy"], [2003, 2003, 2013], ["tt0364569", None, "tt1321511"], [1, 2, 3]
    )
    assert finder.find(Film("Something else", 1950, imdb_id="tt1321511")) == Found(2, "id")
    assert finder.find(Film("Something else", 1950, tmdb_id=2)) == Found(1, "id")
    # The movie of this title and year has another id, so it is another film.
    result = finder.find(Film("Oldboy", 2013, imdb_id="tt9999999"))
    assert isinstance(result, NotFound)
    assert result.reason == "only movies with other ids have this title"


def test_not_found_names_what_it_could_be():
    result = FINDER.find(Film("Kill Bil: Vol. 1", 2003))
    assert isinstance(result, NotFound)
    assert CATALOGUE[result.nearest[0]] == ("Kill Bill: Vol. 1", 2003)
    newer = FINDER.find(Film("Dune: Part Two", 2024))
    assert isinstance(newer, NotFound)
    assert newer.reason == "newer than all movies of the model, which end in 2014"


def test_years_in_brackets():
    assert without_year("Heat (1995)") == ("Heat", 1995)
    assert without_year("2001: A Space Odyssey") == ("2001: A Space Odyssey", None)
    assert without_year("1984") == ("1984", None)


@given(st.text(max_size=60), st.one_of(st.none(), st.integers(1870, 2100)))
@settings(max_examples=300, deadline=None)
def test_any_text_as_a_title(title, year):
    """A title finds itself, whatever characters it has, or it has none that could be searched for."""
    keys = TitleKeys(without_year(title)[0]).own
    result = FilmFinder([title, "Another Film"], [year, 1950]).find(Film(title, year))
    if keys and keys != TitleKeys("Another Film").own:
        assert isinstance(result, Found)
        assert result.row == 0
    elif not keys:
        assert result == NotFound("no title", ())


@pytest.fixture(scope="module")
def catalogue(demo_raw) -> list[tuple[str, int | None]]:
    with (demo_raw / "movies.csv").open(newline="", encoding="utf-8") as file:
        return [without_year(row["title"]) for row in csv.DictReader(file) if row["title"]]


@pytest.fixture(scope="module")
def finder(catalogue) -> FilmFinder:
    return FilmFinder([title for title, _ in catalogue], [year for _, year in catalogue])


@pytest.mark.parametrize("noise", NOISES)
def test_each_title_of_the_demo_finds_itself_under_every_noise(noise, catalogue, finder):
    """Except for films of one year whose titles differ in nothing else: they are ambiguous, and no other is found."""
    missed = Counter[str]()
    for row, (title, year) in enumerate(catalogue):
        result = finder.find(Film(NOISES[noise](title), year))
        if isinstance(result, NotFound):
            assert result.reason.startswith("fits "), (title, result)
            missed[title] += 1
        else:
            assert result.row == row, (NOISES[noise](title), year, catalogue[result.row])
    assert missed.total() <= 0.001 * len(catalogue), missed


def test_no_film_is_two_movies(catalogue, finder):
    """Different movies of the catalogue never fit one film: each is found by itself, or is reported."""
    rows = [finder.find(Film(title, year)) for title, year in catalogue]
    found = [result.row for result in rows if isinstance(result, Found)]
    assert len(found) == len(set(found)) >= 0.999 * len(catalogue)
