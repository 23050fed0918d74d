"""`tfx-ner schedule` as a process: its words and exit codes, its lock, its end in order, and its end without any."""

import json
import os
import re
import signal

import pytest

from pipeline.commands import schedule

LATER = "--cron=0 0 29 2 *"


def lives(process):
    return process is not None and process.alive


@pytest.fixture
def at_work(project, program, eventually):
    """A scheduler with a run at work that takes long."""

    def start(*more, **ending):
        project.plan(
            {"code": 0, "published": "1", "seconds": 600, **ending}, {"code": 0, "published": "2"}
        )
        scheduler = program(*more)
        eventually(
            lambda: project.reasons and project.state.flight and project.state.flight.process
        )
        return scheduler, project.state.flight.process

    return start


def test_once_runs_and_then_finds_nothing_new(project, program):
    code, out, err = program("--once").ended()
    assert (code, err) == (0, "") and "run: the first run on this schedule (process " in out
    assert "published: version 100, F1 0.7500" in out
    code, out, err = program("--once").ended()
    assert (code, err) == (0, "") and re.fullmatch(
        r"[-\d]+ [:\d]+ nothing new since [-\d]+ [:\d]+: no run\n", out
    )


@pytest.mark.parametrize("code", [1, 2, 3])
def test_once_ends_as_the_run_does(project, program, code):
    project.settings += ["schedule.retries=0"]
    project.plan({"code": code, "says": "tfx-ner: so it is"})
    assert program("--once").ended()[0] == code


def test_a_look_ends_with_0_or_4(project, program):
    code, out, _ = program("look").ended()
    assert code == 0 and "there is something to run: the first run on this schedule" in out
    assert project.reasons == [] and program("--once").ended()[0] == 0
    assert program("look").ended()[0] == 4


def test_a_run_that_is_to_stop_early_is_told_where(project):
    command = schedule._command({"data": "d", "until": "Trainer"}, None, [])
    assert command[command.index("run") :] == ["run", "--data", "d", "--until", "Trainer"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--every=1h", "--until=Trainer"], "expected tfx-ner schedule --once --until Trainer"),
        (["look", "--once"], "look: found --once beside it"),
    ],
)
def test_what_does_not_go_together_is_told(program, given, said):
    code, _, err = program(*given).ended()
    assert code == 2 and said in err


def test_nothing_new_is_found_without_anything_heavy(project, program, in_a_process):
    assert program("--once").ended()[0] == 0
    arguments = ["schedule", *map(str, project.arguments("--once"))]
    said = in_a_process(
        f"import sys; sys.argv = ['tfx-ner', *{arguments!r}]\n"
        "from pipeline import cli\n"
        "try:\n    cli.main()\nexcept SystemExit as ended:\n    print('ended with', ended.code)\n"
        "heavy = ('tensorflow', 'tfx', 'pandas', 'numpy', 'apache_beam', 'ml_metadata', 'httpx', 'apscheduler')\n"
        "print('heavy:', [name for name in heavy if name in sys.modules])"
    )
    assert "nothing new since" in said and said.endswith("ended with 0\nheavy: []\n")


def test_a_second_scheduler_says_who_is_at_work(project, program, eventually):
    first = program(LATER)
    eventually(project.places.holder_file.exists)
    for more in (["--once"], ["--every=1h"]):
        code, out, err = program(*more).ended()
        assert (code, out) == (2, "")
        assert err.startswith(
            f"tfx-ner: {project.work}: a scheduler is at work here already: process {first.popen.pid} on "
        )
        assert "(cron 0 0 29 2 * (" in err and err.endswith(
            "end it first, or give another --workdir\n"
        )
    assert project.reasons == []


def test_told_to_end_while_it_waits_it_ends(project, program, eventually):
    scheduler = program(LATER)
    eventually(project.places.holder_file.exists)
    scheduler.popen.send_signal(signal.SIGTERM)
    code, out, err = scheduler.ended()
    assert (code, err) == (0, "") and out.endswith("told to end\n")
    assert not project.places.holder_file.exists()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_told_to_end_it_ends_its_run_and_the_next_start_does_it_again(
    project, program, at_work, how
):
    scheduler, run = at_work("--every=1h")
    scheduler.popen.send_signal(how)
    code, out, err = scheduler.ended()
    assert (code, err) == (0, "") and "the run was ended, and will be done again" in out
    assert not lives(run)
    assert program("--once").ended()[0] == 0
    assert (
        project.reasons[1]
        == "the first run on this schedule (once more: the run before was cut off)"
    )
    assert project.state.done.version == "2" and project.state.flight is None


def test_a_run_that_does_not_want_to_end_is_killed(project, at_work):
    project.settings += ["schedule.grace=1s"]
    scheduler, run = at_work("--every=1h", deaf=True)
    scheduler.popen.send_signal(signal.SIGTERM)
    assert scheduler.ended()[0] == 0 and not lives(run)


def test_once_that_is_told_to_end_has_not_done_its_work(at_work):
    scheduler, _ = at_work("--once")
    scheduler.popen.send_signal(signal.SIGTERM)
    assert scheduler.ended()[0] == 130


def test_after_a_power_cut_the_run_is_done_again(project, program, at_work):
    scheduler, run = at_work("--every=1h")
    scheduler.popen.kill()
    os.killpg(run.pid, signal.SIGKILL)
    scheduler.ended()
    status = program("status").ended()[1].splitlines()
    assert status[0].endswith("no scheduler is at work here") and status[1].startswith(
        "cut off    20"
    )
    code, out, _ = program("--once").ended()
    assert code == 0 and "(once more: the run before was cut off)" in out
    assert len(project.reasons) == 2 and project.state.done.version == "2"


def test_a_run_that_outlives_its_scheduler_is_waited_for(project, program, at_work):
    scheduler, run = at_work("--every=1h", seconds=4)
    scheduler.popen.kill()
    scheduler.ended()
    assert lives(run)
    code, out, _ = program("--once").ended()
    assert code == 0 and f"still at work, as process {run.pid}: waiting for it" in out
    assert len(project.reasons) == 1 and project.state.done.version == "1"


def test_status_tells_what_is_scheduled_and_how_the_last_run_ended(project, program, eventually):
    code, out, _ = program("status").ended()
    assert (
        code == 0
        and out == "scheduled  nothing: no scheduler is at work here\nlast       no run yet\n"
    )
    project.turn()
    scheduler = program("--cron=0 2 * * *", "--set=schedule.timezone=Europe/Berlin")
    eventually(lambda: project.state.due and project.places.holder())
    lines = program("status").ended()[1].splitlines()
    assert lines[0].startswith(f"scheduled  process {scheduler.popen.pid} on ")
    assert lines[0].endswith("(cron 0 2 * * * (Europe/Berlin))")
    assert re.fullmatch(r"next       20\d\d-\d\d-\d\d 02:00:00", lines[1])
    assert lines[2].startswith("last       2026-11-22 02:00:00  published: version 100, F1 0.7500")


def test_status_as_json(project, program):
    project.turn()
    code, out, _ = program("status", "--json", "-").ended()
    status = json.loads(out)
    assert code == 0 and status.keys() == {"workdir", "holder", "next", "in_flight", "last", "done"}
    assert (status["holder"], status["in_flight"]) == (None, None)
    assert (status["last"]["exit"], status["last"]["version"], status["last"]["f1"]) == (
        0,
        "100",
        0.75,
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "found no time; expected one of --cron, --every, --watch and --once"),
        (["--once", "--every=1h"], "found --every and --once; expected one of them"),
        (["--every=6"], "--every 6: expected a length of time, as 90s, 30m, 6h, 1h30m or 7d"),
        (["--once", "--limit=soon"], "--limit soon: expected a length of time"),
        (["--cron=0 2 * *"], "cron 0 2 * *: found 4 fields; expected minute, hour,"),
        (["--watch=/nowhere"], "--watch /nowhere: there is no such folder"),
        (
            ["--once", "--set=schedule.timezone=Mars/Base"],
            "schedule.timezone: found 'Mars/Base'; expected a name",
        ),
        (
            ["--set=schedule.cron=0 2 * * *", "--set=schedule.every=1h"],
            "found both schedule.cron and schedule.every",
        ),
        (["--once", "--json=-"], "--json: found without status"),
    ],
)
def test_bad_usage_is_told_in_a_line(tfx_ner, project, arguments, said):
    answer = tfx_ner("schedule", *project.arguments(*arguments))
    assert answer.code == 2 and answer.out == ""
    assert answer.err.startswith(f"tfx-ner: {said}") and answer.err.count("\n") == 1
    assert not project.places.root.exists()


def test_what_is_watched_must_hold_the_data(tfx_ner, project, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    answer = tfx_ner("schedule", *project.arguments("--watch", tmp_path / "elsewhere"))
    assert answer.code == 2 and "lies elsewhere; expected it there, or left out" in answer.err


def test_watch_runs_when_data_has_come(project, program, eventually):
    project.settings += ["schedule.poll=1s"]
    (project.data / "train.conll").unlink()
    scheduler = program("--watch", project.data)
    eventually(lambda: project.places.holder())
    project.write("train.conll")
    eventually(lambda: project.state.done)
    scheduler.popen.send_signal(signal.SIGTERM)
    code, out, _ = scheduler.ended()
    assert code == 0 and "published: version 100" in out
