"""The lists of all users at once, for precomputing them: a few matrix products per block of users."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mlrec.ids import IdArray, public_at
from mlrec.progress import Progress
from mlrec.ranking.best_unseen import Seen, blocks
from mlrec.ranking.filters import without
from mlrec.ranking.histories import History
from mlrec.ranking.personal import BestByTaste
from mlrec.serving.allowed import Allowed
from mlrec.serving.list_filters import ListFilters
from mlrec.serving.lists import NOTHING, RankedRows, ranked_rows, sources
from mlrec.serving.people import everybody
from mlrec.serving.served_model import ServedModel, as_column
from mlrec.serving.stores.interface import SwipeStore
from mlrec.serving.user_views import UserViews


@dataclass(frozen=True)
class Block:
    """Lists of some users as columns; all arrays are (rows,), ordered by user id and rank.

    Attributes
    ----------
    users
        Number of users in the block; some may have an empty list.
    user_id, movie_id
        Int64; for text ids, objects of type `str`.
    rank
        Int64.
    score
        Float32; see `Recommendation`.
    source
        Text.
    """

    users: int
    user_id: NDArray[Any]
    rank: NDArray[np.int64]
    movie_id: NDArray[Any]
    score: NDArray[np.float32]
    source: NDArray[np.str_]


def recommend_all(
    served: ServedModel,
    views: UserViews,
    store: SwipeStore,
    n: int,
    allowed: Allowed,
    progress: Progress,
) -> Iterator[Block]:
    """Yield the lists of everybody, ascending by user id: see `people.everybody`.

    For most users, the saved vector is all that is needed, and a block of them is ranked at once. The others are
    ranked one by one: users who have swiped, users with few opinions, and all users if the place of a movie depends on
    those above it or only seen movies are listed.
    """
    filters = allowed.filters
    user_ids, has_swiped = everybody(served, store)
    # All at once: for each block, NumPy might copy the model's ids to the width of the block's.
    rows = np.minimum(np.searchsorted(served.model.user_ids, user_ids), len(served.model.user_ids) - 1)
    candidates = without(len(served.movie_ids), allowed.excluded)
    if allowed.candidates is not None:
        candidates &= allowed.candidates
    best, n = served.ranker.personal.best(candidates), min(n, len(served.movie_ids))
    with progress.task("Recommending", len(user_ids), "users") as task:
        for place in blocks(len(user_ids), len(served.movie_ids)):
            block = user_ids[place]
            lists: list[RankedRows] = [NOTHING] * len(block)
            together = np.zeros(len(block), dtype=bool)
            if filters.ranks_alone and filters.seen != "only":
                saved = _Saved.of(served, block, rows[place])
                together = ~has_swiped[place] & saved.are_personal()
                for position, found in zip(
                    np.flatnonzero(together).tolist(), saved.ranked(together, n, best, filters), strict=True
                ):
                    lists[position] = found
            for position in np.flatnonzero(~together).tolist():
                lists[position] = ranked_rows(views.get(served, public_at(block, position)), n, allowed)
            yield _block(served, block, lists, filters)
            task.advance(len(block))


@dataclass(frozen=True)
class _Saved:
    """What a model has saved for some users. For users unknown to the model, the values are those of another user.

    Attributes
    ----------
    served
        The model.
    is_known
        Whether the model knows each user, bool (users,).
    history_rows
        The users' rows in `history`, int64 (users,).
    vectors
        Float32 (users, factors).
    history
        The events of all users of the model from the first to the last of these users.
    """

    served: ServedModel
    is_known: NDArray[np.bool_]
    history_rows: NDArray[np.int64]
    vectors: NDArray[np.float32]
    history: History

    @classmethod
    def of(cls, served: ServedModel, user_ids: IdArray, rows: NDArray[np.int64]) -> Self:
        """Look up users, whose ids must ascend, in the rows where they are if the model knows them."""
        model = served.model
        return cls(
            served,
            is_known=model.user_ids[rows] == user_ids,
            history_rows=rows - rows[0],
            vectors=model.vectors_of(rows),
            history=model.history.of_rows(int(rows[0]), int(rows[-1]) + 1),
        )

    def are_personal(self) -> NDArray[np.bool_]:
        """Which users are ranked by their saved vector alone, without popularity; bool (users,)."""
        learned_before = np.concatenate([[0], np.cumsum(self.served.learned[self.history.split])])
        n_learned = np.diff(learned_before[self.history.indptr])[self.history_rows]
        return self.is_known & self.served.ranker.is_personal(self.vectors, n_learned)

    def ranked(
        self, chosen: NDArray[np.bool_], n: int, best: BestByTaste, filters: ListFilters
    ) -> Iterator[RankedRows]:
        """Rank movies for the chosen users."""
        rows = self.history_rows[chosen]
        seen = Seen.of(self.history, rows[:0] if filters.seen == "show" else rows)
        likes = self.served.ranker.likes(self._learned, rows)
        yield from map(RankedRows.by_taste, *best.lists(self.vectors[chosen], likes, seen, n))

    @property
    def _learned(self) -> History:
        """The events that the vectors come from."""
        return self.history.only(self.served.model.info.trained_on)


def _block(served: ServedModel, user_ids: IdArray, lists: list[RankedRows], filters: ListFilters) -> Block:
    lengths = [len(found.rows) for found in lists]
    rows = np.concatenate([found.rows for found in lists])
    return Block(
        users=len(user_ids),
        user_id=np.repeat(as_column(user_ids), lengths),
        rank=np.concatenate([np.arange(1, length + 1) for length in lengths]),
        movie_id=served.public_movie_ids[rows],
        score=np.concatenate([found.shown for found in lists]),
        source=np.array(sources(np.concatenate([found.taste for found in lists]), filters), dtype=np.str_),
    )
