"""Ten days of scheduled runs on spans of a real corpus: late, missing and bad data, a rollback, and the run history.

The scenario takes about half an hour and runs with TFX_NER_LONG=1 only.
"""

import datetime
import json
import os
import random
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from components.corpus.formats.conll import write_conll
from components.corpus.reading import read_sentences
from components.ner.tags import spans_of, tags_of
from tests.e2e.program import environment

pytestmark = pytest.mark.slow

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpora" / "bc5cdr"
SENTENCES_PER_DAY = 400
SETTINGS = (
    "window=2",
    "model.word_dimensions=32",
    "model.character_filters=16",
    "model.lstm_units=24",
    "model.dropout=0.2",
    "training.learning_rate=0.01",
    "training.batch_size=16",
    "training.epochs=6",
    "gate.minimum_f1=0.2",
    "gate.tolerance=0.12",
    "gate.type_tolerance=0.2",
    "schedule.retries=0",
    "schedule.timezone=UTC",
)

# The tfx-ner command with a clock that starts at a given time.
RUN_AT = """
import contextlib, datetime, sys, time
from pipeline import cli
from pipeline.schedule import process
began, morning = time.monotonic(), datetime.datetime.fromisoformat(sys.argv.pop(1))

@contextlib.contextmanager
def clock_from_morning(zone):
    def now():
        elapsed = datetime.timedelta(seconds=time.monotonic() - began)
        return process.fixed_offset((morning + elapsed).astimezone(zone))
    yield process.Clock(now, time.monotonic, lambda seconds: bool(time.sleep(min(seconds, 1))))

process.system_clock = clock_from_morning
cli.main()
"""


@dataclass(frozen=True)
class ScheduledRun:
    """The result of `schedule --once` on a day, and the live versions after it."""

    day: int
    code: int
    output: str
    live: tuple[int, ...]


class Schedule:
    """The spans of data, the workdir, and the scheduled runs so far."""

    def __init__(self, context):
        self.program, self.data, self.work = (
            context.program,
            context.folder / "data",
            context.folder / "work",
        )
        self.golden = context.folder / "golden.tsv"
        self.sentences = list(read_sentences(str(CORPUS / "train.tsv")))
        self.write(self.golden, list(read_sentences(str(CORPUS / "test.tsv")))[:500])
        self.runs: list[ScheduledRun] = []

    def sentences_of(self, day):
        return self.sentences[(day - 1) * SENTENCES_PER_DAY : day * SENTENCES_PER_DAY]

    def write(self, file, sentences):
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("w", encoding="utf-8") as out:
            write_conll(out, sentences)

    def add_span(self, day, sentences=None, version=None):
        folder = self.data / f"span-{day}"
        folder = folder / f"version-{version}" if version else folder
        self.write(
            folder / "corpus.tsv", self.sentences_of(day) if sentences is None else sentences
        )

    @property
    def live(self):
        return tuple(
            sorted(int(path.name) for path in (self.work / "serving" / "ner").glob("[0-9]*"))
        )

    def run(self, day):
        morning = datetime.datetime(2026, 3, day, 2, tzinfo=datetime.timezone.utc).isoformat()
        given = ["--data", self.data, "--workdir", self.work, f"--set=golden={self.golden}"]
        given += [f"--set={setting}" for setting in SETTINGS]
        done = subprocess.run(
            [sys.executable, "-c", RUN_AT, morning, "schedule", "--once", *map(str, given)],
            cwd=self.program.source,
            env=environment(),
            text=True,
            capture_output=True,
            timeout=1_800,
        )
        self.runs.append(ScheduledRun(day, done.returncode, done.stdout + done.stderr, self.live))

    def held_version(self):
        """The version that a run published while a hold was active."""
        file = self.golden.with_name("models.json")
        self.command("models", "list", "--json", file)
        [version] = [
            model["version"]
            for model in json.loads(file.read_text())["models"]
            if model["state"] == "held"
        ]
        return version

    def command(self, *arguments):
        done = self.program.command(*arguments, "--workdir", self.work)
        assert done.code == 0, done
        return done.out


def shuffled(sentences):
    """The sentences with all their tags shuffled."""
    tags = [
        tag
        for sentence in sentences
        for tag in tags_of(sentence.spans, len(sentence.tokens), "IOB2")
    ]
    random.Random(8).shuffle(tags)
    remaining = iter(tags)
    for sentence in sentences:
        spans = spans_of([next(remaining) for _ in sentence.tokens], "IOB2")
        yield replace(sentence, spans=tuple(spans))


def with_unknown_type(sentences):
    first, *others = sentences
    return [
        replace(first, spans=tuple(replace(span, type="Device") for span in first.spans)),
        *others,
    ]


def run_ten_days(context):
    schedule = Schedule(context)
    schedule.add_span(1)
    schedule.run(1)
    schedule.add_span(2)
    schedule.run(2)
    schedule.run(2)  # nothing new
    schedule.add_span(3)
    schedule.run(3)
    schedule.run(4)  # day 4 is late
    schedule.add_span(5)
    schedule.run(5)
    schedule.add_span(4)
    schedule.run(5)
    schedule.add_span(5, schedule.sentences_of(5)[: SENTENCES_PER_DAY - 50], version=2)
    schedule.run(5)
    schedule.add_span(6, with_unknown_type(schedule.sentences_of(6)))
    schedule.run(6)
    schedule.run(6)  # bad data is not read again
    schedule.add_span(6, version=2)
    (schedule.data / "span-7").mkdir()
    schedule.run(7)
    schedule.add_span(7)
    schedule.add_span(8, list(shuffled(schedule.sentences_of(8))))
    schedule.run(8)
    schedule.add_span(8, version=2)
    schedule.command("models", "rollback", "--reason", "a complaint")
    schedule.add_span(9)
    schedule.run(9)
    schedule.command("models", "promote", schedule.held_version())
    schedule.add_span(10)
    schedule.run(10)
    schedule.command("runs", "--json", context.folder / "runs.json")
    schedule.command("models", "list", "--json", context.folder / "models.json")
    schedule.command("runs", "verify")
    return {
        "scheduled": schedule.runs,
        "runs": json.loads((context.folder / "runs.json").read_text())["runs"],
        "models": json.loads((context.folder / "models.json").read_text()),
    }


ENABLED = "TFX_NER_LONG" in os.environ and CORPUS.is_dir()
SCENARIOS = {"ten days": run_ten_days} if ENABLED else {}


@pytest.fixture
def days(scenario_result):
    if not ENABLED:
        pytest.skip(
            "takes half an hour, and needs shared/corpora beside the project: set TFX_NER_LONG=1"
        )
    return scenario_result("ten days")


def test_each_scheduled_run_has_the_exit_code_of_its_day(days):
    assert [(run.day, run.code) for run in days["scheduled"]] == [
        (1, 0),
        (2, 0),
        (2, 0),
        (3, 0),
        (4, 0),
        (5, 2),
        (5, 0),
        (5, 0),
        (6, 2),
        (6, 2),
        (7, 2),
        (8, 3),
        (9, 3),
        (10, 0),
    ], "\n\n".join(f"{run.day}: {run.code}\n{run.output}" for run in days["scheduled"])


def test_the_output_names_the_problem(days):
    outputs = [run.output for run in days["scheduled"]]
    assert "nothing new" in outputs[2] and "nothing new" in outputs[4]
    assert "span 4 is missing between span 3 and span 5" in outputs[5]
    assert "Device" in outputs[8] and "span 6" in outputs[8]
    assert "nothing new" in outputs[9]
    assert "span 7" in outputs[10] and "no data" in outputs[10]
    assert "F1" in outputs[11]
    assert "held since the rollback" in outputs[12]


def test_only_accepted_models_add_a_live_version(days):
    live = [run.live for run in days["scheduled"]]
    new = [len(after) - len(before) for before, after in zip([(), *live], live)]
    # The rollback before day 9 removes one version; promoting the version of day 9 and the run of day 10 add two.
    assert new == [1, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 0, -1, 2], live


def test_the_history_has_the_spans_and_state_of_each_run(days):
    recorded = [
        ([(span["number"], span["version"]) for span in run["spans"]], run["state"], run["code"])
        for run in days["runs"]
    ]
    assert recorded == [
        ([(1, 0)], "published", 0),
        ([(1, 0), (2, 0)], "published", 0),
        ([(2, 0), (3, 0)], "published", 0),
        ([(4, 0), (5, 0)], "published", 0),
        ([(4, 0), (5, 2)], "published", 0),
        ([(5, 2), (6, 0)], "bad input", 2),
        ([(7, 0), (8, 0)], "refused", 3),
        ([(8, 2), (9, 0)], "held", 3),
        ([(9, 0), (10, 0)], "published", 0),
    ]
    assert all(
        run["because"].startswith(("the first run", "new data: span")) for run in days["runs"]
    )
    assert days["models"]["hold"] is None
    states = {model["version"]: model["state"] for model in days["models"]["models"]}
    assert max(states, key=int) and states[max(states, key=int)] == "serving"
