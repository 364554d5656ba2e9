"""The personal score of movies: that of the user's vector, and beside it the item-item score if the model has one.

Every list of users who are ranked by taste alone comes from here: single lists, batches and evaluation.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mlrec.ranking.best_unseen import BestUnseen, Lists, Longest, Part, Seen, blocks
from mlrec.ranking.item_item import ItemItem, Likes
from mlrec.ranking.scores import user_scores


class Personal:
    """Scores movies for users by what these like.

    Parameters
    ----------
    movie_factors
        Float32 (movies, factors).
    item_item
        The second opinion. None: the vectors alone count, as with a weight of 0.
    """

    def __init__(self, movie_factors: NDArray[np.float32], item_item: ItemItem | None) -> None:
        self.movie_factors = np.ascontiguousarray(movie_factors)
        self.item_item = item_item if item_item is not None and item_item.rule.weight else None

    @cached_property
    def longest(self) -> Longest:
        """The movies by the length of `weighted_factors`."""
        return Longest.of(self.weighted_factors)

    @cached_property
    def weighted_factors(self) -> NDArray[np.float32]:
        """The movie factors times the weight of the vectors' score, float32 (movies, factors)."""
        if self.item_item is None:
            return self.movie_factors
        return self.movie_factors * np.float32(1.0 - self.item_item.rule.weight)

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
        columns = None if self.item_item is None else self.item_item.targets
        return self._scored(vectors, likes, self.weighted_factors, columns)

    def scores_of_part(
        self, vectors: NDArray[np.float32], likes: Likes | None, part: Part, factors: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Score the movies of a part, float32 (users, movies of the part), a new array; see `scores`.

        `factors` are `weighted_factors` of the part. It must have all movies with an item-item score.
        """
        columns = None if self.item_item is None else part.column[self.item_item.targets]
        return self._scored(vectors, likes, factors, columns)

    def _scored(
        self,
        vectors: NDArray[np.float32],
        likes: Likes | None,
        factors: NDArray[np.float32],
        columns: NDArray[np.integer] | None,
    ) -> NDArray[np.float32]:
        """Score movies by their weighted factors, with the item-item scores in some ascending columns."""
        scores = user_scores(vectors, factors)
        if self.item_item is not None and likes is not None and columns is not None:
            second = self.item_item.scores(likes, len(vectors)) * np.float32(self.item_item.rule.weight)
            if len(columns) == len(factors):
                scores += second
            elif len(scores) == 1:  # a single list should be fast, and picking out of a row is
                scores[0, :][columns] += second[0]
            else:
                scores[:, columns] += second
        return scores

    def best(self, candidates: NDArray[np.bool_] | None = None) -> BestByTaste:
        """Return what lists the best unseen of some movies, bool (movies,); None: of all."""
        return BestByTaste(self, candidates)


class BestByTaste:
    """Lists the best unseen movies of users by their personal scores.

    The movies that have an item-item score are all scored. Of the others, only those that may reach the list are.
    """

    def __init__(self, personal: Personal, candidates: NDArray[np.bool_] | None) -> None:
        self._personal = personal
        if personal.item_item is None:
            self._others = BestUnseen(personal.movie_factors, candidates, personal.longest)
            return
        n_movies = len(personal.movie_factors)
        is_target = np.zeros(n_movies, dtype=bool)
        is_target[personal.item_item.targets] = True
        allowed = np.ones(n_movies, dtype=bool) if candidates is None else candidates
        self._others = BestUnseen(personal.weighted_factors, allowed & ~is_target, personal.longest)
        self._targets = Part.of(is_target)
        self._factors = personal.weighted_factors[self._targets.rows]
        self._hidden = np.flatnonzero(~allowed[self._targets.rows])

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
        if self._personal.item_item is None or likes is None:
            return self._others.lists(vectors, seen, n)
        parts = list(blocks(len(vectors), len(self._targets.rows)))
        if len(parts) == 1:
            return self._of_block(vectors, likes, seen, n)
        found = Lists.nothing(len(vectors), n)
        for block in parts:
            users = np.arange(block.start, block.stop)
            own, known = likes.only(users, len(vectors)), seen.only(users, len(vectors))
            found.rows[block], found.scores[block] = self._of_block(vectors[block], own, known, n)
        return found

    def _of_block(self, vectors: NDArray[np.float32], likes: Likes, seen: Seen, n: int) -> Lists:
        scores = self._personal.scores_of_part(vectors, likes, self._targets, self._factors)
        scores[seen.within(self._targets.column)] = -np.inf
        scores[:, self._hidden] = -np.inf
        first = Lists.best(scores, self._targets.rows, n)
        others = self._others.lists(vectors, seen, n, reached=first.scores[:, -1] if n else None)
        return _merged(first, others)


def _merged(first: Lists, second: Lists) -> Lists:
    """The best of two lists of each user."""
    if (second.rows < 0).all():
        return first
    rows = np.concatenate([first.rows, second.rows], axis=1)
    scores = np.concatenate([first.scores, second.scores], axis=1)
    order = np.lexsort((rows, -scores), axis=1)[:, : first.rows.shape[1]]
    if len(order) == 1:  # a single list should be fast
        return Lists(rows[:, order[0]], scores[:, order[0]])
    return Lists(np.take_along_axis(rows, order, axis=1), np.take_along_axis(scores, order, axis=1))
