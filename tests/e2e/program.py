"""The program in processes of its own, in a clean environment, and what comes of it."""

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

LONGEST = 900  # seconds, also on a busy machine

# A tagger that learns the small corpora below in seconds.
SMALL = tuple(
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
    """A clean environment: nothing in it says where the project lies, or silences a library."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR")
    return {**{name: os.environ[name] for name in kept if name in os.environ}, "COLUMNS": "120"}


@dataclass(frozen=True)
class Result:
    """What came of one command; `versions` and `runs` are what the workdir holds after it, `events` are
    those of the run that it made, from its folder."""

    code: int
    out: str
    err: str
    seconds: float
    versions: tuple[str, ...] = ()
    runs: tuple[Path, ...] = ()
    events: tuple[dict, ...] = ()

    @property
    def nodes(self) -> dict[str, tuple[str, str]]:
        """What became of each node: 'ran' or 'cached' or 'failed', and why."""
        nodes = {}
        for event in self.events:
            if event["event"] == "NodeEnded":
                nodes[event["node"]] = ("cached" if event["cached"] else "ran", event["reason"])
            elif event["event"] == "NodeFailed":
                nodes[event["node"]] = ("failed", "")
        return nodes

    @property
    def ran(self) -> list[str]:
        """The nodes that did their work anew; resolvers always do."""
        return [
            node
            for node, (state, _) in self.nodes.items()
            if state == "ran" and node not in RESOLVERS
        ]

    @property
    def epochs(self) -> list[int]:
        """The epochs that were reported."""
        return [event["epoch"] for event in self.events if event["event"] == "EpochEnded"]

    def kept(self, name: str) -> str:
        """A file of the newest run's folder."""
        return (self.runs[-1] / name).read_text(encoding="utf-8")


class Program:
    """The program: `python -m pipeline.cli` from the sources in `source`, each time in a fresh process, with `variables` in its
    environment besides."""

    stopped = False
    live: set[int] = set()  # process groups, to be ended if the tests are

    def __init__(self, source: Path, **variables: str):
        self.source, self.variables = source, variables

    @classmethod
    def kill_all(cls) -> None:
        """Ends every process there is, and lets no story start another."""
        cls.stopped = True
        while cls.live:
            for group in tuple(cls.live):
                try:
                    os.killpg(group, signal.SIGKILL)
                except ProcessLookupError:
                    cls.live.discard(group)
            time.sleep(0.1)

    def command(self, *arguments, stdin: str | None = None) -> Result:
        """Runs a command to its end."""
        with self.started_command(*arguments) as process:
            return process.result(stdin)

    def started_command(self, *arguments) -> "_Process":
        """Starts a command; the process is killed at the latest when the context is left."""
        return _Process(self, arguments)

    def run(self, data: Path, workdir: Path, *more: str) -> Result:
        """Runs the pipeline with the small model."""
        with self.started(data, workdir, *more) as process:
            return process.result()

    def started(self, data: Path, workdir: Path, *more: str) -> "_Process":
        """Starts the pipeline; the process is killed at the latest when the context is left."""
        return _Process(self, ("run", "--data", data, "--workdir", workdir, *SMALL, *more), workdir)


class _Process:
    def __init__(self, program: Program, arguments, workdir: Path | None = None):
        if Program.stopped:
            raise RuntimeError("the tests were stopped")
        self._workdir, self._began = workdir, time.monotonic()
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
        self._pieces = {"out": [], "err": []}
        self._readers = [
            threading.Thread(target=self._read, args=(name, stream), daemon=True)
            for name, stream in (("out", self._popen.stdout), ("err", self._popen.stderr))
        ]
        Program.live.add(self._popen.pid)
        for reader in self._readers:
            reader.start()

    def _read(self, name, stream):
        for line in stream:
            self._pieces[name].append(line)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        Program.live.discard(self._popen.pid)

    @property
    def out(self) -> str:
        return "".join(self._pieces["out"])

    @property
    def id(self) -> int:
        """The number of the process."""
        return self._popen.pid

    @property
    def running(self) -> bool:
        return self._popen.poll() is None

    def wait_for(self, condition) -> bool:
        """Waits until `condition()` holds; False if the process ended before."""
        while not condition():
            if not self.running or time.monotonic() - self._began > LONGEST:
                return bool(condition())
            time.sleep(0.02)
        return True

    def pause(self) -> None:
        """SIGSTOP to it and every process it started: it does nothing more, and holds what it holds, until it is killed."""
        os.killpg(self._popen.pid, signal.SIGSTOP)

    def kill(self) -> None:
        """SIGKILL to it and every process it started."""
        if self.running:
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()

    def result(self, stdin: str | None = None) -> Result:
        """Waits for its end, and says what came of it."""
        with self._popen.stdin as pipe:
            pipe.write(stdin or "")
        try:
            code = self._popen.wait(LONGEST)
        except subprocess.TimeoutExpired:
            self.kill()
            code = -signal.SIGKILL
        for reader in self._readers:
            reader.join()
        return Result(
            code,
            self.out,
            "".join(self._pieces["err"]),
            time.monotonic() - self._began,
            versions_in(self._workdir),
            runs_in(self._workdir),
            events_of([run for run in runs_in(self._workdir) if run not in self._runs_before]),
        )


def events_of(runs: list[Path]) -> tuple[dict, ...]:
    """The events that runs kept in their folders; the last line may be cut where a run was killed."""
    lines = [
        line
        for run in runs
        if (run / "events.jsonl").exists()
        for line in (run / "events.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    ]
    return tuple(json.loads(line) for line in lines if line.endswith("\n"))


def versions_in(workdir: Path | None) -> tuple[str, ...]:
    """The names in the serving folder that a server could take for versions, and whatever else is visible there."""
    folder = workdir / "serving" / "ner" if workdir else None
    return (
        tuple(sorted(path.name for path in folder.iterdir() if path.name != ".latest"))
        if folder and folder.is_dir()
        else ()
    )


def runs_in(workdir: Path | None) -> tuple[Path, ...]:
    folder = workdir / "runs" if workdir else None
    return tuple(sorted(folder.iterdir())) if folder and folder.is_dir() else ()
