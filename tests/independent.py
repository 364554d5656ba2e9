"""Definitions of the project once more, in plain Python and NumPy: core and parts, popularity by date."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlrec.dataset.reading import read_prepared
from mlrec.settings import SPLITS
from mlrec.workspace import Workspace


class Row(NamedTuple):
    """An event and where it belongs."""

    user: int
    timestamp: int
    movie: int
    preference: int
    split: str
    in_core: bool


def divided(opinions: Iterable[tuple[int, int, int, int]]) -> list[Row]:
    """The rows of all users of the core by user and time, from (user, timestamp, movie, preference)."""
    every = sorted(opinions)
    core = every
    while True:
        per_movie = Counter(movie for _, _, movie, _ in core)
        left = [row for row in core if per_movie[row[2]] >= 20]
        per_user = Counter(user for user, *_ in left)
        left = [row for row in left if per_user[row[0]] >= 10]
        if len(left) == len(core):
            break
        core = left
    in_core = set(core)
    seen: dict[int, int] = defaultdict(int)
    rows = []
    for row in every:
        user, n = row[0], per_user[row[0]]
        if not n:
            continue  # not a user of the core
        # An event outside the core belongs to the part of the user's next event in the core.
        place = min(seen[user], n - 1)
        part = "train" if place < 8 * n // 10 else "val" if place < 8 * n // 10 + n // 10 else "test"
        rows.append(Row(*row, part, row in in_core))
        seen[user] += row in in_core
    return rows


def rows_of(workspace: Workspace) -> list[Row]:
    """What the workspace has, in the same form."""
    events = read_prepared(workspace).events
    names = ("user_id", "timestamp", "movie_id", "preference", "split", "in_core")
    columns = zip(*(getattr(events, name).tolist() for name in names), strict=True)
    return [Row(user, at, movie, swipe, SPLITS[part], in_core) for user, at, movie, swipe, part, in_core in columns]


def first_difference(ours: Sequence[Row], expected: Sequence[Row]) -> tuple[int, Row | None, Row | None] | None:
    """Where two long lists part. (pytest's own account of 100,000 rows takes hours.)"""
    pairs = zip_longest(ours, expected)
    return next(((i, one, other) for i, (one, other) in enumerate(pairs) if one != other), None)


def popularity_by_date(
    likes: NDArray[np.int64], moment: float, n_movies: int, half_life: float = 1000
) -> NDArray[np.float64]:
    """Share of users who liked each movie before a moment. Likes are rows (timestamp, user, movie row), by time."""
    timestamps, users, movies = likes[likes[:, 0] < moment].T
    age_in_days = (timestamps[-1] - timestamps) / 86_400
    weights = 0.5 ** (age_in_days / half_life)
    _, last_of_user = np.unique(users[::-1], return_index=True)
    n_users = len(last_of_user)
    mixed = np.bincount(movies, weights, n_movies) + 5 * np.bincount(movies, minlength=n_movies) / n_users
    return np.asarray(mixed / (weights[::-1][last_of_user].sum() + 5))
