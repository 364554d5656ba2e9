"""Where the labels of a scatter chart stand so that they cover neither each other nor a dot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

# Pixels: how wide a character and how high a line is at the charts' font size, and how far a label is from its dot.
_CHARACTER = 7.0
_LINE = 15.0
_GAP = 7.0

# Plotly's names, in order of preference → where the label's middle lies: side (−1 left, +1 right) and level (+1 above).
_PLACES = {
    "middle right": (1, 0),
    "middle left": (-1, 0),
    "top center": (0, 1),
    "bottom center": (0, -1),
    "top right": (1, 1),
    "bottom right": (1, -1),
    "top left": (-1, 1),
    "bottom left": (-1, -1),
}


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


def label_places(names: Sequence[str], dots: Sequence[tuple[float, float]], width: float, height: float) -> list[str]:
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
    list of str
        Plotly's `textposition` of each.
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


def _candidates(name: str, x: float, y: float) -> Iterator[tuple[str, _Box]]:
    half_width, half_height = _CHARACTER * len(name) / 2, _LINE / 2
    for place, (side, level) in _PLACES.items():
        middle_x = x + side * (half_width + _GAP)
        middle_y = y + level * (half_height + _GAP)
        yield (
            place,
            _Box(middle_x - half_width, middle_x + half_width, middle_y - half_height, middle_y + half_height),
        )
