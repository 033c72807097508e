"""The geometry of the charts. `operator/charts.html` draws them as inline SVG, beside a table with the same numbers.

Positions to the side are percentages and heights are pixels, so that a chart fits a phone and its text stays readable.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

HEIGHT: Final = 200
_TOP, _BOTTOM = 24, 172
LEFT: Final = 12
"""Percent. The values of the scale stand left of it."""
_RIGHT = 98.5
_MIN_RANGE = 1e-6

Values = Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Point:
    """A point of a line: its position, and its place in the series."""

    x: float
    y: float
    place: int


@dataclass(frozen=True, slots=True)
class Line:
    """The points of a series, and the strokes between neighbours. A missing value leaves a gap."""

    points: Sequence[Point]
    strokes: Sequence[tuple[Point, Point]]


@dataclass(frozen=True, slots=True)
class Plot:
    """Two series on the same scale. `ticks` are heights with their values."""

    now: Line
    before: Line
    ticks: Sequence[tuple[float, float]]


def plot(now: Values, before: Values = (), *, lowest: float | None = None, highest: float | None = None) -> Plot:
    """Place two series. Without `lowest` and `highest` the scale is that of the values."""
    known = [value for value in (*now, *before) if value is not None]
    low = min(known, default=0) if lowest is None else lowest
    ticks = _ticks(low, max(known, default=1) if highest is None else highest)
    low, high, count = ticks[0], ticks[-1], max(len(now), len(before))

    def place(values: Values) -> Line:
        found = [
            Point(_across(number, count), _up((value - low) / (high - low)), number)
            for number, value in enumerate(values)
            if value is not None
        ]
        pairs = pairwise(found)
        return Line(found, [(one, other) for one, other in pairs if other.place == one.place + 1])

    return Plot(place(now), place(before), [(_up((each - low) / (high - low)), each) for each in ticks])


def percent(part: float, whole: float) -> float:
    """Return a part in percent, to a tenth. 0 of nothing."""
    return round(100 * part / whole, 1) if whole else 0.0


def _across(number: int, count: int) -> float:
    share = number / (count - 1) if count > 1 else 0.5
    return round(LEFT + share * (_RIGHT - LEFT), 2)


def _up(share: float) -> float:
    return round(_BOTTOM - share * (_BOTTOM - _TOP), 1)


def _ticks(low: float, high: float) -> list[float]:
    """Return three to five round values around a range."""
    if high - low < _MIN_RANGE:
        high = low + 1
    raw = (high - low) / 3
    unit = 10 ** math.floor(math.log10(raw))
    step = next(each * unit for each in (1, 2, 5, 10) if each * unit >= raw)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [round(number * step, 10) for number in range(first, last + 1)]
