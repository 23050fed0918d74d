"""The granularity of the tokenizer: its text form and its tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.ner.granularity import WORDS, Granularity, parse_granularity
from components.ner.tokens import is_space, join_tokens, tokenize

GRANULARITIES = [
    "words",
    "fine",
    "Hangul",
    "Arabic,Hebrew",
    "fine,Hangul",
    "Latin",
    "fine,Devanagari,Latin",
]
TEXTS = st.text(
    st.one_of(
        st.sampled_from(
            "aZ9é²½\u0301\ufe0f中กラ가ㅏ\u1100בא\u05b0שو١۳\u064e.,-_@ \t\n\x00\xa0\u200b\U0001f600न\u0941"
        ),
        st.characters(),
    )
)


def words(text, granularity):
    return [text[start:end] for start, end in tokenize(text, parse_granularity(granularity))]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("words", WORDS),
        ("fine", Granularity(splits_digits=True)),
        ("Hangul", Granularity(scripts=("Hangul",))),
        (" hebrew , FINE,Arabic", Granularity(True, ("Arabic", "Hebrew"))),
        ("old_italic", Granularity(scripts=("Old_Italic",))),
        ("Han,Thai", WORDS),
    ],
)
def test_a_granularity_is_read_from_its_text(written, expected):
    assert parse_granularity(written) == expected
    assert parse_granularity(str(expected)) == expected


@pytest.mark.parametrize("written", ["", "chars", "words,fine", "Hangul;Arabic", "fine,", "L}"])
def test_a_text_that_names_no_granularity_is_refused(written):
    with pytest.raises(ValueError, match="expected words, fine, or names of scripts"):
        parse_granularity(written)


@pytest.mark.parametrize(
    ("granularity", "text", "expected"),
    [
        ("words", "10mg 부산에서", "10mg 부산에서"),
        ("fine", "10mg X200mm é2\u03012x", "10 mg X 200 mm é 2\u03012 x"),
        ("fine", "m² 부산2에서", "m ² 부산 2 에서"),
        ("Hangul", "부산에서 SDS는 10만", "부 산 에 서 SDS 는 10 만"),
        ("Hangul", "\u1112\u1161\u11ab 中국", "\u1112 \u1161 \u11ab 中 국"),
        ("Arabic", "وبي\u064eروت ١٢", "و ب ي\u064e ر و ت ١٢"),
        ("Hebrew", "ב\u05b0חיפה abc", "ב\u05b0 ח י פ ה abc"),
        ("fine,Hebrew", "בחיפה10 3a", "ב ח י פ ה 10 3 a"),
    ],
)
def test_tokens_are_as_fine_as_the_granularity_says(granularity, text, expected):
    assert words(text, granularity) == expected.split(" ")


@pytest.mark.parametrize("granularity", GRANULARITIES)
@given(text=TEXTS)
def test_tokens_cover_the_text_except_white_space(granularity, text):
    covered, reached = set(), 0
    for start, end in tokenize(text, parse_granularity(granularity)):
        assert reached <= start < end <= len(text)
        covered.update(range(start, end))
        reached = end
    assert all((index in covered) != is_space(character) for index, character in enumerate(text))


@pytest.mark.parametrize("granularity", GRANULARITIES)
@given(text=TEXTS)
def test_a_finer_granularity_only_divides_words(granularity, text):
    starts = {start for start, _ in tokenize(text)}
    assert starts <= {start for start, _ in tokenize(text, parse_granularity(granularity))}


@pytest.mark.parametrize("granularity", GRANULARITIES)
@given(text=TEXTS)
def test_a_token_alone_is_one_token(granularity, text):
    assert all(words(word, granularity) == [word] for word in words(text, granularity))


@pytest.mark.parametrize("granularity", GRANULARITIES)
@given(text=TEXTS)
def test_tokens_joined_to_text_keep_their_boundaries(granularity, text):
    tokens = words(text, granularity)
    joined, offsets = join_tokens(tokens)
    assert [joined[start:end] for start, end in offsets] == tokens
    if " " in joined or len(tokens) < 5:  # else the tokens count as the characters of a text
        assert {start for start, _ in offsets} <= {
            start for start, _ in tokenize(joined, parse_granularity(granularity))
        }
