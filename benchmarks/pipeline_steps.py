"""Runs commands of tfx-ner on a corpus of any size, and measures each step from outside."""

import contextlib
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice, repeat
from pathlib import Path

import psutil

from benchmarks.common import ROOT
from components.corpus import reading
from components.corpus.formats import conll

# What a run prints when it has read the corpus, and when a node has run.
_PREFLIGHT = re.compile(r"^.+: train [\d,]+.* sentences$")
_NODE = re.compile(r"^✓ (\w+) +[\d.]+ s  ran")


@dataclass(frozen=True)
class Step:
    """What a step cost."""

    seconds: float  # on the clock
    processor: float  # processor seconds, user and system, of the command and its child processes
    # By group of processes, the peak of the sum of their resident memory, in MB.
    peak_mb: dict[str, float]


def repeat_corpus(corpus: str, size: int, folder: Path, train_files: int = 1) -> None:
    """Repeats the train split of a corpus, as a corpus of 80 % train and as texts.

    Args:
        corpus: the corpus to repeat.
        size: the number of sentences.
        folder: gets the folder `corpus` and the file `texts.jsonl`, unless it has them.
        train_files: the number of files of the train split.
    """
    if (folder / "texts.jsonl").exists():
        return
    sentences = list(reading.read_split(reading.find_splits(corpus), "train"))
    (folder / "corpus").mkdir(parents=True)
    sizes = {"dev": size // 10, "test": size // 10}
    for index in range(train_files):
        sizes[f"train-{index:03}"] = size * 8 // 10 // train_files
    for name, count in sizes.items():
        with (folder / "corpus" / f"{name}.conll").open("w", encoding="utf-8") as file:
            conll.write_conll(file, islice(chain.from_iterable(repeat(sentences)), count))
    lines = [
        json.dumps({"text": " ".join(sentence.tokens)}, ensure_ascii=False) + "\n"
        for sentence in sentences
    ]
    with (folder / "texts.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(islice(chain.from_iterable(repeat(lines)), size))


def run_steps(
    arguments: Sequence[str], others: Mapping[str, Sequence[int]] = {}
) -> Iterator[tuple[str, Step]]:
    """Runs a command of tfx-ner, and yields each step's name and cost when it ends.

    The steps of `run` are "preflight", which includes the start of the program, and the nodes that
    are not cached. Another command is one step of its own name. Ends the program with the command's
    output if the command fails.

    Args:
        arguments: the command line, without the program.
        others: ids of processes by group, whose memory is measured too. The group "command" is the
            command with its child processes.
    """
    command = [sys.executable, "-m", "pipeline.cli", *arguments]
    output = []
    with subprocess.Popen(
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        meter = _Meter({"command": [process.pid], **others})
        for line in process.stdout:
            output.append(line)
            if _PREFLIGHT.match(line):
                yield "preflight", meter.finish_step()
            elif node := _NODE.match(line):
                yield node[1], meter.finish_step()
        process.wait()
    if process.returncode:
        sys.exit("".join(output)[-3_000:])
    if arguments[0] != "run":
        yield arguments[0], meter.finish_step()


class _Meter:
    """Samples processor time and memory of groups of processes while a command runs.

    Args:
        groups: process ids by group; child processes count.
    """

    def __init__(self, groups: Mapping[str, Sequence[int]]):
        self._groups = groups
        self._began, self._processor, self._processor_before = time.monotonic(), 0.0, 0.0
        self._peaks = dict.fromkeys(groups, 0.0)
        threading.Thread(target=self._sample_often, daemon=True).start()

    def finish_step(self) -> Step:
        """Returns the cost since the last call, or since the start."""
        self._sample()
        now = time.monotonic()
        step = Step(now - self._began, self._processor - self._processor_before, self._peaks)
        self._began, self._processor_before = now, self._processor
        self._peaks = dict.fromkeys(self._groups, 0.0)
        return step

    def _sample_often(self) -> None:
        while self._sample():
            time.sleep(0.1)

    def _sample(self) -> bool:
        """Takes a sample; returns whether the command still runs."""
        for group, roots in self._groups.items():
            processes = list(chain.from_iterable(map(_with_children, roots)))
            memory = sum(_memory_mb(process) for process in processes)
            self._peaks[group] = max(self._peaks[group], memory)
            if group == "command":
                # Less than before when a child process has just ended, or the command has.
                self._processor = max(self._processor, sum(map(_processor_seconds, processes)))
                is_running = bool(memory)
        return is_running


def _with_children(pid: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    return []


def _memory_mb(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.memory_info().rss / 1e6
    return 0.0


def _processor_seconds(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.NoSuchProcess):
        return sum(process.cpu_times()[:4])  # of its own, and of its child processes that ended
    return 0.0
