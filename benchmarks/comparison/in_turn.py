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

from benchmarks.comparison.cost import Failed

ROUNDS = 5  # after one round to warm up


@dataclass(frozen=True)
class Program:
    """A program that answers as `pace.answer` does.

    Attributes:
        command: the command line.
        log: file for its standard error.
        cwd: its working folder.
    """

    command: Sequence[str]
    log: Path
    cwd: Path


def measure(programs: Sequence[Program], rounds: int = ROUNDS) -> list[dict[str, Any]]:
    """Returns what each program says about itself, with the median of each of its measures; raises
    Failed.
    """
    with contextlib.ExitStack() as stack:
        running = [stack.enter_context(_running(program)) for program in programs]
        facts = [json.loads(one.line()) for one in running]
        names = [told.pop("measures") for told in facts]
        figures: list[dict[str, list[float]]] = [{name: [] for name in own} for own in names]
        for turn in range(1 + rounds):
            for name in dict.fromkeys(name for own in names for name in own):
                for one, own in zip(running, figures):
                    if name in own:
                        taken = one.ask(name)
                        if turn:
                            own[name].append(taken)
    return [
        {**told, **{name: median(values) for name, values in own.items()}}
        for told, own in zip(facts, figures)
    ]


@dataclass(frozen=True)
class _Running:
    program: Program
    process: subprocess.Popen

    def ask(self, measure: str) -> float:
        """Takes a measure."""
        with contextlib.suppress(BrokenPipeError):  # it has ended: the missing answer shows that
            self.process.stdin.write(measure + "\n")
            self.process.stdin.flush()
        return float(self.line())

    def line(self) -> str:
        """Returns the next line of its output."""
        line = self.process.stdout.readline()
        if not line:
            raise Failed(self.program.log, self.process.wait())
        return line


@contextlib.contextmanager
def _running(program: Program) -> Iterator[_Running]:
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
