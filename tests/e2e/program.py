"""Runs tfx-ner commands in fresh processes with a clean environment and collects their results."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from pipeline.nodes import RESOLVERS

TIMEOUT = 900  # seconds; enough on a busy machine
HOOKS = Path(__file__).with_name("hooks")

# Settings of a tagger that learns the synthetic corpora in seconds.
SMALL_MODEL = tuple(
    f"--set={setting}"
    for setting in (
        "model.word_dimensions=24",
        "model.character_filters=8",
        "model.lstm_units=16",
        "model.dropout=0.1",
        "training.learning_rate=0.02",
        "training.batch_size=16",
        "training.epochs=3",
        "gate.minimum_f1=0.0",
    )
)


def environment():
    """Environment variables without PYTHONPATH and without the log settings of libraries."""
    inherited = ("PATH", "HOME", "LANG", "TMPDIR")
    values = {name: os.environ[name] for name in inherited if name in os.environ}
    return {**values, "COLUMNS": "120"}


@dataclass(frozen=True)
class CommandResult:
    """The result of one command."""

    code: int
    out: str
    err: str
    seconds: float
    versions: tuple[str, ...] = ()
    """The published versions in the workdir after the command."""
    runs: tuple[Path, ...] = ()
    """The folders of all runs in the workdir after the command, oldest first."""
    events: tuple[dict, ...] = ()
    """The events of the run that the command made."""

    @property
    def nodes(self) -> dict[str, tuple[str, str]]:
        """The state of each node ("ran", "cached" or "failed") and the reason."""
        nodes = {}
        for event in self.events:
            if event["event"] == "NodeEnded":
                nodes[event["node"]] = ("cached" if event["cached"] else "ran", event["reason"])
            elif event["event"] == "NodeFailed":
                nodes[event["node"]] = ("failed", "")
        return nodes

    @property
    def ran(self) -> list[str]:
        """The nodes that were executed, without the resolvers, which never come from the cache."""
        return [
            node
            for node, (state, _) in self.nodes.items()
            if state == "ran" and node not in RESOLVERS
        ]

    @property
    def epochs(self) -> list[int]:
        """The reported epochs."""
        return [event["epoch"] for event in self.events if event["event"] == "EpochEnded"]

    def run_file(self, name: str) -> str:
        """The text of a file in the newest run's folder."""
        return (self.runs[-1] / name).read_text(encoding="utf-8")


class Program:
    """Runs `python -m pipeline.cli` from the sources in `source`, with `variables` added to the environment."""

    stopped = False
    process_groups: set[int] = set()

    def __init__(self, source: Path, **variables: str):
        self.source, self.variables = source, variables

    @classmethod
    def kill_all(cls) -> None:
        """Kills all processes and prevents scenarios from starting new ones."""
        cls.stopped = True
        while cls.process_groups:
            for group in tuple(cls.process_groups):
                try:
                    os.killpg(group, signal.SIGKILL)
                except ProcessLookupError:
                    cls.process_groups.discard(group)
            time.sleep(0.1)

    def with_hooks(self, **variables: str) -> "Program":
        """The same program with `tests/e2e/hooks/sitecustomize.py`, which `variables` control."""
        return Program(self.source, **self.variables, PYTHONPATH=str(HOOKS), **variables)

    def command(self, *arguments, stdin: str | None = None) -> CommandResult:
        """Runs a command and waits for its end."""
        with self.start_command(*arguments) as process:
            return process.result(stdin)

    def start_command(self, *arguments) -> "_Process":
        """Starts a command; leaving the context kills the process."""
        return _Process(self, arguments)

    def run(self, data: Path, workdir: Path, *more: str) -> CommandResult:
        """Runs the pipeline with the small model."""
        with self.start_run(data, workdir, *more) as process:
            return process.result()

    def start_run(self, data: Path, workdir: Path, *more: str) -> "_Process":
        """Starts the pipeline with the small model; leaving the context kills the process."""
        return _Process(
            self, ("run", "--data", data, "--workdir", workdir, *SMALL_MODEL, *more), workdir
        )


class _Process:
    def __init__(self, program: Program, arguments, workdir: Path | None = None):
        if Program.stopped:
            raise RuntimeError("the tests were stopped")
        self._workdir, self._start_time = workdir, time.monotonic()
        self._runs_before = runs_in(workdir)
        self._popen = subprocess.Popen(
            [sys.executable, "-m", "pipeline.cli", *map(str, arguments)],
            cwd=program.source,
            env={**environment(), **program.variables},
            text=True,
            encoding="utf-8",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._lines = {"out": [], "err": []}
        self._readers = [
            threading.Thread(target=self._read, args=(name, stream), daemon=True)
            for name, stream in (("out", self._popen.stdout), ("err", self._popen.stderr))
        ]
        Program.process_groups.add(self._popen.pid)
        for reader in self._readers:
            reader.start()

    def _read(self, name, stream):
        for line in stream:
            self._lines[name].append(line)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        Program.process_groups.discard(self._popen.pid)

    @property
    def out(self) -> str:
        return "".join(self._lines["out"])

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def running(self) -> bool:
        return self._popen.poll() is None

    def wait_for(self, condition) -> bool:
        """Waits until `condition()` is true; returns False if the process ended or timed out before."""
        while not condition():
            if not self.running or time.monotonic() - self._start_time > TIMEOUT:
                return bool(condition())
            time.sleep(0.02)
        return True

    def pause(self) -> None:
        """Sends SIGSTOP to the process group, which keeps its locks until it is killed."""
        os.killpg(self._popen.pid, signal.SIGSTOP)

    def kill(self) -> None:
        """Sends SIGKILL to the process group."""
        if self.running:
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()

    def result(self, stdin: str | None = None) -> CommandResult:
        """Waits for the end of the process and returns the result."""
        with self._popen.stdin as pipe:
            pipe.write(stdin or "")
        try:
            code = self._popen.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            self.kill()
            code = -signal.SIGKILL
        for reader in self._readers:
            reader.join()
        return CommandResult(
            code,
            self.out,
            "".join(self._lines["err"]),
            time.monotonic() - self._start_time,
            versions_in(self._workdir),
            runs_in(self._workdir),
            events_of([run for run in runs_in(self._workdir) if run not in self._runs_before]),
        )


def events_of(runs: list[Path]) -> tuple[dict, ...]:
    """The events in the runs' folders, without the last line if a kill left it incomplete."""
    lines = [
        line
        for run in runs
        if (run / "events.jsonl").exists()
        for line in (run / "events.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    ]
    return tuple(json.loads(line) for line in lines if line.endswith("\n"))


def versions_in(workdir: Path | None) -> tuple[str, ...]:
    """The names of everything in the serving folder except `.latest`: normally the versions."""
    folder = workdir / "serving" / "ner" if workdir else None
    return (
        tuple(sorted(path.name for path in folder.iterdir() if path.name != ".latest"))
        if folder and folder.is_dir()
        else ()
    )


def runs_in(workdir: Path | None) -> tuple[Path, ...]:
    folder = workdir / "runs" if workdir else None
    return tuple(sorted(folder.iterdir())) if folder and folder.is_dir() else ()
