"""A user's vector from the user's history, with movie factors fixed: the exact solve of Hu, Koren & Volinsky (2008).

Let Y be the movie factors, p = 1 for a liked movie and 0 for a disliked one, and c the confidence of an event. Equation
4 of "Collaborative Filtering for Implicit Feedback Datasets" then gives the user's optimum as the solution of

    (YᵀY + λI + Σ (c − 1) y yᵀ) x = Σ c p y

where the sums run over the user's events only. Confidence is c = 1 + α · |r| · g · w · v, with preference r, feedback
weight g and decay w = 0.5 ^ (age / half-life). The age of an event is the number of the same user's later events.

Y has trained movies only. Movies outside the core have vectors too (`mlrec.ranking.movie_vectors`), from few ratings.
An opinion on one of them counts as an event of this formula, with half the weight (v = ½ instead of 1), and makes
earlier events no older. docs/decisions/0013 has the measurements.

The same solve with the roles exchanged gives a movie's vector from the users who liked it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mlrec.errors import TrainingFailedError
from mlrec.settings import FoldInSettings

# Floats in the two large arrays of a block together (64 MB in float64). Keeps memory flat for any number of users.
_BLOCK_FLOATS = 8_000_000
# Events of a block: few enough for the processor's cache, and so many that two threads seldom wait for the interpreter.
_BLOCK_EVENTS = 16_384
_LARGEST = float(np.finfo(np.float32).max)
_MOST_CONFIDENCE = 1e12
# Vectors of many users are exact to this share of their length, or are solved by elimination.
_EXACT = 1e-5
# A weight c − 1 up to which an event is left out: YᵀY has its movie with weight 1, so that is far below this share.
_NEXT_TO_NOTHING = 1e-7
_MOST_STEPS = 30
# Beyond this ratio of eigenvalues, single precision is not tried.
_LEAST_PART = 1e-6
_TINY = float(np.finfo(np.float32).tiny)
# v of a movie that is not trained.
_OUTSIDE_WEIGHT = 0.5
_Float = TypeVar("_Float", np.float32, np.float64)
# Absurd settings overflow on the way; `_checked` finds that in the result.
_unwarned = np.errstate(over="ignore", invalid="ignore", divide="ignore")


def confidence(preferences: NDArray[np.int8], ages: NDArray[np.int64], settings: FoldInSettings) -> NDArray[np.float64]:
    """Confidence of events at fold-in.

    Parameters
    ----------
    preferences
        Signed preferences, int8 (n,).
    ages
        Number of the same user's later events, (n,).
    settings
        α, half-life and feedback weight.

    Returns
    -------
    ndarray
        c ≥ 1, float64 (n,).
    """
    decay = np.exp2(-ages / settings.half_life)
    return 1.0 + settings.alpha * np.abs(preferences.astype(np.float64)) * settings.feedback_weight * decay


def require_solvable(settings: FoldInSettings) -> None:
    """Refuse settings whose confidences are so large that YᵀY + λI vanishes beside them in 16 digits.

    Raises
    ------
    TrainingFailedError
        If the settings allow such confidences.
    """
    if 2 * settings.alpha * settings.feedback_weight > _MOST_CONFIDENCE:
        raise _unsolvable(settings)


def _unsolvable(settings: FoldInSettings) -> TrainingFailedError:
    return TrainingFailedError(
        "The fold-in has no solution in floating-point numbers with these settings.",
        f"Train with an alpha (now {settings.alpha:g}), a feedback weight (now {settings.feedback_weight:g}) and a"
        " regularization closer to the defaults.",
    )


@dataclass(frozen=True)
class Contributions:
    """What each of a user's opinions adds to the user's score of one movie; all arrays are float64 (opinions,).

    Attributes
    ----------
    is_liked
        Which opinions count as p = 1 rather than 0; bool (opinions,).
    liked
        c_i · (y_iᵀ A⁻¹ m): what a liked movie adds; 0 for others. These parts sum to the score.
    disliked
        The score minus the score without this dislike, with all other weights unchanged; 0 for others.
    """

    is_liked: NDArray[np.bool_]
    liked: NDArray[np.float64]
    disliked: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sums:
    """What a user's opinions add to the equations of the user's vector; all arrays are float64.

    Attributes
    ----------
    opinions
        How many there are.
    gram
        Σ (c − 1) y yᵀ, (factors, factors).
    weighted
        Σ (c − 1) p y, (factors,).
    liked
        Σ p y, (factors,).
    """

    opinions: int
    gram: NDArray[np.float64]
    weighted: NDArray[np.float64]
    liked: NDArray[np.float64]


class FoldIn:
    """Solver for user vectors on one set of movie factors.

    Parameters
    ----------
    movie_factors
        Vectors of all movies, float32 (movies, factors).
    settings
        The rule; see `FoldInSettings`.
    is_trained
        Which movies ALS has learned, bool (movies,): the rows of Y. None: all.
    gram
        YᵀY, if it is known, float64 (factors, factors).

    Attributes
    ----------
    movie_factors, settings, is_trained
        The parameters.
    makes_older
        Which movie rows make a user's earlier events older, bool (movies + 1,): those that are trained, and the last,
        row −1, which is an unknown movie.

    Raises
    ------
    TrainingFailedError
        If the rule has no solution; see `require_solvable`.
    """

    def __init__(
        self,
        movie_factors: NDArray[np.float32],
        settings: FoldInSettings,
        is_trained: NDArray[np.bool_] | None = None,
        *,
        gram: NDArray[np.float64] | None = None,
    ) -> None:
        require_solvable(settings)
        self.settings = settings
        self.movie_factors = movie_factors
        self.is_trained = is_trained
        self._factors = np.asarray(movie_factors, dtype=np.float64)
        # An unknown movie makes earlier events older, and weighs nothing anyway.
        self.makes_older = np.append(np.ones(len(movie_factors), bool) if is_trained is None else is_trained, True)
        self._makes_older = None if self.makes_older.all() else self.makes_older
        if gram is None:
            Y = self._factors if self._makes_older is None else self._factors[is_trained]
            gram = Y.T @ Y
        self._gram = gram
        self._base = gram + settings.regularization * np.eye(len(gram))

    def with_settings(self, settings: FoldInSettings) -> FoldIn:
        """Return a solver on the same movies by another rule."""
        return FoldIn(self.movie_factors, settings, self.is_trained, gram=self._gram)

    @_unwarned
    def user_vector(
        self, movie_idx: NDArray[np.int32], preferences: NDArray[np.int8], *, decay: bool = True
    ) -> NDArray[np.float32]:
        """Vector of one user.

        Parameters
        ----------
        movie_idx
            Rows of the user's movies in time order, oldest first, (n,). Each movie occurs at most once. −1 is a movie
            without factors; its event only makes earlier ones older.
        preferences
            Signed preferences, int8 (n,).
        decay
            False if the order means nothing: every opinion then weighs as much as the newest.

        Returns
        -------
        ndarray
            float32 (factors,); zeros for an empty history or one without a liked movie.

        Raises
        ------
        TrainingFailedError
            If the solution is too large for a float.
        """
        return self.vector_of(self.sums(movie_idx, preferences, decay=decay))

    @_unwarned
    def sums(
        self,
        movie_idx: NDArray[np.int32],
        preferences: NDArray[np.int8],
        *,
        decay: bool = True,
        earlier: Sums | None = None,
    ) -> Sums:
        """Sum up a user's opinions.

        Every weight c − 1 shrinks by the same factor with each newer event, and so do their sums. If those over the
        earlier opinions are given, only the newer ones are summed up. The result is the same but for rounding.

        Parameters
        ----------
        movie_idx, preferences, decay
            As in `user_vector`.
        earlier
            The sums over earlier opinions of other movies, with decay. `movie_idx` and `preferences` are then those of
            the newer ones.
        """
        Y, c, liked = self._known(movie_idx, preferences, decay)
        weighted, alone = np.where(liked, [c - 1.0, np.ones_like(c)], 0.0) @ Y
        gram = self._weighted_gram(Y, c)
        if earlier is None:
            return Sums(len(movie_idx), gram, weighted, alone)
        shrunk = np.exp2(-np.count_nonzero(self.makes_older[movie_idx]) / self.settings.half_life)
        return Sums(
            earlier.opinions + len(movie_idx),
            shrunk * earlier.gram + gram,
            shrunk * earlier.weighted + weighted,
            earlier.liked + alone,
        )

    @_unwarned
    def vector_of(self, sums: Sums) -> NDArray[np.float32]:
        """Vector of a user by the sums of the user's opinions; as `user_vector`."""
        return self._solve(self._base + sums.gram, sums.weighted + sums.liked).astype(np.float32)

    @_unwarned
    def contributions(
        self, movie: int, movie_idx: NDArray[np.int32], preferences: NDArray[np.int8], *, decay: bool = True
    ) -> Contributions:
        """Take apart the score that `user_vector` gives a movie (Hu, Koren & Volinsky 2008, section 5).

        Parameters
        ----------
        movie
            Row of the movie.
        movie_idx, preferences, decay
            As in `user_vector`.
        """
        Y, c, liked = self._known(movie_idx, preferences, decay)
        A = self._base + self._weighted_gram(Y.copy(), c)
        c_liked = np.where(liked, c, 0.0)
        # A is symmetric, so one solve gives A⁻¹m and, from it, every y_iᵀ A⁻¹ m.
        towards_movie = Y @ self._solve(A, self._factors[movie])
        away = np.flatnonzero(~liked & (c > 1.0))
        disliked = np.zeros(len(c))
        if len(away):
            # Without dislike d, A loses (c − 1) y yᵀ. The Sherman-Morrison formula gives the inverse.
            solved = self._solve(A, np.column_stack([Y[away].T, c_liked @ Y]))
            weight = c[away] - 1.0
            own_score = Y[away] @ solved[:, -1]
            leverage = np.einsum("df,fd->d", Y[away], solved[:, :-1])
            disliked[away] = -weight * own_score * towards_movie[away] / (1.0 - weight * leverage)
        return Contributions(liked, self._checked(c_liked * towards_movie), self._checked(disliked))

    def _solve(self, A: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        """Solve A x = b, one system or many."""
        try:
            return self._checked(np.linalg.solve(A, b))
        except np.linalg.LinAlgError:  # fewer movies than factors, and a λ near 0
            raise _unsolvable(self.settings) from None

    def _checked(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Return the values if all are finite in float32, else raise."""
        if (np.abs(values) <= _LARGEST).all():  # False for NaN
            return values
        raise _unsolvable(self.settings)

    def _weighted_gram(self, Y: NDArray[np.float64], c: NDArray[np.float64]) -> NDArray[np.float64]:
        """Σ (c − 1) y yᵀ, without the oldest events of a long history, whose c has decayed to exactly 1.

        Y, the factors of the user's movies, is overwritten: another array of that size would take as long as the rest.
        """
        oldest = int(np.argmax(c > 1.0)) if len(c) else 0
        recent = Y[oldest:]
        recent *= np.sqrt(c[oldest:] - 1.0)[:, None]
        gram: NDArray[np.float64] = recent.T @ recent  # an array times itself: BLAS does half the work
        return gram

    def _known(
        self, movie_idx: NDArray[np.int32], preferences: NDArray[np.int8], decay: bool
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
        """Factors of a user's movies, confidences of the opinions, and which opinions count as p = 1 rather than 0."""
        ages = np.arange(len(movie_idx) - 1, -1, -1)
        c, liked = self._weigh(movie_idx, np.where(movie_idx >= 0, preferences, 0), ages if decay else ages * 0)
        return self._factors[movie_idx], c, liked

    def _weigh(
        self, movie_idx: NDArray[np.int32], preferences: NDArray[np.int8], ages: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Confidences (1 where an event weighs nothing), and which preferences count as p = 1 rather than 0.

        The last axis is a user's events, oldest first. `ages` are what they are if all movies are trained.
        """
        if self._makes_older is None:
            c = confidence(preferences, ages, self.settings)
        else:
            makes_older = self._makes_older[movie_idx]
            not_counted = np.cumsum(~makes_older[..., ::-1], axis=-1)[..., ::-1] - ~makes_older
            c = confidence(preferences, np.maximum(ages - not_counted, 0), self.settings)
            c = np.where(makes_older, c, 1.0 + _OUTSIDE_WEIGHT * (c - 1.0))
        liked = preferences != 0 if self.settings.dislikes == "as-likes" else preferences > 0
        if self.settings.dislikes == "ignore":
            c = np.where(liked, c, 1.0)
        return c, liked

    def user_vectors(
        self,
        indptr: NDArray[np.int64],
        movie_idx: NDArray[np.int32],
        preferences: NDArray[np.int8],
        *,
        prior: NDArray[np.float64] | None = None,
        threads: int = 1,
        advance: Callable[[int], object] = lambda users: None,  # noqa: ARG005
    ) -> NDArray[np.float32]:
        """Vectors of many users. Their error is at most 10⁻⁵ of their length, measured by YᵀY + λI; usually 10⁻⁶.

        Parameters
        ----------
        indptr
            The events of user i are indptr[i]:indptr[i + 1], (users + 1,).
        movie_idx
            Movie rows, each user's in time order, oldest first, (events,); −1 as in `user_vector`.
        preferences
            Signed preferences, int8 (events,).
        prior
            What each vector is without events, (users, factors): where nothing is known, its scores are expected
            instead of 0. None: zeros.
        threads
            Threads to solve with. BLAS should be limited to one thread meanwhile.
        advance
            Called with the number of users of each finished block.

        Returns
        -------
        ndarray
            float32 (users, factors).

        Raises
        ------
        TrainingFailedError
            If a solution is too large for a float.
        """
        vectors = np.zeros((len(indptr) - 1, self._base.shape[0]), dtype=np.float32)
        if prior is not None:
            vectors[:] = prior
        blocks = self._blocks(np.diff(indptr))

        def solve(users: NDArray[np.int64]) -> int:
            expected = None if prior is None else prior[users]
            vectors[users] = self._solve_block(users, indptr, movie_idx, preferences, expected)
            return len(users)

        if threads == 1:
            for users in blocks:
                advance(solve(users))
        else:
            with ThreadPoolExecutor(threads) as pool:
                for done in pool.map(solve, blocks):
                    advance(done)
        return vectors

    def _blocks(self, lengths: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
        """Users with a history, in blocks, shortest histories first so that a block needs little padding."""
        order = np.argsort(lengths, kind="stable")
        position = int(np.searchsorted(lengths[order], 1))
        n_factors = self._base.shape[0]
        while position < len(order):
            size = 1 + _BLOCK_EVENTS // int(lengths[order[position]])
            while True:
                block = order[position : position + size]
                per_user = n_factors * (int(lengths[block[-1]]) + n_factors)
                if len(block) == 1 or len(block) * per_user <= _BLOCK_FLOATS:
                    break
                size = len(block) // 2
            yield block
            position += len(block)

    @_unwarned
    def _solve_block(
        self,
        users: NDArray[np.int64],
        indptr: NDArray[np.int64],
        movie_idx: NDArray[np.int32],
        preferences: NDArray[np.int8],
        prior: NDArray[np.float64] | None,
    ) -> NDArray[np.floating[Any]]:
        """Solve for users with similar numbers of events: quickly in single precision, or else by elimination."""
        lengths = indptr[users + 1] - indptr[users]
        slots = np.arange(lengths.max())
        real = slots < lengths[:, None]
        events = np.where(real, indptr[users][:, None] + slots, 0)
        rows = np.where(real, movie_idx[events], -1)
        signed = np.where(rows >= 0, preferences[events], 0)
        # Histories are padded to the longest one. Padding and movies without factors have preference 0, so c is 1 and
        # weighs nothing.
        c, liked = self._weigh(rows, signed, np.maximum(lengths[:, None] - 1 - slots, 0))
        wanted = np.where(liked, c, 0.0)
        # As in `_weighted_gram`: the oldest events of long histories have decayed to next to nothing.
        oldest = int(np.argmax((c > 1.0 + _NEXT_TO_NOTHING).any(axis=0)))

        def equations(factors: NDArray[_Float]) -> tuple[NDArray[_Float], NDArray[_Float]]:
            dtype = factors.dtype
            Y = factors.take(rows, axis=0, mode="wrap")  # row −1 is the last
            b = np.matmul(wanted[:, None, :].astype(dtype), Y)[:, 0]
            if prior is not None:
                b += (prior @ self._base).astype(dtype)
            Y = Y[:, oldest:]
            Y *= np.sqrt(c[:, oldest:] - 1.0).astype(dtype)[:, :, None]
            A = np.matmul(Y.transpose(0, 2, 1), Y)  # as in `_weighted_gram`
            A += self._base.astype(dtype)
            return A, b

        quick = self._by_gradients(*equations(self._single))
        if quick is not None:
            return self._checked(quick)
        A, b = equations(self._factors)
        return self._solve(A, b[:, :, None])[:, :, 0]

    @cached_property
    def _single(self) -> NDArray[np.float32]:
        return np.ascontiguousarray(self.movie_factors, dtype=np.float32)

    @cached_property
    def _inverse(self) -> NDArray[np.float32] | None:
        """(YᵀY + λI)⁻¹; None if single precision says little of it, as with fewer movies than factors and λ near 0."""
        values, vectors = np.linalg.eigh(self._base)
        if not values[0] > _LEAST_PART * values[-1]:
            return None
        inverse: NDArray[np.float32] = ((vectors / values) @ vectors.T).astype(np.float32)
        return inverse

    def _by_gradients(self, A: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """Solve A x = b for many users, (users, factors, factors) and (users, factors); None if that is not certain.

        What is known of a user changes YᵀY + λI little, so conjugate gradients with its inverse as the preconditioner
        need about five steps (Hestenes & Stiefel 1952; Saad 2003, algorithm 9.1), which is less work than elimination.
        """
        inverse = self._inverse
        if inverse is None:
            return None
        x = b @ inverse
        r = b - _products(A, x)
        p = z = r @ inverse
        left = np.einsum("uf,uf->u", r, z)
        enough = (_EXACT / 10) ** 2 * np.einsum("uf,uf->u", b, x)  # x is smaller than that by what A is larger
        for _ in range(_MOST_STEPS):
            if (left <= enough).all():
                # A is larger than YᵀY + λI. So the error, measured by the one, is at most the residual by its inverse.
                r = b - _products(A, x)
                left = np.einsum("uf,uf->u", r, r @ inverse)
                is_exact = left <= _EXACT**2 * np.einsum("uf,uf->u", x @ self._base.astype(np.float32), x)
                return x if is_exact.all() else None
            Ap = _products(A, p)
            step = left / np.maximum(np.einsum("uf,uf->u", p, Ap), _TINY)
            x += step[:, None] * p
            r -= step[:, None] * Ap
            z = r @ inverse
            before, left = left, np.einsum("uf,uf->u", r, z)
            p = z + (left / np.maximum(before, _TINY))[:, None] * p
        return None


def _products(A: NDArray[np.float32], x: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """A x for many users."""
    product: NDArray[np.float32] = np.matmul(A, x[:, :, None])[:, :, 0]
    return product
