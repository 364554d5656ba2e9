"""Where the labels of a scatter chart stand so that they cover neither each other nor a dot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

# Pixels: how wide a character and how high a line is at the charts' font size, and how far a label is from its dot.
_CHARACTER = 7.0
_LINE = 15.0
_GAP = 8.0


class Place(NamedTuple):
    """Where a label stands: to the left (−1) or right (+1) of its dot, below (−1) or above (+1) it, or level (0)."""

    side: int
    level: int

    @property
    def anchor(self) -> str:
        """Which part of the text is at the dot: "start", "middle" or "end"."""
        return {1: "start", 0: "middle", -1: "end"}[self.side]

    @property
    def shift(self) -> tuple[float, float]:
        """From the dot to the text's baseline, in pixels to the right and down."""
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
        """Common area."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.top, other.top) - max(self.bottom, other.bottom)
        return max(width, 0.0) * max(height, 0.0)

    @property
    def area(self) -> float:
        return (self.right - self.left) * (self.top - self.bottom)


def label_places(names: Sequence[str], dots: Sequence[tuple[float, float]], width: float, height: float) -> list[Place]:
    """Choose for each dot the side on which its label stands, the first dot first.

    What does not overlap on a narrow chart does not on a wider one of the same height: dots move apart, and labels stay
    as wide as they are. So it is enough to choose for the narrowest.

    Parameters
    ----------
    names
        The labels.
    dots
        Pixels from the left and from the bottom of the chart.
    width, height
        Its size; a label shall not leave it.

    Returns
    -------
    list of Place
        Of each.
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
