"""The private parts of Beam that the project uses. tests/flink/test_shuffled_files.py tests the Flink graphs."""

from components.compat import beam_private


def test_a_pipeline_without_options_takes_the_default_runner():
    import apache_beam as beam
    from apache_beam.runners.portability.fn_api_runner import FnApiRunner

    with beam_private.default_runner("FnApiRunner"):
        assert isinstance(beam.Pipeline().runner, FnApiRunner)


def test_the_default_runner_is_restored():
    from apache_beam.options.pipeline_options import StandardOptions

    before = StandardOptions.DEFAULT_RUNNER
    with beam_private.default_runner("FnApiRunner"):
        assert StandardOptions.DEFAULT_RUNNER == "FnApiRunner"
    assert before == StandardOptions.DEFAULT_RUNNER
