"""The Transform component's `preprocessing_fn`: vocabularies counted on the train split, and what the tagger reads.

In: `tokens` and `tags` as the corpus has them. Out, for the tokens of the known way (a corpus token may be several):

| feature | shape a sentence | meaning |
| --- | --- | --- |
| `words` | `[tokens]` int64 | id in the word vocabulary, its size for words outside it |
| `shapes` | `[tokens]` int64 | word shape |
| `joints` | `[tokens]` int64 | what a token is joined to: see `text_ops.Tokens` |
| `affixes` | `[tokens * AFFIXES]` int64 | ids in the affix vocabulary, its size for others |
| `characters` | `[all characters]` int64 | ids in the character vocabulary, its size for others |
| `character_counts` | `[tokens]` int64 | how many of them each token has |
| `surfaces` | `[tokens]` string | the tokens themselves |
| `tag_ids` | `[tokens]` int64 | number of the IOB2 tag in the label map |
| `begins` | `[tokens]` int64 | 1 for the first part of a corpus token, whose tag is the corpus token's, 0 for the rest |

Flat lists only: TFX cannot carry ragged features further than one level.
"""

from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from components.features import text_ops
from components.flat import rows_of
from components.ner import labels
from components.validation import curated_schema

WORDS, CHARACTERS, AFFIXES = "words", "characters", "affixes"  # the vocabularies' names


def preprocessing_fn(
    inputs: dict[str, tf.SparseTensor], custom_config: dict[str, Any]
) -> dict[str, tf.SparseTensor]:
    """See the module. `custom_config` has `vocabulary` (VocabularyConfig as a dict) and `schema`, the contract's path."""
    sizes = custom_config["vocabulary"]
    corpus_tokens = text_ops.rows(inputs["tokens"])
    found = text_ops.looks(corpus_tokens.values, sizes["longest_token"])
    # [sentences, corpus tokens] with a number of parts each, to [sentences, tokens]
    row_splits = tf.gather(tf.concat([[0], tf.cumsum(found.counts)], 0), corpus_tokens.row_splits)
    sparse = tf.RaggedTensor.from_row_splits(found.surfaces, row_splits, validate=False).to_sparse()

    def of_tokens(values):
        return tf.SparseTensor(sparse.indices, values, sparse.dense_shape)

    def of_several(values, ends):
        """`ends` int64 `[tokens + 1]`: where each token's values end, from a zero on."""
        return tf.RaggedTensor.from_row_splits(
            values, tf.gather(ends, row_splits), validate=False
        ).to_sparse()

    character_ends = tf.concat([[0], tf.cumsum(found.character_counts)], 0)
    affix_ends = tf.range(tf.size(found.words, tf.int64) + 1) * text_ops.AFFIXES
    owners = rows_of(found.counts)
    begins = owners != tf.concat([[-1], owners[:-1]], 0)
    label_map = labels.label_map(
        curated_schema.types_of(curated_schema.read(custom_config["schema"]))
    )
    return {
        "words": tft.compute_and_apply_vocabulary(
            of_tokens(found.words),
            num_oov_buckets=1,
            vocab_filename=WORDS,
            top_k=sizes["words"],
            frequency_threshold=sizes["minimum_frequency"],
        ),
        "affixes": tft.compute_and_apply_vocabulary(
            of_several(found.affixes, affix_ends),
            num_oov_buckets=1,
            vocab_filename=AFFIXES,
            top_k=sizes["affixes"],
            frequency_threshold=sizes["minimum_frequency"],
        ),
        "characters": of_several(_character_ids(found.codes, sizes["characters"]), character_ends),
        "character_counts": of_tokens(found.character_counts),
        "shapes": of_tokens(found.shapes),
        "joints": of_tokens(found.joints),
        "surfaces": sparse,
        "begins": of_tokens(tf.cast(begins, tf.int64)),
        "tag_ids": of_tokens(_tag_ids(tf.gather(inputs["tags"].values, owners), begins, label_map)),
    }


def _character_ids(codes: tf.Tensor, most: int) -> tf.Tensor:
    """Ids of code points, int64. There are few different ones, and strings are made, and looked up, of these only."""
    different, places = tf.unique(codes)
    strings = tf.strings.unicode_encode(different[:, None], "UTF-8")
    vocabulary = tft.vocabulary(tf.gather(strings, places), top_k=most, vocab_filename=CHARACTERS)
    return tf.gather(tft.apply_vocabulary(strings, vocabulary, num_oov_buckets=1), places)


def _tag_ids(tags: tf.Tensor, begins: tf.Tensor, label_map: tuple[str, ...]) -> tf.Tensor:
    """Numbers of the tags for the known way's tokens, int64 `[tokens]`: where a corpus token begins its tag, else I- of its type;
    `tags` has the corpus token's for each."""
    inside = [label_map.index(labels.inside(tag)) for tag in label_map]
    different, places = tf.unique(tags)
    ids = tf.gather(
        tf.argmax(tf.cast(different[:, None] == tf.constant(label_map), tf.int8), 1), places
    )
    return tf.where(begins, ids, tf.gather(tf.constant(inside, tf.int64), ids))
