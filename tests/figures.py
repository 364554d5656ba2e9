"""Figures of an evaluation, for tests that know what they hold."""

from __future__ import annotations

from mlrec.evaluation.estimates import Difference, Estimate


def bounds(figure: Estimate | Difference) -> tuple[float, float]:
    """The interval of a figure that has one."""
    assert figure.low is not None
    assert figure.high is not None
    return figure.low, figure.high
