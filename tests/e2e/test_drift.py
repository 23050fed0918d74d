"""Drift between spans, as TFDV measures it and the curated schema limits it, on synthetic and real spans."""

from pathlib import Path

import pytest

import components.ner.tags

pytestmark = pytest.mark.slow

CORPORA = Path(__file__).resolve().parents[3] / "shared" / "corpora"


@pytest.fixture(scope="module")
def measure_drift(tmp_path_factory):
    """A function that measures the drift between the spans of a corpus, by feature, as the pipeline does."""
    import apache_beam as beam
    import tensorflow_data_validation as tfdv

    from components.corpus.find_corpus import Choice, find_corpus
    from components.corpus.reading import ReadOptions, read_corpus
    from components.ingest import source
    from components.validation import curated_schema, data_gate
    from pipeline import graph

    def measure(path, **choice):
        folder = tmp_path_factory.mktemp("examples")
        splits = find_corpus(path, Choice(**choice))
        with beam.Pipeline() as pipeline:
            for split, examples in source.examples_of(pipeline, splits, ReadOptions()).items():
                examples | f"Write[{split}]" >> beam.io.WriteToTFRecord(
                    str(folder / split), file_name_suffix=".gz"
                )
        statistics = {
            split: tfdv.generate_statistics_from_tfrecord(
                f"{folder / split}*.gz", stats_options=graph.statistics_options(splits)
            )
            for split in splits.names
        }
        tags = {tag for _, sentence in read_corpus(splits) for tag in sentence.tags}
        measurements = data_gate.measure_drift(
            statistics,
            None,
            curated_schema.make_schema(components.ner.tags.types_of(tags)),
            "span 9",
        )
        return {measurement.of: measurement for measurement in measurements}

    return measure


def write(folder, sentences):
    from components.corpus.formats.conll import write_conll

    folder.mkdir(parents=True)
    with (folder / "day.conll").open("w", encoding="utf-8") as file:
        write_conll(file, sentences)


def train_sentences(name):
    from components.corpus.reading import read_split
    from components.corpus.splits import find_splits

    if not CORPORA.is_dir():
        pytest.skip(
            "the real corpora are not here: expected a folder shared/corpora beside the project's"
        )
    return list(read_split(find_splits(CORPORA / name), "train"))


@pytest.fixture
def write_spans(tmp_path):
    """A function that writes three consecutive spans of 500 sentences of wnut17, and a fourth with given sentences."""

    def make(fourth=()):
        sentences = train_sentences("wnut17")
        for index in range(3):
            write(tmp_path / f"span-{index + 1}", sentences[500 * index :][:500])
        if fourth:
            write(tmp_path / "span-4", fourth)
        return tmp_path

    return make


def test_spans_of_one_source_do_not_drift(measure_drift, write_spans):
    drift = measure_drift(write_spans())
    assert set(drift) == {"tags", "token frequencies", "sentence length", "out-of-vocabulary rate"}
    assert not [str(entry) for entry in drift.values() if entry.past]
    assert {entry.between for entry in drift.values()} == {"span 9 against the spans before it"}


def test_a_held_out_span_of_another_source_drifts(measure_drift, write_spans):
    """wikigold has many more entities than wnut17, and types that wnut17 does not have."""
    drift = measure_drift(write_spans(train_sentences("wikigold")[:500]), held_out=True)
    assert drift["tags"].past, drift


def test_new_words_alone_change_only_the_out_of_vocabulary_rate(measure_drift, write_spans):
    from dataclasses import replace

    swapped = [
        replace(
            sentence,
            tokens=tuple(token[::-1] if len(token) > 3 else token for token in sentence.tokens),
        )
        for sentence in train_sentences("wnut17")[1_500:2_000]
    ]
    drift = measure_drift(write_spans(swapped))
    assert drift["out-of-vocabulary rate"].past
    assert not drift["tags"].past and not drift["sentence length"].past


def tag_statistics(**tags):
    """Statistics of a split with the given tags per slice, and of all slices together."""
    from tensorflow_metadata.proto.v0 import statistics_pb2

    result = statistics_pb2.DatasetFeatureStatisticsList()
    for name, values in {
        **tags,
        "All Examples": [tag for group in tags.values() for tag in group],
    }.items():
        dataset = result.datasets.add(name=name, num_examples=len(values))
        feature = dataset.features.add(name="tags")
        for value in values:
            feature.string_stats.rank_histogram.buckets.add(label=value)
    return result


@pytest.mark.parametrize(
    ("newest", "earlier", "expected"),
    [
        (["O", "B-ORG"], ["O"], " of span 6"),
        (["O", "B-PER"], ["O", "B-ORG"], " before span 6"),
        (["O", "B-PER"], ["O"], ""),
    ],
)
def test_the_span_with_an_unknown_tag_is_named(newest, earlier, expected):
    from components.validation.data_gate import span_with_other_tags

    known = frozenset(("O", "B-PER", "I-PER"))
    statistics = tag_statistics(arrival_newest=newest, arrival_earlier=earlier)
    assert span_with_other_tags(statistics, known, "span 6") == expected
    assert span_with_other_tags(statistics, known, "") == ""


def test_an_unknown_tag_is_attributed_to_the_only_span():
    from components.validation.data_gate import span_with_other_tags

    assert (
        span_with_other_tags(tag_statistics(rest=["B-ORG"]), frozenset("O"), "span 6")
        == " of span 6"
    )


def test_a_single_span_has_no_drift():
    from components.validation import curated_schema, data_gate

    splits = {"train": tag_statistics(rest=["O", "B-PER"]), "dev": tag_statistics(rest=["O"])}
    assert (
        data_gate.measure_drift(splits, None, curated_schema.make_schema(["PER"]), "span 6") == ()
    )
