"""The second reader itself: it reads back what was written, and agrees with results worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from mlrec.settings import PrepareSettings
from tests.matrix.events import crowd
from tests.matrix.files import Form, forms, movie_id, user_id, write, written_time
from tests.matrix.oracle import RefusedError, clock_of, expected, id_kind, scale_of
from tests.matrix.small import described, lines

HEADER = ("userId", "movieId", "rating", "timestamp")
FORMS = [replace(form, rows="clean") for form in forms()[::5]]


@pytest.mark.parametrize("form", [form for form in FORMS if form.container != "parquet"], ids=str)
def test_what_was_written_is_read(form, tmp_path):
    events = crowd(1)
    ratings = write(form, events, tmp_path).ratings
    rows = [row for row in ratings.rows() if not isinstance(row, str)]
    assert len(rows) == len(events)
    for row, event in zip(rows, events, strict=True):
        assert row[str(ratings.columns["user"])] == user_id(form.users, event.user)
        assert row[str(ratings.columns["movie"])] == movie_id(form.movies, event.movie, form.encoding)
        if "time" in ratings.columns:
            assert row[str(ratings.columns["time"])] == written_time(form.clock, event.at)


def test_moments_in_parquet_are_exact(tmp_path):
    form = Form(container="parquet", separator="n/a", quoting="n/a", encoding="n/a", clock="parquet-ns")
    events = crowd(2)
    ratings = write(form, events, tmp_path).ratings
    assert [row["timestamp"] for row in ratings.rows() if not isinstance(row, str)] == [f"ns{one.at}" for one in events]


def prepared(rows: list[tuple[Any, ...]], **settings: Any) -> list[tuple[Any, ...]]:
    """The train rows of a table; nobody has enough events for another split."""
    found = expected(
        described(lines([HEADER, *rows])),
        None,
        PrepareSettings(min_user_ratings=1, min_movie_ratings=1, **settings),
    )
    assert not found.splits["val"]
    return found.splits["train"]


def test_exact_times_order_and_texts_ascend_by_bytes():
    rows = [
        ("é", "b", 5, "1000000000.75"), ("é", "a", 4, "1000000000.5"), ("z", "a", 1, "1000000000"),
        ("Z", "a", 3, "1000000000.0"),
    ]  # fmt: skip
    assert prepared(rows) == [
        ("Z", "a", -1, 10**9), ("z", "a", -2, 10**9), ("é", "a", 1, 10**9), ("é", "b", 2, 10**9),
    ]  # fmt: skip


def test_the_latest_stands_then_the_higher_rating_then_on_a_day_the_later_row():
    def of(*events: tuple[float, str]) -> int:
        # Another user rates with the whole scale.
        others = [("you", "c", 1, events[0][1]), ("you", "d", 5, events[0][1])]
        ((_, _, preference, _), *_) = prepared([*(("me", "a", *event) for event in events), *others])
        return int(preference)

    assert of((5, "1000000000.5"), (1, "1000000000.25")) == 2
    assert of((1, "1000000000"), (5, "1000000000")) == of((5, "1000000000"), (1, "1000000000")) == 2
    assert of((5, "2001-09-09"), (1, "2001-09-09")) == -2
    assert of((5, "2001-09-10"), (1, "2001-09-09")) == 2


def test_interactions_add_up():
    rows = [("u1x", "m1", 1, 50), ("u1x", "m1", 1, 70), ("u1x", "m2", 1, 60), ("u2x", "m3", 2, 80)]
    assert prepared(rows, implicit=True) == [("u1x", "m2", 1, 60), ("u1x", "m1", 2, 70), ("u2x", "m3", 2, 80)]


def test_splits_are_by_whole_numbers():
    rows = [("u", f"m{number:02}", 3 + number % 3, 10**9 - number) for number in range(19)]
    found = expected(described(lines([HEADER, *rows])), None, PrepareSettings(min_user_ratings=1, min_movie_ratings=1))
    assert {name: [row[1] for row in part] for name, part in found.splits.items()} == {
        "train": [f"m{number:02}" for number in range(18, 3, -1)],
        "val": ["m03"],
        "test": ["m02", "m01", "m00"],
    }


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "-2", "0", "3.0", "99999999999999999999"], "integer"),
        (["1_2", "0x1F", "1e3", "' 7'", "007"], "text"),
        (["1"] * 8 + ["x"], "text"),
        (["1"] * 99 + ["x"], "integer"),
        (["1"] * 19 + ["x"], None),
        (["", None, "5"], "integer"),
    ],
)
def test_kinds_of_ids(values, kind):
    if kind is None:
        with pytest.raises(RefusedError):
            id_kind(values, "auto", 0.01)
    else:
        assert id_kind(values, "auto", 0.01) == kind


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("978300760", 978300760 * 10**9),
        ("978300760123", 978300760123 * 10**6),
        ("978300760123456", 978300760123456 * 10**3),
        ("978300760123456789", 978300760123456789),
        ("978300760.5", 978300760500000000),
        ("9.78300760e8", 978300760 * 10**9),
        ("2000-12-31T22:12:40Z", 978300760 * 10**9),
        ("2000-12-31 23:12:40.25+01:00", 978300760250000000),
        ("2000-12-31", 978220800 * 10**9),
    ],
)
def test_clocks(text, nanoseconds):
    assert clock_of([text], PrepareSettings()).read(text) == nanoseconds


@pytest.mark.parametrize("text", ["1.2e9", "1e9", "12/31/2000", "soon"])
def test_times_on_no_clock(text):
    with pytest.raises(RefusedError):
        clock_of([text], PrepareSettings())


@pytest.mark.parametrize(
    ("ratings", "preferences"),
    [
        ("0.5 2.5 3 3.5 4.5 5", "-2 -2 -1 -1 1 2"),
        ("1 2 3 4 5", "-2 -2 -1 1 2"),
        ("1 5 6 7 8 9 10", "-2 -2 -1 -1 1 1 2"),
        ("0 5 7 9 9.5", "-2 -2 -1 1 2"),
        ("0 50 70 90 91", "-2 -2 -1 1 2"),
        ("-9 0 4 8 8.5", "-2 -2 -1 1 2"),
        ("-1 1", "-1 1"),
        ("0 1", "-1 1"),
    ],
)
def test_scales(ratings, preferences):
    values = [Decimal(value) for value in ratings.split()]
    scale = scale_of(values, PrepareSettings())
    assert [scale.preference(value) for value in values] == [int(one) for one in preferences.split()]


@pytest.mark.parametrize("ratings", ["5", "1 1 1", "0 0.5 1", "1 7", "1 6", "3 20", "-1 0 1", "0 3 5", "-20 10"])
def test_no_scales(ratings):
    with pytest.raises(RefusedError):
        scale_of([Decimal(value) for value in ratings.split()], PrepareSettings())
