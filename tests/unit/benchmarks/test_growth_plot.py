"""The plot of growth: what grows linearly is parallel to the dashed line, and every name is there to be read."""

import itertools
import re
import xml.etree.ElementTree as ElementTree

import pytest


def lines(svg):
    """Slope of each drawn line on paper, by colour; the dashed one as `ideal`."""
    slopes = {}
    for line in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}polyline"):
        (x1, y1), *_, (x2, y2) = (
            map(float, point.split(",")) for point in line.get("points").split()
        )
        if line.get("stroke-width") or line.get("stroke-dasharray"):
            slopes["ideal" if line.get("stroke-dasharray") else line.get("stroke")] = (y1 - y2) / (
                x2 - x1
            )
    return slopes


def rows(**seconds):
    return [
        {
            "sentences": size,
            "nodes": {name: {"processor": of(size)} for name, of in seconds.items()},
        }
        for size in (10**4, 10**5, 10**6)
    ]


def test_linear_growth_is_parallel_to_the_dashed_line_and_slower_growth_flatter():
    from benchmarks import growth_plot

    slopes = lines(
        growth_plot.svg(rows(Linear=lambda size: size / 1000, Root=lambda size: size**0.5))
    )
    ideal = slopes.pop("ideal")
    steep, flat = sorted(slopes.values(), reverse=True)
    assert steep == pytest.approx(ideal, rel=0.01) and flat == pytest.approx(ideal / 2, rel=0.01)


def test_names_do_not_lie_on_one_another():
    from benchmarks import growth_plot

    svg = growth_plot.svg(
        rows(**{f"Node{n}": (lambda size, n=n: size + n) for n in range(6)}, survey=float)
    )
    places = sorted(float(y) for y in re.findall(r'y="([\d.]+)" fill="#\w+">Node', svg))
    assert len(places) == 6 and all(
        after - before >= 14.9 for before, after in itertools.pairwise(places)
    )
    assert "survey" not in svg
