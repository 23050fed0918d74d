"""Charts: axes cover the values, bars have the right lengths, and text stays text."""

import doctest
import re
from dataclasses import dataclass
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from components.report.figures import Interval
from components.report.page import axes, environment
from components.report.page.axes import Axis

NUMBERS = st.floats(-1e9, 1e9, allow_nan=False).map(lambda number: round(number, 6))


def charts():
    return environment().get_template("charts.html").module


def drawn(svg, tag):
    return [element for element in ElementTree.fromstring(str(svg)).iter() if element.tag == tag]


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(axes).failed == 0


@given(st.lists(NUMBERS, max_size=20), st.booleans())
def test_an_axis_covers_its_values_with_few_round_ticks(values, zero):
    axis = axes.axis(values, zero=zero)
    ticks = [value for value, _ in axis.ticks]
    assert all(-1e-6 <= axis.fraction(value) <= 1 + 1e-6 for value in values)
    assert ticks == sorted(set(ticks)) and 2 <= len(ticks) <= 8
    assert (ticks[0], ticks[-1]) == (axis.low, axis.high)
    if zero and all(value >= 0 for value in values):
        assert axis.low == 0


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=6))
def test_the_segments_of_a_bar_fill_it(counts):
    bar = charts().shares({f"part{index}": count for index, count in enumerate(counts)}, "name")
    widths = [float(part.get("width")) for part in drawn(bar, "rect")]
    assert len(widths) == sum(count > 0 for count in counts)
    assert not widths or abs(sum(widths) - 100) < 0.1 * len(widths)


def test_a_meter_stays_within_its_background():
    for value, width in ((-1, 0), (0, 0), (0.25, 25), (1, 100), (7, 100)):
        assert float(drawn(charts().meter(value), "rect")[1].get("width")) == width


def test_the_bar_of_a_difference_goes_right_for_a_gain_and_left_for_a_loss():
    for value, left, style in ((0.5, 100, "more"), (-0.5, 52, "less")):
        [bar] = drawn(charts().difference(value, 1.0), "rect")
        assert (float(bar.get("x")), float(bar.get("width")), bar.get("class")) == (left, 48, style)


def test_a_difference_of_zero_is_a_bar_without_width():
    assert float(drawn(charts().difference(0.0, 0.0), "rect")[0].get("width")) == 0


def test_higher_values_are_drawn_higher():
    axis = Axis(0, 10, ((0, "0"), (10, "10")))
    [line] = drawn(charts().line(axis, axis, "a", ((0, 0), (10, 10))), "polyline")
    (left, bottom), (right, top) = (
        [float(part) for part in point.split(",")] for point in line.get("points").split()
    )
    assert left < right and top < bottom


@dataclass
class Run:
    run: str
    began: str
    f1: float = 0.5
    published: bool = True
    evaluated_on: str = "</title>&"


def test_text_in_a_chart_is_text():
    image = charts().history([Run("</title><script>", '<b>"&')] * 2)
    assert "<script" not in image and "<b>" not in image
    assert drawn(image, "title")[0].text.startswith("</title><script>: F1 0.500 on </title>&")
    axis = axes.unit_axis('<b>"&')
    image = charts().chart('"><script>', axis, axis, caller=lambda x, y: "")
    assert "<b>" not in image
    assert ElementTree.fromstring(str(image)).get("aria-label") == '"><script>'


def test_an_image_has_a_name_or_is_hidden():
    axis = axes.unit_axis()
    for image, name in (
        (charts().chart("named", axis, axis, caller=lambda x, y: ""), "named"),
        (charts().shares({"a": 1}, "named"), "named"),
        (charts().interval(0.5, Interval(0.4, 0.6), 0.3), "F1 with its interval"),
    ):
        assert re.match(rf'<svg [^>]*role="img" aria-label="{name}"', image)
    for image in (charts().meter(0.5), charts().difference(0.1, 1)):
        assert re.match(r'<svg [^>]*aria-hidden="true"', image)
