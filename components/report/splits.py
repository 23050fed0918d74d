"""Figures of the splits of a corpus, and their overlap."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import combinations

from components.corpus.counts import CorpusCounts
from components.corpus.findings import unseen_share
from components.ner.sentence import Sentence
from components.report.figures import LengthBin, Overlap, SplitFigures

_BIN_WIDTH = 5  # tokens
_LAST_BIN = 60  # the last bin holds all sentences with more tokens


def split_figures(
    sentences: Mapping[str, Iterable[Sentence]],
) -> tuple[tuple[SplitFigures, ...], tuple[Overlap, ...]]:
    """Computes the figures of each split and the overlap of each pair of splits in one pass.

    Train is read first, because the other splits are compared with it.
    """
    gathered = CorpusCounts(tuple(sentences))
    lengths: dict[str, Counter[int]] = {name: Counter() for name in sentences}
    unknown_tokens: Counter[str] = Counter()
    vocabulary: set[str] = set()
    for name in sorted(sentences, key=lambda name: name != "train"):
        for sentence in sentences[name]:
            gathered.add(name, sentence, None, None)
            lengths[name][len(sentence.tokens)] += 1
            if name == "train":
                vocabulary.update(sentence.tokens)
            else:
                unknown_tokens[name] += sum(token not in vocabulary for token in sentence.tokens)
    figures = tuple(
        _figures(gathered, name, lengths[name], unknown_tokens[name]) for name in sentences
    )
    return figures, tuple(_overlap(gathered, *pair) for pair in combinations(sentences, 2))


def _figures(
    gathered: CorpusCounts, name: str, lengths: Counter[int], unknown_tokens: int
) -> SplitFigures:
    counts = gathered.splits[name]
    return SplitFigures(
        name=name,
        sentences=counts.sentences,
        tokens=counts.tokens,
        entities=counts.entities,
        documents=counts.documents,
        longest=counts.longest,
        types=dict(sorted(counts.types.items())),
        lengths=_length_bins(lengths),
        unknown_tokens=None if name == "train" else unknown_tokens / max(1, counts.tokens),
        unknown_entities=None if name == "train" else unseen_share(gathered, name),
    )


def _length_bins(lengths: Counter[int]) -> tuple[LengthBin, ...]:
    bins: Counter[int] = Counter()
    for length, count in lengths.items():
        bins[min((length - 1) // _BIN_WIDTH * _BIN_WIDTH, _LAST_BIN) + 1] += count
    longest = max(lengths, default=0)
    return tuple(
        LengthBin(low, max(longest, low) if low > _LAST_BIN else low + _BIN_WIDTH - 1, bins[low])
        for low in range(1, min(longest, _LAST_BIN + 1) + 1, _BIN_WIDTH)
    )


def _overlap(gathered: CorpusCounts, left: str, right: str) -> Overlap:
    shared = gathered.overlaps.get((left, right))
    left_surfaces, right_surfaces = gathered.splits[left].surfaces, gathered.splits[right].surfaces
    entities = sum(count for key, count in right_surfaces.items() if key in left_surfaces)
    sentences = shared.count if shared else 0
    return Overlap(
        left=left,
        right=right,
        sentences=sentences,
        sentence_share=sentences / max(1, gathered.splits[right].sentences),
        entities=entities,
        entity_share=entities / max(1, right_surfaces.total()),
    )
