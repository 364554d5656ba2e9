"""Finds, from the sorted events of the core, where the events outside it belong, and which cuts divide ties.

Both look at a few events of each user. The users' events follow each other in the table sorted_events, so their places
are known, and no query has to compare events with each other. One pass reads the table in slices of whole users.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlrec.dataset.forms import Forms
from mlrec.dataset.sql_steps import SqlSteps
from mlrec.dataset.ties import Ties

# At most so many events are read at once, 30 to 60 MB, except that a user's events stay together.
_EVENTS_AT_ONCE = 4_000_000

_Columns = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class _Histories:
    """The events of consecutive users.

    Attributes
    ----------
    first, stop
        The users: number of the first one in the order of the ids, and that after the last one.
    start, end
        (U,) int64. The rows of each user in the columns: the first one, and that after the last one.
    n_train, n_val
        (U,) int64. Events of each user in train and in validation.
    timestamps, seconds, movies
        (E,) The columns of the events, in order. Timestamps are in the units of the clock.
    """

    first: int
    stop: int
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    n_train: NDArray[np.int64]
    n_val: NDArray[np.int64]
    timestamps: NDArray[Any]
    seconds: NDArray[Any]
    movies: NDArray[Any]


class OrderedEvents:
    """The core's events, in the order of 51_events.sql or 51_dealt_events.sql.

    Parameters
    ----------
    sql
        The preparation's database, with the tables sorted_events, core_users and outside.
    forms
        How the values of the ratings are written.
    """

    def __init__(self, sql: SqlSteps, forms: Forms) -> None:
        self._sql = sql
        self._forms = forms
        # A text has the number of its place among the texts.
        self._movie = "enum_code(movie_id)" if forms.movies == "text" else "sorted_id(movie_id)"

    def look(self, *, at_outside: bool, at_ties: bool) -> Ties:
        """Find places and ties in one pass over the events.

        Parameters
        ----------
        at_outside
            Whether to create the table placed(number, position): how many of the user's events come before each event
            of `outside`, which is told by its rowid. Those of users without a core are missing.
        at_ties
            Whether to count the cuts between events of the same time.

        Returns
        -------
        Ties
            All zero if they were not asked for.
        """
        connection = self._sql.connection
        if at_outside:
            connection.execute(
                "CREATE TABLE asked AS SELECT outside.rowid AS number, place AS user,"
                f" sorted_time(timestamp) AS timestamp, {self._movie} AS movie"
                " FROM outside JOIN (SELECT user_id, row_number() OVER (ORDER BY user_id) - 1 AS place FROM core_users)"
                " USING (user_id) ORDER BY user"
            )
            connection.execute("CREATE TABLE placed (number BIGINT, position BIGINT)")
        ties = Ties(0, 0, 0)
        for histories in self._histories():
            if at_outside:
                self._place_outside(histories)
            if at_ties:
                ties = Ties(*map(sum, zip(ties, self._ties(histories), strict=True)))
        if at_outside:
            connection.execute("DROP TABLE asked")
        return ties

    def _histories(self) -> Iterator[_Histories]:
        users = self._columns("SELECT n, n_train(n) AS n_train, n_val(n) AS n_val FROM core_users ORDER BY user_id")
        n, n_train, n_val = (users[name].astype(np.int64) for name in ("n", "n_train", "n_val"))
        end = np.cumsum(n)
        # With the usual clock, a timestamp is in seconds, and need not be read twice.
        seconds = "" if self._forms.clock == "s" else ", seconds_of(unsorted_time(timestamp)) AS seconds"
        query = (
            f"SELECT timestamp{seconds}, {self._movie} AS movie FROM sorted_events"
            " WHERE rowid >= $start AND rowid < $end"
        )
        first = 0
        while first < len(n):
            start = int(end[first] - n[first])
            stop = max(int(np.searchsorted(end, start + _EVENTS_AT_ONCE, side="right")), first + 1)
            own = slice(first, stop)
            columns = self._columns(query, start=start, end=int(end[stop - 1]))
            yield _Histories(
                first,
                stop,
                end[own] - n[own] - start,
                end[own] - start,
                n_train[own],
                n_val[own],
                columns["timestamp"],
                columns["seconds" if seconds else "timestamp"],
                columns["movie"],
            )
            first = stop

    def _place_outside(self, histories: _Histories) -> None:
        """Add the places of the events that some users have outside the core, by a binary search for all at once."""
        query = "SELECT number, user, timestamp, movie FROM asked WHERE user >= $first AND user < $stop"
        asked = self._columns(query, first=histories.first, stop=histories.stop)
        user = asked["user"] - histories.first
        low, high = histories.start[user], histories.end[user]
        while (unsure := np.flatnonzero(low < high)).size:
            middle = (low[unsure] + high[unsure]) // 2
            timestamps, limits = histories.timestamps[middle], asked["timestamp"][unsure]
            is_before = (timestamps < limits) | (
                (timestamps == limits) & (histories.movies[middle] < asked["movie"][unsure])
            )
            low[unsure[is_before]] = middle[is_before] + 1
            high[unsure[~is_before]] = middle[~is_before]
        connection = self._sql.connection
        connection.register("found", {"number": asked["number"], "position": low - histories.start[user]})
        connection.execute("INSERT INTO placed SELECT number, position FROM found")
        connection.unregister("found")

    def _ties(self, histories: _Histories) -> Ties:
        has_held_out = histories.start + histories.n_train < histories.end
        if self._forms.clock == "random":  # the order is the time
            return Ties(int(has_held_out.sum()), 0, 0)
        val_from = (histories.start + histories.n_train)[has_held_out]
        test_from = val_from + histories.n_val[has_held_out]
        end = histories.end[has_held_out]
        has_train = histories.n_train[has_held_out] > 0
        has_both = (test_from > val_from) & (test_from < end)

        def tied(row: NDArray[np.int64], other: NDArray[np.int64], exist: NDArray[np.bool_]) -> NDArray[np.bool_]:
            found = exist.copy()
            found[exist] = histories.seconds[row[exist]] == histories.seconds[other[exist]]
            return found

        is_cut = tied(val_from - 1, val_from, has_train) | tied(test_from - 1, test_from, has_both)
        middle = val_from + (end - val_from - 1) // 2
        return Ties(len(end), int(is_cut.sum()), int(tied(val_from - 1, middle, has_train).sum()))

    def _columns(self, query: str, **parameters: Any) -> _Columns:
        columns: _Columns = self._sql.connection.execute(query, parameters or None).fetchnumpy()
        return columns
