"""Fits on dev what training leaves open: how boldly to decode, and what makes the scores of entities probabilities."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from components.evaluation.reliability import expected_error
from components.ner import scores
from components.tagger.packing import Packing, pack
from components.tagger.sentences import vocables_of_sentences
from components.tagger.tagger import Tagger, with_odds
from components.training.corpus_tags import NO_TAG, corpus_spans

_BOLDNESS = np.arange(-0.5, 2.01, 0.25)
_WORTH_IT = 0.005  # F1 on dev: the best of many values is a little better by chance
_TEMPERATURES, _ODDS, _NARROW = np.log([0.25, 8.0]), np.log([1e-3, 1e3]), 0.05
_GOLDEN = (np.sqrt(5) - 1) / 2


class _Batch(NamedTuple):
    """`emissions` and `packing` as the tagger has them, and each sentence's tags, where a corpus token begins."""

    emissions: tf.Tensor
    packing: Packing
    gold: list[np.ndarray]


class Calibration(NamedTuple):
    """What was fitted, the entity scores on dev with it, and the expected calibration error there of the entities that are found.
    `odds` are those of all types, around which those of the types that were found lie, `odds_by_type`."""

    boldness: float
    temperature: float
    odds: float
    odds_by_type: dict[str, float]
    dev: scores.PRF
    error: float


def calibrate(tagger: Tagger, dev: tf.data.Dataset) -> Calibration:
    """Sets the tagger's boldness to that with the best F1 on dev, if it is better than none by more than chance, and its temperature
    and odds to those under which the scores of the entities which it then finds are likeliest. The odds of a type are taken to lie
    around those of all, as a logarithm normally with a variance of one: what few entities say of their type counts little.
    `dev` has the tags that count: see `components.training.dataset`, `as_corpus`."""
    batches = list(_batches(tagger, dev))

    def decoded(boldness: float) -> list[np.ndarray]:
        value = tf.constant(boldness, tf.float32)
        return [
            tagger.best_tags(batch.emissions, batch.packing, value).numpy() for batch in batches
        ]

    def measured(boldness: float) -> scores.PRF:
        pairs = ((true, found) for true, found, _ in _entities(tagger, batches, decoded(boldness)))
        return sum(scores.score_all(pairs).values(), scores.PRF())

    by_boldness = {boldness: measured(boldness) for boldness in _BOLDNESS.tolist()}
    boldness = max(by_boldness, key=lambda value: by_boldness[value].f1)
    if by_boldness[boldness].f1 < by_boldness[0.0].f1 + _WORTH_IT:
        boldness = 0.0
    tagger.boldness.assign(boldness)

    found = decoded(boldness)
    places, right = _places(tagger, batches, found)
    if not right.size:
        return Calibration(boldness, 1.0, 1.0, {}, by_boldness[boldness], 0.0)
    # Where few entities are found, all may be right by chance; so nothing is taken to be certain (Platt 1999, 2.2).
    target = np.where(right, (right.sum() + 1) / (right.sum() + 2), 1 / ((~right).sum() + 2))

    def scored(log_temperature: float) -> np.ndarray:
        temperature, even = (
            tf.constant(np.exp(log_temperature), tf.float32),
            tf.ones(len(tagger.labels)),
        )
        every = [
            tagger.scores(batch.emissions, tags, batch.packing, temperature, even)
            for batch, tags in zip(batches, found)
        ]
        return np.clip(np.concatenate(every)[places].astype(float), 1e-6, 1 - 1e-6)

    def least_surprise(log_temperature: float) -> float:
        chances = scored(log_temperature)
        return _surprise(chances, target, _log_odds(chances, target))

    best = _minimum(least_surprise, *_TEMPERATURES)
    chances = scored(best)
    of_all = _log_odds(chances, target)
    first = np.concatenate(found)[places]  # the tag that an entity begins with
    log_odds = np.full(len(tagger.labels), of_all)
    for tag in (begun := np.unique(first)):
        log_odds[tag] = _log_odds(chances[first == tag], target[first == tag], around=of_all)
    odds = np.exp(log_odds)
    tagger.temperature.assign(np.exp(best))
    tagger.odds.assign(odds)
    error = expected_error(with_odds(chances, odds[first]), right)
    by_type = {tagger.labels[tag].removeprefix("B-"): float(odds[tag]) for tag in begun}
    return Calibration(
        boldness, float(np.exp(best)), float(np.exp(of_all)), by_type, by_boldness[boldness], error
    )


def _batches(tagger: Tagger, data: tf.data.Dataset):
    for sentences, gold in data:
        packing = pack(sentences.lengths)
        rows = zip(gold.numpy(), sentences.lengths.numpy())
        emissions = tagger.emissions(vocables_of_sentences(sentences), packing)
        yield _Batch(emissions, packing, [row[:length] for row, length in rows])


def _entities(tagger: Tagger, batches: list[_Batch], decoded: list[np.ndarray]):
    """The true entities of each sentence, those found, and the tags that these were read from."""
    for batch, tags in zip(batches, decoded):
        for gold, path in zip(batch.gold, np.split(tags, np.cumsum(batch.packing.lengths)[:-1])):
            yield (
                corpus_spans(gold, gold, tagger.labels),
                corpus_spans(path, gold, tagger.labels),
                path,
            )


def _places(
    tagger: Tagger, batches: list[_Batch], decoded: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """The first token of each entity that was found, over all batches, and whether it is right. One that begins in the middle of a
    corpus token has its score there, out of the corpus's sight, and is left out."""
    begins_entity = np.array([label.startswith("B-") for label in tagger.labels])
    every_gold = (gold for batch in batches for gold in batch.gold)
    places, right, start = [], [], 0
    for gold, (true, found, path) in zip(every_gold, _entities(tagger, batches, decoded)):
        begins = np.flatnonzero(gold != NO_TAG)
        scored = [span for span in found if begins_entity[path[begins[span.start]]]]
        places += [start + begins[span.start] for span in scored]
        right += [span in true for span in scored]
        start += len(path)
    return np.array(places, int), np.array(right, bool)


def _surprise(chances: np.ndarray, target: np.ndarray, log_odds: float) -> float:
    """How unlikely `target` is, the share of each entity that is right, with the odds of all chances multiplied."""
    chances = with_odds(chances, np.exp(log_odds))
    return -np.sum(target * np.log(chances) + (1 - target) * np.log1p(-chances))


def _log_odds(chances: np.ndarray, target: np.ndarray, around: float | None = None) -> float:
    """The logarithm of the odds with the least surprise; with `around`, where it has a normal distribution of variance one around
    that."""

    def unlikely(log_odds):
        apart = 0.0 if around is None else log_odds - around
        return _surprise(chances, target, log_odds) + apart**2 / 2

    return _minimum(unlikely, *_ODDS)


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
