"""The report's charts, as Plotly figures.

Colours of text, grid and background come from the page's style sheet, which knows whether it is dark; those of the data
are from Okabe and Ito's palette for colour-blind readers, and have a contrast of 3 or more on light and on dark paper.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from itertools import pairwise
from typing import Any

from mlrec.errors import MissingExtraError
from mlrec.evaluation.estimates import Estimate
from mlrec.evaluation.protocol import MODEL, Evaluation
from mlrec.evaluation.replay import Part, Replay
from mlrec.evaluation.replay_arms import SERVED
from mlrec.evaluation.report.data import DataPicture, Months
from mlrec.evaluation.report.labels import label_places
from mlrec.evaluation.report.names import interval, metric_name, span, split_name

BLUE, VERMILION, GREEN, PURPLE, GREY = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#808994"

_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_CLEAR = "rgba(0,0,0,0)"
_SPLIT_COLOURS = {"train": GREY, "val": BLUE, "test": VERMILION}
# Colour, dash and symbol of the arms beside the served one: they differ without colour, too.
_LOOKS = (
    (VERMILION, "dash", "square"),
    (GREEN, "dot", "diamond"),
    (PURPLE, "dashdot", "triangle-up"),
    (GREY, "longdash", "x"),
)
_MILLISECONDS_A_DAY = 86_400_000

# The plotting area of the scatter chart on a phone, in pixels; labels are placed for it.
_NARROW, _SCATTER_HEIGHT = 235.0, 270.0


@dataclass(frozen=True)
class Chart:
    """A chart to be drawn by the page.

    Attributes
    ----------
    chart_id
        Id of its element.
    label
        What it shows, for those who do not see it.
    height
        Pixels.
    figure
        Plotly's figure as JSON.
    """

    chart_id: str
    label: str
    height: int
    figure: str


def plotly_script() -> str:
    """Plotly's own code for the browser. Raises `MissingExtraError` if it is not installed."""
    try:
        from plotly.offline import get_plotlyjs
    except ImportError as error:
        raise MissingExtraError("report", "A report") from error
    return str(get_plotlyjs())


def models_chart(chart_id: str, evaluation: Evaluation, metric: str) -> Chart:
    """One metric of all models with its intervals, the best at the top; a line leads down from the judged one."""
    order = sorted(evaluation.models, key=lambda name: evaluation.models[name][metric].value)
    groups = ([name for name in order if name != MODEL], [MODEL])
    traces: list[dict[str, Any]] = []
    for names, colour, size in zip(groups, (GREY, BLUE), (9, 13), strict=True):
        estimates = [evaluation.models[name][metric] for name in names]
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": [own.value for own in estimates],
                "y": [_text(name) for name in names],
                "error_x": {**_bars(estimates), "color": colour, "thickness": 2, "width": 0},
                "marker": {"color": colour, "size": size},
                "customdata": [interval(own) for own in estimates],
                "hovertemplate": f"<b>%{{y}}</b><br>{metric_name(metric)} %{{x:.4f}}<br>%{{customdata}}<extra></extra>",
            }
        )
    own = evaluation.models[MODEL][metric].value
    return _chart(
        chart_id,
        f"{metric_name(metric)} of {len(order)} models with 95% intervals",
        traces,
        height=64 + 38 * len(order),
        xaxis=_axis(nticks=6),
        yaxis=_axis(
            showgrid=False,
            categoryorder="array",
            categoryarray=[_text(name) for name in order],
            tickvals=[_text(name) for name in order],
            ticktext=[f"<b>{_text(name)}</b>" if name == MODEL else _text(name) for name in order],
            range=[-0.6, len(order) - 0.4],
        ),
        shapes=[_upright(own)],
    )


def popularity_chart(chart_id: str, evaluation: Evaluation, k: int) -> Chart:
    """Accuracy of each model against how popular its lists are."""
    lift, ndcg, novelty = f"popularity_lift@{k}", f"ndcg@{k}", f"novelty@{k}"
    names = sorted(evaluation.models, key=lambda name: name != MODEL)
    x = [evaluation.models[name][lift].value for name in names]
    y = [evaluation.models[name][ndcg].value for name in names]
    x_range, y_range = _padded(x), _padded(y)
    dots = [
        (_along(value, x_range) * _NARROW, _along(other, y_range) * _SCATTER_HEIGHT)
        for value, other in zip(x, y, strict=True)
    ]
    own = [name == MODEL for name in names]
    trace = {
        "type": "scatter",
        "mode": "markers+text",
        "x": x,
        "y": y,
        "text": [f"<b>{_text(name)}</b>" if is_own else _text(name) for name, is_own in zip(names, own, strict=True)],
        "textposition": label_places(names, dots, _NARROW, _SCATTER_HEIGHT),
        "cliponaxis": False,
        "marker": {
            "opacity": 1,
            "line": {"width": 0},
            "color": [BLUE if is_own else GREY for is_own in own],
            "size": [13 if is_own else 9 for is_own in own],
        },
        "customdata": [
            f"novelty {evaluation.models[name][novelty].value:.2f} bits" if novelty in evaluation.models[name] else ""
            for name in names
        ],
        "hovertemplate": f"%{{text}}<br>{metric_name(ndcg)} %{{y:.4f}}<br>popularity lift %{{x:+.2f}}"
        "<br>%{customdata}<extra></extra>",
    }
    return _chart(
        chart_id,
        f"{metric_name(ndcg)} against popularity lift of {len(names)} models",
        [trace],
        height=int(_SCATTER_HEIGHT) + 60,
        xaxis=_axis(title="popularity lift: more popular →", range=x_range, nticks=6, tickformat="+~g"),
        yaxis=_axis(title=metric_name(ndcg), range=y_range, nticks=6),
        shapes=[_upright(0.0)] if x_range[0] < 0 < x_range[1] else [],
    )


def curve_chart(chart_id: str, replay: Replay, metric: str) -> Chart:
    """One metric by how much had been swiped: the served arm with a band, the others with bars beside each other.

    Variants of the served arm lie so close to it that they are shown on request only.
    """
    parts = replay.curve
    others = [name for name in parts[0].arms if name != SERVED]
    variants = [name for name in others if name.startswith(f"{SERVED},")]
    plain = [name for name in others if name not in variants]
    traces = _band([part.arms[SERVED][metric] for part in parts])
    for number, name in enumerate([*plain, *variants]):
        colour, dash, symbol = _LOOKS[number % len(_LOOKS)]
        # Side by side, so that intervals do not hide each other.
        aside = 0.09 * (number % len(_LOOKS) - 1)
        traces.append(
            _arm(parts, name, metric, aside, colour)
            | {
                "line": {"color": colour, "width": 1.5, "dash": dash},
                "marker": {"color": colour, "size": 7, "symbol": symbol},
                "visible": "legendonly" if name in variants else True,
                "legendrank": 2 + number,
            }
        )
    traces.append(
        _arm(parts, SERVED, metric, 0.0, None)
        | {"line": {"color": BLUE, "width": 3}, "marker": {"color": BLUE, "size": 9}, "legendrank": 1}
    )
    return _chart(
        chart_id,
        f"{metric_name(metric)} of {len(others) + 1} rules by how many movies had been swiped",
        traces,
        height=380,
        xaxis=_axis(
            title="swipes before",
            showgrid=False,
            tickvals=list(range(len(parts))),
            ticktext=[span(part) for part in parts],
            range=[-0.4, len(parts) - 0.6],
        ),
        yaxis=_axis(rangemode="tozero", nticks=6),
        showlegend=True,
        legend={"orientation": "h", "x": 0, "xanchor": "left", "y": -0.24, "yanchor": "top"},
        margin={"l": 8, "r": 12, "t": 12, "b": 110},
    )


def ratings_chart(chart_id: str, picture: DataPicture) -> Chart:
    """How many ratings there are of each value; likes have another colour."""
    ratings = list(picture.rating_histogram)
    width = 0.8 * min((after - before for before, after in pairwise(ratings)), default=1.0)
    limit = picture.liked_above
    liked = [limit is None or rating > limit for rating in ratings]
    traces = [
        {
            "type": "bar",
            "name": name,
            "x": [rating for rating, is_liked in zip(ratings, liked, strict=True) if is_liked is which],
            "y": [
                picture.rating_histogram[rating]
                for rating, is_liked in zip(ratings, liked, strict=True)
                if is_liked is which
            ],
            "width": width,
            "marker": {"color": colour, "line": {"width": 0}},
            "hovertemplate": "rating %{x}<br>%{y:,} ratings<extra></extra>",
        }
        for which, name, colour in ((False, "no like", GREY), (True, "like", BLUE))
    ]
    ticks = {"tickvals": ratings} if len(ratings) <= 12 else {"nticks": 12}
    return _chart(
        chart_id,
        "number of ratings by value",
        traces,
        height=280,
        barmode="overlay",
        xaxis=_axis(title="rating", showgrid=False, **ticks),
        yaxis=_axis(nticks=5, tickformat="~s"),
    )


def steps_chart(chart_id: str, picture: DataPicture, what: str) -> Chart:
    """How many ratings, users or movies each step left, the first at the top."""
    names = [f"{number}. {_text(step.name)}" for number, step in enumerate(picture.steps, start=1)]
    counts = [getattr(step, what) for step in picture.steps]
    trace = {
        "type": "bar",
        "orientation": "h",
        "x": counts,
        "y": names,
        "text": [f"{count:,}" for count in counts],
        "textposition": "outside",
        "cliponaxis": False,
        "width": 0.6,
        "marker": {"color": [*[GREY] * (len(counts) - 1), BLUE], "line": {"width": 0}},
        "hovertemplate": f"%{{y}}<br>%{{x:,}} {what}<extra></extra>",
    }
    return _chart(
        chart_id,
        f"{what} left after each step",
        [trace],
        height=24 + 34 * len(names),
        # Room for the number behind the longest bar.
        xaxis=_axis(visible=False, range=[0, 1.45 * max(*counts, 1)]),
        yaxis=_axis(showgrid=False, autorange="reversed"),
    )


def months_chart(chart_id: str, months: Months, moments: Mapping[str, int | None] | None) -> Chart:
    """Events of each month, stacked by split, with the moments at which a split of everybody falls."""
    traces = [
        {
            "type": "bar",
            "name": split_name(name),
            "x": list(months.starts),
            "y": list(counts),
            # Each bar is as wide as its month, so that neighbours touch and gaps are real ones.
            "offset": 0,
            "width": [days * _MILLISECONDS_A_DAY for days in months.days],
            "marker": {"color": _SPLIT_COLOURS[name], "line": {"width": 0}},
            "hovertemplate": "%{x|%b %Y}<br>%{y:,} of " + split_name(name) + "<extra></extra>",
        }
        for name, counts in months.events.items()
    ]
    days = {
        name: datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S")
        for name, moment in (moments or {}).items()
        if moment is not None
    }
    return _chart(
        chart_id,
        "events by month and split",
        traces,
        height=320,
        barmode="stack",
        xaxis=_axis(type="date", showgrid=False, nticks=8, hoverformat="%b %Y"),
        yaxis=_axis(nticks=5, tickformat="~s"),
        shapes=[_upright(day) for day in days.values()],
        showlegend=True,
        legend={"orientation": "h", "x": 0, "xanchor": "left", "y": -0.14, "yanchor": "top"},
        margin={"l": 8, "r": 12, "t": 12, "b": 60},
    )


def _arm(parts: Sequence[Part], name: str, metric: str, aside: float, bars: str | None) -> dict[str, Any]:
    """One arm's line; with bars of a colour, or without where a band tells the interval."""
    estimates = [part.arms[name][metric] for part in parts]
    trace: dict[str, Any] = {
        "type": "scatter",
        "mode": "lines+markers",
        "name": _text(name),
        "x": [number + aside for number in range(len(parts))],
        "y": [own.value for own in estimates],
        "customdata": [
            [span(part), f"{part.likes:,}", interval(own)] for part, own in zip(parts, estimates, strict=True)
        ],
        "hovertemplate": f"<b>{_text(name)}</b>, %{{customdata[0]}} before<br>{metric_name(metric)} %{{y:.3f}}"
        "<br>%{customdata[2]}<br>%{customdata[1]} likes<extra></extra>",
    }
    return trace | {"error_y": {**_bars(estimates), "color": bars, "thickness": 1, "width": 0}} if bars else trace


def _band(estimates: Sequence[Estimate]) -> list[dict[str, Any]]:
    low = [own.value if own.low is None else own.low for own in estimates]
    high = [own.value if own.high is None else own.high for own in estimates]
    steps = list(range(len(estimates)))
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "name": "interval",
            "x": [*steps, *reversed(steps)],
            "y": [*high, *reversed(low)],
            "fill": "toself",
            "fillcolor": "rgba(0,114,178,0.18)",
            "line": {"width": 0},
            "hoverinfo": "skip",
            "showlegend": False,
        }
    ]


def _chart(chart_id: str, label: str, traces: Sequence[Mapping[str, Any]], *, height: int, **layout: Any) -> Chart:
    try:
        from plotly.graph_objects import Figure
    except ImportError as error:
        raise MissingExtraError("report", "A report") from error
    common = {
        "template": "none",
        "paper_bgcolor": _CLEAR,
        "plot_bgcolor": _CLEAR,
        "font": {"family": _FONT, "size": 12, "color": GREY},
        "margin": {"l": 8, "r": 12, "t": 12, "b": 8},
        "height": height,
        "hoverlabel": {"font": {"family": _FONT, "size": 12}},
        "dragmode": False,
        "hovermode": "closest",
        "showlegend": False,
    }
    return Chart(chart_id, label, height, str(Figure(data=traces, layout=common | layout).to_json()))


def _axis(*, title: str | None = None, **changes: Any) -> dict[str, Any]:
    """An axis that a finger does not drag when it scrolls the page."""
    axis = {"fixedrange": True, "automargin": True, "zeroline": False, "gridcolor": "rgba(128,137,148,0.25)"}
    # Ticks that are not seen keep the labels off the bars.
    axis |= {"ticks": "outside", "ticklen": 6, "tickcolor": _CLEAR}
    return {**axis, **({"title": {"text": title, "font": {"size": 12}, "standoff": 10}} if title else {}), **changes}


def _upright(x: float | str) -> dict[str, Any]:
    line = {"color": GREY, "width": 1, "dash": "dot"}
    return {"type": "line", "x0": x, "x1": x, "yref": "paper", "y0": 0, "y1": 1, "layer": "below", "line": line}


def _bars(estimates: Sequence[Estimate]) -> dict[str, Any]:
    return {
        "type": "data",
        "symmetric": False,
        "array": [0.0 if own.high is None else own.high - own.value for own in estimates],
        "arrayminus": [0.0 if own.low is None else own.value - own.low for own in estimates],
    }


def _padded(values: Sequence[float]) -> list[float]:
    room = 0.14 * (max(values) - min(values)) or abs(values[0]) or 1.0
    return [min(values) - room, max(values) + room]


def _along(value: float, ends: Sequence[float]) -> float:
    return (value - ends[0]) / (ends[1] - ends[0])


def _text(name: str) -> str:
    """Plotly reads tags and entities in what it shows."""
    return escape(name, quote=False)
