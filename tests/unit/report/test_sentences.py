"""Example sentences with marked entities: no word is lost, overlaps form regions."""

from hypothesis import given
from hypothesis import strategies as st

from components.report.figures import Example, ExampleEntity
from components.report.page.sections import LONGEST_TOKEN, Region, parts


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
