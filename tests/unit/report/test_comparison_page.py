"""Two runs side by side: what differs, and that nothing is said to differ that does not."""

from dataclasses import replace

import pytest

from components.report.page import comparison, render_comparison
from tests.unit.report import made_figures as made


@pytest.fixture(scope="module")
def a():
    return made.figures(wrong=0.4)


@pytest.fixture(scope="module")
def b():
    return made.figures(wrong=0.2)


def test_a_run_does_not_differ_from_itself(a):
    assert comparison.same_evaluation_data(a, a)
    assert comparison.settings(a, a) == comparison.data(a, a) == []
    assert comparison.groups(a, a) == ([], [])
    assert all(one.difference == 0 for one in comparison.types(a, a))
    html = render_comparison(a, a)
    assert (
        "Configuration, packages and code are equal." in html
        and "The data has the same figures." in html
    )


def test_differences_are_the_second_less_the_first(a, b):
    for one in comparison.types(a, b):
        assert one.difference == one.b.score.f1 - one.a.score.f1
    assert comparison.largest(comparison.types(a, b)) == max(
        abs(one.difference) for one in comparison.types(a, b)
    )


def test_errors_that_are_fewer_and_more_are_told_apart(a, b):
    fewer, more = comparison.groups(a, b)
    assert fewer and all(one.b < one.a for one in fewer) and all(one.b > one.a for one in more)
    assert comparison.groups(b, a) == ([*map(turned, more)], [*map(turned, fewer)])
    changes = [one.a - one.b for one in fewer]
    assert changes == sorted(changes, reverse=True)


def turned(change):
    return replace(change, a=change.b, b=change.a)


def test_a_type_that_only_one_run_knows_is_named_so(a):
    other = made.figures(types=(*made.THREE, "NEW"))
    [one] = [one for one in comparison.types(a, other) if one.type == "NEW"]
    assert one.a is None and one.difference is None
    assert ">new</td>" in render_comparison(a, other) and ">gone</td>" in render_comparison(
        other, a
    )


def test_settings_packages_and_hashes_that_differ_are_listed(a):
    changed = replace(
        a.provenance,
        configuration={**a.provenance.configuration, "gate": {"minimum_f1": 0.75}},
        versions={**a.provenance.versions, "tfx": "1.21.0"},
        hashes={"data": a.provenance.hashes["data"]},
    )
    found = comparison.settings(a, replace(a, provenance=changed))
    assert [(one.name, one.a, one.b) for one in found] == [
        ("gate.minimum_f1", "0.5", "0.75"),
        ("tfx", "1.16.0", "1.21.0"),
        ("code", a.provenance.hashes["code"], None),
    ]


def test_other_sentences_are_no_ground_for_a_comparison(a):
    more = made.figures(sentences=170)
    assert not comparison.same_evaluation_data(a, more)
    assert "evaluated on different sentences" in render_comparison(a, more)
    names = {one.name for one in comparison.data(a, more)}
    assert {"test: sentences", "train: tokens"} <= names
