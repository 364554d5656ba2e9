"""Every user's list at once, in blocks through one matrix product, for those who precompute."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlrec.progress import Progress
from mlrec.ranking.scores import user_scores
from mlrec.ranking.top_n import top_n_rows
from mlrec.serving.lists import NOTHING, ListOptions, RankedRows, ranked_rows, sources
from mlrec.serving.served_model import ServedModel
from mlrec.serving.stores.interface import SwipeStore
from mlrec.serving.user_views import UserViews

# Scores held at once (16 MB of float32).
_BLOCK_SCORES = 4_000_000


@dataclass(frozen=True)
class Block:
    """Lists of some users as columns; all arrays are (rows,), ordered by user id and rank.

    Attributes
    ----------
    users
        How many users the block is about; some may have an empty list.
    user_id, rank, movie_id
        Int64.
    score
        Float32; see `Recommendation`.
    source
        Text.
    """

    users: int
    user_id: NDArray[np.int64]
    rank: NDArray[np.int64]
    movie_id: NDArray[np.int64]
    score: NDArray[np.float32]
    source: NDArray[np.str_]


def recommend_all(
    served: ServedModel,
    views: UserViews,
    store: SwipeStore,
    n: int,
    options: ListOptions,
    handover: int,
    progress: Progress,
) -> Iterator[Block]:
    """Yield the lists of all users of the model and of the store, ascending by user id.

    Most users' vectors lie in the model as they are needed, and one product scores a block of them. The others (who
    have swiped, of whom little is known, or who want diversity) are ranked one by one.
    """
    swiped = np.array(store.user_ids(), dtype=np.int64)
    user_ids = np.union1d(np.asarray(served.model.user_ids), swiped)
    user_ids = user_ids[~np.isin(user_ids, np.array(store.forgotten(), dtype=np.int64))]
    has_swiped = np.isin(user_ids, swiped)
    candidates = served.candidates(options.genres, options.years, options.exclude)
    size = max(1, _BLOCK_SCORES // len(served.movie_ids))
    with progress.task("Recommending", len(user_ids), "users") as task:
        for start in range(0, len(user_ids), size):
            block = user_ids[start : start + size]
            together = np.zeros(len(block), dtype=bool)
            if not options.diversity:
                together = ~has_swiped[start : start + size] & _is_settled(served, block, handover)
            lists: list[RankedRows] = [NOTHING] * len(block)
            for position, found in zip(
                np.flatnonzero(together).tolist(),
                _ranked_together(served, block[together], n, candidates, options),
                strict=True,
            ):
                lists[position] = found
            for position in np.flatnonzero(~together).tolist():
                lists[position] = ranked_rows(views.get(served, int(block[position])), n, options, handover)
            yield _block(served, block, lists, options)
            task.advance(len(block))


def _is_settled(served: ServedModel, user_ids: NDArray[np.int64], handover: int) -> NDArray[np.bool_]:
    """Which users have a saved vector that says all there is, without popularity in it; bool (users,)."""
    model = served.model
    rows = np.minimum(np.searchsorted(model.user_ids, user_ids), len(model.user_ids) - 1)
    first, last = int(rows.min()), int(rows.max())
    events = slice(int(model.history.indptr[first]), int(model.history.indptr[last + 1]))
    learned_before = np.concatenate([[0], np.cumsum(served.learned[model.history.split[events]])])
    bounds = model.history.indptr[first : last + 2] - events.start
    n_learned = np.diff(learned_before[bounds])[rows - first]
    has_taste = np.asarray(model.user_vectors[rows]).any(axis=1)
    return np.asarray((model.user_ids[rows] == user_ids) & has_taste & (n_learned >= handover))


def _ranked_together(
    served: ServedModel,
    user_ids: NDArray[np.int64],
    n: int,
    candidates: NDArray[np.bool_],
    options: ListOptions,
) -> Iterator[RankedRows]:
    """Rank for users with saved vectors, all through one product."""
    if not len(user_ids):
        return
    model = served.model
    rows = np.searchsorted(model.user_ids, user_ids)
    scores = user_scores(np.asarray(model.user_vectors[rows]), served.movie_factors)
    scores[:, ~candidates] = -np.inf
    if not options.include_seen:
        for position, row in enumerate(rows.tolist()):
            seen = model.history.movie_idx[model.history.of(row)]
            scores[position, seen[seen >= 0]] = -np.inf
    for own, places in zip(scores, top_n_rows(scores, n), strict=True):
        found = places[places >= 0]
        yield RankedRows(found, own[found], np.ones(len(found), dtype=bool))


def _block(served: ServedModel, user_ids: NDArray[np.int64], lists: list[RankedRows], options: ListOptions) -> Block:
    lengths = [len(found.rows) for found in lists]
    rows = np.concatenate([found.rows for found in lists])
    return Block(
        users=len(user_ids),
        user_id=np.repeat(user_ids, lengths),
        rank=np.concatenate([np.arange(1, length + 1) for length in lengths]),
        movie_id=served.movie_ids[rows],
        score=np.concatenate([found.shown for found in lists]),
        source=np.array(sources(np.concatenate([found.is_personal for found in lists]), options), dtype=np.str_),
    )
