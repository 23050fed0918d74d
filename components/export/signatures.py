"""The two signatures of a published model, and its warm-up requests.

`serving_default` takes `text`, string `[batch]`. It returns the number of entities `count`
`[batch]` and dense `[batch, longest]` tensors of entities: `type`, `start` and `end` (offsets in
code points, end excluded), `score` (probability) and `surface` (the entity's text). TensorFlow 2.16
encodes Unicode's 66 noncharacters as U+FFFD in `surface`, TensorFlow 2.21 does not; the offsets are
the same.

`examples` takes serialized tf.Examples with the feature `tokens`, and with `starts` and `ends` where
the tokens are of a text (their offsets; the model reads from them which tokens directly follow each
other), string `[batch]`. It returns dense `[batch, longest]` tensors: `tags` (IOB2, of the corpus's
tokens) and `scores` (probability of the entity that begins at a token, else 0). Shorter rows are
padded with "" and 0.

A server sends the warm-up requests to a new version before it answers requests with it. TensorFlow
Serving reads them from `assets.extra/tf_serving_warmup_requests`, and does not load the version if
one fails.
"""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from components.features import text_ops
from components.features.text_ops import row_ids
from components.ner.granularity import WORDS, Granularity
from components.tagger.batch import unique_tokens_of_surfaces
from components.tagger.tagger import Tagger

TEXT, EXAMPLES = "serving_default", "examples"

# A long text is cut at the first end of a sentence after this many tokens, and anywhere after
# `_MAX_SEGMENT` tokens. The LSTM reads the segments in parallel, so that time and memory grow
# linearly with the length of a text.
_LONG_SEGMENT = 128
_MAX_SEGMENT = 512

_SENTENCE = (
    "Anna Example moved from Berlin to Example Works Ltd. on 3 May 2024 for 4.5 million euros. "
)
# A short, an empty, a tiny and a long text initialise all parts of the graph. Each is a request of
# its own, since a server refuses requests with more texts than its batches may have.
_WARMUP_TEXTS = (_SENTENCE.strip(), "", "A", _SENTENCE * 40)


class ServingModule(tf.Module):
    """The tagger with tokenizer, features and decoding, as it is exported.

    Args:
      transform: Transform's graph. It takes `tokens` (a SparseTensor) and names of features from
        `components.features.preprocessing`, and returns these features. It is tracked for its
        vocabularies.
      tagger: the trained tagger.
      granularity: how fine the tokens are, as for Transform.
    """

    def __init__(
        self,
        transform: Callable[[Mapping, Collection[str]], Mapping],
        tagger: Tagger,
        granularity: Granularity = WORDS,
    ):
        super().__init__(name="serving")
        self._granularity = granularity
        self.transform, self.pretrained_only = transform, tagger.pretrained_only
        # Instead of the tagger, only the variables that its graph reads are tracked. They are
        # inside Keras's variables, which Keras would save under other names than TensorFlow Serving
        # restores. This leaves the optimizer out, too.
        self.weights = [variable.value for variable in tagger.variables]
        self._decode = tagger.decode
        # Both signatures call one graph. The lambda hides it from TensorFlow, which would save a
        # copy.
        tag_tokens = tf.function(self._tag_tokens, autograph=False)
        self._tag = lambda *inputs: tag_tokens(*inputs)
        labels = tagger.labels
        self._labels = tf.constant(labels)
        self._types = tf.constant([tag[2:] for tag in labels])
        self._is_begin = tf.constant([tag.startswith("B-") for tag in labels])
        self._is_inside = tf.constant([tag.startswith("I-") for tag in labels])
        self._as_begin = tf.constant(
            [labels.index("B-" + tag[2:]) if tag != "O" else 0 for tag in labels], tf.int32
        )

    def _tag_tokens(
        self, surfaces: tf.Tensor, preceding_chars: tf.Tensor, counts: tf.Tensor, breaks: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Tags tokens.

        Args:
          surfaces: the tokens' text, `[tokens]`, as in `text_ops.Tokens`.
          preceding_chars: `[tokens]`, as in `text_ops.Tokens`.
          counts: number of tokens of each text, int64 `[texts]`.
          breaks: whether a token begins a paragraph, boolean `[tokens]`.

        Returns:
          The label numbers and the scores, each `[tokens]`.
        """
        # The features of equal tokens are computed once. A text with one token is added, so that
        # there is at least one, and removed at the end.
        unique, indices = tf.unique(tf.concat([surfaces, [text_ops.BLANK]], 0))
        counts, breaks = tf.concat([counts, [1]], 0), tf.concat([breaks, [True]], 0)
        size = tf.size(unique, tf.int64)
        positions = tf.stack([tf.zeros([size], tf.int64), tf.range(size)], 1)
        features = self.transform(
            {"tokens": tf.SparseTensor(positions, unique, tf.stack([1, size]))},
            ("words", "shapes", "affixes", "characters", "character_counts"),
        )
        words = features["words"].values
        if self.pretrained_only is not None:
            words = self.pretrained_only.replace_unknown(words, unique)
        ends_sentence = tf.gather(features["shapes"].values == text_ops.SENTENCE_END_SHAPE, indices)
        preceding_chars = tf.concat([preceding_chars, [0]], 0)
        lengths = segments(counts, breaks, ends_sentence)
        batch = unique_tokens_of_surfaces(features, words, indices, preceding_chars, lengths)
        decoded = self._decode(batch)
        return decoded.tags[:-1], decoded.scores[:-1]

    def serve_text(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        """The signature `serving_default`."""
        tokens = text_ops.split_tokens(text, self._granularity)
        # Two line ends between tokens mean an empty line, which begins a paragraph.
        lines = tokens.line_numbers
        breaks = lines - tf.concat([lines[:1], lines[:-1]], 0) >= 2
        tags, scores = self._tag(
            tokens.surfaces, tokens.preceding_chars, tf.cast(tokens.counts, tf.int64), breaks
        )
        spans = entity_spans(tags, self._is_begin, self._is_inside)
        # An empty text is read as the token BLANK with a negative offset, which is never an entity.
        real = tf.where(tf.gather(tokens.starts, spans.first) >= 0)[:, 0]
        first, last, tag = (tf.gather(values, real) for values in spans)
        row = tf.gather(row_ids(tokens.counts), first)
        counts = tf.math.bincount(
            row, minlength=tf.size(text), maxlength=tf.size(text), dtype=tf.int64
        )
        start, end = (
            tf.cast(tf.gather(offsets, index), tf.int64)
            for offsets, index in ((tokens.starts, first), (tokens.ends, last))
        )
        origin = tf.gather(tokens.texts.row_starts(), row) + len(text_ops.BLANK_PREFIX)
        surface = tf.strings.unicode_encode(
            tf.gather(tokens.texts.values, tf.ragged.range(origin + start, origin + end)), "UTF-8"
        )

        def rows(flat: tf.Tensor, default: Any) -> tf.Tensor:
            return tf.RaggedTensor.from_row_lengths(flat, counts, validate=False).to_tensor(default)

        return {
            "count": counts,
            "type": rows(tf.gather(self._types, tag), ""),
            "start": rows(start, 0),
            "end": rows(end, 0),
            "score": rows(tf.gather(scores, first), 0.0),
            "surface": rows(surface, ""),
        }

    def serve_examples(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """The signature `examples`."""
        offsets = tf.io.VarLenFeature(tf.int64)
        parsed = tf.io.parse_example(
            examples,
            {"tokens": tf.io.VarLenFeature(tf.string), "starts": offsets, "ends": offsets},
        )
        corpus_tokens = text_ops.ragged_rows(parsed["tokens"])
        tokens = text_ops.split_tokens(corpus_tokens.values, self._granularity)
        preceding_chars = text_ops.preceding_chars_of_pieces(
            tokens,
            tokens.lengths,
            text_ops.follows_directly(corpus_tokens.row_splits, parsed["starts"], parsed["ends"]),
            self._granularity,
        )
        before = tf.concat([[0], tf.cumsum(tf.cast(tokens.counts, tf.int64))], 0)
        ends = tf.gather(before, corpus_tokens.row_splits)
        counts = ends[1:] - ends[:-1]
        # Examples without tokens are left out.
        tags, scores = self._tag(
            tokens.surfaces,
            preceding_chars,
            tf.gather_nd(counts, tf.where(counts > 0)),
            tf.zeros_like(tokens.starts, tf.bool),
        )
        # A corpus token has the tag of its first model token.
        tags, scores = tf.gather(tags, before[:-1]), tf.gather(scores, before[:-1])
        tags = corpus_tokens.with_values(self._repair(tags, corpus_tokens.value_rowids()))
        names = tags.with_values(tf.gather(self._labels, tags.values))
        return {
            "tags": names.to_tensor(""),
            "scores": corpus_tokens.with_values(scores).to_tensor(0.0),
        }

    def _repair(self, tags: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
        """Turns I- into B- where no entity of its type is open, as conlleval reads it.

        Args:
          tags: label numbers, `[tokens]`.
          rows: the row of each token, `[tokens]`.

        Returns:
          The label numbers, `[tokens]`.
        """
        begin = tf.gather(self._as_begin, tags)  # stands for the type
        before = tf.concat([[0], begin[:-1]], 0)
        same = (before == begin) & (rows == tf.concat([[tf.constant(-1, tf.int64)], rows[:-1]], 0))
        return tf.where(tf.gather(self._is_inside, tags) & ~same, begin, tags)


class EntitySpans(NamedTuple):
    """Entities as spans of tokens."""

    first: tf.Tensor  # index of the first token, int64 [entities]
    last: tf.Tensor  # index of the last token, int64 [entities]
    tag: tf.Tensor  # label number of the first token, [entities]


def entity_spans(tags: tf.Tensor, is_begin: tf.Tensor, is_inside: tf.Tensor) -> EntitySpans:
    """The entities of well-formed IOB2 tags.

    Args:
      tags: label numbers, `[tokens]`.
      is_begin: whether a label is B-, boolean `[labels]`.
      is_inside: whether a label is I-, boolean `[labels]`.
    """
    begin, inside = tf.gather(is_begin, tags), tf.gather(is_inside, tags)
    continues = tf.concat([inside[1:], tf.zeros_like(inside[:1])], 0)
    first = tf.where(begin)[:, 0]
    last = tf.where((begin | inside) & ~continues)[:, 0]
    return EntitySpans(first, last, tf.gather(tags, first))


def segments(counts: tf.Tensor, breaks: tf.Tensor, ends_sentence: tf.Tensor) -> tf.Tensor:
    """Cuts texts into the segments that the LSTM reads: paragraphs, and parts of long ones.

    Args:
      counts: number of tokens of each text, int64 `[texts]`.
      breaks: whether a token begins a paragraph, boolean `[tokens]`.
      ends_sentence: whether a token ends a sentence, boolean `[tokens]`.

    Returns:
      The number of tokens of each segment, int64 `[segments]`.
    """
    total = tf.reduce_sum(counts)
    text_starts = tf.cumsum(counts, exclusive=True)
    begins_text = (
        tf.math.unsorted_segment_sum(tf.ones_like(counts), text_starts, total + 1)[:-1] > 0
    )
    begins = begins_text | breaks
    position = _position_in_segment(begins)
    # The first token after the first end of a sentence in each stretch of _LONG_SEGMENT tokens.
    follows_sentence = tf.concat([tf.zeros_like(ends_sentence[:1]), ends_sentence[:-1]], 0)
    candidates = tf.where(follows_sentence & (position >= _LONG_SEGMENT))[:, 0]
    segment = tf.cumsum(tf.cast(begins, tf.int64))
    stretch = tf.gather(segment * 2**32 + position // _LONG_SEGMENT, candidates)
    is_first = stretch != tf.concat([stretch[:1] - 1, stretch[:-1]], 0)
    chosen = tf.gather_nd(candidates, tf.where(is_first))
    begins = tf.tensor_scatter_nd_update(begins, chosen[:, None], tf.ones_like(chosen, tf.bool))
    begins |= _position_in_segment(begins) % _MAX_SEGMENT == 0
    starts = tf.where(begins)[:, 0]
    return tf.concat([starts[1:], [total]], 0) - starts


def _position_in_segment(begins: tf.Tensor) -> tf.Tensor:
    """The position of each token in its segment, int64 `[tokens]`; the first token begins one."""
    starts = tf.where(begins)[:, 0]
    segment = tf.cumsum(tf.cast(begins, tf.int64)) - 1
    return tf.range(tf.size(begins, tf.int64)) - tf.gather(starts, segment)


def save(module: ServingModule, path: str) -> None:
    """Writes the SavedModel with its two signatures and the warm-up requests."""

    def graph(method: Callable[[tf.Tensor], Any], argument: str) -> Any:
        # A function that is an attribute of the module would be saved a second time.
        return tf.function(method, autograph=False).get_concrete_function(
            tf.TensorSpec([None], tf.string, name=argument)
        )

    tf.saved_model.save(
        module,
        path,
        signatures={
            TEXT: graph(module.serve_text, "text"),
            EXAMPLES: graph(module.serve_examples, "examples"),
        },
    )
    extra = Path(path) / "assets.extra"
    extra.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(extra / "tf_serving_warmup_requests")) as writer:
        for text in _WARMUP_TEXTS:
            request = predict_pb2.PredictRequest()
            request.model_spec.signature_name = TEXT
            request.inputs["text"].CopyFrom(tf.make_tensor_proto([text], tf.string))
            log = prediction_log_pb2.PredictLog(request=request)
            writer.write(prediction_log_pb2.PredictionLog(predict_log=log).SerializeToString())
