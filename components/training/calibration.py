"""Makes scores of entities probabilities: a temperature fitted on dev, and how far off they still are."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from components.ner import tags as tagging
from components.tagger import crf
from components.tagger.sentences import vocables_of_sentences
from components.tagger.tagger import Tagger

_LOWEST, _HIGHEST, _NARROW = np.log(0.25), np.log(8.0), 0.05
_SIGNATURE = (
    tf.TensorSpec([None, None, None]),
    tf.TensorSpec([None, None], tf.int32),
    tf.TensorSpec([None], tf.int32),
    tf.TensorSpec([]),
)
_GOLDEN = (np.sqrt(5) - 1) / 2


class _Answers(NamedTuple):
    """A batch: `emissions`, `tags` and `lengths` as the tagger has them; `places` of the found entities' first tokens, and whether
    each is `right`."""

    emissions: tf.Tensor
    tags: tf.Tensor
    lengths: tf.Tensor
    places: np.ndarray
    right: np.ndarray


class Calibration(NamedTuple):
    """The temperature, and the expected calibration error of the scores of found entities on the data that it was fitted on."""

    temperature: float
    error: float


def calibrate(tagger: Tagger, dev: tf.data.Dataset) -> Calibration:
    """Sets the tagger's temperature to that under which the scores of the entities it finds on dev are likeliest."""
    answers = list(_answers(tagger, dev))
    score = tf.function(tagger.scores, input_signature=_SIGNATURE, autograph=False)
    right = np.concatenate([batch.right for batch in answers]) if answers else np.zeros(0, bool)
    if not right.size:
        return Calibration(1.0, 0.0)

    def scores(log_temperature: float) -> np.ndarray:
        temperature = tf.constant(np.exp(log_temperature), tf.float32)
        return np.concatenate(
            [
                score(batch.emissions, batch.tags, batch.lengths, temperature).numpy()[tuple(batch.places.T)]
                for batch in answers
            ]
        )

    def surprise(log_temperature: float) -> float:
        found = np.clip(scores(log_temperature), 1e-6, 1 - 1e-6)
        return -np.mean(np.where(right, np.log(found), np.log1p(-found)))

    best = _minimum(surprise, _LOWEST, _HIGHEST)
    tagger.temperature.assign(np.exp(best))
    return Calibration(float(np.exp(best)), expected_error(scores(best), right))


def expected_error(scores: np.ndarray, right: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error (Naeini, Cooper and Hauskrecht 2015): how far mean score and share of right answers lie apart,
    over bins of equal width, weighted by what is in them.
    """
    place = np.minimum((np.asarray(scores) * bins).astype(int), bins - 1)
    apart = np.bincount(place, scores, bins) - np.bincount(place, right, bins)
    return float(np.abs(apart).sum() / max(len(place), 1))


def _answers(tagger: Tagger, data: tf.data.Dataset):
    @tf.function(input_signature=data.element_spec[:1], autograph=False)
    def answer(sentences):
        batch = vocables_of_sentences(sentences)
        emissions = tagger.network(batch)
        return emissions, crf.viterbi(emissions, batch.lengths, tagger.chain)

    for sentences, gold in data:
        emissions, tags = answer(sentences)
        places, right = [], []
        for row, (length, true, found) in enumerate(zip(sentences.lengths.numpy(), gold.numpy(), tags.numpy())):
            true, found = (
                tagging.spans_of([tagger.labels[tag] for tag in path[:length]], "IOB2") for path in (true, found)
            )
            places += [(row, span.start) for span in found]
            right += [span in true for span in found]
        if places:
            yield _Answers(emissions, tags, sentences.lengths, np.array(places), np.array(right))


def _minimum(function, low: float, high: float) -> float:
    """Where a function with one valley is lowest, by golden sections (Kiefer 1953)."""
    inner = [high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)]
    values = [function(place) for place in inner]
    while high - low > _NARROW:
        if values[0] < values[1]:
            high, inner, values = inner[1], [0.0, inner[0]], [0.0, values[0]]
            inner[0] = high - _GOLDEN * (high - low)
            values[0] = function(inner[0])
        else:
            low, inner, values = inner[0], [inner[1], 0.0], [values[1], 0.0]
            inner[1] = low + _GOLDEN * (high - low)
            values[1] = function(inner[1])
    return (low + high) / 2
