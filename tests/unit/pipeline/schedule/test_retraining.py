"""`Retraining.run_if_changed`: whether it runs, its retries, its state, and its hooks."""

import json
import os
import sys
from pathlib import Path

import pytest

from components.errors import UserError
from pipeline.exits import BAD_INPUT, DONE, FAILED, NOTHING_NEW, REFUSED, STOPPED
from pipeline.schedule import retraining
from pipeline.schedule.process import Process
from pipeline.schedule.state import State, status_lines

OTHER_TEXT = "Bea\tB-PER\nspoke\tO\n\n"
FIRST_RUN = "the first run on this schedule"


@pytest.fixture
def hook_calls(project):
    """Sets a hook that records its JSON and its variables; returns what it recorded."""
    record = project.folder / "hook_calls.jsonl"
    program = (
        "import json, os, sys;"
        " given = {name: value for name, value in os.environ.items() if name.startswith('TFX_NER_')};"
        f" open({str(record)!r}, 'a').write(json.dumps([json.load(sys.stdin), given]) + chr(10))"
    )
    hook = json.dumps([sys.executable, "-c", program])
    events = ("success", "failure", "refusal")
    project.settings += [f"schedule.on_{event}={hook}" for event in events]

    def calls():
        lines = record.read_text().splitlines() if record.exists() else []
        return [json.loads(line) for line in lines]

    return calls


def test_the_first_check_runs_and_the_next_finds_no_change(project):
    assert project.retrain() == DONE
    assert project.run_reasons == [FIRST_RUN]
    assert project.messages[-1].startswith("published: version 100, F1 0.7500")
    assert project.retrain() == DONE
    assert len(project.run_reasons) == 1
    assert project.messages[-1] == "nothing new since 2026-11-22 02:00:00: no run"


def test_new_data_starts_a_run_with_the_change_as_its_reason(project):
    project.retrain()
    project.write("train.conll", OTHER_TEXT)
    assert project.retrain() == DONE
    assert project.run_reasons[1:] == ["changed data: train.conll"]


def test_a_refused_run_is_complete(project):
    project.plan({"code": 3, "reasons": ["F1 is 0.1; at least 0.3 is asked for"], "f1": 0.1})
    assert project.retrain() == REFUSED
    assert project.messages[-1].startswith(
        "refused: F1 is 0.1; at least 0.3 is asked for, F1 0.1000"
    )
    assert project.retrain() == DONE and len(project.run_reasons) == 1


def test_a_model_on_hold_is_shown_as_not_live(project):
    project.plan({"code": 3, "held": "held since the rollback from 2 to 1", "f1": 0.7})
    assert project.retrain() == REFUSED
    assert project.messages[-1].startswith(
        "not live: held since the rollback from 2 to 1, F1 0.7000"
    )


def test_a_failed_run_is_repeated_with_growing_pauses(project, monkeypatch):
    monkeypatch.setattr(retraining, "LONGEST_BACKOFF_SECONDS", 180)
    project.settings += ["schedule.retries=3"]
    failure = {"code": 1, "says": "tfx-ner: the disk is full"}
    project.plan(failure, {"code": 1}, {"code": 1}, {"code": 0, "published": "7"})
    assert project.retrain() == DONE
    assert len(project.run_reasons) == 4
    assert [nap for nap in project.time.naps if nap > 1] == [60, 120, 180]
    assert "failed: the disk is full; once more in 1m, 3 of 3 tries left" in project.messages


def test_after_the_last_retry_a_run_waits_for_the_next_check(project):
    project.settings += ["schedule.retries=1"]
    project.plan({"code": 1, "says": "tfx-ner: the disk is full"})
    assert project.retrain() == FAILED
    assert len(project.run_reasons) == 2 and project.state.in_flight is None
    assert project.state.last.reason == "the disk is full" and project.state.done is None
    assert project.retrain() == FAILED and len(project.run_reasons) == 4


def test_a_run_on_bad_data_is_not_repeated_until_the_data_changes(project):
    bad_line = {"code": 2, "says": "tfx-ner: train.conll:7: found x"}
    project.plan(bad_line, {"code": 0, "published": "8"})
    assert project.retrain() == BAD_INPUT and project.retrain() == BAD_INPUT
    assert len(project.run_reasons) == 1
    assert project.messages[-1].endswith("failed: train.conll:7: found x")
    project.write("train.conll", OTHER_TEXT)
    assert project.retrain() == DONE and len(project.run_reasons) == 2


def test_data_that_was_restored_needs_no_run(project):
    project.retrain()
    project.write("train.conll", OTHER_TEXT)
    project.plan({"code": 2, "says": "tfx-ner: bad"})
    assert project.retrain() == BAD_INPUT
    project.write("train.conll")
    assert project.retrain() == DONE and len(project.run_reasons) == 1
    assert project.messages[-1].startswith("nothing new since")


@pytest.mark.parametrize("ignores_sigterm", [False, True])
def test_a_run_beyond_its_limit_is_stopped_and_repeated(project, ignores_sigterm):
    project.settings += ["schedule.limit=1h", "schedule.grace=1s", "schedule.retries=1"]
    slow = {"code": 0, "seconds": 600, "deaf": ignores_sigterm}
    project.plan(slow, {"code": 0, "published": "9"})
    project.time.jumps.append((lambda: project.run_reasons, 3600))
    assert project.retrain() == DONE and len(project.run_reasons) == 2
    assert "failed: it took too long; once more in 1m, 1 of 1 tries left" in project.messages


def test_a_cached_run_calls_no_hook(project, hook_calls):
    project.retrain()
    assert [facts["event"] for facts, _ in hook_calls()] == ["success"]
    project.write("train.conll", OTHER_TEXT)
    assert project.retrain() == DONE  # the fake run publishes the same version again
    message = "nothing new to publish: the model is published already"
    assert project.messages[-1].startswith(message)
    project.plan({"code": 3, "reasons": ["too low"], "nothing_ran": True})
    project.write("train.conll")
    project.write("dev.conll")
    assert project.retrain() == REFUSED
    assert len(hook_calls()) == 1


@pytest.mark.parametrize(
    ("ending", "expected"),
    [
        (
            {"code": 0, "published": "1700", "f1": 0.5},
            {"event": "success", "exit": 0, "version": "1700", "f1": 0.5},
        ),
        (
            {"code": 3, "reasons": ["a", "b"], "f1": 0.1},
            {"event": "refusal", "exit": 3, "reason": "a; b", "version": ""},
        ),
        (
            {"code": 2, "says": "tfx-ner: bad line"},
            {"event": "failure", "exit": 2, "reason": "bad line", "f1": None},
        ),
    ],
)
def test_a_hook_gets_the_result_of_the_run(project, hook_calls, ending, expected):
    project.plan(ending)
    project.retrain()
    [(facts, variables)] = hook_calls()
    assert facts.items() >= expected.items()
    assert facts["trigger"] == facts["because"] == FIRST_RUN
    assert facts["workdir"] == str(project.work) and (project.work / "runs" / facts["run"]).is_dir()
    for name, value in expected.items():
        assert variables[f"TFX_NER_{name.upper()}"] == ("" if value is None else str(value))


def test_missing_data_calls_the_hook_once(project, hook_calls):
    (project.data / "train.conll").unlink()
    for _ in range(2):
        with pytest.raises(UserError, match="found no corpus"):
            project.retrain()
    [(facts, _)] = hook_calls()
    assert (facts["event"], facts["exit"], facts["run"]) == ("failure", 2, "")
    assert project.run_reasons == []


def test_a_failing_hook_does_not_change_the_result(project):
    project.settings += ["schedule.on_success=/nowhere/notify"]
    assert project.retrain() == DONE
    assert project.messages[-1] == "schedule.on_success: /nowhere/notify: No such file or directory"
    assert project.state.done.version == "100"


def test_an_interrupted_run_is_repeated(project):
    project.retrain()
    done, runs = project.state.done, (project.state.done.run,)
    trigger = "new data: span 8"
    for _ in range(2):  # the second time, the repeated run is cut off too
        project.put_in_flight(done, trigger=trigger, runs=runs)
        project.plan({"code": 0, "published": "101"})
        project.retrain()
        [trigger] = project.run_reasons
        assert trigger == "new data: span 8 (once more: the run before was cut off)"
        runs = (*runs, project.state.done.run)
    assert project.state.in_flight is None


def test_the_outcome_of_a_run_that_ended_without_a_scheduler_is_used(project, hook_calls):
    project.retrain()
    done = project.state.done
    project.schedule.update_state(done=None, last=None)
    project.put_in_flight(done, trigger="new data: span 8")
    assert project.retrain() == DONE
    assert len(project.run_reasons) == 1 and project.state.done.version == "100"
    assert [facts["trigger"] for facts, _ in hook_calls()] == [FIRST_RUN, "new data: span 8"]


def test_a_later_process_with_the_same_number_is_another_process():
    now = Process.of(os.getpid())
    assert now.is_alive
    assert not now.model_copy(update={"created": now.created - 3600}).is_alive


def test_the_files_of_an_earlier_version_are_read(project):
    project.retrain()
    stored = json.loads(project.schedule.state_file.read_text())
    result = stored["done"]
    result["because"] = result.pop("trigger")
    result["inputs"]["contract"] = result["inputs"].pop("schema_file")
    process = {"pid": 7, "host": "other", "boot": "b", "tick": 3}
    flight = {key: result[key] for key in ("because", "began", "log", "inputs")}
    flight |= {"runs": [], "versions": [], "process": process}
    old = {"done": result, "last": result, "flight": flight}
    project.schedule.state_file.write_text(json.dumps(old))
    assert project.state.done.trigger == project.state.in_flight.trigger == FIRST_RUN
    assert not project.state.in_flight.process.is_alive
    assert project.retrain() == DONE and project.state.in_flight is None


def test_the_scheduler_waits_for_a_run_started_by_hand(project):
    project.schedule.workdir.make()
    with project.schedule.workdir.locked():
        project.settings += ["schedule.limit=1h"]
        project.time.stops_at = 600
        assert project.retrain() == STOPPED
    assert project.run_reasons == [] and project.state.in_flight is None
    assert project.messages[0].startswith("waiting: ")
    project.time.stops_at = float("inf")
    assert project.retrain() == DONE and len(project.run_reasons) == 1


def test_a_run_that_finds_the_workdir_busy_is_repeated(project):
    busy = {"code": 75, "says": "tfx-ner: /w: process 7 is using the workdir; wait"}
    project.plan(busy, {"code": 0, "published": "5"})
    assert project.retrain() == DONE and len(project.run_reasons) == 2


def test_a_stop_before_a_retry_leaves_the_run_to_the_next_start(project):
    project.plan({"code": 1}, {"code": 0, "published": "5"})
    project.time.stops_at = 30
    assert project.retrain() == STOPPED and project.state.in_flight
    project.time.stops_at = float("inf")
    assert project.retrain() == DONE
    assert project.run_reasons[1].endswith("(once more: the run before was cut off)")


def test_old_logs_are_removed(project, monkeypatch):
    monkeypatch.setattr(retraining, "LOGS", 2)
    for letter in "abcd":
        project.write("train.conll", f"{letter}\tB-PER\n\n")
        project.retrain()
        project.time.set_wall(60)
    assert len(project.run_reasons) == 4
    logs = sorted(project.schedule.logs.iterdir())
    assert len(logs) == 2 and str(logs[-1]) == project.state.last.log
    assert "some output" in Path(project.state.last.log).read_text()


def test_a_damaged_state_costs_one_run(project):
    project.retrain()
    project.schedule.state_file.write_text('{"done": ')
    assert project.state == State()
    assert project.retrain() == DONE
    assert project.run_reasons[1:] == [FIRST_RUN]


def test_a_run_with_until_is_not_complete(project, hook_calls):
    project.plan({"code": 0, "until": "TypeGate"}, {"code": 0, "published": "5"})
    assert project.retrain() == DONE
    assert project.messages[-1].startswith("up to TypeGate: Pusher is next, after ")
    assert project.state.done is None and project.state.in_flight is None and hook_calls() == []
    [last] = [line for line in status_lines(project.schedule) if line.startswith("last ")]
    assert "up to TypeGate" in last
    assert project.retrain() == DONE and project.state.done.version == "5"
    assert project.run_reasons == [FIRST_RUN] * 2
    assert project.retrain() == DONE and len(project.run_reasons) == 2


def test_a_run_with_until_leaves_the_last_complete_run_in_the_state(project):
    project.retrain()
    project.write("train.conll", OTHER_TEXT)
    project.plan({"code": 0, "until": "Trainer"}, {"code": 3, "reasons": ["too low"]})
    assert project.retrain() == DONE and project.state.done.version == "100"
    assert project.retrain() == REFUSED
    assert project.run_reasons == ["changed data: train.conll"] * 2
    assert project.retrain() == DONE and len(project.run_reasons) == 2


def test_a_run_with_until_that_ended_without_a_scheduler_is_recorded(project):
    project.plan({"code": 0, "until": "Trainer"})
    project.retrain()
    last = project.state.last
    project.schedule.update_state(last=None)
    project.put_in_flight(last)
    project.plan({"code": 0, "published": "5"})
    assert project.retrain() == DONE
    assert project.messages[-3].startswith("up to Trainer: ") and project.state.done.version == "5"


def test_a_dry_run_says_whether_a_run_would_start(project):
    def dry_run():
        code = project.retraining.run_if_changed(dry_run=True)
        return code, project.messages[-1]

    assert dry_run() == (DONE, f"there is something to run: {FIRST_RUN}")
    assert project.run_reasons == []
    project.retrain()
    code, message = dry_run()
    assert code == NOTHING_NEW and message.startswith("nothing new since ")
    project.write("train.conll", OTHER_TEXT)
    assert dry_run() == (DONE, "there is something to run: changed data: train.conll")
    project.plan({"code": 2, "says": "tfx-ner: bad"})
    project.retrain()
    assert dry_run()[0] == BAD_INPUT and len(project.run_reasons) == 1
