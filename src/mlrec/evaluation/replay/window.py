"""What a replay learns from, and which users are replayed: a point in time divides the data."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mlrec.dataset.events import Events
from mlrec.errors import EmptyResultError


@dataclass(frozen=True)
class Window:
    """The events to learn from and the events to replay, both ordered by user, time and movie.

    Attributes
    ----------
    starts_at
        The time that divides them, in epoch seconds.
    learned
        Events before that time by users who are not held out.
    replayed
        All events of the held-out users.
    """

    starts_at: int
    learned: Events
    replayed: Events

    @property
    def n_users(self) -> int:
        """Number of replayed users."""
        return len(np.unique(self.replayed.user))

    def sampled(self, n: int, random_seed: int) -> Window:
        """Return the window with at most n held-out users, drawn at random without replacement; 0 keeps all users."""
        user_ids = np.unique(self.replayed.user)
        if not 0 < n < len(user_ids):
            return self
        drawn = np.random.default_rng(random_seed).choice(user_ids, n, replace=False)
        return replace(self, replayed=self.replayed.only(np.isin(self.replayed.user, drawn)))


def hold_out(events: Events, share: float) -> Window:
    """Hold out the users who came last, and divide the data at the earliest of their events.

    Parameters
    ----------
    events
        All events, ordered by user, time and movie.
    share
        Share of users to hold out, in order of their first event. Users who begin in the same second are held out
        together.

    Raises
    ------
    EmptyResultError
        If no user is held out, or nothing is left to learn from.
    """
    _, starts, user_idx = np.unique(events.user, return_index=True, return_inverse=True)
    first = events.timestamp[starts]
    n_held_out = round(share * len(first))
    if n_held_out == 0:
        raise EmptyResultError(
            f"A share of {share:g} of {len(first):,} users is less than one user, so nobody can be held out.",
            "Hold out a larger share of the users.",
        )
    starts_at = int(np.sort(first)[-n_held_out])
    is_held_out = (first >= starts_at)[user_idx]
    learned = events.only(~is_held_out & (events.timestamp < starts_at))
    if not len(learned):
        raise EmptyResultError(
            "There is nothing to learn from: no user has events before those of the held-out users.",
            "Hold out a smaller share of the users.",
        )
    return Window(starts_at, learned, events.only(is_held_out))
