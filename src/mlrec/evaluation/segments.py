"""Segments of users and of movies, for which a model may be better or worse than on average."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mlrec.evaluation.wording import span_name

THIRDS = 3

PAUSES = ("same minute", "same day", "later")
"""How long after the user's last known event a movie was seen: within 60 seconds, within 24 hours, or later."""
NO_PAUSE = len(PAUSES)
"""Nothing was known of the user."""
NEVER = np.iinfo(np.int64).min
"""The time of the last known event of a user of whom nothing is known."""
_BELOW = (60, 86_400)  # seconds

# Users are grouped by their number of known events: from each of these numbers up to the next.
_FEWEST_KNOWN = (0, 1, 10, 20, 50, 100, 200, 500)


def popularity_thirds(popularity: NDArray[np.int64]) -> NDArray[np.int8]:
    """Divide movies into thirds by likes: 0 for the few most popular movies, 2 for the many least popular ones.

    Parameters
    ----------
    popularity
        Likes by movie row, int64 (movies,).

    Returns
    -------
    ndarray
        int8 (movies,). The movies are ordered by popularity, ties by row. Each third has a third of all likes; a movie
        on a border belongs to the more popular third.
    """
    order = np.argsort(-popularity, kind="stable")
    likes_before = np.cumsum(popularity[order]) - popularity[order]
    third = np.empty(len(popularity), dtype=np.int8)
    third[order] = np.minimum(THIRDS * likes_before // max(int(popularity.sum()), 1), THIRDS - 1)
    return third


def history_spans(n_known: NDArray[np.int64]) -> list[tuple[str, NDArray[np.bool_]]]:
    """Group users by their number of known events. Empty groups are omitted.

    Parameters
    ----------
    n_known
        Number of known events by user, (users,).

    Returns
    -------
    list
        Name ("20 to 49") and members, bool (users,), of each group.
    """
    found = []
    for fewest, below in zip(_FEWEST_KNOWN, (*_FEWEST_KNOWN[1:], None), strict=True):
        chosen = n_known >= fewest
        if below is not None:
            chosen &= n_known < below
        if chosen.any():
            found.append((span_name(fewest, below), chosen))
    return found


def pause_lengths(last_known: NDArray[np.int64], timestamp: NDArray[np.int64]) -> NDArray[np.int8]:
    """Say how long after the user's last known event each event was: a position in `PAUSES`, or `NO_PAUSE`.

    Parameters
    ----------
    last_known
        Time of the last known event of each event's user, `NEVER` if there is none, int64 (events,).
    timestamp
        Time of each event, int64 (events,).

    Returns
    -------
    ndarray
        int8 (events,).
    """
    is_known = last_known != NEVER
    seconds = timestamp - np.where(is_known, last_known, timestamp)
    return np.where(is_known, np.searchsorted(_BELOW, seconds, side="right"), NO_PAUSE).astype(np.int8)
