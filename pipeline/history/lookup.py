"""Finds the workdir that a command is about, with the configuration of its runs, and opens its ML Metadata."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from pydantic import ValidationError

from components.errors import UserError
from pipeline import config, metadata_store
from pipeline.workdir import Workdir

if TYPE_CHECKING:  # importing it takes longer than a command that shows help may
    from ml_metadata import MetadataStore


def find_workdir(
    root: str | None, config_file: str | None, assignments: Sequence[str]
) -> tuple[Workdir, config.Config]:
    """The workdir and its configuration, so that the model's name and the database need not be given again.

    Args:
      root: the path of the workdir; None for the one of the configuration.
      config_file: a YAML file of settings. Without it and without `assignments`, the settings are those
        of the newest run in the workdir.
      assignments: settings as KEY=VALUE.

    Raises UserError if the workdir has no runs.
    """
    settings = config.load(config_file, assignments, {"workdir": root})
    workdir = Workdir(Path(settings.workdir).resolve(), settings.name)
    if not workdir.runs.is_dir():
        raise UserError(
            f"{settings.workdir}: no run has been here; name the workdir of a run with --workdir"
        )
    if not config_file and not assignments:
        settings = _settings_of_newest_run(workdir) or settings
    return Workdir(workdir.root, settings.name), settings


def open_to_read(workdir: Workdir, settings: config.Config) -> "MetadataStore":
    """Opens ML Metadata for a command that only shows what is in it."""
    _refuse_unrecorded(workdir, settings)
    return metadata_store.opened(metadata_store.connection(settings.metadata, workdir))


def open_to_change(workdir: Workdir, settings: config.Config) -> "MetadataStore":
    """Opens ML Metadata for a command that takes the lock; its paths are updated if the workdir was moved."""
    from pipeline.history import relocation

    _refuse_unrecorded(workdir, settings)
    return relocation.open_store(workdir, metadata_store.connection(settings.metadata, workdir))


def _refuse_unrecorded(workdir: Workdir, settings: config.Config) -> None:
    if settings.metadata.kind == "sqlite" and not workdir.metadata.exists():
        raise UserError(
            f"{workdir.root}: no run has been recorded here; name the workdir of a run with --workdir"
        )


def _settings_of_newest_run(workdir: Workdir) -> config.Config | None:
    for path in sorted(workdir.runs.glob("*/config.yaml"), reverse=True):
        try:
            return config.Config.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, ValidationError, yaml.YAMLError):
            continue  # incomplete, or written by another version of the program
    return None
