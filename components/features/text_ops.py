"""The model's tokenizer and its token features, as TensorFlow operations.

The exported model tokenizes with these functions, and so does training: both see the same tokens.
They use TensorFlow's own operations only, as stock TensorFlow Serving has no others, and treat each
token alone: no result depends on the rest of the batch. Tokens and word shapes come from tables of
code points rather than from a regular expression for each. The tables are made with the `regex`
module, which `components.ner.tokens` uses too, so both tokenizers know the same version of Unicode;
TensorFlow's regular expressions know another one. Invalid UTF-8 is read as U+FFFD, one for each
byte that fits nowhere.
"""

import functools
from typing import NamedTuple

import numpy as np
import regex
import tensorflow as tf

from components.ner import tokens as plain_tokens
from components.ner.granularity import WORDS, Granularity

# The token of a string without visible characters (empty, or white space alone), so that each
# string has a token.
BLANK = "\u2400"
BLANK_PREFIX = BLANK + " "

PREFIX_LENGTHS = (2, 3)
SUFFIX_LENGTHS = (2, 3)
AFFIX_COUNT = len(PREFIX_LENGTHS) + len(SUFFIX_LENGTHS)

# Characters that join words, as in @name or Jean-Luc. Tokenizers either keep them inside a word or
# split there on purpose.
JOINING_CHARS = "@#_-/.&"
# Ids of `Tokens.preceding_chars`: 0 for no such character, then JOINING_CHARS, then this one for a
# token in the word of the token before it, as tokens finer than words are.
INSIDE_WORD = len(JOINING_CHARS) + 1
PRECEDING_CHAR_COUNT = INSIDE_WORD + 1
_PRECEDING_CHAR_IDS = [JOINING_CHARS.find(chr(code)) + 1 for code in range(128)]

# Ids of word shapes: 0 is any other shape, the rest are in the order of `shapes`.
SHAPE_COUNT = 14
SENTENCE_END_SHAPE = 11


# Kinds of characters.
(
    SPACE,
    LINE_END,
    MARK,
    UPPER,
    LOWER,
    LETTER,
    DIGIT,
    NUMBER,
    SINGLE,
    SENTENCE_END,
    PUNCTUATION,
    SYMBOL,
    OTHER,
) = range(13)
KIND_COUNT = 13
# Kinds up to this one separate tokens.
LAST_SPACE = LINE_END
# Characters of these kinds form runs, which are tokens. From FIRST_RUN_NUMBER on they are numbers.
FIRST_RUN, FIRST_RUN_NUMBER, LAST_RUN = UPPER, DIGIT, NUMBER
_KIND_PATTERNS = {
    LINE_END: r"[\n\v\f\x85\u2028\u2029]",  # a carriage return comes with a line feed
    SPACE: plain_tokens.SPACE,
    MARK: r"\p{M}",
    SINGLE: "",  # depends on the granularity
    UPPER: r"\p{Lu}",
    LOWER: r"\p{Ll}",
    LETTER: r"\p{L}",
    DIGIT: r"\p{Nd}",
    NUMBER: r"\p{N}",
    SENTENCE_END: r"[.!?\u3002\u0964\u06D4]",
    PUNCTUATION: r"\p{P}",
    SYMBOL: r"\p{S}",
}
_CODE_POINTS = 0x110000
_BLOCK_SIZE = 256


class Tokens(NamedTuple):
    """The tokens of a batch of strings, flat: the tokens of the first string, then those of the
    second, and so on.

    A string without anything visible has the single token `BLANK`, at a start below zero.

    Attributes:
        surfaces: the tokens, string [tokens].
        starts: first code point of each token in its string, int32 [tokens].
        ends: end code point, excluded, int32 [tokens].
        line_numbers: line ends before each token, counted from the start of the batch, int32
            [tokens].
        lengths: characters of each token, int32 [tokens].
        preceding_chars: which of JOINING_CHARS is right before the token, counted from 1;
            INSIDE_WORD for a letter, digit or mark, where tokens are finer than words; else 0.
            int32 [tokens].
        counts: tokens of each string, int32 [strings].
        codes: code points of the tokens, int32 [characters].
        kinds: kinds of these code points (`kinds_of`), int32 [characters].
        texts: code points of the strings with `BLANK_PREFIX` before each, int32, ragged [strings,
            None].
    """

    surfaces: tf.Tensor
    starts: tf.Tensor
    ends: tf.Tensor
    line_numbers: tf.Tensor
    lengths: tf.Tensor
    preceding_chars: tf.Tensor
    counts: tf.Tensor
    codes: tf.Tensor
    kinds: tf.Tensor
    texts: tf.RaggedTensor


class TokenFeatures(NamedTuple):
    """What the tagger reads of the tokens of a batch of strings, flat.

    Attributes:
        surfaces: the tokens, string [tokens].
        words: their normalized form, string [tokens].
        shapes: word shapes, int64 [tokens].
        preceding_chars: as in `Tokens`, int64 [tokens].
        affixes: prefixes and suffixes, string [tokens * AFFIX_COUNT].
        codes: code points of all tokens, long ones shortened, int32 [characters].
        character_counts: how many of `codes` each token has, int64 [tokens].
        counts: tokens of each string, int64 [strings].
    """

    surfaces: tf.Tensor
    words: tf.Tensor
    shapes: tf.Tensor
    preceding_chars: tf.Tensor
    affixes: tf.Tensor
    codes: tf.Tensor
    character_counts: tf.Tensor
    counts: tf.Tensor


# A tf.function because Transform traces preprocessing several times: this part is traced once.
@tf.function(autograph=False)
def token_features(
    strings: tf.Tensor, longest: int, granularity: Granularity = WORDS
) -> TokenFeatures:
    """Tokenizes strings and computes the features of the tokens.

    Args:
        strings: string [strings].
        longest: characters kept of a token; of a longer one, the first and last `longest // 2`.
        granularity: how fine the tokens are.
    """
    tokens = split_tokens(strings, granularity)
    words = normalize(tokens.surfaces)
    codes, character_counts = characters(tokens, longest)
    return TokenFeatures(
        surfaces=tokens.surfaces,
        words=words,
        shapes=shapes(tokens),
        preceding_chars=tf.cast(tokens.preceding_chars, tf.int64),
        affixes=tf.reshape(affixes(words), [-1]),
        codes=codes,
        character_counts=tf.cast(character_counts, tf.int64),
        counts=tf.cast(tokens.counts, tf.int64),
    )


def split_tokens(strings: tf.Tensor, granularity: Granularity = WORDS) -> Tokens:
    """Tokenizes strings as `components.ner.tokens.tokenize` does in plain Python.

    Args:
        strings: string [strings].
        granularity: how fine the tokens are.
    """
    # BLANK and a space go before each string. BLANK is removed again where the string has tokens of
    # its own.
    texts = tf.strings.unicode_decode(tf.strings.join([BLANK_PREFIX, strings]), "UTF-8")
    codes, row_splits = texts.values, tf.cast(texts.row_splits, tf.int32)
    kinds = kinds_of(codes, granularity)  # (characters)
    visible = kinds > LAST_SPACE
    begins_token = visible & ~_continues_token(kinds, granularity.splits_digits)

    first_chars = tf.cast(tf.where(begins_token)[:, 0], tf.int32)  # (tokens)
    # All visible characters between two beginnings belong to the first.
    visible_until = tf.cumsum(tf.cast(visible, tf.int32))
    visible_before = tf.gather(visible_until, first_chars) - 1
    lengths = tf.concat([visible_before[1:], visible_until[-1:]], 0) - visible_before
    tokens_before = tf.concat([[0], tf.cumsum(tf.cast(begins_token, tf.int32))], 0)
    token_splits = tf.gather(tokens_before, row_splits)
    counts = token_splits[1:] - token_splits[:-1]  # (strings)

    has_own_tokens = counts > 1
    removed_blanks = tf.gather_nd(token_splits[:-1], tf.where(has_own_tokens))[:, None]
    false = tf.zeros_like(removed_blanks[:, 0], tf.bool)
    all_true = tf.ones_like(first_chars, tf.bool)
    is_kept = tf.tensor_scatter_nd_update(all_true, removed_blanks, false)
    # Each BLANK that is removed has one character.
    removed_chars = tf.gather(first_chars, removed_blanks[:, 0])[:, None]
    visible = tf.tensor_scatter_nd_update(visible, removed_chars, false)

    starts = first_chars - tf.gather(row_splits, row_ids(counts)) - len(BLANK_PREFIX)
    line_ends = tf.cumsum(tf.cast(kinds == LINE_END, tf.int32))
    line_numbers = tf.gather(line_ends, first_chars)
    before = tf.maximum(first_chars - 1, 0)
    preceding_chars = _preceding_chars(
        codes=tf.gather(codes, first_chars),
        kinds=tf.gather(kinds, first_chars),
        codes_before=tf.gather(codes, before),
        kinds_before=None if granularity == WORDS else tf.gather(kinds, before),
    )
    kept, visible_chars = tf.where(is_kept), tf.where(visible)
    starts, line_numbers, lengths, preceding_chars = (
        tf.gather_nd(values, kept) for values in (starts, line_numbers, lengths, preceding_chars)
    )
    codes, kinds = tf.gather_nd(codes, visible_chars), tf.gather_nd(kinds, visible_chars)
    surfaces = tf.strings.unicode_encode(
        tf.RaggedTensor.from_row_lengths(codes, lengths, validate=False), "UTF-8"
    )
    return Tokens(
        surfaces=surfaces,
        starts=starts,
        ends=starts + lengths,
        line_numbers=line_numbers,
        lengths=lengths,
        preceding_chars=preceding_chars,
        counts=counts - tf.cast(has_own_tokens, tf.int32),
        codes=codes,
        kinds=kinds,
        texts=texts,
    )


def _continues_token(kinds: tf.Tensor, splits_digits: bool) -> tf.Tensor:
    """Says which characters belong to the token of the character before them, bool [characters].

    This function and the table of kinds alone decide where tokens are split: a run of letters and
    digits is a token, and so is every other character. `components.ner.tokens` does the same in
    plain Python.

    Args:
        kinds: kinds of the characters, int32 [characters].
        splits_digits: whether a run ends between a letter and a digit.
    """
    previous = tf.concat([[SPACE], kinds[:-1]], 0)
    # A combining mark counts as its base, the last character before it that is not a mark. Every
    # string begins with BLANK, so no mark has its base in another string.
    is_base = (kinds != MARK) | (previous <= LAST_SPACE)
    base_kinds = tf.gather_nd(kinds, tf.where(is_base))
    base = tf.gather(base_kinds, tf.cumsum(tf.cast(is_base, tf.int32)) - 1)
    in_run = (base >= FIRST_RUN) & (base <= LAST_RUN)
    continues_run = in_run & tf.concat([[False], in_run[:-1]], 0)
    if splits_digits:
        is_number = base >= FIRST_RUN_NUMBER
        continues_run &= is_number == tf.concat([[False], is_number[:-1]], 0)
    return ~is_base | continues_run


def _preceding_chars(
    codes: tf.Tensor,
    kinds: tf.Tensor,
    codes_before: tf.Tensor,
    kinds_before: tf.Tensor | None,
) -> tf.Tensor:
    """Computes `Tokens.preceding_chars`, int32 [tokens].

    Words have the feature; of the other tokens only the underscore has it. Punctuation directly
    follows a word in plain text, but corpora often put a space before it: with the feature, the
    model would read the two differently.

    Args:
        codes: first code point of each token, int32 [tokens].
        kinds: its kind, int32 [tokens].
        codes_before: the code point right before the token, int32 [tokens].
        kinds_before: its kind, int32 [tokens]; None where tokens are words.
    """
    is_word = (kinds >= FIRST_RUN) & (kinds <= SINGLE)
    is_underscore = codes == ord("_")
    ids = tf.gather(
        tf.constant(_PRECEDING_CHAR_IDS), tf.minimum(codes_before, len(_PRECEDING_CHAR_IDS) - 1)
    )
    ids = tf.where(is_word | is_underscore, ids, 0)
    if kinds_before is None:
        return ids
    after_word = (kinds_before >= MARK) & (kinds_before <= SINGLE)
    return tf.where(is_word & after_word, INSIDE_WORD, ids)


def preceding_chars_of_pieces(
    tokens: Tokens | TokenFeatures, lengths: tf.Tensor, follows: tf.Tensor, granularity: Granularity
) -> tf.Tensor:
    """Computes `preceding_chars` of tokens whose strings are pieces of texts, of the dtype that
    `tokens` have: the character before a string is then the last one of the string before it.

    Args:
        tokens: the tokens of each string alone.
        lengths: characters of each token in `tokens.codes`, int32 or int64 [tokens].
        follows: whether a string directly follows the string before it, bool [strings].
        granularity: how fine the tokens are.
    """
    ends = tf.cumsum(lengths)  # (tokens)
    first, last = tf.gather(tokens.codes, ends - lengths), tf.gather(tokens.codes, ends - 1)
    before = tf.concat([[ord(" ")], last], 0)[:-1]
    kinds_before = None if granularity == WORDS else kinds_of(before, granularity)
    in_text = _preceding_chars(first, kinds_of(first, granularity), before, kinds_before)
    string_ids = row_ids(tokens.counts)
    begins = string_ids != tf.concat([[-1], string_ids[:-1]], 0)
    return tf.where(
        begins & tf.gather(follows, string_ids),
        tf.cast(in_text, tokens.preceding_chars.dtype),
        tokens.preceding_chars,
    )


def follows_directly(
    row_splits: tf.Tensor, starts: tf.SparseTensor, ends: tf.SparseTensor
) -> tf.Tensor:
    """Says which tokens directly follow the token before them in their text, bool [tokens].

    Args:
        row_splits: of the tokens by sentence, int64 [sentences + 1].
        starts: offset of each token in its text, int64 [sentences, longest]; a sentence without a
            text has no offsets.
        ends: the offsets of their ends, of the same shape.
    """
    rows, columns = starts.indices[:, 0], starts.indices[:, 1]
    ends_before = tf.concat([[-1], ends.values[:-1]], 0)
    return tf.tensor_scatter_nd_update(
        tf.zeros(row_splits[-1:], tf.bool),
        (tf.gather(row_splits, rows) + columns)[:, None],
        (columns > 0) & (starts.values == ends_before),
    )


def normalize(tokens: tf.Tensor) -> tf.Tensor:
    """Normalizes tokens of any shape for the vocabulary: lower case, every decimal digit a 0."""
    return tf.strings.regex_replace(tf.strings.lower(tokens, "utf-8"), r"\p{Nd}", "0")


def shapes(tokens: Tokens) -> tf.Tensor:
    """Returns the id of each token's word shape, int64 in [0, SHAPE_COUNT), [tokens]."""
    lengths = tokens.lengths
    one_hot = tf.one_hot(tokens.kinds, KIND_COUNT, dtype=tf.int32)
    counts = tf.math.segment_sum(one_hot, row_ids(lengths))  # (tokens, kinds)
    first = tf.gather(tokens.kinds, tf.cumsum(lengths, exclusive=True))
    mark, upper, lower, digit = (counts[:, kind] for kind in (MARK, UPPER, LOWER, DIGIT))
    caseless = counts[:, LETTER] + counts[:, SINGLE]
    only_cased = upper + lower + mark == lengths
    only_letters = upper + lower + caseless + mark == lengths
    conditions = [
        digit == lengths,  # 2024
        (upper == 1) & (upper + mark == lengths),  # A
        (first == UPPER) & (upper == 1) & only_cased,  # Anna
        (upper > 0) & (upper + mark == lengths),  # NATO
        (lower > 0) & (lower + mark == lengths),  # anna
        (first == LOWER) & (upper > 0) & only_letters,  # iPhone
        (first == UPPER) & only_letters,  # McKay
        (mark < lengths) & only_letters,  # a script without case
        (first == UPPER) | (first == LOWER) | (first == LETTER),  # B2, covid19
        (first == DIGIT) | (first == NUMBER),  # 5mg, 21st
        first == SENTENCE_END,
        first == PUNCTUATION,
        first == SYMBOL,  # emoji too
    ]
    matches = tf.stack([*conditions, tf.ones_like(conditions[0])], axis=1)
    return (tf.argmax(tf.cast(matches, tf.int8), axis=1) + 1) % SHAPE_COUNT


def affixes(words: tf.Tensor) -> tf.Tensor:
    """Returns prefixes and suffixes of normalized words, each marked by its side: string [n] to
    string [n, AFFIX_COUNT].

    A word shorter than the affix is its own affix.
    """
    length = tf.strings.length(words, "UTF8_CHAR")

    def substrings(start: tf.Tensor, size: int) -> tf.Tensor:
        return tf.strings.substr(words, start, tf.fill(tf.shape(length), size), "UTF8_CHAR")

    prefixes = ["^" + substrings(tf.zeros_like(length), size) for size in PREFIX_LENGTHS]
    suffixes = [substrings(tf.maximum(length - size, 0), size) + "$" for size in SUFFIX_LENGTHS]
    return tf.stack(prefixes + suffixes, axis=1)


def characters(tokens: Tokens, longest: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the characters of the tokens, of a long one both ends.

    Args:
        tokens: the tokens.
        longest: characters kept of a token; of a longer one, the first and last `longest // 2`.

    Returns:
        Code points int32 [characters], and how many of them each token has, int32 [tokens].
    """
    index = tf.ragged.range(tokens.lengths, row_splits_dtype=tf.int32).values
    half = longest // 2
    tail_start = tf.gather(tokens.lengths - (longest - half), row_ids(tokens.lengths))
    kept = tf.where((index < half) | (index >= tail_start))
    return tf.gather_nd(tokens.codes, kept), tf.minimum(tokens.lengths, longest)


# --- The kind of each code point ---


def kinds_of(codes: tf.Tensor, granularity: Granularity = WORDS) -> tf.Tensor:
    """Looks up the kind of each code point, int32 of the same shape. Word shapes depend on nothing
    else, and tokens only on whether they are split between letters and digits.
    """
    blocks, kinds = (tf.constant(part) for part in _kind_table(granularity))
    return tf.gather(
        kinds, tf.gather(blocks, codes // _BLOCK_SIZE) * _BLOCK_SIZE + codes % _BLOCK_SIZE
    )


@functools.cache
def _kind_table(granularity: Granularity) -> tuple[np.ndarray, np.ndarray]:
    """Returns the table over all code points, in which the letters and digits that are single tokens
    have the kind SINGLE.

    Most blocks of code points are equal to others, so that the table has two levels: for each block
    the index of a distinct block, int32 [code points / _BLOCK_SIZE], and the kinds of the distinct
    blocks, one block after the other, int32.
    """
    patterns = {**_KIND_PATTERNS, SINGLE: plain_tokens.single_pattern(granularity)}
    all_chars = np.arange(_CODE_POINTS, dtype="<u4").tobytes().decode("utf-32-le", "surrogatepass")
    kinds = np.full(_CODE_POINTS, OTHER, np.int32)
    for kind, pattern in reversed(patterns.items()):  # the first pattern that fits wins
        for match in regex.finditer(f"(?:{pattern})+", all_chars):
            kinds[match.start() : match.end()] = kind
    distinct: dict[bytes, int] = {}
    blocks = [
        distinct.setdefault(block.tobytes(), len(distinct))
        for block in kinds.reshape(-1, _BLOCK_SIZE)
    ]
    return np.array(blocks, np.int32), np.frombuffer(b"".join(distinct), np.int32)


# --- Flat values of several rows, one row after the other ---


def row_ids(counts: tf.Tensor) -> tf.Tensor:
    """Returns the row of each value, int32 [values], of rows with `counts` values, int32 or int64
    [rows].

    `tf.repeat` would pad every row to the longest one: a single long token among many needs
    gigabytes. `tf.searchsorted`, which wraps the same operation, fails where there are no rows.
    """
    ends, values = tf.cumsum(counts), tf.range(tf.reduce_sum(counts))
    return tf.raw_ops.UpperBound(sorted_inputs=ends[None], values=values[None])[0]


def ragged_rows(sparse: tf.SparseTensor) -> tf.RaggedTensor:
    """Converts what `tf.io.parse_example` gives for a VarLenFeature to a ragged tensor.

    `RaggedTensor.from_sparse` checks its input, and an exported graph would keep the checks.
    """
    rows = tf.range(sparse.dense_shape[0] + 1)
    row_splits = tf.raw_ops.LowerBound(
        sorted_inputs=sparse.indices[None, :, 0], values=rows[None], out_type=tf.int64
    )[0]
    return tf.RaggedTensor.from_row_splits(sparse.values, row_splits, validate=False)
