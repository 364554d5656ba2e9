"""Figures with their confidence intervals."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TypeVar

E = TypeVar("E")

LESS_IS_BETTER = ("popularity_lift", "disliked")
"""Metrics, without their cutoffs, for which lower is better."""


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95% confidence interval over users, `low` to `high`; both are None if there is no interval."""

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
        Its 95% confidence interval; None if there is no interval.
    p
        Two-sided bootstrap p-value: the probability of a difference at least as far from 0 if the models were equally
        good. None if there is no interval.
    """

    value: float
    low: float | None
    high: float | None
    p: float | None

    @property
    def is_above(self) -> bool:
        """Whether the whole interval lies above 0."""
        return self.low is not None and self.low > 0

    @property
    def is_below(self) -> bool:
        """Whether the whole interval lies below 0."""
        return self.high is not None and self.high < 0


Figures = dict[str, dict[str, Estimate]]
"""Model → metric ("ndcg@10") → estimate."""

Differences = dict[str, dict[str, Difference]]
"""Pair ("als - popularity") → metric → difference."""


def kind_of(metric: str) -> str:
    """Return the metric without its cutoff: "ndcg" for "ndcg@10"."""
    return metric.partition("@")[0]


def metrics_of(figures: Figures) -> list[str]:
    """Return the metrics that any of the models has, in order."""
    return list(dict.fromkeys(metric for row in figures.values() for metric in row))


def best_names(figures: Figures, metric: str) -> set[str]:
    """Return the names of the models that are best at a metric; more than one on a tie."""
    values = {name: row[metric].value for name, row in figures.items() if metric in row}
    best = min(values.values()) if kind_of(metric) in LESS_IS_BETTER else max(values.values())
    return {name for name, value in values.items() if value == best}


def without(figures: Mapping[str, Mapping[str, E]], metrics: Collection[str]) -> dict[str, dict[str, E]]:
    """Return figures or differences without some metrics."""
    return {
        name: {metric: figure for metric, figure in own.items() if metric not in metrics}
        for name, own in figures.items()
    }
