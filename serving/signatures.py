"""The two signatures of a published model.

`serving_default`: `text`, string `[batch]`, to dense `[batch, longest]` tensors of entities: `type`, `start`, `end` (code
points in the text, end excluded), `score` (probability) and `surface`, with their number `count` `[batch]`.

`examples`: serialised tf.Examples with the feature `tokens`, string `[batch]`, to dense `[batch, longest]` tensors `tags`
(IOB2, of the corpus's own tokens) and `scores` (probability of the entity that begins at a token, else 0). Shorter rows
are filled with "" and 0.
"""

from collections.abc import Callable, Mapping

import tensorflow as tf

from components.features import text_ops
from components.tagger.sentences import Sentences, sentences_of
from components.tagger.tagger import Tagger
from serving import text as texts

TEXT, EXAMPLES = "serving_default", "examples"


class Recogniser(tf.Module):
    """A tagger with everything it needs from plain text to entities.

    Args:
      transform: Transform's graph, from `tokens` and `tags` (SparseTensors) to what `components.features.preprocessing`
        gives. It is tracked, for its vocabularies.
      tagger: the fitted tagger.
    """

    def __init__(self, transform: Callable[[Mapping], Mapping], tagger: Tagger):
        super().__init__(name="recogniser")
        self.transform, self.tagger = transform, tagger
        labels = tagger.labels
        self._labels = tf.constant(labels)
        self._types = tf.constant([tag[2:] for tag in labels])
        self._is_begin = tf.constant([tag.startswith("B-") for tag in labels])
        self._is_inside = tf.constant([tag.startswith("I-") for tag in labels])
        self._as_begin = tf.constant([labels.index("B-" + tag[2:]) if tag != "O" else 0 for tag in labels], tf.int32)

    def _features(self, tokens: tf.RaggedTensor) -> Mapping[str, tf.SparseTensor]:
        none = tf.RaggedTensor.from_row_lengths(tf.constant([], tf.string), tf.zeros_like(tokens.row_lengths()))
        return self.transform({"tokens": tokens.to_sparse(), "tags": none.to_sparse()})

    def _decode(self, features, parts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Label numbers and scores of all tokens, flat, read in parts of the given lengths."""
        sentences: Sentences = sentences_of(features, parts)
        decoded = self.tagger.decode(sentences)
        mask = tf.sequence_mask(sentences.lengths, tf.shape(decoded.tags)[1])
        return tf.boolean_mask(decoded.tags, mask), tf.boolean_mask(decoded.scores, mask)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")], autograph=False)
    def recognise(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        """The signature `serving_default`."""
        text = text_ops.clean(text)
        codes = tf.strings.unicode_decode(text, "UTF-8")
        # A text with nothing in it has one token, BLANK: it is read as that character, and its entities are left out.
        empty = ~tf.reduce_any(texts.visible(codes), axis=1)
        codes = tf.strings.unicode_decode(tf.where(empty, text_ops.BLANK, text), "UTF-8")
        surfaces = text_ops.split_tokens(text)
        tokens = texts.locate(codes, surfaces)
        features = self._features(tf.RaggedTensor.from_row_lengths(text, tf.ones_like(tokens.counts)))
        parts = texts.segments(tokens.counts, tokens.breaks, text_ops.ends_sentence(surfaces.values))
        tags, scores = self._decode(features, parts)
        found = texts.entities(tags, self._is_begin, self._is_inside)
        row = tf.gather(surfaces.value_rowids(), found.first)
        real = ~tf.gather(empty, row)
        first, last, tag = (tf.boolean_mask(values, real) for values in found)
        row = tf.boolean_mask(row, real)
        counts = tf.math.bincount(tf.cast(row, tf.int32), minlength=tf.size(text), maxlength=tf.size(text), dtype=tf.int64)
        start, end = tf.gather(tokens.starts, first), tf.gather(tokens.ends, last)
        origin = tf.gather(codes.row_starts(), row)
        surface = tf.strings.unicode_encode(
            tf.gather(codes.values, tf.ragged.range(origin + start, origin + end)), "UTF-8")

        def rows(flat, default):
            return tf.RaggedTensor.from_row_lengths(flat, counts, validate=False).to_tensor(default)

        return {"count": counts, "type": rows(tf.gather(self._types, tag), ""), "start": rows(start, 0),
                "end": rows(end, 0), "score": rows(tf.gather(scores, first), 0.0), "surface": rows(surface, "")}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")], autograph=False)
    def tag(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """The signature `examples`."""
        parsed = tf.io.parse_example(examples, {"tokens": tf.io.VarLenFeature(tf.string)})
        tokens = tf.RaggedTensor.from_sparse(parsed["tokens"])
        features = self._features(tokens)
        pieces = tf.RaggedTensor.from_sparse(features["pieces"])
        surfaces = features["surfaces"].values
        counts = pieces.row_lengths()
        parts = texts.segments(counts, tf.zeros_like(surfaces, tf.bool), text_ops.ends_sentence(surfaces))
        tags, scores = self._decode(features, parts)
        # A corpus token is tagged as its first part is.
        row_piece = tf.stack([pieces.value_rowids(), pieces.values], 1)
        is_first = tf.reduce_any(row_piece != tf.concat([-tf.ones_like(row_piece[:1]), row_piece[:-1]], 0), 1)
        tags = tokens.with_values(self._repaired(tf.boolean_mask(tags, is_first), tokens.value_rowids()))
        scores = tokens.with_values(tf.boolean_mask(scores, is_first))
        names = tags.with_values(tf.gather(self._labels, tags.values))
        return {"tags": names.to_tensor(""), "scores": scores.to_tensor(0.0)}

    def _repaired(self, tags: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
        """I- where no entity of its type is open turned into B-, as conlleval reads it; flat `[tokens]` with their row."""
        begin = tf.gather(self._as_begin, tags)  # stands for the type
        before = tf.concat([[0], begin[:-1]], 0)
        same = (before == begin) & (rows == tf.concat([[tf.constant(-1, tf.int64)], rows[:-1]], 0))
        return tf.where(tf.gather(self._is_inside, tags) & ~same, begin, tags)


def save(recogniser: Recogniser, path: str) -> None:
    """Writes the SavedModel with its two signatures."""
    tf.saved_model.save(recogniser, path, signatures={
        TEXT: recogniser.recognise.get_concrete_function(),
        EXAMPLES: recogniser.tag.get_concrete_function(),
    })
