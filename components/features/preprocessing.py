"""The Transform component's `preprocessing_fn`: vocabularies counted on the train split, and what the tagger reads.

In: `tokens` and `tags` as the corpus has them. Out, for the tokens of the known way (a corpus token may be several):

| feature | shape a sentence | meaning |
| --- | --- | --- |
| `words` | `[tokens]` int64 | id in the word vocabulary, its size for words outside it |
| `shapes` | `[tokens]` int64 | word shape |
| `affixes` | `[tokens * AFFIXES]` int64 | ids in the affix vocabulary, its size for others |
| `characters` | `[all characters]` int64 | ids in the character vocabulary, its size for others |
| `character_counts` | `[tokens]` int64 | how many of them each token has |
| `surfaces` | `[tokens]` string | the tokens themselves |
| `pieces` | `[tokens]` int64 | which corpus token each is part of |
| `tag_ids` | `[tokens]` int64 | number of the IOB2 tag in the label map |

Flat lists only: TFX cannot carry ragged features further than one level.
"""

from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from components.features import labels, text_ops
from components.validation import contract

WORDS, CHARACTERS, AFFIXES = "words", "characters", "affixes"  # the vocabularies' names


def preprocessing_fn(inputs: dict[str, tf.SparseTensor], custom_config: dict[str, Any]) -> dict[str, tf.SparseTensor]:
    """See the module. `custom_config` has `vocabulary` (VocabularyConfig as a dict) and `schema`, the contract's path."""
    sizes = custom_config["vocabulary"]
    tokens = tf.RaggedTensor.from_sparse(inputs["tokens"])
    tags = tf.RaggedTensor.from_sparse(inputs["tags"])

    split = text_ops.split_tokens(text_ops.clean(tokens.values))
    parts = split.row_lengths()
    # [sentences, corpus tokens] with a number of parts each, to [sentences, tokens]
    surfaces = tokens.with_values(split).merge_dims(1, 2)
    pieces = tf.repeat(tf.ragged.range(tokens.row_lengths()).values, parts)
    words = surfaces.with_values(text_ops.normalize(surfaces.values))
    affixes = surfaces.with_values(text_ops.affixes(words.values)).merge_dims(1, 2)
    characters = text_ops.characters(surfaces.values, sizes["longest_token"])

    return {
        "words": _lookup(words, WORDS, top_k=sizes["words"], frequency_threshold=sizes["minimum_frequency"]),
        "affixes": _lookup(affixes, AFFIXES, top_k=sizes["affixes"], frequency_threshold=sizes["minimum_frequency"]),
        "characters": _lookup(surfaces.with_values(characters).merge_dims(1, 2), CHARACTERS, top_k=sizes["characters"]),
        "character_counts": surfaces.with_values(characters.row_lengths()).to_sparse(),
        "shapes": surfaces.with_values(text_ops.shape_ids(surfaces.values)).to_sparse(),
        "surfaces": surfaces.to_sparse(),
        "pieces": surfaces.with_values(pieces).to_sparse(),
        "tag_ids": _tag_ids(tags, parts, labels.label_map(contract.types_of(contract.read(custom_config["schema"])))),
    }


def _lookup(values: tf.RaggedTensor, name: str, **limits: int) -> tf.SparseTensor:
    return tft.compute_and_apply_vocabulary(values.to_sparse(), num_oov_buckets=1, vocab_filename=name, **limits)


def _tag_ids(tags: tf.RaggedTensor, parts: tf.Tensor, label_map: tuple[str, ...]) -> tf.SparseTensor:
    """Numbers of the tags for the known way's tokens: a corpus token's tag for its first part, I- of its type for the rest."""
    numbers = {tag: number for number, tag in enumerate(label_map)}
    inside = [numbers[labels.inside(tag)] for tag in label_map]
    table = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(list(numbers), list(numbers.values()), tf.string, tf.int64), default_value=0)
    first = table.lookup(tags.values)
    # Without tags (text that is tagged, not trained on) there are no parts to repeat: the output is empty then.
    parts = parts[: tf.size(first)]
    repeated = tf.RaggedTensor.from_row_lengths(tf.repeat(first, parts), parts)
    is_first = tf.ragged.range(parts).values == 0
    ids = tf.where(is_first, repeated.values, tf.gather(tf.constant(inside, tf.int64), repeated.values))
    return tags.with_values(repeated.with_values(ids)).merge_dims(1, 2).to_sparse()
