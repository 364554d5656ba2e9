"""Each step of sql/ alone, on tables small enough to work out by hand."""

from __future__ import annotations

import csv
import hashlib
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib import resources
from itertools import count
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlrec.dataset.editions import ML_100K_GENRES
from mlrec.dataset.sources import CSV_COLUMNS, Layout, RawFile, Role
from mlrec.dataset.steps import Steps
from mlrec.dataset.text_files import Encoding
from mlrec.dataset.text_rows import record_blocks
from mlrec.progress import SILENT

SQL = resources.files("mlrec.dataset").joinpath("sql")
INT64_MAX = 2**63 - 1
INT64_MIN = -(2**63)
DOUBLE_EXACT = 2**53
"""Beyond it not every whole number has a DOUBLE of its own."""

PREFERENCES = [-2, -1, 1, 2]
"""Of buckets 1 to 4."""

RATING_COLUMNS = "user_id BIGINT, movie_id BIGINT, rating DOUBLE, timestamp BIGINT, valid BOOLEAN"
RATING_ROW_COLUMNS = (
    "line BIGINT, text VARCHAR, width BIGINT, user_id VARCHAR, movie_id VARCHAR, rating VARCHAR, timestamp VARCHAR"
)
MOVIE_ROW_COLUMNS = "line BIGINT, text VARCHAR, width BIGINT, movie_id VARCHAR, title VARCHAR, genres VARCHAR"
LINK_ROW_COLUMNS = "line BIGINT, text VARCHAR, width BIGINT, movie_id VARCHAR, imdb_id VARCHAR, tmdb_id VARCHAR"
EVENT_COLUMNS = "user_id BIGINT, movie_id BIGINT, preference TINYINT, timestamp BIGINT, n INTEGER, position BIGINT"
SWIPE_COLUMNS = "user_id BIGINT, movie_id BIGINT, preference BIGINT, timestamp BIGINT, event_id BIGINT"
JUDGED_COLUMNS = f"{SWIPE_COLUMNS}, reason VARCHAR, fate VARCHAR"
SPLIT_COLUMNS = "user_id BIGINT, movie_id BIGINT, preference TINYINT, timestamp BIGINT, split VARCHAR"


class Database:
    """A database in memory, set up as for a preparation, in which one step at a time runs."""

    _names = count()

    def __init__(self, server: duckdb.DuckDBPyConnection) -> None:
        # Opening DuckDB takes longer than all else here: each test gets a database and a session of its own within one.
        name = f"database_{next(self._names)}"
        self.connection = server.cursor()
        self.connection.execute(f"ATTACH ':memory:' AS {name}")
        self.connection.execute(f"USE {name}")
        self.run("00_setup")

    def set(self, **variables: Any) -> None:
        for name, value in variables.items():
            self.connection.execute(f"SET VARIABLE {name} = $value", {"value": value})

    def table(self, name: str, columns: str, rows: Sequence[Sequence[Any]]) -> None:
        self.connection.execute(f"CREATE OR REPLACE TABLE {name} ({columns})")
        if rows:
            by_column = [list(values) for values in zip(*rows, strict=True)]
            self.connection.execute(f"INSERT INTO {name} SELECT {', '.join('unnest(?)' for _ in by_column)}", by_column)

    def describe(self, file: RawFile) -> None:
        """Make a text file known to the SQL, and load its lines."""
        steps = Steps(self.connection, SILENT)
        steps.describe(file)
        steps.load(record_blocks(file, file.encoding))

    def movies(self, *movie_ids: int) -> None:
        self.connection.execute("INSERT INTO movies (movie_id) SELECT unnest(?)", [list(movie_ids)])

    def run(self, step: str, **parameters: Any) -> None:
        Steps(self.connection, SILENT).run(step, "", **parameters)

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        return self.connection.execute(query, list(values) or None).fetchall()

    def value(self, query: str, *values: Any) -> Any:
        return self.rows(query, *values)[0][0]

    def reasons(self) -> list[str]:
        return [reason for (reason,) in self.rows("SELECT reason FROM rejects ORDER BY line")]


@pytest.fixture(scope="module")
def server() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"python_enable_replacements": "false", "threads": 4}) as connection:
        yield connection


@pytest.fixture
def db(server: duckdb.DuckDBPyConnection) -> Iterator[Database]:
    database = Database(server)
    yield database
    database.connection.close()


def raw_file(
    role: Role,
    path: Path,
    content: str,
    *,
    layout: Layout = "delimited",
    delimiter: str = ",",
    encoding: Encoding = "utf-8",
    columns: tuple[str, ...] = (),
) -> RawFile:
    """Write a text file and describe it; CSV files have a header line."""
    path.write_bytes(content.encode(encoding))
    return RawFile(
        role,
        path,
        path.name,
        layout,
        delimiter,
        encoding,
        header_lines=1 if delimiter == "," else 0,
        columns=columns or CSV_COLUMNS[role],
    )


def parquet_file(db: Database, role: Role, path: Path, query: str) -> dict[str, Any]:
    """Write the rows of a query as Parquet and describe the file as the SQL expects."""
    db.connection.execute(f"COPY ({query}) TO $path (FORMAT parquet)", {"path": str(path)})
    return RawFile(role, path, path.name, "parquet", columns=CSV_COLUMNS[role]).for_sql()


def test_every_step_has_a_test_here():
    own_text = Path(__file__).read_text()
    steps = [Path(file.name).stem for folder in ("duckdb", "shared") for file in SQL.joinpath(folder).iterdir()]
    assert len(steps) > 20
    assert len(set(steps)) == len(steps)
    assert [step for step in sorted(steps) if f'run("{step}"' not in own_text] == []


# -- 00_setup --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("5", 5),
        ("0", 0),
        ("-5", -5),
        ("10", 10),
        ("3.0", 3),
        ("100.0", 100),
        ("-7.0", -7),
        ("0.0", 0),
        ("+5", None),
        ("007", None),
        ("-0", None),
        ("00", None),
        ("1_23", None),
        ("1e3", None),
        ("1E1", None),
        ("3.", None),
        ("3.00", None),
        (" 3", None),
        ("3\n", None),
        ("١", None),
        (str(INT64_MAX), INT64_MAX),
        (str(INT64_MIN), INT64_MIN),
        (str(INT64_MAX + 1), None),
        (str(INT64_MIN - 1), None),
        ("1" * 40, None),
        ("3.7", None),
        ("1e-1", None),
        ("0x10", None),
        ("--1", None),
        ("abc", None),
        ("nan", None),
        ("inf", None),
        ("", None),
    ],
)
def test_whole_numbers(db, text, number):
    assert db.value("SELECT whole_number(?)", text) == number


@pytest.mark.parametrize("number", [DOUBLE_EXACT - 1, DOUBLE_EXACT + 1, -DOUBLE_EXACT - 1, 10**18 + 1])
def test_large_ids_keep_every_digit(db, number):
    assert db.value("SELECT whole_number(?)", str(number)) == number


def test_a_number_that_double_would_round_to_another_is_not_exact(db):
    rounded = float(DOUBLE_EXACT + 1)
    assert int(rounded) != DOUBLE_EXACT + 1
    assert db.value("SELECT whole_number(field_text(CAST(? AS DOUBLE)))", rounded) is None
    assert db.value("SELECT whole_number(?)", f"{DOUBLE_EXACT + 1}.0") == DOUBLE_EXACT + 1


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("5", None),
        ("-5", None),
        ("3.0", None),
        (str(INT64_MAX), None),
        ("", "empty userId"),
        (None, "empty userId"),
        (str(INT64_MAX + 1), "userId beyond int64"),
        (str(INT64_MIN - 1), "userId beyond int64"),
        (f"{INT64_MAX + 1}.0", "userId beyond int64"),
        ("1e30", "unparsable userId"),
        ("1_23", "unparsable userId"),
        ("007", "unparsable userId"),
        ("3.7", "unparsable userId"),
        ("abc", "unparsable userId"),
        ("nan", "unparsable userId"),
    ],
)
def test_faults_of_ids(db, text, fault):
    assert db.value("SELECT id_fault(CAST(? AS VARCHAR), 'userId')", text) == fault


@pytest.mark.parametrize(
    ("rating", "good"), [(0.0, False), (0.5, True), (5.0, True), (5.01, False), (-1.0, False), (float("nan"), False)]
)
def test_ratings_lie_above_zero_and_up_to_the_maximum(db, rating, good):
    assert db.value("SELECT rating_in_range(CAST(? AS DOUBLE), 5.0)", rating) == good


@pytest.mark.parametrize(("seconds", "good"), [(-1, False), (0, True), (253402300799, True), (253402300800, False)])
def test_timestamps_lie_between_1970_and_9999(db, seconds, good):
    assert db.value("SELECT timestamp_in_range(?)", seconds) == good


# -- movies ----------------------------------------------------------------------------------------------------------


def test_movie_rows_of_a_csv_file(db, tmp_path):
    content = (
        "movieId,title,genres\n"
        '1,"American President, The (1995)",Comedy|Drama\n'
        "\n"
        "2,Amélie (2001),(no genres listed)\n"
        "   \n"
        "3,Short\n"
    )
    db.describe(raw_file("movies", tmp_path / "movies.csv", content))
    db.run("10_movie_rows_delimited")
    assert db.rows("SELECT line, width, movie_id, title, genres FROM movie_rows ORDER BY line") == [
        (2, 3, "1", "American President, The (1995)", "Comedy|Drama"),
        (4, 3, "2", "Amélie (2001)", "(no genres listed)"),
        (6, 2, "3", "Short", None),
    ]


def test_movie_rows_keep_the_raw_text(db, tmp_path):
    line = '1,"""Great"" Thing, A (1990)",  Drama'
    db.describe(raw_file("movies", tmp_path / "movies.csv", f"movieId,title,genres\n{line}\n"))
    db.run("10_movie_rows_delimited")
    assert db.rows("SELECT text FROM movie_rows") == [(line,)]


def test_movie_rows_with_extra_and_reordered_columns(db, tmp_path):
    content = 'genres,note,title,movieId\nDrama,"a, b",Heat (1995),6\n'
    columns = ("genres", "note", "title", "movie_id")
    db.describe(raw_file("movies", tmp_path / "movies.csv", content, columns=columns))
    db.run("10_movie_rows_delimited")
    assert db.rows("SELECT width, movie_id, title, genres FROM movie_rows") == [(4, "6", "Heat (1995)", "Drama")]


def test_movie_rows_of_a_latin_1_dat_file(db, tmp_path):
    file = raw_file("movies", tmp_path / "movies.dat", "1::Amélie (2001)::Comedy\n", delimiter="::", encoding="latin-1")
    db.describe(file)
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
    db.describe(file)
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
        [(line, text, len(text.split(",")), movie_id, title, genres) for line, text, movie_id, title, genres in rows],
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


# -- links -----------------------------------------------------------------------------------------------------------


def test_link_rows_of_a_csv_file(db, tmp_path):
    content = "movieId,imdbId,tmdbId\n1,0114709,862\n2,0113497,\n3,9\n"
    db.describe(raw_file("links", tmp_path / "links.csv", content))
    db.run("12_link_rows_delimited")
    assert db.rows("SELECT line, text, width, movie_id, imdb_id, tmdb_id FROM link_rows ORDER BY line") == [
        (2, "1,0114709,862", 3, "1", "0114709", "862"),
        (3, "2,0113497,", 3, "2", "0113497", ""),
        (4, "3,9", 2, "3", "9", None),
    ]


def test_link_rows_of_parquet(db, tmp_path):
    query = "SELECT 862 AS tmdbId, '0114709' AS imdbId, 1 AS movieId"
    db.set(links_file=parquet_file(db, "links", tmp_path / "links.parquet", query))
    db.run("12_link_rows_parquet")
    assert db.rows("SELECT line, width, movie_id, imdb_id, tmdb_id FROM link_rows") == [(1, 3, "1", "0114709", "862")]


def load_links(db: Database, *texts: str) -> None:
    """Run the step on lines of links.csv, beginning at line 2."""
    db.set(links_file={"label": "links.csv", "width": 3})
    rows = [
        (line, text, len(text.split(",")), *[*text.split(","), None, None][:3]) for line, text in enumerate(texts, 2)
    ]
    db.table("link_rows", LINK_ROW_COLUMNS, rows)
    db.run("13_links")


@pytest.mark.parametrize(
    ("text", "imdb_id", "tmdb_id"),
    [
        ("1,0114709,862", "tt0114709", 862),
        ("1,114709,862", "tt0114709", 862),
        ("1,tt0114709,862.0", "tt0114709", 862),
        ("1,10366206,603692", "tt10366206", 603692),
        ("1,tt10366206,603692", "tt10366206", 603692),
        ("1,,862", None, 862),
        ("1,0114709,", "tt0114709", None),
        ("1,,", None, None),
    ],
)
def test_ids_of_other_catalogues(db, text, imdb_id, tmdb_id):
    db.movies(1)
    load_links(db, text)
    assert db.rows("SELECT imdb_id, tmdb_id FROM movies") == [(imdb_id, tmdb_id)]
    assert db.reasons() == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1,0114709", "missing field"),
        ("1,0114709,862,x", "too many fields"),
        (",0114709,862", "empty movieId"),
        ("x,0114709,862", "unparsable movieId"),
        (f"{INT64_MAX + 1},0114709,862", "movieId beyond int64"),
        ("1,nm0114709,862", "unparsable imdbId"),
        ("1,0114709,x", "unparsable tmdbId"),
        ("9,0114709,862", "unknown movie"),
    ],
)
def test_bad_link_rows_are_rejected_with_the_reason(db, text, reason):
    db.movies(1)
    load_links(db, text)
    assert db.rows("SELECT file, line, text, reason FROM rejects") == [("links.csv", 2, text, reason)]
    assert db.rows("SELECT imdb_id, tmdb_id FROM movies") == [(None, None)]


def test_of_several_link_rows_the_first_stands_with_any_number_of_threads(db):
    db.set(links_file={"label": "links.csv", "width": 3})
    db.connection.execute("INSERT INTO movies (movie_id) FROM range(1000)")
    db.connection.execute(
        "CREATE TABLE link_rows AS SELECT i AS line, '' AS text, 3 AS width, CAST(i % 1000 AS VARCHAR) AS movie_id,"
        " CAST(i AS VARCHAR) AS imdb_id, CAST(i AS VARCHAR) AS tmdb_id FROM range(300000) AS numbers(i)"
    )
    db.run("13_links")
    assert db.rows("SELECT movie_id, imdb_id, tmdb_id FROM movies WHERE tmdb_id <> movie_id LIMIT 3") == []


# -- reading ratings -------------------------------------------------------------------------------------------------


def test_rating_fields_of_a_csv_file(db, tmp_path):
    content = "timestamp,note,rating,movieId,userId\n10,ok,4.5,2,1\n\n11,fine,3,3,1\n"
    columns = ("timestamp", "note", "rating", "movie_id", "user_id")
    db.describe(raw_file("ratings", tmp_path / "ratings.csv", content, columns=columns))
    db.run("20_rating_fields_delimited")
    assert db.rows("FROM rating_fields ORDER BY timestamp") == [("1", "2", "4.5", "10"), ("1", "3", "3", "11")]
    assert db.value("SELECT count(*) FROM reject_errors") == 0


@pytest.mark.parametrize(("name", "delimiter"), [("ratings.dat", "::"), ("u.data", "\t")])
def test_rating_fields_of_the_early_editions(db, tmp_path, name, delimiter):
    content = "".join(delimiter.join(row) + "\n" for row in (["1", "2", "4", "10"], ["1", "3", "5", "11"]))
    db.describe(raw_file("ratings", tmp_path / name, content, delimiter=delimiter))
    db.run("20_rating_fields_delimited")
    assert db.rows("FROM rating_fields ORDER BY timestamp") == [("1", "2", "4", "10"), ("1", "3", "5", "11")]


@pytest.mark.parametrize("bad", ["1,1,4", "1,1,4,5,6"])
def test_rating_fields_tell_that_a_row_cannot_be_cut(db, tmp_path, bad):
    content = f"userId,movieId,rating,timestamp\n1,1,4,5\n{bad}\n"
    db.describe(raw_file("ratings", tmp_path / "ratings.csv", content))
    db.run("20_rating_fields_delimited")
    assert db.rows("FROM rating_fields") == [("1", "1", "4", "5")]
    assert db.value("SELECT count(*) FROM reject_errors") > 0


def test_rating_fields_of_parquet(db, tmp_path):
    query = "SELECT 10 AS timestamp, 'x' AS note, 4.5 AS rating, '2' AS movie_id, 1 AS userId"
    db.set(ratings_file=parquet_file(db, "ratings", tmp_path / "ratings.parquet", query))
    db.run("20_rating_fields_parquet")
    assert db.rows("FROM rating_fields") == [("1", "2", "4.5", "10")]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("12::BIGINT", "12"),
        ("12::UTINYINT", "12"),
        ("12.0::DOUBLE", "12"),
        ("12.0::FLOAT", "12"),
        ("12.00::DECIMAL(9, 2)", "12"),
        ("12.50::DECIMAL(9, 2)", "12.50"),
        ("12.5::DOUBLE", "12.5"),
        ("-12.0::DOUBLE", "-12"),
        ("9007199254740991::DOUBLE", "9007199254740991"),
        ("9007199254740992::DOUBLE", "9.007199e+15"),
        ("1260000000::FLOAT", "1.260000e+09"),
        ("16777215::FLOAT", "16777215"),
        ("'007'", "007"),
        ("'1_23'", "1_23"),
        ("NULL::BIGINT", None),
        ("'nan'::DOUBLE", "nan"),
    ],
)
def test_values_of_parquet_as_text(db, value, text):
    assert db.value(f"SELECT field_text({value})") == text


def type_ratings(db: Database, *rows: tuple[str | None, ...], user_offset: int = 0) -> list[tuple[Any, ...]]:
    """Run the quick step on fields, with movies 1, 2 and 3."""
    db.set(user_offset=user_offset, max_rating=5.0)
    db.movies(1, 2, 3)
    db.table("rating_fields", "user_id VARCHAR, movie_id VARCHAR, rating VARCHAR, timestamp VARCHAR", rows)
    db.run("21_ratings_typed")
    return db.rows("FROM ratings")


def test_good_ratings_are_typed(db):
    rows = [("7", "2", "4.5", "10"), ("-7", "3.0", ".5", "0")]
    assert type_ratings(db, *rows) == [(7, 2, 4.5, 10, True), (-7, 3, 0.5, 0, True)]


def test_the_user_offset_is_added(db):
    rows = type_ratings(db, ("7", "2", "4.5", "10"), user_offset=10**12)
    assert rows == [(10**12 + 7, 2, 4.5, 10, True)]


@pytest.mark.parametrize(
    "row",
    [
        (None, "1", "4", "5"),
        ("1", None, "4", "5"),
        ("1", "1", None, "5"),
        ("1", "1", "4", None),
        ("3.7", "1", "4", "5"),
        ("1", "1.5", "4", "5"),
        ("1", "1", "4", "5.5"),
        ("1", "1", "0", "5"),
        ("1", "1", "5.5", "5"),
        ("1", "1", "-1", "5"),
        ("1", "1", "nan", "5"),
        ("1", "1", "4_5", "5"),
        ("1", "1", "0_4", "5"),
        ("nan", "1", "4", "5"),
        ("inf", "1", "4", "5"),
        ("1", "1", "4", "inf"),
        ("1e30", "1", "4", "5"),
        ("1e1", "1", "4", "5"),
        ("1_23", "1", "4", "5"),
        ("007", "1", "4", "5"),
        ("+7", "1", "4", "5"),
        ("1", "1", "4", "1.26E+09"),
        ("1", "1", "4", "-1"),
        ("1", "1", "4", "1000000000000"),
        (str(INT64_MAX + 1), "1", "4", "5"),
    ],
)
def test_a_number_out_of_order_is_not_valid(db, row):
    *_, valid = type_ratings(db, row)[0]
    assert valid is False


def test_rating_rows_of_a_csv_file(db, tmp_path):
    content = 'userId,movieId,rating,timestamp\n1,2,4.5,10\n\n"1","3","5","11"\nboom\n1,2,3,4,5\n'
    db.describe(raw_file("ratings", tmp_path / "ratings.csv", content))
    db.run("22_rating_rows_delimited")
    assert db.rows("SELECT line, width, user_id, movie_id, rating, timestamp FROM rating_rows ORDER BY line") == [
        (2, 4, "1", "2", "4.5", "10"),
        (4, 4, "1", "3", "5", "11"),
        (5, 1, "boom", None, None, None),
        (6, 5, "1", "2", "3", "4"),
    ]


def test_rating_rows_of_windows_files_have_no_carriage_return(db, tmp_path):
    content = "userId,movieId,rating,timestamp\r\n1,2,4.5,10\r\nboom\r\n"
    db.describe(raw_file("ratings", tmp_path / "ratings.csv", content))
    db.run("22_rating_rows_delimited")
    assert db.rows("SELECT line, text FROM rating_rows ORDER BY line") == [(2, "1,2,4.5,10"), (3, "boom")]


def test_line_ends_of_both_kinds_in_one_file(db, tmp_path):
    content = "userId,movieId,rating,timestamp\r\n1,2,4.5,10\n1,3,4.5,10\r\n\nboom\n"
    db.describe(raw_file("ratings", tmp_path / "ratings.csv", content))
    db.run("22_rating_rows_delimited")
    assert db.rows("SELECT line, text FROM rating_rows ORDER BY line") == [
        (2, "1,2,4.5,10"),
        (3, "1,3,4.5,10"),
        (5, "boom"),
    ]


def test_rating_rows_of_parquet(db, tmp_path):
    query = "SELECT * FROM (VALUES (1, 2, 4.5, 10), (NULL, 3, 5.0, 11)) AS t(userId, movieId, rating, timestamp)"
    db.set(ratings_file=parquet_file(db, "ratings", tmp_path / "ratings.parquet", query))
    db.run("22_rating_rows_parquet")
    assert db.rows("SELECT line, text, width, user_id, movie_id, rating, timestamp FROM rating_rows") == [
        (1, "1,2,4.5,10", 4, "1", "2", "4.5", "10"),
        (2, ",3,5.0,11", 4, None, "3", "5.0", "11"),
    ]


def judge_ratings(db: Database, *texts: str, user_offset: int = 0) -> None:
    """Run the slow step on lines of ratings.csv, beginning at line 2, with movies 1, 2 and 3."""
    db.set(ratings_file={"label": "ratings.csv", "width": 4}, user_offset=user_offset, max_rating=5.0)
    db.movies(1, 2, 3)
    rows = [
        (line, text, len(text.split(",")), *[*text.split(","), None, None, None][:4])
        for line, text in enumerate(texts, 2)
    ]
    db.table("rating_rows", RATING_ROW_COLUMNS, rows)
    db.run("23_judge_ratings")
    db.run("23_ratings_by_row")


@pytest.mark.parametrize(
    ("text", "rating"),
    [
        ("1,2,4.5,10", (1, 2, 4.5, 10)),
        ("1.0,2.0,4.50,10.0", (1, 2, 4.5, 10)),
        ("0,2,4e0,0.0", (0, 2, 4.0, 0)),
        ("-1,2,4.5,0", (-1, 2, 4.5, 0)),
        (f"{INT64_MAX},2,5,10", (INT64_MAX, 2, 5.0, 10)),
        (f"{INT64_MIN},2,5,10", (INT64_MIN, 2, 5.0, 10)),
        (f"{DOUBLE_EXACT + 1},2,5,10", (DOUBLE_EXACT + 1, 2, 5.0, 10)),
        ("1,2,0.1,253402300799", (1, 2, 0.1, 253402300799)),
    ],
)
def test_good_rows_are_kept(db, text, rating):
    judge_ratings(db, text)
    assert db.rows("FROM ratings") == [(*rating, True)]
    assert db.reasons() == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1,2,4.5", "missing field"),
        ("boom", "missing field"),
        ("1,2,4.5,10,11", "too many fields"),
        (",2,4.5,10", "empty userId"),
        ("x,2,4.5,10", "unparsable userId"),
        ("3.7,2,4.5,10", "unparsable userId"),
        ("1_23,2,4.5,10", "unparsable userId"),
        ("1e1,2,4.5,10", "unparsable userId"),
        ("007,2,4.5,10", "unparsable userId"),
        ("0x1F,2,4.5,10", "unparsable userId"),
        (f"{INT64_MAX + 1},2,4.5,10", "userId beyond int64"),
        (f"{INT64_MIN - 1},2,4.5,10", "userId beyond int64"),
        ("1,,4.5,10", "empty movieId"),
        ("1,x,4.5,10", "unparsable movieId"),
        ("1,2.5,4.5,10", "unparsable movieId"),
        (f"1,{INT64_MAX + 1},4.5,10", "movieId beyond int64"),
        ("1,2,,10", "empty rating"),
        ("1,2,good,10", "unparsable rating"),
        ("1,2,4_5,10", "unparsable rating"),
        ("1,2,nan,10", "unparsable rating"),
        ("1,2,0,10", "rating out of range"),
        ("1,2,-1,10", "rating out of range"),
        ("1,2,5.5,10", "rating out of range"),
        ("1,2,inf,10", "rating out of range"),
        ("1,2,4.5,", "empty timestamp"),
        ("1,2,4.5,yesterday", "unparsable timestamp"),
        ("1,2,4.5,1.26E+09", "unparsable timestamp"),
        ("1,2,4.5,10.5", "unparsable timestamp"),
        ("1,2,4.5,-1", "timestamp out of range"),
        ("1,2,4.5,1500000000000", "timestamp out of range"),
        (f"1,2,4.5,{INT64_MAX + 1}", "timestamp out of range"),
        ("1,9,4.5,10", "unknown movie"),
    ],
)
def test_bad_rows_are_rejected_with_the_reason(db, text, reason):
    judge_ratings(db, "1,1,4.5,10", text)
    assert db.rows("FROM ratings") == [(1, 1, 4.5, 10, True)]
    assert db.rows("SELECT file, line, text, reason FROM rejects") == [("ratings.csv", 3, text, reason)]


@pytest.mark.parametrize(("user_id", "offset"), [(INT64_MAX, 1), (INT64_MIN, -1), (2**62, 2**62)])
def test_a_user_id_that_the_offset_pushes_beyond_int64_is_rejected(db, user_id, offset):
    judge_ratings(db, f"{user_id},1,4.5,10", user_offset=offset)
    assert db.reasons() == ["userId beyond int64"]


NUMBER_TEXTS = (
    *(
        "1",
        "+1",
        " 1",
        "1 ",
        "\t1",
        "1.",
        ".5",
        "1e0",
        "1e-1",
        "0x1",
        "1_0",
        "١",
        "1 2",
        "--1",
        "",
        "NULL",
        "nan",
        "inf",
    ),
    *("'1'", '"1"', '"1', "1,", "1,1", ",", "1;", "1e400", "-0", "00001", "5.0", "5.01", "0", "-1", "253402300800"),
    *("2", "10", "1.0", "5.0", "1.00", "1_23", "1E1", "007", "1.26E+09"),
    *(str(DOUBLE_EXACT), str(DOUBLE_EXACT + 1), str(-DOUBLE_EXACT - 1), str(INT64_MAX), str(INT64_MAX + 1)),
)


@pytest.mark.parametrize("position", range(4), ids=CSV_COLUMNS["ratings"])
def test_the_quick_and_the_slow_way_judge_alike(db, tmp_path, position):
    """Whether a row counts must not depend on another row of the file being bad."""
    tag = 3 if position == 0 else 0  # a column that tells which row is which
    lines = []
    for number, text in enumerate(NUMBER_TEXTS, 1):
        fields = ["1", "1", "4", "5"]
        fields[tag] = str(number)
        fields[position] = text
        lines.append(",".join(fields))
    content = "\n".join(["userId,movieId,rating,timestamp", *lines])
    db.describe(raw_file("ratings", tmp_path / "ratings.csv", content))
    db.set(user_offset=0, max_rating=5.0)
    db.movies(1, 2, 5, 10, DOUBLE_EXACT, DOUBLE_EXACT + 1, INT64_MAX)

    db.run("20_rating_fields_delimited")
    db.run("21_ratings_typed")
    quick = {row[tag]: row for row in db.rows("FROM ratings SEMI JOIN movies USING (movie_id) WHERE valid")}
    db.connection.execute("DROP TABLE ratings")
    db.run("22_rating_rows_delimited")
    db.run("23_judge_ratings")
    db.run("23_ratings_by_row")
    slow = {row[tag]: row for row in db.rows("FROM ratings")}
    # What the quick way leaves is judged by the slow one alone.
    assert len(quick) > 5
    assert {number: slow.get(number) for number in quick} == quick


def load_ratings(db: Database, *ratings: tuple[int, int, float, int]) -> None:
    db.table("ratings", RATING_COLUMNS, [(*rating, True) for rating in ratings])


# -- swipes and forgotten users --------------------------------------------------------------------------------------


def judge_swipes(
    db: Database,
    swipes: Sequence[tuple[int, int, int, int, int]],
    *ratings: tuple[int, int, float, int],
    forgotten: Sequence[int] = (),
) -> list[tuple[Any, ...]]:
    """Run the step where movies 1 to 5 are known; user, movie and fate of each swipe."""
    db.set(preferences=PREFERENCES)
    db.movies(1, 2, 3, 4, 5)
    load_ratings(db, *ratings)
    db.table("swipes", SWIPE_COLUMNS, swipes)
    db.table("forgotten", "user_id BIGINT", [(user_id,) for user_id in forgotten])
    db.run("26_judge_swipes")
    return db.rows("SELECT user_id, movie_id, fate FROM judged_swipes ORDER BY user_id, movie_id")


@pytest.mark.parametrize("preference", [-2, -1, 0, 1, 2])
@pytest.mark.parametrize(
    ("rated_at", "stands"),
    [([], True), ([99], True), ([100], True), ([101], False), ([99, 100], True), ([99, 101], False)],
)
def test_a_swipe_stands_unless_a_rating_of_the_movie_is_later(db, preference, rated_at, stands):
    ratings = [(1, 2, 4.0, timestamp) for timestamp in rated_at]
    fates = judge_swipes(db, [(1, 2, preference, 100, 1)], *ratings, (1, 3, 4.0, 999), (2, 2, 4.0, 999))
    assert fates == [(1, 2, "outdated" if not stands else "merged" if preference else "skip")]
    assert db.reasons() == []


@pytest.mark.parametrize(
    ("swipe", "reason"),
    [
        ((1, 9, 1, 100, 7), "unknown movie"),
        ((1, 9, 0, 100, 7), "unknown movie"),
        ((1, 2, 1, -1, 7), "timestamp out of range"),
        ((1, 2, 1, 1_500_000_000_000, 7), "timestamp out of range"),
        ((1, 2, 3, 100, 7), "preference out of range"),
    ],
)
def test_a_swipe_that_cannot_be_used_is_rejected_by_its_event_id(db, swipe, reason):
    assert judge_swipes(db, [swipe, (2, 2, 1, 100, 1)]) == [(*swipe[:2], "rejected"), (2, 2, "merged")]
    assert db.rows("SELECT file, line, text, reason FROM rejects") == [
        ("swipe log", 7, ",".join(map(str, swipe[:4])), reason)
    ]


def test_swipes_of_forgotten_users_are_passed_over(db):
    swipes = [(1, 2, 1, 100, 1), (2, 2, 1, 100, 1), (2, 9, 1, 100, 2)]
    assert judge_swipes(db, swipes, forgotten=[2, 3]) == [(1, 2, "merged")]
    assert db.reasons() == []


def test_ratings_of_forgotten_users_go(db):
    load_ratings(db, (1, 1, 4.0, 1), (1, 2, 4.0, 1), (2, 1, 4.0, 1), (INT64_MAX, 1, 4.0, 1))
    db.table("forgotten", "user_id BIGINT", [(1,), (INT64_MAX,), (3,)])
    db.run("27_drop_forgotten")
    assert db.rows("FROM ratings") == [(2, 1, 4.0, 1, True)]
    assert db.rows("FROM gone ORDER BY user_id") == [(1,), (INT64_MAX,)]


def merge_swipes(
    db: Database,
    judged: Sequence[tuple[int, int, int, int, str]],
    *ratings: tuple[int, int, float, int],
    cut_points: Sequence[float] = (2.5, 3.5, 4.5),
    max_rating: float = 5.0,
) -> list[tuple[Any, ...]]:
    """Run the step on rows of (user, movie, preference, timestamp, fate); the ratings that are left."""
    db.set(preferences=PREFERENCES, cut_points=list(cut_points), max_rating=max_rating)
    load_ratings(db, *ratings)
    db.table("judged_swipes", JUDGED_COLUMNS, [(*row, 1, None, fate) for *row, fate in judged])
    db.run("28_merge_swipes")
    return db.rows("SELECT user_id, movie_id, rating, timestamp FROM ratings ORDER BY ALL")


def test_a_swipe_takes_the_place_of_all_ratings_of_its_movie(db):
    others = [(1, 3, 4.0, 10), (2, 2, 4.0, 10)]
    merged = merge_swipes(db, [(1, 2, -2, 20, "merged")], (1, 2, 5.0, 10), (1, 2, 4.0, 20), *others)
    assert merged == [(1, 2, 2.5, 20), *others]


def test_a_skip_takes_ratings_away_and_adds_none(db):
    assert merge_swipes(db, [(1, 2, 0, 20, "skip"), (1, 4, 0, 20, "skip")], (1, 2, 5.0, 10), (1, 3, 4.0, 10)) == [
        (1, 3, 4.0, 10)
    ]


@pytest.mark.parametrize("fate", ["outdated", "rejected"])
def test_other_swipes_change_nothing(db, fate):
    swipes = [(1, 2, 1, 20, fate), (1, 3, 0, 20, fate), (1, 9, 1, 20, fate)]
    assert merge_swipes(db, swipes, (1, 2, 5.0, 30), (1, 3, 4.0, 30)) == [(1, 2, 5.0, 30), (1, 3, 4.0, 30)]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.floats(1e-6, 1e6), min_size=4, max_size=4, unique=True))
def test_whatever_the_cut_points_bucketing_gives_back_the_preference_of_a_swipe(server, bounds):
    *cut_points, max_rating = sorted(bounds)
    database = Database(server)
    swipes = [(1, movie_id, preference, 20, "merged") for movie_id, preference in enumerate(PREFERENCES)]
    merge_swipes(database, swipes, cut_points=cut_points, max_rating=max_rating)
    database.run("24_tally")
    database.run("50_preferences")
    database.run("51_events")
    assert [preference for _, _, preference, *_ in database.rows("FROM events")] == PREFERENCES


# -- duplicates and core ---------------------------------------------------------------------------------------------


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
    ("pairs", "disorder"),
    [
        ([(1, 1), (1, 2), (2, 1), (2, 2)], False),
        ([(-5, 9), (INT64_MAX, -3)], False),
        ([(1, 1)], False),
        ([], False),
        ([(1, 1), (1, 1)], True),
        ([(1, 2), (1, 1)], True),
        ([(2, 1), (1, 2)], True),
        ([(1, 1), (2, 1), (1, 1)], True),
    ],
)
def test_only_strictly_ascending_pairs_need_no_look_for_duplicates(db, pairs, disorder):
    load_ratings(db, *((user_id, movie_id, 4.0, 0) for user_id, movie_id in pairs))
    db.run("25_disorder")
    assert bool(db.rows("FROM disorder")) == disorder


def test_before_the_core_filter_everybody_is_in(db):
    load_ratings(db, *((user_id, movie_id, 4.0, 0) for user_id, movie_id in CHAIN))
    db.run("24_tally")
    assert db.rows("SELECT user_id, n FROM core_users ORDER BY user_id") == [(1, 2), (2, 2), (3, 2), (4, 1)]
    assert db.rows("SELECT movie_id, n FROM core_movies ORDER BY movie_id") == [(1, 2), (2, 3), (3, 2)]


def test_one_round_drops_movies_and_then_users(db):
    db.set(min_movie_ratings=2, min_user_ratings=2)
    load_ratings(db, *((user_id, movie_id, 4.0, 0) for user_id, movie_id in CHAIN))
    db.run("24_tally")
    assert core_round(db) == ([(1, 2), (2, 3), (3, 1)], [(1, 2), (2, 2), (3, 2)])
    assert core_round(db) == ([(1, 2), (2, 2)], [(1, 2), (2, 2)])
    assert core_round(db) == ([(1, 2), (2, 2)], [(1, 2), (2, 2)])


def test_thresholds_of_one_keep_everything(db):
    db.set(min_movie_ratings=1, min_user_ratings=1)
    load_ratings(db, (1, 1, 4.0, 0), (2, 2, 4.0, 0))
    db.run("24_tally")
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
    database.run("24_tally")
    before = None
    while before != (now := core_round(database)):
        before = now
    assert now == (
        sorted(Counter(movie_id for _, movie_id in left).items()),
        sorted(Counter(user_id for user_id, _ in left).items()),
    )


# -- events ----------------------------------------------------------------------------------------------------------


def sort_events(
    db: Database, *ratings: tuple[int, int, float, int], cut_points: Sequence[float] = (2.5, 3.5, 4.5)
) -> list[tuple[Any, ...]]:
    """Run the step with everybody in the core."""
    db.set(cut_points=list(cut_points), preferences=PREFERENCES)
    load_ratings(db, *ratings)
    db.run("24_tally")
    db.run("50_preferences")
    db.run("51_events")
    return db.rows("FROM events")


@pytest.mark.parametrize(
    ("rating", "preference"),
    [
        (0.1, -2),
        (0.5, -2),
        (2.5, -2),
        (2.51, -1),
        (3.0, -1),
        (3.5, -1),
        (3.51, 1),
        (4.0, 1),
        (4.5, 1),
        (4.51, 2),
        (5.0, 2),
    ],
)
def test_a_rating_equal_to_a_cut_point_belongs_to_the_lower_bucket(db, rating, preference):
    assert sort_events(db, (1, 1, rating, 0)) == [(1, 1, preference, 0, 1, 0)]


def test_cut_points_are_a_setting(db):
    events = sort_events(db, *((1, movie, float(movie), 0) for movie in range(1, 6)), cut_points=(1, 2, 4))
    assert [preference for _, _, preference, *_ in events] == [-2, -1, 1, 1, 2]


def test_what_buckets_mean_is_a_variable(db):
    db.set(cut_points=[1.0, 2.0, 3.0], preferences=[7, -7, 5, -5])
    load_ratings(db, *((1, movie_id, float(movie_id), 0) for movie_id in (1, 2, 3, 4)))
    db.run("24_tally")
    db.run("50_preferences")
    db.run("51_events")
    assert [preference for _, _, preference, *_ in db.rows("FROM events")] == [7, -7, 5, -5]


def test_events_are_in_the_order_of_user_time_and_movie(db):
    events = sort_events(db, (2, 1, 4, 5), (1, 9, 4, 7), (1, 3, 4, 7), (1, 5, 4, 6), (-1, 2, 4, 99))
    assert [(user_id, movie_id, timestamp) for user_id, movie_id, _, timestamp, *_ in events] == [
        (-1, 2, 99),
        (1, 5, 6),
        (1, 3, 7),
        (1, 9, 7),
        (2, 1, 5),
    ]


def test_an_event_knows_the_length_of_its_users_history_and_its_place_there(db):
    sort_events(db, (7, 1, 4, 1), (3, 1, 4, 1), (7, 2, 4, 2), (5, 1, 4, 1), (7, 3, 4, 3))
    assert db.rows("SELECT user_id, timestamp, n, position FROM events") == [
        (3, 1, 1, 0),
        (5, 1, 1, 0),
        (7, 1, 3, 0),
        (7, 2, 3, 1),
        (7, 3, 3, 2),
    ]


def test_ratings_outside_the_core_are_not_events(db):
    db.set(cut_points=[2.5, 3.5, 4.5], preferences=PREFERENCES)
    load_ratings(db, (1, 1, 4, 1), (1, 2, 4, 1), (2, 1, 4, 1), (2, 2, 4, 1))
    db.table("core_users", "user_id BIGINT, n BIGINT", [(1, 1)])
    db.table("core_movies", "movie_id BIGINT, n BIGINT", [(2, 1)])
    db.run("50_preferences")
    db.run("51_events")
    assert db.rows("FROM events") == [(1, 2, 1, 1, 1, 0)]


# -- splits ----------------------------------------------------------------------------------------------------------

RATIOS = [(8, 1, 1), (7, 2, 1), (1, 1, 1), (3, 0, 1), (1, 0, 0)]


def split_users(db: Database, lengths: Sequence[int], ratio: tuple[int, int, int]) -> list[list[str]]:
    """Run the step for users with so many events each; the split of every event, user by user."""
    rows = [(user_id, event, 1, event, n, event) for user_id, n in enumerate(lengths) for event in range(n)]
    db.set(split_ratio=list(ratio))
    db.table("events", EVENT_COLUMNS, rows)
    db.run("61_split_user_time")
    splits: list[list[str]] = [[] for _ in lengths]
    for user_id, split in db.rows("SELECT user_id, split FROM split_events"):
        splits[user_id].append(split)
    return splits


@pytest.mark.parametrize(
    ("n", "train", "val", "test"),
    [
        (1, 1, 0, 0),
        (2, 2, 0, 0),
        (3, 2, 0, 1),
        (9, 7, 0, 2),
        (10, 8, 1, 1),
        (11, 8, 1, 2),
        (19, 15, 1, 3),
        (20, 16, 2, 2),
    ],
)
def test_splits_worked_out_by_hand(db, n, train, val, test):
    assert split_users(db, [n], (8, 1, 1)) == [["train"] * train + ["val"] * val + ["test"] * test]


@pytest.mark.parametrize("ratio", RATIOS)
def test_splits_of_1_to_30_events_in_integer_arithmetic(db, ratio):
    lengths = list(range(1, 31))
    expected = []
    for n in lengths:
        train, val = n * ratio[0] // sum(ratio), n * ratio[1] // sum(ratio)
        if n < 3:
            train, val = n, 0
        expected.append(["train"] * train + ["val"] * val + ["test"] * (n - train - val))
    assert split_users(db, lengths, ratio) == expected


def test_a_ratio_in_large_numbers_is_the_same_ratio(db):
    lengths = [3, 10, 30]
    large = split_users(db, lengths, (800_000_000, 100_000_000, 100_000_000))
    assert large == split_users(db, lengths, (8, 1, 1))


def deal_events(db: Database, seed: int, *ratings: tuple[int, int, float, int]) -> list[tuple[Any, ...]]:
    """Run the step with everybody in the core; user, movie, time and place of each event."""
    db.set(cut_points=[2.5, 3.5, 4.5], preferences=PREFERENCES, random_seed=seed)
    load_ratings(db, *ratings)
    db.run("24_tally")
    db.run("50_preferences")
    db.run("51_dealt_events")
    return db.rows("SELECT user_id, movie_id, timestamp, position FROM events")


@settings(max_examples=15, deadline=None)
@given(
    st.sets(st.tuples(st.integers(-2, 3), st.integers(1, 9)), min_size=1),
    st.lists(st.integers(0, 2), min_size=60, max_size=60),
    st.integers(0, 2**32 - 1),
)
def test_dealt_events_keep_their_order_and_get_places_by_time_and_hash(server, pairs, times, seed):
    rows = [(user_id, movie_id, 4.0, at) for (user_id, movie_id), at in zip(sorted(pairs), times, strict=False)]
    events = deal_events(Database(server), seed, *rows)

    def dealt(row: tuple[int, int, float, int]) -> tuple[Any, ...]:
        user_id, movie_id, _, at = row
        return user_id, at, hashlib.md5(f"{seed}:{user_id}:{movie_id}".encode()).hexdigest()

    place: Counter[int] = Counter()
    expected = []
    for user_id, movie_id, _, at in sorted(rows, key=dealt):
        expected.append((user_id, movie_id, at, place[user_id]))
        place[user_id] += 1
    assert events == sorted(expected, key=lambda event: (event[0], event[2], event[1]))


def count_ties(db: Database, *splits: str) -> tuple[Any, ...]:
    """Run the step on users whose histories are spelled as time and part of each event: "1a 2a 2v 3t"."""
    parts = {"a": "train", "v": "val", "t": "test"}
    rows = [
        (user_id, movie_id, 1, int(event[:-1]), parts[event[-1]])
        for user_id, history in enumerate(splits)
        for movie_id, event in enumerate(history.split())
    ]
    db.table("split_events", SPLIT_COLUMNS, rows)
    # Of ten events the eighth is the last to learn from: that is how the step finds it, whatever else there is.
    last_learned = {user_id: movie_id for user_id, movie_id, _, _, split in rows if split == "train"}
    events = [(*row[:4], 10, 7 if last_learned.get(row[0]) == row[1] else 0) for row in rows]
    db.set(split_ratio=[8, 1, 1])
    db.table("events", EVENT_COLUMNS, events)
    db.run("62_ties")
    return db.rows("FROM ties")[0]


@pytest.mark.parametrize(
    ("history", "cut", "mostly"),
    [
        ("1a 2a 3v 4t", 0, 0),
        ("1a 2a 2v 4t", 1, 1),
        ("1a 2a 2v 3t 4t", 1, 0),
        ("1a 2a 2v 2t 3t 4t", 1, 1),
        ("1a 2a 3v 3t", 1, 0),
        ("1a 1a 2t 2t", 0, 0),
        ("1a 2a 2t 3t", 1, 1),
        ("1v 1t", 1, 0),
        ("7a 7a 7a", 0, 0),
    ],
)
def test_ties_at_the_cuts_worked_out_by_hand(db, history, cut, mostly):
    users = 0 if history == "7a 7a 7a" else 1
    assert count_ties(db, history) == (users, cut, mostly)
    assert count_ties(db, history, "1a 2v 3t", history, "1a 1a") == (2 * users + 1, 2 * cut, 2 * mostly)


def split_globally(
    db: Database, timestamps: Sequence[int], ratio: tuple[int, int, int] = (8, 1, 1)
) -> tuple[tuple[Any, ...], list[str]]:
    """Run the step for one event a timestamp; the two moments, and the split of every event."""
    db.set(split_ratio=list(ratio))
    db.table("events", EVENT_COLUMNS, [(1, i, 1, timestamp, 0, 0) for i, timestamp in enumerate(timestamps)])
    db.run("60_moments")
    db.run("61_split_global_time")
    moments = db.rows("SELECT val_from, test_from FROM moments")[0]
    return moments, [split for (split,) in db.rows("SELECT split FROM split_events ORDER BY movie_id")]


@pytest.mark.parametrize(
    ("timestamps", "moments", "counts"),
    [
        # Of ten events the ninth (position 8) begins validation, the tenth test.
        (range(100, 110), (108, 109), (8, 1, 1)),
        # Position 8 lies within the tie at 5: both of its events validate.
        ([1, 1, 2, 2, 2, 2, 2, 5, 5, 9], (5, 9), (7, 2, 1)),
        # Both positions lie within one tie: nothing is left to validate.
        ([1] * 5 + [2] * 5, (2, 2), (5, 0, 5)),
        # Everything at once: no event lies before the moment.
        ([7] * 10, (7, 7), (0, 0, 10)),
        # ⌊9·8/10⌋ = 7 and ⌊9/10⌋ = 0: the moments coincide.
        (range(9), (7, 7), (7, 0, 2)),
        ([4], (4, 4), (0, 0, 1)),
    ],
)
def test_moments_worked_out_by_hand(db, timestamps, moments, counts):
    found, splits = split_globally(db, list(timestamps))
    assert found == moments
    assert tuple(splits.count(name) for name in ("train", "val", "test")) == counts


def test_without_a_test_share_nothing_comes_after_the_second_moment(db):
    moments, splits = split_globally(db, range(10), (8, 2, 0))
    assert moments == (8, None)
    assert splits == ["train"] * 8 + ["val"] * 2


@pytest.mark.parametrize("ratio", RATIOS)
def test_moments_with_ties_against_a_sorted_list(db, ratio):
    chance = random.Random(20)
    for n in (1, 2, 3, 5, 9, 10, 11, 20, 29, 30):
        timestamps = [chance.randrange(1, 12) for _ in range(n)]
        ordered = [*sorted(timestamps), None, None]
        val_position = n * ratio[0] // sum(ratio)
        val_from, test_from = ordered[val_position], ordered[min(val_position + n * ratio[1] // sum(ratio), n)]
        expected = [
            "test"
            if test_from is not None and timestamp >= test_from
            else "val"
            if val_from is not None and timestamp >= val_from
            else "train"
            for timestamp in timestamps
        ]
        assert split_globally(db, timestamps, ratio) == ((val_from, test_from), expected)
        db.connection.execute("DROP VIEW split_events; DROP TABLE moments")


# -- writing ---------------------------------------------------------------------------------------------------------


def test_a_split_is_written_alone_in_the_order_of_the_events(db, tmp_path):
    events = [(1, 5, -2, 10, "train"), (1, 4, 2, 11, "val"), (2, 9, 1, 1, "train"), (2, 3, -1, 2, "train")]
    db.table("split_events", SPLIT_COLUMNS, events)
    path = str(tmp_path / "train.parquet")
    db.run("70_write_split", split="train", path=path)
    assert db.rows("FROM read_parquet(?)", path) == [(1, 5, -2, 10), (2, 9, 1, 1), (2, 3, -1, 2)]
    assert [(name, kind) for name, kind, *_ in db.rows("DESCRIBE FROM read_parquet(?)", path)] == [
        ("user_id", "BIGINT"),
        ("movie_id", "BIGINT"),
        ("preference", "TINYINT"),
        ("timestamp", "BIGINT"),
    ]


def test_a_split_without_events_is_a_file_without_rows(db, tmp_path):
    db.table("split_events", SPLIT_COLUMNS, [])
    db.run("70_write_split", split="val", path=str(tmp_path / "val.parquet"))
    assert db.rows("FROM read_parquet(?)", str(tmp_path / "val.parquet")) == []


def test_the_whole_catalogue_is_written_with_the_ratings_within_the_core(db, tmp_path):
    db.connection.execute("INSERT INTO movies VALUES (7, 'B', NULL, [], NULL, NULL)")
    db.connection.execute("INSERT INTO movies VALUES (3, 'Amélie', 2001, ['Comedy', 'Drama'], 'tt0211915', 194)")
    db.table("core_movies", "movie_id BIGINT, n BIGINT", [(3, 12)])
    path = str(tmp_path / "movies.parquet")
    db.run("71_write_movies", path=path)
    assert db.rows("SELECT movie_id, title, year, genres, imdb_id, tmdb_id, n_ratings FROM read_parquet(?)", path) == [
        (3, "Amélie", 2001, ["Comedy", "Drama"], "tt0211915", 194, 12),
        (7, "B", None, [], None, None, 0),
    ]


def test_rejects_are_written_so_that_a_csv_reader_gets_the_raw_text_back(db, tmp_path):
    rejects = [
        ("ratings.csv", 12, 'say "a, b",2', "missing field"),
        ("ratings.csv", 3, "", "empty userId"),
        ("movies.csv", 200, "é|x", "unparsable movieId"),
        ("swipe log", 1, "9,7,2,5", "unknown movie"),
        ("swipe log", 1, "8,7,2,5", "unknown movie"),
    ]
    db.table("rejects", "file VARCHAR, line BIGINT, text VARCHAR, reason VARCHAR", rejects)
    db.run("72_write_rejects", path=str(tmp_path / "rejects.csv"))
    with (tmp_path / "rejects.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [
            ["file", "line", "text", "reason"],
            ["movies.csv", "200", "é|x", "unparsable movieId"],
            ["ratings.csv", "3", "", "empty userId"],
            ["ratings.csv", "12", 'say "a, b",2', "missing field"],
            ["swipe log", "1", "8,7,2,5", "unknown movie"],
            ["swipe log", "1", "9,7,2,5", "unknown movie"],
        ]


def test_no_rejects_are_a_header_alone(db, tmp_path):
    db.run("72_write_rejects", path=str(tmp_path / "rejects.csv"))
    assert (tmp_path / "rejects.csv").read_text() == "file,line,text,reason\n"
