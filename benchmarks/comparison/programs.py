"""What the programs of the comparison share: CoNLL files, their speed, and what a command costs.

Plain Python: the taggers of the other tools import it in an environment that has only their own
dependencies.

Run as a program, `programs.py RESULT COMMAND…` is the parent of a command whose cost is measured.
The kernel counts the memory of a process from its fork on, when it still has its parent's memory:
this parent is small enough not to count.
"""

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any, TypeVar

_T = TypeVar("_T")
Tokens = Sequence[str]
TOKENS = 60_000  # to tag in one pass
_CALLS = 50  # with one short sentence, after as many to warm up
_SHORT = range(5, 13)  # tokens of a short sentence
_DOCUMENT = "-DOCSTART-"


def read_conll(path: str) -> Iterator[list[list[str]]]:
    """The columns of each sentence: its tokens, its tags, and its predicted tags where the file has
    them.

    The project's own reader detects the form of a file; this one knows it: tab-separated, an empty
    line after each sentence.
    """
    with open(path, encoding="utf-8", newline="\n") as file:  # a token may hold a carriage return
        rows: list[list[str]] = []
        for line in file:
            line = line.removesuffix("\n")
            if line:
                rows.append(line.split("\t"))
            elif rows:
                if rows[0][0] != _DOCUMENT:
                    yield [list(column) for column in zip(*rows, strict=True)]
                rows = []


def write_conll(path: str, sentences: Iterable[Sequence[Sequence[str]]]) -> None:
    """Writes the columns of each sentence."""
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        for columns in sentences:
            for row in zip(*columns, strict=True):
                file.write("\t".join(row) + "\n")
            file.write("\n")


def enough(sentences: Sequence[Tokens], tokens: int = TOKENS) -> list[Tokens]:
    """Repeats the sentences in order until they have at least `tokens` tokens.

    >>> enough([["Ada", "spoke"], ["Yes"]], 4)
    [['Ada', 'spoke'], ['Yes'], ['Ada', 'spoke']]
    """
    repeated: list[Tokens] = []
    for sentence in cycle(sentences):
        if tokens <= 0:
            return repeated
        repeated.append(sentence)
        tokens -= len(sentence)
    raise ValueError("there is no sentence")


def short(sentences: Sequence[Tokens]) -> list[Tokens]:
    """Returns the first fifty sentences of 5 to 12 tokens, or the shortest sentence."""
    return [one for one in sentences if len(one) in _SHORT][:50] or [min(sentences, key=len)]


def tokens_per_second(tag_all: Callable[[_T], object], batch: _T, tokens: int) -> float:
    """Measures one call of `tag_all` with a batch of `tokens` tokens."""
    return tokens / _seconds(tag_all, batch)


def milliseconds(tag_one: Callable[[_T], object], sentences: Sequence[_T]) -> float:
    """Measures the median time of a call with one sentence, taking the sentences in turn."""
    seconds = [_seconds(tag_one, one) for one in islice(cycle(sentences), 2 * _CALLS)]
    return 1000 * statistics.median(seconds[_CALLS:])


def size_mb(path: Path) -> float:
    """The size of a file or a folder on disk, in MB."""
    return sum(file.stat().st_size for file in (path, *path.rglob("*")) if file.is_file()) / 1e6


def print_figures(measures: Mapping[str, Callable[[], float]], **facts: Any) -> None:
    """Prints facts and the value of each measure as JSON. The first call of each only warms up."""
    for measure in measures.values():
        measure()
    print(json.dumps({**facts, **{name: measure() for name, measure in measures.items()}}))


def _seconds(call: Callable[[_T], object], argument: _T) -> float:
    began = time.perf_counter()
    call(argument)
    return time.perf_counter() - began


class CommandFailed(Exception):
    """A command failed. The message names the command, its last line of output and its log.

    Attributes:
        last_line: the last line of its output.
    """

    def __init__(self, log: Path, code: int):
        lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
        self.last_line = next((line.strip() for line in reversed(lines) if line.strip()), "")
        super().__init__(
            f"{log.stem} ended with {code}: {self.last_line or 'no output'}; see {log}"
        )


@dataclass(frozen=True)
class Cost:
    """What a command cost."""

    seconds: float  # on the clock
    # The largest resident set of a single process, in MB, over the command and the child processes
    # it waited for.
    peak_mb: float


def run_command(command: Sequence[str], log: Path, cwd: Path | None = None) -> Cost:
    """Runs a command to its end; its output is appended to `log`. Raises CommandFailed."""
    result = log.with_suffix(".cost.json")
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-S", "-I", __file__, str(result), *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=cwd,
            start_new_session=True,
        )
        try:
            code = process.wait()
        except BaseException:  # interrupted: the command ends too
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
    if code:
        raise CommandFailed(log, code)
    return Cost(**json.loads(result.read_text()))


def _main(result: str, *command: str) -> int:
    began = time.monotonic()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    seconds, peak_mb = time.monotonic() - began, usage.ru_maxrss * 1024 / 1e6
    Path(result).write_text(json.dumps({"seconds": seconds, "peak_mb": peak_mb}))
    return os.waitstatus_to_exitcode(status) % 256


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
