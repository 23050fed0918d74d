"""Reports go to JSON and back."""

import json
from dataclasses import replace

import pytest

from components.report import figures
from tests.unit.report import made_figures


def test_a_report_is_the_same_after_json():
    report = made_figures.figures(made_figures.EIGHTEEN)
    assert figures.read(figures.as_json(report)) == report


def test_the_measured_part_is_the_same_after_json():
    report = made_figures.figures()
    part = figures.Measured(report.evaluation, report.data, report.training)
    assert figures.read_measured(figures.as_json(part)) == part


def test_words_of_every_kind_are_the_same_after_json():
    report = made_figures.figures(
        words=('"', "</script>", "\u2028", "中", "\x1f", "é", "\U0001f600"), names=("'", "{{x}}")
    )
    assert figures.read(figures.as_json(report)) == report


def test_a_report_of_another_format_is_refused():
    with pytest.raises(ValueError, match="its format is 99, expected 1"):
        figures.read(figures.as_json(replace(made_figures.figures(), format=99)))


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"verdict": 1}'])
def test_what_is_no_report_is_refused(text):
    with pytest.raises(ValueError):
        figures.read(text)


def test_json_has_no_number_that_others_cannot_read():
    json.loads(figures.as_json(made_figures.figures(sentences=0)), parse_constant=pytest.fail)
