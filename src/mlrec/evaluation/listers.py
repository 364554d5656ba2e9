"""The models to evaluate, as listers: each ranks unseen movies for some users, from the same history."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from mlrec.artifacts.model_folder import Model
from mlrec.evaluation.segments import NEVER
from mlrec.ranking.best_mixed import BestMixed, MixedUsers
from mlrec.ranking.best_unseen import Part, Parts, Seen, blocks, lists_by_parts
from mlrec.ranking.fold_in import FoldIn
from mlrec.ranking.histories import History
from mlrec.ranking.item_item import ItemItem
from mlrec.ranking.popularity import PopularityByDate
from mlrec.ranking.ranker import Opinions, Popular, Ranker
from mlrec.ranking.scores import popularity_scores
from mlrec.ranking.top_n import top_n_rows
from mlrec.settings import ServeSettings, SplitName

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

T = TypeVar("T")

_KEPT_MOMENTS = 256
# The shares of so many blocks of users are kept, if they take at most 4 MB each. Only small evaluations are repeated.
_KEPT_BLOCKS, _MOST_SHARES = 8, 1_000_000
# Where all users have one order, so many movies beyond the length of a list are looked at first.
_LOOK_AHEAD = 246

Lister = Callable[[NDArray[np.int64], Seen, int], NDArray[np.int64]]
"""Takes user rows (users,), what these users have seen, and the length n of the lists.

Returns ranked lists of unseen movies: movie rows, int64 (users, n); −1 where a list has fewer candidates.
"""


Shares = tuple[NDArray[np.float32], NDArray[np.floating]]
"""Liked shares of a part of the movies, and what no other movie's share exceeds; see `PopularityByDate.at`."""


@dataclass(frozen=True, eq=False)
class Known:
    """What all models may know.

    Attributes
    ----------
    train
        The events that models learn from.
    history
        The events that are known of a user when movies are recommended. They include those of `train` and have the same
        user rows.
    popularity
        Likes by movie row in the data that the model learned from, int64 (movies,).
    share
        Share of users who liked each movie, by date, float32 (movies,): what a model ranks by for new users.
    half_life
        The half-life in days by which that share can be computed for another moment, from `train`. None: it cannot.
    genres
        Genres by movie row.
    is_trained
        Which movies are in the core, bool (movies,).
    """

    train: History
    history: History
    popularity: NDArray[np.int64]
    share: NDArray[np.float32]
    half_life: float | None
    genres: Sequence[Sequence[str]]
    is_trained: NDArray[np.bool_]

    @classmethod
    def of(cls, model: Model, history_splits: tuple[SplitName, ...]) -> Self:
        """Return what a model that learned from train knows of its users if the history is that of some splits."""
        train = model.history.only(("train",))
        return cls(
            train=train,
            history=train if history_splits == ("train",) else model.history.only(history_splits),
            popularity=np.asarray(model.popularity),
            share=model.recent_share,
            half_life=_half_life(model),
            genres=model.catalogue.genres,
            is_trained=model.is_trained,
        )

    @cached_property
    def core(self) -> Known:
        """What is known of the core alone: its movies become rows 0 and up. Other events are left out."""
        if self.is_trained.all():
            return self
        row = (np.cumsum(self.is_trained) - 1).astype(np.int32)

        def of_core(history: History) -> History:
            kept = history.on(self.is_trained)
            return replace(kept, movie_idx=row[kept.movie_idx])

        train = of_core(self.train)
        return Known(
            train=train,
            history=train if self.history is self.train else of_core(self.history),
            popularity=self.popularity[self.is_trained],
            share=self.share[self.is_trained],
            half_life=self.half_life,
            genres=[self.genres[movie] for movie in np.flatnonzero(self.is_trained).tolist()],
            is_trained=self.is_trained[self.is_trained],
        )

    @cached_property
    def likes_in_train(self) -> NDArray[np.int64]:
        """Likes in train by movie row, int64 (movies,): the popularity that measures the lists of all models."""
        liked = (self.train.preference > 0) & (self.train.movie_idx >= 0)
        return np.bincount(self.train.movie_idx[liked], minlength=len(self.popularity)).astype(np.int64)

    @cached_property
    def by_date(self) -> PopularAtMoments:
        """What most people liked at the moments of users' lists."""
        return PopularAtMoments(self)

    @property
    def n_users(self) -> int:
        """Number of users, including those without events."""
        return len(self.history.indptr) - 1

    @cached_property
    def n_users_in_train(self) -> int:
        """Number of users with an event in train: those whom popularity is a share of."""
        return int(np.count_nonzero(np.diff(self.train.indptr)))

    @property
    def last_times(self) -> NDArray[np.int64]:
        """Time of each user's last known event, int64 (users,); `NEVER` for users without a known event."""
        indptr, has_events = self.history.indptr, np.diff(self.history.indptr) > 0
        times = np.full(self.n_users, NEVER)
        times[has_events] = self.history.timestamp[indptr[1:][has_events] - 1]
        return times


def popularity(known: Known, listed: NDArray[np.bool_] | None = None) -> Lister:
    """Return a lister that ranks by likes in train, alike for all users; for `listed` see `factors`."""
    order = np.argsort(-popularity_scores(known.popularity), kind="stable")
    return in_order(order if listed is None else order[listed[order]], len(known.popularity))


def in_order(order: NDArray[np.int64], n_movies: int) -> Lister:
    """Return a lister of the first unseen movies in one order for all users, given as movie rows, best first."""
    place = np.full(n_movies, len(order), dtype=np.int32)
    place[order] = np.arange(len(order))

    def lists(rows: NDArray[np.int64], seen: Seen, n: int) -> NDArray[np.int64]:
        ranked = np.full((len(rows), n), -1, dtype=np.int64)
        left, width = np.arange(len(rows)), n + _LOOK_AHEAD
        while len(left):
            # Few users have seen so many of the first movies that more have to be looked at.
            width = min(width, len(order))
            own = seen.only(left, len(rows))
            places = place[own.movie_idx]
            there = places < width
            unseen = np.ones((len(left), width), dtype=bool)
            unseen[own.positions[there], places[there]] = False
            rank = np.cumsum(unseen, axis=1, dtype=np.int32)
            is_done = (rank[:, -1] >= n) | (width == len(order)) if width else np.ones(len(left), dtype=bool)
            users, columns = np.nonzero(unseen & (rank <= n) & is_done[:, None])
            ranked[left[users], rank[users, columns] - 1] = order[columns]
            left, width = left[~is_done], 4 * width
        return ranked

    return lists


def recent(
    known: Known, moments: NDArray[np.int64], half_life: float, listed: NDArray[np.bool_] | None = None
) -> Lister:
    """Return a lister that ranks by what most people had liked at the moment of each user's list.

    Parameters
    ----------
    known
        What the models may know.
    moments
        The moment of each user's list, in epoch seconds, int64 (users,). Likes at later moments do not count.
    half_life
        Days after which a like weighs half; see `mlrec.ranking.popularity`.
    listed
        Which movies may be listed, bool (movies,); None: all.
    """
    n_movies = len(known.popularity)
    popularity = PopularityByDate(known.train, n_movies, half_life)
    parts = Parts([np.argsort(-known.popularity, kind="stable")], n_movies)

    def lists(rows: NDArray[np.int64], seen: Seen, n: int) -> NDArray[np.int64]:
        def scores(part: Part, own: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
            found, most_of_others = popularity.at(moments[rows[own]], part)
            if listed is not None:
                found[:, ~listed[part.rows]] = -np.inf
            return found, most_of_others

        return lists_by_parts(parts.of_lists(n), scores, seen, len(rows), n).rows

    return lists


def over_all_movies(lister: Lister, is_trained: NDArray[np.bool_]) -> Lister:
    """Return a lister for all movies, given one for the movies of the core. It lists no others."""
    if is_trained.all():
        return lister
    row_in_core = np.where(is_trained, np.cumsum(is_trained) - 1, -1).astype(np.int32)
    row = np.flatnonzero(is_trained)

    def lists(rows: NDArray[np.int64], seen: Seen, n: int) -> NDArray[np.int64]:
        ranked = lister(rows, seen.within(row_in_core), n)
        return np.where(ranked < 0, -1, row[ranked])

    return lists


def factors(
    known: Known,
    fold_in: FoldIn,
    vectors: NDArray[np.float32],
    serve: ServeSettings,
    moments: NDArray[np.int64] | None = None,
    listed: NDArray[np.bool_] | None = None,
    item_item: ItemItem | None = None,
) -> Lister:
    """Return a lister that ranks as serving does: by taste, and by popularity for new users.

    Parameters
    ----------
    known
        What the models may know.
    fold_in
        The fold-in, with the movie factors.
    vectors
        User vectors by user row, float32 (users, factors); zeros for users whose taste is unknown.
    serve
        How ranking hands over from popularity to personal scores.
    moments
        The moment of each user's list, in epoch seconds, int64 (users,): likes at later moments do not count. None: all
        likes that the model has learned count, as in serving.
    listed
        Which movies may be listed, bool (movies,); None: all.
    item_item
        The second opinion; None: there is none.
    """
    ranker = Ranker.of(fold_in, known.share, known.genres, serve, item_item)
    n_opinions = np.diff(known.history.indptr)
    best, mixed = ranker.personal.best(listed), BestMixed(ranker, known.popularity, listed)
    by_date = known.by_date if moments is not None and known.half_life is not None else None

    def of_untaught(rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Scores of users without taste."""

        def opinions(position: int) -> Opinions:
            events = known.history.of(int(rows[position]))
            return Opinions(known.history.movie_idx[events], known.history.preference[events])

        def popular(position: int) -> Popular:
            if by_date is None or moments is None:
                return ranker.popular
            return by_date.popular(int(moments[rows[position]]), serve.cold_diversity)

        scores = ranker.order(vectors[rows], None, n_opinions[rows], opinions, popular)
        if listed is not None:
            scores[:, ~listed] = -np.inf
        return scores

    untaught = by_scores(of_untaught, len(known.popularity))

    def of_mixed(rows: NDArray[np.int64], seen: Seen, n: int) -> NDArray[np.int64]:
        def shares(part: Part, own: NDArray[np.int64]) -> Shares:
            if by_date is not None and moments is not None:
                return by_date.shares(part, moments[rows[own]])
            return known.share[part.rows][None], known.share[part.others].max(initial=0.0, keepdims=True)

        users = MixedUsers(
            vectors[rows], ranker.likes(known.history, rows), n_opinions[rows], Seen.of(known.history, rows)
        )
        return mixed.lists(users, shares, seen, n).rows

    def of_personal(rows: NDArray[np.int64], seen: Seen, n: int) -> NDArray[np.int64]:
        return best.lists(vectors[rows], ranker.likes(known.history, rows), seen, n).rows

    def lists(rows: NDArray[np.int64], seen: Seen, n: int) -> NDArray[np.int64]:
        has_taste = vectors[rows].any(axis=1)
        is_personal = ranker.is_personal(vectors[rows], n_opinions[rows])
        ranked = np.empty((len(rows), n), dtype=np.int64)
        for chosen, listed_by in (
            (is_personal, of_personal),
            (has_taste & ~is_personal, of_mixed),
            (~has_taste, untaught),
        ):
            own = np.flatnonzero(chosen)
            if len(own):
                ranked[own] = listed_by(rows[own], seen.only(own, len(rows)), n)
        return ranked

    return lists


def by_scores(scores_of: Callable[[NDArray[np.int64]], NDArray[np.float32]], n_movies: int) -> Lister:
    """Return a lister that ranks by scores.

    `scores_of` takes user rows (users,) and returns float32 (users, movies), a new array; −∞ where a movie must not be
    listed.
    """

    def lists(rows: NDArray[np.int64], seen: Seen, n: int) -> NDArray[np.int64]:
        ranked = np.full((len(rows), n), -1, dtype=np.int64)
        for block in blocks(len(rows), n_movies):
            scores = scores_of(rows[block])
            scores[seen.only(np.arange(len(rows))[block], len(rows))] = -np.inf
            found = top_n_rows(scores, n)
            ranked[block, : found.shape[1]] = found
        return ranked

    return lists


class _Latest(Generic[T]):
    """The latest results, by what they were derived from, for several threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[Hashable, T] = OrderedDict()
        self._lock = Lock()

    def once(self, key: Hashable, derive: Callable[[], T]) -> T:
        """Return what is kept under a key, or derive it and keep it. Two threads may derive the same."""
        with self._lock:
            if key in self._kept:
                return self._kept[key]
        found = derive()
        with self._lock:
            self._kept[key] = found
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return found


class PopularAtMoments:
    """What most people liked at the moments of users' lists."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._popularity: PopularityByDate | None = None
        self._popular, self._shares = _Latest[Popular](_KEPT_MOMENTS), _Latest[Shares](_KEPT_BLOCKS)
        self._lock = Lock()

    @property
    def popularity(self) -> PopularityByDate:
        """The shares at any moment, which are derived once, in whatever thread asks first."""
        with self._lock:
            if self._popularity is None:
                known = self._known
                self._popularity = PopularityByDate(known.train, len(known.popularity), known.half_life or math.inf)
            return self._popularity

    def shares(self, part: Part, moments: NDArray[np.int64]) -> Shares:
        """The shares of a part of the movies; see `PopularityByDate.at`. The latest are kept for the next model."""
        popularity = self.popularity
        if len(moments) * len(part.rows) > _MOST_SHARES:
            return popularity.at(moments, part)
        return self._shares.once((part.rows.tobytes(), moments.tobytes()), lambda: popularity.at(moments, part))

    def popular(self, moment: int, diversity: float) -> Popular:
        """What most people had liked at a moment. Moments that no like separates share it."""
        at, popularity, genres = np.array([moment]), self.popularity, self._known.genres
        key = int(popularity.n_before(at)[0]), diversity
        return self._popular.once(key, lambda: Popular(popularity.at(at)[0][0], genres, diversity))


def _half_life(model: Model) -> float | None:
    """The half-life of a model's popularity; None if dates do not matter, or it learned from more than train."""
    half_life = model.info.settings.popularity_half_life
    return half_life if math.isfinite(half_life) and model.info.trained_on == ("train",) else None


def item_weights(known: Known, likes: csr_matrix, weights: csr_matrix | NDArray[np.float32]) -> Lister:
    """Return a lister that sums the weights between a user's likes and each other movie.

    Users without a known like get the popular list, as with every model.

    Parameters
    ----------
    known
        What the models may know.
    likes
        Known likes with their weights, CSR float32 (users, movies).
    weights
        Weights between movies, float32 (movies, movies), sparse or dense.
    """
    popular = popularity_scores(known.popularity)

    def scores(rows: NDArray[np.int64]) -> NDArray[np.float32]:
        own = likes[rows]
        found = own @ weights
        scores = np.asarray(found if isinstance(found, np.ndarray) else found.toarray(), dtype=np.float32)
        scores[np.diff(own.indptr) == 0] = popular
        return scores

    return by_scores(scores, len(popular))
