"""One line of a swipe log in CSV: what is accepted, and the reasons for refusing it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlrec.errors import InputError
from mlrec.serving.stores.interface import Draft
from mlrec.serving.swipe_rows import RowReader, SwipeRow

HEADER = "user_id,movie_id,preference,at,event_id,undone"
LAST = int(time.time()) + 80_000  # clocks differ by up to a day


def read(line: str, header: str = HEADER) -> SwipeRow | str:
    return RowReader(header, "swipes.csv").read(line)


def read_well(line: str, header: str = HEADER) -> SwipeRow:
    """A row that is not refused."""
    row = read(line, header)
    assert isinstance(row, SwipeRow), row
    return row


@pytest.mark.parametrize(
    ("header", "line"),
    [
        ("user_id,movie_id,preference,at", "42,7,2,1000"),
        ("userId,movieId,preference,timestamp", "42,7,+2,1000"),
        (" AT , Preference ,MOVIE_ID,UserID", "1000 , superlike, 7 ,42"),
        ("user_id,movie_id,bucket,at", "42,7,4,1000"),
        ("user_id,title,movie_id,preference,at", '42,"Good, the ""Bad""",7,SuperLike,1000'),
        ("user_id,movie_id,preference,at", '"42","7","2","1000"'),
        ("user_id,movie_id,preference,at", "42.0,7.0,2.0,1000.00"),
        ("user_id,movie_id,preference,at", "42,7,2,0000000000000000000001000"),
        ("user_id,movie_id,preference,at", "42,7,2,1000,"),
        ("user_id,movie_id,preference,at,", "42,7,2,1000,"),
        ("user_id,movie_id,preference,at", "42,7,2,1970-01-01T00:16:40Z"),
        ("user_id,movie_id,preference,at", "42,7,2,1970-01-01 02:16:40.999+02:00"),
        ("user_id,movie_id,preference,at,undone,event_id", "42,7,2,1000,false,"),
    ],
)
def test_one_swipe_in_many_spellings(header, line):
    assert read(line, header) == SwipeRow(42, Draft(7, 2, 1000), undone=False)


def test_names_of_swipes_and_buckets():
    names = ("superdislike", "dislike", "skip", "like", "superlike")
    assert [read_well(f"1,1,{name},0,,").draft.preference for name in names] == [-2, -1, 0, 1, 2]
    assert read_well("1,1,−1,0,,").draft.preference == -1  # the minus of typographers
    assert [read_well(f"1,1,{bucket},0", "user_id,movie_id,bucket,at").draft.preference for bucket in (1, 2, 3, 4)] == [
        -2, -1, 1, 2,
    ]  # fmt: skip


def test_the_extremes_are_taken():
    assert read(f"{2**63 - 1},0,0,{LAST},{'x' * 200},yes") == SwipeRow(
        2**63 - 1, Draft(0, 0, LAST, idempotency_key="x" * 200), undone=True
    )
    assert read_well(f"{-(2**63)},-1,1,0,,").user_id == -(2**63)
    assert read_well("0,1,1,1970-01-01T00:00:00Z,,").draft.at == 0


def test_the_idempotency_key_has_a_column_of_its_name():
    header = "user_id,event_id,movie_id,preference,at,idempotency_key"
    assert read_well("1,17,1,1,0,mine", header).draft.idempotency_key == "mine"
    assert read_well("1,17,1,1,0,", header).draft.idempotency_key is None
    with pytest.raises(InputError, match="two columns for one thing"):
        RowReader(f"{header},client_id", "mine.csv")


def test_a_client_id_goes_before_an_event_id():
    header = "user_id,event_id,movie_id,preference,at,client_id"
    assert read_well("1,17,1,1,0, mine", header).draft.idempotency_key == " mine"
    assert read_well("1,17,1,1,0,", header).draft.idempotency_key is None
    assert read_well("1,1,1,0,17,").draft.idempotency_key == "17"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1,1,1", "missing field"),
        ("1,1,1,0,,,,", "too many fields"),
        (",1,1,0,,", "empty user_id"),
        ("x,1,1,0,,", "unparsable user_id"),
        ("1.5,1,1,0,,", "unparsable user_id"),
        ("1_000,1,1,0,,", "unparsable user_id"),
        ("٣,1,1,0,,", "unparsable user_id"),
        ("007,1,1,0,,", "unparsable user_id"),
        ("+7,1,1,0,,", "unparsable user_id"),
        ("1e1,1,1,0,,", "unparsable user_id"),
        ("1,7.,1,0,,", "unparsable movie_id"),
        (f"-{2**63 + 1},1,1,0,,", "user_id beyond int64"),
        (f"{2**63},1,1,0,,", "user_id beyond int64"),
        (f"{'9' * 5000},1,1,0,,", "user_id beyond int64"),
        ("1,,1,0,,", "empty movie_id"),
        ("1,Toy Story,1,0,,", "unparsable movie_id"),
        (f"1,{10**30},1,0,,", "movie_id beyond int64"),
        ("1,1,,0,,", "empty preference"),
        ("1,1,3,0,,", "preference out of range"),
        ("1,1,-3.0,0,,", "preference out of range"),
        ("1,1,1.5,0,,", "unparsable preference"),
        ("1,1,nan,0,,", "unparsable preference"),
        ("1,1,1,,,", "empty at"),
        ("1,1,1,yesterday,,", "unparsable at"),
        ("1,1,1,-1,,", "at before 1970"),
        pytest.param(f"1,1,1,{LAST + 20_000},,", "at in the future", id="a day too late"),
        ("1,1,1,1700000000000,,", "at in the future"),
        ("1,1,1,1969-12-31T23:59:59Z,,", "at before 1970"),
        ("1,1,1,0001-01-01T00:00:00+14:00,,", "at before 1970"),
        ("1,1,1,9999-12-31T23:59:59-12:00,,", "at in the future"),
        ("1,1,1,2026-01-01T00:00:00,,", "at without a time zone"),
        ("1,1,1,2026-01-01,,", "at without a time zone"),
        ("1,1,1,2026-02-30T00:00:00Z,,", "unparsable at"),
        (f"1,1,1,0,{'x' * 201},", "idempotency key longer than 200 characters"),
        ("1,1,1,0,,maybe", "unparsable undone"),
        ('1,1,1,0,"a,', "misplaced quote"),
        ('1,1,1,0,"a"b,', "misplaced quote"),
        ("1,1\0,1,0,,", "NUL byte"),
    ],
)
def test_what_cannot_be_used_has_a_reason(line, reason):
    assert read(line) == reason


@pytest.mark.parametrize("bucket", ["0", "5", "-1"])
def test_there_are_four_buckets(bucket):
    assert read(f"1,1,{bucket},0", "user_id,movie_id,bucket,at") == "bucket out of range"
    assert read("1,1,like,0", "user_id,movie_id,bucket,at") == "unparsable bucket"


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("", "no column user_id"),
        ("1,2,3,4", "no column user_id"),
        ("user_id;movie_id;preference;at", "no column user_id"),
        ("user_id,movie_id,preference", "no column at or timestamp"),
        ("user_id,movie_id,at", "no column preference or bucket"),
        ("user_id,movie_id,preference,bucket,at", "more than one column preference or bucket"),
        ("user_id,userId,movie_id,preference,at", "more than one column user_id"),
        ("user_id,movie_id,preference,at,undone,undone", "more than one column undone"),
        ('user_id,"movie_id', "no column user_id"),
        ("user_id,movie_id,preference,at,un\0done", "a NUL byte in its first line"),
    ],
)
def test_a_header_that_cannot_be_used_is_an_error(header, words):
    with pytest.raises(InputError, match=f"swipes.csv has {words}") as error:
        RowReader(header, "swipes.csv")
    assert "movie_id, preference (or bucket) and at" in error.value.hint


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_no_line_is_too_strange(line):
    assert isinstance(read(line), str | SwipeRow)


@given(st.lists(st.text('0123456789.-+" ,TZ:eE_', max_size=12), min_size=6, max_size=6))
def test_no_field_is_too_strange(fields):
    assert isinstance(read(",".join(fields)), str | SwipeRow)
