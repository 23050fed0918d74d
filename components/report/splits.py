"""The corpus in figures: its splits, and what they share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import combinations

from components.corpus.findings import unseen_share
from components.corpus.gather import Gathered
from components.ner.sentence import Sentence
from components.report.figures import LengthBin, Overlap, SplitFigures

_WIDTH, _LAST = 5, 60  # tokens: bins of sentence length, and where the last one begins


def splits(
    sentences: Mapping[str, Iterable[Sentence]],
) -> tuple[tuple[SplitFigures, ...], tuple[Overlap, ...]]:
    """Figures of each split and of each two; one pass, `train` first, for the others are compared with it."""
    gathered = Gathered(tuple(sentences))
    lengths: dict[str, Counter[int]] = {name: Counter() for name in sentences}
    unknown = Counter()
    words: set[str] = set()
    for name in sorted(sentences, key=lambda name: name != "train"):
        for sentence in sentences[name]:
            gathered.add(name, sentence, None, None)
            lengths[name][len(sentence.tokens)] += 1
            if name == "train":
                words.update(sentence.tokens)
            else:
                unknown[name] += sum(token not in words for token in sentence.tokens)
    figures = tuple(_figures(gathered, name, lengths[name], unknown[name]) for name in sentences)
    return figures, tuple(_overlap(gathered, *pair) for pair in combinations(sentences, 2))


def _figures(gathered: Gathered, name: str, lengths: Counter[int], unknown: int) -> SplitFigures:
    counts = gathered.splits[name]
    return SplitFigures(
        name=name,
        sentences=counts.sentences,
        tokens=counts.tokens,
        entities=counts.entities,
        documents=counts.documents,
        longest=counts.longest,
        types=dict(sorted(counts.types.items())),
        lengths=_bins(lengths),
        unknown_tokens=None if name == "train" else unknown / max(1, counts.tokens),
        unknown_entities=None if name == "train" else unseen_share(gathered, name),
    )


def _bins(lengths: Counter[int]) -> tuple[LengthBin, ...]:
    bins: Counter[int] = Counter()
    for length, count in lengths.items():
        bins[min((length - 1) // _WIDTH * _WIDTH, _LAST) + 1] += count
    longest = max(lengths, default=0)
    return tuple(
        LengthBin(low, max(longest, low) if low > _LAST else low + _WIDTH - 1, bins[low])
        for low in range(1, min(longest, _LAST + 1) + 1, _WIDTH)
    )


def _overlap(gathered: Gathered, left: str, right: str) -> Overlap:
    shared = gathered.overlaps.get((left, right))
    known, surfaces = gathered.splits[left].surfaces, gathered.splits[right].surfaces
    entities = sum(count for words, count in surfaces.items() if words in known)
    sentences = shared.count if shared else 0
    return Overlap(
        left=left,
        right=right,
        sentences=sentences,
        sentence_share=sentences / max(1, gathered.splits[right].sentences),
        entities=entities,
        entity_share=entities / max(1, surfaces.total()),
    )
