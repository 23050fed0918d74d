"""Which work folder a command is about, with the configuration that its runs had."""

from collections.abc import Sequence
from pathlib import Path
from typing import Optional

import yaml
from pydantic import ValidationError

from components.errors import UserError
from pipeline import config
from pipeline.workdir import Workdir


def find(
    root: Optional[str], config_file: Optional[str], assignments: Sequence[str]
) -> tuple[Workdir, config.Config]:
    """The work folder, and its configuration: what is given, else that of the newest run there.

    So the model's name and the place of ML Metadata need not be said again. Raises UserError where no run has been.
    """
    settings = config.load(config_file, assignments, {"workdir": root})
    workdir = Workdir(Path(settings.workdir).resolve(), settings.name)
    if not workdir.runs.is_dir():
        raise UserError(
            f"{settings.workdir}: no run has been here; name the work folder of one with --workdir"
        )
    if not config_file and not assignments:
        settings = _newest(workdir) or settings
    return Workdir(workdir.root, settings.name), settings


def _newest(workdir: Workdir) -> Optional[config.Config]:
    for path in sorted(workdir.runs.glob("*/config.yaml"), reverse=True):
        try:
            return config.Config.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, ValidationError, yaml.YAMLError):
            continue  # written by another version of the program, or not to its end
    return None
