"""The plot of `growth.py` as SVG: processor seconds by number of sentences, on logarithmic axes."""

import math
from collections.abc import Sequence
from html import escape

_WIDTH, _HEIGHT = 720, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 190, 24, 48
_COLOURS = ("#1b6ca8", "#c8553d", "#2e7d4f", "#8a4fa3", "#b8860b", "#4d4d4d", "#0f9d9d")
_HIDDEN = ("before", "survey")


def svg(rows: Sequence[dict]) -> str:
    """Draws the processor seconds of each node; a dashed line shows linear growth.

    Args:
      rows: for each size, `sentences` and `nodes`, which maps names to figures with `processor`.
    """
    lines: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        for name, facts in row["nodes"].items():
            if name not in _HIDDEN:
                lines.setdefault(name, []).append((row["sentences"], max(facts["processor"], 0.1)))
    points = [point for line in lines.values() for point in line] or [(1e4, 1.0)]
    x_axis, y_axis = _axis([x for x, _ in points]), _axis([y for _, y in points])

    def position(x: float, y: float) -> tuple[float, float]:
        return (
            _LEFT + (_WIDTH - _LEFT - _RIGHT) * _share(x, x_axis),
            _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * _share(y, y_axis),
        )

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
    ]
    for power in range(x_axis[0], x_axis[1] + 1):
        x, low = position(10.0**power, 10.0 ** y_axis[0])
        parts.append(_line([(x, low), (x, _TOP)], "#ddd"))
        parts.append(
            f'<text x="{x:.1f}" y="{low + 18:.1f}" text-anchor="middle">{10**power:,}</text>'
        )
    for power in range(y_axis[0], y_axis[1] + 1):
        left, y = position(10.0 ** x_axis[0], 10.0**power)
        parts.append(_line([(left, y), (_WIDTH - _RIGHT, y)], "#ddd"))
        parts.append(
            f'<text x="{left - 8:.1f}" y="{y + 4:.1f}" text-anchor="end">{10.0**power:,g} s</text>'
        )
    room = min(x_axis[1] - x_axis[0], y_axis[1] - y_axis[0])
    ideal = [position(10.0 ** (x_axis[0] + step), 10.0 ** (y_axis[0] + step)) for step in (0, room)]
    parts.append(_line(ideal, "#999", ' stroke-dasharray="4 4"'))
    named = sorted(lines.items(), key=lambda item: -item[1][-1][1])
    last = 0.0
    for index, (name, line) in enumerate(named):
        colour = _COLOURS[index % len(_COLOURS)]
        spots = [position(*point) for point in sorted(line)]
        parts.append(_line(spots, colour, ' stroke-width="2"'))
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in spots]
        last = max(last + 15, spots[-1][1] + 4)  # names must not overlap
        parts.append(
            f'<text x="{_WIDTH - _RIGHT + 10}" y="{last:.1f}" fill="{colour}">{escape(name)}</text>'
        )
    parts.append(f'<text x="{_LEFT}" y="{_HEIGHT - 10}">sentences; dashed: linear growth</text>')
    parts.append(f'<text x="{_LEFT}" y="14">processor seconds, user and system</text></svg>')
    return "\n".join(parts) + "\n"


def _axis(values: Sequence[float]) -> tuple[int, int]:
    """Returns the powers of ten that enclose the values."""
    low = math.floor(math.log10(min(values)))
    return low, max(low + 1, math.ceil(math.log10(max(values))))


def _share(value: float, axis: tuple[int, int]) -> float:
    return (math.log10(value) - axis[0]) / (axis[1] - axis[0])


def _line(points: Sequence[tuple[float, float]], colour: str, more: str = "") -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{colour}"{more}/>'
