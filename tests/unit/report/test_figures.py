"""Reports as JSON."""

import json
from dataclasses import replace

import pytest

from components.report import figures
from tests.unit.report import sample_figures


def test_a_report_is_the_same_after_json():
    report = sample_figures.figures(sample_figures.EIGHTEEN)
    assert figures.parse_figures(figures.as_json(report)) == report


def test_the_measured_part_is_the_same_after_json():
    report = sample_figures.figures()
    part = figures.Measured(report.evaluation, report.data, report.training)
    assert figures.parse(figures.Measured, figures.as_json(part)) == part


def test_unusual_words_are_the_same_after_json():
    report = sample_figures.figures(
        words=('"', "</script>", "\u2028", "中", "\x1f", "é", "\U0001f600"), names=("'", "{{x}}")
    )
    assert figures.parse_figures(figures.as_json(report)) == report


def test_a_report_of_another_format_is_refused():
    with pytest.raises(ValueError, match="its format is 99; expected 1 to 2"):
        figures.parse_figures(figures.as_json(replace(sample_figures.figures(), format=99)))


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"verdict": 1}'])
def test_other_json_is_refused(text):
    with pytest.raises(ValueError):
        figures.parse_figures(text)


def test_json_has_neither_nan_nor_infinity():
    json.loads(figures.as_json(sample_figures.figures(sentences=0)), parse_constant=pytest.fail)


def test_reports_of_format_1_are_still_read():
    report = sample_figures.figures(sample_figures.EIGHTEEN)
    old_names = {
        "comparison": "against",
        "p_value": "p",
        "wrong_boundary": "wrong_borders",
        "wrong_boundary_and_type": "wrong_both",
        "spurious": "invented",
        "baseline_score": "before",
        "chance_error": "by_chance",
        "predicted": "found",
        "correct": "right",
        "index": "number",
        "total": "of",
        "minority_count": "rare",
        "sentence_ids": "ids",
        "threshold": "sure",
        "outside_bias": "boldness",
    }
    old_kinds = {"boundary": "borders", "boundary_and_type": "both", "spurious": "invented"}

    def downgrade(value, name=""):
        """Renames fields as format 1 had them; `name` is the field that holds the value."""
        if isinstance(value, list):
            return [downgrade(item, name) for item in value]
        if not isinstance(value, dict):
            return value
        is_curve = set(value) == {"support", "predicted", "correct"}
        # The old names in outcomes and curves, which SemEval's schemes and the examples still have.
        kept = set() if is_curve else {"predicted", "correct"}
        kept |= {"spurious"} if "possible" in value else set()
        kept |= set() if "disagreements" in value else {"threshold"}
        renamed = {
            key if key in kept else old_names.get(key, key): downgrade(item, key)
            for key, item in value.items()
        }
        if name == "comparison":
            renamed["before"] = renamed.pop("baseline")
        if name == "kinds":
            renamed["kind"] = old_kinds.get(renamed["kind"], renamed["kind"])
        return renamed

    document = downgrade(json.loads(figures.as_json(replace(report, format=1))))
    assert "invented" in document["evaluation"]["outcomes"]
    assert "found" in document["evaluation"]["thresholds"]["overall"]
    assert figures.parse_figures(json.dumps(document)) == replace(report, format=1)
