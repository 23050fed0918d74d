"""What is computed on dev: entity scores, and the calibration, which fits the outside bias, the
temperature and the entities' odds factors.

Entities count as in the Evaluator: over corpus tokens, each with the tag of its first model token.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from scipy.optimize import minimize_scalar

from components.evaluation.reliability import expected_error
from components.ner import scores, tags
from components.ner.sentence import Span
from components.tagger.batch import IGNORE_INDEX, Packing, pack, unique_tokens_of_sentences
from components.tagger.tagger import Tagger, scale_odds

_OUTSIDE_BIASES = np.arange(-0.5, 2.01, 0.25)
_MINIMUM_GAIN = 0.005  # F1 on dev: the best of many values is a little better by chance
_LOG_TEMPERATURES, _LOG_ODDS = np.log([0.25, 8.0]), np.log([1e-3, 1e3])
_TOLERANCE = 0.02  # of these logarithms


class Calibration(NamedTuple):
    """What was fitted.

    Attributes:
        outside_bias: what is subtracted from the score of O when decoding.
        temperature: what all scores are divided by.
        odds: the factor on the odds of entities of any type.
        odds_by_type: the factor for each entity type of which the tagger found entities on dev.
        dev: entity scores on dev.
        error: expected calibration error of the entities found on dev.
    """

    outside_bias: float
    temperature: float
    odds: float
    odds_by_type: dict[str, float]
    dev: scores.PRF
    error: float


class DevBatch(NamedTuple):
    """A batch of dev with the emissions of a tagger.

    Attributes:
        emissions: float32 [tokens, tags].
        packing: of the batch.
        gold: the corpus tags of each sentence, int [its tokens] (`IGNORE_INDEX` at further model
            tokens).
    """

    emissions: tf.Tensor
    packing: Packing
    gold: list[np.ndarray]


def compute_emissions(tagger: Tagger, dev: tf.data.Dataset) -> list[DevBatch]:
    """Runs a tagger over dev.

    Args:
        tagger: the tagger.
        dev: batches with corpus tags (`load_batches`).
    """
    batches = []
    for sentences, gold in dev:
        packing = pack(sentences.lengths)
        emissions = tagger.emissions(unique_tokens_of_sentences(sentences), packing)
        rows = zip(gold.numpy(), sentences.lengths.numpy())
        batches.append(DevBatch(emissions, packing, [row[:length] for row, length in rows]))
    return batches


def score(tagger: Tagger, batches: list[DevBatch], outside_bias: float) -> scores.PRF:
    """Scores the entities that a tagger finds with an outside bias."""
    sentences = _gold_and_predicted(tagger, batches, _decode(tagger, batches, outside_bias))
    pairs = ((gold, predicted) for gold, predicted, _ in sentences)
    return sum(scores.score_all(pairs).values(), scores.PRF())


def calibrate(tagger: Tagger, batches: list[DevBatch]) -> Calibration:
    """Sets the tagger's outside bias, temperature and odds to what fits dev.

    The outside bias is the one with the best F1, or 0 where that gains less than `_MINIMUM_GAIN`.
    Temperature and odds are those under which the correctness of the entities found with this bias
    is most likely. The log odds of a type have a normal prior around those of all types, with
    a variance of one: a type with few entities stays close to the rest.

    Args:
        tagger: the fitted tagger.
        batches: dev, as `compute_emissions` gives it.
    """
    by_bias = {bias: score(tagger, batches, bias) for bias in _OUTSIDE_BIASES.tolist()}
    bias = max(by_bias, key=lambda value: by_bias[value].f1)
    if by_bias[bias].f1 < by_bias[0.0].f1 + _MINIMUM_GAIN:
        bias = 0.0
    tagger.outside_bias.assign(bias)

    paths = _decode(tagger, batches, bias)
    positions, correct = _found_entities(tagger, batches, paths)
    if not correct.size:
        return Calibration(bias, 1.0, 1.0, {}, by_bias[bias], 0.0)
    # Smoothed targets (Platt 1999, section 2.2): where few entities are found, all may be right by
    # chance.
    wrong = ~correct
    targets = np.where(correct, (correct.sum() + 1) / (correct.sum() + 2), 1 / (wrong.sum() + 2))

    def probabilities(log_temperature: float) -> np.ndarray:
        """The probability of each entity at a temperature, without odds, float64 [entities]."""
        temperature = tf.constant(np.exp(log_temperature), tf.float32)
        unit_odds = tf.ones(len(tagger.labels))
        token_scores = [
            tagger.scores(batch.emissions, path, batch.packing, temperature, unit_odds)
            for batch, path in zip(batches, paths)
        ]
        return np.clip(np.concatenate(token_scores)[positions].astype(float), 1e-6, 1 - 1e-6)

    def loss_at_best_odds(log_temperature: float) -> float:
        chances = probabilities(log_temperature)
        return _log_loss(chances, targets, _fit_log_odds(chances, targets))

    log_temperature = _minimize(loss_at_best_odds, _LOG_TEMPERATURES)
    chances = probabilities(log_temperature)
    log_odds_of_all = _fit_log_odds(chances, targets)
    first_tags = np.concatenate(paths)[positions]
    found_tags = np.unique(first_tags)
    log_odds = np.full(len(tagger.labels), log_odds_of_all)
    for tag in found_tags:
        of_type = first_tags == tag
        log_odds[tag] = _fit_log_odds(chances[of_type], targets[of_type], prior=log_odds_of_all)
    odds = np.exp(log_odds)
    tagger.temperature.assign(np.exp(log_temperature))
    tagger.odds.assign(odds)
    return Calibration(
        outside_bias=bias,
        temperature=float(np.exp(log_temperature)),
        odds=float(np.exp(log_odds_of_all)),
        odds_by_type={
            tagger.labels[tag].removeprefix("B-"): float(odds[tag]) for tag in found_tags
        },
        dev=by_bias[bias],
        error=expected_error(scale_odds(chances, odds[first_tags]), correct),
    )


def _decode(tagger: Tagger, batches: list[DevBatch], outside_bias: float) -> list[np.ndarray]:
    """The best tags of each batch, int [tokens]."""
    bias = tf.constant(outside_bias, tf.float32)
    return [tagger.best_tags(batch.emissions, batch.packing, bias).numpy() for batch in batches]


def _gold_and_predicted(
    tagger: Tagger, batches: list[DevBatch], paths: list[np.ndarray]
) -> Iterator[tuple[tuple[Span, ...], tuple[Span, ...], np.ndarray]]:
    """Yields each sentence's gold entities, the predicted ones, and the tags that these were read
    from.
    """
    for batch, tag_ids in zip(batches, paths):
        sentence_paths = np.split(tag_ids, np.cumsum(batch.packing.lengths)[:-1])
        for gold, path in zip(batch.gold, sentence_paths):
            yield (
                corpus_spans(gold, gold, tagger.labels),
                corpus_spans(path, gold, tagger.labels),
                path,
            )


def corpus_spans(tag_ids: np.ndarray, gold: np.ndarray, labels: Sequence[str]) -> tuple[Span, ...]:
    """Returns the entities over corpus tokens: a corpus token has the tag of its first model token.

    >>> corpus_spans(np.array([1, 2, 0]), np.array([1, -1, 0]), ("O", "B-PER", "I-PER"))
    (Span(start=0, end=1, type='PER'),)

    Args:
        tag_ids: of the model tokens of a sentence, int [tokens].
        gold: `IGNORE_INDEX` where a model token does not begin a corpus token, int [tokens].
        labels: the tags by id.
    """
    return tags.spans_of([labels[tag_id] for tag_id in tag_ids[gold != IGNORE_INDEX]], "IOB2")


def _found_entities(
    tagger: Tagger, batches: list[DevBatch], paths: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Finds the first token of each predicted entity, counted over all batches, and whether the
    entity is correct.

    An entity that begins inside a corpus token has its score there, where the corpus has no tag. It
    is left out.
    """
    is_begin = np.array([label.startswith("B-") for label in tagger.labels])
    gold_tags = (gold for batch in batches for gold in batch.gold)
    positions, correct, sentence_start = [], [], 0
    for tag_ids, (gold, predicted, path) in zip(
        gold_tags, _gold_and_predicted(tagger, batches, paths)
    ):
        corpus_tokens = np.flatnonzero(tag_ids != IGNORE_INDEX)  # first model token of each
        scored = [span for span in predicted if is_begin[path[corpus_tokens[span.start]]]]
        positions += [sentence_start + corpus_tokens[span.start] for span in scored]
        correct += [span in gold for span in scored]
        sentence_start += len(path)
    return np.array(positions, int), np.array(correct, bool)


def _log_loss(probabilities: np.ndarray, targets: np.ndarray, log_odds: float) -> float:
    """The log loss with the odds of all probabilities scaled."""
    scaled = scale_odds(probabilities, np.exp(log_odds))
    return -np.sum(targets * np.log(scaled) + (1 - targets) * np.log1p(-scaled))


def _fit_log_odds(
    probabilities: np.ndarray, targets: np.ndarray, prior: float | None = None
) -> float:
    """Fits the logarithm of the factor on the odds; `prior` is the mean of its normal prior of
    variance one.
    """

    def loss(log_odds: float) -> float:
        penalty = 0.0 if prior is None else (log_odds - prior) ** 2 / 2
        return _log_loss(probabilities, targets, log_odds) + penalty

    return _minimize(loss, _LOG_ODDS)


def _minimize(function: Callable[[float], float], bounds: np.ndarray) -> float:
    options = {"xatol": _TOLERANCE}
    return float(minimize_scalar(function, bounds=bounds, method="bounded", options=options).x)
