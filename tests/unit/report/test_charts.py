"""Charts: axes hold what is drawn, bars are as long as they should be, and text in them stays text."""

import doctest
import re
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from components.report.page import charts
from components.report.page.charts import Axis, Dot, Line

NUMBERS = st.floats(-1e9, 1e9, allow_nan=False).map(lambda number: round(number, 6))


def drawn(svg, tag):
    return [one for one in ElementTree.fromstring(str(svg)).iter() if one.tag == tag]


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(charts).failed == 0


@given(st.lists(NUMBERS, max_size=20), st.booleans())
def test_an_axis_holds_its_values_between_few_round_ticks(values, zero):
    axis = charts.axis(values, zero=zero)
    ticks = [value for value, _ in axis.ticks]
    assert all(-1e-6 <= axis.fraction(value) <= 1 + 1e-6 for value in values)
    assert ticks == sorted(set(ticks)) and 2 <= len(ticks) <= 8
    assert (ticks[0], ticks[-1]) == (axis.low, axis.high)
    if zero and all(value >= 0 for value in values):
        assert axis.low == 0


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=6))
def test_the_parts_of_a_bar_fill_it(counts):
    bar = charts.shares({f"part{place}": count for place, count in enumerate(counts)}, "name")
    widths = [float(one.get("width")) for one in drawn(bar, "rect")]
    assert len(widths) == sum(count > 0 for count in counts)
    assert not widths or abs(sum(widths) - 100) < 0.1 * len(widths)


def test_a_meter_stays_within_its_ground():
    for value, width in ((-1, 0), (0, 0), (0.25, 25), (1, 100), (7, 100)):
        assert float(drawn(charts.meter(value), "rect")[1].get("width")) == width


def test_a_difference_goes_right_where_something_grew_and_left_where_it_shrank():
    for value, left, style in ((0.5, 100, "more"), (-0.5, 52, "less")):
        [bar] = drawn(charts.difference(value, 1.0), "rect")
        assert (float(bar.get("x")), float(bar.get("width")), bar.get("class")) == (left, 48, style)


def test_no_difference_at_all_can_be_drawn():
    assert float(drawn(charts.difference(0.0, 0.0), "rect")[0].get("width")) == 0


def test_higher_values_are_drawn_higher():
    axis = Axis(0, 10, ((0, "0"), (10, "10")))
    [line] = drawn(
        charts.chart("name", axis, axis, [Line("a", "a", ((0, 0), (10, 10)))]), "polyline"
    )
    (left, bottom), (right, top) = (
        [float(part) for part in point.split(",")] for point in line.get("points").split()
    )
    assert left < right and top < bottom


def test_text_in_a_chart_is_text():
    axis = charts.unit_axis('<b>"&')
    image = charts.chart(
        '"><script>',
        axis,
        axis,
        dots=[Dot(0.5, 0.5, "a", "</title><script>")],
        bars=[(0, 1, 1, "</title>&")],
    )
    assert "<script" not in image and "<b>" not in image
    assert [one.text for one in drawn(image, "title")] == ["</title>&", "</title><script>"]
    assert ElementTree.fromstring(str(image)).get("aria-label") == '"><script>'


def test_an_image_has_a_name_and_hidden_ones_are_hidden():
    axis = charts.unit_axis("")
    for image in (
        charts.chart("named", axis, axis),
        charts.shares({"a": 1}, "named"),
        charts.interval(0.5, 0.4, 0.6, "named"),
    ):
        assert re.match(r'<svg [^>]*role="img" aria-label="named"', image)
    for image in (charts.meter(0.5), charts.difference(0.1, 1)):
        assert re.match(r'<svg [^>]*aria-hidden="true"', image)
