"""What is to run on Kubeflow Pipelines, worked out from a configuration. Takes neither TFX nor kfp."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Optional

import yaml

from components.errors import UserError
from components.storage.remote import is_address
from pipeline import exits
from pipeline.config import Config
from pipeline.kubeflow.settings import Step
from pipeline.nodes import STEPS

REASON = "Kubeflow"  # why it runs, for the history
PASSWORD = "TFX_NER_METADATA_PASSWORD"
# Kubeflow Pipelines knows success and failure only, and a model that is held back is no failure.
_NO_FAILURE = f'tfx-ner "$@" || {{ code=$?; [ $code -eq {exits.REFUSED} ] || exit $code; }}'
# Not for a run's command line: settings of others, what is given by name, and what must not be read there.
_LEFT_OUT = ("schedule", "kubeflow", "data", "workdir")


@dataclass(frozen=True)
class Task:
    """A step: its name, the node it stops after ("" for the end), what it runs, and what it asks for."""

    name: str
    until: str
    command: tuple[str, ...]
    arguments: tuple[str, ...]
    cpu: Optional[str]
    memory: Optional[str]
    gpu: int


@dataclass(frozen=True)
class Plan:
    """Tasks, one after the other, in `image`; `claims` are volume claims by where they are mounted."""

    name: str
    description: str
    image: str
    tasks: tuple[Task, ...]
    claims: Mapping[str, str]
    environment: Mapping[str, str]
    secret: Optional[str]
    notes: tuple[str, ...] = ()


def plan(config: Config) -> Plan:
    """What runs on Kubeflow Pipelines.

    Raises UserError for what cannot work there: no image, paths that no volume holds, a database on the step's own host,
    training on several machines.
    """
    kubeflow = config.kubeflow
    if kubeflow.image is None:
        raise UserError(
            "found no image; expected --image REGISTRY/tfx-ner:TAG, made from pipeline/deploy/Dockerfile"
        )
    _refuse_what_cannot_work(config)
    claims = {config.workdir: kubeflow.work_claim}
    if _is_mounted(config.data):
        claims = {config.data: kubeflow.data_claim, **claims}
    place = ("--workdir", config.workdir, *(("--data", config.data) if config.data else ()))
    settings = tuple(f"--set={one}" for one in assignments(config))
    return Plan(
        name="tfx-ner",
        description=f"{config.name}: from labelled text to a published model, in {len(STEPS)} steps",
        image=kubeflow.image,
        tasks=tuple(
            _task(
                name,
                until,
                ("run", *place, *settings, "--reason", REASON),
                getattr(kubeflow, name),
            )
            for name, until in STEPS.items()
        ),
        claims=claims,
        environment={"HOME": "/tmp"},  # where Beam and TensorFlow keep things
        secret=kubeflow.secret,
        notes=tuple(_notes(config)),
    )


def _task(name: str, until: str, run: tuple[str, ...], step: Step) -> Task:
    if until:
        command, arguments = ("tfx-ner",), (*run, "--until", until)
    else:
        command, arguments = ("sh", "-c", _NO_FAILURE, "tfx-ner"), run
    return Task(name, until, command, arguments, step.cpu, step.memory, step.gpu)


def assignments(config: Config) -> Iterator[str]:
    """The settings that are not their defaults, as `--set` takes them, less those that the command line of a run gives otherwise
    or that are secret: read again, they make the same configuration.
    """
    settings = config.model_dump(by_alias=True, mode="json", exclude=set(_LEFT_OUT))
    defaults = Config().model_dump(by_alias=True, mode="json")
    settings["metadata"]["password"] = defaults["metadata"]["password"]
    yield from _differing(settings, defaults)


def _differing(
    settings: Mapping[str, Any], defaults: Mapping[str, Any], prefix: str = ""
) -> Iterator[str]:
    for key, value in settings.items():
        if isinstance(value, dict) and isinstance(defaults.get(key), dict):
            yield from _differing(value, defaults[key], f"{prefix}{key}.")
        elif value != defaults.get(key):
            yield f"{prefix}{key}={value if isinstance(value, str) else _as_yaml(value)}"


def _as_yaml(value: Any) -> str:
    """On one line; in a list, for YAML ends a document behind a number."""
    return yaml.safe_dump([value], default_flow_style=True, width=float("inf")).strip()[1:-1]


def _refuse_what_cannot_work(config: Config) -> None:
    for key, path in (("data", config.data), ("workdir", config.workdir)):
        if path and not is_address(path) and not PurePosixPath(path).is_absolute():
            raise UserError(
                f"{key}: found {path}; expected a whole path in the steps, as /srv/tfx-ner/{key.removesuffix('dir')}"
            )
    if is_address(config.workdir):
        raise UserError(
            f"workdir: found {config.workdir}; expected a path, where kubeflow.work_claim is mounted"
        )
    if _is_mounted(config.data) and _is_below(config.data, config.workdir):
        raise UserError(
            f"data: {config.data} lies in the workdir; expected it beside, for it is mounted by itself"
        )
    mounted = [config.workdir, *([config.data] if _is_mounted(config.data) else [])]
    for key, path in (
        ("schema", config.schema_file),
        ("vectors", config.vectors),
        ("golden", config.golden),
    ):
        if path and not is_address(path) and not any(_is_below(path, place) for place in mounted):
            raise UserError(
                f"{key}: found {path}; expected it below {' or '.join(mounted)}, which the steps mount"
            )
    if config.metadata.kind != "sqlite" and config.metadata.host in (
        "127.0.0.1",
        "localhost",
        "::1",
    ):
        raise UserError(
            f"metadata.host: {config.metadata.host} is each step's own machine; expected the name of the database's service"
        )
    if config.training.distribute == "multi-worker":
        raise UserError(
            "training.distribute: found multi-worker, and a step is one pod; expected none or mirrored, with"
            " kubeflow.train.gpu for its devices"
        )


def _notes(config: Config) -> Iterator[str]:
    if config.metadata.kind == "sqlite":
        yield (
            f"ML Metadata is a file in {config.workdir}: the volume has to lock files, which NFS does badly;"
            " metadata.kind=postgresql needs none"
        )
    elif not config.kubeflow.secret:
        yield "no kubeflow.secret: the steps log in to the metadata database without a password"
    if config.metadata.password:
        yield "metadata.password is not written; kubeflow.secret names the secret that has it"


def _is_mounted(path: Optional[str]) -> bool:
    return bool(path) and not is_address(path)


def _is_below(path: str, folder: str) -> bool:
    return PurePosixPath(path).is_relative_to(folder)
