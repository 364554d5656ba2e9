"""The steps that read and check ratings, each alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlrec.dataset.sources import CSV_COLUMNS
from mlrec.dataset.text_files import survey
from mlrec.errors import InputError
from tests.unit.sql.steps import DOUBLE_EXACT, INT64_MAX, INT64_MIN, Database, parquet_file, raw_file

RATING_ROW_COLUMNS = (
    "line BIGINT, text VARCHAR, width BIGINT, user_id VARCHAR, movie_id VARCHAR, rating VARCHAR, timestamp VARCHAR"
)

IS_GOOD = "is_good(user_id, movie_id, rating, timestamp)"


def test_rating_fields_of_a_csv_file(db, tmp_path):
    content = "timestamp,note,rating,movieId,userId\n10,ok,4.5,2,1\n\n11,fine,3,3,1\n"
    columns = ("timestamp", "note", "rating", "movie_id", "user_id")
    db.set_file(raw_file("ratings", tmp_path / "ratings.csv", content, columns=columns))
    db.run("20_rating_fields_delimited")
    assert db.rows("FROM rating_fields ORDER BY timestamp") == [("1", "2", "4.5", "10"), ("1", "3", "3", "11")]
    assert db.value("SELECT count(*) FROM reject_errors") == 0


@pytest.mark.parametrize(("name", "delimiter"), [("ratings.dat", "::"), ("u.data", "\t")])
def test_rating_fields_of_the_early_editions(db, tmp_path, name, delimiter):
    content = "".join(delimiter.join(row) + "\n" for row in (["1", "2", "4", "10"], ["1", "3", "5", "11"]))
    db.set_file(raw_file("ratings", tmp_path / name, content, delimiter=delimiter))
    db.run("20_rating_fields_delimited")
    assert db.rows("FROM rating_fields ORDER BY timestamp") == [("1", "2", "4", "10"), ("1", "3", "5", "11")]


@pytest.mark.parametrize("bad", ["1,1,4", "1,1,4,5,6"])
def test_rating_fields_tell_that_a_row_cannot_be_cut(db, tmp_path, bad):
    content = f"userId,movieId,rating,timestamp\n1,1,4,5\n{bad}\n"
    db.set_file(raw_file("ratings", tmp_path / "ratings.csv", content))
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


def read_numbers(db: Database, path: Path, *rows: str, user_offset: int = 0) -> bool:
    """Read a file of numbers, and say whether it has as many characters as its numbers."""
    file = raw_file("ratings", path, "".join(f"{row}\n" for row in ("userId,movieId,rating,timestamp", *rows)))
    db.set_file(file)
    db.set(user_offset=user_offset)
    db.run("20_rating_numbers_delimited")
    db.run("21_ratings_numbers")
    db.run("25_tally")
    db.run("21_length_of_numbers")
    n_separators = 3 * len(rows)
    is_usual = db.value("SELECT length FROM length_of_numbers") == survey(path, "", 1).row_bytes - n_separators
    return is_usual and not db.value("SELECT count(*) FROM reject_errors")


def test_numbers_in_their_usual_form(db, tmp_path):
    rows = ("1,2,4.5,10", "-7,30,4.50,999999999", "0,2,.5,9999999999", "123456789012,2,5,253402300800")
    assert read_numbers(db, tmp_path / "ratings.csv", *rows, user_offset=100)
    assert db.rows(f"SELECT user_id, movie_id, rating, timestamp, {IS_GOOD} FROM ratings ORDER BY timestamp") == [
        (101, 2, 4.5, 10, True),
        (93, 30, 4.5, 999999999, True),
        (100, 2, 0.5, 9999999999, True),
        (123456789112, 2, 5.0, 253402300800, False),  # after the year 9999
    ]


NARROW_TYPES = "typeof(user_id), typeof(movie_id), typeof(timestamp)"


def test_numbers_of_32_bits(db, tmp_path):
    rows = (f"{-(2**31) - 100},{2**31 - 1},4.5,{2**32 - 1}", f"{2**31 - 101},{-(2**31)},.5,0")
    read_numbers(db, tmp_path / "ratings.csv", *rows, user_offset=100)
    wide = db.rows("FROM ratings ORDER BY timestamp")
    db.run("21_ratings_narrow")
    assert db.rows("FROM ratings ORDER BY timestamp") == wide
    assert db.rows(f"SELECT DISTINCT {NARROW_TYPES} FROM ratings") == [("INTEGER", "INTEGER", "UINTEGER")]
    db.run("29_widen")
    assert db.rows("FROM ratings ORDER BY timestamp") == wide
    assert db.rows(f"SELECT DISTINCT {NARROW_TYPES} FROM ratings") == [("BIGINT",) * 3]


@pytest.mark.parametrize("row", [f"{2**31},1,4,5", f"1,{-(2**31) - 1},4,5", f"1,1,4,{2**32}", "1,1,4,-1"])
def test_larger_numbers_end_the_reading_instead_of_being_rejected_one_by_one(db, tmp_path, row):
    read_numbers(db, tmp_path / "ratings.csv", row, row)
    with pytest.raises(InputError):
        db.run("21_ratings_narrow")
    assert db.value("SELECT count(*) FROM reject_errors") == 0


@pytest.mark.parametrize(
    "odd", ["007", "+7", "7.0", "7.", "6.9", " 7", "7 ", "0b11", "1_000", "-0", "99999999999999999999", "x"]
)
@pytest.mark.parametrize("place", [0, 1, 3])
def test_numbers_in_another_form_change_the_length(db, tmp_path, odd, place):
    fields = ["1", "2", "4.5", "10"]
    fields[place] = odd
    assert not read_numbers(db, tmp_path / "ratings.csv", "1,2,4.5,10", ",".join(fields), "12,345,5,6789")


@pytest.mark.parametrize("odd", ["1e2", "1E5", "0xFFFFFFFFFF", "1,2"])
def test_shorter_forms_have_a_letter_or_do_not_fit(db, tmp_path, odd):
    read_numbers(db, tmp_path / "ratings.csv", f"1,2,4.5,{odd}")
    assert survey(tmp_path / "ratings.csv", "", 1).has_letters or db.value("SELECT count(*) FROM reject_errors")


@pytest.mark.parametrize("row", ["1,2,,10", "1,2,nan,10", ",2,4,10", "1,,4,10", "1,2,4,", "1,2,4,-1"])
def test_numbers_that_cannot_be_used(db, tmp_path, row):
    read_numbers(db, tmp_path / "ratings.csv", row)
    assert db.value(f"SELECT count(*) FROM ratings WHERE {IS_GOOD}") == 0


def test_an_underscore_in_a_rating_counts_as_a_letter(db, tmp_path):
    read_numbers(db, tmp_path / "ratings.csv", "1,2,4_5,10")
    assert survey(tmp_path / "ratings.csv", "", 1).has_letters


def type_ratings(db: Database, *rows: tuple[str | None, ...], user_offset: int = 0) -> list[tuple[Any, ...]]:
    """Run the quick step on fields, with movies 1, 2 and 3."""
    db.set(user_offset=user_offset)
    db.movies(1, 2, 3)
    db.table("rating_fields", "user_id VARCHAR, movie_id VARCHAR, rating VARCHAR, timestamp VARCHAR", rows)
    db.run("21_ratings_typed")
    return db.rows(f"SELECT *, {IS_GOOD} FROM ratings")


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
    db.set_file(raw_file("ratings", tmp_path / "ratings.csv", content))
    db.run("22_rating_rows_delimited")
    assert db.rows("SELECT line, width, user_id, movie_id, rating, timestamp FROM split_rows ORDER BY line") == [
        (2, 4, "1", "2", "4.5", "10"),
        (4, 4, "1", "3", "5", "11"),
        (5, 1, "boom", None, None, None),
        (6, 5, "1", "2", "3", "4"),
    ]


def test_rating_rows_of_windows_files_have_no_carriage_return(db, tmp_path):
    content = "userId,movieId,rating,timestamp\r\n1,2,4.5,10\r\nboom\r\n"
    db.set_file(raw_file("ratings", tmp_path / "ratings.csv", content))
    db.run("22_rating_rows_delimited")
    assert db.rows("SELECT line, text FROM split_rows ORDER BY line") == [(2, "1,2,4.5,10"), (3, "boom")]


def test_line_ends_of_both_kinds_in_one_file(db, tmp_path):
    content = "userId,movieId,rating,timestamp\r\n1,2,4.5,10\n1,3,4.5,10\r\n\nboom\n"
    db.set_file(raw_file("ratings", tmp_path / "ratings.csv", content))
    db.run("22_rating_rows_delimited")
    assert db.rows("SELECT line, text FROM split_rows ORDER BY line") == [
        (2, "1,2,4.5,10"),
        (3, "1,3,4.5,10"),
        (5, "boom"),
    ]


def test_rating_rows_of_parquet(db, tmp_path):
    query = "SELECT * FROM (VALUES (1, 2, 4.5, 10), (NULL, 3, 5.0, 11)) AS t(userId, movieId, rating, timestamp)"
    db.set(ratings_file=parquet_file(db, "ratings", tmp_path / "ratings.parquet", query))
    db.run("22_rating_rows_parquet")
    assert db.rows("SELECT line, text, width, user_id, movie_id, rating, timestamp FROM split_rows") == [
        (1, "1,2,4.5,10", 4, "1", "2", "4.5", "10"),
        (2, ",3,5.0,11", 4, None, "3", "5.0", "11"),
    ]


def judge_ratings(db: Database, *texts: str, user_offset: int = 0) -> None:
    """Run the slow step on lines of ratings.csv, beginning at line 2, with movies 1, 2 and 3."""
    db.set(ratings_file={"label": "ratings.csv", "width": 4}, user_offset=user_offset)
    db.movies(1, 2, 3)
    rows = [
        (line, text, len(text.split(",")), *[*text.split(","), None, None, None][:4])
        for line, text in enumerate(texts, 2)
    ]
    db.table("rating_rows", RATING_ROW_COLUMNS, rows)
    db.run("23_judge_ratings")
    db.run("24_ratings_by_row")


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
    assert db.rows("FROM ratings") == [rating]
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
    assert db.rows("FROM ratings") == [(1, 1, 4.5, 10)]
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
    db.set_file(raw_file("ratings", tmp_path / "ratings.csv", content))
    db.set(user_offset=0)
    db.movies(1, 2, 5, 10, DOUBLE_EXACT, DOUBLE_EXACT + 1, INT64_MAX)

    db.run("20_rating_fields_delimited")
    db.run("21_ratings_typed")
    quick = {
        row[tag]: row
        for row in db.rows(f"FROM ratings SEMI JOIN movies USING (movie_id) WHERE {IS_GOOD} AND is_on_scale(rating)")
    }
    db.connection.execute("DROP TABLE ratings")
    db.run("22_rating_rows_delimited")
    db.connection.execute("CREATE TEMP TABLE rating_rows AS FROM split_rows")
    db.run("23_judge_ratings")
    db.run("24_ratings_by_row")
    slow = {row[tag]: row for row in db.rows("FROM ratings")}
    # What the quick way leaves is judged by the slow one alone.
    assert len(quick) > 5
    assert {number: slow.get(number) for number in quick} == quick
