"""The record of a training, as figures."""

from pathlib import Path

from pydantic import TypeAdapter

from components.report.figures import Training
from components.training import record


def training(folder: str) -> Training:
    """The record that the Trainer wrote into `folder`."""
    return TypeAdapter(Training).validate_json(Path(folder, record.FILE).read_bytes())
