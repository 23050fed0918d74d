"""The known way of tokenising, and what a tagger looks at in a token, as TensorFlow operations.

Every function uses TensorFlow's own operations only (stock TensorFlow Serving has no others) and treats each token alone: no
answer depends on who shares the batch. Tokens and shapes go by code points and tables, in place of a regular expression for
each. Invalid UTF-8 is read as U+FFFD, one for each byte that fits nowhere.
"""

from typing import NamedTuple

import tensorflow as tf

from components.features import kinds
from components.flat import rows_of, splits_of

# Stands for a string with nothing visible in it (empty, a lone space), so that each has a token.
BLANK = "\u2400"
AHEAD = BLANK + " "

PREFIX_LENGTHS = (2, 3)
SUFFIX_LENGTHS = (2, 3)
AFFIXES = len(PREFIX_LENGTHS) + len(SUFFIX_LENGTHS)

# These hold together what stands on both sides of them, and whoever tokenises leaves them so or sets them apart on purpose.
JOINTS = "@#_-/.&"
KINDS_OF_JOINT = len(JOINTS) + 1  # 0 is a word that is apart
_JOINT_NUMBERS = [JOINTS.find(chr(code)) + 1 for code in range(128)]

# Numbers of word shapes: 0 is none of these, then as `shapes` lists them.
SHAPES = 14
SENTENCE_END = 11


class Tokens(NamedTuple):
    """The tokens of some strings, as flat values over all of them.

    `surfaces` string, `starts` and `ends` int32, code points in their string, end excluded, `lines` int32, line ends before
    it since the first string, `lengths` int32, its characters, `joints` int32, the number in JOINTS, from 1 on, of the character
    right before it, else 0: `[tokens]`; `counts` int32 `[strings]`, tokens of each; `codes` and `kinds` int32, of the tokens'
    characters; `texts` int32, ragged code points of the strings, `AHEAD` ahead of each.
    A string without anything visible has the one token `BLANK`, at a start below zero.
    """

    surfaces: tf.Tensor
    starts: tf.Tensor
    ends: tf.Tensor
    lines: tf.Tensor
    lengths: tf.Tensor
    joints: tf.Tensor
    counts: tf.Tensor
    codes: tf.Tensor
    kinds: tf.Tensor
    texts: tf.RaggedTensor


class Looks(NamedTuple):
    """What a tagger reads of the tokens of some strings, flat over all of them.

    `surfaces` string, `words` string, their normal form, `shapes` int64, `joints` int64, `character_counts` int64: `[tokens]`;
    `affixes` string `[tokens * AFFIXES]`; `codes` int32 `[all characters]`; `counts` int64 `[strings]`, tokens of each.
    """

    surfaces: tf.Tensor
    words: tf.Tensor
    shapes: tf.Tensor
    joints: tf.Tensor
    affixes: tf.Tensor
    codes: tf.Tensor
    character_counts: tf.Tensor
    counts: tf.Tensor


# A function of TensorFlow's: Transform asks for the same several times, and gets what was traced once.
@tf.function(autograph=False)
def looks(strings: tf.Tensor, longest: int) -> Looks:
    """The tokens of strings `[n]` as `split_tokens` cuts them, and what they look like; of one longer than `longest` characters
    only both ends are kept."""
    tokens = split_tokens(strings)
    words = normalize(tokens.surfaces)
    codes, counts = characters(tokens, longest)
    return Looks(
        surfaces=tokens.surfaces,
        words=words,
        shapes=shapes(tokens),
        joints=tf.cast(tokens.joints, tf.int64),
        affixes=tf.reshape(affixes(words), [-1]),
        codes=codes,
        character_counts=tf.cast(counts, tf.int64),
        counts=tf.cast(tokens.counts, tf.int64),
    )


def rows(sparse: tf.SparseTensor) -> tf.RaggedTensor:
    """The rows of what `tf.io.parse_example` gives for a VarLenFeature.

    `RaggedTensor.from_sparse` checks that they are rows, and an exported graph keeps its checks; `from_value_rowids` takes seventeen
    operations for what is one search.
    """
    row_splits = splits_of(sparse.indices[:, 0], sparse.dense_shape[0])
    return tf.RaggedTensor.from_row_splits(sparse.values, row_splits, validate=False)


def split_tokens(strings: tf.Tensor) -> Tokens:
    """Cuts strings `[n]` into tokens the known way (`components.ner.tokens`, of which this is the twin)."""
    # BLANK goes before each string, apart by a space, and is taken away again where the string has tokens of its own.
    texts = tf.strings.unicode_decode(tf.strings.join([AHEAD, strings]), "UTF-8")
    codes, row_splits = texts.values, tf.cast(texts.row_splits, tf.int32)
    kind = kinds_of(codes)
    before = tf.concat([[kinds.SPACE], kind[:-1]], 0)
    visible = kind > kinds.LAST_OF_SPACE
    # A mark belongs to its base, the last character before it that is none; a string begins with BLANK, so no base is another's.
    is_base = (kind != kinds.MARK) | (before <= kinds.LAST_OF_SPACE)
    base = tf.gather(
        tf.gather_nd(kind, tf.where(is_base)), tf.cumsum(tf.cast(is_base, tf.int32)) - 1
    )
    in_run = (base >= kinds.FIRST_OF_RUN) & (base <= kinds.LAST_OF_RUN)
    goes_on = ~is_base | (in_run & tf.concat([[False], in_run[:-1]], 0))
    begins = visible & ~goes_on

    firsts = tf.cast(tf.where(begins)[:, 0], tf.int32)
    # All visible characters between two beginnings belong to the first.
    shown = tf.cumsum(tf.cast(visible, tf.int32))
    shown_before = tf.gather(shown, firsts) - 1
    lengths = tf.concat([shown_before[1:], shown[-1:]], 0) - shown_before
    tokens_before = tf.concat([[0], tf.cumsum(tf.cast(begins, tf.int32))], 0)
    counts = _differences(tf.gather(tokens_before, row_splits))

    blank = tf.gather(tokens_before, row_splits[:-1])  # the places of the BLANKs among the tokens
    has_others = counts > 1
    away = tf.gather_nd(blank, tf.where(has_others))[:, None]
    keep = tf.tensor_scatter_nd_update(
        tf.ones_like(firsts, tf.bool), away, tf.zeros_like(away[:, 0], tf.bool)
    )
    starts = firsts - tf.gather(row_splits, rows_of(counts)) - len(AHEAD)
    # The characters of the BLANKs that go, one each, go too.
    visible = tf.tensor_scatter_nd_update(
        visible, tf.gather(firsts, away[:, 0])[:, None], tf.zeros_like(away[:, 0], tf.bool)
    )
    lines = tf.gather(tf.cumsum(tf.cast(kind == kinds.LINE_END, tf.int32)), firsts)
    joints = _joints(codes, kind, firsts)
    kept, seen = tf.where(keep), tf.where(visible)
    starts, lines, lengths, joints = (
        tf.gather_nd(values, kept) for values in (starts, lines, lengths, joints)
    )
    codes, kind = tf.gather_nd(codes, seen), tf.gather_nd(kind, seen)
    surfaces = tf.strings.unicode_encode(
        tf.RaggedTensor.from_row_lengths(codes, lengths, validate=False), "UTF-8"
    )
    counts -= tf.cast(has_others, tf.int32)
    return Tokens(
        surfaces, starts, starts + lengths, lines, lengths, joints, counts, codes, kind, texts
    )


def _joints(codes: tf.Tensor, kind: tf.Tensor, firsts: tf.Tensor) -> tf.Tensor:
    """`Tokens.joints` of the tokens that begin at `firsts`. Of single characters the underscore alone can be joined: a full stop
    stands right behind what it ends in one text, and apart in another that was tokenised."""
    first = tf.gather(kind, firsts)
    can_be = (first >= kinds.FIRST_OF_RUN) & (first <= kinds.SPACELESS) | (
        tf.gather(codes, firsts) == ord("_")
    )
    before = tf.gather(codes, tf.maximum(firsts - 1, 0))
    return tf.where(
        can_be,
        tf.gather(tf.constant(_JOINT_NUMBERS), tf.minimum(before, len(_JOINT_NUMBERS) - 1)),
        0,
    )


def kinds_of(codes: tf.Tensor) -> tf.Tensor:
    """The kind of each code point (`components.features.kinds`), int32 of the same shape."""
    blocks, table = (tf.constant(part) for part in kinds.table())
    return tf.gather(
        table, tf.gather(blocks, codes // kinds.BLOCK) * kinds.BLOCK + codes % kinds.BLOCK
    )


def normalize(tokens: tf.Tensor) -> tf.Tensor:
    """The form under which words are counted and looked up: lower case, every decimal digit a 0. Any shape."""
    return tf.strings.regex_replace(tf.strings.lower(tokens, "utf-8"), r"\p{Nd}", "0")


def shapes(tokens: Tokens) -> tf.Tensor:
    """The number of each token's word shape, int64 in `[0, SHAPES)`, `[tokens]`."""
    firsts = tf.cumsum(tokens.lengths, exclusive=True)
    counts = tf.math.segment_sum(
        tf.one_hot(tokens.kinds, kinds.KINDS, dtype=tf.int32), rows_of(tokens.lengths)
    )
    mark, upper, lower, letter, digit = (
        counts[:, kind]
        for kind in (kinds.MARK, kinds.UPPER, kinds.LOWER, kinds.LETTER, kinds.DIGIT)
    )
    letter += counts[:, kinds.SPACELESS]
    first = tf.gather(tokens.kinds, firsts)
    cased, only_letters = (
        upper + lower + mark == tokens.lengths,
        upper + lower + letter + mark == tokens.lengths,
    )
    tried = [
        digit == tokens.lengths,  # 2024
        (upper == 1) & (upper + mark == tokens.lengths),  # A
        (first == kinds.UPPER) & (upper == 1) & cased,  # Anna
        (upper > 0) & (upper + mark == tokens.lengths),  # NATO
        (lower > 0) & (lower + mark == tokens.lengths),  # anna
        (first == kinds.LOWER) & (upper > 0) & only_letters,  # iPhone
        (first == kinds.UPPER) & only_letters,  # McKay
        (mark < tokens.lengths) & only_letters,  # a script without case
        (first == kinds.UPPER) | (first == kinds.LOWER) | (first == kinds.LETTER),  # B2, covid19
        (first == kinds.DIGIT) | (first == kinds.NUMBER),  # 5mg, 21st
        first == kinds.SENTENCE_END,
        first == kinds.PUNCTUATION,
        first == kinds.SYMBOL,  # emoji too
    ]
    found = tf.stack([*tried, tf.ones_like(tried[0])], axis=1)
    return (tf.argmax(tf.cast(found, tf.int8), axis=1) + 1) % SHAPES


def affixes(words: tf.Tensor) -> tf.Tensor:
    """Prefixes and suffixes of normalised words, each marked by its side: string `[n]` to string `[n, AFFIXES]`.

    A word shorter than the affix is its own affix.
    """
    length = tf.strings.length(words, "UTF8_CHAR")
    heads = [
        "^"
        + tf.strings.substr(words, tf.zeros_like(length), tf.fill(tf.shape(length), n), "UTF8_CHAR")
        for n in PREFIX_LENGTHS
    ]
    tails = [
        tf.strings.substr(
            words, tf.maximum(length - n, 0), tf.fill(tf.shape(length), n), "UTF8_CHAR"
        )
        + "$"
        for n in SUFFIX_LENGTHS
    ]
    return tf.stack(heads + tails, axis=1)


def characters(tokens: Tokens, longest: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Code points int32 `[all characters]` of the tokens, of a long one its first and last `longest // 2`, and how many of them
    each token has, int32 `[tokens]`."""
    place = tf.ragged.range(tokens.lengths, row_splits_dtype=tf.int32).values
    half = longest // 2
    tail = tf.gather(tokens.lengths - (longest - half), rows_of(tokens.lengths))
    return tf.gather_nd(tokens.codes, tf.where((place < half) | (place >= tail))), tf.minimum(
        tokens.lengths, longest
    )


def _differences(values: tf.Tensor) -> tf.Tensor:
    return values[1:] - values[:-1]
