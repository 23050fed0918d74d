"""The model's tokenizer in plain Python, with words as tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.ner.tokens import is_space, tokenize

# Characters of every class in the patterns, and arbitrary others.
TEXTS = st.text(
    st.one_of(
        st.sampled_from(
            "aZ9é\u0301\ufe0f\u20e3中国ラーก็ົ។⺀☀❤.,-_@#$ \t\n\r\x00\x1f\x85\xa0\u2028\u200b\u200d\U0001f600"
        ),
        st.characters(),
    )
)


def words(text):
    return [text[start:end] for start, end in tokenize(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Dr. Müller's 5mg", "Dr . Müller ' s 5mg"),
        ("a_b-c@d.com", "a _ b - c @ d . com"),
        ("e\u0301te\u0301", "e\u0301te\u0301"),
        ("abc中国abc", "abc 中 国 abc"),
        ("カタカナ", "カ タ カ ナ"),
        ("ก็มี", "ก็ มี"),
        ("नमस्ते दुनिया", "नमस्ते दुनिया"),
        ("한국어 말", "한국어 말"),
        ("😀😀ok", "😀 😀 ok"),
        ("a\u200bb", "a \u200b b"),
        ("don\u2019t", "don \u2019 t"),
        ("\u2764\ufe0fNY", "\u2764\ufe0f NY"),
        ("1\ufe0f\u20e3st", "1\ufe0f\u20e3st"),
        ("a \u0301b", "a \u0301 b"),
        ("aก็b", "a ก็ b"),
        ("a\u0e47b", "a\u0e47b"),
    ],
)
def test_texts_are_split_into_tokens(text, expected):
    assert words(text) == expected.split(" ")


@pytest.mark.parametrize(
    "space", [" ", "\t", "\n", "\r", "\x85", "\xa0", "\u2028", "\u3000", "\x00", "\x1f"]
)
def test_white_space_and_control_characters_only_separate(space):
    assert words(f"{space}a{space}{space}b{space}") == ["a", "b"] and is_space(space)


@given(TEXTS)
def test_tokens_cover_the_text_except_white_space(text):
    covered = set()
    reached = 0
    for start, end in tokenize(text):
        assert reached <= start < end <= len(text)
        covered.update(range(start, end))
        reached = end
    assert all((index in covered) != is_space(character) for index, character in enumerate(text))


@given(TEXTS)
def test_a_token_alone_is_one_token(text):
    assert all(words(word) == [word] for word in words(text))


@given(TEXTS, TEXTS)
def test_texts_separated_by_a_space_are_tokenized_separately(left, right):
    assert words(f"{left} {right}") == words(left) + words(right)
