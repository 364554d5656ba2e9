"""Whatever is in a table, prepare makes exactly the rows of the definitions of it, or refuses what they refuse."""

from __future__ import annotations

import csv
import io
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.matrix.files import Raw
from tests.matrix.oracle import Described, Part
from tests.matrix.run import agree

QUICK = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
HEADER = ("userId", "movieId", "rating", "timestamp")

# Any text that is one line: line breaks within an id are possible, and nobody has them.
texts = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=6)
numerals = st.from_regex(r"[ +-]?(0|[1-9][0-9]{0,2}|0[0-9x][0-9]|[1-9]_[0-9]|[1-9]e[0-9])(\.0)?", fullmatch=True)
whole = st.integers(-5, 40).map(str)
SCALES = (("0.5", "1", "2.5", "3", "3.5", "4", "4.5", "5"), ("0", "1", "4.9", "5", "7", "7.1", "9", "9.5", "10"))
seconds = st.integers(10**9, 10**9 + 5).map(str)
fractions = st.integers(0, 5).map(lambda ticks: f"1000000000.{ticks:03d}")
moments = st.integers(0, 5).map(lambda ticks: f"2001-09-09T01:46:40.{ticks:03d}Z")
days = st.integers(1, 3).map(lambda day: f"2001-09-0{day}")


@st.composite
def tables(draw: st.DrawFn, users: st.SearchStrategy[str], movies: st.SearchStrategy[str]) -> list[tuple[str, ...]]:
    """Rows in which few users rate few movies, so that there are duplicates, with values on one scale and one clock."""
    pools = [
        draw(st.lists(users, min_size=1, max_size=4, unique=True)),
        draw(st.lists(movies, min_size=draw(st.sampled_from((2, 12))), max_size=16, unique=True)),
        draw(st.sampled_from(SCALES)),
        draw(st.lists(draw(st.sampled_from((seconds, fractions, moments, days))), min_size=1, max_size=6)),
    ]
    chance = random.Random(draw(st.integers(0, 2**16)))
    return [tuple(map(chance.choice, pools)) for _ in range(draw(st.sampled_from((90, 20, 5))))]


@st.composite
def dialects(draw: st.DrawFn) -> dict[str, Any]:
    """Ways to write a table as text."""
    encoding = draw(st.sampled_from(("utf-8", "utf-8-sig", "utf-16")))
    return {
        "separator": draw(st.sampled_from((",", ";", "\t", "|"))),
        "encoding": encoding,
        "quoting": draw(st.sampled_from((csv.QUOTE_ALL, csv.QUOTE_MINIMAL))),
        "lineterminator": draw(st.sampled_from(("\n", "\r\n"))),
    }


def written(rows: Sequence[Sequence[str]], folder: Path, dialect: dict[str, Any], how: dict[str, Any]) -> Raw:
    text = io.StringIO()
    csv.writer(
        text, delimiter=dialect["separator"], quoting=dialect["quoting"], lineterminator=dialect["lineterminator"]
    ).writerows([HEADER, *rows])
    content = text.getvalue().encode(dialect["encoding"])
    (folder / "raw").mkdir()
    (folder / "raw" / "ratings.csv").write_bytes(content)
    columns = dict(zip(("user", "movie", "rating", "time"), HEADER, strict=True))
    ratings = Described((Part(content),), columns, encoding=dialect["encoding"], separator=dialect["separator"])
    return Raw({"raw": folder / "raw"}, how, ratings, None)


def check(rows: Sequence[Sequence[str]], dialect: dict[str, Any], **how: Any) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        raw = written(rows, folder, dialect, {"min_user_ratings": 1, "min_movie_ratings": 1, **how})
        agree(raw, folder / "data", may_refuse=True)


@QUICK
@given(tables(texts, texts), dialects())
def test_any_texts_are_ids(rows, dialect):
    check(rows, dialect, user_ids="text", movie_ids="text")


@QUICK
@given(tables(st.one_of(numerals, whole, texts), whole), dialects())
def test_kinds_of_ids_are_told_by_their_form(rows, dialect):
    check(rows, dialect)


@QUICK
@given(tables(whole, whole), st.sampled_from(("file", "random")), st.integers(0, 100), st.integers(1, 3))
def test_orders_without_times(rows, order, seed, least):
    plain = {"separator": ",", "encoding": "utf-8", "quoting": csv.QUOTE_MINIMAL, "lineterminator": "\n"}
    check(rows, plain, no_time=order, random_seed=seed, min_user_ratings=least, min_movie_ratings=least)


@QUICK
@given(tables(whole, texts), st.sampled_from((None, 1.0, 3.0, 20.0)))
def test_interactions(rows, strong_from):
    plain = {"separator": ",", "encoding": "utf-8", "quoting": csv.QUOTE_MINIMAL, "lineterminator": "\n"}
    check(rows, plain, implicit=True, strong_from=strong_from)
