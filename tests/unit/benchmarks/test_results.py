"""The results of several runs: table, JSON and notes."""

import json
import sys
from dataclasses import replace

import pytest


@pytest.fixture
def tools():
    from benchmarks.comparison.results import Run, Tool

    run = Run(
        f1=0.5,
        training_seconds=100.0,
        training_peak_mb=900.0,
        tokens_per_second=12_345.6,
        milliseconds=1.234,
        model_mb=7.89,
    )
    ours = replace(run, f1_from_text=0.4, calibration_error=0.02, text_tokens_per_second=9_000.0)
    return (
        Tool(
            "tfx-ner",
            "1.0",
            1,
            (
                replace(ours, whole_seconds=150.0),
                replace(ours, f1=0.6, training_seconds=130.0, training_peak_mb=800.0),
            ),
        ),
        Tool("CRFsuite", "0.9", 1, (run,)),
        Tool("spaCy", "3.8", 2, (run,)),
    )


@pytest.fixture
def shown(tools):
    from benchmarks.comparison.results import table

    head, *rows = table(tools, "test")
    assert head == ["", "tfx-ner 1.0", "CRFsuite 0.9", "spaCy 3.8"]
    return {title: cells for title, *cells in rows}


def test_f1_is_the_mean_with_the_lowest_and_the_highest(shown):
    assert shown["F1 on test"] == ["0.5500 (0.5000 – 0.6000)", "0.5000", "0.5000"]


def test_calibration_error_is_of_tfx_ner_alone_with_its_spread(shown):
    assert shown["calibration error on test"] == ["0.020 (0.020 – 0.020)", "–", "–"]


def test_a_measure_that_a_tool_lacks_is_a_dash(shown):
    assert shown["tokens a second, from plain text"] == ["9,000", "–", "–"]


def test_seconds_are_the_mean_of_the_runs_that_have_them(shown):
    assert (shown["training, seconds"][0], shown["the whole pipeline, seconds"][0]) == (
        "115.0",
        "150.0",
    )


def test_memory_is_the_highest_of_the_runs(shown):
    assert shown["peak memory of training, MB"][0] == "900"


def test_json_has_mean_spread_and_every_run(tools):
    ours, theirs = (json.loads(json.dumps(tool.as_dict())) for tool in tools[:2])
    assert ours["f1"] == {"mean": pytest.approx(0.55), "low": 0.5, "high": 0.6, "runs": [0.5, 0.6]}
    assert ours["whole_seconds"]["runs"] == [150.0]
    assert theirs["f1_from_text"] is None
    assert theirs["version"] == "0.9"


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (
            {"vectors": "/some/where/glove.txt"},
            "tfx-ner had pretrained vectors (glove.txt), the others had none.",
        ),
        ({"spacy_max_steps": 20}, "spaCy was stopped after at most 20 steps"),
        ({"assignments": ("training.epochs=2",)}, "other than the default: training.epochs=2"),
        ({"seeds": 1}, "tfx-ner: one seed;"),
        ({"seeds": 3}, "the mean of 3 seeds"),
    ],
)
def test_a_note_names_each_option_that_was_given(tools, changed, told):
    assert told in " ".join(notes(tools, "test", **changed))


def test_no_note_is_about_an_option_that_was_not_given(tools):
    output = " ".join(notes(tools, "test"))
    assert [word for word in ("vectors", "stopped", "default", "no test") if word in output] == []


def test_a_note_says_that_dev_was_evaluated_on(tools):
    assert "The corpus has no test: all are measured on dev" in " ".join(notes(tools, "dev"))


def notes(tools, evaluated_on, **changed):
    from benchmarks.common import Machine
    from benchmarks.comparison import results

    machine = Machine(2, "a processor", "3.10.1")
    return results.notes(tools, evaluated_on, results.Options(**changed), machine)


def test_a_speed_is_the_median_of_the_rounds_of_each_model(tmp_path):
    from benchmarks.comparison.tools import TrainedModel, measure_speed

    (tmp_path / "round").write_text("0")
    program = (
        "import json, pathlib, sys; file = pathlib.Path(sys.argv[1]); n = int(file.read_text()) + 1;"
        " file.write_text(str(n)); print(json.dumps({'version': '1', 'processes': 1, 'model_mb': 1,"
        " 'tokens_per_second': n, 'milliseconds': 10 * n}))"
    )
    known = {"f1": 0.5, "training_seconds": 1.0, "training_peak_mb": 1.0}
    model = TrainedModel(
        "CRFsuite",
        [sys.executable, "-c", program, str(tmp_path / "round")],
        tmp_path / "log",
        known,
    )
    [tool] = measure_speed([model])
    assert (tool.name, tool.version, tool.values("tokens_per_second")) == ("CRFsuite", "1", [3])
    assert tool.values("milliseconds") == [30]
