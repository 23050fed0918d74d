"""The comparison of two runs: all differences, and only these."""

from dataclasses import replace

import pytest

from components.report.page import comparison, render_comparison
from tests.unit.report import sample_figures as made


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
    assert all(change.f1_difference == 0 for change in comparison.types(a, a))
    html = render_comparison(a, a)
    assert (
        "Configuration, packages and code are equal." in html
        and "The data has the same figures." in html
    )


def test_differences_are_the_second_run_minus_the_first(a, b):
    for change in comparison.types(a, b):
        assert change.f1_difference == change.b.score.f1 - change.a.score.f1


def test_groups_with_fewer_and_with_more_errors_are_separate(a, b):
    fewer, more = comparison.groups(a, b)
    assert fewer and all(one.b < one.a for one in fewer) and all(one.b > one.a for one in more)
    assert comparison.groups(b, a) == ([*map(turned, more)], [*map(turned, fewer)])
    changes = [one.a - one.b for one in fewer]
    assert changes == sorted(changes, reverse=True)


def turned(change):
    return replace(change, a=change.b, b=change.a)


def test_a_type_in_one_run_only_is_marked_as_new_or_gone(a):
    other = made.figures(types=(*made.THREE, "NEW"))
    [new] = [change for change in comparison.types(a, other) if change.name == "NEW"]
    assert new.a is None and new.f1_difference is None
    assert ">new</td>" in render_comparison(a, other) and ">gone</td>" in render_comparison(
        other, a
    )


def test_different_settings_packages_and_hashes_are_listed(a):
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


def test_runs_with_different_sentences_are_marked_as_not_comparable(a):
    more = made.figures(sentences=170)
    assert not comparison.same_evaluation_data(a, more)
    assert "evaluated on different sentences" in render_comparison(a, more)
    names = {one.name for one in comparison.data(a, more)}
    assert {"test: sentences", "train: tokens"} <= names
