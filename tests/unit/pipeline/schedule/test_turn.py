"""A turn: whether it runs, how often it tries, what it remembers, and whom it tells."""

import json
import os
import sys
from pathlib import Path

import pytest

from components.errors import UserError
from pipeline.exits import BAD_INPUT, DONE, FAILED, NOTHING_NEW, REFUSED, STOPPED
from pipeline.schedule import state, status
from pipeline.schedule.attempt import turn
from pipeline.schedule.processes import Process

OTHER = "Bea\tB-PER\nspoke\tO\n\n"


def noting(project):
    """A hook that writes what it is told, and the file it goes to."""
    told = project.folder / "told.jsonl"
    program = (
        "import json, os, sys;"
        " given = {name: value for name, value in os.environ.items() if name.startswith('TFX_NER_')};"
        f" open({str(told)!r}, 'a').write(json.dumps([json.load(sys.stdin), given]) + chr(10))"
    )
    hook = json.dumps([sys.executable, "-c", program])
    project.settings += [
        f"schedule.on_{event}={hook}" for event in ("success", "failure", "refusal")
    ]
    return lambda: (
        [json.loads(line) for line in told.read_text().splitlines()] if told.exists() else []
    )


def test_the_first_turn_runs_and_the_next_has_nothing_to_do(project):
    assert project.turn() == DONE
    assert project.reasons == ["the first run on this schedule"]
    assert project.said[-1].startswith("published: version 100, F1 0.7500")
    assert project.turn() == DONE
    assert len(project.reasons) == 1
    assert project.said[-1] == "nothing new since 2026-11-22 02:00:00: no run"


def test_new_data_makes_a_run_which_is_told_why(project):
    project.turn()
    project.write("train.conll", OTHER)
    assert project.turn() == DONE
    assert project.reasons[1:] == ["changed data: train.conll"]


def test_a_refused_run_has_finished(project):
    project.plan({"code": 3, "reasons": ["F1 is 0.1; at least 0.3 is asked for"], "f1": 0.1})
    assert project.turn() == REFUSED
    assert project.said[-1].startswith("refused: F1 is 0.1; at least 0.3 is asked for, F1 0.1000")
    assert project.turn() == DONE and len(project.reasons) == 1


def test_a_model_that_must_not_serve_since_a_rollback_is_no_refused_one(project):
    project.plan({"code": 3, "held": "held since the rollback from 2 to 1", "f1": 0.7})
    assert project.turn() == REFUSED
    assert project.said[-1].startswith("not live: held since the rollback from 2 to 1, F1 0.7000")


def test_what_can_pass_is_tried_again_later_and_later(project):
    project.settings += ["schedule.retries=3", "schedule.backoff=20m"]
    project.plan(
        {"code": 1, "says": "tfx-ner: the disk is full"},
        {"code": 1},
        {"code": 1},
        {"code": 0, "published": "7"},
    )
    assert project.turn() == DONE
    assert len(project.reasons) == 4
    assert [nap for nap in project.time.naps if nap > 1] == [1200, 2400, 3600]
    assert "failed: the disk is full; once more in 20m, 3 of 3 tries left" in project.said


def test_after_the_last_try_it_gives_up_until_the_next_turn(project):
    project.settings += ["schedule.retries=1"]
    project.plan({"code": 1, "says": "tfx-ner: the disk is full"})
    assert project.turn() == FAILED
    assert len(project.reasons) == 2 and project.state.flight is None
    assert project.state.last.reason == "the disk is full" and project.state.done is None
    assert project.turn() == FAILED and len(project.reasons) == 4


def test_bad_data_is_not_tried_again_until_something_changes(project):
    project.plan(
        {"code": 2, "says": "tfx-ner: train.conll:7: found x"}, {"code": 0, "published": "8"}
    )
    assert project.turn() == BAD_INPUT and project.turn() == BAD_INPUT
    assert len(project.reasons) == 1
    assert project.said[-1].endswith("failed: train.conll:7: found x")
    project.write("train.conll", OTHER)
    assert project.turn() == DONE and len(project.reasons) == 2


def test_data_that_is_again_what_it_was_needs_no_run(project):
    project.turn()
    project.write("train.conll", OTHER)
    project.plan({"code": 2, "says": "tfx-ner: bad"})
    assert project.turn() == BAD_INPUT
    project.write("train.conll")
    assert project.turn() == DONE and len(project.reasons) == 1
    assert project.said[-1].startswith("nothing new since")


def test_a_run_that_takes_too_long_is_ended_and_tried_again(project):
    project.settings += ["schedule.limit=1h", "schedule.retries=1"]
    project.plan({"code": 0, "seconds": 600}, {"code": 0, "published": "9"})
    project.time.jumps.append((lambda: project.reasons, 3600))
    assert project.turn() == DONE and len(project.reasons) == 2
    assert "failed: it took too long; once more in 1m, 1 of 1 tries left" in project.said


def test_one_that_does_not_end_when_told_to_is_killed(project):
    project.settings += ["schedule.limit=1h", "schedule.grace=20s", "schedule.retries=0"]
    project.plan({"code": 0, "seconds": 600, "deaf": True})
    project.time.jumps.append((lambda: project.reasons, 3600))
    assert project.turn() == FAILED
    assert project.state.last.reason == "it took too long"
    assert project.time.naps.count(0.5) >= 40  # half a second each, until its grace was over


def test_everything_cached_is_no_event(project):
    told = noting(project)
    project.turn()
    assert [facts["event"] for facts, _ in told()] == ["success"]
    project.write("train.conll", OTHER)
    assert project.turn() == DONE  # the fake publishes the version that is there already
    assert project.said[-1].startswith("nothing new to publish: the model is published already")
    project.plan({"code": 3, "reasons": ["too low"], "nothing_ran": True})
    project.write("train.conll")
    project.write("dev.conll")
    assert project.turn() == REFUSED
    assert len(told()) == 1


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
def test_who_waits_is_told_how_it_ended(project, ending, expected):
    told = noting(project)
    project.plan(ending)
    project.turn()
    [(facts, environment)] = told()
    assert facts.items() >= expected.items()
    assert facts["workdir"] == str(project.work) and (project.work / "runs" / facts["run"]).is_dir()
    for name, value in expected.items():
        assert environment[f"TFX_NER_{name.upper()}"] == ("" if value is None else str(value))


def test_data_that_is_missing_is_told_once(project):
    told = noting(project)
    (project.data / "train.conll").unlink()
    for _ in range(2):
        with pytest.raises(UserError, match="found no corpus"):
            project.turn()
    [(facts, _)] = told()
    assert (facts["event"], facts["exit"], facts["run"]) == ("failure", 2, "")
    assert project.reasons == []


def test_a_hook_that_fails_changes_nothing(project):
    project.settings += ["schedule.on_success=/nowhere/notify"]
    assert project.turn() == DONE
    assert project.said[-1] == "schedule.on_success: /nowhere/notify: No such file or directory"
    assert project.state.done.version == "100"


def test_a_run_that_was_cut_off_is_done_again(project):
    project.turn()
    done = project.state.done
    flight = state.Flight(
        because="new data: span 8",
        began=done.began,
        log=done.log,
        runs=(done.run,),
        versions=(),
        inputs=done.inputs,
    )
    for _ in range(2):  # the second time, it is cut off once more
        state.write(project.state.model_copy(update={"flight": flight}), project.places.state)
        project.plan({"code": 0, "published": "101"})
        project.turn()
        assert project.reasons == ["new data: span 8 (once more: the run before was cut off)"]
        flight = flight.model_copy(
            update={"because": project.reasons[0], "runs": (*flight.runs, project.state.done.run)}
        )
    assert project.state.flight is None


def test_of_a_run_that_ended_while_nobody_looked_the_outcome_counts(project):
    told = noting(project)
    project.turn()
    done = project.state.done
    flight = state.Flight(
        because="new data: span 8",
        began=done.began,
        log=done.log,
        runs=(),
        versions=(),
        inputs=done.inputs,
    )
    state.write(state.State(flight=flight), project.places.state)
    assert project.turn() == DONE
    assert len(project.reasons) == 1 and project.state.done.version == "100"
    assert [facts["because"] for facts, _ in told()] == [
        "the first run on this schedule",
        "new data: span 8",
    ]


def test_a_process_of_before_the_reboot_is_not_taken_for_another_with_its_number():
    now = Process.of(os.getpid())
    assert now.alive
    assert not now.model_copy(update={"boot": "another"}).alive
    assert not now.model_copy(update={"tick": now.tick + 1}).alive


def test_it_waits_for_a_run_that_was_started_by_hand(project):
    project.places.workdir.make()
    with project.places.workdir.locked():
        project.settings += ["schedule.limit=1h"]
        project.time.ends_at = 600
        assert project.turn() == STOPPED
    assert (
        project.reasons == []
        and "is at work here" in project.said[0]
        and project.state.flight is None
    )
    project.time.ends_at = float("inf")
    assert project.turn() == DONE and len(project.reasons) == 1


def test_one_that_finds_another_run_at_work_is_tried_again(project):
    project.plan(
        {"code": 2, "says": "tfx-ner: /w: process 7 is at work here; wait"},
        {"code": 0, "published": "5"},
    )
    assert project.turn() == DONE and len(project.reasons) == 2


def test_told_to_end_while_it_waits_to_try_again_it_leaves_the_run_to_the_next_start(project):
    project.settings += ["schedule.backoff=1h"]
    project.plan({"code": 1}, {"code": 0, "published": "5"})
    project.time.ends_at = 1800
    assert project.turn() == STOPPED and project.state.flight
    project.time.ends_at = float("inf")
    assert project.turn() == DONE and project.reasons[1].endswith(
        "(once more: the run before was cut off)"
    )


def test_old_logs_go(project):
    project.settings += ["schedule.keep_logs=2"]
    for letter in "abcde":
        project.write("train.conll", f"{letter}\tB-PER\n\n")
        project.turn()
        project.time.set_wall(60)
    assert len(project.reasons) == 5
    logs = sorted(project.places.logs.iterdir())
    assert len(logs) == 2 and str(logs[-1]) == project.state.last.log
    assert "some output" in Path(project.state.last.log).read_text()


def test_a_state_that_cannot_be_read_makes_one_run_more_at_most(project):
    project.turn()
    project.places.state.write_text('{"done": ')
    assert project.turn() == DONE
    assert project.reasons[1:] == ["the first run on this schedule"]


def test_a_run_that_stopped_early_is_no_whole_one(project):
    told = noting(project)
    project.plan({"code": 0, "until": "TypeGate"}, {"code": 0, "published": "5"})
    assert project.turn() == DONE
    assert project.said[-1].startswith("up to TypeGate: Pusher is next, after ")
    assert project.state.done is None and project.state.flight is None and told() == []
    assert any(
        line.startswith("last       ") and "up to TypeGate" in line
        for line in status.lines(project.places)
    )
    assert project.turn() == DONE and project.state.done.version == "5"
    assert project.reasons == ["the first run on this schedule"] * 2
    assert project.turn() == DONE and len(project.reasons) == 2


def test_a_run_that_stopped_early_leaves_the_last_whole_one_what_it_was(project):
    project.turn()
    project.write("train.conll", OTHER)
    project.plan({"code": 0, "until": "Trainer"}, {"code": 3, "reasons": ["too low"]})
    assert project.turn() == DONE and project.state.done.version == "100"
    assert project.turn() == REFUSED and project.reasons == ["changed data: train.conll"] * 2
    assert project.turn() == DONE and len(project.reasons) == 2


def test_a_run_that_stopped_early_and_nobody_waited_for_is_done(project):
    project.plan({"code": 0, "until": "Trainer"})
    project.turn()
    ended = project.state.last
    flight = state.Flight(
        because=ended.because,
        began=ended.began,
        log=ended.log,
        runs=(),
        versions=(),
        inputs=ended.inputs,
    )
    state.write(state.State(flight=flight), project.places.state)
    project.plan({"code": 0, "published": "5"})
    assert project.turn() == DONE
    assert project.said[-3].startswith("up to Trainer: ") and project.state.done.version == "5"


def test_a_look_says_whether_a_run_would_start_and_starts_none(project):
    def look():
        project.places.logs.mkdir(parents=True, exist_ok=True)
        return turn(project.job, project.places, only_look=True)

    assert (
        look() == DONE
        and project.said[-1] == "there is something to run: the first run on this schedule"
    )
    assert project.reasons == []
    project.turn()
    assert look() == NOTHING_NEW and project.said[-1].startswith("nothing new since ")
    project.write("train.conll", OTHER)
    assert (
        look() == DONE
        and project.said[-1] == "there is something to run: changed data: train.conll"
    )
    project.plan({"code": 2, "says": "tfx-ner: bad"})
    project.turn()
    assert look() == BAD_INPUT and len(project.reasons) == 1
