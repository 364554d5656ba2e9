"""What a replay learns from, and who is replayed: a moment divides the data."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mlrec.dataset.reading import Events
from mlrec.errors import EmptyResultError


@dataclass(frozen=True)
class Window:
    """What is learned and what is replayed; both in the order user, time, movie.

    Attributes
    ----------
    starts_at
        The moment that divides them, epoch seconds.
    learned
        Events before it, of users who are not held out.
    replayed
        All events of the held-out users.
    """

    starts_at: int
    learned: Events
    replayed: Events

    @property
    def n_users(self) -> int:
        """Users who are replayed."""
        return len(np.unique(self.replayed.user_id))

    def sampled(self, n: int, random_seed: int) -> Window:
        """The same with at most n held-out users, drawn at random without replacement; 0: with all."""
        user_ids = np.unique(self.replayed.user_id)
        if not 0 < n < len(user_ids):
            return self
        drawn = np.random.default_rng(random_seed).choice(user_ids, n, replace=False)
        return replace(self, replayed=self.replayed.only(np.isin(self.replayed.user_id, drawn)))


def hold_out(events: Events, share: float) -> Window:
    """Divide the data at the first event of the earliest of the users who come last.

    Parameters
    ----------
    events
        All events, in the order user, time, movie.
    share
        Share of users to hold out, by first event, then by id. All who begin in the same second are held out together.

    Raises
    ------
    EmptyResultError
        If nobody is held out, or nothing is left to learn from.
    """
    _, starts, user_idx = np.unique(events.user_id, return_index=True, return_inverse=True)
    first = events.timestamp[starts]
    n_held_out = round(share * len(first))
    if n_held_out == 0:
        raise EmptyResultError(
            f"A share of {share:g} of {len(first):,} users holds nobody out.", "Hold out a larger share of the users."
        )
    starts_at = int(np.sort(first)[-n_held_out])
    is_held_out = (first >= starts_at)[user_idx]
    learned = events.only(~is_held_out & (events.timestamp < starts_at))
    if not len(learned):
        raise EmptyResultError(
            "There is nothing to learn from: no user begins before those who are held out.",
            "Hold out a smaller share of the users.",
        )
    return Window(starts_at, learned, events.only(is_held_out))
