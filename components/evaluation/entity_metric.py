"""Entity precision, recall and F1 as a TFMA metric over tag strings.

Entities count as CoNLL counts them (exact span and type, over IOB2 after repair), by `components.ner.scores`, which is
held equal to seqeval. The label is the example's tags, the prediction the output `tags` of the signature `examples`.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics import metric_types, metric_util

from components.ingest import features
from components.ner import novelty, scores, tags

NAME = "entity"
_PARTS = ("f1", "precision", "recall", "support")
_KINDS = {novelty.SEEN: "seen", novelty.SEEN_AS_OTHER: "seen_as_other", novelty.UNSEEN: "unseen"}


def metric_name(part: str, type_: str = "") -> str:
    """The name of a metric in the evaluation's output.

    >>> metric_name("f1"), metric_name("recall", "PER")
    ('entity_f1', 'entity_recall/PER')
    """
    return f"{NAME}_{part}" + (f"/{type_}" if type_ else "")


@dataclass
class Counts:
    """The accumulator: counts by type, and of the true entities those found, and all, by whether train has them."""

    per_type: dict[str, scores.PRF] = field(default_factory=dict)
    found: dict[int, int] = field(default_factory=dict)
    true: dict[int, int] = field(default_factory=dict)

    def add(self, other: "Counts") -> None:
        for mine, theirs, zero in (
            (self.per_type, other.per_type, scores.PRF()),
            (self.found, other.found, 0),
            (self.true, other.true, 0),
        ):
            for key, value in theirs.items():
                mine[key] = mine.get(key, zero) + value


class EntityScores(tfma.metrics.Metric):
    """Emits `entity_f1`, `entity_precision`, `entity_recall` and `entity_support`, over all types and for each
    (`entity_f1/PER`), and `entity_recall_seen`, `…_seen_as_other` and `…_unseen`, by whether train has the entity.

    Args:
      name: TFMA's; the names above do not depend on it.
      code: a hash of the sources that the metric depends on; a change makes the Evaluator run again.
    """

    def __init__(self, name: str = NAME, code: str = ""):
        super().__init__(
            metric_util.merge_per_key_computations(_computations), name=name, code=code
        )


def _computations(
    name: str = NAME, code: str = "", model_name: str = "", output_name: str = "", **_
) -> metric_types.MetricComputations:
    del name, code

    def key(metric: str) -> metric_types.MetricKey:
        return metric_types.MetricKey(name=metric, model_name=model_name, output_name=output_name)

    return [
        metric_types.MetricComputation(
            keys=[key(metric_name(part)) for part in _PARTS],
            preprocessors=[metric_types.FeaturePreprocessor(feature_keys=[features.SEEN])],
            combiner=_Combiner(key, model_name, output_name),
        )
    ]


class _Combiner(beam.CombineFn):
    def __init__(
        self, key: Callable[[str], metric_types.MetricKey], model_name: str, output_name: str
    ):
        self._key, self._model_name, self._output_name = key, model_name, output_name

    def create_accumulator(self) -> Counts:
        return Counts()

    def add_input(self, accumulator: Counts, element: metric_types.StandardMetricInputs) -> Counts:
        label = element.get_labels(self._model_name, self._output_name)
        predicted = element.get_predictions(self._model_name, self._output_name)["tags"]
        seen = (element.get_by_key("features") or {}).get(
            features.SEEN
        )  # a feature without values is left out
        accumulator.add(
            counts_of(
                _strings(label),
                _strings(predicted),
                [] if seen is None else np.ravel(seen).tolist(),
            )
        )
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[Counts]) -> Counts:
        merged = Counts()
        for accumulator in accumulators:
            merged.add(accumulator)
        return merged

    def extract_output(self, accumulator: Counts) -> dict[metric_types.MetricKey, float]:
        return {self._key(name): float(value) for name, value in _named(accumulator)}


def counts_of(gold: list[str], predicted: list[str], seen: list[int]) -> Counts:
    """The counts of one sentence.

    Args:
      gold: its tags.
      predicted: tags for it, filled with "" beyond its end.
      seen: for each true entity, whether train has it (`components.ner.novelty`).
    """
    true = tags.spans_of(gold, "IOB2")
    found = set(tags.spans_of([tag or "O" for tag in predicted[: len(gold)]], "IOB2"))
    counts = Counts(scores.score(true, found))
    for span, kind in zip(true, seen):
        counts.true[kind] = counts.true.get(kind, 0) + 1
        counts.found[kind] = counts.found.get(kind, 0) + (span in found)
    return counts


def _named(counts: Counts) -> Iterator[tuple[str, float]]:
    overall = sum(counts.per_type.values(), scores.PRF())
    for type_, result in (("", overall), *sorted(counts.per_type.items())):
        for part, value in result.as_dict().items():
            yield metric_name(part, type_), value
    for kind, name in _KINDS.items():
        if counts.true.get(kind):
            yield metric_name(f"recall_{name}"), counts.found[kind] / counts.true[kind]


def _strings(values) -> list[str]:
    return [
        value.decode("utf-8") if isinstance(value, bytes) else str(value)
        for value in np.ravel(values)
    ]
