"""The model card (Mitchell et al. 2019): description, intended use, metrics and caveats."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict

from components.corpus.findings import FEW_MEASURED, LITTLE_NEW, MUCH_OVERLAP
from components.ner.granularity import WORDS, Granularity
from components.report.figures import (
    Considerations,
    Data,
    DataSet,
    Evaluation,
    Metric,
    ModelCard,
    ModelDetails,
    SplitFigures,
    Verdict,
)
from components.settings import Card, Model

_TOKENISATION = (
    "Text is split into runs of letters and digits and single other characters. Characters of"
    " scripts without spaces are single tokens."
)
_NOVELTY_GAP = 0.1  # difference in F1 between seen and unseen entities that deserves a caveat
_CALIBRATION_ERROR = 0.1  # expected calibration error that deserves a caveat


def model_card(
    verdict: Verdict,
    version: str,
    data_hash: str,
    settings: Model,
    owner: Card,
    evaluation: Evaluation,
    data: Data,
    granularity: Granularity = WORDS,
) -> ModelCard:
    """Builds the card of a model.

    Args:
      verdict: the result of the run.
      version: the version it was published under; "" if it was not published.
      data_hash: hash of the corpus.
      settings: the tagger's settings.
      owner: the owner's statements.
      evaluation: the figures of the evaluation.
      data: the figures of the corpus.
      granularity: how fine the model's tokens are.
    """
    types = tuple(figures.type for figures in evaluation.types)
    return ModelCard(
        details=ModelDetails(
            name=verdict.model,
            version=version,
            date=verdict.began,
            overview=(
                f"Finds entities of {len(types)} types in text, with their positions and"
                " probabilities."
            ),
            architecture=_architecture(settings),
            types=types,
            tokenisation=_TOKENISATION
            if granularity == WORDS
            else f"{_TOKENISATION} This model's tokens are finer: {granularity.description}.",
            licence=owner.licence,
            contact=owner.contact,
        ),
        training_data=_data_set(verdict.corpus, "train", data, data_hash),
        evaluation_data=_data_set(verdict.corpus, evaluation.split, data, data_hash),
        metrics=tuple(_metrics(evaluation)),
        considerations=Considerations(
            owner.intended_use, owner.limits, tuple(_caveats(evaluation, data))
        ),
    )


def as_json(card: ModelCard) -> str:
    """Returns the card as JSON, under the section names of the paper."""
    sections = {
        "model_details": asdict(card.details),
        "intended_use": card.considerations.intended_use,
        "metrics": [asdict(metric) for metric in card.metrics],
        "evaluation_data": asdict(card.evaluation_data),
        "training_data": asdict(card.training_data),
        "ethical_considerations": card.considerations.limits,
        "caveats_and_recommendations": list(card.considerations.caveats),
    }
    return json.dumps(sections, ensure_ascii=False, indent=1) + "\n"


def _architecture(settings: Model) -> str:
    layers = f"{settings.lstm_layers} layers, " if settings.lstm_layers > 1 else ""
    output = "a CRF" if settings.output == "crf" else "a softmax"
    return (
        f"BiLSTM ({layers}{settings.lstm_units} units in each direction) with {output}, over word"
        f" embeddings ({settings.word_dimensions} dimensions), a character CNN"
        f" ({settings.character_filters} filters), word shapes, affixes and the preceding character"
    )


def _split(data: Data, name: str) -> SplitFigures:
    return next(figures for figures in data.splits if figures.name == name)


def _data_set(corpus: str, split: str, data: Data, data_hash: str) -> DataSet:
    figures = _split(data, split)
    return DataSet(corpus, split, figures.sentences, figures.tokens, figures.entities, data_hash)


def _metrics(evaluation: Evaluation) -> Iterator[Metric]:
    overall = evaluation.overall
    for name in ("precision", "recall"):
        yield Metric(name, "all", getattr(overall, name), support=overall.support)
    yield Metric("F1", "all", overall.f1, evaluation.interval, overall.support)
    for figures in evaluation.types:
        yield Metric("F1", figures.type, figures.score.f1, figures.interval, figures.score.support)
    for novelty in evaluation.slices.novelty:
        yield Metric("F1", novelty.name, novelty.score.f1, support=novelty.score.support)
    yield Metric("expected calibration error", "all", evaluation.reliability.error)


def _caveats(evaluation: Evaluation, data: Data) -> Iterator[str]:
    """Yields the caveats that follow from the figures."""
    yield (
        f"Measured on {evaluation.sentences:,} sentences of {evaluation.split}. Expect lower scores"
        " on other kinds of text."
    )
    scores = {figures.type: figures.score for figures in evaluation.types}
    few = [name for name, score in scores.items() if score.support < FEW_MEASURED]
    if few:
        yield (
            f"These types have fewer than {FEW_MEASURED} entities in {evaluation.split}, so their"
            f" scores are mostly chance: {', '.join(few)}."
        )
    never = [name for name, score in scores.items() if score.support and not score.tp]
    if never:
        yield f"The model never recognises these types correctly: {', '.join(never)}."
    by_novelty = {novelty.name: novelty.score for novelty in evaluation.slices.novelty}
    seen, unseen = by_novelty.get("seen in train"), by_novelty.get("unseen")
    if seen and unseen and seen.f1 - unseen.f1 > _NOVELTY_GAP:
        yield (
            f"Entities that do not occur in train are recognised less well: F1 {unseen.f1:.2f}"
            f" instead of {seen.f1:.2f}."
        )
    measured = _split(data, evaluation.split)
    new = measured.unknown_entities
    if new is not None and measured.entities and new < LITTLE_NEW:
        yield (
            f"Only {new:.0%} of the evaluated entities are new, so the score says little about new"
            " names."
        )
    shares = {(overlap.left, overlap.right): overlap.sentence_share for overlap in data.overlaps}
    shared = shares.get(("train", evaluation.split), 0)
    if shared > MUCH_OVERLAP:
        yield (
            f"{shared:.0%} of the evaluated sentences also occur in train, so the score is too"
            " high."
        )
    if evaluation.reliability.exceeds(_CALIBRATION_ERROR):
        yield (
            "The scores of entities are not probabilities: their expected calibration error is"
            f" {evaluation.reliability.error:.2f}."
        )
