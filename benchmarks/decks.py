"""The decks that `first_deck.py` compares: which card comes next, from the answers so far."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from mlrec.evaluation.replay.arms import ReplayModel
from mlrec.ranking.ranker import Opinions, Ranker, Scores

# Variance and entropy of fewer preferences are chance.
_FEWEST_PREFERENCES = 10
# At most so many learned users are asked what people alike have seen.
_MOST_ALIKE = 2_000
# How much of the chance that a person has seen a movie comes from single people alike rather than from all.
_ALIKE = 0.5

Floats = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class World:
    """What a model knows before the new people come; arrays are (movies,) unless said otherwise.

    Attributes
    ----------
    ranker
        The served rule.
    likes, ratings
        Numbers of likes and of ratings.
    preferences
        How often each preference, −2, −1, +1 and +2, was given, (movies, 4).
    base
        YᵀY + λI of the fold-in, (factors, factors).
    rated
        Which movies some of the users have rated, float32 (users, movies).
    """

    ranker: Ranker
    likes: Floats
    ratings: Floats
    preferences: Floats
    base: Floats
    rated: NDArray[np.float32]

    @classmethod
    def of(cls, model: ReplayModel, seed: int) -> World:
        """Derive all of it from a model."""
        history, n_movies = model.history, len(model.movie_ids)
        known = history.movie_idx >= 0
        movie, preference = history.movie_idx[known], history.preference[known]
        counts = np.stack([np.bincount(movie[preference == one], minlength=n_movies) for one in (-2, -1, 1, 2)], axis=1)
        fold_in = model.ranker.fold_in
        trained = fold_in.movie_factors[model.is_trained].astype(np.float64)
        base = trained.T @ trained + fold_in.settings.regularization * np.eye(trained.shape[1])
        n_users = len(history.indptr) - 1
        asked = np.random.default_rng(seed).permutation(n_users)[:_MOST_ALIKE]
        rated = np.zeros((len(asked), n_movies), dtype=np.float32)
        for place, user in enumerate(asked.tolist()):
            own = history.movie_idx[history.of(user)]
            rated[place, own[own >= 0]] = 1.0
        return cls(
            model.ranker,
            counts[:, 2:].sum(axis=1).astype(np.float64),
            counts.sum(axis=1).astype(np.float64),
            counts.astype(np.float64),
            base,
            rated,
        )

    @cached_property
    def seen_share(self) -> NDArray[np.float32]:
        """Share of users who have rated each movie, never quite 0."""
        share: NDArray[np.float32] = (self.rated.sum(axis=0) + 0.5) / (len(self.rated) + 1)
        return share

    @cached_property
    def variance(self) -> Floats:
        """Variance of the preferences; 0 for a movie with few."""
        values = np.array([-2.0, -1.0, 1.0, 2.0])
        n = np.maximum(self.ratings, 1.0)
        mean: Floats = self.preferences @ values / n
        found: Floats = self.preferences @ values**2 / n - mean**2
        return np.where(self.ratings >= _FEWEST_PREFERENCES, found, 0.0)

    @cached_property
    def entropy(self) -> Floats:
        """Entropy of the preferences, in bits; 0 for a movie with few."""
        found = _entropy(self.preferences)
        return np.where(self.ratings >= _FEWEST_PREFERENCES, found, 0.0)

    @cached_property
    def entropy0(self) -> Floats:
        """Entropy with "not seen" as a fifth answer of half the weight (Rashid, Karypis & Riedl 2008, Entropy0)."""
        n_users = float(len(self.rated))
        unseen = 0.5 * np.maximum(n_users - self.ratings, 0.0)
        return _entropy(np.column_stack([self.preferences, unseen]))


def _entropy(counts: Floats) -> Floats:
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1.0)
    logs = np.log2(share, out=np.zeros_like(share), where=share > 0)
    found: Floats = -(share * logs).sum(axis=1)
    return found


@dataclass(frozen=True, eq=False)
class Taste:
    """What a person's opinions tell the model."""

    world: World
    opinions: Opinions

    @classmethod
    def of(cls, world: World, rows: Sequence[int], preferences: Sequence[int]) -> Taste:
        """The taste of opinions in time order."""
        return cls(world, Opinions(np.array(rows, np.int32), np.array(preferences, np.int8)))

    @cached_property
    def vector(self) -> NDArray[np.float32]:
        """The user's vector."""
        return self.world.ranker.fold_in.user_vector(self.opinions.movie_idx, self.opinions.preference)

    @cached_property
    def scores(self) -> Scores:
        """The served scores."""
        return self.world.ranker.scores(self.vector, self.opinions)

    @cached_property
    def covariance(self) -> Floats:
        """A⁻¹ of the equations of the user's vector: the covariance of the vector if the noise of a preference is 1."""
        sums = self.world.ranker.fold_in.sums(self.opinions.movie_idx, self.opinions.preference)
        return np.linalg.inv(self.world.base + sums.gram)

    @cached_property
    def deviation(self) -> Floats:
        """The standard deviation of each score by the vector, √(yᵀA⁻¹y), (movies,)."""
        factors = self.world.ranker.fold_in.movie_factors
        found: Floats = np.sqrt(np.maximum(((factors @ self.covariance.astype(np.float32)) * factors).sum(axis=1), 0.0))
        return found

    @cached_property
    def spreading(self) -> Floats:
        """A matrix L with LLᵀ = A⁻¹."""
        return np.linalg.cholesky(self.covariance)


@dataclass(eq=False)
class Answers:
    """A person's answers so far."""

    world: World
    draw: np.random.Generator
    rows: list[int] = field(default_factory=list)
    preferences: list[int] = field(default_factory=list)
    not_seen: list[int] = field(default_factory=list)
    not_seen_in_a_row: int = 0

    def __post_init__(self) -> None:
        """Begin without an opinion."""
        self.taste = Taste.of(self.world, self.rows, self.preferences)
        self._alike = np.zeros(len(self.world.rated))

    def opinion(self, row: int, preference: int) -> None:
        """Take an opinion."""
        self.rows.append(row)
        self.preferences.append(preference)
        self.not_seen_in_a_row = 0
        self.taste = Taste.of(self.world, self.rows, self.preferences)
        self._weigh(row, seen=True)

    def unseen(self, row: int) -> None:
        """Take "not seen"."""
        self.not_seen.append(row)
        self.not_seen_in_a_row += 1
        self._weigh(row, seen=False)

    @property
    def chance_seen(self) -> Floats:
        """The chance that the person has seen each movie, by who of the learned users has seen the same, (movies,)."""
        weights = np.exp(self._alike - self._alike.max())
        alike = (weights / weights.sum()).astype(np.float32) @ self.world.rated
        mixed: Floats = _ALIKE * alike + (1 - _ALIKE) * self.world.seen_share
        return mixed

    def _weigh(self, row: int, *, seen: bool) -> None:
        chance = _ALIKE * self.world.rated[:, row] + (1 - _ALIKE) * self.world.seen_share[row]
        self._alike += np.log(chance if seen else 1.0 - chance)


Deck = Callable[[Answers], Floats]
"""Scores all movies; the best one that has not been dealt is the next card."""


def today(answers: Answers) -> Floats:
    """The list that is served: by popularity spread over genres, and by taste as opinions come in."""
    return answers.taste.scores.order


def by_ranker(answers: Answers, ranker: Ranker) -> Floats:
    """Today's deck by a ranker that spreads the first cards otherwise."""
    return ranker.scores(answers.taste.vector, answers.taste.opinions).order


def thompson(answers: Answers, noise: float) -> Floats:
    """Draw the user's vector from its posterior and rank by it (Chapelle & Li 2011)."""
    return answers.world.ranker.fold_in.movie_factors @ (answers.taste.vector + _drawn(answers, noise))


def thompson_around_scores(answers: Answers, noise: float) -> Floats:
    """The served scores, with the deviation of a drawn vector."""
    return answers.taste.scores.shown + answers.world.ranker.fold_in.movie_factors @ _drawn(answers, noise)


def _drawn(answers: Answers, noise: float) -> NDArray[np.float32]:
    spreading = answers.taste.spreading
    drawn: NDArray[np.float32] = (noise * (spreading @ answers.draw.standard_normal(len(spreading)))).astype(np.float32)
    return drawn


def most_rated_after_misses(answers: Answers, misses: int) -> Floats:
    """Today's deck, and after some "not seen" in a row the most rated movie until one has been seen."""
    return answers.world.ratings if answers.not_seen_in_a_row >= misses else today(answers)


def likely_seen(answers: Answers) -> Floats:
    """The served scores times the chance that the person has seen the movie."""
    return np.maximum(answers.taste.scores.shown, 0.0) * answers.chance_seen


def widely_seen(answers: Answers) -> Floats:
    """The served scores times the share of users who have rated the movie, whatever the answers were."""
    return np.maximum(answers.taste.scores.shown, 0.0) * answers.world.seen_share


def decks_of(world: World) -> dict[str, Deck]:
    """All decks by name, today's first."""

    def spread(diversity: float) -> Deck:
        ranker = replace(world.ranker, popular=replace(world.ranker.popular, diversity=diversity))
        return partial(by_ranker, ranker=ranker)

    return {
        "today's deck": today,
        "today's, without spread": spread(0.0),
        "today's, spread 0.5": spread(0.5),
        "most liked": lambda _: world.likes,
        "most rated": lambda _: world.ratings,
        "variance of preferences": lambda _: world.variance,
        "√ratings × variance": lambda _: np.sqrt(world.ratings) * world.variance,
        "log ratings × entropy": lambda _: np.log1p(world.ratings) * world.entropy,
        "Entropy0": lambda _: world.entropy0,
        "uncertainty": lambda answers: answers.taste.deviation,
        "scores + uncertainty (UCB)": lambda answers: answers.taste.scores.shown + answers.taste.deviation,
        "Thompson, noise 1": partial(thompson, noise=1.0),
        "Thompson, noise 0.3": partial(thompson, noise=0.3),
        "scores, Thompson 0.3": partial(thompson_around_scores, noise=0.3),
        "today's, most rated after 2 not seen": partial(most_rated_after_misses, misses=2),
        "today's × share who rated": widely_seen,
        "today's × chance seen": likely_seen,
        "chance seen": lambda answers: answers.chance_seen,
    }
