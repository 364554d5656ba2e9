"""The protocols: divide events into those to learn from, those known of a user, and those to find.

`mlrec prepare` writes one such division to disk. These functions make the others in memory from the same events.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mlrec.artifacts.prepared import Manifest
from mlrec.dataset.events import Events
from mlrec.errors import EmptyResultError, SettingsError
from mlrec.settings import Relevance, SplitName

# A time after all events.
_NEVER = np.iinfo(np.int64).max

# For a held-out user, events to fold in are marked as validation and events to find as test. So the code that evaluates
# a test split with its known history evaluates these users too.
_LEARNED, _FOLDED_IN, _PREDICTED = range(3)


def require_times(manifest: Manifest) -> None:
    """Raise a `SettingsError` if the events of some data have only an order, and no times."""
    if not manifest.reading.has_times:
        raise SettingsError(
            "The prepared data has no times, so users cannot be compared at one moment.",
            "Prepare data with times, or use --protocol user-time or held-out-users.",
        )


SITTING_SECONDS = 1_800
"""A pause of more than this ends a sitting."""


def shuffled_sittings(events: Events, random_seed: int) -> Events:
    """Deal the order of events within each sitting anew: which movie was seen at which of its times.

    A sitting is a run of a user's events without a pause of more than 30 minutes. Whoever rates down a page leaves the
    order of the page in the data; afterwards it is gone. Times stay as they are, and so does what is seen in which
    sitting.

    Parameters
    ----------
    events
        Events ordered by user and time.
    random_seed
        Seed for dealing.

    Returns
    -------
    Events
        As many events with the same times, in the same places.
    """
    is_new = np.ones(len(events), dtype=bool)
    is_new[1:] = (events.user[1:] != events.user[:-1]) | (np.diff(events.timestamp) > SITTING_SECONDS)
    sitting = np.cumsum(is_new)
    dealt = np.lexsort((np.random.default_rng(random_seed).random(len(events)), sitting))
    moved = ("movie", "preference", "in_core")
    return replace(events, **{name: getattr(events, name)[dealt] for name in moved})


def by_user_time(events: Events, ratio: Sequence[int], counted: NDArray[np.bool_] | None = None) -> Events:
    """Split each user's history by time: the first ⌊n·a/s⌋ events are train, the next ⌊n·b/s⌋ val, the rest test.

    Events that are not counted belong to the split of the user's next event that is, or of the last one.

    Parameters
    ----------
    events
        Events ordered by user, time and movie.
    ratio
        a, b and c; s is their sum. All events of a user with fewer than 3 events are train.
    counted
        Which events are counted, bool (events,); None: those in the core.

    Returns
    -------
    Events
        The same events with the splits that `mlrec prepare` makes.
    """
    places = np.flatnonzero(events.in_core if counted is None else counted)
    users = events.user[places]
    _, starts, user_idx, n_events = np.unique(users, return_index=True, return_inverse=True, return_counts=True)
    n_train, n_val = (n_events * part // sum(ratio) for part in ratio[:2])
    position = np.arange(len(users)) - starts[user_idx]
    split = (position >= n_train[user_idx]).astype(np.int8) + (position >= (n_train + n_val)[user_idx])
    split = np.where(n_events[user_idx] < 3, 0, split).astype(np.int8)
    # For each event, the next counted event, itself included; after a user's last one, that one.
    following = np.minimum(np.searchsorted(places, np.arange(len(events))), len(places) - 1)
    following -= users[following] != events.user
    return replace(events, split=split[following])


def by_global_time(events: Events, ratio: Sequence[int], counted: NDArray[np.bool_] | None = None) -> Events:
    """Split all users at the same two times: those of the events ⌊N·a/s⌋ and ⌊N·a/s⌋ + ⌊N·b/s⌋ in time order, from 0.

    Parameters and result are as in `by_user_time`.
    """
    counted = events.in_core if counted is None else counted
    n_events = int(counted.sum())
    in_time = np.append(np.sort(events.timestamp[counted]), _NEVER)
    n_train, n_val = (n_events * part // sum(ratio) for part in ratio[:2])
    val_from, test_from = in_time[n_train], in_time[min(n_train + n_val, n_events)]
    split = (events.timestamp >= val_from).astype(np.int8) + (events.timestamp >= test_from)
    return replace(events, split=split.astype(np.int8))


def by_held_out_users(events: Events, part: SplitName, relevance: Relevance, share: float, random_seed: int) -> Events:
    """Hold out users, fold in 80% of each one's history, and predict the rest (Liang et al. 2018, section 4.1).

    As in the paper, only relevant events are divided. If only liked movies are relevant, these users' dislikes are
    neither known nor masked; they are among the events to find, but are not relevant.

    Parameters
    ----------
    events
        Events ordered by user, time and movie.
    part
        "val" and "test" hold out different users. The model learns from neither.
    relevance
        Which events are relevant.
    share
        Share of all users that each of the two splits holds out.
    random_seed
        Seed for drawing users and their events.

    Returns
    -------
    Events
        Events to learn from as train, events to fold in as val, the evaluated users' other events as test. Events of
        the users that the other split holds out are omitted.

    Raises
    ------
    EmptyResultError
        If no user is held out, or nothing is left to learn from.
    """
    draw = np.random.default_rng(random_seed)
    user_ids, user_idx = np.unique(events.user, return_inverse=True)
    n_held_out = round(share * len(user_ids))
    if not 0 < 2 * n_held_out < len(user_ids):
        raise EmptyResultError(
            f"With a share of {share:g}, val and test hold out {n_held_out:,} users each, of {len(user_ids):,} in all.",
            "Hold out a larger share of the users." if n_held_out == 0 else "Hold out a smaller share of the users.",
        )
    drawn = draw.permutation(len(user_ids))
    first = n_held_out if part == "test" else 0
    is_learned = np.ones(len(user_ids), dtype=bool)
    is_learned[drawn[: 2 * n_held_out]] = False
    is_judged = np.zeros(len(user_ids), dtype=bool)
    is_judged[drawn[first : first + n_held_out]] = True

    of_judged = is_judged[user_idx]
    is_divided = of_judged & ((events.preference > 0) | (relevance == "any"))
    split = np.full(len(events), _LEARNED, dtype=np.int8)
    split[of_judged] = _PREDICTED
    # The core first, so that its events are divided as if there were no others.
    for part_of_events in (events.in_core, ~events.in_core):
        chosen = is_divided & part_of_events
        position, n_events = _random_positions(user_idx, chosen, draw)
        split[chosen & (5 * position < 4 * n_events)] = _FOLDED_IN
    keep = is_learned[user_idx] | of_judged
    return replace(events, split=split).only(keep)


def _random_positions(
    user_idx: NDArray[np.int64], is_chosen: NDArray[np.bool_], draw: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Shuffle each user's chosen events: return their positions in that order and their number, both (events,)."""
    chosen = np.flatnonzero(is_chosen)
    order = np.lexsort((draw.random(len(chosen)), user_idx[chosen]))
    _, starts, counts = np.unique(user_idx[chosen][order], return_index=True, return_counts=True)
    position, n_events = np.zeros(len(user_idx), dtype=np.int64), np.zeros(len(user_idx), dtype=np.int64)
    position[chosen[order]] = np.arange(len(chosen)) - np.repeat(starts, counts)
    n_events[chosen[order]] = np.repeat(counts, counts)
    return position, n_events
