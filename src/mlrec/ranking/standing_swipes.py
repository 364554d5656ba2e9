"""All users' opinions in effect as one table: the swipes of the app in the form that `mlrec prepare` reads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mlrec.ranking.effective_history import SwipeLog


@dataclass(frozen=True)
class StandingSwipes:
    """The swipe that stands for each user and movie, see `SwipeLog.standing`; all arrays are int64 (swipes,).

    Attributes
    ----------
    user_id, movie_id
        Public ids; each pair occurs once.
    preference
        −2 to +2, 0 is a skip.
    at
        Epoch seconds.
    event_id
        The swipe's id in its user's log.
    """

    user_id: NDArray[np.int64]
    movie_id: NDArray[np.int64]
    preference: NDArray[np.int64]
    at: NDArray[np.int64]
    event_id: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of swipes."""
        return len(self.user_id)

    @classmethod
    def of(cls, logs: Iterable[tuple[int, SwipeLog]]) -> Self:
        """Pick the standing swipes out of users' logs. Each user must occur once."""
        user_ids, tables = [], [np.empty((4, 0), dtype=np.int64)]
        for user_id, log in logs:
            user_ids.append(user_id)
            tables.append(np.stack([log.movie_id, log.preference, log.at, log.event_id])[:, log.standing()])
        lengths = [table.shape[1] for table in tables[1:]]
        return cls(np.repeat(np.array(user_ids, dtype=np.int64), lengths), *np.concatenate(tables, axis=1))
