"""Dividing events into what is learned, what is known of a user, and what is to be found: the protocols.

`mlrec prepare` writes one division to disk; these make the others, in memory, from the same events.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mlrec.dataset.reading import Events
from mlrec.errors import EmptyResultError
from mlrec.settings import Relevance, SplitName

# A moment that never comes.
_NEVER = np.iinfo(np.int64).max

# What is folded in of a user who was kept from training stands as validation, what is to be found as test: so whatever
# judges a test part by its known history judges these users, too.
_LEARNED, _FOLDED_IN, _PREDICTED = range(3)


def by_user_time(events: Events, ratio: Sequence[int]) -> Events:
    """Split each user's history by time: the first ⌊n·a/s⌋ events train, the next ⌊n·b/s⌋ validate, the rest test.

    Parameters
    ----------
    events
        In the order user, time, movie.
    ratio
        a, b and c; s is their sum. Users with fewer than 3 events are all train.

    Returns
    -------
    Events
        The same events with other splits: those that `mlrec prepare` makes.
    """
    _, starts, user_idx, n_events = np.unique(
        events.user_id, return_index=True, return_inverse=True, return_counts=True
    )
    n_train, n_val = (n_events * part // sum(ratio) for part in ratio[:2])
    position = np.arange(len(events)) - starts[user_idx]
    split = (position >= n_train[user_idx]).astype(np.int8) + (position >= (n_train + n_val)[user_idx])
    return replace(events, split=np.where(n_events[user_idx] < 3, 0, split).astype(np.int8))


def by_global_time(events: Events, ratio: Sequence[int]) -> Events:
    """Split at two cutoff times for everybody: those of the events ⌊N·a/s⌋ and ⌊N·a/s⌋ + ⌊N·b/s⌋ in time order, from 0.

    Parameters and result are those of `by_user_time`.
    """
    in_time = np.append(np.sort(events.timestamp), _NEVER)
    n_train, n_val = (len(events) * part // sum(ratio) for part in ratio[:2])
    val_from, test_from = in_time[n_train], in_time[min(n_train + n_val, len(events))]
    split = (events.timestamp >= val_from).astype(np.int8) + (events.timestamp >= test_from)
    return replace(events, split=split.astype(np.int8))


def by_held_out_users(events: Events, part: SplitName, relevance: Relevance, share: float, random_seed: int) -> Events:
    """Keep users from training, fold in 80% of each one's history, predict the rest (Liang et al. 2018, section 4.1).

    Only events that count as relevant are divided, as published. If that means liked, these users' dislikes are neither
    known nor masked; they stand among what is predicted, where they are not relevant.

    Parameters
    ----------
    events
        In the order user, time, movie.
    part
        "val" and "test" hold out different users; neither are learned from.
    relevance
        Which events are relevant.
    share
        Share of all users that each of the two parts holds out.
    random_seed
        Seed of the draw of users and of their events.

    Returns
    -------
    Events
        What is learned from as train, what is folded in as validation, the judged users' other events as test. Events
        of users whom the other part holds out are left out.

    Raises
    ------
    EmptyResultError
        If nobody is held out, or nothing is left to learn from.
    """
    draw = np.random.default_rng(random_seed)
    user_ids, user_idx = np.unique(events.user_id, return_inverse=True)
    n_held_out = round(share * len(user_ids))
    if not 0 < 2 * n_held_out < len(user_ids):
        raise EmptyResultError(
            f"A share of {share:g} of {len(user_ids):,} users for each part holds out {n_held_out:,} users twice.",
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
    position, n_events = _random_positions(user_idx, is_divided, draw)
    split = np.full(len(events), _LEARNED, dtype=np.int8)
    split[of_judged] = _PREDICTED
    split[is_divided & (5 * position < 4 * n_events)] = _FOLDED_IN
    keep = is_learned[user_idx] | of_judged
    return replace(events, split=split).only(keep)


def _random_positions(
    user_idx: NDArray[np.int64], is_chosen: NDArray[np.bool_], draw: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """A random order of each user's chosen events: their positions in it, and how many there are; both (events,)."""
    chosen = np.flatnonzero(is_chosen)
    order = np.lexsort((draw.random(len(chosen)), user_idx[chosen]))
    _, starts, counts = np.unique(user_idx[chosen][order], return_index=True, return_counts=True)
    position, n_events = np.zeros(len(user_idx), dtype=np.int64), np.zeros(len(user_idx), dtype=np.int64)
    position[chosen[order]] = np.arange(len(chosen)) - np.repeat(starts, counts)
    n_events[chosen[order]] = np.repeat(counts, counts)
    return position, n_events
