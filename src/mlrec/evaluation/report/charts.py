"""The report's charts as SVG.

Colours of data are from Okabe and Ito's palette for colour-blind readers. They have a contrast of 3 or more on light
and on dark paper; the evaluated model has the highest contrast. Rules also differ by dash and symbol.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from mlrec.artifacts.prepared import Cutoffs
from mlrec.evaluation.estimates import Estimate
from mlrec.evaluation.protocol import MODEL, Evaluation
from mlrec.evaluation.replay.arms import SERVED
from mlrec.evaluation.replay.replay import Replay
from mlrec.evaluation.report import svg
from mlrec.evaluation.report.data import DataPicture, Months
from mlrec.evaluation.report.labels import label_places
from mlrec.evaluation.report.svg import Axis, Plot, Symbol
from mlrec.evaluation.report.words import printed
from mlrec.evaluation.wording import interval, metric_name, number, short_span, signed, split_name
from mlrec.settings import SPLITS

# Looks of the rules other than the served one, then of its variants. The style sheet has their colours and dashes.
_RULES: tuple[tuple[str, Symbol], ...] = (
    ("rule-1", "square"),
    ("rule-2", "diamond"),
    ("rule-3", "triangle"),
    ("rule-4", "cross"),
)
_VARIANTS: tuple[tuple[str, Symbol], ...] = (("variant-1", "square"), ("variant-2", "diamond"))
_LONGEST_LABEL = 18

# The plotting area of the scatter chart on a phone, in pixels. Labels are placed for this size.
_NARROW, _SCATTER_HEIGHT = 235.0, 270
_SECONDS_PER_DAY = 86_400


def models_chart(chart_id: str, figures: Mapping[str, Estimate], metric: str) -> str:
    """Draw one metric of several models with confidence intervals, best at the top.

    A line marks the evaluated model. `figures` is model → figure.
    """
    defined = {name: own for name, own in figures.items() if not math.isnan(own.value)}
    order = sorted(defined, key=lambda name: -defined[name].value)
    found = [defined[name] for name in order]
    ends = svg.padded([end for own in found for end in _ends(own)], 0.06)
    rows = {float(row): _cut(name) for row, name in enumerate(order)}
    plot = Plot(
        Axis(*ends, svg.numbers(*ends)), Axis(len(order) - 0.5, -0.5, rows, grid=False), 38 * len(order), _room(rows)
    )
    if MODEL in defined:
        plot.upright(defined[MODEL].value, "guide")
    for row, (name, own) in enumerate(zip(order, found, strict=True)):
        look = "own" if name == MODEL else "other"
        low, high = _ends(own)
        plot.segment((low, row), (high, row), look)
        plot.mark(own.value, row, look, tip=f"{name}: {_said(own, metric)}")
    label = f"{metric_name(metric)} of {len(order)} models with 95% confidence intervals"
    return plot.html(chart_id, label, loud=_cut(MODEL))


def popularity_chart(chart_id: str, evaluation: Evaluation, k: int) -> str:
    """Draw the accuracy of each model against the popularity of its lists."""
    lift, ndcg, novelty = f"popularity_lift@{k}", f"ndcg@{k}", f"novelty@{k}"
    defined = [name for name, own in evaluation.models.items() if not math.isnan(own[lift].value)]
    names = sorted(defined, key=lambda name: name != MODEL)
    dots = [(evaluation.models[name][lift].value, evaluation.models[name][ndcg].value) for name in names]
    x_ends, y_ends = (svg.padded(values) for values in zip(*dots, strict=True))
    x = Axis(*x_ends, {value: printed(signed(value, 1)) for value in svg.numbers(*x_ends)})
    plot = Plot(x, Axis(*y_ends, svg.numbers(*y_ends)), _SCATTER_HEIGHT)
    if x.low < 0 < x.high:
        plot.upright(0.0, "guide")
    pixels = [(plot.x.share(left) * _NARROW, plot.y.share(up) * _SCATTER_HEIGHT) for left, up in dots]
    for name, dot, place in zip(names, dots, label_places(names, pixels, _NARROW, _SCATTER_HEIGHT), strict=True):
        look, own = "own" if name == MODEL else "other", evaluation.models[name]
        said = f"{name}: {metric_name(ndcg)} {number(dot[1])}, popularity lift {signed(dot[0], 2)}"
        plot.mark(*dot, look, tip=said + (f", novelty {own[novelty].value:.2f} bits" if novelty in own else ""))
        plot.text(*dot, name, f"{place.anchor}{' loud' if name == MODEL else ''}", place.shift)
    label = f"{metric_name(ndcg)} against popularity lift of {len(names)} models"
    return plot.html(chart_id, label, x_title="popularity lift: more popular →", y_title=metric_name(ndcg))


def rules_of(replay: Replay) -> dict[str, tuple[str, Symbol]]:
    """Return the rules of a curve chart with look and symbol: the served rule, other rules, and variants of the served.

    Variants are so close to the served rule that they are shown on request only.
    """
    others = [name for name in replay.curve[0].arms if name != SERVED]
    variants = [name for name in others if name.startswith(f"{SERVED},")]
    plain = [name for name in others if name not in variants]
    return {
        SERVED: ("own", "circle"),
        **{name: _RULES[number % len(_RULES)] for number, name in enumerate(plain)},
        **{name: _VARIANTS[number % len(_VARIANTS)] for number, name in enumerate(variants)},
    }


def curve_chart(chart_id: str, replay: Replay, metric: str) -> str:
    """Draw one metric by number of earlier swipes: the served rule with a band, the others with bars side by side."""
    parts, rules = replay.curve, rules_of(replay)
    highest = max(end for part in parts for name in rules for end in _ends(part.arms[name][metric]))
    ticks = {float(at): short_span(part.swipes, part.below) for at, part in enumerate(parts)}
    top = 1.05 * highest or 1.0
    plot = Plot(Axis(-0.4, len(parts) - 0.6, ticks, grid=False), Axis(0.0, top, svg.numbers(0.0, top)), 260)
    low, high = zip(*(_ends(part.arms[SERVED][metric]) for part in parts), strict=True)
    plot.path([*enumerate(high), *reversed([*enumerate(low)])], "band")
    # Draw the served rule last, above the others. Bars are side by side so that they do not hide each other.
    for place, (name, (look, symbol)) in reversed([*enumerate(rules.items())]):
        aside = 0.09 * ((place - 1) % 4 - 1) if place else 0.0
        estimates = [part.arms[name][metric] for part in parts]
        plot.path([(at + aside, own.value) for at, own in enumerate(estimates)], look)
        for at, (part, own) in enumerate(zip(parts, estimates, strict=True)):
            if place:
                low_end, high_end = _ends(own)
                plot.segment((at + aside, low_end), (at + aside, high_end), f"{look} bounds")
            tip = f"{name}, {short_span(part.swipes, part.below)} before: {_said(own, metric)}, {part.likes:,} likes"
            plot.mark(at + aside, own.value, look, symbol, tip)
    label = f"{metric_name(metric)} of {len(rules)} rules by number of earlier swipes"
    return plot.html(chart_id, label, x_title="earlier swipes")


def ratings_chart(chart_id: str, picture: DataPicture) -> str:
    """Draw the number of ratings of each value. Likes have another colour."""
    counts = picture.rating_histogram
    half = 0.4 * min((after - before for before, after in pairwise(counts)), default=1.0)
    x_ends, y_ends = (min(counts) - 1.5 * half, max(counts) + 1.5 * half), (0.0, 1.05 * max(*counts.values(), 1))
    ticks = {rating: f"{rating:g}" for rating in counts} if len(counts) <= 12 else svg.numbers(*x_ends, 10)
    plot = Plot(Axis(*x_ends, ticks, grid=False), Axis(*y_ends, svg.numbers(*y_ends, 4)), 210)
    for rating, count in counts.items():
        liked = picture.liked_above is None or rating > picture.liked_above
        tip = f"rating {rating:g}: {count:,} ratings"
        plot.bar((rating - half, rating + half), (0, count), "own" if liked else "other", tip)
    return plot.html(chart_id, "number of ratings by value", x_title="rating")


def steps_chart(chart_id: str, picture: DataPicture, what: str) -> str:
    """Draw the number of ratings, users or movies that are left after each step, the first step at the top."""
    rows = {float(row): _cut(f"{row + 1}. {step.name}") for row, step in enumerate(picture.steps)}
    counts = [int(getattr(step, what)) for step in picture.steps]
    # Leave room for the number after the longest bar.
    plot = Plot(
        Axis(0, 1.7 * max(*counts, 1)), Axis(len(rows) - 0.5, -0.5, rows, grid=False), 34 * len(rows), _room(rows), 0
    )
    for row, (step, count) in enumerate(zip(picture.steps, counts, strict=True)):
        tip = f"{step.name}: {count:,} {what}"
        plot.bar((0, count), (row - 0.3, row + 0.3), "own" if row == len(rows) - 1 else "other", tip)
        plot.text(count, row, f"{count:,}", "", (6, 4))
    return plot.html(chart_id, f"{what} left after each step")


def months_chart(chart_id: str, months: Months, cutoff_times: Cutoffs | None) -> str:
    """Draw the events of each month, stacked by split, and the cutoff times if they are the same for all users."""
    starts = np.array(months.starts, dtype="datetime64[D]").astype(np.int64).tolist()
    totals = [sum(counts) for counts in zip(*months.events.values(), strict=True)]
    x_ends, y_ends = (starts[0], starts[-1] + months.days[-1]), (0.0, 1.05 * max(totals))
    plot = Plot(Axis(*x_ends, svg.months(*x_ends), grid=False), Axis(*y_ends, svg.numbers(*y_ends, 4)), 240)
    for month, (start, days) in enumerate(zip(starts, months.days, strict=True)):
        below = 0
        for name, counts in months.events.items():
            if count := counts[month]:
                # Each bar is as wide as its month, so that neighbours touch and a gap means a month without events.
                tip = f"{months.starts[month][:-3]}: {count:,} of {split_name(name)}"
                plot.bar((start, start + days), (below, below + count), split_look(name), tip)
                below += count
    for cutoff in (cutoff_times.val_from, cutoff_times.test_from) if cutoff_times else ():
        if cutoff is not None:
            plot.upright(cutoff / _SECONDS_PER_DAY, "guide")
    return plot.html(chart_id, "events by month and split")


def split_look(split: str) -> str:
    """Return the look of a split."""
    return f"split-{SPLITS.index(split)}"


def _said(own: Estimate, metric: str) -> str:
    return f"{metric_name(metric)} {number(own.value)}, 95% CI {interval(own)}"


def _ends(own: Estimate) -> tuple[float, float]:
    return own.value if own.low is None else own.low, own.value if own.high is None else own.high


def _cut(name: str) -> str:
    return name if len(name) <= _LONGEST_LABEL else f"{name[: _LONGEST_LABEL - 1]}…"


def _room(labels: Mapping[float, str]) -> int:
    """Pixels for the widest of these labels and its distance from the axis."""
    return 14 + 7 * max(map(len, labels.values()))
