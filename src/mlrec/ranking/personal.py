"""The personal score of movies: that of the user's vector, and beside it the item-item score if the model has one.

Every list of users who are ranked by taste alone comes from here: single lists, batches and evaluation. Lists are made
part by part (`mlrec.ranking.best_unseen`). A movie outside of a part scores at most what the longest vector outside
would give, and in addition the largest item-item score outside. That bound is low, because movies with long vectors are
also those that many likes speak for: the first thousand movies are enough for 95% to 99% of the lists.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlrec.ranking.best_unseen import Lists, Longest, Part, Parts, Seen, blocks, lists_by_parts
from mlrec.ranking.item_item import ItemItem, Likes
from mlrec.ranking.scores import user_scores

# If at most this many movies that may be listed have an item-item score, every part has all of them.
_FEW_TARGETS = 2048


class Personal:
    """Scores movies for users by what these like.

    Parameters
    ----------
    movie_factors
        Float32 (movies, factors).
    item_item
        The second opinion, with ascending `targets`. None: the vectors alone count, as with a weight of 0.
    """

    def __init__(self, movie_factors: NDArray[np.float32], item_item: ItemItem | None) -> None:
        self.movie_factors = np.ascontiguousarray(movie_factors)
        self.item_item = item_item if item_item is not None and item_item.rule.weight else None
        self._vector_weight = np.float32(1.0 if self.item_item is None else 1.0 - self.item_item.rule.weight)

    @cached_property
    def longest(self) -> Longest:
        """The movies in the order of the length of `movie_factors`, with the lengths of `weighted_factors`.

        Rounding does not make the order depend on the weight. So the choice on validation can keep item-item scores in
        that order.
        """
        found = Longest.of(self.movie_factors)
        return Longest(found.rows, found.lengths * self._vector_weight)

    @cached_property
    def weighted_factors(self) -> NDArray[np.float32]:
        """The movie factors times the weight of the vectors' score, float32 (movies, factors)."""
        if self.item_item is None:
            return self.movie_factors
        return self.movie_factors * self._vector_weight

    def scores(self, vectors: NDArray[np.float32], likes: Likes | None) -> NDArray[np.float32]:
        """Score all movies for some users.

        Parameters
        ----------
        vectors
            Float32 (users, factors).
        likes
            What these users like. None if there is no second opinion.

        Returns
        -------
        ndarray
            Float32 (users, movies), a new array.
        """
        scores = user_scores(vectors, self.weighted_factors)
        if self.item_item is not None and likes is not None:
            second = self.item_item.scores(likes, len(vectors)) * np.float32(self.item_item.rule.weight)
            columns = self.item_item.targets
            if len(columns) == scores.shape[1]:
                scores += second
            elif len(scores) == 1:  # a single list should be fast, and picking out of a row is
                scores[0, :][columns] += second[0]
            else:
                scores[:, columns] += second
        return scores

    def best(self, candidates: NDArray[np.bool_] | None = None) -> BestByTaste:
        """Return what lists the best unseen of some movies, bool (movies,); None: of all."""
        return BestByTaste(self, candidates)


class _OfPart(NamedTuple):
    """What the scores of a part are made of.

    Attributes
    ----------
    factors
        The weighted factors, float32 (movies of the part, factors).
    longest_other
        The length of the longest vector of another movie that may be listed; −1 if there is none.
    place
        The position of each movie among the targets, of which the part has the first; 0 for other movies, int64
        (movies of the part,).
    weight
        The weight of its item-item score, 0 for movies without one, float32 (movies of the part,).
    n_targets
        How many of the targets the part has.
    """

    factors: NDArray[np.float32]
    longest_other: float
    place: NDArray[np.int64]
    weight: NDArray[np.float32]
    n_targets: int


class PersonalParts:
    """Scores part after part, with a bound for the movies outside of each.

    Parameters
    ----------
    personal
        The scores.
    candidates
        Which movies may be listed, bool (movies,); None: all.
    """

    def __init__(self, personal: Personal, candidates: NDArray[np.bool_] | None) -> None:
        self.longest = personal.longest.only(candidates)
        self._factors, self._item_item, self._n_candidates = personal.weighted_factors, None, 0
        if personal.item_item is not None and len(personal.item_item.targets):
            # In the order of `longest`, so that those of a part are the first columns. Those that may not be listed
            # come last.
            is_target = np.zeros(len(self._factors), dtype=bool)
            is_target[personal.item_item.targets] = True
            first = self.longest.rows[is_target[self.longest.rows]]
            is_target[first] = False
            self._item_item = personal.item_item.in_order(np.concatenate([first, np.flatnonzero(is_target)]))
            self._n_candidates = len(first)
        # How far rounding may raise a score above the bound.
        self._rounding = 1 + 2 * self._factors.shape[1] * float(np.finfo(np.float32).eps)
        self._known: dict[int, _OfPart] = {}

    @property
    def targets(self) -> NDArray[np.int64]:
        """Rows of the movies with an item-item score that may be listed, in the order of `longest`."""
        return np.empty(0, np.int64) if self._item_item is None else self._item_item.targets[: self._n_candidates]

    @property
    def n_columns(self) -> int:
        """How many movies have an item-item score, whether they may be listed or not."""
        return 0 if self._item_item is None else len(self._item_item.targets)

    def second(self, likes: Likes | None, n_users: int) -> NDArray[np.float32] | None:
        """Item-item scores of users, float32 (users, `n_columns`); None if there is no second opinion."""
        return None if self._item_item is None or likes is None else self._item_item.scores(likes, n_users)

    def scores(
        self, vectors: NDArray[np.float32], second: NDArray[np.float32] | None, part: Part
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Score the movies of a part.

        Parameters
        ----------
        vectors
            Float32 (users, factors).
        second
            From `second`, for these users.
        part
            The part, of one and the same `Parts` in every call. It has the first of `targets`.

        Returns
        -------
        tuple
            The scores, float32 (users, movies of the part), a new array, in which movies that may not be listed have
            scores too. And a bound for the scores of all other movies that may be listed, float32 (users,).
        """
        of_part = self._of(part)
        scores = user_scores(vectors, of_part.factors)
        most = np.linalg.norm(vectors, axis=1) * np.float32(of_part.longest_other)
        if second is not None and self._item_item is not None:
            # Picking columns is much faster than adding to some of them.
            own = second.take(of_part.place, axis=1)
            own *= of_part.weight
            scores += own
            of_others = second[:, of_part.n_targets : self._n_candidates]
            most += of_others.max(axis=1, initial=0) * np.float32(self._item_item.rule.weight)
        return scores, most * self._rounding

    def _of(self, part: Part) -> _OfPart:
        size = len(part.rows)  # tells the parts of a `Parts` from each other
        if size not in self._known:  # two threads may derive the same; one of them is kept
            self._known.setdefault(size, self._derived(part))
        return self._known[size]

    def _derived(self, part: Part) -> _OfPart:
        place, weight = np.zeros(len(part.rows), dtype=np.int64), np.zeros(len(part.rows), dtype=np.float32)
        columns = part.column[self.targets]
        columns = columns[columns >= 0]
        place[columns] = np.arange(len(columns))
        if self._item_item is not None:
            weight[columns] = self._item_item.rule.weight
        own = self._factors if len(part.rows) == len(self._factors) else self._factors[part.rows]
        return _OfPart(own, self.longest.outside(part), place, weight, len(columns))


class BestByTaste:
    """Lists the best unseen movies of users by their personal scores.

    Parameters
    ----------
    personal
        The scores.
    candidates
        Which movies may be listed, bool (movies,); None: all.
    """

    def __init__(self, personal: Personal, candidates: NDArray[np.bool_] | None) -> None:
        self._scores = PersonalParts(personal, candidates)
        targets = self._scores.targets
        always = targets if len(targets) <= _FEW_TARGETS else None
        self._parts = Parts([self._scores.longest.rows], len(personal.movie_factors), always)

    def lists(self, vectors: NDArray[np.float32], likes: Likes | None, seen: Seen, n: int) -> Lists:
        """Rank for some users.

        Parameters
        ----------
        vectors
            Float32 (users, factors).
        likes
            What these users like. None if there is no second opinion.
        seen
            What these users have seen. None of it is listed.
        n
            Length of the lists.
        """
        parts = list(blocks(len(vectors), self._scores.n_columns))
        if len(parts) == 1:
            return self._of_block(vectors, likes, seen, n)
        found = Lists.nothing(len(vectors), n)
        for block in parts:
            users = np.arange(block.start, block.stop)
            own, known = None if likes is None else likes.only(users, len(vectors)), seen.only(users, len(vectors))
            found.rows[block], found.scores[block] = self._of_block(vectors[block], own, known, n)
        return found

    def _of_block(self, vectors: NDArray[np.float32], likes: Likes | None, seen: Seen, n: int) -> Lists:
        n_users, second = len(vectors), self._scores.second(likes, len(vectors))

        def scores(part: Part, own: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
            if len(own) == n_users:
                return self._scores.scores(vectors, second, part)
            return self._scores.scores(vectors[own], None if second is None else second[own], part)

        n_seen = len(seen.movie_idx) // max(n_users, 1)
        return lists_by_parts(self._parts.of_lists(n, n_seen), scores, seen, n_users, n)
