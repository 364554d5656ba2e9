"""Which movies each user rates: a draw without replacement, in proportion to a movie's weight times e^interest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .catalogue import Catalogue
from .population import Population, Tastes, draw_tastes

# Spread of the log of how much likelier a user picks one movie than another one as popular. This, and the strengths in
# `events`, are chosen so that models do on the data as they do on MovieLens: ALS on likes has 1.6 to 1.9 times the NDCG
# of popularity, dislikes taken for likes harm it, and the latest ratings say most about the next.
INTEREST_STRENGTH = 1.0

PILOT_USERS = 2_000
PILOT_ROUNDS = 15  # by then every weight is within 2% of where it ends
_PILOT_BLOCK = 250

# A movie meant to have fewer ratings than this is dealt one for sure, or chance would leave some with none.
DEALT_BELOW = 30.0
# Gumbel noise is drawn once; each user reads it from an own random place. Drawing it anew takes longer than all else.
NOISE_BANK = 1 << 23


@dataclass(frozen=True)
class Picker:
    """Everything needed to pick movies for any block of users."""

    catalogue: Catalogue
    population: Population
    log_weight: NDArray[np.float32]
    """Of each column, so that its expected number of picks is the popularity it is meant to have."""
    dealt_to: NDArray[np.int64]
    """Users who have a rare movie for sure, ascending."""
    dealt: NDArray[np.int64]
    """Its column."""
    noise: NDArray[np.float32]


def make_picker(
    catalogue: Catalogue, population: Population, archetypes: NDArray[np.float64], rng: np.random.Generator
) -> Picker:
    """Calibrate the weights, assign rare movies and fill the noise bank."""
    rare = np.flatnonzero(catalogue.popularity < DEALT_BELOW)
    dealt_to = _deal(catalogue.release[rare], population, rng)
    order = np.argsort(dealt_to, kind="stable")
    by_chance = catalogue.popularity.copy()
    by_chance[rare] -= 1
    return Picker(
        catalogue=catalogue,
        population=population,
        log_weight=_calibrate(catalogue, population, by_chance, archetypes, rng),
        dealt_to=dealt_to[order],
        dealt=rare[order],
        noise=-np.log(rng.standard_exponential(NOISE_BANK, dtype=np.float32) + np.float32(1e-30)),
    )


def pick(picker: Picker, users: slice, tastes: Tastes, rng: np.random.Generator) -> NDArray[np.int64]:
    """Columns that a block of users picks, user after user, ascending by movie id within each.

    Adding Gumbel noise to log-weights and keeping the largest n samples n without replacement, one after the other in
    proportion to the weights (Gumbel top-k; Kool, van Hoof & Welling 2019).
    """
    activity = picker.population.activity[users]
    released = np.searchsorted(picker.catalogue.release, picker.population.last_visit_start[users], side="right")
    place = rng.integers(NOISE_BANK - len(picker.log_weight), size=len(activity))
    scores = _interest(picker.catalogue, tastes)
    scores += picker.log_weight
    first, last = np.searchsorted(picker.dealt_to, (users.start, users.stop))
    scores[picker.dealt_to[first:last] - users.start, picker.dealt[first:last]] = np.inf
    picked = np.empty(activity.sum(), dtype=np.int64)
    end = np.cumsum(activity)
    for user, (n, m) in enumerate(zip(activity.tolist(), released.tolist(), strict=True)):
        row = scores[user, :m]
        row += picker.noise[place[user] : place[user] + m]
        picked[end[user] - n : end[user]] = np.argpartition(row, m - n)[m - n :]
    by_user = np.repeat(np.arange(len(activity)) * len(picker.catalogue.movie_ids), activity)
    return picked[np.argsort(by_user + picker.catalogue.rows[picked])]


def _interest(catalogue: Catalogue, tastes: Tastes) -> NDArray[np.float32]:
    return np.asarray(np.float32(INTEREST_STRENGTH) * tastes.interest @ catalogue.factors.T, dtype=np.float32)


def _deal(release: NDArray[np.int64], population: Population, rng: np.random.Generator) -> NDArray[np.int64]:
    """A user for each rare movie, in proportion to activity, among those who are there after its release."""
    by_last_visit = np.argsort(population.last_visit_start, kind="stable")
    slots = np.append(0, np.cumsum(population.activity[by_last_visit]))
    gone = np.searchsorted(population.last_visit_start[by_last_visit], release, side="left")
    slot = slots[gone] + rng.random(len(release)) * (slots[-1] - slots[gone])
    return np.asarray(by_last_visit[np.searchsorted(slots, slot, side="right") - 1])


def _calibrate(
    catalogue: Catalogue,
    population: Population,
    popularity: NDArray[np.float64],
    archetypes: NDArray[np.float64],
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Log-weights for which the expected picks meet the popularity, by proportional fitting on pilot users.

    In an exponential race a user who stops at time t has picked movie i with probability 1 − exp(−t·w_i·e^interest);
    fit each t to the user's activity and each w to the movie's popularity in turn.
    """
    n_pilot = min(PILOT_USERS, len(population.activity))
    # Spread evenly over activity, so that the few with very many ratings have their due part.
    sample = (np.arange(n_pilot) + 0.5) * len(population.activity) / n_pilot
    pilot = np.argsort(population.activity, kind="stable")[sample.astype(np.int64)]
    activity = population.activity[pilot].astype(np.float32)
    odds = np.exp(_interest(catalogue, draw_tastes(n_pilot, archetypes, rng)))
    odds[catalogue.release[None, :] > population.last_visit_start[pilot][:, None]] = 0

    target = popularity * activity.sum() / popularity.sum()
    weight = (target / target.sum()).astype(np.float32)
    stop = activity.copy()
    for _ in range(PILOT_ROUNDS):
        expected = np.zeros(len(weight))
        for start in range(0, n_pilot, _PILOT_BLOCK):
            block = slice(start, start + _PILOT_BLOCK)
            picked = -np.expm1(-stop[block, None] * (odds[block] * weight))
            stop[block] *= activity[block] / picked.sum(axis=1)
            expected += picked.sum(axis=0)
        weight *= (target / np.maximum(expected, 1e-12)).astype(np.float32)
    # Of no weight are movies of one rating, which is dealt; they stay in the race, far behind.
    return np.asarray(np.log(np.maximum(weight, np.float32(1e-30))))
