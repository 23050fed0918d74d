"""The model card (Mitchell et al. 2019): what the model is, what it is for, how good it was on what, and its limits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict

from components.corpus.findings import FEW_MEASURED, LITTLE_NEW, MUCH_OVERLAP
from components.report.figures import (
    Considerations,
    Data,
    DataSet,
    Evaluation,
    Metric,
    ModelCard,
    ModelDetails,
)
from components.settings import Card, Model

_TOKENISATION = (
    "Text is cut into runs of letters and digits and single other characters; characters of scripts without spaces"
    " stand alone."
)
_MUCH_APART = 0.1  # F1 between entities that train has and those it has not
_MUCH_OFF = 0.1  # of the scores of entities


def model_card(
    name: str,
    version: str,
    date: str,
    corpus: str,
    data_hash: str,
    sizes: Model,
    said: Card,
    evaluation: Evaluation,
    data: Data,
) -> ModelCard:
    """The card of a model.

    Args:
      name: the model's name where it is served.
      version: the number it was published under, "" if it was not.
      date: of the run (ISO 8601).
      corpus: what its user calls the corpus.
      data_hash: of the corpus.
      sizes: the tagger's.
      said: what its owner says.
      evaluation, data: the figures.
    """
    types = tuple(one.type for one in evaluation.types)
    return ModelCard(
        details=ModelDetails(
            name=name,
            version=version,
            date=date,
            overview=f"Finds entities of {len(types)} types in text, with their places and probabilities.",
            architecture=_architecture(sizes),
            types=types,
            tokenisation=_TOKENISATION,
            licence=said.licence,
            contact=said.contact,
        ),
        training_data=_data_set(corpus, "train", data, data_hash),
        evaluation_data=_data_set(corpus, evaluation.split, data, data_hash),
        metrics=tuple(_metrics(evaluation)),
        considerations=Considerations(
            said.intended_use, said.limits, tuple(_caveats(evaluation, data))
        ),
    )


def as_json(card: ModelCard) -> str:
    """The card under the section names of the paper."""
    return (
        json.dumps(
            {
                "model_details": asdict(card.details),
                "intended_use": card.considerations.intended_use,
                "metrics": [asdict(metric) for metric in card.metrics],
                "evaluation_data": asdict(card.evaluation_data),
                "training_data": asdict(card.training_data),
                "ethical_considerations": card.considerations.limits,
                "caveats_and_recommendations": list(card.considerations.caveats),
            },
            ensure_ascii=False,
            indent=1,
        )
        + "\n"
    )


def _architecture(sizes: Model) -> str:
    layers = f"{sizes.lstm_layers} layers, " if sizes.lstm_layers > 1 else ""
    output = "a CRF" if sizes.output == "crf" else "a softmax"
    return (
        f"BiLSTM ({layers}{sizes.lstm_units} units in each direction) with {output}, over words ({sizes.word_dimensions}"
        f" dimensions), a character CNN ({sizes.character_filters} filters), word shapes, affixes and the mark a word is"
        " joined to"
    )


def _data_set(corpus: str, split: str, data: Data, data_hash: str) -> DataSet:
    [found] = (one for one in data.splits if one.name == split)
    return DataSet(corpus, split, found.sentences, found.tokens, found.entities, data_hash)


def _metrics(evaluation: Evaluation) -> Iterator[Metric]:
    overall = evaluation.overall
    for name in ("precision", "recall"):
        yield Metric(name, "all", getattr(overall, name), support=overall.support)
    yield Metric("F1", "all", overall.f1, evaluation.interval, overall.support)
    for one in evaluation.types:
        yield Metric("F1", one.type, one.score.f1, one.interval, one.score.support)
    for part in evaluation.slices.novelty:
        yield Metric("F1", part.name, part.score.f1, support=part.score.support)
    yield Metric("expected calibration error", "all", evaluation.reliability.error)


def _caveats(evaluation: Evaluation, data: Data) -> Iterator[str]:
    """What the figures warn of."""
    yield (
        f"Measured on {evaluation.sentences:,} sentences of {evaluation.split}: on text of another kind it is to be expected"
        " to do worse."
    )
    few = [one.type for one in evaluation.types if one.score.support < FEW_MEASURED]
    if few:
        yield f"Fewer than {FEW_MEASURED} entities to measure on, so that the score is mostly chance: {', '.join(few)}."
    never = [one.type for one in evaluation.types if one.score.support and not one.score.tp]
    if never:
        yield f"Never found rightly: {', '.join(never)}."
    by_novelty = {part.name: part.score for part in evaluation.slices.novelty}
    seen, unseen = by_novelty.get("seen in train"), by_novelty.get("unseen")
    if seen and unseen and seen.f1 - unseen.f1 > _MUCH_APART:
        yield f"Entities that train has not are found worse: F1 {unseen.f1:.2f}, against {seen.f1:.2f} of those it has."
    measured = next(one for one in data.splits if one.name == evaluation.split)
    if (
        measured.unknown_entities is not None
        and measured.entities
        and measured.unknown_entities < LITTLE_NEW
    ):
        yield f"Only {measured.unknown_entities:.0%} of the entities measured on are new: the score says little about new names."
    for one in data.overlaps:
        if (one.left, one.right) == (
            "train",
            evaluation.split,
        ) and one.sentence_share > MUCH_OVERLAP:
            yield f"{one.sentence_share:.0%} of the sentences measured on are in train too: the score flatters."
    if evaluation.reliability.is_off_by(_MUCH_OFF):
        yield f"The scores of entities are off by {evaluation.reliability.error:.2f} on average: they are no probabilities."
