"""Figures of the corpus: its splits, their overlap, and what TensorFlow Data Validation found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations

from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2

from components.corpus.counts import CorpusCounts
from components.corpus.findings import unseen_share
from components.ner.sentence import Sentence
from components.report.figures import Anomaly, FeatureStatistics, LengthBin, Overlap, SplitFigures

_BIN_WIDTH = 5  # tokens
_LAST_BIN = 60  # the last bin holds all sentences with more tokens
_TOP_VALUES = 10


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
        SplitFigures(
            name=name,
            sentences=counts.sentences,
            tokens=counts.tokens,
            entities=counts.entities,
            documents=counts.documents,
            longest=counts.longest,
            types=dict(sorted(counts.types.items())),
            lengths=_length_bins(lengths[name]),
            unknown_tokens=(
                None if name == "train" else unknown_tokens[name] / max(1, counts.tokens)
            ),
            unknown_entities=None if name == "train" else unseen_share(gathered, name),
        )
        for name, counts in gathered.splits.items()
    )
    return figures, tuple(_overlap(gathered, *pair) for pair in combinations(sentences, 2))


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


def anomaly_figures(splits: Mapping[str, anomalies_pb2.Anomalies]) -> Iterator[Anomaly]:
    """Yields the anomalies of each split, one for each reason."""
    for split, anomalies in splits.items():
        for feature, info in sorted(anomalies.anomaly_info.items()):
            for reason in info.reason:
                yield Anomaly(split, feature, reason.description.strip())
        if anomalies.HasField("dataset_anomaly_info"):
            yield Anomaly(split, "", anomalies.dataset_anomaly_info.description.strip())


def statistics_figures(
    splits: Mapping[str, statistics_pb2.DatasetFeatureStatisticsList],
) -> Iterator[FeatureStatistics]:
    """Yields the statistics of each feature in each split."""
    for split, statistics in splits.items():
        # The largest data set is the whole split; the others are slices of it.
        whole = max(statistics.datasets, key=lambda dataset: dataset.num_examples)
        for feature in whole.features:
            strings = feature.string_stats if feature.HasField("string_stats") else None
            common = (strings or feature.num_stats).common_stats
            yield FeatureStatistics(
                split=split,
                feature=feature.name or ".".join(feature.path.step),
                present=common.num_non_missing,
                missing=common.num_missing,
                values=common.tot_num_values,
                unique=strings.unique if strings else None,
                mean_values=common.avg_num_values,
                top={
                    value.value: int(value.frequency)
                    for value in (strings.top_values[:_TOP_VALUES] if strings else ())
                },
            )
