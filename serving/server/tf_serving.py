"""TensorFlow Serving itself: where it is installed, and the command that starts it.

The flags are those of tensorflow_model_server 2.16; `serving/deploy` uses the same.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

from components.errors import UserError
from components.export import card
from components.publishing.versions import version_folders
from serving.server.config import Options

PROGRAM = "tensorflow_model_server"
# The server refuses a warm-up request with more texts than a batch may have, and then does not start.
# Models of earlier releases have one of this many texts.
SMALLEST_BATCH = 30


def find(path: str | None) -> str | None:
    """The program at `path`, by default the one on the PATH; None if there is none.

    Raises UserError if `path` names no program.
    """
    program = shutil.which(path or PROGRAM)
    if path and program is None:
        raise UserError(
            f"--tensorflow-model-server {path}: no program there; expected the path of {PROGRAM}"
        )
    return program


def refuse_name(name: str) -> None:
    """Raises UserError for a name that cannot be part of a REST path."""
    if not name or set(name) & set("/:"):
        raise UserError(f'--model-name "{name}": expected a name without / and :')


def refuse_without_version(base_path: Path, wait: bool = False) -> None:
    """Raises UserError if there is no version to serve; with `wait` only if there can be none."""
    if (base_path / "saved_model.pb").is_file():
        raise UserError(
            f"{base_path}: this is a version; expected the folder of versions,"
            f" {base_path.absolute().parent}"
        )
    expected = "expected the folder of versions, as WORKDIR/serving/ner"
    if base_path.exists() and not base_path.is_dir():
        raise UserError(f"{base_path}: this is a file; {expected}")
    if wait:
        return
    try:
        versions = version_folders(base_path)
    except OSError as error:
        raise UserError(f"{base_path}: cannot read ({error.strerror}); {expected}") from None
    if not versions:
        raise UserError(
            f"{base_path}: no version here; expected folders whose names are numbers, as tfx-ner run"
            " publishes them into WORKDIR/serving/ner, or --wait to wait for one"
        )


def execute(program: str, options: Options) -> NoReturn:
    """Replaces this process by TensorFlow Serving, with batching, monitoring and warm-up.

    Raises UserError if it would not open these ports.
    """
    flags = _flags(options, Path(tempfile.mkdtemp(prefix="tfx-ner-serve-")))
    command = [program, *(f"--{name}={value}" for name, value in flags.items())]
    lines = [
        f"starting TensorFlow Serving: {' '.join(command)}",
        "it listens on every address of this machine and asks for no password; it has no page",
        *(f"warning: {warning}" for warning in _too_old_for(program, options)),
    ]
    print("\n".join(lines), file=sys.stderr, flush=True)
    os.execv(program, command)


def _flags(options: Options, folder: Path) -> dict[str, object]:
    """The server's flags; the configuration files that it reads are written into the folder."""
    if 0 in (options.rest_port, options.grpc_port) or options.rest_port == options.grpc_port:
        raise UserError(
            f"--rest-port {options.rest_port} --grpc-port {options.grpc_port}: TensorFlow Serving"
            " needs two different ports, and cannot choose one; give them, or add --own-server"
        )
    batching, monitoring = folder / "batching.config", folder / "monitoring.config"
    batching.write_text(
        f"max_batch_size {{ value: {max(options.batch_rows, SMALLEST_BATCH)} }}\n"
        "batch_timeout_micros { value: 0 }\n"
        "max_enqueued_batches { value: 100 }\n",
        encoding="utf-8",
    )
    monitoring.write_text(
        'prometheus_config { enable: true path: "/monitoring/prometheus/metrics" }\n',
        encoding="utf-8",
    )
    poll_seconds = max(1, round(options.poll_seconds))
    if options.model_config_file:
        flags = {
            "model_config_file": options.model_config_file,
            "model_config_file_poll_wait_seconds": poll_seconds,
            # Else a file with version labels keeps the server from starting: it checks labels first.
            "allow_version_labels_for_unavailable_models": "true",
        }
    else:
        flags = {"model_name": options.model_name, "model_base_path": options.model_base_path}
    flags |= {
        "port": options.grpc_port,
        "rest_api_port": options.rest_port,
        "rest_api_timeout_in_ms": int(options.seconds * 1000),
        # The defaults, 4 * cores, refuse gRPC requests beyond them and keep batches small.
        "rest_api_num_threads": 128,
        "grpc_max_threads": 512,
        "file_system_poll_wait_seconds": poll_seconds,
        # Else a version that does not load blocks all other changes for minutes.
        "num_load_threads": 2,
        "max_num_load_retries": 0,
        "tensorflow_intra_op_parallelism": 1,
        "enable_batching": "true",
        "batching_parameters_file": batching,
        "monitoring_config_file": monitoring,
        "enable_model_warmup": "true",
        "enable_grpc_healthcheck_service": "true",
    }
    if options.ssl_config_file:
        flags["ssl_config_file"] = options.ssl_config_file
    if options.cors:
        flags["rest_api_enable_cors_support"] = "true"
    return flags


def _too_old_for(program: str, options: Options) -> list[str]:
    """A warning for each newest version that was exported by a newer TensorFlow than the server's."""
    server = _version(program)
    warnings = []
    for base_path in _base_paths(options) if server else ():
        versions = list(version_folders(base_path).values()) if base_path.is_dir() else []
        model_card = card.load_card(versions[-1]) if versions else None
        exported_by = model_card.tensorflow if model_card else ""
        if exported_by and _minor(exported_by) > _minor(server):
            warnings.append(
                f"{versions[-1]}: was exported with TensorFlow {exported_by}, and this is TensorFlow"
                f" Serving {server}; TensorFlow promises that {model_card.lowest_server} or newer"
                " loads it"
            )
    return warnings


def _version(program: str) -> str:
    """The server's version, such as "2.16.1"; "" if it does not print one."""
    try:
        answer = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    match = re.search(r"ModelServer: (\d+\.\d+\S*)", answer.stdout)
    return match[1] if match else ""


def _minor(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])


def _base_paths(options: Options) -> list[Path]:
    if options.model_base_path:
        return [options.model_base_path]
    text = options.model_config_file.read_text(encoding="utf-8", errors="replace")
    return [Path(path) for path in re.findall(r'base_path:\s*"([^"]*)"', text)]
