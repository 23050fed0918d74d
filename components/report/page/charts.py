"""Charts as inline SVG, coloured by the page's CSS classes and readable in grey.

Each chart has an accessible name; its numbers are also in a table or in the text. Coordinates are
in units of the view box; y grows downwards.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

WIDTH, HEIGHT = 360, 210
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 350, 10, 172


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


@dataclass(frozen=True)
class Line:
    """A line through points."""

    name: str
    style: str  # CSS class
    points: tuple[tuple[float, float], ...]  # (x, y)


@dataclass(frozen=True)
class Dot:
    """A point."""

    x: float
    y: float
    style: str  # CSS class
    text: str  # tooltip


NOTHING = Markup()
UNIT = (0.0, 0.25, 0.5, 0.75, 1.0)


def unit_axis(title: str) -> Axis:
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


def meter(value: float, style: str = "") -> Markup:
    """Returns a thin bar from 0 to `value`, which is cut at 1."""
    return Markup(
        '<svg class="meter {}" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">{}{}</svg>'
    ).format(
        style,
        _rect(0, 0, 100, 4, "ground"),
        _rect(0, 0, 100 * min(max(value, 0.0), 1.0), 4, "filled"),
    )


def shares(parts: Mapping[str, float], name: str) -> Markup:
    """Returns a bar divided into shares; the names of the parts are CSS classes."""
    whole, at, bars = sum(parts.values()), 0.0, []
    for style, part in parts.items():
        width = 100 * part / whole if whole else 0
        if width:
            bars.append(_rect(at, 0, width, 10, f"part {style}"))
        at += width
    return Markup(
        '<svg class="shares" viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>'
    ).format(name, _all(bars))


def difference(
    value: float, limit: float, low: float | None = None, high: float | None = None
) -> Markup:
    """Returns a bar from the centre, to the right for positive values, with its interval.

    Args:
      value: the difference.
      limit: the value at the edges.
      low: lower end of the interval.
      high: upper end of the interval.
    """
    limit = limit or 1.0

    def x(number: float) -> float:
        return 100 + 96 * max(-1.0, min(1.0, number / limit))

    pieces = [
        _rect(min(x(value), 100), 2, abs(x(value) - 100), 10, "more" if value > 0 else "less"),
        Markup('<path class="zero" d="M100 0V14"/>'),
    ]
    if low is not None and high is not None:
        pieces.append(
            Markup('<path class="whisker" d="M{0} 7H{1}M{0} 4V10M{1} 4V10"/>').format(
                _n(x(low)), _n(x(high))
            )
        )
    return Markup(
        '<svg class="difference" viewBox="0 0 200 14" preserveAspectRatio="none" aria-hidden="true">{}</svg>'
    ).format(_all(pieces))


def interval(value: float, low: float, high: float, name: str, minimum: float = 0.0) -> Markup:
    """Returns a value between 0 and 1 with its interval and a mark at the required minimum."""

    def x(number: float) -> float:
        return 4 + 352 * number

    ticks = _all(
        Markup(
            '<path class="grid" d="M{0} 4V28"/><text x="{0}" y="42" text-anchor="{1}">{2}</text>'
        ).format(
            _n(x(tick)), "start" if tick == 0 else "end" if tick == 1 else "middle", f"{tick:g}"
        )
        for tick in UNIT
    )
    minimum_mark = (
        Markup('<path class="minimum" d="M{0} 0V32"/>').format(_n(x(minimum)))
        if minimum
        else Markup()
    )
    return Markup(
        '<svg class="chart interval" viewBox="0 0 360 46" role="img" aria-label="{}">{}{}{}{}'
        '<circle class="f1" cx="{}" cy="16" r="5"/></svg>'
    ).format(
        name, ticks, minimum_mark, _rect(x(0), 15, x(value) - x(0), 2, "filled"),
        _rect(x(low), 10, max(x(high) - x(low), 1), 12, "band"), _n(x(value)),
    )  # fmt: skip


def chart(
    name: str,
    x: Axis,
    y: Axis,
    lines: Sequence[Line] = (),
    dots: Sequence[Dot] = (),
    bars: Sequence[tuple[float, float, float, str]] = (),
    below: Markup = NOTHING,
    identity: str = "",
) -> Markup:
    """Draws bars, lines and dots over two axes.

    Args:
      name: accessible name of the image.
      x: the horizontal axis.
      y: the vertical axis.
      lines: drawn over the bars.
      dots: drawn over the lines.
      bars: left x, right x, y and tooltip of each bar.
      below: other elements, drawn first.
      identity: id of the image, for the page's script.
    """
    pieces = [below, *_grid(x, y)]
    for low, high, value, text in bars:
        left, right, top = _x(x, low), _x(x, high), _y(y, value)
        box = _rect(left + 0.5, top, max(right - left - 1, 0.5), _BOTTOM - top, "column", text)
        pieces.append(box)
    for line in lines:
        points = " ".join(f"{_n(_x(x, across))},{_n(_y(y, up))}" for across, up in line.points)
        pieces.append(Markup('<polyline class="line {}" points="{}"/>').format(line.style, points))
    for dot in dots:
        pieces.append(
            Markup(
                '<circle class="dot {}" cx="{}" cy="{}" r="4"><title>{}</title></circle>'
            ).format(dot.style, _n(_x(x, dot.x)), _n(_y(y, dot.y)), dot.text)
        )
    identified = Markup(' id="{}"').format(identity) if identity else Markup()
    return Markup(
        '<svg class="chart"{} viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>'
    ).format(identified, WIDTH, HEIGHT, name, _all(pieces))


def diagonal() -> Markup:
    """Returns the diagonal of a chart."""
    return Markup('<path class="diagonal" d="M{} {}L{} {}"/>').format(_LEFT, _BOTTOM, _RIGHT, _TOP)


def marker(x: Axis, value: float) -> Markup:
    """Returns a vertical line at a value of `x`; its data attributes let the script move it."""
    return Markup(
        '<path class="marker" d="M0 {top}V{bottom}" transform="translate({at} 0)"'
        ' data-left="{left}" data-width="{width}" data-top="{top}" data-bottom="{bottom}"/>'
    ).format(top=_TOP, bottom=_BOTTOM, left=_LEFT, width=_RIGHT - _LEFT, at=_n(_x(x, value)))


def _grid(x: Axis, y: Axis) -> Iterable[Markup]:
    for value, text in y.ticks:
        yield Markup(
            '<path class="grid" d="M{} {}H{}"/><text x="{}" y="{}" text-anchor="end">{}</text>'
        ).format(_LEFT, _n(_y(y, value)), _RIGHT, _LEFT - 6, _n(_y(y, value) + 4), text)
    for value, text in x.ticks:
        position = _x(x, value)
        side = "end" if position > _RIGHT - 8 and len(text) > 3 else "middle"
        yield Markup('<text x="{}" y="{}" text-anchor="{}">{}</text>').format(
            _n(position), _BOTTOM + 16, side, text
        )
    yield Markup('<path class="axis" d="M{} {}H{}"/>').format(_LEFT, _BOTTOM, _RIGHT)
    if x.title:
        yield Markup('<text class="title" x="{}" y="{}" text-anchor="end">{}</text>').format(
            _RIGHT, HEIGHT - 5, x.title
        )
    if y.title:
        yield Markup('<text class="title" x="{}" y="{}">{}</text>').format(
            0, HEIGHT - 5, f"↑ {y.title}"
        )


def _x(axis_: Axis, value: float) -> float:
    return _LEFT + (_RIGHT - _LEFT) * axis_.fraction(value)


def _y(axis_: Axis, value: float) -> float:
    return _BOTTOM - (_BOTTOM - _TOP) * axis_.fraction(value)


def _rect(x: float, y: float, width: float, height: float, style: str, text: str = "") -> Markup:
    inner = Markup("<title>{}</title>").format(text) if text else Markup()
    return Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}">{}</rect>').format(
        style, _n(x), _n(y), _n(width), _n(height), inner
    )


def _all(pieces: Iterable[Markup]) -> Markup:
    return Markup("").join(pieces)


def _n(number: float) -> str:
    """A place, to a tenth."""
    return f"{number:.1f}".removesuffix(".0")
