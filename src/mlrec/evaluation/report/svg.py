"""Draw charts in SVG that need no script: x is a share of the chart's width, y is in pixels.

So a chart is as wide as the page allows, and its text keeps its size. Colours are in the style sheet, by class.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Literal

import numpy as np

Symbol = Literal["circle", "square", "diamond", "triangle", "cross"]

_SYMBOLS: dict[Symbol, str] = {
    "circle": "M-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0",
    "square": "M-3.5,-3.5h7v7h-7z",
    "diamond": "M0,-5L5,0L0,5L-5,0z",
    "triangle": "M0,-5L5,4h-10z",
    "cross": "M-5,-3L-3,-5L0,-2L3,-5L5,-3L2,0L5,3L3,5L0,2L-3,5L-5,3L-2,0z",
}
# Distances between ticks in months: months, quarters, years, decades and centuries.
_MONTHS = (1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1200, 2400, 6000, 12000)


@dataclass(frozen=True)
class Axis:
    """The span of an axis, its ticks (value → label), and whether grid lines lead from them across the chart."""

    low: float
    high: float
    ticks: dict[float, str] = field(default_factory=dict)
    grid: bool = True

    def share(self, value: float) -> float:
        """Return the position of a value on the axis, from 0 at the low end to 1."""
        return (value - self.low) / (self.high - self.low)


@dataclass(frozen=True)
class Plot:
    """A plotting area to draw on, in the units of its axes. What is drawn later covers what was drawn before.

    Attributes
    ----------
    x, y
        The axes. A y axis whose low end is the larger number runs downwards.
    height
        Height in pixels.
    left
        Pixels to the left of the area, for the labels of the y axis.
    below
        Pixels below the area, for the labels of the x axis.
    """

    x: Axis
    y: Axis
    height: int
    left: int = 44
    below: int = 26
    _drawn: list[str] = field(default_factory=list)

    def upright(self, x: float, look: str) -> None:
        """Draw a line from the bottom to the top."""
        self._drawn.append(_element("line", look, x1=self._x(x), x2=self._x(x), y1=0, y2=self.height))

    def segment(self, start: tuple[float, float], end: tuple[float, float], look: str) -> None:
        """Draw a straight line."""
        (x1, y1), (x2, y2) = start, end
        self._drawn.append(_element("line", look, x1=self._x(x1), y1=self._y(y1), x2=self._x(x2), y2=self._y(y2)))

    def path(self, points: Iterable[tuple[float, float]], look: str) -> None:
        """Draw a line through points. A style that fills the line makes it an area."""
        found = " ".join(f"{100 * self.x.share(x):.2f},{self._y(y)}" for x, y in points)
        line = _element("polyline", "", points=found)
        self._drawn.append(
            _element(
                "svg", look, line, viewBox=f"0 0 100 {self.height}", preserveAspectRatio="none", height=self.height
            )
        )

    def bar(self, across: tuple[float, float], upright: tuple[float, float], look: str, tip: str = "") -> None:
        """Draw a rectangle between two values of each axis."""
        left, right = sorted(map(self.x.share, across))
        top, bottom = sorted(self.height * (1 - self.y.share(value)) for value in upright)
        size = {"x": f"{100 * left:.2f}%", "width": f"{100 * (right - left):.2f}%"}
        self._drawn.append(_element("rect", look, _title(tip), **size, y=f"{top:.1f}", height=f"{bottom - top:.1f}"))

    def mark(self, x: float, y: float, look: str, symbol: Symbol = "circle", tip: str = "") -> None:
        """Draw a symbol at a point."""
        content = _title(tip) + _element("path", "", d=_SYMBOLS[symbol])
        self._drawn.append(_element("svg", f"mark {look}".strip(), content, x=self._x(x), y=self._y(y)))

    def text(self, x: float, y: float, text: str, look: str, shift: tuple[float, float] = (0, 0)) -> None:
        """Write at a point, moved by pixels to the right and down."""
        at = {"x": self._x(x), "y": self._y(y), "dx": f"{shift[0]:g}", "dy": f"{shift[1]:g}"}
        self._drawn.append(_element("text", look, escape(text), **at))

    def html(self, chart_id: str, label: str, *, x_title: str = "", y_title: str = "", loud: str = "") -> str:
        """Return the chart as HTML.

        Parameters
        ----------
        chart_id
            Id of its element.
        label
            What the chart shows, for screen readers.
        x_title, y_title
            Titles of the axes.
        loud
            The label of the y axis to highlight.
        """
        grid = [_element("line", "", x1=0, x2="100%", y1=self.height, y2=self.height)] if self.x.ticks else []
        labels = []
        for value, text in self.x.ticks.items():
            if self.x.grid:
                grid.append(_element("line", "", x1=self._x(value), x2=self._x(value), y1=0, y2=self.height))
            labels.append(_element("text", "middle", escape(text), x=self._x(value), y=self.height + 18))
        for value, text in self.y.ticks.items():
            if self.y.grid:
                grid.append(_element("line", "", x1=0, x2="100%", y1=self._y(value), y2=self._y(value)))
            look = "end loud" if text == loud else "end"
            labels.append(_element("text", look, escape(text), x=-8, y=self._y(value), dy=4))
        if x_title:
            labels.append(_element("text", "middle", escape(x_title), x="50%", y=self.height + 40))
        if y_title:
            labels.append(_element("text", "", escape(y_title), x=-self.left, y=-12))
        content = _element("g", "axis", "".join(grid)) + "".join(self._drawn) + _element("g", "labels", "".join(labels))
        drawing = _element("svg", "", content, height=self.height, role="img", aria_label=label)
        room = f"{24 if y_title else 8}px 12px {self.below + (20 if x_title else 0)}px {self.left}px"
        return f'<div class="chart" id="{escape(chart_id)}" style="padding:{room}">{drawing}</div>'

    def _x(self, value: float) -> str:
        return f"{100 * self.x.share(value):.2f}%"

    def _y(self, value: float) -> str:
        return f"{self.height * (1 - self.y.share(value)):.1f}"


def sample(look: str, symbol: Symbol) -> str:
    """Return a line with its symbol, for a legend."""
    content = _element("line", look, x1=0, x2=34, y1=7, y2=7)
    content += _element("svg", f"mark {look}", _element("path", "", d=_SYMBOLS[symbol]), x=17, y=7)
    return _element("svg", "sample", content, width=34, height=14, aria_hidden="true")


def numbers(low: float, high: float, most: int = 6) -> dict[float, str]:
    """Return at most about `most` ticks at round numbers of a span: multiples of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(times * power for times in (1, 2, 5, 10) if times * power >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    return {n * step: _short(n * step) if step >= 1 else f"{n * step:.{digits}f}" for n in range(first, last + 1)}


def months(first: int, last: int, most: int = 6) -> dict[float, str]:
    """Return ticks at the beginnings of months or years between two days, which are counted from 1970."""
    ends = np.array([first, last], dtype="datetime64[D]").astype("datetime64[M]").astype(np.int64)
    step = next((months for months in _MONTHS if (ends[1] - ends[0]) / months <= most), _MONTHS[-1])
    found = np.arange(-(-ends[0] // step) * step, ends[1] + 1, step).astype("datetime64[M]")
    days, labels = (
        found.astype("datetime64[D]").astype(np.int64),
        found.astype("datetime64[Y]" if step >= 12 else found.dtype),
    )
    return {
        float(day): label for day, label in zip(days.tolist(), labels.astype(str).tolist(), strict=True) if day >= first
    }


def _short(value: float) -> str:
    """A count in short form for an axis: "20k"."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def _element(name: str, look: str, content: str = "", **attributes: object) -> str:
    given = {"class": look, **attributes} if look else attributes
    text = "".join(f' {key.replace("_", "-")}="{escape(str(value))}"' for key, value in given.items())
    return f"<{name}{text}>{content}</{name}>"


def _title(tip: str) -> str:
    """The tooltip of a mark."""
    return f"<title>{escape(tip)}</title>" if tip else ""


def padded(values: Sequence[float], share: float = 0.14) -> tuple[float, float]:
    """Return the span of some values with room at both ends."""
    room = share * (max(values) - min(values)) or abs(values[0]) or 1.0
    return min(values) - room, max(values) + room
