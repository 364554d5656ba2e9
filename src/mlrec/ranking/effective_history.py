"""A user's effective history: what the model knows about the user, overlaid with the user's swipe log.

For each movie the latest opinion stands, by time and then by event id. If the log and the model hold opinions of the
same second, the log wins: a swipe that was later merged into the model's data is therefore not counted twice. An undone
swipe counts as never made, even if the model has learned from it. A skip means seen without an opinion, and cancels an
earlier opinion.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mlrec.ids import IdArray, IdKind, array_of, empty, kind_of, rows_of


def _no_events() -> NDArray[np.int64]:
    return np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class SwipeLog:
    """One user's log as columns, in the order of event ids; all arrays are (events,), int64 but for movie ids.

    Attributes
    ----------
    event_id
        Ascending.
    movie_id
        The movie swiped, as in `mlrec.ids`.
    preference
        The opinion: −2 to +2; 0 is a skip.
    at
        Epoch seconds.
    undoes
        0 for a swipe; for a tombstone, the id of the swipe that it undoes.
    """

    event_id: NDArray[np.int64] = field(default_factory=_no_events)
    movie_id: IdArray = field(default_factory=_no_events)
    preference: NDArray[np.int64] = field(default_factory=_no_events)
    at: NDArray[np.int64] = field(default_factory=_no_events)
    undoes: NDArray[np.int64] = field(default_factory=_no_events)

    def __len__(self) -> int:
        """Return the number of events, tombstones included."""
        return len(self.event_id)

    @classmethod
    def empty(cls, movie_ids: IdKind = "integer") -> Self:
        """Return a log without events, for movie ids of this kind."""
        return cls(movie_id=empty(movie_ids))

    def extended(self, rows: Iterable[tuple[Any, ...]]) -> Self:
        """Append rows that begin with event_id, movie_id, preference, at and undoes.

        The movie ids of a log have one kind. A row with an id of the other kind, from a former data set, is an event
        whose movie nobody knows: it is left out.
        """
        kind = kind_of(self.movie_id)
        kept = [row for row in rows if isinstance(row[1], str) == (kind == "text")]
        numbers = np.array([(row[0], *row[2:5]) for row in kept], dtype=np.int64).reshape(-1, 4).T
        added = dict(zip(("event_id", "preference", "at", "undoes"), numbers, strict=True))
        added["movie_id"] = array_of((row[1] for row in kept), kind)
        return type(self)(**{name: np.concatenate([getattr(self, name), column]) for name, column in added.items()})

    @cached_property
    def alive(self) -> NDArray[np.bool_]:
        """Which events are swipes that have not been undone; bool (events,)."""
        swipes: NDArray[np.bool_] = self.undoes == 0
        return swipes if bool(swipes.all()) else swipes & ~np.isin(self.event_id, self.undoes[~swipes])

    def last_alive(self) -> int | None:
        """Position of the swipe that an undo would take back: the last one logged. None if there is none."""
        positions = np.flatnonzero(self.alive)
        return int(positions[-1]) if len(positions) else None

    def standing(self, rows: NDArray[np.int32] | None = None) -> NDArray[np.int64]:
        """Positions of the latest swipe of each movie, ascending by movie id.

        `rows` may give the row of each event's movie, if a model knows all of them. They ascend with the ids, and sort
        faster than texts.
        """
        numbers = self.movie_id if rows is None else rows
        alive = np.flatnonzero(self.alive)
        at = self.at[alive]
        if rows is not None and bool((at[1:] >= at[:-1]).all()):  # as usual: the log is in time order
            order = alive[rows[alive].argsort(kind="stable")]
        else:
            order = alive[np.lexsort((self.event_id[alive], at, numbers[alive]))]
        movies = numbers[order]
        is_latest = np.ones(len(order), dtype=bool)
        np.not_equal(movies[1:], movies[:-1], out=is_latest[:-1])
        return order[is_latest]


@dataclass(frozen=True)
class KnownHistory:
    """What the model's data says about one user, in time order; all arrays are (events,).

    Attributes
    ----------
    movie_idx
        Movie rows, int32; −1 for a movie that the model does not know.
    preference
        −2, −1, +1 or +2, int8.
    timestamp
        Epoch seconds, int64.
    learned
        Whether the model has learned from the event, bool. Only these events count in the user's vector. The others
        were held out for evaluation; they only mark their movies as seen.
    """

    movie_idx: NDArray[np.int32]
    preference: NDArray[np.int8]
    timestamp: NDArray[np.int64]
    learned: NDArray[np.bool_]

    @cached_property
    def is_by_movie(self) -> bool:
        """Whether events of the same time are in the order of their movies, as far as the model knows these."""
        has_row = self.movie_idx >= 0
        rows, times = self.movie_idx[has_row], self.timestamp[has_row]
        return not ((times[1:] == times[:-1]) & (rows[1:] < rows[:-1])).any()


STRANGER = KnownHistory(
    np.empty(0, np.int32), np.empty(0, np.int8), np.empty(0, np.int64), np.empty(0, np.bool_)
)  # fmt: skip


@dataclass(frozen=True)
class EffectiveHistory:
    """The opinions that make a user's vector, in the order (timestamp, movie id).

    If the model's data has a finer order than seconds, its events of the same time keep that order instead.

    Attributes
    ----------
    movie_idx
        Movie rows, int32 (opinions,). −1 is a movie that the model does not know; such an opinion only makes earlier
        ones older.
    movie_ids
        Public ids of the model's movies by row, as in `mlrec.ids`.
    preference
        −2, −1, +1 or +2, int8 (opinions,).
    is_new
        Whether an opinion comes from the log and the model has not learned from it, bool (opinions,).
    seen
        Rows of all movies that the user is known to have seen, int32, unordered, possibly with repeats.
    in_effect
        Event ids of the log's swipes that are the latest opinions on their movies, skips included; int64, unordered.
    unknown
        Public ids of the movies that the model does not know, in the order of the opinions.
    """

    movie_idx: NDArray[np.int32]
    movie_ids: IdArray
    preference: NDArray[np.int8]
    is_new: NDArray[np.bool_]
    seen: NDArray[np.int32]
    in_effect: NDArray[np.int64] = field(default_factory=_no_events)
    unknown: IdArray = field(default_factory=_no_events)

    def __len__(self) -> int:
        """Return the number of opinions."""
        return len(self.movie_idx)

    def begins_like(self, other: EffectiveHistory, n: int) -> bool:
        """Whether the first n opinions are those of another history with the same model."""
        return (
            min(len(self), len(other)) >= n
            and np.array_equal(self.movie_idx[:n], other.movie_idx[:n])
            and np.array_equal(self.preference[:n], other.preference[:n])
        )

    @property
    def movie_id(self) -> IdArray:
        """Public ids, as in `mlrec.ids`, (opinions,). Ranking needs rows only, and texts take time to copy."""
        if not len(self.unknown):
            return self.movie_ids[self.movie_idx]
        is_known = self.movie_idx >= 0
        found = np.empty(len(self), dtype=np.promote_types(self.movie_ids.dtype, self.unknown.dtype))
        found[is_known], found[~is_known] = self.movie_ids[self.movie_idx[is_known]], self.unknown
        return found


def effective_history(
    known: KnownHistory, log: SwipeLog, movie_ids: IdArray, rows: NDArray[np.int32] | None = None
) -> EffectiveHistory:
    """Overlay what the model knows about a user with the user's swipe log.

    Parameters
    ----------
    known
        The model's events of that user.
    log
        The user's log.
    movie_ids
        Public ids by movie row, ascending.
    rows
        Movie rows of the log's events, int32 (events,), −1 for a movie that the model does not know. By default they
        are looked up.
    """
    kept = known.movie_idx >= 0
    if not len(log):
        learned = known.learned & kept
        rows = known.movie_idx[learned]
        nothing_new = np.zeros(len(rows), dtype=bool)
        return EffectiveHistory(
            rows, movie_ids, known.preference[learned], nothing_new, known.movie_idx[kept]
        )  # fmt: skip

    over = _overlaid(known, log, rows_of(movie_ids, log.movie_id) if rows is None else rows)
    standing, rows, kept = over.standing, over.rows, over.kept
    swiped_at, signed = log.at[standing], log.preference[standing]
    stands, is_new = over.in_effect & (signed != 0), over.is_new
    learned = kept & known.learned
    known_rows = known.movie_idx[learned]
    all_rows = np.concatenate([known_rows, rows[stands]])
    moments = np.concatenate([known.timestamp[learned], swiped_at[stands]])
    # Rows sort as ids do, and faster than texts. Only movies without a row need their ids.
    has_unknown = len(all_rows) > 0 and bool(all_rows.min() < 0)
    all_ids = np.concatenate([movie_ids[known_rows], log.movie_id[standing][stands]]) if has_unknown else None
    # Data with a finer order within a second or a day keeps that order.
    if known.is_by_movie and learned.any():
        order = np.lexsort((all_rows if all_ids is None else all_ids, moments))
    else:  # swipes alone stand by movie
        order = moments.argsort(kind="stable")
    return EffectiveHistory(
        movie_idx=all_rows[order],
        movie_ids=movie_ids,
        preference=np.concatenate([known.preference[learned], signed[stands].astype(np.int8)])[order],
        is_new=np.concatenate([np.zeros(len(known_rows), dtype=bool), is_new[stands]])[order],
        seen=np.concatenate([known.movie_idx[over.not_undone], rows[rows >= 0]]),
        in_effect=log.event_id[standing[over.in_effect]],
        unknown=empty(kind_of(movie_ids)) if all_ids is None else all_ids[order][all_rows[order] < 0],
    )


def with_one_more(
    before: EffectiveHistory, known: KnownHistory, log: SwipeLog, rows: NDArray[np.int32]
) -> EffectiveHistory | None:
    """Add the last event of a log to the history before it: what `effective_history` returns, in less time.

    Parameters
    ----------
    before
        The effective history of the same log without its last event.
    known, log, rows
        As in `effective_history`.

    Returns
    -------
    EffectiveHistory or None
        None if the event does more than to come last: if it is a tombstone, or not later than all others, or about a
        movie that has an opinion already or that the model does not know.
    """
    row, at = rows[-1], log.at[-1]
    if row < 0 or log.undoes[-1] or (before.seen == row).any():
        return None
    if (log.at[:-1] >= at).any() or (len(known.timestamp) and known.timestamp[-1] >= at):
        return None
    seen, in_effect = np.append(before.seen, row), np.append(before.in_effect, log.event_id[-1])
    if not log.preference[-1]:
        return replace(before, seen=seen, in_effect=in_effect)
    return EffectiveHistory(
        movie_idx=np.append(before.movie_idx, row),
        movie_ids=before.movie_ids,
        preference=np.append(before.preference, log.preference[-1].astype(np.int8)),
        is_new=np.append(before.is_new, True),
        seen=seen,
        in_effect=in_effect,
        unknown=before.unknown,
    )


@dataclass(frozen=True)
class _Overlaid:
    """What of a user's known events and log is in effect.

    Attributes
    ----------
    kept, not_undone
        Which known events no swipe replaces or undoes, and which none undoes; bool (known events,).
    standing, rows
        Positions of the standing swipes in the log, ascending by movie id, and their movie rows, (swipes,).
    in_effect, is_new
        Which of them no later known opinion replaces, and which the model has not learned from, bool (swipes,).
    """

    kept: NDArray[np.bool_]
    not_undone: NDArray[np.bool_]
    standing: NDArray[np.int64]
    rows: NDArray[np.int32]
    in_effect: NDArray[np.bool_]
    is_new: NDArray[np.bool_]


def _overlaid(known: KnownHistory, log: SwipeLog, rows_of_log: NDArray[np.int32]) -> _Overlaid:
    kept = known.movie_idx >= 0
    alive = log.alive
    if len(kept) and not alive.all():
        dead = np.flatnonzero((log.undoes == 0) & ~alive & (rows_of_log >= 0))
        said = list(zip(rows_of_log.tolist(), log.at.tolist(), log.preference.tolist(), strict=True))
        said_again = {said[position] for position in np.flatnonzero(alive)}
        for row, at, preference in {said[position] for position in dead} - said_again:
            same_movie = known.movie_idx == row
            kept &= ~(same_movie & (known.timestamp == at) & (known.preference == preference))
    not_undone = kept.copy()

    standing = log.standing(rows_of_log if rows_of_log.min() >= 0 else None)
    rows = rows_of_log[standing]
    swiped_at, signed = log.at[standing], log.preference[standing]
    in_effect = np.ones(len(standing), dtype=bool)
    is_new = np.ones(len(standing), dtype=bool)

    # Standing swipes are ordered by movie id, so their rows ascend once unknown movies are removed.
    in_model = np.flatnonzero(rows >= 0)
    if len(in_model) and kept.any():
        positions = in_model[np.minimum(np.searchsorted(rows[in_model], known.movie_idx), len(in_model) - 1)]
        same_movie = kept & (rows[positions] == known.movie_idx)
        later = same_movie & (swiped_at[positions] >= known.timestamp)
        merged = later & known.learned & (swiped_at[positions] == known.timestamp)
        is_new[positions[merged & (signed[positions] == known.preference)]] = False
        in_effect[positions[same_movie & ~later]] = False
        kept &= ~later
    return _Overlaid(kept, not_undone, standing, rows, in_effect, is_new)


@dataclass(frozen=True)
class Merged:
    """A user's events with the swipes merged in, in time order; all arrays but `n_new` are (events,).

    Attributes
    ----------
    movie_idx, preference, timestamp, split
        As in `mlrec.ranking.histories.History`.
    n_new
        How many of them are swipes that the model had not learned from.
    is_changed
        Whether they differ from the known events.
    """

    movie_idx: NDArray[np.int32]
    preference: NDArray[np.int8]
    timestamp: NDArray[np.int64]
    split: NDArray[np.int8]
    n_new: int
    is_changed: bool


def merged(known: KnownHistory, split: NDArray[np.int8], log: SwipeLog, movie_ids: IdArray, learned: int) -> Merged:
    """Merge a user's swipes into the known events, as preparing the data with swipes would.

    Swipes on movies that the model does not know are left out, and so are skips: they are no opinions. The log goes on
    to say what has been seen.

    Parameters
    ----------
    known, log, movie_ids
        As in `effective_history`.
    split
        The split of each known event, int8 (events,).
    learned
        The split of the swipes: one that the model learns from.
    """
    if not len(log):
        return Merged(known.movie_idx, known.preference, known.timestamp, split, 0, is_changed=False)
    over = _overlaid(known, log, rows_of(movie_ids, log.movie_id))
    signed = log.preference[over.standing]
    stands = over.in_effect & (signed != 0) & (over.rows >= 0)
    kept = over.kept | (known.movie_idx < 0)
    movie_idx = np.concatenate([known.movie_idx[kept], over.rows[stands]])
    timestamp = np.concatenate([known.timestamp[kept], log.at[over.standing][stands]])
    order = np.lexsort((movie_idx, timestamp)) if known.is_by_movie else np.argsort(timestamp, kind="stable")
    swiped = np.full(int(stands.sum()), learned, dtype=np.int8)
    found: dict[str, NDArray[Any]] = {
        "movie_idx": movie_idx[order].astype(np.int32),
        "preference": np.concatenate([known.preference[kept], signed[stands].astype(np.int8)])[order],
        "timestamp": timestamp[order],
        "split": np.concatenate([split[kept], swiped])[order],
    }
    is_changed = not all(
        np.array_equal(found[name], getattr(known, name)) for name in ("movie_idx", "preference", "timestamp")
    )
    return Merged(**found, n_new=int((stands & over.is_new).sum()), is_changed=is_changed)
