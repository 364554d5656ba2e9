"""The best unseen movies of users with taste and with popularity in their scores, without a score for every movie.

The score is that of `mlrec.ranking.ranker`. Few movies have a long vector or many likes, and the list is among these.
Each of the other movies scores at most what the longest other vector and the largest other share would give together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlrec.ranking.best_unseen import Lists, Part, Parts, Seen, lists_by_parts
from mlrec.ranking.item_item import Likes
from mlrec.ranking.personal import PersonalParts
from mlrec.ranking.ranker import Ranker

# How far rounding may raise the part of a score that comes from popularity above its bound.
_ROUNDING = 1 + 1e-4

SharesOfPart = Callable[[Part, NDArray[np.int64]], tuple[NDArray[np.float32], NDArray[np.floating]]]
"""Takes a part, and the positions of some of the users, (users,).

Returns the liked shares of its movies at each user's moment, float32 (users, movies of the part), which are only read.
And what no other movie's share exceeds, (users,). The first axis is 1 if all users share a moment.
"""


class MixedUsers(NamedTuple):
    """Users with taste who are ranked by popularity too.

    Attributes
    ----------
    vectors
        Float32 (users, factors), none of them zeros.
    likes
        What these users like. None if there is no second opinion.
    n_opinions
        How many opinions each has, (users,).
    known
        The movies that these are about.
    """

    vectors: NDArray[np.float32]
    likes: Likes | None
    n_opinions: NDArray[np.integer]
    known: Seen


class BestMixed:
    """Lists the best unseen movies of users with taste and with popularity in their scores.

    Parameters
    ----------
    ranker
        The rule.
    popularity
        What says which movies are likely to have large shares: likes by movie row, (movies,).
    candidates
        Which movies may be listed, bool (movies,); None: all.
    """

    def __init__(
        self, ranker: Ranker, popularity: NDArray[np.number], candidates: NDArray[np.bool_] | None = None
    ) -> None:
        self._ranker, self._candidates = ranker, candidates
        # The rule looks at the best and at the most popular of all movies, whether these may be listed or not.
        self._personal = PersonalParts(ranker.personal, None)
        orders = [self._personal.longest.rows, np.argsort(-popularity, kind="stable")]
        self._parts = Parts(orders, len(popularity), self._personal.targets)

    def lists(self, users: MixedUsers, shares: SharesOfPart, seen: Seen, n: int) -> Lists:
        """Rank for some users.

        Parameters
        ----------
        users
            Their taste and their opinions.
        shares
            What most people like, or had liked at each user's moment.
        seen
            What these users have seen. None of it is listed.
        n
            Length of the lists.
        """
        n_users = len(users.vectors)

        def scores(part: Part, own: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.floating]]:
            likes = None if users.likes is None else users.likes.only(own, n_users)
            second = self._personal.second(likes, len(own))
            found, best_other = self._personal.scores(users.vectors[own], second, part)
            share, largest_other = shares(part, own)
            weight = self._ranker.popular_weight(users.n_opinions[own]).astype(np.float32)
            known = users.known.only(own, n_users).within(part.column)
            mixed = self._ranker.mix(found, weight, users.n_opinions[own], known, share)
            if self._candidates is not None:
                found[:, ~self._candidates[part.rows]] = -np.inf
            most = (1 - weight) * best_other + weight * mixed.factor * largest_other * _ROUNDING
            is_known = (mixed.best >= best_other) & (mixed.largest >= largest_other)
            return found, np.where(is_known, most, np.inf)

        return lists_by_parts(self._parts.of_lists(n), scores, seen, n_users, n)
