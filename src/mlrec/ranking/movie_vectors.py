"""Vectors of the movies outside the core: the fold-in with the roles of users and movies exchanged.

ALS learns the movies of the core. With the users' vectors X fixed, the same optimum for one more movie solves

    (XᵀX + λI + Σ (c − 1) x xᵀ) y = Σ c p x + (XᵀX + λI) e

where the sums run over the users with an opinion of the movie, with the confidences of training, and e is the vector
that the movie's content lets one expect (`mlrec.ranking.content`). Where nothing is known, the score to reproduce is
that of e instead of 0. So a movie that nobody has rated has the vector e, and the more ratings, the less e matters.

Everything is computed from the factors of the core, XᵀX, the events and the content: `mlrec update` gets the vectors
that training with the same factors would give.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray

from mlrec.ranking.content import Content, expected_vectors
from mlrec.ranking.fold_in import FoldIn
from mlrec.settings import FoldInSettings

Origin = Literal["trained", "folded-in", "content"]
"""Where a movie's vector comes from: ALS, the ratings of users, or nothing but the movie's content."""

ORIGINS: tuple[Origin, ...] = get_args(Origin)


@dataclass(frozen=True)
class Core:
    """What ALS has learned.

    Attributes
    ----------
    movie_factors
        float32 (movies, factors), with any values for movies that are not trained.
    is_trained
        Which movies are trained, bool (movies,).
    user_gram
        XᵀX of the user factors of ALS, float64 (factors, factors).
    """

    movie_factors: NDArray[np.float32]
    is_trained: NDArray[np.bool_]
    user_gram: NDArray[np.float64]


@dataclass(frozen=True)
class MovieVectors:
    """Vectors of all movies.

    Attributes
    ----------
    vectors
        float32 (movies, factors).
    origin
        Position in `ORIGINS`, int8 (movies,).
    """

    vectors: NDArray[np.float32]
    origin: NDArray[np.int8]


@dataclass(frozen=True)
class OpinionsByMovie:
    """The opinions of some movies, movie by movie.

    Attributes
    ----------
    users
        Rows of the users who have one, ascending, int64 (users,).
    indptr
        The opinions of movie row i are indptr[i]:indptr[i + 1]; int64 (movies + 1,).
    user_idx
        Positions in `users`, int32 (opinions,).
    preference
        −2, −1, +1 or +2, int8 (opinions,).
    """

    users: NDArray[np.int64]
    indptr: NDArray[np.int64]
    user_idx: NDArray[np.int32]
    preference: NDArray[np.int8]

    @classmethod
    def of(
        cls,
        user: NDArray[np.integer[Any]],
        movie: NDArray[np.integer[Any]],
        preference: NDArray[np.int8],
        n_movies: int,
        rule: FoldInSettings,
    ) -> Self:
        """Sort opinions, given by rows of users and movies, (opinions,); without those that the rule ignores."""
        if rule.dislikes == "ignore":
            liked = preference > 0
            user, movie, preference = user[liked], movie[liked], preference[liked]
        order = np.lexsort((user, movie))
        users, position = np.unique(user[order], return_inverse=True)
        indptr = np.searchsorted(movie[order], np.arange(n_movies + 1)).astype(np.int64)
        return cls(users.astype(np.int64), indptr, position.astype(np.int32), preference[order])


def movie_vectors(
    core: Core,
    opinions: OpinionsByMovie,
    X: NDArray[np.float32],
    likes: NDArray[np.int64],
    content: Content,
    rule: FoldInSettings,
    threads: int = 1,
) -> MovieVectors:
    """Solve for the movies outside the core.

    Parameters
    ----------
    core
        What ALS has learned.
    opinions
        The opinions of movies outside the core, among the events that the model may learn from.
    X
        Vectors of `opinions.users`, folded in by `rule` from their events in the core, float32 (users, factors).
    likes
        Likes of all movies in what the model may learn from, int64 (movies,).
    content
        The content of all movies.
    rule
        The confidences of training: no decay, and a feedback weight of 1.
    threads
        Threads to solve with. BLAS should be limited to one thread meanwhile.
    """
    if core.is_trained.all():
        return MovieVectors(core.movie_factors, np.zeros(len(core.is_trained), dtype=np.int8))
    expected = expected_vectors(content, core.movie_factors, core.is_trained, likes, rule.regularization)
    solved = FoldIn(X, rule, gram=core.user_gram).user_vectors(
        opinions.indptr, opinions.user_idx, opinions.preference, prior=expected, threads=threads
    )
    origin = np.where(np.diff(opinions.indptr) > 0, ORIGINS.index("folded-in"), ORIGINS.index("content"))
    origin[core.is_trained] = ORIGINS.index("trained")
    vectors = np.where(core.is_trained[:, None], core.movie_factors, solved)
    return MovieVectors(vectors.astype(np.float32), origin.astype(np.int8))
