"""What the tests of the schedule share: a project with a small corpus, a clock of one's own, and a run that is only played."""

import datetime
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pipeline import code_hash, config
from pipeline.schedule import state
from pipeline.schedule.attempt import Job, turn
from pipeline.schedule.clock import Clock, moment
from pipeline.schedule.places import Places
from pipeline.workdir import Workdir

ROOT = Path(__file__).resolve().parents[4]
FAKE = Path(__file__).with_name("fake_run.py")
LONGEST = 60  # seconds that a test waits for a process, however busy the machine is

PROGRAM = """
import sys
import pipeline.commands.schedule as schedule
from pipeline import cli
schedule._command = lambda *_: [sys.executable, {fake!r}, {work!r}]
sys.argv = ["tfx-ner", "schedule", *sys.argv[1:]]
cli.main()
"""


@dataclass
class FakeTime:
    """Time that passes only while somebody waits; what is due at a moment happens then.

    `jumps`: conditions, each with the seconds that pass at once as soon as it holds.
    """

    wall: datetime.datetime = datetime.datetime(2026, 11, 22, 2, 0, tzinfo=datetime.timezone.utc)
    zone: datetime.tzinfo = datetime.timezone.utc
    steady: float = 0.0
    naps: list[float] = field(default_factory=list)
    ends_at: float = float("inf")
    events: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    jumps: list[tuple[Callable[[], object], float]] = field(default_factory=list)

    @property
    def clock(self) -> Clock:
        return Clock(
            now=lambda: moment(self.wall.astimezone(self.zone)),
            steady=lambda: self.steady,
            wait=self._wait,
        )

    def _wait(self, seconds):
        until = min(self.steady + seconds, self.ends_at)
        self.naps.append(seconds)
        if seconds <= 1:
            time.sleep(0.005)  # somebody waits for a process, and that takes its real time
        while self.events and self.events[0][0] <= until:
            at, event = self.events.pop(0)
            self._pass(at - self.steady)
            event()
        self._pass(until - self.steady)
        if self.jumps and self.jumps[0][0]():
            self._pass(self.jumps.pop(0)[1])
        return self.steady >= self.ends_at

    def _pass(self, seconds):
        self.wall += datetime.timedelta(seconds=seconds)
        self.steady += seconds

    def set_wall(self, seconds):
        self.wall += datetime.timedelta(seconds=seconds)

    def at(self, steady, event):
        """Has something happen so many seconds after the start."""
        self.events.append((steady, event))
        self.events.sort(key=lambda one: one[0])


class Project:
    """A folder with a corpus in `data`, and the work folder `work` beside it."""

    def __init__(self, folder: Path):
        self.folder, self.data, self.work = folder, folder / "data", folder / "work"
        self.settings: list[str] = []
        self.time, self.said = FakeTime(), []
        self.places = Places(Workdir(self.work, "ner"))
        self.write("train.conll")
        self.plan({"code": 0, "published": "100", "f1": 0.75})

    def write(self, name, text="Ada\tB-PER\nspoke\tO\n\n", folder=None):
        file = (folder or self.data) / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text * 20)
        return file

    def plan(self, *endings):
        """How the runs end that are started from now on."""
        (self.folder / "calls.jsonl").unlink(missing_ok=True)
        (self.folder / "plan.json").write_text(json.dumps(endings))

    @property
    def reasons(self):
        """Why each run started, by what it was given."""
        calls = self.folder / "calls.jsonl"
        return (
            [json.loads(line)[-1] for line in calls.read_text().splitlines()]
            if calls.exists()
            else []
        )

    @property
    def job(self):
        return Job(
            load=lambda: config.load(
                None, self.settings, {"data": str(self.data), "workdir": str(self.work)}
            ),
            command=lambda because: [
                sys.executable,
                str(FAKE),
                str(self.work),
                "--because",
                because,
            ],
            clock=self.time.clock,
            say=self.said.append,
        )

    @property
    def state(self):
        return state.read(self.places.state)

    def turn(self):
        self.places.logs.mkdir(parents=True, exist_ok=True)
        return turn(self.job, self.places)

    def arguments(self, *more):
        return [
            *more,
            "--data",
            self.data,
            "--workdir",
            self.work,
            *(f"--set={one}" for one in self.settings),
        ]


class Program:
    """`tfx-ner schedule` as a process of its own."""

    def __init__(self, project: Project, *more, **environment):
        program = PROGRAM.format(fake=str(FAKE), work=str(project.work))
        self.popen = subprocess.Popen(
            [sys.executable, "-c", program, *map(str, project.arguments(*more))],
            cwd=ROOT,
            env={**os.environ, **environment},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def ended(self):
        """Its exit code and what it said, once it has ended."""
        out, err = self.popen.communicate(timeout=LONGEST)
        return self.popen.returncode, out, err

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.communicate()


def wait_for(condition):
    until = time.monotonic() + LONGEST
    while not condition():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.02)


@pytest.fixture
def project(tmp_path, monkeypatch):
    # Whoever works on the sources while the tests run would otherwise start runs.
    monkeypatch.setattr(code_hash, "whole_hash", lambda: "the code")
    project = Project(tmp_path)
    yield project
    flight = project.state.flight
    if flight and flight.process and flight.process.alive:
        os.killpg(flight.process.pid, signal.SIGKILL)


@pytest.fixture
def program(project):
    """Starts `tfx-ner schedule` on the project, and ends it with the test."""
    started = []

    def start(*more, **environment):
        started.append(Program(project, *more, **environment))
        return started[-1]

    yield start
    for one in started:
        one.__exit__()


@pytest.fixture
def eventually():
    """Waits until something holds."""
    return wait_for
