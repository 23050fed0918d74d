"""Entity precision, recall and F1 as a TFMA metric over tags, and the results that TFMA stores.

Entities are counted as CoNLL does (exact span and type, over IOB2 after repair), by
`components.ner.scores`. The label is the example's tags, the prediction is the output `tags` of the
signature `examples`.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics import metric_types, metric_util

from components.ingest import features
from components.ner import scores, tags
from components.ner.sentence import SEEN, SEEN_AS_OTHER, UNSEEN

NAME = "entity"
_PARTS = ("precision", "recall", "f1", "support")
_NOVELTY_NAMES = {SEEN: "seen", SEEN_AS_OTHER: "seen_as_other", UNSEEN: "unseen"}


def metric_name(part: str, type_: str = "") -> str:
    """The name of a metric in the evaluation's output.

    >>> metric_name("f1"), metric_name("recall", "PER")
    ('entity_f1', 'entity_recall/PER')
    """
    return f"{NAME}_{part}" + (f"/{type_}" if type_ else "")


@dataclass
class Counts:
    """The accumulator. Novelty says whether train has an entity (`components.ner.sentence`)."""

    per_type: dict[str, scores.PRF] = field(default_factory=dict)
    true: Counter[int] = field(default_factory=Counter)  # true entities by novelty
    correct: Counter[int] = field(default_factory=Counter)  # entities predicted exactly

    def add(self, other: "Counts") -> None:
        """Adds the counts of `other`."""
        self.per_type = scores.add_counts(self.per_type, other.per_type)
        self.true.update(other.true)
        self.correct.update(other.correct)


class EntityScores(tfma.metrics.Metric):
    """Entity scores.

    Computes `entity_f1`, `entity_precision`, `entity_recall` and `entity_support`, over all types
    and for each (`entity_f1/PER`), and `entity_recall_seen`, `entity_recall_seen_as_other` and
    `entity_recall_unseen`, by whether the train split has the entity.
    """

    def __init__(self, name: str = NAME, code: str = ""):
        """Makes the metric.

        Args:
          name: the metric's name for TFMA. The names above do not depend on it.
          code: hash of the sources that the metric depends on; the Evaluator runs again when it
            changes.
        """
        super().__init__(
            metric_util.merge_per_key_computations(_computations), name=name, code=code
        )


def _computations(
    name: str = NAME, code: str = "", model_name: str = "", output_name: str = "", **unused: Any
) -> metric_types.MetricComputations:
    """The metric's computation for one model and output.

    Args:
      name: the metric's name.
      code: its hash.
      model_name: the model, "" if there is only one.
      output_name: the model's output, "" if there is only one.
      unused: TFMA also passes the evaluation's configuration, weights and sub keys, which entity
        scores do not depend on.
    """
    del name, code, unused

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
        # TFMA leaves out a feature without values.
        seen = (element.get_by_key("features") or {}).get(features.SEEN, ())
        novelty_codes = np.ravel(seen).astype(int).tolist()
        accumulator.add(counts_of(_strings(label), _strings(predicted), novelty_codes))
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[Counts]) -> Counts:
        merged = Counts()
        for accumulator in accumulators:
            merged.add(accumulator)
        return merged

    def extract_output(self, accumulator: Counts) -> dict[metric_types.MetricKey, float]:
        return {self._key(name): float(value) for name, value in _named(accumulator)}


def counts_of(gold: list[str], predicted: list[str], seen: list[int]) -> Counts:
    """Counts the entities of one sentence.

    Args:
      gold: the true tags.
      predicted: the predicted tags, filled with "" beyond the sentence's end.
      seen: the novelty of each true entity (`components.ner.sentence`).
    """
    true_spans = tags.spans_of(gold, "IOB2")
    predicted_spans = set(tags.spans_of([tag or "O" for tag in predicted[: len(gold)]], "IOB2"))
    counts = Counts(scores.score(true_spans, predicted_spans))
    counts.true.update(seen)
    counts.correct.update(kind for span, kind in zip(true_spans, seen) if span in predicted_spans)
    return counts


def _named(counts: Counts) -> Iterator[tuple[str, float]]:
    """Yields the values of the metric by name."""
    overall = sum(counts.per_type.values(), scores.PRF())
    for type_, result in (("", overall), *sorted(counts.per_type.items())):
        for part, value in result.as_dict().items():
            yield metric_name(part, type_), value
    for kind, name in _NOVELTY_NAMES.items():
        if counts.true[kind]:
            yield metric_name(f"recall_{name}"), counts.correct[kind] / counts.true[kind]


def _strings(values: Any) -> list[str]:
    return [
        value.decode("utf-8") if isinstance(value, bytes) else str(value)
        for value in np.ravel(values)
    ]


OVERALL: tuple = ()
"""The slice with all sentences."""

Scores = Mapping[str, float]


class Results(NamedTuple):
    """The results of an evaluation: values by slice and metric name."""

    candidate: Mapping[tuple, Scores]  # of the new model
    baseline: Mapping[tuple, Scores]  # of the serving model; empty without one to compare with


def load_results(path: str) -> Results:
    """Loads the results that the Evaluator wrote to the folder `path`."""
    candidate = _load_model_results(path, tfma.CANDIDATE_KEY) or _load_model_results(path, "")
    baseline = _load_model_results(path, tfma.BASELINE_KEY)
    if baseline:
        candidate = {slice_: _without_differences(values) for slice_, values in candidate.items()}
    return Results(candidate, baseline)


def types_in(values: Scores) -> list[str]:
    """The entity types that have scores in a slice, in alphabetical order."""
    prefix = metric_name("f1", "x")[:-1]
    return sorted(name[len(prefix) :] for name in values if name.startswith(prefix))


def parts(values: Scores, type_: str = "") -> dict[str, float]:
    """Precision, recall, F1 and support in a slice, of all types or of one."""
    result = {part: values[metric_name(part, type_)] for part in _PARTS}
    return {**result, "support": int(result["support"])}


def _load_model_results(path: str, model: str) -> dict[tuple, dict[str, float]]:
    """The results of one model; empty if the evaluation does not have that model."""
    result = tfma.load_eval_result(path, model_name=model)
    return {
        tuple(slice_): {name: next(iter(value.values())) for name, value in metrics[""][""].items()}
        for slice_, metrics in result.slicing_metrics or ()
        if metrics
    }


def _without_differences(values: Scores) -> dict[str, float]:
    """Removes the differences between both models that TFMA adds to each metric."""
    return {
        name: value
        for name, value in values.items()
        if name.removesuffix("_diff") not in values.keys() - {name}
    }
