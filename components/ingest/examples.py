"""Sentences as tf.Examples (`components.ingest.features` says what they hold)."""

from collections.abc import Mapping

import tensorflow as tf

from components.ingest import features
from components.ner.sentence import Sentence, Span

# Classes of sentence length, the largest number of tokens in each; scores are sliced by them.
_LENGTHS = ((10, "up to 10 tokens"), (25, "11 to 25 tokens"), (50, "26 to 50 tokens"))
_LONGER = "over 50 tokens"

UNSEEN, SEEN, SEEN_AS_OTHER = 0, 1, 2  # an entity against those of train

KnownEntities = Mapping[str, frozenset[str]]
"""The types that each entity of train has there, by its tokens joined with a space."""


def surface(tokens: tuple[str, ...], span: Span) -> str:
    """The key of an entity among `KnownEntities`."""
    return " ".join(tokens[span.start : span.end])


def of_sentence(sentence: Sentence, known: KnownEntities) -> tf.train.Example:
    """The example of a sentence, its entities compared with those of train."""
    values: dict[str, list] = {
        features.TOKENS: list(sentence.tokens),
        features.TAGS: list(sentence.tags),
        features.DOCUMENT: [sentence.document],
        features.SENTENCE: [sentence.id],
        features.LENGTH: [next((name for most, name in _LENGTHS if len(sentence.tokens) <= most), _LONGER)],
        features.STARTS: [start for start, _ in sentence.offsets or ()],
        features.ENDS: [end for _, end in sentence.offsets or ()],
        features.SEEN: [
            _novelty(known.get(surface(sentence.tokens, span), frozenset()), span.type) for span in sentence.spans
        ],
    }
    example = tf.train.Example()
    for feature in features.FEATURES:
        _fill(example.features.feature[feature.name], feature, values[feature.name])
    return example


def _novelty(types: frozenset[str], name: str) -> int:
    if name in types:
        return SEEN
    return SEEN_AS_OTHER if types else UNSEEN


def _fill(target: tf.train.Feature, feature: features.Feature, values: list) -> None:
    if feature.kind == "int":
        target.int64_list.value.extend(values)
    else:
        target.bytes_list.value.extend(value.encode("utf-8", "replace") for value in values)
