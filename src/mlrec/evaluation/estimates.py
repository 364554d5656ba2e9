"""Figures with their uncertainty."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """A figure; `low` and `high` are the bounds of its 95% interval over users, None where there is none."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Difference:
    """A paired difference of two models' figures on the same users.

    Attributes
    ----------
    value
        First minus second.
    low, high
        Its 95% interval.
    p
        Two-sided bootstrap probability of a difference at least as far from 0 if there were none.
    """

    value: float
    low: float
    high: float
    p: float


Figures = dict[str, dict[str, Estimate]]
"""Model → metric ("ndcg@10") → estimate."""

Differences = dict[str, dict[str, Difference]]
"""Pair ("als - popularity") → metric → difference."""


def plain(figures: Figures | Differences) -> dict[str, dict[str, dict[str, float | None]]]:
    """The same as JSON values."""
    return {name: {metric: vars(figure) for metric, figure in row.items()} for name, row in figures.items()}
