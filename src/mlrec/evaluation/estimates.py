"""Figures with their uncertainty."""

from __future__ import annotations

from dataclasses import dataclass

LESS_IS_BETTER = ("popularity_lift", "disliked")
"""Metrics, without their list lengths, that are the better the lower they are."""


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
        Its 95% interval; None where there is none.
    p
        Two-sided bootstrap probability of a difference at least as far from 0 if there were none; None likewise.
    """

    value: float
    low: float | None
    high: float | None
    p: float | None

    @property
    def is_above(self) -> bool:
        """Whether the interval lies above 0."""
        return self.low is not None and self.low > 0

    @property
    def is_below(self) -> bool:
        """Whether the interval lies below 0."""
        return self.high is not None and self.high < 0


Figures = dict[str, dict[str, Estimate]]
"""Model → metric ("ndcg@10") → estimate."""

Differences = dict[str, dict[str, Difference]]
"""Pair ("als - popularity") → metric → difference."""


def kind_of(metric: str) -> str:
    """The metric without its list length: "ndcg" of "ndcg@10"."""
    return metric.partition("@")[0]


def metrics_of(figures: Figures) -> list[str]:
    """Metrics that any of the models has, in their order."""
    return list(dict.fromkeys(metric for row in figures.values() for metric in row))


def best_names(figures: Figures, metric: str) -> set[str]:
    """Who is best at a metric; more than one name on a tie."""
    values = {name: row[metric].value for name, row in figures.items() if metric in row}
    best = min(values.values()) if kind_of(metric) in LESS_IS_BETTER else max(values.values())
    return {name for name, value in values.items() if value == best}
