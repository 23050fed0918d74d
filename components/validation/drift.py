"""Drift: how far the data lies from what came before it, by TFDV's measures and the thresholds in the contract."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from components.ingest import features
from components.validation import statistics

_FILE = "drift.json"
_NAMES = {
    features.TAGS: "tags",
    features.TOKENS: "token frequencies",
    features.LENGTH: "sentence length",
    features.FAMILIAR: "out-of-vocabulary rate",
}
_Measurement = anomalies_pb2.DriftSkewInfo.Measurement
_MEASURES = {
    _Measurement.L_INFTY: "L-infinity norm",
    _Measurement.JENSEN_SHANNON_DIVERGENCE: "Jensen-Shannon divergence",
    _Measurement.NORMALIZED_ABSOLUTE_DIFFERENCE: "normalised absolute difference",
}


@dataclass(frozen=True)
class Drift:
    """How far the distribution of `of` lies from what it was; `between` says of what and what."""

    of: str
    measure: str
    value: float
    threshold: float
    between: str

    @property
    def past(self) -> bool:
        """Whether it is more than the contract allows."""
        return self.value > self.threshold

    def __str__(self) -> str:
        return f"{self.of}: {self.measure} {self.value:.4f}, at most {self.threshold:g} is allowed"


def measure(
    current: Mapping[str, statistics.Statistics],
    accepted: Mapping[str, statistics.Statistics] | None,
    schema: schema_pb2.Schema,
    newest: str,
) -> tuple[Drift, ...]:
    """The drift of what has a threshold in the schema; none where there is nothing to compare with.

    The newest span is compared with those before it. Its out-of-vocabulary rate, of words that their train lacks, is compared
    with that of their dev. Without several spans, train is compared with that of the data accepted before.

    Args:
      current: statistics of the data at hand, by split, with slices by arrival where it is of several spans.
      accepted: statistics of the data accepted before, by split.
      schema: the contract.
      newest: the newest span.
    """
    new, earlier = (
        {split: statistics.of_arrival(one, arrival) for split, one in current.items()}
        for arrival in (features.NEWEST, features.EARLIER)
    )
    of_new, before = (
        new["train"] or new.get("test"),
        earlier["train"],
    )  # all in test if it is held out
    if of_new and before:
        before = (
            _with_feature(before, earlier["dev"], features.FAMILIAR) if earlier["dev"] else before
        )
        return _measured(of_new, before, schema, f"{newest} against those before it")
    if accepted:
        return _measured(
            current["train"], accepted["train"], schema, "train against the run before"
        )
    return ()


def _measured(
    current: statistics.Statistics,
    before: statistics.Statistics,
    schema: schema_pb2.Schema,
    between: str,
) -> tuple[Drift, ...]:
    found = tfdv.validate_statistics(current, schema, previous_statistics=before)
    return tuple(
        Drift(
            _NAMES.get(name, name),
            _MEASURES.get(one.type, "distance"),
            one.value,
            one.threshold,
            between,
        )
        for name, one in sorted(
            (".".join(info.path.step), one)
            for info in found.drift_skew_info
            for one in info.drift_measurements
        )
    )


def _with_feature(
    target: statistics.Statistics, source: statistics.Statistics, name: str
) -> statistics.Statistics:
    """The statistics with one feature's from others."""
    result = statistics.Statistics()
    result.CopyFrom(target)
    result.datasets[0].features.extend(
        feature
        for feature in source.datasets[0].features
        if name in (feature.name, *feature.path.step)
    )
    return result


def write(drifts: tuple[Drift, ...], folder: str | Path) -> None:
    """Keeps them in a folder."""
    Path(folder, _FILE).write_text(
        json.dumps([asdict(one) for one in drifts], indent=1) + "\n", encoding="utf-8"
    )


def read(folder: str | Path) -> tuple[Drift, ...]:
    """Those kept in a folder."""
    path = Path(folder, _FILE)
    return (
        tuple(Drift(**one) for one in json.loads(path.read_text(encoding="utf-8")))
        if path.exists()
        else ()
    )
