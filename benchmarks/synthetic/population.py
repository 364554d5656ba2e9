"""The users: how much each one rates, during which visits, and with what tastes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .catalogue import N_FACTORS
from .marginals import FIRST_SECOND, LAST_SECOND, Shape
from .timeline import DAY, draw_joins

# Visits by activity, fitted to MovieLens latest-small (2016): of users with some 24 ratings 88% come once and the mean
# is 1.3 visits; with 90 ratings 57% and 2.4; with 360 ratings 14% and 15. A gamma-Poisson mixture has this spread.
REVISITS_AT_24, REVISITS_GROWTH, REVISITS_SHAPE, MAX_MEAN_REVISITS = 0.27, 1.45, 0.35, 150.0
# Even the keenest stop for a night's sleep.
MAX_RATINGS_A_VISIT = 500
# Days between visits: median 6.3, quartiles 2 and 17, 1% over a year (latest-small).
GAP_MEDIAN_DAYS, GAP_SPREAD = 6.3, 1.55
# The first visit has about twice the ratings of a later one (latest-small).
FIRST_VISIT_WEIGHT = 2.0
# Who rates more than this share of the movies out when they join is moved to the last third of the years.
KEEN_SHARE, LATE = 0.5, 0.7

# Users' interests fall into groups, more or less.
N_ARCHETYPES, ARCHETYPE_PART = 30, 0.6
# How far liking follows interest: people rate low some of what they chose, and that says something about them.
LIKING_FOLLOWS_INTEREST = 0.85


@dataclass(frozen=True)
class Population:
    """Activity and visits of all users, in order of user id."""

    activity: NDArray[np.int64]
    """Ratings of each user."""
    first_visit: NDArray[np.int64]
    """Index of each user's first visit, and the number of visits at the end."""
    visit_start: NDArray[np.int64]
    """Second at which each visit starts, ascending within a user."""
    visits_share: NDArray[np.float64]
    """Share of the user's ratings up to the end of each visit; 1 at the last."""

    @property
    def last_visit_start(self) -> NDArray[np.int64]:
        """Second at which each user's last visit starts; what is released later they cannot rate."""
        return self.visit_start[self.first_visit[1:] - 1]


@dataclass(frozen=True)
class Tastes:
    """Float32 (users, factors) each, and (users,) the bias; standard normal but for the bias."""

    interest: NDArray[np.float32]
    """Which movies a user picks."""
    liking: NDArray[np.float32]
    """How high they are rated."""
    drift: NDArray[np.float32]
    """Where interest moves to over the user's time."""
    bias: NDArray[np.float32]


def make_population(shape: Shape, release: NDArray[np.int64], rng: np.random.Generator) -> Population:
    """Draw activity and visits; `release` ascends."""
    activity = rng.permutation(shape.activity)
    joined = draw_joins(shape.n_users, rng)
    # Somebody is there from the first second, and somebody in the last days, so that every movie can find a rater.
    joined[activity.argmin()] = FIRST_SECOND
    joined[np.abs(activity - MAX_RATINGS_A_VISIT).argmin()] = LAST_SECOND - 3 * DAY
    too_keen = activity > KEEN_SHARE * np.searchsorted(release, joined)
    joined[too_keen] = draw_joins(int(too_keen.sum()), rng, after=LATE)

    mean = np.minimum(REVISITS_AT_24 * (activity / 24) ** REVISITS_GROWTH, MAX_MEAN_REVISITS)
    revisits = rng.poisson(mean * rng.gamma(REVISITS_SHAPE, 1 / REVISITS_SHAPE, shape.n_users))
    visits = np.maximum(1 + np.minimum(revisits, activity - 1), -(-activity // MAX_RATINGS_A_VISIT))
    first_visit = np.append(0, np.cumsum(visits))
    return Population(
        activity=activity,
        first_visit=first_visit,
        visit_start=_visit_starts(joined, first_visit, rng),
        visits_share=_visit_shares(first_visit, rng),
    )


def draw_archetypes(rng: np.random.Generator) -> NDArray[np.float64]:
    """Centres of the groups that users' interests fall into."""
    return rng.standard_normal((N_ARCHETYPES, N_FACTORS))


def draw_tastes(n_users: int, archetypes: NDArray[np.float64], rng: np.random.Generator) -> Tastes:
    """Draw the tastes of some users."""
    own, surprise, drift = rng.standard_normal((3, n_users, N_FACTORS))
    interest = _blend(archetypes[rng.integers(N_ARCHETYPES, size=n_users)], own, ARCHETYPE_PART)
    return Tastes(
        interest=interest.astype(np.float32),
        liking=_blend(interest, surprise, LIKING_FOLLOWS_INTEREST).astype(np.float32),
        drift=drift.astype(np.float32),
        bias=rng.standard_normal(n_users).astype(np.float32),
    )


def _blend(a: NDArray[np.float64], b: NDArray[np.float64], part: float) -> NDArray[np.float64]:
    """Of unit variance if both are; their part of it and the rest."""
    return np.asarray(part * a + np.sqrt(1 - part**2) * b)


def _visit_starts(
    joined: NDArray[np.int64], first_visit: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.int64]:
    user = np.repeat(np.arange(len(joined)), np.diff(first_visit))
    since_start = np.cumsum(DAY * GAP_MEDIAN_DAYS * rng.lognormal(0, GAP_SPREAD, first_visit[-1]))
    since_joined = since_start - since_start[first_visit[:-1]][user]
    # Who would stay beyond the end comes at shorter intervals instead.
    left = LAST_SECOND - 2 * DAY - joined
    stay = since_joined[first_visit[1:] - 1]
    pace = np.minimum(1, left / np.maximum(stay, 1))
    return np.asarray(joined[user] + since_joined * pace[user], dtype=np.int64)


def _visit_shares(first_visit: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float64]:
    weight = rng.standard_exponential(first_visit[-1]) + 0.01
    weight[first_visit[:-1]] *= FIRST_VISIT_WEIGHT
    visits = np.diff(first_visit)
    share = np.repeat(np.add.reduceat(weight, first_visit[:-1]), visits)
    up_to_here = np.cumsum(weight / share)
    before_user = np.repeat(np.arange(len(visits)), visits)  # each user's shares sum to 1
    cumulative: NDArray[np.float64] = up_to_here - before_user
    cumulative[first_visit[1:] - 1] = 1.0
    return cumulative
