"""All users' opinions in effect as one table: the swipes of the app in the form that `mlrec prepare` reads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mlrec.ids import PublicId, public
from mlrec.ranking.effective_history import SwipeLog


@dataclass(frozen=True)
class StandingSwipes:
    """The swipe that stands for each user and movie, see `SwipeLog.standing`; all arrays are (swipes,).

    Attributes
    ----------
    user_id, movie_id
        Public ids; each pair occurs once. int64, or objects (`int` or `str`) if some are texts.
    preference
        −2 to +2, 0 is a skip; int64.
    at
        Epoch seconds, int64.
    event_id
        The swipe's id in its user's log, int64.
    """

    user_id: NDArray[Any]
    movie_id: NDArray[Any]
    preference: NDArray[np.int64]
    at: NDArray[np.int64]
    event_id: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of swipes."""
        return len(self.user_id)

    @classmethod
    def of(cls, logs: Iterable[tuple[PublicId, SwipeLog]]) -> Self:
        """Pick the standing swipes out of users' logs. A user may occur twice, once for each kind of movie ids."""
        user_ids: list[PublicId] = []
        movie_ids: list[PublicId] = []
        tables = [np.empty((3, 0), dtype=np.int64)]
        for user_id, log in logs:
            standing = log.standing()
            user_ids.extend([user_id] * len(standing))
            movie_ids.extend(public(log.movie_id[standing]))
            tables.append(np.stack([log.preference, log.at, log.event_id])[:, standing])
        return cls(_array(user_ids), _array(movie_ids), *np.concatenate(tables, axis=1))


def _array(public_ids: list[PublicId]) -> NDArray[Any]:
    is_integer = all(isinstance(one, int) for one in public_ids)
    return np.array(public_ids, dtype=np.int64 if is_integer else object)
