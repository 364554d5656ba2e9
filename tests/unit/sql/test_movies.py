"""The steps that read and check movies, each alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mlrec.dataset.editions import ML_100K_GENRES
from tests.unit.sql.steps import DOUBLE_EXACT, INT64_MAX, Database, parquet_file, raw_file

MOVIE_ROW_COLUMNS = (
    "line BIGINT, text VARCHAR, width BIGINT, movie_id VARCHAR, title VARCHAR, genres VARCHAR, year VARCHAR,"
    " details VARCHAR"
)


def test_movie_rows_of_a_csv_file(db, tmp_path):
    content = (
        "movieId,title,genres\n"
        '1,"American President, The (1995)",Comedy|Drama\n'
        "\n"
        "2,Amélie (2001),(no genres listed)\n"
        "   \n"
        "3,Short\n"
    )
    db.set_file(raw_file("movies", tmp_path / "movies.csv", content))
    db.run("10_movie_rows_delimited")
    assert db.rows("SELECT line, width, movie_id, title, genres FROM movie_rows ORDER BY line") == [
        (2, 3, "1", "American President, The (1995)", "Comedy|Drama"),
        (4, 3, "2", "Amélie (2001)", "(no genres listed)"),
        (6, 2, "3", "Short", None),
    ]


def test_movie_rows_keep_the_raw_text(db, tmp_path):
    line = '1,"""Great"" Thing, A (1990)",  Drama'
    db.set_file(raw_file("movies", tmp_path / "movies.csv", f"movieId,title,genres\n{line}\n"))
    db.run("10_movie_rows_delimited")
    assert db.rows("SELECT text FROM movie_rows") == [(line,)]


def test_movie_rows_with_extra_and_reordered_columns(db, tmp_path):
    content = 'genres,note,title,movieId\nDrama,"a, b",Heat (1995),6\n'
    columns = ("genres", "note", "title", "movie_id")
    db.set_file(raw_file("movies", tmp_path / "movies.csv", content, columns=columns))
    db.run("10_movie_rows_delimited")
    assert db.rows("SELECT width, movie_id, title, genres FROM movie_rows") == [(4, "6", "Heat (1995)", "Drama")]


def test_movie_rows_of_a_latin_1_dat_file(db, tmp_path):
    file = raw_file("movies", tmp_path / "movies.dat", "1::Amélie (2001)::Comedy\n", delimiter="::", encoding="latin-1")
    db.set_file(file)
    db.run("10_movie_rows_delimited")
    assert db.rows("SELECT line, width, movie_id, title, genres FROM movie_rows") == [
        (1, 3, "1", "Amélie (2001)", "Comedy")
    ]


def item_line(movie_id: int, title: str, *genres: str) -> str:
    """Spell a line of u.item."""
    flags = ["1" if genre in genres else "0" for genre in ML_100K_GENRES]
    return "|".join([str(movie_id), title, "01-Jan-1995", "", "http://us.imdb.com/", *flags])


def test_movie_rows_of_u_item(db, tmp_path):
    lines = [
        item_line(1, "Toy Story (1995)", "Animation", "Children's", "Comedy"),
        item_line(267, "unknown", "unknown"),
        item_line(3, "Ma vie en rose (1997)", "Western"),
    ]
    file = raw_file("movies", tmp_path / "u.item", "\n".join(lines), layout="item", delimiter="|", encoding="latin-1")
    db.set_file(file)
    db.set(genre_names=list(ML_100K_GENRES))
    db.run("10_movie_rows_item")
    assert db.rows("SELECT line, width, movie_id, title, genres FROM movie_rows ORDER BY line") == [
        (1, 24, "1", "Toy Story (1995)", "Animation|Children's|Comedy"),
        (2, 24, "267", "unknown", ""),
        (3, 24, "3", "Ma vie en rose (1997)", "Western"),
    ]


@pytest.mark.parametrize("listed", ["'Children''s|Sci-Fi|Film-Noir'", "['Children''s', 'Sci-Fi', 'Film-Noir']"])
def test_movie_rows_of_parquet_with_genres_as_text_or_list(db, tmp_path, listed):
    query = f"SELECT 7 AS movieId, '[REC] (2007)' AS title, {listed} AS genres"
    db.set(movies_file=parquet_file(db, "movies", tmp_path / "movies.parquet", query))
    db.run("10_movie_rows_parquet")
    assert db.rows("SELECT line, width, movie_id, title, genres FROM movie_rows") == [
        (1, 3, "7", "[REC] (2007)", "Children's|Sci-Fi|Film-Noir")
    ]


@pytest.mark.parametrize("listed", ["'(no genres listed)'", "['(no genres listed)']", "CAST([] AS VARCHAR[])", "NULL"])
def test_no_genres_in_parquet_is_an_empty_list(db, tmp_path, listed):
    query = f"SELECT 7 AS movie_id, 'A' AS title, {listed} AS genres"
    db.set(movies_file=parquet_file(db, "movies", tmp_path / "movies.parquet", query))
    db.run("10_movie_rows_parquet")
    db.run("11_movies")
    assert db.rows("SELECT movie_id, genres FROM movies") == [(7, [])]


def load_movies(db: Database, *rows: tuple[int, str, str | None, str | None, str | None]) -> None:
    """Run the step on rows of (line, text, movie id, title, genres)."""
    db.set(movies_file={"label": "movies.csv", "width": 3})
    db.table(
        "movie_rows",
        MOVIE_ROW_COLUMNS,
        [
            (line, text, len(text.split(",")), movie_id, title, genres, None, None)
            for line, text, movie_id, title, genres in rows
        ],
    )
    db.run("11_movies")


@pytest.mark.parametrize(
    ("raw", "title", "year"),
    [
        ("Toy Story (1995)", "Toy Story", 1995),
        ("American President, The (1995)", "American President, The", 1995),
        ('"Great" Thing, A (1990)', '"Great" Thing, A', 1990),
        ("Amélie Poulain (Le Fabuleux destin, L'été) (2001)", "Amélie Poulain (Le Fabuleux destin, L'été)", 2001),
        ("Babylon 5", "Babylon 5", None),
        ("Fawlty Towers (1975–1979)", "Fawlty Towers", 1975),
        ("Fawlty Towers (1975-1979)", "Fawlty Towers", 1975),
        ("Running (2019- )", "Running", 2019),
        ("Running (2019–)", "Running", 2019),
        ("Trailing blanks (1999)   ", "Trailing blanks", 1999),
        ("  Leading blanks (1999)", "Leading blanks", 1999),
        ("Close(1999)", "Close", 1999),
        ("Twice (1958) (1992)", "Twice (1958)", 1992),
        ("2001: A Space Odyssey (1968)", "2001: A Space Odyssey", 1968),
        ("1984", "1984", None),
        ("(1999)", "(1999)", None),
        ("Much later (21999)", "Much later (21999)", None),
        ("Unclosed (1999", "Unclosed (1999", None),
        ("Not the end (1999) again", "Not the end (1999) again", None),
        ("[REC] (2007)", "[REC]", 2007),
        ("", "Untitled movie 5", None),
        ("   ", "Untitled movie 5", None),
        (None, "Untitled movie 5", None),
    ],
)
def test_titles_and_years(db, raw, title, year):
    load_movies(db, (2, "5,x,Drama", "5", raw, "Drama"))
    assert db.rows("SELECT movie_id, title, year FROM movies") == [(5, title, year)]
    assert db.reasons() == []


@pytest.mark.parametrize(
    ("raw", "genres"),
    [
        ("Comedy", ["Comedy"]),
        ("Comedy|Children's|Sci-Fi", ["Comedy", "Children's", "Sci-Fi"]),
        (" Comedy | Drama ", ["Comedy", "Drama"]),
        ("Comedy||Drama|", ["Comedy", "Drama"]),
        ("(no genres listed)", []),
        ("", []),
        (None, []),
    ],
)
def test_genres(db, raw, genres):
    load_movies(db, (2, "5,x,y", "5", "A", raw))
    assert db.rows("SELECT genres FROM movies") == [(genres,)]


@pytest.mark.parametrize(
    ("text", "movie_id", "reason"),
    [
        ("7,Title", "7", "missing field"),
        ("7", "7", "missing field"),
        ("7,Title,Drama,more", "7", "too many fields"),
        (",Title,Drama", "", "empty movieId"),
        (",Title,Drama", None, "empty movieId"),
        ("x,Title,Drama", "x", "unparsable movieId"),
        ("3.7,Title,Drama", "3.7", "unparsable movieId"),
        (f"{INT64_MAX + 1},Title,Drama", str(INT64_MAX + 1), "movieId beyond int64"),
        ("5,Again,Drama", "5", "duplicate movieId"),
        ("5.0,Again,Drama", "5.0", "duplicate movieId"),
    ],
)
def test_bad_movie_rows_are_rejected_with_the_reason(db, text, movie_id, reason):
    load_movies(db, (2, "5,First,Drama", "5", "First", "Drama"), (3, text, movie_id, "Title", "Drama"))
    assert db.rows("SELECT movie_id, title FROM movies") == [(5, "First")]
    assert db.rows("SELECT file, line, text, reason FROM rejects") == [("movies.csv", 3, text, reason)]


def test_a_bad_row_does_not_take_the_place_of_the_good_one_after_it(db):
    load_movies(db, (2, "5,Broken", "5", "Broken", None), (3, "5,Good,Drama", "5", "Good", "Drama"))
    assert db.rows("SELECT movie_id, title FROM movies") == [(5, "Good")]
    assert db.reasons() == ["missing field"]


@pytest.mark.parametrize("movie_id", [INT64_MAX, DOUBLE_EXACT + 1, -3])
def test_movie_ids_of_any_size(db, movie_id):
    load_movies(db, (2, "x,y,z", str(movie_id), "A", "Drama"))
    assert db.rows("SELECT movie_id FROM movies") == [(movie_id,)]


NASTY_OBJECTS = """\
{"id": 7, "name": "A \\"B\\"\\n, c (1990)", "genre": ["X", "Y"], "score/all": 8.5, "by": {"a": [1]}, "gone": null}

[1, 2]
{"id": 9007199254740993, "name": "\\u00e9", "genre": "X|Z", "": 1}
{"name": "without an id"}
{"id": 8, "name": "cut
null
"""


def test_movie_rows_of_json_lines(db, tmp_path):
    headers = ("id", "name", "genre", "score/all", "by", "gone", "")
    columns = ("movie_id", "title", "genres", *headers[3:])
    file = raw_file("movies", tmp_path / "m.jsonl", NASTY_OBJECTS, layout="json", columns=columns)
    db.set_file(replace(file, header_lines=0, headers=headers))
    db.run("10_movie_rows_json")
    assert db.rows("SELECT line, width, movie_id, title, genres, details FROM movie_rows ORDER BY line") == [
        (1, 7, "7", 'A "B"\n, c (1990)', '["X","Y"]', '{"score/all":"8.5","by":"{\\"a\\":[1]}"}'),
        (3, -2, None, None, None, None),
        (4, 7, "9007199254740993", "é", "X|Z", None),
        (5, 7, None, "without an id", None, None),
        (6, -2, None, None, None, None),
        (7, -2, None, None, None, None),
    ]
    db.run("11_movies")
    assert db.reasons() == ["not a JSON object", "empty movieId", "not a JSON object", "not a JSON object"]


def test_a_column_of_years_comes_before_the_year_in_the_title(db):
    db.set(movies_file={"label": "movies.csv", "width": 3})
    years = ["1995", "1995.0", "1995-10-30", "0", "", None, "95", " 2001 "]
    rows = [(line, "", 3, str(line), "Heat (1990)", None, year, None) for line, year in enumerate(years)]
    db.table("movie_rows", MOVIE_ROW_COLUMNS, rows)
    db.run("11_movies")
    assert db.rows("SELECT title, year FROM movies ORDER BY movie_id") == [
        ("Heat", year) for year in (1995, 1995, 1995, 1990, 1990, 1990, 1990, 2001)
    ]


@pytest.mark.parametrize(
    ("genres", "found"),
    [
        (["A, B", "C"], [["A", "B"], ["C"]]),
        (["A; B, c", "C;D"], [["A", "B, c"], ["C", "D"]]),
        (["A, B|C", "D|E", "F"], [["A, B", "C"], ["D", "E"], ["F"]]),
        (["A;B", None], [["A", "B"], []]),
    ],
)
def test_genres_are_separated_by_what_most_rows_have(db, genres, found):
    db.set(movies_file={"label": "movies.csv", "width": 3})
    db.table(
        "movie_rows",
        MOVIE_ROW_COLUMNS,
        [(line, "", 3, str(line), "A", text, None, None) for line, text in enumerate(genres)],
    )
    db.run("11_movies")
    assert [one for (one,) in db.rows("SELECT genres FROM movies ORDER BY movie_id")] == found


def test_genres_that_look_like_a_list(db):
    genres = ["['A']", "A|B", None, " [x", "['A']", ""]
    rows = [(line, "", 3, str(line), "A", text, None, None) for line, text in enumerate(genres)]
    db.table("movie_rows", MOVIE_ROW_COLUMNS, rows)
    db.run("10_listed_genres")
    assert sorted(db.rows("FROM genre_lists")) == [(" [x",), ("['A']",)]


def test_further_columns_of_a_text_file_become_details(db, tmp_path):
    content = 'movieId,title,genres,it\'s,n,n,\n1,A,X,"say ""hi""",2,3,4\n2,B,Y,,,,\n'
    columns = ("movie_id", "title", "genres", "it's", "n", "n", "")
    db.set_file(raw_file("movies", tmp_path / "movies.csv", content, columns=columns))
    db.run("10_movie_rows_delimited")
    assert db.rows("SELECT details FROM movie_rows ORDER BY line") == [('{"it\'s":"say \\"hi\\"","n":"2"}',), (None,)]
