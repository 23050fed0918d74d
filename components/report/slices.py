"""Scores of subsets of the entities and sentences."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

from components.ner import novelty as novelty_codes
from components.ner.novelty import KnownEntities, novelty, surface
from components.ner.scores import PRF, score
from components.ner.sentence import LENGTH_CLASSES, Sentence, Span, length_class
from components.report.alignment import Prediction
from components.report.figures import Score, Slice, Slices

_NOVELTY_NAMES = {
    novelty_codes.SEEN: "seen in train",
    novelty_codes.SEEN_AS_OTHER: "seen with another type",
    novelty_codes.UNSEEN: "unseen",
}
_UPPER = "ALL UPPER"
_LOWER = "all lower"
_TITLE = "Title Case"
_MIXED = "mixed case"
_CASELESS = "no upper or lower case"
_LONGEST = 4  # entities with this many tokens or more form one subset


def slices(predictions: Sequence[Prediction], known: KnownEntities) -> Slices:
    """Computes the scores of all subsets.

    A predicted entity belongs to a subset by its own words and type, so every subset has a
    precision too.

    Args:
      predictions: one for each sentence.
      known: the entities of train.
    """
    return Slices(
        novelty=_by_entity(
            predictions,
            lambda sentence, span: _NOVELTY_NAMES[novelty(known, sentence.tokens, span)],
            tuple(_NOVELTY_NAMES.values()),
        ),
        case=_by_entity(
            predictions,
            lambda sentence, span: case_of(surface(sentence.tokens, span)),
            (_UPPER, _LOWER, _TITLE, _MIXED, _CASELESS),
        ),
        entity_length=_by_entity(
            predictions,
            lambda _, span: _length_name(min(span.end - span.start, _LONGEST)),
            tuple(_length_name(tokens) for tokens in range(1, _LONGEST + 1)),
        ),
        sentence_length=_by_sentence(predictions),
    )


def case_of(words: str) -> str:
    """Classifies the upper and lower case of an entity.

    >>> case_of("NATO"), case_of("New York"), case_of("iPhone"), case_of("42")
    ('ALL UPPER', 'Title Case', 'mixed case', 'no upper or lower case')
    """
    if words.isupper():
        return _TITLE if len(words) == 1 else _UPPER
    if words.islower():
        return _LOWER
    if words.istitle():
        return _TITLE
    return _MIXED if words.upper() != words.lower() else _CASELESS


def _length_name(tokens: int) -> str:
    plural = "s" if tokens > 1 else ""
    return f"{tokens} token{plural}" + (" or more" if tokens == _LONGEST else "")


def _by_entity(
    predictions: Sequence[Prediction],
    subset_of: Callable[[Sentence, Span], str],
    order: Sequence[str],
) -> tuple[Slice, ...]:
    counts: dict[str, PRF] = defaultdict(PRF)
    for prediction in predictions:
        gold, predicted = map(set, prediction.gold_and_predicted)
        for spans, increment in (
            (gold & predicted, PRF(tp=1)),
            (predicted - gold, PRF(fp=1)),
            (gold - predicted, PRF(fn=1)),
        ):
            for span in spans:
                counts[subset_of(prediction.sentence, span)] += increment
    return tuple(Slice(name, Score.of(counts[name])) for name in order if name in counts)


def _by_sentence(predictions: Sequence[Prediction]) -> tuple[Slice, ...]:
    counts: dict[str, PRF] = defaultdict(PRF)
    sentences: dict[str, int] = defaultdict(int)
    for prediction in predictions:
        name = length_class(len(prediction.sentence.tokens))
        sentences[name] += 1
        counts[name] += sum(score(*prediction.gold_and_predicted).values(), PRF())
    return tuple(
        Slice(name, Score.of(counts[name]), sentences[name])
        for name in LENGTH_CLASSES
        if sentences[name]
    )
