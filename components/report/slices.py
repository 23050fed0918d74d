"""Where the score comes from: the same entities, cut in several ways."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

from components.ner import novelty as known_or_not
from components.ner.lengths import CLASSES, length_class
from components.ner.novelty import KnownEntities, novelty, surface
from components.ner.scores import PRF, score
from components.ner.sentence import Sentence, Span
from components.report.figures import Score, Slice, Slices
from components.report.predictions import Prediction

_NOVELTY = {
    known_or_not.SEEN: "seen in train",
    known_or_not.SEEN_AS_OTHER: "seen with another type",
    known_or_not.UNSEEN: "unseen",
}
_UPPER, _LOWER, _TITLE, _MIXED, _NONE = (
    "ALL UPPER",
    "all lower",
    "Title Case",
    "mixed case",
    "no upper or lower case",
)
_LONGEST = 4


def slices(predictions: Sequence[Prediction], known: KnownEntities) -> Slices:
    """The score in each part; `known` has the entities of train.

    A found entity belongs to a part by its own words and type, as a true one does, so that a part has a precision too.
    """
    return Slices(
        novelty=_by_entity(
            predictions,
            lambda sentence, span: _NOVELTY[novelty(known, sentence.tokens, span)],
            tuple(_NOVELTY.values()),
        ),
        case=_by_entity(
            predictions,
            lambda sentence, span: case_of(surface(sentence.tokens, span)),
            (_UPPER, _LOWER, _TITLE, _MIXED, _NONE),
        ),
        entity_length=_by_entity(
            predictions,
            lambda _, span: _length(min(span.end - span.start, _LONGEST)),
            tuple(_length(tokens) for tokens in range(1, _LONGEST + 1)),
        ),
        sentence_length=_by_sentence(predictions),
    )


def case_of(words: str) -> str:
    """The class of an entity's upper and lower case.

    >>> case_of("NATO"), case_of("New York"), case_of("iPhone"), case_of("42")
    ('ALL UPPER', 'Title Case', 'mixed case', 'no upper or lower case')
    """
    if words.isupper():
        return _TITLE if len(words) == 1 else _UPPER
    if words.islower():
        return _LOWER
    if words.istitle():
        return _TITLE
    return _MIXED if words.upper() != words.lower() else _NONE


def _length(tokens: int) -> str:
    plural = "s" if tokens > 1 else ""
    return f"{tokens} token{plural}" + (" or more" if tokens == _LONGEST else "")


def _by_entity(
    predictions: Sequence[Prediction],
    part_of: Callable[[Sentence, Span], str],
    order: Sequence[str],
) -> tuple[Slice, ...]:
    counts: dict[str, PRF] = defaultdict(PRF)
    for prediction in predictions:
        gold, found = map(set, prediction.pair)
        for spans, one in (
            (gold & found, PRF(tp=1)),
            (found - gold, PRF(fp=1)),
            (gold - found, PRF(fn=1)),
        ):
            for span in spans:
                counts[part_of(prediction.sentence, span)] += one
    return tuple(Slice(name, Score.of(counts[name])) for name in order if name in counts)


def _by_sentence(predictions: Sequence[Prediction]) -> tuple[Slice, ...]:
    counts: dict[str, PRF] = defaultdict(PRF)
    sentences: dict[str, int] = defaultdict(int)
    for prediction in predictions:
        name = length_class(len(prediction.sentence.tokens))
        sentences[name] += 1
        counts[name] += sum(score(*prediction.pair).values(), PRF())
    return tuple(
        Slice(name, Score.of(counts[name]), sentences[name]) for name in CLASSES if sentences[name]
    )
