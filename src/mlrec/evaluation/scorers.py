"""The models to evaluate, as scorers: each scores all movies for some users, from the same history."""

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
"""Takes user rows (users,) and returns scores, float32 (users, movies). The caller may change the array."""


@dataclass(frozen=True, eq=False)
class Known:
    """What all models may know.

    Attributes
    ----------
    train
        The events that models learn from.
    history
        The events that are known of a user when movies are recommended. They include those of `train` and have the same
        user rows.
    popularity
        Likes by movie row in the data that the model learned from, int64 (movies,).
    genres
        Genres by movie row.
    """

    train: History
    history: History
    popularity: NDArray[np.int64]
    genres: Sequence[Sequence[str]]

    @classmethod
    def of(cls, model: Model, history_splits: tuple[SplitName, ...]) -> Self:
        """Return what a model that learned from train knows of its users if the history is that of some splits."""
        train = model.history.only(("train",))
        return cls(
            train=train,
            history=train if history_splits == ("train",) else model.history.only(history_splits),
            popularity=np.asarray(model.popularity),
            genres=model.catalogue.genres,
        )

    @cached_property
    def likes_in_train(self) -> NDArray[np.int64]:
        """Likes in train by movie row, int64 (movies,): the popularity that measures the lists of all models."""
        liked = (self.train.preference > 0) & (self.train.movie_idx >= 0)
        return np.bincount(self.train.movie_idx[liked], minlength=len(self.popularity)).astype(np.int64)

    @property
    def n_users(self) -> int:
        """Number of users, including those without events."""
        return len(self.history.indptr) - 1


def popularity(known: Known) -> Scorer:
    """Return a scorer that gives all users the same scores: likes in train."""
    scores = popularity_scores(known.popularity)
    return lambda rows: np.tile(scores, (len(rows), 1))


def factors(
    known: Known,
    movie_factors: NDArray[np.float32],
    rule: FoldInSettings,
    vectors: NDArray[np.float32],
    serve: ServeSettings,
) -> Scorer:
    """Return a scorer that ranks as serving does: by user vectors and movie factors, and by popularity for new users.

    Parameters
    ----------
    known
        What the models may know.
    movie_factors
        float32 (movies, factors).
    rule
        The fold-in rule.
    vectors
        User vectors by user row, float32 (users, factors); zeros for users whose taste is unknown.
    serve
        How ranking hands over from popularity to personal scores.
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
    """Return a scorer that sums the weights between a user's likes and each other movie.

    Users without a known like get the popular list, as with every model.

    Parameters
    ----------
    known
        What the models may know.
    likes
        Known likes, CSR float32 (users, movies).
    weights
        Weights between movies, float32 (movies, movies), sparse or dense.
    """
    popular = popularity_scores(known.popularity)

    def scores(rows: NDArray[np.int64]) -> NDArray[np.float32]:
        own = likes[rows]
        found = own @ weights
        scores = np.asarray(found if isinstance(found, np.ndarray) else found.toarray(), dtype=np.float32)
        scores[np.diff(own.indptr) == 0] = popular
        return scores

    return scores
