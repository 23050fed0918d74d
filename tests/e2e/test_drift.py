"""Drift between spans, as TFDV measures it and the contract judges it, on made-up days and on cuts of real corpora."""

from pathlib import Path

import pytest

import components.ner.labels

pytestmark = pytest.mark.slow

CORPORA = Path(__file__).resolve().parents[3] / "shared" / "corpora"


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """The drift between the spans of a corpus, by what it is of; counted as the pipeline counts, without a pipeline."""
    import apache_beam as beam
    import tensorflow_data_validation as tfdv

    from components.corpus.find_corpus import find_corpus
    from components.corpus.reading import ReadOptions, read_corpus
    from components.corpus.window import Choice
    from components.ingest import source
    from components.validation import curated_schema, drift
    from pipeline import graph

    def measure(path, **choice):
        folder = tmp_path_factory.mktemp("examples")
        splits = find_corpus(path, Choice(**choice))
        with beam.Pipeline() as pipeline:
            for split, examples in source.examples_of(pipeline, splits, ReadOptions()).items():
                examples | f"Write[{split}]" >> beam.io.WriteToTFRecord(
                    str(folder / split), file_name_suffix=".gz"
                )
        counted = {
            split: tfdv.generate_statistics_from_tfrecord(
                f"{folder / split}*.gz", stats_options=graph.statistics_options(splits)
            )
            for split in splits.names
        }
        tags = {tag for _, sentence in read_corpus(splits) for tag in sentence.tags}
        found = drift.measure_drift(
            counted,
            None,
            curated_schema.make_schema(components.ner.labels.types_of(tags)),
            "span 9",
        )
        return {one.of: one for one in found}

    return measure


def write(folder, sentences):
    from components.corpus.formats.conll import write_conll

    folder.mkdir(parents=True)
    with (folder / "day.conll").open("w", encoding="utf-8") as file:
        write_conll(file, sentences)


def of_train(name):
    from components.corpus.reading import find_splits, read_split

    if not CORPORA.is_dir():
        pytest.skip(
            "the real corpora are not here: expected a folder shared/corpora beside the project's"
        )
    return list(read_split(find_splits(CORPORA / name), "train"))


@pytest.fixture
def real(tmp_path):
    """A folder of spans from the train split of wnut17, three of 500 sentences each, as they follow one another there, and a
    fourth of what is given.
    """

    def make(fourth=()):
        sentences = of_train("wnut17")
        for number in range(3):
            write(tmp_path / f"span-{number + 1}", sentences[500 * number :][:500])
        if fourth:
            write(tmp_path / "span-4", fourth)
        return tmp_path

    return make


def test_days_of_one_source_do_not_drift(measured, real):
    found = measured(real())
    assert set(found) == {"tags", "token frequencies", "sentence length", "out-of-vocabulary rate"}
    assert not [str(one) for one in found.values() if one.past]
    assert {one.between for one in found.values()} == {"span 9 against those before it"}


def test_another_source_drifts_also_where_it_is_held_out(measured, real):
    """wikigold has many more entities than wnut17, of types that it does not know."""
    found = measured(real(of_train("wikigold")[:500]), held_out=True)
    assert found["tags"].past, found


def test_new_words_are_seen_where_nothing_else_has_changed(measured, real):
    from dataclasses import replace

    swapped = [
        replace(
            sentence,
            tokens=tuple(token[::-1] if len(token) > 3 else token for token in sentence.tokens),
        )
        for sentence in of_train("wnut17")[1_500:2_000]
    ]
    found = measured(real(swapped))
    assert found["out-of-vocabulary rate"].past
    assert not found["tags"].past and not found["sentence length"].past


def counted(**tags):
    """Statistics of a split with these tags, by the name of the slice; all of them together too."""
    from tensorflow_metadata.proto.v0 import statistics_pb2

    result = statistics_pb2.DatasetFeatureStatisticsList()
    for name, values in {
        **tags,
        "All Examples": [tag for group in tags.values() for tag in group],
    }.items():
        one = result.datasets.add(name=name, num_examples=len(values))
        feature = one.features.add(name="tags")
        for value in values:
            feature.string_stats.rank_histogram.buckets.add(label=value)
    return result


@pytest.mark.parametrize(
    ("newest", "earlier", "said"),
    [
        (["O", "B-ORG"], ["O"], " of span 6"),
        (["O", "B-PER"], ["O", "B-ORG"], " before span 6"),
        (["O", "B-PER"], ["O"], ""),
    ],
)
def test_the_span_with_an_unknown_tag_is_named(newest, earlier, said):
    from components.validation.data_gate import span_with_other_tags

    known = frozenset(("O", "B-PER", "I-PER"))
    found = counted(arrival_newest=newest, arrival_earlier=earlier)
    assert span_with_other_tags(found, known, "span 6") == said
    assert span_with_other_tags(found, known, "") == ""


def test_an_unknown_tag_is_of_the_only_span_there_is():
    from components.validation.data_gate import span_with_other_tags

    assert span_with_other_tags(counted(rest=["B-ORG"]), frozenset("O"), "span 6") == " of span 6"


def test_one_span_alone_has_nothing_to_drift_from():
    from components.validation import curated_schema, drift

    splits = {"train": counted(rest=["O", "B-PER"]), "dev": counted(rest=["O"])}
    assert drift.measure_drift(splits, None, curated_schema.make_schema(["PER"]), "span 6") == ()
