"""Place the labels of a scatter chart so that they cover neither each other nor a dot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

# Pixels: width of a character and height of a line in the charts' font size, and distance of a label from its dot.
_CHARACTER = 7.0
_LINE = 15.0
_GAP = 8.0


class Place(NamedTuple):
    """Where a label is: left (−1) or right (+1) of its dot, below (−1) or above (+1) it, or level with it (0)."""

    side: int
    level: int

    @property
    def anchor(self) -> str:
        """The part of the text that is at the dot: "start", "middle" or "end"."""
        return {1: "start", 0: "middle", -1: "end"}[self.side]

    @property
    def shift(self) -> tuple[float, float]:
        """Distance from the dot to the text's baseline, in pixels to the right and down."""
        return self.side * (_GAP + 1), -self.level * (_LINE / 2 + _GAP) + 4


# In order of preference.
_PLACES = (Place(1, 0), Place(-1, 0), Place(0, 1), Place(0, -1), Place(1, 1), Place(1, -1), Place(-1, 1), Place(-1, -1))


@dataclass(frozen=True)
class _Box:
    left: float
    right: float
    bottom: float
    top: float

    def overlap(self, other: _Box) -> float:
        """The common area."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.top, other.top) - max(self.bottom, other.bottom)
        return max(width, 0.0) * max(height, 0.0)

    @property
    def area(self) -> float:
        return (self.right - self.left) * (self.top - self.bottom)


def label_places(names: Sequence[str], dots: Sequence[tuple[float, float]], width: float, height: float) -> list[Place]:
    """Choose the side of each dot on which its label is placed, dot by dot.

    Labels that do not overlap on a narrow chart do not overlap on a wider one of the same height, because dots move
    apart and labels keep their width. So it is enough to place them for the narrowest chart.

    Parameters
    ----------
    names
        The labels.
    dots
        Positions in pixels from the left and the bottom of the chart.
    width, height
        Size of the chart in pixels. Labels should stay inside.

    Returns
    -------
    list of Place
        The place of each label.
    """
    chart = _Box(0, width, 0, height)
    taken = [_Box(x - _GAP, x + _GAP, y - _GAP, y + _GAP) for x, y in dots]
    places = []
    for name, dot, own in zip(names, dots, tuple(taken), strict=True):

        def cost(box: _Box, own: _Box = own) -> float:
            covered = sum(box.overlap(other) for other in taken if other is not own)
            return covered + box.area - box.overlap(chart)

        place, box = min(_candidates(name, *dot), key=lambda candidate: cost(candidate[1]))
        places.append(place)
        taken.append(box)
    return places


def _candidates(name: str, x: float, y: float) -> Iterator[tuple[Place, _Box]]:
    half_width, half_height = _CHARACTER * len(name) / 2, _LINE / 2
    for place in _PLACES:
        middle_x = x + place.side * (half_width + _GAP)
        middle_y = y + place.level * (half_height + _GAP)
        yield (
            place,
            _Box(middle_x - half_width, middle_x + half_width, middle_y - half_height, middle_y + half_height),
        )
