"""The graphs that Beam's Flink runner gets: every source is taken apart, and what is read stays the same."""

import pytest

SHUFFLE, READ, PAR_DO = (
    f"beam:transform:{name}:v1"
    for name in ("reshuffle", "sdf_process_sized_element_and_restrictions", "pardo")
)


@pytest.fixture
def graph(tmp_path):
    """A pipeline that reads two sources of three files each, counts their records by length, and writes what it counted."""
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
        | beam.io.WriteToText(str(tmp_path / "counted"), shard_name_template="")
    )
    return pipeline.to_runner_api(default_environment=EmbeddedPythonEnvironment.default())


@pytest.fixture
def apart(graph):
    from components.compat.beam_private import shuffle_files_of_sources

    return shuffle_files_of_sources(graph)


def test_files_are_shuffled_between_listing_and_reading(apart):
    made_by = {
        collection: transform
        for transform in apart.components.transforms.values()
        if not transform.subtransforms
        for collection in transform.outputs.values()
    }
    reading = [one for one in apart.components.transforms.values() if one.spec.urn == READ]
    assert len(reading) == 2
    for one in reading:
        (files,) = one.inputs.values()
        assert made_by[files].spec.urn == SHUFFLE


def test_a_source_taken_apart_is_nothing_but_its_parts(apart):
    transforms = apart.components.transforms
    assert not [one for one in transforms.values() if one.spec.urn == PAR_DO and one.subtransforms]
    assert not [
        part for one in transforms.values() for part in one.subtransforms if part not in transforms
    ]


def test_it_reads_what_the_graph_reads(apart, tmp_path):
    from apache_beam.options.pipeline_options import PipelineOptions
    from apache_beam.runners.portability.fn_api_runner import FnApiRunner

    for transform in apart.components.transforms.values():
        if transform.spec.urn == SHUFFLE:  # Flink's; here it is a flatten of one
            transform.spec.urn = "beam:transform:flatten:v1"
    FnApiRunner().run_via_runner_api(apart, PipelineOptions([])).wait_until_finish()
    assert sorted((tmp_path / "counted").read_text().splitlines()) == [
        "(1, 6)",
        "(2, 6)",
        "(3, 6)",
        "(4, 4)",
        "(5, 2)",
    ]


def test_flink_gets_such_graphs():
    from pipeline.config import Beam
    from pipeline.engines import pipeline_options

    options = pipeline_options(
        Beam(runner="flink", options=("--job_endpoint=embed", "--flink_submit_uber_jar"))
    )
    assert options.get_all_options()["runner"] == "pipeline.engines.FlinkRunner"
