"""Asks several programs for their figures in turn, so that a slow minute of the machine slows all
of them.
"""

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.comparison.cost import CommandFailed

ROUNDS = 5  # after one round to warm up


@dataclass(frozen=True)
class Program:
    """A program that answers as `pace.answer` does."""

    command: Sequence[str]  # the command line
    log: Path  # file for its standard error
    cwd: Path  # its working folder


def measure(programs: Sequence[Program], rounds: int = ROUNDS) -> list[dict[str, Any]]:
    """Returns each program's facts, with the median of each of its measures.

    Raises CommandFailed if a program ends too soon.
    """
    with contextlib.ExitStack() as stack:
        running = [stack.enter_context(_start(program)) for program in programs]
        facts = [json.loads(program.read_line()) for program in running]
        values = [{name: [] for name in own.pop("measures")} for own in facts]
        for turn in range(1 + rounds):
            for name in dict.fromkeys(name for own in values for name in own):
                for program, own in zip(running, values):
                    if name in own:
                        value = program.ask(name)
                        if turn:
                            own[name].append(value)
    return [
        {**own_facts, **{name: median(own[name]) for name in own}}
        for own_facts, own in zip(facts, values)
    ]


@dataclass(frozen=True)
class _Running:
    program: Program
    process: subprocess.Popen

    def ask(self, measure: str) -> float:
        with contextlib.suppress(BrokenPipeError):  # it has ended, which its missing answer shows
            self.process.stdin.write(measure + "\n")
            self.process.stdin.flush()
        return float(self.read_line())

    def read_line(self) -> str:
        line = self.process.stdout.readline()
        if not line:
            raise CommandFailed(self.program.log, self.process.wait())
        return line


@contextlib.contextmanager
def _start(program: Program) -> Iterator[_Running]:
    with program.log.open("ab") as log:
        process = subprocess.Popen(
            program.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=program.cwd,
            start_new_session=True,
        )
    try:
        yield _Running(program, process)
    finally:  # together with its child processes
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
