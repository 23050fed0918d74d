"""Transform's `preprocessing_fn`, and its graph as a part of the exported model.

The inputs are `tokens` and `tags` as the corpus has them ("corpus tokens"), and `starts` and `ends`,
their offsets where they are of a text. The outputs are features of the tokens that the model's
tokenizer makes of them ("model tokens"): a corpus token may become several model tokens. The
vocabularies are counted on the train split.

| feature | shape a sentence | meaning |
| --- | --- | --- |
| `words` | `[tokens]` int64 | id in the word vocabulary; the vocabulary's size for other words |
| `shapes` | `[tokens]` int64 | word shape |
| `preceding_chars` | `[tokens]` int64 | see `text_ops.Tokens` |
| `affixes` | `[tokens * AFFIX_COUNT]` int64 | ids in the affix vocabulary, likewise |
| `characters` | `[characters]` int64 | ids in the character vocabulary, likewise |
| `character_counts` | `[tokens]` int64 | how many of the characters each token has |
| `surfaces` | `[tokens]` string | the tokens themselves |
| `tag_ids` | `[tokens]` int64 | index of the IOB2 tag in the label map |
| `begins` | `[tokens]` int64 | 1 for the first model token of a corpus token, else 0 |

The lists are flat because TFX carries ragged features only one level deep.
"""

from collections.abc import Collection, Mapping
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from components.features import text_ops
from components.features.text_ops import ragged_rows, row_ids
from components.ner.granularity import parse_granularity
from components.ner.tags import inside_tag, label_map
from components.validation import curated_schema

WORDS, CHARACTERS, AFFIXES = "words", "characters", "affixes"  # the vocabularies' names

_Features = Mapping[str, tf.SparseTensor]


def preprocessing_fn(
    inputs: dict[str, tf.SparseTensor], custom_config: dict[str, Any]
) -> dict[str, tf.SparseTensor]:
    """Computes the features above.

    Args:
        inputs: `tokens` and `tags`, string; `starts` and `ends`, int64.
        custom_config: `vocabulary`, the settings of that group as a dict; `schema`, the path of the
            curated schema; and `tokenizer`, the granularity of the model's tokenizer.
    """
    settings = custom_config["vocabulary"]
    corpus_tokens = ragged_rows(inputs["tokens"])
    granularity = parse_granularity(custom_config["tokenizer"])
    features = text_ops.token_features(corpus_tokens.values, settings["longest_token"], granularity)
    # Apart from the other features, which the exported model computes without offsets.
    preceding_chars = text_ops.preceding_chars_of_pieces(
        features,
        features.character_counts,
        text_ops.follows_directly(corpus_tokens.row_splits, inputs["starts"], inputs["ends"]),
        granularity,
    )
    # Model tokens are counted for each corpus token; from that, where each sentence begins.
    ends = tf.concat([[0], tf.cumsum(features.counts)], 0)
    row_splits = tf.gather(ends, corpus_tokens.row_splits)
    surfaces = tf.RaggedTensor.from_row_splits(
        features.surfaces, row_splits, validate=False
    ).to_sparse()

    def token_level(values: tf.Tensor) -> tf.SparseTensor:
        return tf.SparseTensor(surfaces.indices, values, surfaces.dense_shape)

    def several_per_token(values: tf.Tensor, ends: tf.Tensor) -> tf.SparseTensor:
        """`ends` int64 [tokens + 1]: where each token's values end, after a leading zero."""
        splits = tf.gather(ends, row_splits)
        return tf.RaggedTensor.from_row_splits(values, splits, validate=False).to_sparse()

    character_ends = tf.concat([[0], tf.cumsum(features.character_counts)], 0)
    affix_ends = tf.range(tf.size(features.words, tf.int64) + 1) * text_ops.AFFIX_COUNT
    corpus_token_ids = row_ids(features.counts)  # (tokens)
    begins = corpus_token_ids != tf.concat([[-1], corpus_token_ids[:-1]], 0)
    tags_by_id = label_map(
        curated_schema.entity_types(curated_schema.read_schema(custom_config["schema"]))
    )
    tags = tf.gather(inputs["tags"].values, corpus_token_ids)
    return {
        "words": tft.compute_and_apply_vocabulary(
            token_level(features.words),
            num_oov_buckets=1,
            vocab_filename=WORDS,
            top_k=settings["words"],
            frequency_threshold=settings["minimum_frequency"],
        ),
        "affixes": tft.compute_and_apply_vocabulary(
            several_per_token(features.affixes, affix_ends),
            num_oov_buckets=1,
            vocab_filename=AFFIXES,
            top_k=settings["affixes"],
            frequency_threshold=settings["minimum_frequency"],
        ),
        "characters": several_per_token(
            _character_ids(features.codes, settings["characters"]), character_ends
        ),
        "character_counts": token_level(features.character_counts),
        "shapes": token_level(features.shapes),
        "preceding_chars": token_level(preceding_chars),
        "surfaces": surfaces,
        "begins": token_level(tf.cast(begins, tf.int64)),
        "tag_ids": token_level(_tag_ids(tags, begins, tags_by_id)),
    }


def _character_ids(codes: tf.Tensor, top_k: int) -> tf.Tensor:
    """Looks up code points in the character vocabulary, int64. Only the distinct ones become
    strings.
    """
    distinct, indices = tf.unique(codes)
    strings = tf.strings.unicode_encode(distinct[:, None], "UTF-8")
    vocabulary = tft.vocabulary(tf.gather(strings, indices), top_k=top_k, vocab_filename=CHARACTERS)
    return tf.gather(tft.apply_vocabulary(strings, vocabulary, num_oov_buckets=1), indices)


def _tag_ids(tags: tf.Tensor, begins: tf.Tensor, label_map: tuple[str, ...]) -> tf.Tensor:
    """Converts tags of corpus tokens to tag ids of model tokens, int64 [tokens].

    Args:
        tags: the corpus token's tag for each model token, string [tokens].
        begins: whether the model token is the first of its corpus token, bool [tokens]. Such a
            token has the corpus token's tag, the others have the I- tag of the same type.
        label_map: the tags by id.
    """
    inside = [label_map.index(inside_tag(tag)) for tag in label_map]
    distinct, indices = tf.unique(tags)
    matches = tf.cast(distinct[:, None] == tf.constant(label_map), tf.int8)
    ids = tf.gather(tf.argmax(matches, 1), indices)
    return tf.where(begins, ids, tf.gather(tf.constant(inside, tf.int64), ids))


class TransformGraph(tf.Module):
    """Transform's graph, to be inlined into another graph, with the vocabularies that belong to it.

    TFT's own Keras layer (`transform_features_layer`) is traced several times when it is saved. Its
    function has table lookups, so TensorFlow does not inline it and computes all outputs, also the
    unused ones. This class imports only the operations that the wanted outputs need.
    """

    def __init__(self, folder: str):
        """Args: `folder` holds Transform's SavedModel."""
        super().__init__(name="transform")
        self._saved_model = tf.saved_model.load(folder)
        function = self._saved_model.transform_fn
        self._graph, self._captured = function.graph, function.captured_inputs
        (signature,), _ = function.structured_input_signature
        input_count = len(self._graph.inputs) - len(self._captured)
        inputs, self._placeholders = (
            self._graph.inputs[:input_count],
            self._graph.inputs[input_count:],
        )
        self._inputs: _Features = tf.nest.pack_sequence_as(
            signature, inputs, expand_composites=True
        )
        self._outputs: _Features = tf.nest.pack_sequence_as(
            function.structured_outputs, self._graph.outputs, expand_composites=True
        )

    def __call__(self, inputs: _Features, wanted: Collection[str]) -> _Features:
        """Transforms raw features.

        Args:
            inputs: the raw features that the wanted ones are computed from.
            wanted: names of the features to compute.
        """

        def flatten(features: _Features) -> list[tf.Tensor]:
            return tf.nest.flatten(features, expand_composites=True)

        outputs = {name: self._outputs[name] for name in wanted}
        needed = tf.compat.v1.graph_util.extract_sub_graph(
            self._graph.as_graph_def(), [tensor.op.name for tensor in flatten(outputs)]
        )
        needed_names = {node.name for node in needed.node}
        old_tensors = [*flatten({name: self._inputs[name] for name in inputs}), *self._placeholders]
        new_tensors = [*flatten(dict(inputs)), *self._captured]
        imported = tf.graph_util.import_graph_def(
            needed,
            # tf.identity brings captured tables and variables into the graph that is being traced.
            {
                old.name: tf.identity(new)
                for old, new in zip(old_tensors, new_tensors, strict=True)
                if old.op.name in needed_names
            },
            [tensor.name for tensor in flatten(outputs)],
        )
        return tf.nest.pack_sequence_as(outputs, imported, expand_composites=True)
