"""Batch annotation with a published model: several processes, a kill, and resuming after it."""

import json
import shutil

import pytest

from components.errors import UserError
from pipeline.config import Beam
from tests.e2e.synthetic_corpus import CITIES, NAMES

pytestmark = pytest.mark.slow

TEXTS = [
    f"{NAMES[n % len(NAMES)]} {CITIES[n % 7]}son lives in {CITIES[n % len(CITIES)]} window {n} ."
    for n in range(6000)
]
SMALL_SHARDS = ("--shard-mb", "0.003")


def annotate_in_two_processes(context):
    """Annotates JSON objects, one of them malformed, in two processes, repeats it, and predicts the same texts."""
    model, folder, program = context.first().version, context.folder, context.program
    lines = [json.dumps({"id": n, "text": text}) for n, text in enumerate(TEXTS[:2000])]
    lines[700] = "{"
    for name, chosen in (("a", lines[:900]), ("b", lines[900:])):
        (folder / f"{name}.jsonl").write_text("\n".join(chosen) + "\n", encoding="utf-8")
    command = (
        "annotate",
        "--input",
        folder / "*.jsonl",
        "--output",
        folder / "out",
        "--model",
        model,
        "--shard-mb",
        "0.01",
    )
    first = program.command(*command, "--set", "beam.workers=2")
    files = {path: path.stat().st_mtime_ns for path in (folder / "out").iterdir()}
    again = program.command(*command)
    texts = "\n".join(text for n, text in enumerate(TEXTS[:2000]) if n != 700)
    predicted = program.command("predict", "--model", model, "--format", "jsonl", stdin=texts)
    return {
        "folder": folder,
        "out": folder / "out",
        "first": first,
        "files": files,
        "again": again,
        "predicted": predicted,
    }


def kill_and_resume(context):
    """Kills an annotation after some shards, starts it with another format, then resumes it."""
    model, folder, program = context.first().version, context.folder, context.program
    (folder / "a.txt").write_text("\n".join(TEXTS) + "\n", encoding="utf-8")
    out = folder / "out"
    command = (
        "annotate",
        "--input",
        folder / "a.txt",
        "--output",
        out,
        "--model",
        model,
        *SMALL_SHARDS,
    )
    with program.start_command(*command) as process:
        process.wait_for(lambda: len(list(out.glob("part-*"))) >= 3)
        process.pause()  # else it may finish before the concurrent command starts
        concurrent = program.command(*command)
        process.kill()
        result = process.result()
    finished_shards = {path.name: path.read_bytes() for path in out.glob("part-*")}
    other_format = program.command(*command, "--format", "conll")
    again = program.command(*command)
    return {
        "out": out,
        "killed": result,
        "concurrent": concurrent,
        "finished shards": finished_shards,
        "other format": other_format,
        "again": again,
    }


SCENARIOS = {"two processes": annotate_in_two_processes, "killed": kill_and_resume}


def read_records(out):
    return [
        json.loads(line)
        for path in sorted(out.glob("part-*"))
        for line in path.read_text("utf-8").splitlines()
    ]


def spans_by_text(records):
    return [
        (
            record["text"],
            [(entity["start"], entity["end"], entity["type"]) for entity in record["entities"]],
        )
        for record in records
    ]


@pytest.fixture
def results(scenario_result):
    return scenario_result("two processes")


def test_annotate_has_the_entities_of_predict_in_the_same_order(results):
    assert (results["first"].code, results["first"].err) == (0, "")
    predicted = [json.loads(line) for line in results["predicted"].out.splitlines()]
    records = read_records(results["out"])
    assert spans_by_text(records) == spans_by_text(predicted)
    assert sum(len(record["entities"]) for record in records) > 1000


def test_scores_are_those_of_predict_up_to_rounding(results):
    predicted = [json.loads(line) for line in results["predicted"].out.splitlines()]
    for record, expected in zip(read_records(results["out"]), predicted, strict=True):
        assert [entity["score"] for entity in record["entities"]] == pytest.approx(
            [entity["score"] for entity in expected["entities"]], abs=1e-3
        )


def test_output_records_have_the_ids_of_the_input(results):
    assert [record["id"] for record in read_records(results["out"])] == [
        n for n in range(2000) if n != 700
    ]


def test_the_output_has_several_shards(results):
    assert len(list(results["out"].glob("part-*"))) > 8


def test_a_malformed_line_is_left_out_and_counted(results):
    [left_out] = map(json.loads, (results["out"] / "_bad-lines.jsonl").read_text().splitlines())
    assert (left_out["file"], left_out["line"]) == (str(results["folder"] / "a.jsonl"), 701)
    assert "Left out: 1 bad lines" in results["first"].out
    assert json.loads((results["out"] / "_summary.json").read_text())["bad_lines"] == 1


def test_repeating_a_finished_annotation_changes_no_file(results):
    assert results["again"].code == 0 and "nothing is left to do" in results["again"].out
    assert {path: path.stat().st_mtime_ns for path in results["out"].iterdir()} == results["files"]


@pytest.fixture
def after_kill(scenario_result):
    return scenario_result("killed")


def test_finished_shards_survive_a_kill(after_kill):
    assert after_kill["killed"].code == -9 and len(after_kill["finished shards"]) >= 3
    assert {
        name: (after_kill["out"] / name).read_bytes() for name in after_kill["finished shards"]
    } == after_kill["finished shards"]


def test_a_resumed_annotation_writes_the_remaining_shards(after_kill):
    assert after_kill["again"].code == 0 and after_kill["again"].err == ""
    assert (
        f"{len(after_kill['finished shards']):,} of them are finished from an earlier start"
        in after_kill["again"].out
    )
    assert [record["text"] for record in read_records(after_kill["out"])] == TEXTS
    assert not list((after_kill["out"] / "_annotation").glob("*.partial"))


def test_a_concurrent_annotation_of_the_same_output_is_refused(after_kill):
    assert (
        after_kill["concurrent"].code == 2
        and "another process works here" in after_kill["concurrent"].err
    )


def test_resuming_with_another_format_is_refused(after_kill):
    assert (
        after_kill["other format"].code == 2
        and "with --format jsonl, not --format conll" in after_kill["other format"].err
    )


@pytest.mark.parametrize(
    "settings, message",
    [
        (
            Beam(runner="no.such.Runner"),
            r"beam.runner: cannot load no.such.Runner \(No module named",
        ),
        (
            Beam(options=("--no_such_option=3",)),
            "beam.options: --no_such_option is not an option of Beam",
        ),
        (
            Beam(options=("--direct_num_workers=many",)),
            "beam.options: argument --direct_num_workers: invalid int",
        ),
    ],
)
def test_an_unknown_beam_setting_is_refused(settings, message):
    from pipeline.engines import pipeline_options

    with pytest.raises(UserError, match=message):
        pipeline_options(settings)


def test_beam_settings_become_options_of_the_local_runner():
    from apache_beam.options.pipeline_options import DirectOptions, StandardOptions

    from pipeline.engines import pipeline_options

    local = pipeline_options(Beam(workers=3))
    assert local.view_as(StandardOptions).runner == "FnApiRunner"
    assert local.view_as(DirectOptions).direct_num_workers == 3
    assert local.view_as(DirectOptions).direct_running_mode == "multi_processing"


@pytest.mark.skipif(not shutil.which("java"), reason="java is not on the PATH: Beam looks for it")
def test_beam_settings_become_options_of_the_flink_runner():
    from apache_beam.options.pipeline_options import FlinkRunnerOptions, StandardOptions

    from pipeline.engines import pipeline_options

    flink = pipeline_options(
        Beam(runner="flink", options=("--flink_master=[local]", "--flink_version=1.19"))
    )
    assert flink.view_as(StandardOptions).runner == "pipeline.engines.FlinkRunner"
    assert flink.view_as(FlinkRunnerOptions).flink_master == "[local]"
