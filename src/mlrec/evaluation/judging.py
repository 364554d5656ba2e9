"""Look for every user's held-out movies in the list that the user would get from a model.

Users are judged in blocks, so memory does not grow with their number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from mlrec.artifacts.model_folder import Model
from mlrec.dataset.reading import HeldOut
from mlrec.evaluation.beyond_accuracy import (
    genre_directions,
    intra_list_diversity,
    mean_over_list,
    self_information,
)
from mlrec.evaluation.listers import Known, Lister
from mlrec.evaluation.metrics import Metric, precision_at_k
from mlrec.evaluation.segments import THIRDS, popularity_thirds
from mlrec.ids import rows_of
from mlrec.model.matrix import Interactions
from mlrec.ranking.best_unseen import Seen, slices
from mlrec.ranking.histories import picked
from mlrec.settings import Relevance

# Users whose lists one thread makes at once. Each list needs few scores.
_BLOCK_USERS = 1024


@dataclass(frozen=True)
class Rows:
    """The movies of each user as a sparse matrix of bool: user i has movie_idx[indptr[i]:indptr[i + 1]]."""

    indptr: NDArray[np.int64]
    movie_idx: NDArray[np.int64]

    def are_in(self, block: slice, ranked: NDArray[np.int64], n_movies: int) -> NDArray[np.bool_]:
        """Whether each ranked movie is one of the user's, bool; `ranked` is (users of the block, n), with −1."""
        starts = self.indptr[block.start : block.stop + 1]
        users = np.arange(len(ranked)) * n_movies
        own = np.repeat(users, np.diff(starts)) + self.movie_idx[starts[0] : starts[-1]]
        return np.asarray(np.isin(users[:, None] + ranked, own, kind="sort") & (ranked >= 0))

    def only(self, users: NDArray[np.int64]) -> Rows:
        """Return the movies of some users, in the order of these users."""
        indptr, positions = picked(self.indptr, users)
        return Rows(indptr, self.movie_idx[positions])


@dataclass(frozen=True)
class HeldOutMovies:
    """Relevant and disliked held-out movies by user.

    Attributes
    ----------
    users
        Rows of the users with a relevant held-out movie, (users,).
    n_relevant
        Number of relevant movies of each, including movies that the model does not know, (users,).
    relevant, disliked
        Relevant and disliked held-out movies of these users that the model knows.
    moments
        Time of each user's first held-out event, int64 (users,): the moment of the list.
    users_left_out
        Number of the model's other users.
    """

    users: NDArray[np.int64]
    n_relevant: NDArray[np.int64]
    relevant: Rows
    disliked: Rows
    moments: NDArray[np.int64]
    users_left_out: int

    @classmethod
    def of(cls, model: Model | Interactions, held_out: HeldOut, relevance: Relevance) -> Self:
        """Collect them from a held-out split. `model` defines the rows of users and movies."""
        is_liked = held_out.preference > 0
        is_relevant = is_liked if relevance == "liked" else np.ones_like(is_liked)
        users, n_relevant = np.unique(held_out.user[is_relevant], return_counts=True)
        row_of_movie = rows_of(model.movie_ids, held_out.movie_ids).astype(np.int64)

        def rows(chosen: NDArray[np.bool_]) -> Rows:
            chosen = chosen & np.isin(held_out.user, users)
            position = np.searchsorted(users, held_out.user[chosen])
            movie_idx = row_of_movie[held_out.movie[chosen]]
            known = movie_idx >= 0
            # Held-out events are ordered by user, so the known ones are already in the order of a CSR matrix.
            return Rows(np.searchsorted(position[known], np.arange(len(users) + 1)), movie_idx[known])

        return cls(
            users=np.searchsorted(model.user_ids, held_out.user_ids[users]),
            n_relevant=n_relevant,
            relevant=rows(is_relevant),
            disliked=rows(~is_liked),
            moments=_first_times(held_out, users),
            users_left_out=len(model.user_ids) - len(users),
        )

    def sampled(self, n: int, random_seed: int) -> HeldOutMovies:
        """Keep n users, drawn at random without replacement, or all if there are not more than n."""
        if not 0 < n < len(self.users):
            return self
        return self.only(np.sort(np.random.default_rng(random_seed).choice(len(self.users), n, replace=False)))

    def only(self, positions: NDArray[np.int64]) -> HeldOutMovies:
        """Keep the users at some positions, ascending."""
        return HeldOutMovies(
            self.users[positions],
            self.n_relevant[positions],
            self.relevant.only(positions),
            self.disliked.only(positions),
            self.moments[positions],
            self.users_left_out,
        )


def _first_times(held_out: HeldOut, users: NDArray[np.int32]) -> NDArray[np.int64]:
    """The time of the first event of each user, int64 (users,)."""
    earliest = np.full(len(held_out.user_ids), np.iinfo(np.int64).max)
    np.minimum.at(earliest, held_out.user, held_out.timestamp)
    return earliest[users]


class PerUser(NamedTuple):
    """A figure as the ratio of the sums of two columns, both float64 (users,); for a mean, the denominators are 1."""

    numerators: NDArray[np.float64]
    denominators: NDArray[np.float64]


@dataclass(frozen=True)
class Judged:
    """The results of one model by user.

    Attributes
    ----------
    per_user
        Metric ("ndcg@10") → columns.
    by_popularity
        Metric ("recall@10") → columns for the relevant movies of each popularity third; see `popularity_thirds`.
    coverage
        Metric ("coverage@10") → share of movies that are in at least one list.
    """

    per_user: dict[str, PerUser]
    by_popularity: dict[str, tuple[PerUser, ...]]
    coverage: dict[str, float]

    @property
    def n_users(self) -> int:
        """How many users were evaluated."""
        return len(next(iter(self.per_user.values())).numerators)


@dataclass(frozen=True)
class Judge:
    """Evaluates one model after the other on the same held-out movies.

    Attributes
    ----------
    held_out
        The relevant and the disliked movies.
    known
        What the models know. Known movies are masked: they are never listed and never relevant.
    metrics
        Name → metric.
    ks
        Cutoffs.
    threads
        Threads for scoring. The figures do not depend on their number.
    """

    held_out: HeldOutMovies
    known: Known
    metrics: Mapping[str, Metric]
    ks: tuple[int, ...]
    threads: int

    def judge(self, lister: Lister, advance: Callable[[int], object]) -> Judged:
        """Evaluate one model. `advance` is called with the number of users that were done since the last call."""
        held_out, likes = self.held_out, self.known.likes_in_train
        popularity = likes.astype(np.float64)
        n_users, n_movies = len(held_out.users), len(popularity)
        information = self_information(likes, self.known.n_users)
        directions = genre_directions(self.known.genres)
        names = [*self.metrics, "novelty", "diversity", "popularity", "disliked"]
        values = {f"{name}@{k}": np.empty(n_users) for k in self.ks for name in names}
        own_popularity = np.empty(n_users)
        third = popularity_thirds(likes)
        found_in = {f"recall@{k}": np.empty((THIRDS, n_users)) for k in self.ks}
        listed = {k: np.zeros(n_movies + 1, dtype=bool) for k in self.ks}  # the last is row −1

        def judge_block(block: slice) -> tuple[int, NDArray[np.int64]]:
            rows = held_out.users[block]
            seen = Seen.of(self.known.history, rows)
            users, masked = seen
            n_masked = np.bincount(users, minlength=len(rows))
            own_popularity[block] = np.bincount(users, popularity[masked], len(rows)) / np.maximum(n_masked, 1)
            ranked = lister(rows, seen, max(self.ks))
            hits, disliked = (
                movies.are_in(block, ranked, n_movies) for movies in (held_out.relevant, held_out.disliked)
            )
            n_relevant = held_out.n_relevant[block]
            third_of_rank = third[np.maximum(ranked, 0)]
            for k in self.ks:
                for number in range(THIRDS):
                    there = (hits & (third_of_rank == number))[:, :k]
                    found_in[f"recall@{k}"][number, block] = there.sum(axis=1)
                for name, metric in self.metrics.items():
                    values[f"{name}@{k}"][block] = metric(hits, n_relevant, k)
                values[f"novelty@{k}"][block] = mean_over_list(ranked, information, k)
                values[f"diversity@{k}"][block] = intra_list_diversity(ranked, directions, k)
                values[f"popularity@{k}"][block] = mean_over_list(ranked, popularity, k)
                values[f"disliked@{k}"][block] = precision_at_k(disliked, n_relevant, k)
            return len(rows), ranked

        with ThreadPoolExecutor(self.threads) as pool:
            for done, ranked in pool.map(judge_block, slices(n_users, _BLOCK_USERS)):
                for k in self.ks:
                    listed[k][ranked[:, :k]] = True
                advance(done)
        return Judged(
            per_user=_per_user(values, own_popularity),
            by_popularity={
                name: tuple(map(PerUser, found, self._relevant_by(third))) for name, found in found_in.items()
            },
            coverage={f"coverage@{k}": float(seen[:-1].mean()) for k, seen in listed.items()},
        )

    def _relevant_by(self, third: NDArray[np.int8]) -> NDArray[np.float64]:
        """Number of each user's relevant movies in each popularity third, float64 (thirds, users)."""
        relevant, n_users = self.held_out.relevant, len(self.held_out.users)
        user = np.repeat(np.arange(n_users), np.diff(relevant.indptr))
        counts = np.bincount(third[relevant.movie_idx].astype(np.int64) * n_users + user, minlength=THIRDS * n_users)
        return counts.reshape(THIRDS, n_users).astype(np.float64)


def _per_user(values: dict[str, NDArray[np.float64]], own_popularity: NDArray[np.float64]) -> dict[str, PerUser]:
    """Return the columns of each figure. `own_popularity` is the mean popularity of each user's known movies, or 0."""
    ones = np.ones(len(own_popularity))
    found = {}
    for name, column in values.items():
        if name.startswith("popularity@"):
            # How much more popular the lists are than the movies that the same users knew before.
            name = name.replace("popularity", "popularity_lift")
            lead = np.where(own_popularity > 0, column - own_popularity, 0.0)
            found[name] = PerUser(lead, own_popularity)
        else:
            found[name] = PerUser(column, ones)
    return found
