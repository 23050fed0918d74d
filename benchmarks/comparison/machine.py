"""The machine that a benchmark ran on."""

import platform
from dataclasses import dataclass
from pathlib import Path

from components import tf_runtime


@dataclass(frozen=True)
class Machine:
    """A machine.

    Attributes:
        cores: the number of cores available to this process.
        processor: its model name.
        python: the version of Python.
    """

    cores: int
    processor: str
    python: str


def this() -> Machine:
    """Returns the machine that this runs on."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return Machine(
        tf_runtime.available_cores(),
        names[0] if names else "processor unknown",
        platform.python_version(),
    )
