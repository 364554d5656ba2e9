"""Small generated data sets of kinds that MovieLens is not: books, anime, music plays and shop orders.

People choose in two ways. Either an item of their taste, from a mixture of topics and by popularity: this is what a few
factors can describe. Or an item that belongs to one they liked before, such as the next volume of a series: there are
far more series than factors. How often they do the one or the other, how much they choose, and whether their taste
moves on, is the kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_START, _DAY = 1_500_000_000, 86_400


@dataclass(frozen=True)
class Kind:
    """What a data set is like.

    Attributes
    ----------
    users, items
        Numbers of both.
    events_per_user
        Median number of events of a user; the numbers are log-normal.
    topics
        Number of topics that taste is made of.
    series
        Items per series.
    follows
        How often a choice follows from an item of the same series that the user liked.
    drift
        How far a user's taste moves from the first event to the last, 0 to 1.
    steepness
        Exponent of the Pareto distribution of popularity: the lower, the more a few items have of all.
    recent
        How often a choice follows from the last few liked items rather than from any.
    plays
        Whether the values are numbers of plays, not ratings.
    has_times
        Whether times are known.
    """

    users: int
    items: int
    events_per_user: float
    topics: int
    series: int
    follows: float
    steepness: float = 1.2
    drift: float = 0.0
    recent: float = 0.0
    plays: bool = False
    has_times: bool = False


KINDS: Mapping[str, Kind] = {
    "books": Kind(4_000, 2_000, 20, 30, 6, 0.35, steepness=3.0),
    "anime": Kind(2_000, 2_400, 90, 20, 5, 0.25),
    "music": Kind(3_000, 2_500, 50, 40, 10, 0.2, drift=0.7, recent=0.5, plays=True, has_times=True),
    "orders": Kind(6_000, 1_200, 25, 15, 4, 0.5, drift=0.3, recent=0.9, plays=True, has_times=True),
}


@dataclass(frozen=True)
class Interactions:
    """Generated events, in time order for each user; arrays are (events,).

    Attributes
    ----------
    user, item
        Ids from 1.
    value
        1 to 5 stars, or numbers of plays.
    timestamp
        Epoch seconds; None if times are not known.
    """

    user: NDArray[np.int64]
    item: NDArray[np.int64]
    value: NDArray[np.float64]
    timestamp: NDArray[np.int64] | None


def generated(kind: Kind, random_seed: int) -> Interactions:
    """Generate a data set of a kind."""
    draw = np.random.default_rng(random_seed)
    topic = draw.integers(kind.topics, size=kind.items)
    series = draw.permutation(kind.items) // kind.series
    topic = topic[series]  # a series has one topic
    popularity = draw.pareto(kind.steepness, kind.items) + 0.05
    members = [np.flatnonzero(series == number) for number in range(int(series.max()) + 1)]
    users, items, values = [], [], []
    for number in range(kind.users):
        n = int(np.clip(draw.lognormal(np.log(kind.events_per_user), 0.7), 10, kind.items // 4))
        own, stars = _history(kind, draw, n, topic, popularity, series, members)
        users.append(np.full(len(own), number + 1))
        items.append(own + 1)
        values.append(stars)
    user, item = np.concatenate(users), np.concatenate(items)
    timestamp = None
    if kind.has_times:
        begins = draw.integers(0, 700, kind.users)[user - 1]
        place = np.arange(len(user)) - np.searchsorted(user, user)
        timestamp = _START + (begins * _DAY + place * _DAY // 4 + draw.integers(0, 3600, len(user))).astype(np.int64)
    return Interactions(user, item, np.concatenate(values), timestamp)


def _history(
    kind: Kind,
    draw: np.random.Generator,
    n: int,
    topic: NDArray[np.int64],
    popularity: NDArray[np.float64],
    series: NDArray[np.int64],
    members: list[NDArray[np.int64]],
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Items of one user in time order, with their values."""
    first, last = (draw.dirichlet(np.full(kind.topics, 0.15)) for _ in range(2))
    taste_after = (1 - kind.drift) * first + kind.drift * last
    pools = [
        draw.choice(len(topic), size=3 * n, p=weights / weights.sum())
        for weights in (popularity * (taste[topic] + 0.02) for taste in (first, taste_after))
    ]
    chosen: list[int] = []
    liked: list[int] = []
    stars: list[float] = []
    taken: set[int] = set()
    for place in range(3 * n):
        taste = first if draw.random() * n > place else taste_after
        follows = bool(liked) and draw.random() < kind.follows
        if follows:
            among = liked[-4:] if draw.random() < kind.recent else liked
            item = int(draw.choice(members[series[among[int(draw.integers(len(among)))]]]))
        else:
            item = int(pools[taste is taste_after][place])
        if item in taken:
            continue
        fit = 0.9 if follows else min(1.0, 0.35 + 4 * taste[topic[item]])
        is_liked = draw.random() < fit
        taken.add(item)
        chosen.append(item)
        stars.append(_value(kind, draw, is_liked=is_liked))
        if is_liked:
            liked.append(item)
        if len(chosen) == n:
            break
    return np.array(chosen, dtype=np.int64), np.array(stars)


def _value(kind: Kind, draw: np.random.Generator, *, is_liked: bool) -> float:
    if kind.plays:
        return float(1 + draw.geometric(0.25 if is_liked else 0.8))
    return float(draw.choice([4, 4, 5]) if is_liked else draw.choice([1, 2, 3, 3]))
