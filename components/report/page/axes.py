"""The axes of the page's charts: their ticks, and the coordinates of values.

`charts.html` draws the charts. Coordinates are in units of the view box; y grows downwards.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from components.report.figures import EarlierRun, Epoch, LengthBin

LEFT, RIGHT, TOP, BOTTOM = 44, 350, 10, 172  # edges of the area between the axes
UNIT = (0.0, 0.25, 0.5, 0.75, 1.0)  # ticks of an axis from 0 to 1
_MAXIMUM_LABELS = 8


@dataclass(frozen=True)
class Axis:
    """An axis of a chart."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]  # values and their labels
    title: str = ""

    def fraction(self, value: float) -> float:
        """The position of a value: 0 at `low`, 1 at `high`."""
        return (value - self.low) / (self.high - self.low)

    def x(self, value: float) -> float:
        """The x coordinate of a value, if this is the horizontal axis."""
        return LEFT + (RIGHT - LEFT) * self.fraction(value)

    def y(self, value: float) -> float:
        """The y coordinate of a value, if this is the vertical axis."""
        return BOTTOM - (BOTTOM - TOP) * self.fraction(value)


def unit_axis(title: str = "") -> Axis:
    """Returns an axis from 0 to 1."""
    return Axis(0, 1, tuple((value, f"{value:g}") for value in UNIT), title)


def axis(values: Iterable[float], title: str = "", zero: bool = False) -> Axis:
    """Returns an axis with about five round ticks that covers `values`; from 0 if `zero`.

    >>> axis([0.12, 0.47]).ticks
    ((0.1, '0.1'), (0.2, '0.2'), (0.3, '0.3'), (0.4, '0.4'), (0.5, '0.5'))
    """
    values = list(values) or [0.0]
    low, high = min(0.0 if zero else values[0], *values), max(values)
    if low == high:
        low, high = (
            (low, low + 1) if zero or low == 0 else (low - abs(low) / 10, high + abs(high) / 10)
        )
    step = _round_step((high - low) / 4)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = tuple(
        (float(f"{index * step:.12g}"), short(index * step)) for index in range(first, last + 1)
    )
    return Axis(ticks[0][0], ticks[-1][0], ticks, title)


def run_axis(runs: Sequence[EarlierRun]) -> Axis:
    """Returns the axis of runs by index; the last one is this run."""
    last = len(runs) - 1
    return Axis(-0.5, last + 0.5, ((0, runs[0].began[:10]), (last, "this run")))


def epoch_axis(epochs: Sequence[Epoch]) -> Axis:
    """Returns the axis of epochs."""
    low, high = epochs[0].epoch, epochs[-1].epoch
    margin = 0.5 if low == high else 0
    ticks = tuple((epoch.epoch, str(epoch.epoch)) for epoch in epochs[:: _step(len(epochs))])
    return Axis(low - margin, high + margin, ticks, "epoch")


def length_axis(bins: Sequence[LengthBin]) -> Axis:
    """Returns the axis of bins of sentence lengths, all drawn with the same width, by index."""
    every = _step(len(bins))
    ticks = tuple((index + 0.5, bins[index].name) for index in range(0, len(bins), every))
    return Axis(0, max(len(bins), 1), ticks, "tokens")


def _step(count: int) -> int:
    """Which of `count` items get a label: each, or every second, third and so on."""
    return max(1, math.ceil(count / _MAXIMUM_LABELS))


def from_centre(value: float, limit: float) -> float:
    """The x coordinate of a difference: 100 for 0, 196 from `limit` on, 4 below -`limit`."""
    return 100 + 96 * max(-1.0, min(1.0, value / (limit or 1.0)))


def _round_step(minimum: float) -> float:
    """The smallest 1, 2 or 5 times a power of ten that is at least `minimum`."""
    power = 10 ** math.floor(math.log10(minimum))
    return next(
        power * factor for factor in (1, 2, 5, 10) if power * factor >= minimum * (1 - 1e-9)
    )


def short(value: float) -> str:
    """Formats a number for an axis.

    >>> short(25_000), short(0.30000000000000004), short(2_500_000), short(0.00001)
    ('25k', '0.3', '2.5M', '1e-05')
    """
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if letter == 'k' else size):.4g}{letter}"
    return f"{value:.4g}"


def tenth(coordinate: float) -> str:
    """Formats a coordinate, rounded to a tenth.

    >>> tenth(12.04), tenth(0.26)
    ('12', '0.3')
    """
    return f"{coordinate:.1f}".removesuffix(".0")
