"""Steps for ids that are texts, other clocks, other scales, and interactions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from mlrec.dataset.forms import TICKS_PER_SECOND, Clock
from mlrec.dataset.scales import Scale
from mlrec.dataset.sources import RawFile
from tests.unit.sql.steps import RATING_COLUMNS

TEXT_COLUMNS = "user_id VARCHAR, movie_id VARCHAR, rating DOUBLE, timestamp BIGINT"
FIELDS = "user_id VARCHAR, movie_id VARCHAR, rating VARCHAR, timestamp VARCHAR"
DAY = 1 << 40


def seconds(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=UTC).timestamp())  # type: ignore[misc,arg-type]


@pytest.mark.parametrize("text", ["7", " 7", "1_23", "0x1F", "1e3", "007", "é" * 100, "a\nb"])
def test_a_text_id_is_taken_as_it_is(db, text):
    db.run("01_users_text")
    db.run("02_movies_text")
    assert db.rows("SELECT user_key(?), user_fault(?), movie_key(?), movie_fault(?)", *[text] * 4) == [
        (text, None, text, None)
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "empty {}"),
        (None, "empty {}"),
        ("é" * 100 + "x", "{} longer than 200 bytes"),
        ("a\0b", "NUL character in {}"),
    ],
)
def test_a_text_that_is_no_id(db, text, fault):
    db.run("01_users_text")
    db.run("02_movies_text")
    assert db.rows("SELECT user_key(?), user_fault(?), movie_key(?), movie_fault(?)", *[text] * 4) == [
        (None, fault.format("userId"), None, fault.format("movieId"))
    ]


def test_a_prefix_goes_before_users_and_counts_for_their_length(db):
    db.set(user_prefix="ml-")
    db.run("01_users_text")
    assert db.rows("SELECT user_key('7'), user_key(''), user_key(?)", "x" * 198) == [("ml-7", None, None)]
    assert db.value("SELECT user_fault(?)", "x" * 198) == "userId longer than 200 bytes"


def test_integer_ids_are_numbers(db):
    db.set(user_offset=100)
    db.run("01_users_integer")
    db.run("02_movies_integer")
    assert db.rows("SELECT user_key('7'), user_fault('x7'), movie_key('7.0'), movie_fault('007')") == [
        (107, "unparsable userId", 7, "unparsable movieId")
    ]
    assert db.value("SELECT user_fault('9223372036854775800')") == "userId beyond int64"


@pytest.mark.parametrize(
    ("field", "form"),
    [
        ("", "empty"), (None, "empty"),
        ("978300760", "s"), ("0", "s"), ("99999999999", "s"),
        ("978300760000", "ms"), ("978300760000123", "us"), ("978300760000123456", "ns"),
        ("978300760.25", "fraction"), ("9.78300760e8", "fraction"), ("9.7830076025E+08", "fraction"),
        ("1.2e9", "other"), ("1.26E+09", "other"), ("007", "other"), ("+7", "other"),
        ("1_000", "other"), ("1e9", "other"),
        ("2016-02-29", "date"), ("2015-02-29", "other"),
        ("2016-02-29 12:00", "moment"), ("2016-02-29T12:00:01.5Z", "moment"), ("2016-02-29T12:00:01+0200", "moment"),
        ("2016-02-29 12:00:01,123456789 +02:00", "moment"), ("2016-02-29T25:00", "other"), ("4/18/2026", "other"),
        ("infinity", "other"), ("epoch", "other"), ("20160229", "ymd"), ("20150229", "s"),
        ("20160229.0", "ymd"), ("21000101", "s"),
    ],
)  # fmt: skip
def test_the_form_of_a_time(db, field, form):
    assert db.value("SELECT time_form(?)", field) == form


@pytest.mark.parametrize(
    ("clock", "field", "ticks", "whole"),
    [
        ("s", "978300760", 978300760, 978300760),
        ("ms", "978300760999", 978300760999, 978300760),
        ("us", "978300760999999", 978300760999999, 978300760),
        ("ns", "978300760999999999", 978300760999999999, 978300760),
        ("fraction", "978300760", 978300760000000, 978300760),
        ("fraction", "978300760.9999999", 978300760999999, 978300760),
        ("fraction", "9.78300760e8", 978300760000000, 978300760),
        ("fraction", "9.783e8", None, None),
        ("iso", "2016-02-29T12:00:00Z", seconds(2016, 2, 29, 12) * 10**6, seconds(2016, 2, 29, 12)),
        ("iso", "2016-02-29 12:00:00.25+02", seconds(2016, 2, 29, 10) * 10**6 + 250000, seconds(2016, 2, 29, 10)),
        ("iso", "2016-02-29", seconds(2016, 2, 29) * 10**6, seconds(2016, 2, 29)),
        ("date", "2016-02-29", 16860 * DAY, seconds(2016, 2, 29)),
        ("date", "2016-02-29T01:00", None, None),
        ("format", "29.02.2016 12:00", seconds(2016, 2, 29, 12) * 10**6, seconds(2016, 2, 29, 12)),
        ("date-format", "29.02.2016 23:59", 16860 * DAY, seconds(2016, 2, 29)),
        ("file", "whatever", 0, 0),
    ],
)
def test_times_on_every_clock(db, clock: Clock, field, ticks, whole):
    db.set(clock=clock, ticks_per_second=TICKS_PER_SECOND.get(clock, 1), time_format="%d.%m.%Y %H:%M", timezone="UTC")
    db.connection.execute("SET TimeZone = 'UTC'")
    assert db.rows("SELECT ticks_of(?), seconds_of(ticks_of(?))", field, field) == [(ticks, whole)]
    if whole is not None:
        assert db.value("SELECT seconds_of(ticks_of_seconds(?))", whole) == whole


def test_times_without_a_zone_are_in_the_zone_of_the_settings(db):
    db.set(clock="iso", ticks_per_second=10**6, timezone="Europe/Berlin", time_format="%d.%m.%Y %H:%M")
    db.connection.execute("SET TimeZone = 'Europe/Berlin'")
    query = "SELECT seconds_of(ticks_of(?))"
    assert db.value(query, "2016-07-01 12:00") == seconds(2016, 7, 1, 10)
    assert db.value(query, "2016-07-01 12:00Z") == seconds(2016, 7, 1, 12)
    db.set(clock="format")
    assert db.value(query, "01.01.2016 12:00") == seconds(2016, 1, 1, 11)
    db.connection.execute("SET TimeZone = 'UTC'")


def test_a_look_counts_forms(db):
    rows = [
        ("1", "a", "4", "978300760"),
        ("x", "b", "true", "2016-02-29"),
        ("", "3", "nan", "boom"),
        (None, "3", "4_5", ""),
    ]
    db.table("rating_fields", FIELDS, rows)
    db.run("22_look")
    (found,) = db.rows("FROM look_at('rating_fields')")
    assert found[:8] == (2, 1, "1", "x", 4, 2, "3", "a")
    assert found[8] == {"s": 1, "date": 1, "other": 1, "empty": 1}
    assert found[9:] == ("boom", 1, 1)


@pytest.mark.parametrize(
    ("word", "number"), [("True", 1.0), ("like", 1.0), ("👍", 1.0), ("DOWN", 0.0), ("no", 0.0), ("maybe", None)]
)
def test_words_are_ratings_only_if_the_file_has_words(db, word, number):
    assert db.value("SELECT decimal_number(?)", word) is None
    db.set(words=True)
    assert db.value("SELECT decimal_number(?)", word) == number


def test_the_position_in_the_file_orders_what_is_on_one_day(db):
    db.table("ratings", RATING_COLUMNS, [(1, 9, 4.0, 5 * DAY), (1, 3, 4.0, 5 * DAY), (1, 1, 4.0, 4 * DAY)])
    db.run("26_positions_file")
    assert db.rows("SELECT movie_id FROM ratings ORDER BY timestamp") == [(1,), (9,), (3,)]
    db.set(clock="date")
    assert db.rows("SELECT DISTINCT seconds_of(timestamp) FROM ratings ORDER BY 1") == [(4 * 86400,), (5 * 86400,)]


def test_a_random_order_depends_on_the_seed_and_on_nothing_else(db):
    rows = [(1, movie, 4.0, 0) for movie in range(8)]

    def order(seed: int, rows: list[tuple[Any, ...]]) -> list[int]:
        db.set(random_seed=seed)
        db.table("ratings", RATING_COLUMNS, rows)
        db.run("26_positions_random")
        return [movie for (movie,) in db.rows("SELECT movie_id FROM ratings ORDER BY timestamp")]

    assert order(1, rows) == order(1, rows[::-1])
    assert order(1, rows) != order(2, rows)
    assert sorted(order(1, rows)) == list(range(8))


def test_unrated_rows_are_counted_and_are_no_opinions(db):
    db.set_scale(Scale(1.0, 10.0, (5.0, 7.0, 9.0), unrated=-1.0))
    db.table("ratings", RATING_COLUMNS, [(1, 1, -1.0, 0), (1, 2, 8.0, 0), (2, 1, -1.0, 0)])
    db.run("26_unrated")
    assert db.value("SELECT n FROM unrated") == 2
    assert db.rows("SELECT user_id, movie_id FROM ratings") == [(1, 2)]


@pytest.mark.parametrize(
    ("strong_from", "expected"), [(2.0, [1.0, 2.0, 2.0]), (None, [1.0, 1.0, 2.0]), (9.0, [1.0, 1.0, 1.0])]
)
def test_interactions_become_likes(db, strong_from, expected):
    rows = [(1, 1, 1.0, 5), (1, 2, 1.0, 9), (1, 2, 1.0, 7), (1, 3, 4.0, 8)]
    db.set(strong_from=strong_from)
    db.table("ratings", RATING_COLUMNS, rows)
    db.run("26_interactions")
    found = db.rows("SELECT movie_id, rating, timestamp FROM ratings ORDER BY movie_id")
    assert found == [(movie, rating, at) for movie, rating, at in zip((1, 2, 3), expected, (5, 9, 8), strict=True)]


def test_the_catalogue_of_ratings_without_movies(db):
    db.run("02_movies_text")
    db.table("ratings", TEXT_COLUMNS, [("u", "b", 4.0, 0), ("u", "a", 4.0, 0), ("v", "a", 4.0, 0)])
    db.run("26_catalogue")
    assert db.rows("SELECT movie_id, title, year, genres FROM movies") == [("a", "a", None, []), ("b", "b", None, [])]


@pytest.mark.parametrize("together", [False, True])
def test_texts_become_numbers_in_the_order_of_their_bytes(db, together):
    texts = ["b", "a", "Z", "é", "10", "9", "ab", " "]
    db.table("ratings", TEXT_COLUMNS, [(text, text, 4.0, 0) for text in texts])
    db.run("25_tally")
    if together:
        db.run("29_texts_both")
    else:
        db.run("29_texts_users")
        db.run("29_texts_movies")
    assert [user for (user,) in db.rows("SELECT user_id FROM ratings ORDER BY user_id")] == sorted(texts)
    assert [movie for (movie,) in db.rows("SELECT movie_id FROM ratings ORDER BY movie_id")] == sorted(texts)


def test_a_split_with_texts_is_written_as_texts(db, tmp_path):
    columns = "user_id VARCHAR, movie_id VARCHAR, preference TINYINT, timestamp BIGINT, split VARCHAR"
    db.table("split_events", columns, [("u", "a", 1, 5, "train"), ("v", "b", -2, 6, "test")])
    db.run("70_write_texts", path=str(tmp_path / "train.parquet"), split="train")
    assert db.rows("FROM read_parquet(?)", str(tmp_path / "train.parquet")) == [("u", "a", 1, 5)]


def test_rating_rows_of_json_lines(db, tmp_path):
    lines = [
        '{"u": 7, "m/x": "a", "when": 5, "stars": 4.5}',
        "[1]",
        '{"u": " 7", "m/x": null, "when": "2016-02-29"}',
        "{",
    ]
    path = tmp_path / "ratings.jsonl"
    path.write_text("\n".join(lines))
    names = {"user_id": "u", "movie_id": "m/x", "rating": "stars", "timestamp": "when"}
    file = RawFile("ratings", path, path.name, "json", columns=tuple(names), own_names=names)
    db.set_file(file)
    db.run("22_rating_rows_json")
    assert db.rows("SELECT line, width, user_id, movie_id, rating, timestamp FROM split_rows ORDER BY line") == [
        (1, 4, "7", "a", "4.5", "5"),
        (2, -2, None, None, None, None),
        (3, 4, " 7", None, None, "2016-02-29"),
        (4, -2, None, None, None, None),
    ]
