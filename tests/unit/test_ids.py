"""Public ids as arrays: rows, kinds, and texts that only look like numbers or like each other."""

from __future__ import annotations

import bisect

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlrec import ids

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=12)


def test_integers_and_texts_have_their_rows():
    numbers = ids.array_of([1, 5, 9], "integer")
    texts = ids.array_of(["1", "5", "abc"], "text")
    assert ids.row_of(numbers, 5) == 1
    assert ids.row_of(texts, "5") == 1
    assert ids.public(texts) == ["1", "5", "abc"]
    assert ids.public_at(numbers, 2) == 9
    assert ids.public_at(texts, 2) == "abc"


@pytest.mark.parametrize("wanted", ["5", " 5", "", "5\0"])
def test_a_text_is_never_a_number(wanted):
    assert ids.row_of(ids.array_of([1, 5, 9], "integer"), wanted) is None


@pytest.mark.parametrize("wanted", [5, " 5", "", "5\0", "abcd", "ab", "\ud800"])
def test_other_texts_have_no_row(wanted):
    assert ids.row_of(ids.array_of(["1", "5", "abc"], "text"), wanted) is None


def test_integers_beyond_int64_have_no_row():
    assert ids.row_of(ids.array_of([1], "integer"), 2**63) is None
    assert ids.row_of(ids.array_of([-(2**63)], "integer"), -(2**63)) == 0


@given(st.lists(TEXTS, unique=True, min_size=1), st.lists(TEXTS))
def test_rows_are_the_positions_in_the_order_of_characters(known, wanted):
    known.sort()
    array = ids.array_of(known, "text")
    assert ids.public(array) == known
    expected = []
    for text in known + wanted:
        place = bisect.bisect_left(known, text)
        expected.append(place if place < len(known) and known[place] == text else -1)
    assert ids.rows_of(array, ids.array_of(known + wanted, "text")).tolist() == expected
    assert [-1 if (row := ids.row_of(array, text)) is None else row for text in known + wanted] == expected
    assert np.all(array[1:] > array[:-1])


def test_ids_of_another_kind_have_no_rows():
    assert ids.rows_of(ids.array_of([1, 2], "integer"), ids.array_of(["1"], "text")).tolist() == [-1]
    assert ids.rows_of(ids.empty("text"), ids.array_of(["1"], "text")).tolist() == [-1]
    assert ids.of_kind([1, "1", 2], "integer").tolist() == [1, 2]
    assert ids.of_kind([1, "1", 2], "text").tolist() == [b"1"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [("", "is empty"), ("a\0b", "contains a NUL character"), ("\ud800", "is not valid Unicode"),
     ("é" * 101, "is longer than 200 bytes"), ("é" * 100, None), (" 7", None)],
)  # fmt: skip
def test_faults_of_texts(text, fault):
    assert ids.text_fault(text) == fault
