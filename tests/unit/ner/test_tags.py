"""Tag schemes: reading and writing each, and ill-formed tags as conlleval reads them."""

import doctest
import warnings
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities

from components.ner import tags as tags_module
from components.ner.sentence import Sentence, Span
from components.ner.tags import (
    SCHEMES,
    ill_formed,
    parse,
    scheme_named,
    scheme_of_pairs,
    spans_of,
    tags_of,
)

TYPES = st.sampled_from(["PER", "LOC", "creative-work", "O", "B-I"])


@st.composite
def spans_in(draw, longest=12):
    """The length of a sentence, and sorted disjoint spans in it."""
    length = draw(st.integers(0, longest))
    borders = sorted(draw(st.sets(st.integers(0, length), max_size=length + 1)))
    spans = [
        Span(start, end, draw(TYPES)) for start, end in pairwise(borders) if draw(st.booleans())
    ]
    return length, tuple(spans)


def random_tags(prefixes):
    tag = st.one_of(
        st.just("O"),
        st.builds(
            "{}-{}".format,
            st.sampled_from(prefixes),
            st.sampled_from(["PER", "LOC", "creative-work"]),
        ),
    )
    return st.lists(tag, max_size=12)


def seqeval_spans(tags):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return tuple(Span(start, end + 1, type_) for type_, start, end in get_entities(tags))


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(tags_module).failed == 0


@pytest.mark.parametrize("scheme", SCHEMES)
@given(spans_in())
def test_spans_written_as_tags_are_read_back(scheme, sentence):
    length, spans = sentence
    assert spans_of(tags_of(spans, length, scheme), scheme) == spans


@pytest.mark.parametrize("scheme", SCHEMES)
@given(spans_in())
def test_written_tags_are_well_formed(scheme, sentence):
    length, spans = sentence
    assert ill_formed(tags_of(spans, length, scheme), scheme) == ()


@pytest.mark.parametrize("scheme", ["IOB1", "IOB2"])
@given(random_tags(["B", "I"]))
def test_any_iob_tags_are_decoded_as_seqeval_does(scheme, tags):
    assert spans_of(tags, scheme) == seqeval_spans(tags)


@given(random_tags(["B", "I", "E", "S"]))
def test_any_bioes_tags_are_decoded_as_seqeval_does(tags):
    assert spans_of(tags, "BIOES") == seqeval_spans(tags)


@given(random_tags(["B", "I", "E", "S"]))
def test_bilou_is_bioes_with_other_letters(tags):
    letters = {"E": "L", "S": "U"}
    assert spans_of([letters.get(tag[0], tag[0]) + tag[1:] for tag in tags], "BILOU") == spans_of(
        tags, "BIOES"
    )


@given(spans_in())
def test_a_sentence_gives_its_spans_as_iob2(sentence):
    length, spans = sentence
    assert Sentence(("x",) * length, spans).tags == tags_of(spans, length, "IOB2")


@given(random_tags(["B", "I"]))
def test_only_ill_formed_tags_change_when_they_are_repaired(tags):
    repaired = tags_of(spans_of(tags, "IOB2"), len(tags), "IOB2")
    changed = tuple(index for index, tag in enumerate(tags) if tag != repaired[index])
    assert changed == ill_formed(tags, "IOB2")


@pytest.mark.parametrize(
    ("scheme", "tags", "expected"),
    [
        ("IOB2", "O I-PER", (1,)),
        ("IOB2", "B-PER I-LOC", (1,)),
        ("IOB2", "O S-PER", (1,)),
        ("IOB1", "I-PER I-LOC", ()),
        ("IOB1", "I-PER B-PER", ()),
        ("IOB1", "O B-PER", (1,)),
        ("IOB1", "I-LOC B-PER", (1,)),
        ("BIOES", "B-PER O", (0,)),
        ("BIOES", "B-PER I-PER", (1,)),
        ("BIOES", "S-PER E-PER", (1,)),
        ("BIOES", "B-PER S-PER", (0,)),
        ("BILOU", "B-PER L-PER U-PER O", ()),
        ("BILOU", "B-PER E-PER", (1,)),
    ],
)
def test_the_positions_of_ill_formed_tags(scheme, tags, expected):
    assert ill_formed(tags.split(), scheme) == expected


def detect_scheme(sentences):
    return scheme_of_pairs(
        Counter(pair for tags in sentences for pair in pairwise(("O", *tags, "O")))
    )


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_scheme_of_well_formed_tags_is_detected(scheme):
    sentences = [(Span(0, 1, "PER"), Span(1, 3, "PER"), Span(4, 7, "LOC")), (Span(0, 4, "LOC"),)]
    assert detect_scheme(tags_of(spans, 7, scheme) for spans in sentences) == scheme


@pytest.mark.parametrize(
    ("sentences", "expected"),
    [
        (["O O", "O"], "IOB2"),
        (["B-PER O"], "IOB2"),
        (["I-PER O"], "IOB1"),
        (["S-PER O"], "BIOES"),
        (["U-PER O"], "BILOU"),
        (["O B-PER I-PER O"] * 5 + ["O I-PER O"], "IOB2"),
        (["O I-PER I-PER O"] * 5 + ["O B-PER O"], "IOB1"),
        (["O B-PER I-PER O"] * 5 + ["O S-PER O"], "IOB2"),
        (["B-PER E-PER", "S-PER"] * 5 + ["B-PER I-PER"], "BIOES"),
        (["PER PER"], "IOB2"),
        ([], "IOB2"),
    ],
)
def test_the_scheme_with_the_fewest_ill_formed_tags_is_detected(sentences, expected):
    assert detect_scheme(sentence.split() for sentence in sentences) == expected


@pytest.mark.parametrize("tag", ["", "PER", "B", "B-", "b-PER", "o", "X-PER", "B_PER", "S-PER"])
def test_a_tag_that_the_scheme_does_not_have_is_refused(tag):
    with pytest.raises(ValueError, match="not a tag of IOB2"):
        parse(tag, "IOB2")


@pytest.mark.parametrize(
    "spans",
    [[Span(0, 3, "X")], [Span(1, 1, "X")], [Span(0, 2, "X"), Span(1, 2, "X")], [Span(-1, 1, "X")]],
)
def test_invalid_or_overlapping_spans_are_refused(spans):
    with pytest.raises(ValueError, match="does not fit"):
        tags_of(spans, 2)


def test_schemes_have_aliases():
    assert [scheme_named(name) for name in ("bio", "IOBES", "BILUO", "iob1")] == [
        "IOB2",
        "BIOES",
        "BILOU",
        "IOB1",
    ]


def test_an_unknown_scheme_is_refused_with_a_list_of_the_known_schemes():
    with pytest.raises(ValueError, match="IOB1, IOB2, BIOES, BILOU"):
        scheme_named("BWES")
