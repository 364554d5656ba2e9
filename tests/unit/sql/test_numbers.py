"""The macros that parse numbers: whole numbers, ratings and times."""

from __future__ import annotations

import pytest

from tests.unit.sql.steps import DOUBLE_EXACT, INT64_MAX, INT64_MIN


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
    assert db.value("SELECT rating_in_range(CAST(? AS DOUBLE))", rating) == good


@pytest.mark.parametrize(("seconds", "good"), [(-1, False), (0, True), (253402300799, True), (253402300800, False)])
def test_timestamps_lie_between_1970_and_9999(db, seconds, good):
    assert db.value("SELECT timestamp_in_range(?)", seconds) == good
