"""Kubeflow Pipelines: the plan of a pipeline, made from a configuration, and its YAML, compiled by a Python that has kfp.

Each step runs the command line, in one image and on one volume. TFX's own Kubeflow runner is not used: it
supports no custom resolvers, and stores its metadata where neither the gate nor the history would find it.
"""

import importlib.util
import json
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from components.errors import UserError
from components.settings import flatten
from components.storage.remote import is_address
from pipeline import durations, exits
from pipeline.config import Config, KubeflowStep, Schedule
from pipeline.nodes import STEPS

REASON = "Kubeflow"  # the reason of a run, for the history
PASSWORD_VARIABLE = "TFX_NER_METADATA_PASSWORD"
# Kubeflow Pipelines knows success and failure only, and a refused model is no failure.
_REFUSAL_IS_SUCCESS = f'tfx-ner "$@" || {{ code=$?; [ $code -eq {exits.REFUSED} ] || exit $code; }}'
_KFP_PROGRAM = Path(__file__).with_name("kfp_program.py")
_KFP_ENVIRONMENT = Path(__file__).resolve().parents[2] / ".venv-kubeflow"  # `make kubeflow`
# Not passed on with --set: these have options of their own, or are not used by a run.
_EXCLUDED_SETTINGS = ("schedule", "kubeflow", "data", "workdir")


@dataclass(frozen=True)
class Task:
    """A step of the pipeline."""

    name: str  # its name
    until: str  # the node after which it stops; "" for the last step
    command: tuple[str, ...]  # what the container runs
    arguments: tuple[str, ...]
    cpu: str | None  # requested resources; None for no request
    memory: str | None
    gpu: int


@dataclass(frozen=True)
class Plan:
    """A pipeline whose tasks run one after the other."""

    name: str  # shown by Kubeflow
    description: str
    image: str  # container image of all tasks
    tasks: tuple[Task, ...]  # the steps, in order
    claims: Mapping[str, str]  # volume claims by the path where they are mounted
    environment: Mapping[str, str]  # environment variables of all tasks
    secret: str | None  # name of the secret with the database password
    notes: tuple[str, ...] = ()  # hints for the user


def make_plan(config: Config) -> Plan:
    """Makes the plan of a pipeline.

    Raises:
      UserError: the settings cannot work there: no image, a path on no volume, a database on the
        step's own host, or training on several machines.
    """
    kubeflow = config.kubeflow
    if kubeflow.image is None:
        image = "--image REGISTRY/tfx-ner:TAG, made from pipeline/deploy/Dockerfile"
        raise UserError(f"found no image; expected {image}")
    _check_settings(config)
    claims = {config.workdir: kubeflow.work_claim}
    if _is_mounted(config.data):
        claims = {config.data: kubeflow.data_claim, **claims}
    paths = ("--workdir", config.workdir, *(("--data", config.data) if config.data else ()))
    settings = (f"--set={assignment}" for assignment in assignments(config))
    run = ("run", *paths, *settings, "--reason", REASON)
    return Plan(
        name="tfx-ner",
        description=f"{config.name}: from labelled text to a published model, in {len(STEPS)} steps",
        image=kubeflow.image,
        tasks=tuple(
            _task(name, until, run, getattr(kubeflow, name)) for name, until in STEPS.items()
        ),
        claims=claims,
        environment={"HOME": "/tmp"},  # where Beam and TensorFlow keep things
        secret=kubeflow.secret,
        notes=tuple(_notes(config)),
    )


def _task(name: str, until: str, run: tuple[str, ...], step: KubeflowStep) -> Task:
    if until:
        command, arguments = ("tfx-ner",), (*run, "--until", until)
    else:
        command, arguments = ("sh", "-c", _REFUSAL_IS_SUCCESS, "tfx-ner"), run
    return Task(name, until, command, arguments, step.cpu, step.memory, step.gpu)


def assignments(config: Config) -> Iterator[str]:
    """The settings that differ from the defaults, as `--set` takes them.

    Settings with options of their own and secrets are left out.
    """
    settings = config.model_dump(by_alias=True, mode="json", exclude=set(_EXCLUDED_SETTINGS))
    defaults = Config().model_dump(by_alias=True, mode="json")
    settings["metadata"]["password"] = defaults["metadata"]["password"]
    defaults = flatten(defaults)
    for key, value in flatten(settings).items():
        if value != defaults.get(key):
            yield f"{key}={value if isinstance(value, str) else _as_yaml(value)}"


def _as_yaml(value: Any) -> str:
    """YAML on one line. Dumped as a list, because YAML ends a document after a single number."""
    return yaml.safe_dump([value], default_flow_style=True, width=float("inf")).strip()[1:-1]


def _check_settings(config: Config) -> None:
    data = config.data if _is_mounted(config.data) else None
    if is_address(config.workdir):
        raise _unfit("workdir", config.workdir, "a path, where kubeflow.work_claim is mounted")
    for key, path in (("data", data), ("workdir", config.workdir)):
        if path and not PurePosixPath(path).is_absolute():
            example = f"/srv/tfx-ner/{key.removesuffix('dir')}"
            raise _unfit(key, path, f"an absolute path in the steps, as {example}")
    if data and _is_below(data, config.workdir):
        raise UserError(
            f"data: {data} is in the workdir; expected a path outside, since it has a volume of its own"
        )
    mounted = [config.workdir, *([data] if data else [])]
    for key, path in (
        ("schema", config.schema_file),
        ("vectors", config.vectors),
        ("golden", config.golden),
    ):
        if _is_mounted(path) and not any(_is_below(path, folder) for folder in mounted):
            raise _unfit(key, path, f"it below {' or '.join(mounted)}, which the steps mount")
    host = config.metadata.host
    if config.metadata.kind != "sqlite" and host in ("127.0.0.1", "localhost", "::1"):
        raise UserError(
            f"metadata.host: {host} is each step's own machine; expected the name of the"
            " database's service"
        )
    if config.training.distribute == "multi-worker":
        raise UserError(
            "training.distribute: found multi-worker, and a step is one pod; expected none or"
            " mirrored, with kubeflow.train.gpu for its devices"
        )


def _unfit(key: str, found: str, expected: str) -> UserError:
    return UserError(f"{key}: found {found}; expected {expected}")


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


def _is_mounted(path: str | None) -> bool:
    return bool(path) and not is_address(path)


def _is_below(path: str, folder: str) -> bool:
    return PurePosixPath(path).is_relative_to(folder)


def compile_plan(plan: Plan, python: str | None = None) -> str:
    """The pipeline as YAML.

    Args:
      plan: the pipeline.
      python: a Python that has kfp and kfp-kubernetes; if not given, this one or that of
        `make kubeflow`.

    Raises:
      UserError: no Python has them.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "pipeline.yaml")
        try:
            result = subprocess.run(
                [python or _find_python(), _KFP_PROGRAM, file],
                input=json.dumps({**asdict(plan), "password": PASSWORD_VARIABLE}),
                capture_output=True,
                text=True,
                check=False,
            )
        except OSError as error:
            raise UserError(f"--kfp-python {python}: cannot be run ({error.strerror})") from None
        if result.returncode and "ModuleNotFoundError" in result.stderr:
            raise UserError(
                f"--kfp-python {python}: has no kfp and kfp-kubernetes; install them there with pip"
            )
        if result.returncode:
            message = result.stderr.strip().splitlines()[-1]
            raise RuntimeError(f"kfp cannot compile the pipeline: {message}")
        return file.read_text(encoding="utf-8")


def _find_python() -> str:
    if importlib.util.find_spec("kfp") and importlib.util.find_spec("kfp.kubernetes"):
        return sys.executable
    if (_KFP_ENVIRONMENT / "setup.stamp").exists():
        return str(_KFP_ENVIRONMENT / "bin" / "python")
    raise UserError(
        "found neither kfp nor kfp-kubernetes, which write the YAML; expected `make kubeflow` in the"
        " project's folder, or --kfp-python with the Python of an environment that has them"
    )


def recurring_run_command(file: str, schedule: Schedule) -> str:
    """The command that makes Kubeflow run `file` at the times of the schedule, by default at two each night.

    Kubeflow's cron expressions begin with seconds, in the time zone of the cluster.
    """
    if schedule.every:
        times = ("--interval-second", str(durations.seconds(schedule.every)))
    else:
        times = ("--cron-expression", f"0 {schedule.cron or '0 2 * * *'}")
    command = ["kfp", "recurring-run", "create", "--job-name", "tfx-ner"]
    command += ["--experiment-name", "tfx-ner", *times, "--no-catchup", "--max-concurrency", "1"]
    return shlex.join([*command, "--pipeline-package-path", file])
