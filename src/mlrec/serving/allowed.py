"""What the filters of a list mean for one model: the movies that may be listed, and which filter left none."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mlrec.ranking.filters import among, by_years, without
from mlrec.ranking.genre_limit import GenreLimit
from mlrec.ranking.picking import picked
from mlrec.ranking.top_n import top_n
from mlrec.serving import arguments
from mlrec.serving.list_filters import Emptied, ListFilters
from mlrec.serving.served_model import ServedModel
from mlrec.serving.user_views import UserView


@dataclass(frozen=True, eq=False)
class Allowed:
    """The movies of a model that filters let pass, whoever asks.

    Attributes
    ----------
    served
        The model.
    filters
        The filters.
    candidates
        Which movies pass by what they are, bool (movies,). None: all.
    excluded
        Rows of the excluded movies, int64. They are few, and left out faster by their scores than by a mask.
    """

    served: ServedModel
    filters: ListFilters
    candidates: NDArray[np.bool_] | None
    excluded: NDArray[np.int64]

    @classmethod
    def by(cls, filters: ListFilters, served: ServedModel) -> Self:
        """Apply filters to a model.

        Raises
        ------
        SettingsError
            If an id cannot be one of the model's movies, or no movie has one of the genres.
        """
        candidates = None
        for _, mask in _passing(filters, served):
            candidates = mask if candidates is None else candidates & mask
        exclude = arguments.movie_ids("exclude", tuple(filters.exclude), served.model.movie_id_kind)
        return cls(served, filters, candidates, served.known_rows(exclude))

    def best_rows(self, scores: NDArray[np.float32], views: Collection[UserView], n: int) -> NDArray[np.int64]:
        """Return the rows of the n best movies for some people, int64; fewer if fewer are left.

        `scores` is float32 (movies,) and is overwritten.
        """
        self._leave_out_by_history(scores, views)
        scores[self.excluded] = -np.inf
        if self.filters.ranks_alone:
            if self.candidates is None:
                return top_n(scores, n)
            rows = np.flatnonzero(self.candidates)  # often few, and then ranked faster than by a mask over all
            return rows[top_n(scores[rows], n)]
        if self.candidates is not None:
            np.putmask(scores, ~self.candidates, -np.inf)
        most = self.filters.max_per_genre
        limit = None if most is None else GenreLimit(self.served.movie_genres, most)
        return picked(scores, n, self.served.movie_factors, self.filters.diversity, limit)

    def _leave_out_by_history(self, scores: NDArray[np.float32], views: Collection[UserView]) -> None:
        """Lower the scores of movies that people must not get because of what they have seen."""
        if self.filters.seen == "hide":
            for view in views:
                scores[view.history.seen] = -np.inf
            return
        if self.filters.seen == "only":
            np.putmask(scores, ~_seen_by_all(views), -np.inf)
        if len(views) > 1:
            for view in views:
                scores[_disliked(view)] = -np.inf

    def emptied(self, views: Collection[UserView]) -> Emptied | None:
        """Return which filter left no movie for some people; None if it was none of them."""
        n_movies = len(self.served.movie_ids)
        left, count = np.ones(n_movies, dtype=bool), n_movies
        steps = []
        for name, mask in self._steps(views):
            left &= mask
            before, count = count, int(np.count_nonzero(left))
            if count < before:
                steps.append((name, count))
            if not count:
                return Emptied(n_movies, tuple(steps))
        return None

    def _steps(self, views: Collection[UserView]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
        """Each filter with the movies that pass it, in the order in which they are told."""
        n_movies = len(self.served.movie_ids)
        yield from _passing(self.filters, self.served)
        yield "exclude", without(n_movies, self.excluded)
        if self.filters.seen == "hide":
            yield "unseen", without(n_movies, np.concatenate([view.history.seen for view in views]))
            return
        if self.filters.seen == "only":
            yield "seen", _seen_by_all(views)
        if len(views) > 1:
            yield "disliked", without(n_movies, np.concatenate([_disliked(view) for view in views]))


def _passing(filters: ListFilters, served: ServedModel) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """The filters by what a movie is: the name of each one in use, and the movies that pass it, bool (movies,)."""
    if filters.only is not None:
        wanted = arguments.movie_ids("only", tuple(filters.only), served.model.movie_id_kind)
        yield "only", among(len(served.movie_ids), served.known_rows(wanted))
    if filters.genres is not None:
        yield "genres", served.of_any(filters.genres)
    if filters.not_genres:
        yield "not_genres", ~served.of_any(filters.not_genres)
    if filters.years is not None:
        yield "years", by_years(served.years, *filters.years)


def _seen_by_all(views: Collection[UserView]) -> NDArray[np.bool_]:
    """Movies that every one of these people has seen, bool (movies,)."""
    n_movies = len(next(iter(views)).served.movie_ids)
    seen: NDArray[np.bool_] = np.logical_and.reduce([among(n_movies, view.history.seen) for view in views])
    return seen


def _disliked(view: UserView) -> NDArray[np.int32]:
    """Rows of the movies that somebody dislikes."""
    history = view.history
    return history.movie_idx[(history.preference < 0) & (history.movie_idx >= 0)]
