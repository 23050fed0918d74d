"""The pipeline graphs of the Flink runner: sources are expanded and their files shuffled; the records stay the same."""

import pytest

SHUFFLE, READ, PAR_DO = (
    f"beam:transform:{name}:v1"
    for name in ("reshuffle", "sdf_process_sized_element_and_restrictions", "pardo")
)


@pytest.fixture
def graph(tmp_path):
    """A pipeline that reads two sources of three files each, counts their records by length, and writes the counts."""
    import apache_beam as beam
    from apache_beam.transforms.environments import EmbeddedPythonEnvironment

    for name in ("a", "b"):
        for number in range(3):
            records = [name.encode() * length for length in range(1, 4 + number)]
            with beam.Pipeline("FnApiRunner") as writing:
                _ = (
                    writing
                    | beam.Create(records)
                    | beam.io.WriteToTFRecord(
                        str(tmp_path / f"{name}-{number}.gz"), shard_name_template=""
                    )
                )
    pipeline = beam.Pipeline()
    both = [
        pipeline | name >> beam.io.ReadFromTFRecord(str(tmp_path / f"{name}-*"))
        for name in ("a", "b")
    ]
    lengths = both | beam.Flatten() | beam.Map(len) | beam.combiners.Count.PerElement()
    _ = (
        lengths
        | beam.Map(str)
        | beam.io.WriteToText(str(tmp_path / "counts"), shard_name_template="")
    )
    return pipeline.to_runner_api(default_environment=EmbeddedPythonEnvironment.default())


@pytest.fixture
def shuffled_graph(graph):
    from components.compat.beam_private import shuffle_files_of_sources

    return shuffle_files_of_sources(graph)


def test_files_are_shuffled_between_listing_and_reading(shuffled_graph):
    producers = {
        collection: transform
        for transform in shuffled_graph.components.transforms.values()
        if not transform.subtransforms
        for collection in transform.outputs.values()
    }
    transforms = shuffled_graph.components.transforms.values()
    readers = [transform for transform in transforms if transform.spec.urn == READ]
    assert len(readers) == 2
    for reader in readers:
        (files,) = reader.inputs.values()
        assert producers[files].spec.urn == SHUFFLE


def test_an_expanded_source_has_no_composite_left(shuffled_graph):
    transforms = shuffled_graph.components.transforms
    assert not [
        transform
        for transform in transforms.values()
        if transform.spec.urn == PAR_DO and transform.subtransforms
    ]
    assert not [
        part
        for transform in transforms.values()
        for part in transform.subtransforms
        if part not in transforms
    ]


def test_the_shuffled_graph_reads_the_records_of_the_original(shuffled_graph, tmp_path):
    from apache_beam.options.pipeline_options import PipelineOptions
    from apache_beam.runners.portability.fn_api_runner import FnApiRunner

    for transform in shuffled_graph.components.transforms.values():
        if transform.spec.urn == SHUFFLE:  # executed by Flink only
            transform.spec.urn = "beam:transform:flatten:v1"
    FnApiRunner().run_via_runner_api(shuffled_graph, PipelineOptions([])).wait_until_finish()
    assert sorted((tmp_path / "counts").read_text().splitlines()) == [
        "(1, 6)",
        "(2, 6)",
        "(3, 6)",
        "(4, 4)",
        "(5, 2)",
    ]


def test_the_flink_setting_selects_the_shuffling_runner():
    from pipeline.config import Beam
    from pipeline.engines import pipeline_options

    options = pipeline_options(
        Beam(runner="flink", options=("--job_endpoint=embed", "--flink_submit_uber_jar"))
    )
    assert options.get_all_options()["runner"] == "pipeline.engines.FlinkRunner"
