"""The spans and versions of a path pattern, compared with those that TFX finds."""

import pytest

pytestmark = pytest.mark.slow

NAMES = {
    "day-{SPAN}/v{VERSION}/*": ("day-1/v1", "day-1/v2", "day-12/v9", "day-12/v10", "day-3/v1"),
    "day-{SPAN:3}/*": ("day-001", "day-010", "day-009"),
    "{SPAN}/*": ("7", "08", "12"),
    "{YYYY}-{MM}-{DD}/v{VERSION:2}/*": ("2024-02-29/v01", "2024-02-29/v02", "2023-12-31/v07"),
}


@pytest.mark.parametrize("pattern", NAMES)
def test_the_newest_span_and_each_span_by_number_are_those_of_tfx(tmp_path, pattern):
    from tfx.components.example_gen import utils
    from tfx.proto import example_gen_pb2, range_config_pb2

    from components.corpus.data_spans import find_spans

    for name in NAMES[pattern]:
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "train.conll").write_text("Ada B-PER\n")
    versioned = "VERSION" in pattern

    def tfx_span(number=None):
        splits = [example_gen_pb2.Input.Split(name="all", pattern=pattern)]
        static = number is not None and range_config_pb2.RangeConfig(
            static_range=range_config_pb2.StaticRange(
                start_span_number=number, end_span_number=number
            )
        )
        _, span, version = utils.calculate_splits_fingerprint_span_and_version(
            str(tmp_path), splits, static or None
        )
        return (
            span,
            version if versioned else 0,
            str(tmp_path / splits[0].pattern.removesuffix("/*")),
        )

    spans = [(span.number, span.version, span.path) for span in find_spans(tmp_path / pattern)]
    assert spans[-1] == tfx_span()
    if (
        pattern != "{SPAN}/*"
    ):  # TFX looks for a number as it is, without the zeros that a folder may have before it
        assert spans == [tfx_span(number) for number, _, _ in spans]
