"""Batch annotation with a model that was trained and published: several processes, a kill, and a start after it."""

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


def by_processes(context):
    """Annotates objects, of which some are bad, in two processes; the same again; and what predict makes of the texts."""
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


def killed(context):
    """Kills an annotation when some shards are there, and starts it again, with what may not be gone on with between."""
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
        process.pause()  # else it may be through with everything before another start has start_scenarios
        beside = program.command(*command)
        process.kill()
        result = process.result()
    there = {path.name: path.read_bytes() for path in out.glob("part-*")}
    other = program.command(*command, "--format", "conll")
    again = program.command(*command)
    return {
        "out": out,
        "killed": result,
        "beside": beside,
        "there": there,
        "other": other,
        "again": again,
    }


SCENARIOS = {"by processes": by_processes, "killed": killed}


def objects(out):
    return [
        json.loads(line)
        for path in sorted(out.glob("part-*"))
        for line in path.read_text("utf-8").splitlines()
    ]


def places(objects):
    return [
        (
            one["text"],
            [(entity["start"], entity["end"], entity["type"]) for entity in one["entities"]],
        )
        for one in objects
    ]


@pytest.fixture
def results(scenario_result):
    return scenario_result("by processes")


def test_two_processes_find_what_predict_finds_in_the_same_order(results):
    assert (results["first"].code, results["first"].err) == (0, "")
    predicted = [json.loads(line) for line in results["predicted"].out.splitlines()]
    found = objects(results["out"])
    assert places(found) == places(predicted) and sum(len(one["entities"]) for one in found) > 1000


def test_scores_are_predicts_but_for_rounding(results):
    predicted = [json.loads(line) for line in results["predicted"].out.splitlines()]
    for one, other in zip(objects(results["out"]), predicted, strict=True):
        assert [e["score"] for e in one["entities"]] == pytest.approx(
            [e["score"] for e in other["entities"]], abs=1e-3
        )


def test_ids_are_kept(results):
    assert [one["id"] for one in objects(results["out"])] == [n for n in range(2000) if n != 700]


def test_there_are_several_shards_of_each_file(results):
    assert len(list(results["out"].glob("part-*"))) > 8


def test_a_bad_line_is_put_aside_and_counted(results):
    [left_out] = map(json.loads, (results["out"] / "_bad-lines.jsonl").read_text().splitlines())
    assert (left_out["file"], left_out["line"]) == (str(results["folder"] / "a.jsonl"), 701)
    assert "Left out: 1 bad lines" in results["first"].out
    assert json.loads((results["out"] / "_summary.json").read_text())["bad_lines"] == 1


def test_the_same_again_changes_nothing_and_says_so(results):
    assert results["again"].code == 0 and "nothing is left to do" in results["again"].out
    assert {path: path.stat().st_mtime_ns for path in results["out"].iterdir()} == results["files"]


@pytest.fixture
def after(scenario_result):
    return scenario_result("killed")


def test_what_was_there_when_it_was_killed_stays(after):
    assert after["killed"].code == -9 and len(after["there"]) >= 3
    assert {name: (after["out"] / name).read_bytes() for name in after["there"]} == after["there"]


def test_started_again_it_does_the_rest(after):
    assert after["again"].code == 0 and after["again"].err == ""
    assert (
        f"{len(after['there']):,} of them are finished from an earlier start" in after["again"].out
    )
    assert [one["text"] for one in objects(after["out"])] == TEXTS
    assert not list((after["out"] / "_annotation").glob("*.partial"))


def test_another_start_meanwhile_is_refused(after):
    assert after["beside"].code == 2 and "another process works here" in after["beside"].err


def test_a_start_with_another_format_is_refused(after):
    assert (
        after["other"].code == 2 and "with --format jsonl, not --format conll" in after["other"].err
    )


@pytest.mark.parametrize(
    "settings, said",
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
def test_what_beam_does_not_know_is_refused(settings, said):
    from pipeline.engines import pipeline_options

    with pytest.raises(UserError, match=said):
        pipeline_options(settings)


def test_settings_come_to_beam_as_its_options():
    from apache_beam.options.pipeline_options import DirectOptions, StandardOptions

    from pipeline.engines import pipeline_options

    local = pipeline_options(Beam(workers=3))
    assert local.view_as(StandardOptions).runner == "FnApiRunner"
    assert local.view_as(DirectOptions).direct_num_workers == 3
    assert local.view_as(DirectOptions).direct_running_mode == "multi_processing"


@pytest.mark.skipif(not shutil.which("java"), reason="java is not on the PATH: Beam looks for it")
def test_settings_come_to_flinks_runner_as_its_options():
    from apache_beam.options.pipeline_options import FlinkRunnerOptions, StandardOptions

    from pipeline.engines import pipeline_options

    flink = pipeline_options(
        Beam(runner="flink", options=("--flink_master=[local]", "--flink_version=1.19"))
    )
    assert flink.view_as(StandardOptions).runner == "pipeline.engines.FlinkRunner"
    assert flink.view_as(FlinkRunnerOptions).flink_master == "[local]"
