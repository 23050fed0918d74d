"""What the benchmarks share: their command line, the machine that they run on, and JSON."""

import argparse
import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from components import tf_runtime

ROOT = Path(__file__).resolve().parent.parent


def make_parser(description: str) -> argparse.ArgumentParser:
    """A parser that shows a benchmark's docstring as its help, with the option `--json`."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", metavar="FILE", help="write the figures here")
    return parser


def write_json(file: str | None, figures: Mapping[str, Any]) -> None:
    """Writes figures and the machine to a file; does nothing without a file."""
    if file:
        text = json.dumps({"machine": asdict(this_machine()), **figures}, indent=1)
        Path(file).write_text(text + "\n", encoding="utf-8")


@dataclass(frozen=True)
class Machine:
    """A machine."""

    cores: int  # the number of cores available to this process
    processor: str  # its model name
    python: str  # the version of Python


def this_machine() -> Machine:
    """Returns the machine that this runs on."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(errors="replace").splitlines() if cpuinfo.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return Machine(
        tf_runtime.available_cores(), next(names, "processor unknown"), platform.python_version()
    )
