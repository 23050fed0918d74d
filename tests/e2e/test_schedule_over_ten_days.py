"""Ten days of a schedule, on spans cut from a real corpus: what comes late, wrong or not at all, and what the history says of it.

It took 31 minutes on two cores that were busy with other work: set TFX_NER_LONG=1 to have it told.
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
A_DAY = 400  # sentences
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

# The command, with a clock that starts at a given time.
AT = """
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
class Look:
    """What `schedule --once` said on a day, and the versions that were live after it."""

    day: int
    code: int
    said: str
    live: tuple[int, ...]


class Ten:
    """The data, the work folder, and the days so far."""

    def __init__(self, context):
        self.program, self.data, self.work = (
            context.program,
            context.folder / "data",
            context.folder / "work",
        )
        self.golden = context.folder / "golden.tsv"
        self.sentences = list(read_sentences(str(CORPUS / "train.tsv")))
        self.write(self.golden, list(read_sentences(str(CORPUS / "test.tsv")))[:500])
        self.looks: list[Look] = []

    def of_day(self, day):
        return self.sentences[(day - 1) * A_DAY : day * A_DAY]

    def write(self, file, sentences):
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("w", encoding="utf-8") as out:
            write_conll(out, sentences)

    def bring(self, day, sentences=None, version=None):
        folder = self.data / f"span-{day}"
        folder = folder / f"version-{version}" if version else folder
        self.write(folder / "corpus.tsv", self.of_day(day) if sentences is None else sentences)

    @property
    def live(self):
        return tuple(
            sorted(int(path.name) for path in (self.work / "serving" / "ner").glob("[0-9]*"))
        )

    def look(self, day):
        morning = datetime.datetime(2026, 3, day, 2, tzinfo=datetime.timezone.utc).isoformat()
        given = ["--data", self.data, "--workdir", self.work, f"--set=golden={self.golden}"]
        given += [f"--set={setting}" for setting in SETTINGS]
        done = subprocess.run(
            [sys.executable, "-c", AT, morning, "schedule", "--once", *map(str, given)],
            cwd=self.program.source,
            env=environment(),
            text=True,
            capture_output=True,
            timeout=1_800,
        )
        self.looks.append(Look(day, done.returncode, done.stdout + done.stderr, self.live))

    def held(self):
        """The version that waits since a run during the hold."""
        file = self.golden.with_name("models.json")
        self.command("models", "list", "--json", file)
        [version] = [
            one["version"]
            for one in json.loads(file.read_text())["models"]
            if one["state"] == "held"
        ]
        return version

    def command(self, *arguments):
        done = self.program.command(*arguments, "--workdir", self.work)
        assert done.code == 0, done
        return done.out


def shuffled(sentences):
    """The same tokens, each tag at another one's place."""
    tags = [tag for one in sentences for tag in tags_of(one.spans, len(one.tokens), "IOB2")]
    random.Random(8).shuffle(tags)
    taken = iter(tags)
    for one in sentences:
        found = spans_of([next(taken) for _ in one.tokens], "IOB2")
        yield replace(one, spans=tuple(found))


def with_unknown_type(sentences):
    first, *others = sentences
    return [
        replace(first, spans=tuple(replace(span, type="Device") for span in first.spans)),
        *others,
    ]


def ten_days(context):
    ten = Ten(context)
    ten.bring(1)
    ten.look(1)
    ten.bring(2)
    ten.look(2)
    ten.look(2)  # nothing new
    ten.bring(3)
    ten.look(3)
    ten.look(4)  # day 4 is late
    ten.bring(5)
    ten.look(5)
    ten.bring(4)
    ten.look(5)
    ten.bring(5, ten.of_day(5)[: A_DAY - 50], version=2)
    ten.look(5)
    ten.bring(6, with_unknown_type(ten.of_day(6)))
    ten.look(6)
    ten.look(6)  # not tried again
    ten.bring(6, version=2)
    (ten.data / "span-7").mkdir()
    ten.look(7)
    ten.bring(7)
    ten.bring(8, list(shuffled(ten.of_day(8))))
    ten.look(8)
    ten.bring(8, version=2)
    ten.command("models", "rollback", "--reason", "a complaint")
    ten.bring(9)
    ten.look(9)
    ten.command("models", "promote", ten.held())
    ten.bring(10)
    ten.look(10)
    ten.command("runs", "--json", context.folder / "runs.json")
    ten.command("models", "list", "--json", context.folder / "models.json")
    ten.command("runs", "verify")
    return {
        "looks": ten.looks,
        "runs": json.loads((context.folder / "runs.json").read_text())["runs"],
        "models": json.loads((context.folder / "models.json").read_text()),
    }


WANTED = "TFX_NER_LONG" in os.environ and CORPUS.is_dir()
SCENARIOS = {"ten days": ten_days} if WANTED else {}


@pytest.fixture
def days(scenario_result):
    if not WANTED:
        pytest.skip(
            "it takes long, and needs shared/corpora beside the project: set TFX_NER_LONG=1"
        )
    return scenario_result("ten days")


def test_each_look_ends_as_the_day_was(days):
    assert [(look.day, look.code) for look in days["looks"]] == [
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
    ], "\n\n".join(f"{look.day}: {look.code}\n{look.said}" for look in days["looks"])


def test_what_was_wrong_is_said(days):
    said = [look.said for look in days["looks"]]
    assert "nothing new" in said[2] and "nothing new" in said[4]
    assert "span 4 is missing between span 3 and span 5" in said[5]
    assert "Device" in said[8] and "span 6" in said[8]
    assert "nothing new" in said[9]
    assert "span 7" in said[10] and "no data" in said[10]
    assert "F1" in said[11]
    assert "held since the rollback" in said[12]


def test_a_version_appears_with_each_model_that_passed_and_never_otherwise(days):
    live = [look.live for look in days["looks"]]
    new = [len(after) - len(before) for before, after in zip([(), *live], live)]
    # The rollback takes one away before day 9; promoting the one of day 9 and the run of day 10 bring two.
    assert new == [1, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 0, -1, 2], live


def test_the_history_tells_it(days):
    told = [
        ([(span["number"], span["version"]) for span in run["spans"]], run["state"], run["code"])
        for run in days["runs"]
    ]
    assert told == [
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
    states = {one["version"]: one["state"] for one in days["models"]["models"]}
    assert max(states, key=int) and states[max(states, key=int)] == "serving"
