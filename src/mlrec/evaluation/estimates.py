"""Figures with their confidence intervals."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

E = TypeVar("E")

_SIGNIFICANT = 0.05

LESS_IS_BETTER = ("popularity_lift", "disliked")
"""Metrics, without their cutoffs, for which lower is better."""


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95% confidence interval over users, `low` to `high`; both are None if there is no interval.

    The value is NaN if it is undefined, such as the novelty of empty lists. JSON has null then.
    """

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
    p_holm
        The same, corrected for the number of models that one model is compared with; see `holm`. None without p.
    """

    value: float
    low: float | None
    high: float | None
    p: float | None
    p_holm: float | None = None

    @property
    def is_sure(self) -> bool:
        """Whether the difference stands at 5% after the correction for several comparisons."""
        return self.p_holm is not None and self.p_holm <= _SIGNIFICANT

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


def holm(differences: Differences) -> Differences:
    """Correct each metric's p values for the number of pairs (Holm 1979).

    The smallest of m values is multiplied by m, the next by m − 1, and so on; none gets smaller than one before it. So
    the probability that any of the pairs seems to differ by chance stays at the level of a single comparison.
    """
    corrected: Differences = {pair: dict(own) for pair, own in differences.items()}
    for metric in {metric for own in differences.values() for metric in own}:
        found = [(own[metric].p, pair) for pair, own in differences.items() if metric in own]
        tested = sorted((p, pair) for p, pair in found if p is not None)
        highest = 0.0
        for place, (p, pair) in enumerate(tested):
            highest = max(highest, min(1.0, p * (len(tested) - place)))
            corrected[pair][metric] = replace(corrected[pair][metric], p_holm=highest)
    return corrected


def kind_of(metric: str) -> str:
    """Return the metric without its cutoff: "ndcg" for "ndcg@10"."""
    return metric.partition("@")[0]


def metrics_of(figures: Figures) -> list[str]:
    """Return the metrics that any of the models has, in order."""
    return list(dict.fromkeys(metric for row in figures.values() for metric in row))


def of_metric(figures: Figures, metric: str) -> dict[str, Estimate]:
    """Return one metric of the models that have it: model → figure."""
    return {name: row[metric] for name, row in figures.items() if metric in row}


def best_names(figures: Figures, metric: str) -> set[str]:
    """Return the names of the models that are best at a metric; more than one on a tie."""
    values = {name: row[metric].value for name, row in figures.items() if metric in row}
    values = {name: value for name, value in values.items() if not math.isnan(value)}
    if not values:
        return set()
    best = min(values.values()) if kind_of(metric) in LESS_IS_BETTER else max(values.values())
    return {name for name, value in values.items() if value == best}


def without(figures: Mapping[str, Mapping[str, E]], metrics: Collection[str]) -> dict[str, dict[str, E]]:
    """Return figures or differences without some metrics."""
    return {
        name: {metric: figure for metric, figure in own.items() if metric not in metrics}
        for name, own in figures.items()
    }
