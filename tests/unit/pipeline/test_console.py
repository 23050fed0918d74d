"""The console output of a run, and the log of the libraries' output."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from components import progress
from pipeline.console import RunConsole, score_table, show_outcome
from pipeline.run import NodeRecorder
from tests.unit.pipeline.sample_outcomes import SCORES, make_outcome

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def screen():
    return Console(file=io.StringIO(), width=100, highlight=False)


def shown(screen):
    return screen.file.getvalue()


@pytest.fixture
def console(screen):
    """The console of a run, which receives the events and writes to the screen."""
    console = RunConsole(screen)
    with progress.listening(console.handle):
        yield console


def test_a_node_that_ran_shows_its_reason(console, screen):
    progress.emit(progress.NodeStarted("Trainer"))
    progress.emit(progress.NodeEnded("Trainer", 7, False, "changed: code", 61.234))
    assert shown(screen) == "✓ Trainer                     61.2 s  ran: changed: code\n"


def test_a_cached_node_is_marked(console, screen):
    progress.emit(progress.NodeEnded("Trainer", 7, True, "same as before", 0.1))
    assert shown(screen) == "= Trainer                      0.1 s  cached: same as before\n"


def test_an_epoch_shows_its_figures(console, screen):
    progress.emit(progress.EpochEnded(3, 15, 0.12345, 4.56, 0.5, 0.4, 0.66666))
    assert (
        shown(screen)
        == "  epoch   3/15    4.6 s  loss 0.1235  dev F1 0.5000 (precision 0.4000, recall 0.6667)\n"
    )


def test_brackets_in_a_reason_are_not_markup(console, screen):
    progress.emit(progress.NodeEnded("A", 1, False, "changed: [red]x[/red]", 0))
    assert "[red]x[/red]" in shown(screen)


EVENTS = (
    progress.NodeStarted("A"),
    progress.NodeEnded("A", 1, True, "same as before", 0.0),
    progress.NodeFailed("A", ValueError(), 0.0),
    progress.VectorsLoaded(900, 1_000, 20_000, 50),
    progress.WarmStarted(12, 14, 900, 1_000),
    progress.WaitingForWorkers(1),
    progress.ReplicasReady(2),
    progress.EpochEnded(1, 2, 0.5, 1.0, 0.5, 0.5, 0.5),
    progress.WorkerEpochEnded(1, 2, 0.5),
    progress.Calibrated(0.1, 1.2, 1.5, 0.5, 0.01),
    progress.TrialEnded(1, 2, 0.5, {"model.dropout": 0.4}),
)


def test_the_examples_cover_every_event():
    assert {type(event) for event in EVENTS} == set(progress.Event.__subclasses__())


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_takes_one_line_at_most(console, screen, event):
    progress.emit(event)
    assert shown(screen).count("\n") <= 1


def test_without_a_listener_an_event_is_dropped(screen):
    progress.emit(progress.NodeEnded("A", 1, True, "same as before", 0.0))
    assert shown(screen) == ""


@pytest.mark.parametrize("kind", progress._JSON_EVENTS.values())
def test_events_of_training_pass_through_json(kind):
    [event] = [event for event in EVENTS if type(event) is kind]
    assert progress.from_json(json.loads(progress.to_json(event))) == event


def test_the_recorder_keeps_nodes_and_the_first_failure():
    recorder = NodeRecorder()
    first, second = ValueError("first"), ValueError("second")
    with progress.listening(recorder.handle):
        progress.emit(progress.NodeEnded("Trainer", 7, False, "changed: code", 61.234))
        progress.emit(progress.NodeFailed("Pusher", first, 1.0))
        progress.emit(progress.NodeFailed("Report", second, 1.0))
    assert recorder.executions == {"Trainer": 7}
    assert recorder.nodes[0].as_dict() == {
        "node": "Trainer",
        "execution": 7,
        "cached": False,
        "reason": "changed: code",
        "seconds": 61.23,
    }
    assert (recorder.failure.node, recorder.failure.error) == ("Pusher", first)


def test_the_recorder_writes_every_event_as_a_line_of_json(tmp_path):
    recorder = NodeRecorder(tmp_path / "events.jsonl")
    for event in EVENTS:
        recorder.handle(event)
    lines = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [line["event"] for line in lines] == [type(event).__name__ for event in EVENTS]
    assert lines[1]["reason"] == "same as before" and lines[7]["f1"] == 0.5


def test_the_score_table_ends_with_all_types(screen):
    screen.print(score_table("Title", {"LOC": SCORES, "[b]": SCORES}, SCORES))
    lines = [line.split() for line in shown(screen).splitlines()]
    assert lines[0] == ["Title"] and lines[1] == ["type", "precision", "recall", "F1", "support"]
    assert [line[0] for line in lines[2:]] == ["LOC", "[b]", "all"]
    assert lines[2][1:] == ["0.5000", "0.2500", "0.3333", "███▎", "1,234"]


@pytest.mark.parametrize("name", ["x" * 30, "y" * 200, "[b] " * 30, "名" * 40])
def test_the_score_table_keeps_within_80_columns(name):
    screen = Console(file=io.StringIO(), width=80)
    right = {"precision": 1.0, "recall": 1.0, "f1": 1.0, "support": 1_234_567}
    screen.print(score_table("Title", {name: right, "none": {**right, "f1": 0.0}}, SCORES))
    lines = shown(screen).splitlines()
    assert max(map(cell_len, lines)) <= 80
    assert all(figure in shown(screen) for figure in (" 1.0000 ", " 1,234,567", "█" * 10 + "  "))
    start = "".join(line[:30].strip() for line in lines[2:-2])
    assert start.startswith(name[:15]) and "…" not in shown(screen)


@pytest.mark.parametrize("name", ["x" * 30, "y" * 100])
def test_check_keeps_its_table_within_80_columns(tfx_ner, write, monkeypatch, name):
    monkeypatch.setenv("COLUMNS", "80")
    for split in ("train", "dev", "test"):
        path = write(f"corpus/{split}.conll", f"Ada\tB-{name}\nspoke\tO\n\nBea\tB-LOC\n\n" * 400)
    lines = tfx_ner("check", Path(path).parent).out.split("\n\n")[0].splitlines()
    header = next(n for n, line in enumerate(lines) if line.split() == ["train", "dev", "test"])
    table = lines[header:]
    assert max(map(cell_len, table)) <= 80
    assert "".join(line[:34].strip() for line in table[-8:]).endswith(
        name[-10:]
    ) and "…" not in "".join(table)
    assert any(line.split()[1:] == ["400", "400", "400", "█" * 10] for line in table)


def test_the_outcome_ends_with_the_path_of_the_report(screen):
    show_outcome(screen, make_outcome(report="/w/reports/17/index.html"))
    assert shown(screen).endswith("\nReport: /w/reports/17/index.html\n")


def test_the_outcome_has_the_path_of_the_model(screen):
    show_outcome(screen, make_outcome())
    assert "Published: /w/serving/ner/17\n" in shown(screen)
    assert "seen in train 0.9000, seen with another type 0.5000" in shown(screen)


def test_the_outcome_of_a_first_run_says_that_there_is_no_baseline(screen):
    show_outcome(screen, make_outcome())
    assert "No earlier model to compare with: gate.minimum_f1 alone decides." in shown(screen)


def test_the_outcome_says_that_the_serving_model_is_incomparable(screen):
    show_outcome(screen, make_outcome(incomparable=True))
    assert "other signatures" in shown(screen) and "gate.minimum_f1 alone decides." in shown(screen)


def test_the_outcome_compares_with_the_serving_model(screen):
    show_outcome(screen, make_outcome(before={**SCORES, "f1": 0.5}))
    assert "Serving model: F1 0.5000 on the same data; change -0.1667" in shown(screen)


def test_the_outcome_says_that_force_baseline_skipped_the_comparison(screen):
    show_outcome(screen, make_outcome(forced=True))
    assert "Not compared with the serving model, as --force-baseline asks" in shown(screen)


def test_the_outcome_lists_features_with_and_without_drift(screen):
    tags = {
        "of": "tags",
        "value": 0.0123,
        "threshold": 0.1,
        "past": False,
        "between": "span 3 against the spans before it",
    }
    words = {**tags, "of": "token frequencies", "value": 0.25, "past": True}
    show_outcome(screen, make_outcome(drift=(tags, words)))
    expected = "Drift, span 3 against the spans before it: tags 0.012 of 0.1; token frequencies 0.250, past 0.1"
    assert expected in shown(screen)


def test_the_outcome_during_a_hold_has_its_reason_and_the_command_that_ends_it(screen):
    show_outcome(
        screen,
        make_outcome(
            published=None, version="18", held="held since the rollback from 17 to 16 on Monday"
        ),
    )
    assert "Not live: held since the rollback from 17 to 16 on Monday." in shown(screen)
    assert (
        "`tfx-ner models promote 18` makes version 18 the serving version and ends the hold."
        in shown(screen)
    )


def test_the_outcome_names_a_canary_as_such(screen):
    show_outcome(screen, make_outcome(canary=True))
    assert "Published as canary: /w/serving/ner/17" in shown(
        screen
    ) and "`tfx-ner models promote`" in shown(screen)


def test_the_outcome_of_a_refused_model_has_the_reasons(screen):
    show_outcome(screen, make_outcome(published=None, reasons=("F1 is 0.1", "and worse")))
    assert "Not published: F1 is 0.1; and worse" in shown(screen) and "Published:" not in shown(
        screen
    )


CAPTURED = """
import os, subprocess, sys
from pathlib import Path
from rich.console import Console
from components import progress
from pipeline.console import RunConsole

console = RunConsole(Console(stderr=len(sys.argv) > 2))
with console.logging_to(Path(sys.argv[1])), progress.listening(console.handle):
    print("printed")
    print("printed to stderr", file=sys.stderr)
    os.write(2, b"written by C++\\n")
    subprocess.run(["echo", "said by a child"])
    progress.emit(progress.NodeEnded("A", 1, False, "first run", 0.0))
print("after")
print("after, to stderr", file=sys.stderr)
"""


def test_during_nodes_all_output_except_progress_goes_to_the_log(tmp_path):
    log = tmp_path / "log.txt"
    done = subprocess.run(
        [sys.executable, "-c", CAPTURED, log], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [
        "✓ A                            0.0 s  ran: first run",
        "after",
    ]
    assert done.stderr == "after, to stderr\n"
    assert sorted(log.read_text().splitlines()) == [
        "printed",
        "printed to stderr",
        "said by a child",
        "written by C++",
    ]


def test_progress_goes_to_standard_error_if_standard_output_is_for_json(tmp_path):
    command = [sys.executable, "-c", CAPTURED, tmp_path / "log.txt", "on stderr"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "after\n"
    assert done.stderr.splitlines() == [
        "✓ A                            0.0 s  ran: first run",
        "after, to stderr",
    ]


def test_the_outcome_says_that_every_node_was_cached(screen):
    show_outcome(
        screen, make_outcome(nodes=(progress.NodeEnded("Trainer", 7, True, "same as before", 0.1),))
    )
    assert "Everything was cached" in shown(screen)
    show_outcome(screen, make_outcome())
    assert shown(screen).count("Everything was cached") == 1
