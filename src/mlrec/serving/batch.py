"""Every user's list at once, in blocks through one matrix product, for those who precompute."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mlrec.progress import Progress
from mlrec.ranking.histories import History
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
            lists: list[RankedRows] = [NOTHING] * len(block)
            together = np.zeros(len(block), dtype=bool)
            if not options.diversity:
                saved = _Saved.of(served, block)
                together = ~has_swiped[start : start + size] & saved.are_personal()
                for position, found in zip(
                    np.flatnonzero(together).tolist(), saved.ranked(together, n, candidates, options), strict=True
                ):
                    lists[position] = found
            for position in np.flatnonzero(~together).tolist():
                lists[position] = ranked_rows(views.get(served, int(block[position])), n, options)
            yield _block(served, block, lists, options)
            task.advance(len(block))


@dataclass(frozen=True)
class _Saved:
    """What a model has saved of some users; those whom it does not know have what another user has.

    Attributes
    ----------
    served
        The model.
    is_known
        Whether the model knows them, bool (users,).
    place
        Rows of `history`, int64 (users,).
    vectors
        Float32 (users, factors).
    history
        Of all users of the model from the first to the last of them.
    """

    served: ServedModel
    is_known: NDArray[np.bool_]
    place: NDArray[np.int64]
    vectors: NDArray[np.float32]
    history: History

    @classmethod
    def of(cls, served: ServedModel, user_ids: NDArray[np.int64]) -> Self:
        """Look some users up, ascending by id."""
        model = served.model
        rows = np.minimum(np.searchsorted(model.user_ids, user_ids), len(model.user_ids) - 1)
        return cls(
            served,
            is_known=model.user_ids[rows] == user_ids,
            place=rows - rows[0],
            vectors=model.vectors_of(rows),
            history=model.history.of_rows(int(rows[0]), int(rows[-1]) + 1),
        )

    def are_personal(self) -> NDArray[np.bool_]:
        """Which users have a vector that says all there is, without popularity in it; bool (users,)."""
        learned_before = np.concatenate([[0], np.cumsum(self.served.learned[self.history.split])])
        n_learned = np.diff(learned_before[self.history.indptr])[self.place]
        return self.is_known & self.served.ranker.is_personal(self.vectors, n_learned)

    def ranked(
        self, chosen: NDArray[np.bool_], n: int, candidates: NDArray[np.bool_], options: ListOptions
    ) -> Iterator[RankedRows]:
        """Rank for some of the users, all through one product."""
        if not chosen.any():
            return
        scores = user_scores(self.vectors[chosen], self.served.movie_factors)
        scores[:, ~candidates] = -np.inf
        if not options.include_seen:
            for position, place in enumerate(self.place[chosen].tolist()):
                seen = self.history.movie_idx[self.history.of(place)]
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
