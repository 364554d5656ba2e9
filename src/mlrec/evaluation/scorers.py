"""The models that are judged: each turns users into scores of all movies, from the same history."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from mlrec.artifacts.model_folder import Model
from mlrec.ranking.fold_in import FoldIn
from mlrec.ranking.histories import History
from mlrec.ranking.ranker import Opinions, Ranker
from mlrec.ranking.scores import popularity_scores
from mlrec.settings import FoldInSettings, ServeSettings, SplitName

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Scorer = Callable[[NDArray[np.int64]], NDArray[np.float32]]
"""User rows (users,) to scores, float32 (users, movies); the array is the caller's to change."""


@dataclass(frozen=True, eq=False)
class Known:
    """What all models may use.

    Attributes
    ----------
    train
        The events that models learn from.
    history
        The events that are known of a user when movies are recommended, all of `train` among them. Same user rows.
    popularity
        Likes by movie row in what the model has learned from, int64 (movies,).
    genres
        By movie row.
    """

    train: History
    history: History
    popularity: NDArray[np.int64]
    genres: Sequence[Sequence[str]]

    @classmethod
    def of(cls, model: Model, history_splits: tuple[SplitName, ...]) -> Self:
        """What a model that has learned from train knows of its users by some splits."""
        train = model.history.only(("train",))
        return cls(
            train=train,
            history=train if history_splits == ("train",) else model.history.only(history_splits),
            popularity=np.asarray(model.popularity),
            genres=model.catalogue.genres,
        )

    @cached_property
    def likes_in_train(self) -> NDArray[np.int64]:
        """Likes in train by movie row, int64 (movies,): the popularity that lists of all models are measured by."""
        liked = (self.train.preference > 0) & (self.train.movie_idx >= 0)
        return np.bincount(self.train.movie_idx[liked], minlength=len(self.popularity)).astype(np.int64)

    @property
    def n_users(self) -> int:
        """Users, those without events as well."""
        return len(self.history.indptr) - 1


def popularity(known: Known) -> Scorer:
    """The same list for everybody: likes in train."""
    scores = popularity_scores(known.popularity)
    return lambda rows: np.tile(scores, (len(rows), 1))


def factors(
    known: Known,
    movie_factors: NDArray[np.float32],
    rule: FoldInSettings,
    vectors: NDArray[np.float32],
    serve: ServeSettings,
) -> Scorer:
    """What serving ranks by: vectors of users and movies, and popularity where little is known.

    Parameters
    ----------
    known
        What is known.
    movie_factors
        Float32 (movies, factors).
    rule
        How a user is folded in.
    vectors
        By user row, float32 (users, factors); zeros for users without taste.
    serve
        How popularity hands over to taste.
    """
    own = np.ascontiguousarray(movie_factors)
    ranker = Ranker.of(FoldIn(own, rule), own, known.popularity, known.n_users, known.genres, serve)
    n_opinions = np.diff(known.history.indptr)

    def scores(rows: NDArray[np.int64]) -> NDArray[np.float32]:
        def opinions(position: int) -> Opinions:
            events = known.history.of(int(rows[position]))
            return Opinions(known.history.movie_idx[events], known.history.preference[events])

        return ranker.order(vectors[rows], n_opinions[rows], opinions)

    return scores


def item_weights(known: Known, likes: csr_matrix, weights: csr_matrix | NDArray[np.float32]) -> Scorer:
    """A user's scores are the sum of the weights that the user's likes give to other movies.

    Users without a known like get the popular list, as they do from every model.

    Parameters
    ----------
    known
        What is known.
    likes
        Known likes, CSR float32 (users, movies).
    weights
        Float32 (movies, movies), sparse or dense.
    """
    popular = popularity_scores(known.popularity)

    def scores(rows: NDArray[np.int64]) -> NDArray[np.float32]:
        own = likes[rows]
        found = own @ weights
        scores = np.asarray(found if isinstance(found, np.ndarray) else found.toarray(), dtype=np.float32)
        scores[np.diff(own.indptr) == 0] = popular
        return scores

    return scores
