"""The two signatures of a published model.

`serving_default`: `text`, string `[batch]`, to dense `[batch, longest]` tensors of entities: `type`, `start`, `end` (code
points in the text, end excluded), `score` (probability) and `surface`, with their number `count` `[batch]`. TensorFlow 2.16
encodes Unicode's 66 noncharacters as U+FFFD in a surface, 2.21 as they are; the places are right with both.

`examples`: serialised tf.Examples with the feature `tokens`, string `[batch]`, to dense `[batch, longest]` tensors `tags`
(IOB2, of the corpus's own tokens) and `scores` (probability of the entity that begins at a token, else 0). Shorter rows
are filled with "" and 0.
"""

from collections.abc import Callable, Collection, Mapping

import tensorflow as tf

from components.export import text as texts
from components.features import text_ops
from components.features.text_ops import row_ids
from components.tagger.batch import unique_tokens_of_surfaces
from components.tagger.tagger import Tagger

TEXT, EXAMPLES = "serving_default", "examples"


class Recogniser(tf.Module):
    """A tagger with everything it needs from plain text to entities.

    Args:
      transform: Transform's graph, from `tokens` (a SparseTensor) to those of the features that `components.features.preprocessing`
        gives which are asked for by name. It is tracked, for its vocabularies.
      tagger: the fitted tagger.
    """

    def __init__(self, transform: Callable[[Mapping, Collection[str]], Mapping], tagger: Tagger):
        super().__init__(name="recogniser")
        self.transform, self.pretrained_only = transform, tagger.pretrained_only
        # The tagger itself is not tracked, what its graph reads is: the variables inside Keras's. Keras's own are saved beside these
        # under other names, and TensorFlow Serving restores those only. Nor is the optimizer of use to a server.
        self.weights = [variable.value for variable in tagger.variables]
        self._decode = tagger.decode
        # One graph of it, which both signatures call. Behind a name that TensorFlow does not follow: it would save it once more.
        read = tf.function(self._read_tokens, autograph=False)
        self._read = lambda *of: read(*of)
        labels = tagger.labels
        self._labels = tf.constant(labels)
        self._types = tf.constant([tag[2:] for tag in labels])
        self._is_begin = tf.constant([tag.startswith("B-") for tag in labels])
        self._is_inside = tf.constant([tag.startswith("I-") for tag in labels])
        self._as_begin = tf.constant(
            [labels.index("B-" + tag[2:]) if tag != "O" else 0 for tag in labels], tf.int32
        )

    def _read_tokens(
        self, surfaces: tf.Tensor, preceding_chars: tf.Tensor, counts: tf.Tensor, breaks: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Label numbers and scores of all tokens, flat.

        Args:
          surfaces, preceding_chars: as `text_ops.Tokens` has them, `[tokens]`.
          counts: tokens of each text, int64 `[texts]`.
          breaks: bool `[tokens]`, begins a paragraph.
        """
        # What a token looks like is computed once for each different one.
        # One token more, in a text of its own, so that there always is one; it goes again at the end.
        different, places = tf.unique(tf.concat([surfaces, [text_ops.BLANK]], 0))
        counts, breaks = tf.concat([counts, [1]], 0), tf.concat([breaks, [True]], 0)
        number = tf.size(different, tf.int64)
        indices = tf.stack([tf.zeros([number], tf.int64), tf.range(number)], 1)
        features = self.transform(
            {"tokens": tf.SparseTensor(indices, different, tf.stack([1, number]))},
            ("words", "shapes", "affixes", "characters", "character_counts"),
        )
        words = features["words"].values
        if self.pretrained_only is not None:
            words = self.pretrained_only.replace_unknown(words, different)
        ends_sentence = tf.gather(features["shapes"].values == text_ops.SENTENCE_END_SHAPE, places)
        preceding_chars = tf.concat([preceding_chars, [0]], 0)
        batch = unique_tokens_of_surfaces(
            features, words, places, preceding_chars, texts.segments(counts, breaks, ends_sentence)
        )
        decoded = self._decode(batch)
        return decoded.tags[:-1], decoded.scores[:-1]

    def recognise(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        """The signature `serving_default`."""
        tokens = text_ops.split_tokens(text)
        # Two line ends between tokens mean an empty line.
        breaks = (
            tokens.line_numbers - tf.concat([tokens.line_numbers[:1], tokens.line_numbers[:-1]], 0)
            >= 2
        )
        tags, scores = self._read(
            tokens.surfaces, tokens.preceding_chars, tf.cast(tokens.counts, tf.int64), breaks
        )
        found = texts.entities(tags, self._is_begin, self._is_inside)
        # A text with nothing in it is read as BLANK, at a place below zero: that is no entity, whatever its tag.
        real = tf.where(tf.gather(tokens.starts, found.first) >= 0)
        first, last, tag = (tf.gather_nd(values, real) for values in found)
        row = tf.gather(row_ids(tokens.counts), first)
        counts = tf.math.bincount(
            row, minlength=tf.size(text), maxlength=tf.size(text), dtype=tf.int64
        )
        start, end = (
            tf.cast(tf.gather(places, at), tf.int64)
            for places, at in ((tokens.starts, first), (tokens.ends, last))
        )
        origin = tf.gather(tokens.texts.row_starts(), row) + len(text_ops.BLANK_PREFIX)
        surface = tf.strings.unicode_encode(
            tf.gather(tokens.texts.values, tf.ragged.range(origin + start, origin + end)), "UTF-8"
        )

        def rows(flat, default):
            return tf.RaggedTensor.from_row_lengths(flat, counts, validate=False).to_tensor(default)

        return {
            "count": counts,
            "type": rows(tf.gather(self._types, tag), ""),
            "start": rows(start, 0),
            "end": rows(end, 0),
            "score": rows(tf.gather(scores, first), 0.0),
            "surface": rows(surface, ""),
        }

    def tag(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """The signature `examples`."""
        parsed = tf.io.parse_example(examples, {"tokens": tf.io.VarLenFeature(tf.string)})
        corpus_tokens = text_ops.ragged_rows(parsed["tokens"])
        tokens = text_ops.split_tokens(corpus_tokens.values)
        before = tf.concat([[0], tf.cumsum(tf.cast(tokens.counts, tf.int64))], 0)
        ends = tf.gather(before, corpus_tokens.row_splits)
        counts = ends[1:] - ends[:-1]
        # An example without tokens has none to read.
        tags, scores = self._read(
            tokens.surfaces,
            tokens.preceding_chars,
            tf.gather_nd(counts, tf.where(counts > 0)),
            tf.zeros_like(tokens.starts, tf.bool),
        )
        # A corpus token is tagged as its first part is.
        tags, scores = tf.gather(tags, before[:-1]), tf.gather(scores, before[:-1])
        tags = corpus_tokens.with_values(self._repaired(tags, corpus_tokens.value_rowids()))
        names = tags.with_values(tf.gather(self._labels, tags.values))
        return {
            "tags": names.to_tensor(""),
            "scores": corpus_tokens.with_values(scores).to_tensor(0.0),
        }

    def _repaired(self, tags: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
        """I- where no entity of its type is open turned into B-, as conlleval reads it; flat `[tokens]` with their row."""
        begin = tf.gather(self._as_begin, tags)  # stands for the type
        before = tf.concat([[0], begin[:-1]], 0)
        same = (before == begin) & (rows == tf.concat([[tf.constant(-1, tf.int64)], rows[:-1]], 0))
        return tf.where(tf.gather(self._is_inside, tags) & ~same, begin, tags)


def save(recogniser: Recogniser, path: str) -> None:
    """Writes the SavedModel with its two signatures."""

    def graph(method, argument):
        # Not functions of the Recogniser itself: those would be saved once more beside the signatures.
        return tf.function(method, autograph=False).get_concrete_function(
            tf.TensorSpec([None], tf.string, name=argument)
        )

    tf.saved_model.save(
        recogniser,
        path,
        signatures={
            TEXT: graph(recogniser.recognise, "text"),
            EXAMPLES: graph(recogniser.tag, "examples"),
        },
    )
