"""Look for every user's held-out movies in the list that the user would get from a model.

Users are judged in blocks, so memory does not grow with their number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from mlrec.artifacts.model_folder import Model
from mlrec.dataset.reading import HeldOut
from mlrec.evaluation.beyond_accuracy import (
    Directions,
    genre_directions,
    intra_list_diversity,
    mean_over_list,
    self_information,
)
from mlrec.evaluation.listers import Known, Lister
from mlrec.evaluation.metrics import Metric, ndcg_at_k, precision_at_k, recall_at_k
from mlrec.evaluation.segments import NO_PAUSE, PAUSES, THIRDS, pause_lengths, popularity_thirds
from mlrec.ids import rows_of
from mlrec.model.matrix import Interactions
from mlrec.ranking.best_unseen import Seen
from mlrec.ranking.histories import picked, slices
from mlrec.settings import Relevance

# Users whose lists one thread makes at once. Blocks are equal. There are at most 64 of them, unless a block would then
# have more than 4096 users, and no more than needed for 330 users each: with smaller ones, threads wait for each other.
_MOST_USERS_OF_SMALL, _MOST_USERS, _BLOCKS = 330, 4096, 64
_PAUSE_METRICS: Mapping[str, Metric] = {"ndcg": ndcg_at_k, "recall": recall_at_k}
# How many movies a list must have so that it has such a figure.
_FEWEST_LISTED = {"novelty": 1, "diversity": 2}


@dataclass(frozen=True)
class Rows:
    """The movies of each user as a sparse matrix of bool: user i has movie_idx[indptr[i]:indptr[i + 1]]."""

    indptr: NDArray[np.int64]
    movie_idx: NDArray[np.int64]

    def are_in(self, block: slice, ranked: NDArray[np.int64], n_movies: int) -> NDArray[np.bool_]:
        """Whether each ranked movie is one of the user's, bool; `ranked` is (users of the block, n), with −1."""
        return self.places(block, ranked, n_movies) >= 0

    def places(self, block: slice, ranked: NDArray[np.int64], n_movies: int) -> NDArray[np.int64]:
        """The position in `movie_idx` of each ranked movie, −1 if it is not one of the user's; see `are_in`."""
        starts = self.indptr[block.start : block.stop + 1]
        users = np.arange(len(ranked)) * n_movies
        own = np.repeat(users, np.diff(starts)) + self.movie_idx[starts[0] : starts[-1]]
        if not len(own):
            return np.full(ranked.shape, -1, dtype=np.int64)
        order = np.argsort(own, kind="stable")
        wanted = users[:, None] + ranked
        place = order[np.minimum(np.searchsorted(own, wanted, sorter=order), len(own) - 1)]
        return np.where((own[place] == wanted) & (ranked >= 0), starts[0] + place, -1)

    def only(self, users: NDArray[np.int64]) -> Rows:
        """Return the movies of some users, in the order of these users."""
        indptr, positions = picked(self.indptr, users)
        return Rows(indptr, self.movie_idx[positions])


class Pauses(NamedTuple):
    """How long after the user's last known event each relevant movie was seen.

    Attributes
    ----------
    length
        Position in `PAUSES` for each movie of `HeldOutMovies.relevant`, int8; `NO_PAUSE` if nothing was known.
    n_relevant
        Number of each user's relevant movies after each pause, including movies that the model does not know,
        int64 (pauses, users).
    """

    length: NDArray[np.int8]
    n_relevant: NDArray[np.int64]


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
    n_outside
        How many of each user's relevant movies are outside the core, and how many the model does not know,
        (2, users).
    pauses
        How long after the user's last known event each movie of `relevant` was seen; None if that means nothing.
    """

    users: NDArray[np.int64]
    n_relevant: NDArray[np.int64]
    relevant: Rows
    disliked: Rows
    moments: NDArray[np.int64]
    users_left_out: int
    n_outside: NDArray[np.int64]
    pauses: Pauses | None = None

    @classmethod
    def of(
        cls,
        model: Model | Interactions,
        held_out: HeldOut,
        relevance: Relevance,
        last_known: NDArray[np.int64] | None = None,
    ) -> Self:
        """Collect them from a held-out split.

        Parameters
        ----------
        model
            Defines the rows of users and movies.
        held_out
            The split.
        relevance
            Which of its movies are relevant.
        last_known
            The time of each user's last known event by user row, `NEVER` if there is none, int64 (users,). None:
            pauses mean nothing.
        """
        is_liked = held_out.preference > 0
        is_relevant = is_liked if relevance == "liked" else np.ones_like(is_liked)
        n_relevant_of_all = np.bincount(held_out.user[is_relevant], minlength=len(held_out.user_ids))
        users = np.flatnonzero(n_relevant_of_all)
        place = np.full(len(held_out.user_ids), -1, dtype=np.int64)
        place[users] = np.arange(len(users))
        position = place[held_out.user]  # of each event's user, −1 if the user is left out
        movie_idx = rows_of(model.movie_ids, held_out.movie_ids).astype(np.int64)[held_out.movie]
        user_rows = np.searchsorted(model.user_ids, held_out.user_ids[users])
        is_known = movie_idx >= 0

        def rows(chosen: NDArray[np.bool_]) -> Rows:
            chosen = chosen & is_known & (position >= 0)
            # Held-out events are ordered by user, so these are already in the order of a CSR matrix.
            return Rows(np.concatenate([[0], np.cumsum(counts(chosen))]), movie_idx[chosen])

        def counts(chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
            return np.bincount(position[chosen], minlength=len(users)).astype(np.int64)

        pauses = None
        if last_known is not None:
            length = np.full(len(movie_idx), NO_PAUSE, dtype=np.int8)
            last = last_known[user_rows][position[is_relevant]]
            length[is_relevant] = pause_lengths(last, held_out.timestamp[is_relevant])
            n_relevant_after = [counts(is_relevant & (length == number)) for number in range(len(PAUSES))]
            pauses = Pauses(length[is_relevant & is_known], np.array(n_relevant_after))
        return cls(
            users=user_rows,
            n_relevant=n_relevant_of_all[users],
            relevant=rows(is_relevant),
            disliked=rows(~is_liked),
            moments=_first_times(held_out, users),
            users_left_out=len(model.user_ids) - len(users),
            n_outside=np.array([counts(is_relevant & ~held_out.in_core), counts(is_relevant & ~is_known)]),
            pauses=pauses,
        )

    def sampled(self, n: int, random_seed: int) -> HeldOutMovies:
        """Keep n users, drawn at random without replacement, or all if there are not more than n."""
        if not 0 < n < len(self.users):
            return self
        return self.only(np.sort(np.random.default_rng(random_seed).choice(len(self.users), n, replace=False)))

    def only(self, positions: NDArray[np.int64]) -> HeldOutMovies:
        """Keep the users at some positions, in that order."""
        pauses = self.pauses
        if pauses is not None:
            _, events = picked(self.relevant.indptr, positions)
            pauses = Pauses(pauses.length[events], pauses.n_relevant[:, positions])
        return HeldOutMovies(
            self.users[positions],
            self.n_relevant[positions],
            self.relevant.only(positions),
            self.disliked.only(positions),
            self.moments[positions],
            self.users_left_out,
            self.n_outside[:, positions],
            pauses,
        )


def _first_times(held_out: HeldOut, users: NDArray[np.int64]) -> NDArray[np.int64]:
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
    by_pause
        Metric ("ndcg@10", "recall@10") → columns for the relevant movies after each pause; see `PAUSES`. Empty if
        pauses mean nothing.
    coverage
        Metric ("coverage@10") → share of movies that are in at least one list.
    """

    per_user: dict[str, PerUser]
    by_popularity: dict[str, tuple[PerUser, ...]]
    by_pause: dict[str, tuple[PerUser, ...]]
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

    @cached_property
    def _directions(self) -> Directions:
        """The genres of the movies, which all models are judged by."""
        return genre_directions(self.known.genres)

    def judge(self, lister: Lister, advance: Callable[[int], object]) -> Judged:
        """Evaluate one model. `advance` is called with the number of users that were done since the last call."""
        # What most people liked at the moment of a list takes less time for the moments one after another.
        order = np.argsort(self.held_out.moments, kind="stable")
        held_out, likes = self.held_out.only(order), self.known.likes_in_train
        popularity = likes.astype(np.float64)
        n_users, n_movies = len(held_out.users), len(popularity)
        information = self_information(likes, self.known.n_users_in_train)
        directions = self._directions
        names = [*self.metrics, "novelty", "diversity", "popularity", "disliked"]
        values = {f"{name}@{k}": np.empty(n_users) for k in self.ks for name in names}
        own_popularity, n_listed = np.empty(n_users), np.empty(n_users, dtype=np.int64)
        third = popularity_thirds(likes)
        found_in = {f"recall@{k}": np.empty((THIRDS, n_users)) for k in self.ks}
        after_pause = {f"{name}@{k}": np.empty((len(PAUSES), n_users)) for k in self.ks for name in _PAUSE_METRICS}
        listed = {k: np.zeros(n_movies + 1, dtype=bool) for k in self.ks}  # the last is row −1

        def judge_block(block: slice) -> tuple[int, NDArray[np.int64]]:
            rows, own = held_out.users[block], order[block]
            seen = Seen.of(self.known.history, rows)
            users, masked = seen
            n_masked = np.bincount(users, minlength=len(rows))
            own_popularity[own] = np.bincount(users, popularity[masked], len(rows)) / np.maximum(n_masked, 1)
            ranked = lister(rows, seen, max(self.ks))
            n_listed[own] = np.count_nonzero(ranked >= 0, axis=1)
            place = held_out.relevant.places(block, ranked, n_movies)
            hits, disliked = place >= 0, held_out.disliked.are_in(block, ranked, n_movies)
            if held_out.pauses is not None:
                for name, by_pause in self._judged_pauses(held_out.pauses, block, place):
                    after_pause[name][:, own] = by_pause
            n_relevant = held_out.n_relevant[block]
            third_of_rank = third[np.maximum(ranked, 0)]
            for k in self.ks:
                for number in range(THIRDS):
                    there = (hits & (third_of_rank == number))[:, :k]
                    found_in[f"recall@{k}"][number, own] = there.sum(axis=1)
                for name, metric in self.metrics.items():
                    values[f"{name}@{k}"][own] = metric(hits, n_relevant, k)
                values[f"novelty@{k}"][own] = mean_over_list(ranked, information, k)
                values[f"diversity@{k}"][own] = intra_list_diversity(ranked, directions, k)
                values[f"popularity@{k}"][own] = mean_over_list(ranked, popularity, k)
                values[f"disliked@{k}"][own] = precision_at_k(disliked, n_relevant, k)
            return len(rows), ranked

        with ThreadPoolExecutor(self.threads) as pool:
            for done, ranked in pool.map(judge_block, _blocks(n_users)):
                for k in self.ks:
                    listed[k][ranked[:, :k]] = True
                advance(done)
        pauses, relevant_in = self.held_out.pauses, self._relevant_by(third)
        return Judged(
            per_user=_per_user(values, own_popularity, n_listed),
            by_popularity={name: tuple(map(PerUser, found, relevant_in)) for name, found in found_in.items()},
            by_pause={}
            if pauses is None
            else {
                name: tuple(map(PerUser, found, (pauses.n_relevant > 0).astype(np.float64)))
                for name, found in after_pause.items()
            },
            coverage={f"coverage@{k}": float(seen[:-1].mean()) for k, seen in listed.items()},
        )

    def ndcg(self, lister: Lister, k: int) -> NDArray[np.float64]:
        """Return NDCG@k of each user's list, float64 (users,). Nothing else is computed."""
        held_out, n_movies = self.held_out, len(self.known.popularity)
        values = np.empty(len(held_out.users))

        def look(block: slice) -> None:
            rows = held_out.users[block]
            ranked = lister(rows, Seen.of(self.known.history, rows), k)
            hits = held_out.relevant.are_in(block, ranked, n_movies)
            values[block] = ndcg_at_k(hits, held_out.n_relevant[block], k)

        with ThreadPoolExecutor(self.threads) as pool:
            list(pool.map(look, _blocks(len(values))))
        return values

    def _judged_pauses(
        self, pauses: Pauses, block: slice, place: NDArray[np.int64]
    ) -> Iterator[tuple[str, NDArray[np.float64]]]:
        """Judge the lists of a block as if only the relevant movies after one pause were relevant, (pauses, users)."""
        length = np.where(place >= 0, np.append(pauses.length, NO_PAUSE)[place], NO_PAUSE)
        is_after, n_relevant = [length == number for number in range(len(PAUSES))], pauses.n_relevant[:, block]
        for name, metric in _PAUSE_METRICS.items():
            for k in self.ks:
                found = [metric(hits, np.maximum(own, 1), k) for hits, own in zip(is_after, n_relevant, strict=True)]
                yield f"{name}@{k}", np.where(n_relevant > 0, np.stack(found), 0.0)

    def _relevant_by(self, third: NDArray[np.int8]) -> NDArray[np.float64]:
        """Number of each user's relevant movies in each popularity third, float64 (thirds, users)."""
        relevant, n_users = self.held_out.relevant, len(self.held_out.users)
        user = np.repeat(np.arange(n_users), np.diff(relevant.indptr))
        counts = np.bincount(third[relevant.movie_idx].astype(np.int64) * n_users + user, minlength=THIRDS * n_users)
        return counts.reshape(THIRDS, n_users).astype(np.float64)


def _blocks(n_users: int) -> Iterator[slice]:
    most = min(max(n_users // _BLOCKS, _MOST_USERS_OF_SMALL), _MOST_USERS)
    n_blocks = max(1, math.ceil(n_users / most))
    return slices(n_users, max(1, math.ceil(n_users / n_blocks)))


def _per_user(
    values: dict[str, NDArray[np.float64]], own_popularity: NDArray[np.float64], n_listed: NDArray[np.int64]
) -> dict[str, PerUser]:
    """Return the columns of each figure.

    Novelty, diversity and popularity say nothing of an empty list, and diversity nothing of a list of one movie.

    Parameters
    ----------
    values
        Figure → values, (users,).
    own_popularity
        The mean popularity of each user's known movies, or 0, (users,).
    n_listed
        Length of each user's list, (users,).
    """
    ones = np.ones(len(own_popularity))
    found = {}
    for name, column in values.items():
        kind, _, k = name.partition("@")
        if kind == "popularity":
            # How much more popular the lists are than the movies that the same users knew before.
            known = np.where(n_listed > 0, own_popularity, 0.0)
            lead = np.where(known > 0, column - own_popularity, 0.0)
            found[f"popularity_lift@{k}"] = PerUser(lead, known)
        elif kind in _FEWEST_LISTED:
            says_something = (np.minimum(n_listed, int(k)) >= _FEWEST_LISTED[kind]).astype(np.float64)
            found[name] = PerUser(column * says_something, says_something)
        else:
            found[name] = PerUser(column, ones)
    return found
