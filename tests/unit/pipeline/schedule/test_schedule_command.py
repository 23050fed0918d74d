"""`tfx-ner schedule` as a process: messages, exit codes, its lock, SIGTERM and kills."""

import json
import os
import re
import signal

import pytest

from pipeline.commands import schedule
from pipeline.commands.options import RunOptions

NEVER = "--cron=0 0 29 2 *"


@pytest.fixture
def start_run(project, program, wait_until):
    """Starts a scheduler whose run takes long; returns both processes."""

    def start(*more, **ending):
        slow = {"code": 0, "published": "1", "seconds": 600, **ending}
        project.plan(slow, {"code": 0, "published": "2"})
        scheduler = program(*more)
        wait_until(
            lambda: (
                project.run_reasons and project.state.in_flight and project.state.in_flight.process
            )
        )
        return scheduler, project.state.in_flight.process

    return start


def test_once_runs_the_first_time_and_finds_no_change_the_second(project, program):
    code, out, err = program("--once").result()
    assert (code, err) == (0, "") and "run: the first run on this schedule (process " in out
    assert "published: version 100, F1 0.7500" in out
    code, out, err = program("start", "--once").result()
    assert (code, err) == (0, "")
    assert re.fullmatch(r"[-\d]+ [:\d]+ nothing new since [-\d]+ [:\d]+: no run\n", out)


@pytest.mark.parametrize("code", [1, 2, 3])
def test_once_ends_with_the_exit_code_of_the_run(tfx_ner, project, code, monkeypatch):
    monkeypatch.setattr(schedule, "_run_command", lambda *_: project.retraining.run_command("")[:3])
    project.settings += ["schedule.retries=0"]
    project.plan({"code": code, "says": "tfx-ner: some error"})
    assert tfx_ner("schedule", *project.arguments("--once")).code == code


@pytest.mark.parametrize("spelling", ["first", "behind the options"])
def test_look_ends_with_0_or_4(tfx_ner, project, spelling):
    arguments = project.arguments("look")
    if spelling == "behind the options":
        arguments = [*arguments[1:], arguments[0]]
    answer = tfx_ner("schedule", *arguments)
    assert answer.code == 0
    assert "there is something to run: the first run on this schedule" in answer.out
    assert project.run_reasons == [] and project.retrain() == 0
    assert tfx_ner("schedule", *arguments).code == 4


def test_the_name_of_a_sub_command_may_be_a_value(tfx_ner, tmp_path):
    answer = tfx_ner("schedule", "--data", "look", "--workdir", tmp_path, "--once")
    assert answer.code == 2 and "look" in answer.err and "no such" in answer.err.lower()


def test_until_is_passed_on_to_the_run():
    command = schedule._run_command(RunOptions("d", None, (), None, None), "Trainer")
    assert command[command.index("run") :] == ["run", "--data", "d", "--until", "Trainer"]


def test_settings_of_the_schedule_are_not_passed_on_to_the_run():
    assignments = ("schedule.retries=1", "training.epochs=3")
    command = schedule._run_command(RunOptions(None, None, assignments, None, None), None)
    assert command[-2:] == ["run", "--set=training.epochs=3"]


def test_a_check_without_changes_imports_no_heavy_package(project, program, in_a_process):
    assert program("--once").result()[0] == 0
    arguments = ["schedule", *map(str, project.arguments("--once"))]
    out = in_a_process(
        f"import sys; sys.argv = ['tfx-ner', *{arguments!r}]\n"
        "from pipeline import cli, code_hash\n"
        "code_hash.whole_hash = lambda: 'the code'\n"
        "try:\n    cli.main()\nexcept SystemExit as ended:\n    print('ended with', ended.code)\n"
        "heavy = ('tensorflow', 'tfx', 'pandas', 'numpy', 'apache_beam', 'ml_metadata', 'httpx', 'apscheduler')\n"
        "print('heavy:', [name for name in heavy if name in sys.modules])"
    )
    assert "nothing new since" in out and out.endswith("ended with 0\nheavy: []\n")


def test_a_second_scheduler_is_refused_with_the_process_of_the_first(
    project, program, tfx_ner, wait_until
):
    first = program(NEVER)
    wait_until(project.schedule.holder_file.exists)
    answer = tfx_ner("schedule", *project.arguments("--once"))
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith(
        f"tfx-ner: {project.work}: a scheduler works here already: process {first.popen.pid} on "
    )
    assert "(cron 0 0 29 2 * (" in answer.err
    assert answer.err.endswith("stop it first, or give another --workdir\n")
    assert project.run_reasons == []
    first.popen.send_signal(signal.SIGTERM)
    code, out, err = first.result()
    assert (code, err) == (0, "") and out.endswith(" stopped\n")
    assert not project.schedule.holder_file.exists()


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_run_and_the_next_start_repeats_it(
    project, program, start_run, signal_number
):
    scheduler, run = start_run("--every=1h")
    scheduler.popen.send_signal(signal_number)
    code, out, err = scheduler.result()
    assert (code, err) == (0, "") and "the run was stopped, and will be done again" in out
    assert not run.is_alive
    assert project.retrain() == 0
    assert project.run_reasons[1].endswith("(once more: the run before was cut off)")
    assert project.state.done.version == "2" and project.state.in_flight is None


def test_a_run_that_ignores_sigterm_is_killed(project, start_run):
    project.settings += ["schedule.grace=1s"]
    scheduler, run = start_run("--every=1h", deaf=True)
    scheduler.popen.send_signal(signal.SIGTERM)
    assert scheduler.result()[0] == 0 and not run.is_alive


def test_a_stopped_once_ends_with_130(start_run):
    scheduler, _ = start_run("--once")
    scheduler.popen.send_signal(signal.SIGTERM)
    assert scheduler.result()[0] == 130


def test_after_a_power_cut_the_run_is_repeated(project, tfx_ner, start_run):
    scheduler, run = start_run("--every=1h")
    scheduler.popen.kill()
    os.killpg(run.pid, signal.SIGKILL)
    scheduler.result()
    status = tfx_ner("schedule", *project.arguments("status")).out.splitlines()
    assert status[0].endswith("no scheduler works here") and status[1].startswith("cut off    20")
    assert project.retrain() == 0
    assert len(project.run_reasons) == 2 and project.state.done.version == "2"


def test_a_run_that_outlives_its_scheduler_is_waited_for(project, start_run, tmp_path):
    finish = tmp_path / "finish"
    scheduler, run = start_run("--every=1h", seconds=0, waits_for=str(finish))
    scheduler.popen.kill()
    scheduler.result()
    assert run.is_alive
    project.time.events.append((1, finish.touch))
    assert project.retrain() == 0
    message = f"an earlier run still works, as process {run.pid}: waiting for it"
    assert project.messages[0] == message
    assert len(project.run_reasons) == 1 and project.state.done.version == "1"


def test_status_shows_the_schedule_and_how_the_last_run_ended(
    project, program, tfx_ner, wait_until
):
    def status():
        return tfx_ner("schedule", *project.arguments("status")).out

    assert status() == "scheduled  nothing: no scheduler works here\nlast       no run yet\n"
    project.retrain()
    scheduler = program("--cron=0 2 * * *", "--set=schedule.timezone=Europe/Berlin")
    wait_until(lambda: project.state.due and project.schedule.holder())
    lines = status().splitlines()
    assert lines[0].startswith(f"scheduled  process {scheduler.popen.pid} on ")
    assert lines[0].endswith("(cron 0 2 * * * (Europe/Berlin))")
    assert re.fullmatch(r"next       20\d\d-\d\d-\d\d 02:00:00", lines[1])
    assert lines[2].startswith("last       2026-11-22 02:00:00  published: version 100, F1 0.7500")


def test_status_as_json(project, tfx_ner):
    project.retrain()
    status = json.loads(tfx_ner("schedule", *project.arguments("status", "--json", "-")).out)
    assert status.keys() == {"workdir", "holder", "next", "in_flight", "last", "done"}
    assert (status["holder"], status["in_flight"]) == (None, None)
    last = status["last"]
    assert (last["exit"], last["version"], last["f1"]) == (0, "100", 0.75)


@pytest.mark.parametrize(
    ("arguments", "message"),
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
        (
            ["--every=1h", "--until=Trainer"],
            "--until Trainer: found without --once; expected tfx-ner schedule --once --until",
        ),
    ],
)
def test_bad_usage_is_refused_in_one_line(tfx_ner, project, arguments, message):
    answer = tfx_ner("schedule", *project.arguments(*arguments))
    assert answer.code == 2 and answer.out == ""
    assert answer.err.startswith(f"tfx-ner: {message}") and answer.err.count("\n") == 1
    assert not project.schedule.root.exists()


def test_a_watched_folder_must_contain_the_data(tfx_ner, project, tmp_path):
    (tmp_path / "other").mkdir()
    answer = tfx_ner("schedule", *project.arguments("--watch", tmp_path / "other"))
    assert answer.code == 2 and "is not in it; expected a path in it, or no --data" in answer.err


def test_watch_runs_on_new_data(project, program, wait_until):
    project.settings += ["schedule.poll=1s"]
    (project.data / "train.conll").unlink()
    scheduler = program("--watch", project.data)
    wait_until(lambda: project.schedule.holder())
    project.write("train.conll")
    wait_until(lambda: project.state.done)
    scheduler.popen.send_signal(signal.SIGTERM)
    code, out, _ = scheduler.result()
    assert code == 0 and "published: version 100" in out


def test_the_old_option_because_is_read_with_a_warning(tfx_ner, monkeypatch, capsys):
    from components import errors

    monkeypatch.setattr(errors, "_shown", set())
    answer = tfx_ner("run", "--because", "old", "--data", "/nowhere")
    assert "warning: --because is now --reason" in answer.err
    assert "--because" not in tfx_ner("run", "--help").out
