"""What two runs left in their artifacts, in a form in which equal is equal: in no order, as files have none."""

import hashlib
from collections import Counter
from pathlib import Path

import pytest


def artifact(workdir: Path, node: str, name: str) -> Path:
    """The folder of the one artifact of that name. Raises ValueError where there are more, or none."""
    (folder,) = (workdir / "artifacts" / node / name).iterdir()
    return folder


def examples(workdir: Path, node: str, name: str) -> dict[str, Counter]:
    """How often each example, by a hash of it, is in each split."""
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
    """What was counted of each feature in each split; sums of fractions depend on their order in the last digits."""
    from tensorflow_data_validation import load_stats_binary

    counted = {}
    for split in artifact(workdir, "StatisticsGen", "statistics").glob("Split-*"):
        (found,) = load_stats_binary(str(split / "FeatureStats.pb")).datasets
        counted[split.name] = {"examples": found.num_examples}
        for feature in found.features:
            common = feature.WhichOneof("stats")
            figures = getattr(feature, common)
            counts = [
                getattr(figures.common_stats, name)
                for name in ("num_non_missing", "num_missing", "tot_num_values")
            ]
            if common == "num_stats":
                counts += [
                    figures.min,
                    figures.max,
                    pytest.approx(figures.mean),
                    pytest.approx(figures.std_dev),
                ]
            else:
                counts += [figures.unique, pytest.approx(figures.avg_length)]
                counts += (
                    [{one.value: one.frequency for one in figures.top_values[:5]}]
                    if figures.unique < 100
                    else []
                )
            counted[split.name][".".join(feature.path.step) or feature.name] = counts
    return counted


def vocabularies(workdir: Path) -> dict[str, bytes]:
    """The files of Transform's vocabularies."""
    folder = artifact(workdir, "Transform", "transform_graph") / "transform_fn" / "assets"
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def annotations(output: Path) -> dict[str, bytes]:
    """The files that `annotate` wrote."""
    return {path.name: path.read_bytes() for path in output.glob("part-*")}
