"""Predict each like of a replayed user from the user's earlier events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlrec.dataset.events import Events
from mlrec.evaluation.replay.arms import Arm, ReplayModel
from mlrec.ids import rows_of
from mlrec.machine import blas_threads
from mlrec.progress import SILENT, Progress
from mlrec.ranking.top_n import ranks_of, top_n_rows

# Scores that one thread holds at once for one arm (16 MB of float32).
_BLOCK_SCORES = 4_000_000

# A rank beyond every list.
_MISSED = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Trials:
    """The likes that were predicted; arrays are (likes,), ordered by user and time.

    Attributes
    ----------
    user
        The user who liked the movie: the position in `Events.user_ids`, int32.
    n_before
        Number of earlier events of the user, int64.
    is_known
        Whether the model knows the movie.
    in_core
        Whether the like is in the core.
    ranks
        Arm → the movie's rank, from 1, int64. Movies that the model does not know have a huge rank.
    disliked
        Arm → share of its list that the user disliked later, float64.
    """

    user: NDArray[np.int32]
    n_before: NDArray[np.int64]
    is_known: NDArray[np.bool_]
    in_core: NDArray[np.bool_]
    ranks: dict[str, NDArray[np.int64]]
    disliked: dict[str, NDArray[np.float64]]

    def hits(self, k: int) -> dict[str, NDArray[np.bool_]]:
        """Return arm → whether the movie was among the first k."""
        return {name: rank <= k for name, rank in self.ranks.items()}

    def reciprocal_ranks(self, k: int) -> dict[str, NDArray[np.float64]]:
        """Return arm → 1 / rank of the movie if it was among the first k, else 0."""
        return {name: np.where(rank <= k, 1.0 / rank, 0.0) for name, rank in self.ranks.items()}

    def only(self, chosen: NDArray[np.bool_]) -> Trials:
        """Return some of the trials; `chosen` is (likes,)."""
        return Trials(
            self.user[chosen],
            self.n_before[chosen],
            self.is_known[chosen],
            self.in_core[chosen],
            {name: rank[chosen] for name, rank in self.ranks.items()},
            {name: share[chosen] for name, share in self.disliked.items()},
        )


def predict(
    events: Events,
    model: ReplayModel,
    arms: Mapping[str, Arm],
    k: int,
    threads: int,
    progress: Progress = SILENT,
    *,
    within_core: bool = False,
) -> Trials:
    """Find the rank of each liked movie in the list of each arm just before the user liked it.

    Parameters
    ----------
    events
        The held-out users' events, ordered by user, time and movie.
    model
        Defines the movie rows.
    arms
        Name → arm.
    k
        Cutoff of the lists in which disliked movies are counted.
    threads
        Threads to replay with. The figures do not depend on their number.
    progress
        Is told how many users are done.
    within_core
        Whether only movies of the core are listed, and only likes of them are predicted.
    """
    movie_idx = rows_of(model.movie_ids, events.movie_ids)[events.movie]
    users, starts = np.unique(events.user, return_index=True)
    bounds = np.append(starts, len(events))
    is_like = events.preference > 0
    is_predicted = is_like & events.in_core if within_core else is_like
    found = {name: np.full(len(events), _MISSED) for name in arms}
    disliked = {name: np.zeros(len(events)) for name in arms}

    def replay_user(user: int) -> None:
        own = slice(bounds[user], bounds[user + 1])
        to_predict = np.flatnonzero(is_predicted[own])
        is_disliked = np.zeros(len(model.movie_ids), dtype=bool)
        is_disliked[movie_idx[own][~is_like[own] & (movie_idx[own] >= 0)]] = True
        for positions, unseen in _blocks(movie_idx[own], to_predict, len(model.movie_ids)):
            if within_core:
                unseen &= model.is_trained
            for name, arm in arms.items():
                scores = arm(movie_idx[own], events.preference[own], positions)
                liked = movie_idx[own][positions]
                is_known = (liked >= 0) & unseen[np.arange(len(positions)), np.maximum(liked, 0)]
                found[name][(bounds[user] + positions)[is_known]] = ranks_of(
                    scores[is_known], liked[is_known], unseen[is_known]
                )
                # A disliked movie that the user has not seen yet will be disliked later.
                listed = top_n_rows(np.where(unseen, scores, -np.inf).astype(np.float32), k)
                to_come = is_disliked[np.maximum(listed, 0)] & (listed >= 0)
                disliked[name][bounds[user] + positions] = to_come.sum(axis=1) / k

    with (
        blas_threads(),
        ThreadPoolExecutor(threads) as pool,
        progress.task("Replaying", len(users), "users") as task,
    ):
        for _ in pool.map(replay_user, range(len(users))):
            task.advance()
    n_before = np.arange(len(events)) - np.repeat(starts, np.diff(bounds))
    return Trials(
        user=events.user[is_predicted],
        n_before=n_before[is_predicted],
        is_known=movie_idx[is_predicted] >= 0,
        in_core=events.in_core[is_predicted],
        ranks={name: rank[is_predicted] for name, rank in found.items()},
        disliked={name: share[is_predicted] for name, share in disliked.items()},
    )


def _blocks(
    movie_idx: NDArray[np.int32], to_predict: NDArray[np.int64], n_movies: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.bool_]]]:
    """Yield blocks of positions, with the movies that the user has not seen before each, bool (positions, movies)."""
    seen_at = np.full(n_movies, len(movie_idx))
    known = np.flatnonzero(movie_idx >= 0)
    seen_at[movie_idx[known]] = known
    size = max(1, _BLOCK_SCORES // n_movies)
    for start in range(0, len(to_predict), size):
        positions = to_predict[start : start + size]
        yield positions, seen_at >= positions[:, None]
