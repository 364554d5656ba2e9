"""What a training chose on validation, and how the model does there, as `model_info.json` records it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from mlrec.artifacts.metrics_file import Figure

POPULARITY = "popularity"


@dataclass(frozen=True)
class Choice:
    """What was chosen, and how the model does on validation.

    Attributes
    ----------
    settings
        The settings that were chosen; None is infinity.
    metric
        What they were chosen by: "ndcg@10".
    users
        Number of users whose lists were evaluated.
    tried
        Every point that was tried, in that order: settings, and the metric.
    figures
        The metric of the model ("model"), of each of its parts alone ("vectors", "item-item"), and of "popularity".
    differences
        Name → the model minus the other, paired.
    """

    settings: Mapping[str, float | None]
    metric: str
    users: int
    tried: tuple[Mapping[str, float | None], ...]
    figures: Mapping[str, Figure]
    differences: Mapping[str, Figure]

    @property
    def values(self) -> dict[str, float]:
        """The settings that were chosen."""
        return {name: math.inf if value is None else value for name, value in self.settings.items()}

    @property
    def beats_popularity(self) -> bool:
        """Whether the model is better than popularity for sure."""
        low = self.differences[POPULARITY].low
        return low is not None and low > 0

    @property
    def is_beaten_by(self) -> tuple[str, ...]:
        """What is better than the model for sure."""
        return tuple(name for name, found in self.differences.items() if found.high is not None and found.high < 0)
