"""TensorFlow Serving itself: where it is installed, and the command that starts it as this project means it to run.

The flags are those of tensorflow_model_server 2.16.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from components.errors import UserError
from components.publishing.versions import version_folders
from serving.server.versions import Retries

PROGRAM = "tensorflow_model_server"


@dataclass(frozen=True)
class StockOptions:
    """What it is asked to do. It cannot be told an address to listen on."""

    model_name: str
    model_base_path: Optional[Path]
    model_config_file: Optional[Path]
    rest_port: int
    grpc_port: int
    seconds: float
    batch_rows: int
    poll_seconds: float = 1.0
    retry_seconds: float = Retries.seconds
    ssl_config_file: Optional[Path] = None
    cors: bool = False


def find(path: Optional[str]) -> Optional[str]:
    """The program at `path`, else the one on the PATH, else None. Raises UserError where `path` names no program."""
    found = shutil.which(path or PROGRAM)
    if path and found is None:
        raise UserError(
            f"--tensorflow-model-server {path}: no program there; expected the path of {PROGRAM}"
        )
    return found


def refuse_name(name: str) -> None:
    """Raises UserError for a name that cannot stand in a path of the REST interface."""
    if not name or set(name) & set("/:"):
        raise UserError(f'--model-name "{name}": expected a name without / and :')


def refuse_without_version(base_path: Path, wait: bool = False) -> None:
    """Raises UserError where there is nothing to serve; with `wait` only where there never will be."""
    if (base_path / "saved_model.pb").is_file():
        raise UserError(
            f"{base_path}: this is a version; expected the folder of versions, {base_path.absolute().parent}"
        )
    if base_path.exists() and not base_path.is_dir():
        raise UserError(
            f"{base_path}: this is a file; expected the folder of versions, as WORKDIR/serving/ner"
        )
    if wait:
        return
    try:
        versions = version_folders(base_path)
    except OSError as error:
        raise UserError(
            f"{base_path}: cannot read ({error.strerror}); expected the folder of versions, as WORKDIR/serving/ner"
        ) from None
    if not versions:
        raise UserError(
            f"{base_path}: no version here; expected folders whose names are numbers, as tfx-ner run publishes them into"
            " WORKDIR/serving/ner, or --wait to wait for one"
        )


def command(program: str, options: StockOptions, folder: Path) -> list[str]:
    """The command that serves with batching, monitoring and warm-up; what it reads is written into `folder`.

    Raises UserError for ports that it would not open.
    """
    if 0 in (options.rest_port, options.grpc_port) or options.rest_port == options.grpc_port:
        raise UserError(
            f"--rest-port {options.rest_port} --grpc-port {options.grpc_port}: TensorFlow Serving needs two different"
            " ports, and cannot choose one; give them, or add --own-server"
        )
    batching, monitoring = folder / "batching.config", folder / "monitoring.config"
    batching.write_text(batching_config(options.batch_rows), encoding="utf-8")
    monitoring.write_text(
        'prometheus_config { enable: true path: "/monitoring/prometheus/metrics" }\n',
        encoding="utf-8",
    )
    models = (
        {"model_config_file": options.model_config_file}
        if options.model_config_file
        else {"model_name": options.model_name, "model_base_path": options.model_base_path}
    )
    flags = {
        "port": options.grpc_port,
        "rest_api_port": options.rest_port,
        "rest_api_timeout_in_ms": int(options.seconds * 1000),
        **models,
        "file_system_poll_wait_seconds": max(1, round(options.poll_seconds)),
        "max_num_load_retries": Retries.times,
        "load_retry_interval_micros": int(options.retry_seconds * 1_000_000),
        "tensorflow_intra_op_parallelism": 1,  # as `components.tf_runtime` has it
        "enable_batching": "true",
        "batching_parameters_file": batching,
        "monitoring_config_file": monitoring,
        "enable_model_warmup": "true",
        "enable_grpc_healthcheck_service": "true",
    }
    if options.model_config_file:
        flags["model_config_file_poll_wait_seconds"] = max(1, round(options.poll_seconds))
    if options.ssl_config_file:
        flags["ssl_config_file"] = options.ssl_config_file
    if options.cors:
        flags["rest_api_enable_cors_support"] = "true"
    return [program, *(f"--{name}={value}" for name, value in flags.items())]


def batching_config(rows: int) -> str:
    """Batching parameters: a request that comes alone waits half a millisecond for others."""
    return f"max_batch_size {{ value: {rows} }}\nbatch_timeout_micros {{ value: 500 }}\nmax_enqueued_batches {{ value: 100 }}\n"
