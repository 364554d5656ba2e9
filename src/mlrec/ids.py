"""Public ids of users and movies: whole numbers or texts, and the one place where an id becomes a row.

A data directory has one kind of ids for its users and one for its movies. Rows are numbered in ascending order of ids:
whole numbers by value, texts by their UTF-8 bytes, which is also the order of their characters.

Many ids are an array: int64 for whole numbers, and fixed-width bytes for texts (`S36`, say). NumPy searches, sorts and
maps both alike, and compares bytes as UTF-8 is to be compared. A single id is an `int` or a `str`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

PublicId = int | str
IdKind = Literal["integer", "text"]
IdArray = NDArray[Any]
"""Ids as an array: int64, or bytes of a fixed width for texts."""

LONGEST_ID = 200
"""Bytes of a text id in UTF-8."""
SMALLEST_ID, LARGEST_ID = -(2**63), 2**63 - 1
# Looking up fewer ids than this one by one is faster than making an array of them.
_FEW = 10


def kind_of(ids: IdArray) -> IdKind:
    """The kind of the ids in an array."""
    return "text" if ids.dtype.kind == "S" else "integer"


def array_of(ids: Iterable[PublicId], kind: IdKind) -> IdArray:
    """Make an array of ids, in their order. All of them must be of this kind."""
    if kind == "integer":
        return np.fromiter(ids, dtype=np.int64)
    encoded = [str(one).encode() for one in ids]
    return np.array(encoded, dtype=f"S{max(map(len, encoded), default=1) or 1}")


def empty(kind: IdKind) -> IdArray:
    """An array without ids."""
    return array_of((), kind)


def of_kind(ids: Sequence[PublicId], kind: IdKind) -> IdArray:
    """Make an array of those ids that are of a kind: a store may also hold ids of a former data set."""
    wanted = int if kind == "integer" else str
    return array_of((one for one in ids if type(one) is wanted), kind)


def public(ids: IdArray) -> list[Any]:
    """Return the ids of an array as Python values: `int` or `str`."""
    found: list[Any] = ids.tolist()
    return [one.decode() for one in found] if ids.dtype.kind == "S" else found


def public_at(ids: IdArray, row: int) -> PublicId:
    """Return the id of a row."""
    found = ids[row]
    return bytes(found).decode() if isinstance(found, bytes) else int(found)


def row_of(ids: IdArray, wanted: PublicId) -> int | None:
    """Return the row of an id, or None if it is not among the ids, which ascend. An id of the other kind never is."""
    key: int | bytes
    needle: Any
    if ids.dtype.kind == "S":
        if not isinstance(wanted, str):
            return None
        key = wanted.encode(errors="surrogatepass")
        # NumPy would pad a shorter text with NUL, and copy all ids to the width of a longer one.
        if not 0 < len(key) <= ids.dtype.itemsize or key.endswith(b"\0"):
            return None
        needle = np.array(key, dtype=ids.dtype)
    else:
        if isinstance(wanted, str) or not SMALLEST_ID <= wanted <= LARGEST_ID:
            return None
        needle = key = wanted
    position = int(ids.searchsorted(needle))
    return position if position < len(ids) and ids.item(position) == key else None


def rows_of(ids: IdArray, wanted: IdArray) -> NDArray[np.int32]:
    """Return the row of each wanted id, int32; −1 for those that are not among the ids, which ascend."""
    if not len(ids) or kind_of(ids) != kind_of(wanted):
        return np.full(len(wanted), -1, dtype=np.int32)
    if len(wanted) == 1:  # a swipe should be fast
        row = row_of(ids, public_at(wanted, 0))
        return np.array([-1 if row is None else row], dtype=np.int32)
    needles: Any = wanted
    if ids.dtype.kind == "S":
        # With needles of another width, NumPy would copy all ids. A needle that is cut off equals no id below.
        needles = wanted.astype(ids.dtype)
    positions = np.minimum(np.searchsorted(ids, needles), len(ids) - 1)
    return np.where(ids[positions] == wanted, positions, -1).astype(np.int32)


def known_rows(ids: IdArray, wanted: Sequence[PublicId]) -> NDArray[np.int64]:
    """Return the rows of those of some ids that are among the ids, which ascend; int64, in the order of `wanted`.

    All ids must be of one kind. Whole numbers may have any size.
    """
    if len(wanted) < _FEW:
        single = [row for one in wanted if (row := row_of(ids, one)) is not None]
        return np.array(single, dtype=np.int64)
    if ids.dtype.kind == "S":
        found = array_of((one for one in wanted if "\0" not in str(one)), "text")
    else:
        try:
            found = array_of(wanted, "integer")
        except OverflowError:
            found = array_of((one for one in wanted if SMALLEST_ID <= int(one) <= LARGEST_ID), "integer")
    rows = rows_of(ids, found)
    return rows[rows >= 0].astype(np.int64)


def text_fault(text: str) -> str | None:
    """What is wrong with a text as an id, in words that complete "the id …"; None if nothing is."""
    try:
        length = len(text.encode())
    except UnicodeEncodeError:
        return "is not valid Unicode"
    if not length:
        return "is empty"
    if "\0" in text:
        return "contains a NUL character"
    return f"is longer than {LONGEST_ID} bytes" if length > LONGEST_ID else None
