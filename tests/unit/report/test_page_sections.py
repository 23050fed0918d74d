"""The page's tables: cut to a readable size, with exact totals; and its example sentences: no word is lost,
overlaps form regions.
"""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.report.figures import Confusion, Curve, Example, ExampleEntity, Thresholds
from components.report.page import sections
from components.report.page.sections import LONGEST_TOKEN, Region, parts
from tests.unit.report import sample_figures as made


@st.composite
def confusions(draw):
    size, chance = draw(st.integers(1, 26)), random.Random(draw(st.integers(0, 1_000)))
    labels = (*(f"T{number:02}" for number in range(size - 1)), "O")
    counts = [
        [chance.choice((0, 0, 1, chance.randrange(50))) for _ in range(size)] for _ in range(size)
    ]
    return Confusion(labels, tuple(map(tuple, counts)))


@given(confusions())
def test_the_heat_map_has_every_entity(confusion):
    heat = sections.heat(confusion)
    assert sum(cell.count for _, cells in heat.rows for cell in cells) == sum(
        map(sum, confusion.counts)
    )
    assert all(len(cells) == len(heat.labels) == len(heat.rows) for _, cells in heat.rows)
    assert len(heat.labels) <= sections.HEAT_MAP_TYPES + 2
    assert heat.labels[-1] == "O" and heat.folded == max(
        0, len(confusion.labels) - 1 - sections.HEAT_MAP_TYPES
    )


@given(confusions())
def test_a_shade_is_the_share_of_the_row(confusion):
    for _, cells in sections.heat(confusion).rows:
        whole = sum(cell.count for cell in cells)
        for cell in cells:
            assert (cell.shade > 0) == (cell.count > 0)
            assert cell.shade <= max(1, 10 * cell.count / max(1, whole))


@given(confusions())
def test_confused_types_leave_out_correct_predictions_and_outside(confusion):
    pairs = sections.confused_types(confusion)
    assert [pair.count for pair in pairs] == sorted((pair.count for pair in pairs), reverse=True)
    assert all(
        pair.gold != pair.predicted
        and "O" not in (pair.gold, pair.predicted)
        and 0 < pair.share <= 1
        for pair in pairs
    )


@pytest.fixture(scope="module")
def many_errors():
    return made.figures(made.EIGHTEEN, 500, 0.7).evaluation


def test_the_errors_of_the_types_sum_to_the_total(many_errors):
    shown = sections.errors_by_type(many_errors)
    assert sum(one.count for one in shown) == many_errors.errors.count
    assert {one.type for one in shown} == set(made.EIGHTEEN)
    assert [one.count for one in shown] == sorted((one.count for one in shown), reverse=True)
    for kind in (kind for one in shown for kind in one.kinds):
        assert sum(group.count for group in kind.groups) + kind.hidden_errors == kind.kind.count


def test_examples_are_limited_and_each_large_group_has_an_example(many_errors):
    groups = [
        group
        for one in sections.errors_by_type(many_errors)
        for kind in one.kinds
        for group in kind.groups
    ]
    assert sum(len(group.examples) for group in groups) == sections.TOTAL_EXAMPLES
    without = [group.count for group in groups if not group.examples]
    assert max(without, default=0) <= min(group.count for group in groups if group.examples)


def test_a_type_without_errors_is_listed():
    shown = sections.errors_by_type(made.figures(wrong=0.0).evaluation)
    assert [(one.type, one.count, one.kinds) for one in shown] == [
        (type_, 0, ()) for type_ in sorted(made.THREE)
    ]


def test_the_curves_of_the_script_are_in_the_order_of_the_types():
    curve, other = Curve(3, (2, 1), (1, 1)), Curve(5, (4, 3), (2, 2))
    data = sections.curves(Thresholds((0.0, 0.5), other, {"__proto__": curve}, 0))
    assert [one["support"] for one in data["curves"]] == [5, 3]


def test_settings_have_dotted_keys():
    settings = {
        "a": {"b": 1, "c": {}},
        "d": None,
        "e": True,
        "f": ["x", "y"],
        "g": {"h": {"i": 0.5}},
    }
    assert sections.dotted_settings(settings) == {
        "a.b": "1",
        "a.c": "",
        "d": "",
        "e": "true",
        "f": "x, y",
        "g.h.i": "0.5",
    }


@st.composite
def entities(draw, length):
    """Sorted disjoint entities in a sentence."""
    found, at = [], 0
    while at < length and draw(st.booleans()):
        start = draw(st.integers(at, length - 1))
        end = draw(st.integers(start + 1, length))
        found.append(ExampleEntity(start, end, draw(st.sampled_from("AB"))))
        at = end
    return tuple(found)


@st.composite
def examples(draw):
    tokens = tuple(
        draw(st.lists(st.text("abc<&", min_size=1, max_size=3), min_size=1, max_size=12))
    )
    gold, found = draw(entities(len(tokens))), draw(entities(len(tokens)))
    return Example("a", 0, tokens, gold, found, 0, len(tokens))


def example(tokens, gold=(), found=(), start=0, end=1):
    return Example("a", 0, tuple(tokens.split()), gold, found, start, end)


def text(part):
    return part if isinstance(part, str) else "".join(piece.text for piece in part.pieces)


def words(example_, side, entity):
    """The words marked with an entity."""
    return "".join(
        piece.text
        for region in parts(example_)
        if isinstance(region, Region)
        for piece in region.pieces
        if getattr(piece, side) is entity
    )


@given(examples())
def test_the_parts_have_the_words_of_the_sentence(example_):
    assert " ".join(map(text, parts(example_))) == " ".join(example_.tokens)


@given(examples())
def test_each_entity_marks_its_own_words(example_):
    for side, marked in (("gold", example_.gold), ("predicted", example_.predicted)):
        for entity in marked:
            assert words(example_, side, entity) == " ".join(
                example_.tokens[entity.start : entity.end]
            )


@given(examples())
def test_each_entity_is_named_once(example_):
    regions = [part for part in parts(example_) if isinstance(part, Region)]
    assert tuple(one for region in regions for one in region.gold) == example_.gold
    assert tuple(one for region in regions for one in region.predicted) == example_.predicted


@given(examples())
def test_a_region_is_correct_if_both_entities_are_equal(example_):
    for region in parts(example_):
        if isinstance(region, Region):
            assert region.is_correct == (list(region.gold) == list(region.predicted))


def test_overlapping_entities_are_in_one_region():
    one = example(
        "a b c d e",
        (ExampleEntity(0, 2, "X"), ExampleEntity(3, 4, "X")),
        (ExampleEntity(1, 4, "Y", 0.5),),
    )
    [region, rest] = parts(one)
    assert [piece.text for piece in region.pieces] == ["a", " ", "b", " ", "c", " ", "d"]
    assert [bool(piece.gold) for piece in region.pieces] == [
        True,
        True,
        True,
        False,
        False,
        False,
        True,
    ]
    assert [bool(piece.predicted) for piece in region.pieces] == [
        False,
        False,
        True,
        True,
        True,
        True,
        True,
    ]
    assert rest == "e" and not region.is_correct


def test_adjacent_entities_are_in_separate_regions():
    assert len([*parts(example("a b", (ExampleEntity(0, 1, "X"), ExampleEntity(1, 2, "X"))))]) == 2


def test_the_region_of_the_error_is_the_subject():
    regions = [
        *parts(
            example("a b c", (ExampleEntity(0, 1, "X"), ExampleEntity(2, 3, "X")), start=2, end=3)
        )
    ]
    assert [part.is_subject for part in regions if isinstance(part, Region)] == [False, True]


def test_direction_controls_are_shown_as_code_points():
    assert [*parts(example("a \u202e b"))] == ["a ⟨U+202E⟩ b"]


def test_a_long_token_is_cut():
    [shown] = parts(example("x" * 10_000))
    assert len(shown) == LONGEST_TOKEN and shown.endswith("…")
