"""A small table of events that every form of file is written from: people, films, how they liked them, and when."""

from __future__ import annotations

import random
from dataclasses import dataclass

N_USERS = 60
N_MOVIES = 40
N_UNSEEN = 2
"""Movies in the catalogue that nobody rates."""
LEVELS = 10
_BILLION = 10**9
_BEGIN = 10**9 * _BILLION  # in September 2001
_DAY = 86_400 * _BILLION


@dataclass(frozen=True)
class Event:
    """Who rated what: `level` counts from 0 (worst) to 9 (best), `at` is in nanoseconds since 1970."""

    user: int
    movie: int
    level: int
    at: int


def crowd(seed: int, ratings: int = 640) -> list[Event]:
    """Events in no order, with long tails, duplicates, days with several events, and ties of every fineness."""
    chance = random.Random(seed)

    def long_tail(n: int) -> int:
        return min(chance.randrange(n), chance.randrange(n))

    def moment() -> int:
        fine = chance.choice((0, 0, 250_000_000, 500_000_000, 500_001_000, 500_001_007))
        return _BEGIN + chance.randrange(25) * _DAY + chance.randrange(0, 900, 100) * _BILLION + fine

    events = [
        Event(long_tail(N_USERS), long_tail(N_MOVIES), chance.randrange(LEVELS), moment()) for _ in range(ratings)
    ]
    for _ in range(ratings // 12):
        again = chance.choice(events)
        at = chance.choice((again.at, again.at + 1_000_000, moment()))
        events.append(Event(again.user, again.movie, chance.randrange(LEVELS), at))
    chance.shuffle(events)
    return events
