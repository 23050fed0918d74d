"""What a user sees of a run, and that the libraries' own lines go to the log."""

import io
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

import pytest
from rich.cells import cell_len
from rich.console import Console

from components import progress
from pipeline.console import RunConsole, score_table, show_outcome

ROOT = Path(__file__).resolve().parents[3]
SCORES = {"precision": 0.5, "recall": 0.25, "f1": 1 / 3, "support": 1234}


@pytest.fixture
def screen():
    return Console(file=io.StringIO(), width=100, highlight=False)


def shown(screen):
    return screen.file.getvalue()


@pytest.fixture
def console(screen):
    """A run's console that listens to progress and writes to the screen."""
    console = RunConsole(screen)
    progress.LOGGER.addHandler(console)
    yield console
    progress.LOGGER.removeHandler(console)


def test_a_node_that_ran_says_so_and_why(console, screen):
    progress.report("node_started", node="Trainer")
    progress.report(
        "node_ended",
        node="Trainer",
        execution=7,
        cached=False,
        reason="changed: code",
        seconds=61.234,
    )
    assert shown(screen) == "✓ Trainer                     61.2 s  ran: changed: code\n"
    assert console.executions == {"Trainer": 7}
    assert console.nodes == (
        {
            "node": "Trainer",
            "execution": 7,
            "cached": False,
            "reason": "changed: code",
            "seconds": 61.23,
        },
    )


def test_a_cached_node_says_so(console, screen):
    progress.report(
        "node_ended", node="Trainer", execution=7, cached=True, reason="same as before", seconds=0.1
    )
    assert shown(screen) == "= Trainer                      0.1 s  cached: same as before\n"


def test_the_first_failure_is_the_one_that_counts(console, screen):
    first, second = ValueError("first"), ValueError("second")
    progress.report("node_failed", node="Trainer", error=first, seconds=1.0)
    progress.report("node_failed", node="Pusher", error=second, seconds=2.0)
    assert (console.failure.node, console.failure.error) == ("Trainer", first)
    assert shown(screen).count("failed") == 1


def test_an_epoch_shows_its_figures(console, screen):
    progress.epoch(
        {
            "epoch": 3,
            "epochs": 15,
            "loss": 0.12345,
            "seconds": 4.56,
            "f1": 0.5,
            "precision": 0.4,
            "recall": 0.66666,
        }
    )
    assert (
        shown(screen)
        == "  epoch   3/15    4.6 s  loss 0.1235  dev F1 0.5000 (precision 0.4000, recall 0.6667)\n"
    )


def test_what_no_one_knows_is_passed_over(console, screen):
    progress.report("something_new", value=1)
    assert shown(screen) == ""


def test_brackets_in_a_reason_are_no_markup(console, screen):
    progress.report(
        "node_ended", node="A", execution=1, cached=False, reason="changed: [red]x[/red]", seconds=0
    )
    assert "[red]x[/red]" in shown(screen)


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
    table = tfx_ner("check", Path(path).parent).out.split("\n\n")[1].splitlines()
    assert max(map(cell_len, table)) <= 80
    assert "".join(line[:34].strip() for line in table[-8:]).endswith(
        name[-10:]
    ) and "…" not in "".join(table)
    assert any(line.split()[1:] == ["400", "400", "400", "█" * 10] for line in table)


@dataclass
class Outcome:
    """As `pipeline.outcome.Outcome`, which needs TFX."""

    nothing_ran: bool = False

    published: Optional[str] = "/w/serving/ner/17"
    before: Optional[dict] = None
    incomparable: bool = False
    forced: bool = False
    version: str = ""
    held: str = ""
    canary: bool = False
    drift: tuple = ()
    reasons: tuple = ()
    overall: dict = field(default_factory=lambda: SCORES)
    per_type: dict = field(default_factory=lambda: {"LOC": SCORES})
    recall_by_novelty: dict = field(default_factory=lambda: {"seen": 0.9, "seen_as_other": 0.5})
    evaluated_on: str = "test"
    report: str = ""


def test_the_outcome_ends_with_where_the_report_is(screen):
    show_outcome(screen, Outcome(report="/w/reports/17/index.html"))
    assert shown(screen).endswith("\nReport: /w/reports/17/index.html\n")


def test_the_outcome_says_where_the_model_is(screen):
    show_outcome(screen, Outcome())
    assert "Published: /w/serving/ner/17\n" in shown(screen)
    assert "seen 0.9000, seen as other 0.5000" in shown(screen)


def test_the_outcome_says_that_there_was_nothing_to_compare_with(screen):
    show_outcome(screen, Outcome())
    assert "No earlier model to compare with: the lower bound alone decides." in shown(screen)


def test_the_outcome_says_that_the_model_before_cannot_be_compared(screen):
    show_outcome(screen, Outcome(incomparable=True))
    assert "other signatures" in shown(screen) and "the lower bound alone decides." in shown(screen)


def test_the_outcome_compares_with_the_model_before(screen):
    show_outcome(screen, Outcome(before={**SCORES, "f1": 0.5}))
    assert "The model that serves: F1 0.5000 on the same data, -0.1667" in shown(screen)


def test_the_outcome_says_that_no_comparison_was_wanted(screen):
    show_outcome(screen, Outcome(forced=True))
    assert "Not compared with the model that serves, by --force-baseline" in shown(screen)


def test_the_outcome_tells_what_has_drifted_and_what_has_not(screen):
    tags = {
        "of": "tags",
        "value": 0.0123,
        "threshold": 0.1,
        "past": False,
        "between": "span 3 against those before it",
    }
    words = {**tags, "of": "token frequencies", "value": 0.25, "past": True}
    show_outcome(screen, Outcome(drift=(tags, words)))
    expected = "Drift, span 3 against those before it: tags 0.012 of 0.1; token frequencies 0.250, past 0.1"
    assert expected in shown(screen)


def test_while_held_the_outcome_says_since_when_and_how_to_go_on(screen):
    show_outcome(
        screen,
        Outcome(
            published=None, version="18", held="held since the rollback from 17 to 16 on Monday"
        ),
    )
    assert "Not live: held since the rollback from 17 to 16 on Monday." in shown(screen)
    assert "`tfx-ner models promote 18` puts version 18 live and lifts the hold." in shown(screen)


def test_a_canary_is_told_from_what_serves(screen):
    show_outcome(screen, Outcome(canary=True))
    assert "Published as canary: /w/serving/ner/17" in shown(
        screen
    ) and "`tfx-ner models promote`" in shown(screen)


def test_the_outcome_says_why_nothing_was_published(screen):
    show_outcome(screen, Outcome(published=None, reasons=("F1 is 0.1", "and worse")))
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
with console.capturing(Path(sys.argv[1])):
    print("printed")
    print("printed to stderr", file=sys.stderr)
    os.write(2, b"written by C++\\n")
    subprocess.run(["echo", "said by a child"])
    progress.report("node_ended", node="A", execution=1, cached=False, reason="first run", seconds=0)
print("after")
print("after, to stderr", file=sys.stderr)
"""


def test_while_nodes_run_all_but_progress_goes_to_the_log(tmp_path):
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


def test_where_standard_output_is_for_figures_progress_goes_to_standard_error(tmp_path):
    command = [sys.executable, "-c", CAPTURED, tmp_path / "log.txt", "on stderr"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "after\n"
    assert done.stderr.splitlines() == [
        "✓ A                            0.0 s  ran: first run",
        "after, to stderr",
    ]


def test_the_outcome_says_that_nothing_had_to_run(screen):
    show_outcome(screen, Outcome(nothing_ran=True))
    assert "Everything was cached" in shown(screen)
    show_outcome(screen, Outcome())
    assert shown(screen).count("Everything was cached") == 1
