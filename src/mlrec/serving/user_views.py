"""Users as a model sees them: the effective history and the vector derived from it, cached between calls.

Swipes are the truth, and the store holds them. Everything here can be derived again. Each use checks the cache against
the model and the last event of the log, so a swipe in another process, a new model or an undo takes effect at once.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlrec.errors import StoreUnavailableError, in_shell
from mlrec.ids import PublicId, kind_of, rows_of
from mlrec.ranking.effective_history import (
    STRANGER,
    EffectiveHistory,
    KnownHistory,
    SwipeLog,
    effective_history,
    with_one_more,
)
from mlrec.ranking.fold_in import FoldIn, Sums
from mlrec.ranking.gradient import gradient_vector
from mlrec.ranking.item_item import Likes
from mlrec.ranking.ranker import Opinions, Scores
from mlrec.serving.served_model import ServedModel
from mlrec.serving.stores.interface import NOBODY, Event, Head, StoredVector, SwipeStore
from mlrec.settings import ServeSettings

_log = logging.getLogger(__name__)

# With this many opinions, the sums over all but the newest ones are kept. They take 32 kB of memory with 64 factors.
_MANY = 256
# How many of the newest opinions are left out when sums are made: an undo or swipes of the same second may change their
# order. Sums with a longer rest are made anew.
_LEFT_OUT = 32
_LONGEST_REST = 96


@dataclass(frozen=True, eq=False)
class UserView:
    """One user with one model at one moment. It keeps its likes, at most 10 kB, from one list to the next.

    Attributes
    ----------
    served
        The model.
    head
        The state of the user's log.
    log
        The user's log.
    known
        What the model's data says about the user.
    history
        The opinions in effect.
    vector
        Float32 (factors,); zeros if nothing is liked.
    decay
        Whether the order of the history matters.
    is_folded_in
        Whether the vector is the exact solve over the history, so that its scores can be split into parts.
    sums
        The sums over the first opinions of a long history, if the vector was solved from them.
    """

    served: ServedModel
    head: Head
    log: SwipeLog
    known: KnownHistory
    history: EffectiveHistory
    vector: NDArray[np.float32]
    decay: bool
    is_folded_in: bool
    sums: Sums | None = None

    @property
    def has_taste(self) -> bool:
        """Whether the vector is not zero."""
        return bool(self.vector.any())

    @cached_property
    def is_personal(self) -> bool:
        """Whether movies are ranked by taste alone, without popularity."""
        return bool(self.served.ranker.is_personal(self.vector, len(self.history)))

    @property
    def opinions(self) -> Opinions:
        """The opinions in effect, in the form that ranking takes."""
        return Opinions(self.history.movie_idx, self.history.preference)

    @cached_property
    def likes(self) -> Likes | None:
        """What the user likes; None if the model has no second opinion."""
        return self.served.ranker.likes_of([self.opinions], decay=self.decay)

    @property
    def scores(self) -> Scores:
        """The scores of all movies."""
        return self.served.ranker.scores(self.vector, self.opinions, decay=self.decay)


class _Kept(NamedTuple):
    """What is cached for a user: the log as far as it was read, and what was derived with the current model, if any:
    the view, and the movie rows of the log's events.
    """

    head: Head
    log: SwipeLog
    view: UserView | None
    rows: NDArray[np.int32] | None


class UserViews:
    """Derives views, and caches those of the most recently used users.

    A view keeps its model alive, with its open files and mapped memory. So only views with one model are cached: the
    one given to `turn_to`.

    Parameters
    ----------
    store
        The store of swipes.
    settings
        The update rule, and the number of users to cache.
    """

    def __init__(self, store: SwipeStore, settings: ServeSettings) -> None:
        self._store = store
        self._settings = settings
        self._kept: OrderedDict[PublicId, _Kept] = OrderedDict()
        self._current: ServedModel | None = None
        self._lock = Lock()

    def turn_to(self, served: ServedModel | None) -> None:
        """Cache views with this model from now on and drop all others; None drops everything."""
        with self._lock:
            self._current = served
            if served is None:
                self._kept.clear()
            for user_id, kept in self._kept.items():
                self._kept[user_id] = kept._replace(view=None, rows=None)

    def get(self, served: ServedModel, user_id: PublicId) -> UserView:
        """Return the view of a user with a model and the current log."""
        head = self._store.head(user_id)
        with self._lock:
            kept = self._kept.get(user_id)
            if kept is not None and kept.view is not None and kept.view.served is served and kept.head == head:
                self._kept.move_to_end(user_id)
                return kept.view
            if head.forgotten:
                self._kept.pop(user_id, None)
            if kept is not None and served is not self._current:
                kept = kept._replace(rows=None)  # they are those of another model
        if head.forgotten:
            log = _empty_log(served)
            return self._derived(served, user_id, head, log, _rows(served, log), known=False)
        log, rows, head, n_kept = self._log(served, user_id, head, kept)
        before = None if kept is None or kept.view is None or kept.view.served is not served else kept.view
        view = self._derived(served, user_id, head, log, rows, before, n_kept=n_kept)
        self._keep(user_id, view, rows)
        return view

    def known_history(self, served: ServedModel, user_id: PublicId) -> KnownHistory:
        """Return what the data of a model says about a user, from the cached view if there is one."""
        with self._lock:
            kept = self._kept.get(user_id)
        if kept is not None and kept.view is not None and kept.view.served is served:
            return kept.view.known
        return served.known_history(user_id)

    def _log(
        self, served: ServedModel, user_id: PublicId, head: Head, kept: _Kept | None
    ) -> tuple[SwipeLog, NDArray[np.int32], Head, int]:
        """The user's log as it was read, the movie rows of its events, and its state. Nothing cached is read again.

        The last number says how many events come from the cache. They are the first.
        """
        if kept is not None and kind_of(kept.log.movie_id) != served.model.movie_id_kind:
            kept = None  # it was read for a model of a former data set, with movie ids of the other kind
        if kept is not None and kept.head == head:
            return kept.log, _rows(served, kept.log, kept.rows), head, len(kept.log)
        if kept is not None and kept.head.token:
            # Read again from the last cached event, to check that it is still the same log.
            events = self._store.events(user_id, after=kept.head.last_event_id - 1)
            if events and events[0].token == kept.head.token:
                log = kept.log.extended(events[1:])
                return log, _rows(served, log, kept.rows), _head_at(events, head), len(kept.log)
        events = self._store.events(user_id)
        log = _empty_log(served).extended(events)
        return log, _rows(served, log), _head_at(events, head), 0

    def visitor(self, served: ServedModel, movie_idx: NDArray[np.int32], preference: NDArray[np.int8]) -> UserView:
        """Return the view of a visitor without an account, whose opinions have no order."""
        rows = movie_idx.astype(np.int32)
        history = EffectiveHistory(rows, served.movie_ids, preference, np.ones(len(rows), dtype=bool), rows)
        if self._settings.rule == "gradient":
            vector = self._stepped(served, None, history) if len(history) else _nothing(served)
        else:
            vector = served.fold_in.user_vector(rows, preference, decay=False)
        is_folded_in = self._settings.rule == "fold-in"
        return UserView(served, NOBODY, _empty_log(served), STRANGER, history, vector, False, is_folded_in)

    def _keep(self, user_id: PublicId, view: UserView, rows: NDArray[np.int32]) -> None:
        with self._lock:
            if view.served is not self._current:  # the call began with a former model
                return
            self._kept[user_id] = _Kept(view.head, view.log, view, rows)
            self._kept.move_to_end(user_id)
            while len(self._kept) > self._settings.cached_users:
                self._kept.popitem(last=False)

    def _derived(
        self,
        served: ServedModel,
        user_id: PublicId,
        head: Head,
        log: SwipeLog,
        rows: NDArray[np.int32],
        before: UserView | None = None,
        *,
        n_kept: int = 0,
        known: bool = True,
    ) -> UserView:
        row = served.model.user_idx(user_id) if known else None
        of_model = served.history_of_row(row) if before is None else before.known
        history = None
        if before is not None and len(before.log) == n_kept == len(log) - 1:
            history = with_one_more(before.history, of_model, log, rows)
        if history is None:
            history = effective_history(of_model, log, served.movie_ids, rows)
        if not history.is_new.any() and len(history) == np.count_nonzero(of_model.learned):
            # The log adds nothing to what the model has already learned.
            saved = served.saved_vector(row)
            vector = _nothing(served) if saved is None else saved
            return UserView(served, head, log, of_model, history, vector, True, served.saves_fold_in)
        vector, sums = self._vector(served, user_id, head, history, row, before)
        return UserView(served, head, log, of_model, history, vector, True, self._settings.rule == "fold-in", sums)

    def _vector(
        self,
        served: ServedModel,
        user_id: PublicId,
        head: Head,
        history: EffectiveHistory,
        row: int | None,
        before: UserView | None,
    ) -> tuple[NDArray[np.float32], Sums | None]:
        """The vector by the update rule; taken from the store if it was derived from the same model, rule and log.

        With it, the sums over the first opinions of a long history, if they were needed.
        """
        stamp = f"{self._stamp(served)} {head.last_event_id} {head.token:x}"
        kept = self._kept_vector(user_id, stamp)
        if kept is not None and len(kept) == served.movie_factors.shape[1]:
            return kept, None
        sums = None
        if self._settings.rule == "fold-in":
            sums = _first_sums(served.fold_in, history, before)
            n = 0 if sums is None else sums.opinions
            newest = served.fold_in.sums(history.movie_idx[n:], history.preference[n:], earlier=sums)
            vector = served.fold_in.vector_of(newest)
        else:
            vector = self._stepped(served, served.saved_vector(row), history)
        try:
            self._store.save_vector(user_id, StoredVector(stamp, vector.astype("<f4").tobytes()))
        except StoreUnavailableError as error:
            # Not a reason to fail: the swipe itself is safe, and the vector can be derived again.
            _log.warning(
                "The vector of user %s could not be saved; swipes are not affected: %s",
                in_shell(user_id),
                error.message,
            )
        return vector, sums

    def _kept_vector(self, user_id: PublicId, stamp: str) -> NDArray[np.float32] | None:
        try:
            there = self._store.vector(user_id)
        except StoreUnavailableError as error:
            _log.warning(
                "The saved vector of user %s could not be read and is derived again: %s",
                in_shell(user_id),
                error.message,
            )
            return None
        if there is None or there.stamp != stamp or len(there.values) % 4:
            return None
        return np.frombuffer(there.values, dtype="<f4").astype(np.float32)

    def _stepped(
        self, served: ServedModel, saved: NDArray[np.float32] | None, history: EffectiveHistory
    ) -> NDArray[np.float32]:
        new = history.is_new
        if saved is not None and saved.any():
            start = saved
        elif (history.movie_idx[new] >= 0).any():
            start = served.average_vector
        else:  # swipes on unknown movies alone have no effect
            return _nothing(served)
        return gradient_vector(
            start, served.movie_factors, history.movie_idx[new], history.preference[new], self._settings.gradient
        )

    def _stamp(self, served: ServedModel) -> str:
        if self._settings.rule == "fold-in":
            return f"{served.model_id} fold-in"
        gradient = self._settings.gradient
        # "2" is the second version of the rule. The first took half the step, and its stamp said only "gradient".
        return f"{served.model_id} gradient 2 {gradient.learning_rate!r} {gradient.norm} {gradient.max_norm!r}"


def _empty_log(served: ServedModel) -> SwipeLog:
    return SwipeLog.empty(served.model.movie_id_kind)


def _rows(served: ServedModel, log: SwipeLog, first: NDArray[np.int32] | None = None) -> NDArray[np.int32]:
    """Movie rows of a log's events; those of its first events may be known."""
    if first is None:
        return rows_of(served.movie_ids, log.movie_id)
    return np.concatenate([first, rows_of(served.movie_ids, log.movie_id[len(first) :])])


def _first_sums(fold_in: FoldIn, history: EffectiveHistory, before: UserView | None) -> Sums | None:
    """The sums over the first opinions of a long history; those of the user's former view if they still hold."""
    if len(history) < _MANY:
        return None
    n, sums = len(history) - _LEFT_OUT, None
    if before is not None and before.sums is not None and history.begins_like(before.history, before.sums.opinions):
        sums = before.sums
        if len(history) - sums.opinions <= _LONGEST_REST:
            return sums
    start = 0 if sums is None else sums.opinions
    return fold_in.sums(history.movie_idx[start:n], history.preference[start:n], earlier=sums)


def _head_at(events: Sequence[Event], head: Head) -> Head:
    """The head of a log that was read to its end; without events, the head from the store."""
    return Head(events[-1].event_id, events[-1].token, forgotten=False) if events else head


def _nothing(served: ServedModel) -> NDArray[np.float32]:
    return np.zeros(served.movie_factors.shape[1], dtype=np.float32)
