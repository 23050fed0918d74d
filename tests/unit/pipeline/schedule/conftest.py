"""Helpers for tests of retraining: a project with a small corpus, a clock that the test moves, and a fake run."""

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
from pipeline.schedule.process import Clock, fixed_offset
from pipeline.schedule.retraining import Retraining
from pipeline.schedule.state import RunInFlight, ScheduleFolder
from pipeline.workdir import Workdir

ROOT = Path(__file__).resolve().parents[4]
FAKE_RUN = Path(__file__).with_name("fake_run.py")
TIMEOUT_SECONDS = 60

PROGRAM = """
import sys
import pipeline.commands.schedule as schedule
from pipeline import cli, code_hash
code_hash.whole_hash = lambda: "the code"
schedule._run_command = lambda *_: [sys.executable, {fake!r}, {work!r}]
sys.argv = ["tfx-ner", "schedule", *sys.argv[1:]]
cli.main()
"""


@dataclass
class FakeTime:
    """A clock that advances only in waits.

    Attributes:
      events: Pairs of monotonic seconds and a function to call then.
      jumps: Pairs of a condition and the seconds by which the clock advances when it becomes true.
      stops_at: Monotonic seconds after which `wait` returns that the scheduler must stop.
    """

    wall: datetime.datetime = datetime.datetime(2026, 11, 22, 2, 0, tzinfo=datetime.timezone.utc)
    zone: datetime.tzinfo = datetime.timezone.utc
    monotonic: float = 0.0
    naps: list[float] = field(default_factory=list)
    stops_at: float = float("inf")
    events: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    jumps: list[tuple[Callable[[], object], float]] = field(default_factory=list)

    @property
    def clock(self) -> Clock:
        return Clock(
            now=lambda: fixed_offset(self.wall.astimezone(self.zone)),
            monotonic=lambda: self.monotonic,
            wait=self._wait,
        )

    def _wait(self, seconds):
        until = min(self.monotonic + seconds, self.stops_at)
        self.naps.append(seconds)
        if seconds <= 1:
            time.sleep(0.005)  # a process is waited for, which needs real time
        while self.events and self.events[0][0] <= until:
            at, event = self.events.pop(0)
            self.advance(at - self.monotonic)
            event()
        self.advance(until - self.monotonic)
        if self.jumps and self.jumps[0][0]():
            self.advance(self.jumps.pop(0)[1])
        return self.monotonic >= self.stops_at

    def advance(self, seconds):
        self.wall += datetime.timedelta(seconds=seconds)
        self.monotonic += seconds

    def set_wall(self, seconds):
        self.wall += datetime.timedelta(seconds=seconds)


class Project:
    """A folder with a corpus in `data` and the workdir `work`."""

    def __init__(self, folder: Path):
        self.folder, self.data, self.work = folder, folder / "data", folder / "work"
        self.settings: list[str] = []
        self.time, self.messages = FakeTime(), []
        self.schedule = ScheduleFolder(Workdir(self.work, "ner"))
        self.write("train.conll")
        self.plan({"code": 0, "published": "100", "f1": 0.75})

    def write(self, name, text="Ada\tB-PER\nspoke\tO\n\n", folder=None):
        path = (folder or self.data) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text * 20)
        return path

    def plan(self, *endings):
        """Sets the results of the next runs; see fake_run.py."""
        (self.folder / "calls.jsonl").unlink(missing_ok=True)
        (self.folder / "plan.json").write_text(json.dumps(endings))

    @property
    def run_reasons(self):
        """The `--reason` of each run since the last `plan`."""
        calls = self.folder / "calls.jsonl"
        if not calls.exists():
            return []
        return [json.loads(line)[-1] for line in calls.read_text().splitlines()]

    @property
    def retraining(self):
        self.schedule.logs.mkdir(parents=True, exist_ok=True)
        overrides = {"data": str(self.data), "workdir": str(self.work)}
        command = [sys.executable, str(FAKE_RUN), str(self.work)]
        return Retraining(
            load_config=lambda: config.load(None, self.settings, overrides),
            run_command=lambda trigger: [*command, "--reason", trigger],
            clock=self.time.clock,
            log=self.messages.append,
            folder=self.schedule,
        )

    @property
    def state(self):
        return self.schedule.read_state()

    def retrain(self):
        return self.retraining.run_if_changed()

    def put_in_flight(self, result, **changes):
        """Stores a finished run as a run whose end was not recorded."""
        facts = {"trigger": result.trigger, "began": result.began, "log": result.log}
        facts |= {"runs": (), "versions": (), "inputs": result.inputs, **changes}
        self.schedule.update_state(in_flight=RunInFlight(**facts))

    def arguments(self, *more):
        settings = (f"--set={assignment}" for assignment in self.settings)
        return [*more, "--data", self.data, "--workdir", self.work, *settings]


class Program:
    """`tfx-ner schedule` as a process."""

    def __init__(self, project: Project, *more):
        program = PROGRAM.format(fake=str(FAKE_RUN), work=str(project.work))
        self.popen = subprocess.Popen(
            [sys.executable, "-c", program, *map(str, project.arguments(*more))],
            cwd=ROOT,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def result(self):
        """Waits for the end of the process; returns exit code, standard output and standard error."""
        out, err = self.popen.communicate(timeout=TIMEOUT_SECONDS)
        return self.popen.returncode, out, err

    def stop(self):
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.communicate()


@pytest.fixture
def project(tmp_path, monkeypatch):
    # An edit of the sources while the tests run would otherwise start runs.
    monkeypatch.setattr(code_hash, "whole_hash", lambda: "the code")
    project = Project(tmp_path)
    yield project
    flight = project.state.in_flight
    if flight and flight.process and flight.process.is_alive:
        os.killpg(flight.process.pid, signal.SIGKILL)


@pytest.fixture
def program(project):
    """Starts `tfx-ner schedule` on the project; the process ends with the test."""
    started = []

    def start(*more):
        started.append(Program(project, *more))
        return started[-1]

    yield start
    for process in started:
        process.stop()


@pytest.fixture
def wait_until():
    """Waits until a condition holds."""

    def wait(condition):
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while not condition():
            assert time.monotonic() < deadline, "the condition never held"
            time.sleep(0.02)

    return wait
