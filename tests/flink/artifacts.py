"""Reads the artifacts of a run in a form that can be compared: without the order of records in files."""

import hashlib
from collections import Counter
from pathlib import Path

import pytest


def artifact(workdir: Path, node: str, name: str) -> Path:
    """The folder of a node's only artifact of that name. Raises ValueError if there are several, or there is no artifact."""
    (folder,) = (workdir / "artifacts" / node / name).iterdir()
    return folder


def examples(workdir: Path, node: str, name: str) -> dict[str, Counter]:
    """The count of each example in each split, by a hash of the example."""
    import tensorflow as tf

    def example(record: bytes) -> bytes:
        features = tf.train.Example.FromString(record).features.feature
        digest = hashlib.sha256()
        for feature in sorted(features):
            for part in (feature.encode(), features[feature].SerializeToString()):
                digest.update(len(part).to_bytes(8, "big") + part)
        return digest.digest()[:16]

    splits = {}
    for split in artifact(workdir, node, name).glob("Split-*"):
        records = tf.data.TFRecordDataset(
            [str(path) for path in split.iterdir()], compression_type="GZIP"
        )
        splits[split.name] = Counter(map(example, records.as_numpy_iterator()))
    return splits


def statistics(workdir: Path) -> dict[str, dict]:
    """The statistics of each feature in each split, with a tolerance for means, whose last digits depend on the order."""
    from tensorflow_data_validation import load_stats_binary

    by_split = {}
    for split in artifact(workdir, "StatisticsGen", "statistics").glob("Split-*"):
        (dataset,) = load_stats_binary(str(split / "FeatureStats.pb")).datasets
        by_split[split.name] = {"examples": dataset.num_examples}
        for feature in dataset.features:
            kind = feature.WhichOneof("stats")
            figures = getattr(feature, kind)
            counts = [
                getattr(figures.common_stats, name)
                for name in ("num_non_missing", "num_missing", "tot_num_values")
            ]
            if kind == "num_stats":
                counts += [
                    figures.min,
                    figures.max,
                    pytest.approx(figures.mean),
                    pytest.approx(figures.std_dev),
                ]
            else:
                counts += [figures.unique, pytest.approx(figures.avg_length)]
                counts += (
                    [{value.value: value.frequency for value in figures.top_values[:5]}]
                    if figures.unique < 100
                    else []
                )
            by_split[split.name][".".join(feature.path.step) or feature.name] = counts
    return by_split


def vocabularies(workdir: Path) -> dict[str, bytes]:
    """The vocabulary files of Transform, by name."""
    folder = artifact(workdir, "Transform", "transform_graph") / "transform_fn" / "assets"
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def annotations(output: Path) -> dict[str, bytes]:
    """The shards written by `annotate`, by name."""
    return {path.name: path.read_bytes() for path in output.glob("part-*")}
