"""The parts of the grammar: patterns, numerals, marks, articles, noise."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starter_grammar import noise
from starter_grammar.corpus import realise, sentence_sections
from starter_grammar.dice import Dice
from starter_grammar.numerals import in_words, numeral
from starter_grammar.rules import SPLITS, held_out, load, owner, parse
from starter_grammar.scene import Scene
from starter_grammar.text import ARTICLE, Labelled, articles, capitalised, label, mark


@pytest.mark.parametrize("section", sorted(sentence_sections()))
def test_every_pattern_yields_well_formed_sentences(section):
    for pattern in load()[section].entries:
        for attempt in range(4):
            dice = Dice("test", pattern, attempt)
            scene = Scene(load(), "test", section.split(".")[0], dice)
            made = realise(pattern, scene, noise.Habits(), dice)
            assert made.tokens and len(made.tokens) == len(made.tags)
            for before, tag in zip(("O", *made.tags), made.tags):
                assert not tag.startswith("I-") or before[2:] == tag[2:], pattern
            assert not {"{", "}"} & set(made.tokens), pattern


@pytest.mark.parametrize("section", sorted(sentence_sections()))
def test_every_section_has_a_pattern_for_train(section):
    assert any(not held_out(pattern) for pattern in load()[section].entries)


def test_no_section_is_left_unused():
    called = {
        name
        for section in load().values()
        for entry in section.entries
        for name in CALL.findall(entry)
    }
    called |= (
        set(sentence_sections())
        | {name for name in load() if name.endswith(".plans")}
        | DRAWN_BY_THE_CODE
    )
    assert not set(load()) - called


CALL = re.compile(r"\{([A-Za-z][\w.]*)\}")
DRAWN_BY_THE_CODE = {
    *(
        "first.f",
        "first.m",
        "first.word.f",
        "first.word.m",
        "last",
        "last.word",
        "last.start",
        "last.end",
        "last.prefixed",
    ),
    *(
        "firm",
        "firm.word",
        "firm.start",
        "firm.end",
        "firm.noun",
        "firm.tail",
        "bank",
        "hospital",
        "university",
    ),
    *(
        "government",
        "team",
        "paper",
        "city",
        "country",
        "region",
        "town.start",
        "town.end",
        "town.saint",
    ),
    *("place", "street", "venue", "ground", "airport", "river"),
}


@pytest.mark.parametrize("pattern", ["<a|b", "[MONEY:5", "[money:5]", "a|b", "a>", "a]"])
def test_an_unbalanced_pattern_is_refused(pattern):
    with pytest.raises(ValueError):
        parse(pattern)


def test_an_unknown_section_is_refused():
    with pytest.raises(ValueError, match="no section 'nowhere'"):
        Scene(load(), "train", "news", Dice(1)).expand("{nowhere}")


@given(st.text(min_size=1))
def test_every_name_has_one_owner(name):
    assert owner(name) in SPLITS


def test_the_same_key_throws_the_same_dice():
    # Fixed values, because other values would generate another corpus on another version of Python.
    dice = Dice("starter")
    assert [dice.between(0, 99) for _ in range(6)] == [94, 84, 16, 56, 16, 20]


@given(st.integers(), st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_numeral_is_within_its_range(key, one, other):
    low, high = sorted((one, other))
    assert low <= int(numeral(f"{low}-{high},", Dice(key)).replace(",", "")) <= high


@given(st.integers())
def test_a_numeral_is_within_a_wide_range(key):
    assert 150 <= int(numeral("~150-2500000,", Dice(key)).replace(",", "")) <= 2_500_000


@pytest.mark.parametrize(
    ("form", "shape"),
    [
        ("0.5-9.5", r"\d\.\d"),
        ("1.00-2.00", r"[12]\.\d\d"),
        ("5-95/5", r"\d?[05]"),
        ("d:A00.0-X", r"[A-Z]\d\d\.\d-X"),
        ("w2-3", "two|three"),
        ("1000-9000,", r"\d,\d{3}"),
    ],
)
def test_a_numeral_has_the_requested_format(form, shape):
    assert all(re.fullmatch(shape, numeral(form, Dice(key))) for key in range(30))


@pytest.mark.parametrize(
    ("value", "words"), [(0, "zero"), (13, "thirteen"), (40, "forty"), (42, "forty-two")]
)
def test_numbers_in_words(value, words):
    assert in_words(value) == words


@pytest.mark.parametrize(
    ("following", "article"),
    [
        ("apple", "an"),
        ("user", "a"),
        ("hour", "an"),
        ("one-off", "a"),
        ("MRI", "an"),
        ("US firm", "a"),
        ("[TIME:8-day]", "an"),
        ("[TIME:18-year-old]", "an"),
        ("[TIME:54-year-old]", "a"),
        ("unknown", "an"),
        ("unit", "a"),
        ("[MONEY:$8 million]", "an"),
        ("x-ray", "an"),
    ],
)
def test_the_article_fits_the_next_word(following, article):
    marked = re.sub(r"\[(\w+):(.*)]", lambda found: mark(found[1], found[2]), following)
    assert articles(f"{ARTICLE} {marked}").split()[0] == article


def test_a_leading_article_stays_outside():
    assert label("in " + mark("LOCATION", "the Alps"), "").tags == ("O", "O", "B-LOCATION")


def test_a_point_inside_the_last_entity_ends_the_sentence():
    assert label("It sued " + mark("ORGANIZATION", "Norvane Corp.") + " .", "").tokens == (
        "It",
        "sued",
        "Norvane",
        "Corp",
        ".",
    )


def test_a_mark_inside_a_token_is_refused():
    with pytest.raises(ValueError, match="torn"):
        label(mark("QUANTITY", "5") + "mg", "")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("the end", "The end"),
        ('" we won', '" We won'),
        ("iPhone sales", "iPhone sales"),
        ("5 men", "5 men"),
    ],
)
def test_a_sentence_starts_with_a_capital(before, after):
    assert capitalised(before) == after


@given(
    st.lists(st.sampled_from(["Ward", "paid", ",", "francs", ".", "ß", "Łódź"]), min_size=1),
    st.integers(),
)
def test_noise_preserves_the_entities_and_their_order(tokens, key):
    tags = tuple("B-PERSON" if token == "Ward" else "O" for token in tokens)
    writer = noise.Habits(case="upper", typos=1.0, shorthand=1.0, no_end=1.0, no_commas=1.0)
    rough = noise.roughen(Labelled(tuple(tokens), tags, ""), writer, Dice(key))
    assert len(rough.tokens) == len(rough.tags) and all(rough.tokens)
    assert [tag for tag in rough.tags if tag != "O"] == [tag for tag in tags if tag != "O"]
