"""Sentences as tf.Examples with the features of `components.ingest.features`."""

from collections.abc import Container

import tensorflow as tf

from components.ingest import features
from components.ner.sentence import KnownEntities, Sentence, length_class, novelty
from components.ner.tags import spans_of

_ABSENT_IF_EMPTY = (features.ARRIVAL, features.FAMILIAR)


def of_sentence(
    sentence: Sentence, known: KnownEntities, arrival: str = "", words: Container[str] | None = None
) -> tf.train.Example:
    """The example of a sentence.

    Args:
      sentence: the sentence.
      known: entities of train, with which the sentence's entities are compared.
      arrival: `features.NEWEST` or `features.EARLIER`; "" without several spans.
      words: words of train in lower case, with which the tokens are compared; None for no
      comparison.
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
        if values[feature.name] or feature.name not in _ABSENT_IF_EMPTY:
            _fill(example.features.feature[feature.name], feature, values[feature.name])
    return example


def sentence_of(serialized: bytes) -> Sentence:
    """The sentence of a serialised example: its tokens, entities, document, id and offsets."""
    features_by_name = tf.train.Example.FromString(serialized).features.feature

    def texts(name: str) -> tuple[str, ...]:
        values = features_by_name[name].bytes_list.value
        return tuple(value.decode("utf-8") for value in values)

    [document], [id_] = texts(features.DOCUMENT), texts(features.SENTENCE)
    starts, ends = (
        features_by_name[name].int64_list.value for name in (features.STARTS, features.ENDS)
    )
    offsets = tuple(zip(starts, ends, strict=True)) or None
    tokens, spans = texts(features.TOKENS), spans_of(texts(features.TAGS))
    return Sentence(tokens, spans, document, id_, offsets)


def _fill(target: tf.train.Feature, feature: features.Feature, values: list) -> None:
    if feature.kind == "int":
        target.int64_list.value.extend(values)
    else:
        target.bytes_list.value.extend(value.encode("utf-8", "replace") for value in values)
