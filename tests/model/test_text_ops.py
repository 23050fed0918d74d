"""The tokenizer in the graph, compared with that in plain Python, and the features of tokens."""

import functools

import numpy as np
import pytest
import regex
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st

from components.features import text_ops
from components.ner import tokens
from components.ner.granularity import WORDS, parse_granularity

# Characters of every class that the tokenizer distinguishes, and arbitrary others.
CHARACTERS = st.one_of(
    st.sampled_from(
        "aZ9é\u0301\ufe0f\u20e3中国ラーก็ົ។⺀☀❤.,-_@#$ \t\n\r\x00\x1f\x85\xa0\u2028\u200b\u200d\u2400\U0001f600\u05d0\u0627"
        "가각ㅏ\u1100\u05d1\u05b0\u0648\u064e\u0661\u06f3²½न\u0941"
    ),
    st.characters(exclude_categories=["Cs"]),
)
TEXTS = st.lists(st.text(CHARACTERS, max_size=25), min_size=1, max_size=5)
_graph = tf.function(
    text_ops.split_tokens, input_signature=[tf.TensorSpec([None], tf.string)], autograph=False
)


_GRANULARITIES = ("fine", "Hangul", "Arabic,Hebrew", "fine,Devanagari,Latin")
_FINER_GRAPHS = {
    name: tf.function(
        functools.partial(text_ops.split_tokens, granularity=parse_granularity(name)),
        input_signature=[tf.TensorSpec([None], tf.string)],
        autograph=False,
    )
    for name in _GRANULARITIES
}


def tokens_and_offsets(texts, graph=_graph):
    split = graph(tf.constant(texts, tf.string))
    spans = np.stack([split.starts, split.ends], 1)
    rows = np.split(spans, np.cumsum(split.counts)[:-1])
    return split, [[tuple(span) for span in row.tolist() if span[0] >= 0] for row in rows]


@settings(max_examples=150, deadline=None)
@given(TEXTS)
def test_both_tokenizers_agree(texts):
    assert tokens_and_offsets(texts)[1] == [tokens.tokenize(text) for text in texts]


@pytest.mark.parametrize("name", _GRANULARITIES)
@settings(max_examples=150, deadline=None)
@given(texts=TEXTS)
@example(texts=["10mg X2\u0301b", "부산에서 SDS는", "ب\u064eبي2 ב\u05b0ח"])
def test_both_tokenizers_agree_at_each_granularity(name, texts):
    granularity = parse_granularity(name)
    expected = [tokens.tokenize(text, granularity) for text in texts]
    assert tokens_and_offsets(texts, _FINER_GRAPHS[name])[1] == expected


def test_only_finer_granularities_add_operations():
    """The default tokenizer must not become slower."""
    counts = {
        name: len(graph.get_concrete_function().graph.get_operations())
        for name, graph in {"words": _graph, **_FINER_GRAPHS}.items()
    }
    assert counts["words"] < counts["Hangul"] == counts["Arabic,Hebrew"] < counts["fine"]


@pytest.mark.parametrize(
    "corpus",
    ["wnut17/test.conll", "btc/test.conll", "bc5cdr/test.tsv", "wikigold/wikigold.conll.txt"],
)
def test_both_tokenizers_agree_on_real_text(real_corpora, corpus):
    path = real_corpora / corpus
    if not path.exists():
        pytest.skip(f"{corpus} is not here")
    texts = path.read_text(encoding="utf-8").split("\n\n")[:500]
    assert tokens_and_offsets(texts)[1] == [tokens.tokenize(text) for text in texts]


def _in_a_surface(codes):
    """The characters as TensorFlow encodes them: 2.16 takes the noncharacters, of which Unicode has
    66, for invalid.
    """
    return tf.strings.unicode_encode(tf.constant(codes, tf.int32), "UTF-8").numpy().decode()


@settings(max_examples=50, deadline=None)
@given(TEXTS)
@example(["a\ufdd0 \ufffe\U0010ffff"])
def test_surfaces_are_the_texts_between_the_offsets_or_blank(texts):
    split, cut = tokens_and_offsets(texts)
    expected = [
        _in_a_surface([ord(character) for character in surface])
        for text, spans in zip(texts, cut)
        for surface in ([text[start:end] for start, end in spans] or [text_ops.BLANK])
    ]
    assert [surface.decode() for surface in split.surfaces.numpy()] == expected


@settings(max_examples=50, deadline=None)
@given(TEXTS)
def test_a_token_alone_is_one_token(texts):
    surfaces = _graph(tf.constant(texts, tf.string)).surfaces
    again = _graph(surfaces)
    assert again.surfaces.numpy().tolist() == surfaces.numpy().tolist() and set(
        again.counts.numpy()
    ) == {1}


def _preceding_char(text, start, end, granularity):
    """The id of the character before a token, by the characters alone."""
    before, token = text[max(start - 1, 0) : start], text[start:end]
    if not before or not regex.match(r"[\p{L}\p{N}_]", token):
        return 0
    if granularity != WORDS and token[0] != "_" and regex.match(r"[\p{L}\p{N}\p{M}]", before):
        return text_ops.INSIDE_WORD
    return text_ops.JOINING_CHARS.find(before) + 1


@pytest.mark.parametrize("name", ["words", *_GRANULARITIES])
@settings(max_examples=100, deadline=None)
@given(
    texts=st.lists(
        st.text(
            st.one_of(st.sampled_from(text_ops.JOINING_CHARS + "ab9_é中 "), CHARACTERS), max_size=25
        ),
        min_size=1,
    )
)
@example(texts=["@x @ x a_b_c", "#1 _@_x", "x.", "中.中-a", ". x", "\u0301x", "a1 부산 ❤\ufe0fNY"])
def test_the_preceding_char_is_the_character_before_a_word(name, texts):
    granularity = parse_granularity(name)
    split, cut = tokens_and_offsets(texts, _FINER_GRAPHS.get(name, _graph))
    preceding_chars = [
        preceding
        for preceding, start in zip(split.preceding_chars.numpy(), split.starts.numpy())
        if start >= 0
    ]
    assert preceding_chars == [
        _preceding_char(text, *span, granularity)
        for text, spans in zip(texts, cut)
        for span in spans
    ]


@pytest.mark.parametrize("name", ["words", "fine,Hangul"])
@settings(max_examples=100, deadline=None)
@given(
    texts=st.lists(
        st.text(st.one_of(st.sampled_from("@#ab9_가나 "), CHARACTERS), max_size=15), min_size=1
    )
)
def test_tokens_with_offsets_have_the_preceding_chars_of_their_text(name, texts):
    granularity = parse_granularity(name)
    offsets = [tokens.tokenize(text, granularity) for text in texts]
    surfaces = tf.ragged.constant(
        [
            [text[start:end] for start, end in spans]
            for text, spans in zip(texts, offsets, strict=True)
        ],
        dtype=tf.string,
        ragged_rank=1,
    )
    starts, ends = (
        tf.ragged.constant([[span[side] for span in spans] for spans in offsets], tf.int64, 1)
        for side in (0, 1)
    )
    pieces = text_ops.split_tokens(surfaces.values, granularity)
    follows = text_ops.follows_directly(surfaces.row_splits, starts.to_sparse(), ends.to_sparse())
    preceding = text_ops.preceding_chars_of_pieces(pieces, pieces.lengths, follows, granularity)
    whole = text_ops.split_tokens(tf.constant(texts, tf.string), granularity)
    expected = tf.boolean_mask(whole.preceding_chars, whole.starts >= 0)
    assert preceding.numpy().tolist() == expected.numpy().tolist()


def test_invalid_utf8_is_read_as_replacement_characters():
    split, cut = tokens_and_offsets([b"bad \xff\xfe bytes"])
    assert split.surfaces.numpy().tolist() == [b"bad", b"\xef\xbf\xbd", b"\xef\xbf\xbd", b"bytes"]
    assert cut == [[(0, 3), (4, 5), (5, 6), (7, 12)]]


def test_no_strings_have_no_tokens():
    assert [part.shape[0] for part in _graph(tf.constant([], tf.string))[:6]] == [0] * 6


SHAPES = (
    "☀ x",
    "2024",
    "A",
    "Anna",
    "NATO",
    "anna",
    "iPhone",
    "McKay",
    "中",
    "covid19",
    "5mg",
    ".",
    ",",
    "$",
)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *((text, number) for number, text in enumerate(SHAPES) if number),
        ("É", 2),
        ("E\u0301", 2),
        ("Zoë", 3),
        ("IBMs", 7),
        ("aBC", 6),
        ("Ǆ", 2),
        ("שלום", 8),
        ("B2", 9),
        ("½", 10),
        ("3rd", 10),
        ("。", 11),
        ("?", 11),
        ("(", 12),
        ("😀", 13),
        ("❤\ufe0f", 13),
        ("\u200b", 0),
        ("\u0301", 0),
    ],
)
def test_word_shapes(text, number):
    assert text_ops.shapes(_graph(tf.constant([text]))).numpy().tolist() == [number]


def test_affixes_of_a_short_word_are_the_word():
    assert text_ops.affixes(tf.constant(["ab", "größe"])).numpy().tolist() == [
        [b"^ab", b"^ab", b"ab$", b"ab$"],
        [b"^gr", "^grö".encode(), "ße$".encode(), "öße$".encode()],
    ]


def test_words_are_normalized_to_lower_case_and_zeros():
    assert text_ops.normalize(tf.constant(["ÖL-2024", "٣"])).numpy().tolist() == [
        "öl-0000".encode(),
        b"0",
    ]


@settings(max_examples=50, deadline=None)
@given(TEXTS, st.integers(2, 8))
@example(["a\ufdd0\ufffe\U0010ffff"], 3)
def test_a_long_token_keeps_its_first_and_last_characters(texts, longest):
    split = _graph(tf.constant(texts, tf.string))
    codes, counts = text_ops.characters(split, longest)
    kept = np.split(codes.numpy(), np.cumsum(counts))
    for surface, own in zip(split.surfaces.numpy(), kept):
        word, half = surface.decode(), longest // 2
        expected = (
            word if len(word) <= longest else word[:half] + word[len(word) - (longest - half) :]
        )
        assert _in_a_surface(own) == expected
