"""Sentences as tf.Examples (`components.ingest.features` says what they hold)."""

from collections.abc import Container

import tensorflow as tf

from components.ingest import features
from components.ner.lengths import length_class
from components.ner.novelty import KnownEntities, novelty
from components.ner.sentence import Sentence
from components.ner.tags import spans_of

_OF_SPANS = (features.ARRIVAL, features.FAMILIAR)  # absent where there are none


def of_sentence(
    sentence: Sentence, known: KnownEntities, arrival: str = "", words: Container[str] | None = None
) -> tf.train.Example:
    """The example of a sentence, its entities compared with those of train.

    Args:
      sentence: it.
      known: entities of train.
      arrival: whether it is of the newest span or of an earlier one, "" if that is no question.
      words: with which its tokens are compared, in lower case; None if they are not.
    """
    values: dict[str, list] = {
        features.TOKENS: list(sentence.tokens),
        features.TAGS: list(sentence.tags),
        features.DOCUMENT: [sentence.document],
        features.SENTENCE: [sentence.id],
        features.LENGTH: [length_class(len(sentence.tokens))],
        features.STARTS: [start for start, _ in sentence.offsets or ()],
        features.ENDS: [end for _, end in sentence.offsets or ()],
        features.SEEN: [novelty(known, sentence.tokens, span) for span in sentence.spans],
        features.ARRIVAL: [arrival] if arrival else [],
        features.FAMILIAR: []
        if words is None
        else ["yes" if token.lower() in words else "no" for token in sentence.tokens],
    }
    example = tf.train.Example()
    for feature in features.FEATURES:
        if values[feature.name] or feature.name not in _OF_SPANS:
            _fill(example.features.feature[feature.name], feature, values[feature.name])
    return example


def sentence_of(serialized: bytes) -> Sentence:
    """The sentence of a serialised example: its tokens, entities, document and identity."""
    found = tf.train.Example.FromString(serialized).features.feature

    def texts(name: str) -> tuple[str, ...]:
        return tuple(value.decode("utf-8") for value in found[name].bytes_list.value)

    [document], [identity] = texts(features.DOCUMENT), texts(features.SENTENCE)
    return Sentence(texts(features.TOKENS), spans_of(texts(features.TAGS)), document, identity)


def _fill(target: tf.train.Feature, feature: features.Feature, values: list) -> None:
    if feature.kind == "int":
        target.int64_list.value.extend(values)
    else:
        target.bytes_list.value.extend(value.encode("utf-8", "replace") for value in values)
