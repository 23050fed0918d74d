"""`tfx-ner serve` with TensorFlow Serving, replaced by a program that records its arguments."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from components.export import card

ROOT = Path(__file__).resolve().parents[4]
PROGRAM = """#!/bin/sh
if [ "$1" = --version ]; then echo "TensorFlow ModelServer: 2.16.1-rel"; exit; fi
for one in "$@"; do echo "$one"; done > "$0.arguments"
for one in "$@"; do case "$one" in *_file=*) cat "${one#*=}" >> "$0.files";; esac; done
echo "pid $$"
exit 7
"""


@pytest.fixture
def base(tmp_path):
    (tmp_path / "ner" / "3").mkdir(parents=True)
    (tmp_path / "ner" / "3" / "saved_model.pb").touch()
    return tmp_path / "ner"


@pytest.fixture
def stock(tmp_path):
    path = tmp_path / "bin" / "tensorflow_model_server"
    path.parent.mkdir()
    path.write_text(PROGRAM)
    path.chmod(0o755)
    return path


def serve(*arguments, path=os.defpath):
    environment = {**os.environ, "PATH": str(path)}
    command = [sys.executable, "-m", "pipeline.cli", "serve", *map(str, arguments)]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=-1, stderr=-1, text=True
    ) as process:
        out, err = process.communicate(timeout=60)
    return process, out, err


def test_tensorflow_serving_replaces_the_process_with_batching_monitoring_and_warmup(base, stock):
    process, out, err = serve(
        "--model-base-path", base, "--rest-port", "8601", path=f"{stock.parent}:{os.defpath}"
    )
    assert process.returncode == 7 and out == f"pid {process.pid}\n"  # so that signals reach it
    flags = dict(
        line[2:].split("=", 1) for line in Path(f"{stock}.arguments").read_text().splitlines()
    )
    assert (
        Path(flags.pop("batching_parameters_file")).is_file()
        and Path(flags.pop("monitoring_config_file")).is_file()
    )
    assert flags == {
        "port": "8500",
        "rest_api_port": "8601",
        "rest_api_timeout_in_ms": "30000",
        "model_name": "ner",
        "model_base_path": str(base),
        "file_system_poll_wait_seconds": "1",
        "rest_api_num_threads": "128",
        "grpc_max_threads": "512",
        "num_load_threads": "2",
        "max_num_load_retries": "0",
        "tensorflow_intra_op_parallelism": "1",
        "enable_batching": "true",
        "enable_model_warmup": "true",
        "enable_grpc_healthcheck_service": "true",
    }
    written = Path(f"{stock}.files").read_text()
    assert "max_batch_size { value: 64 }" in written
    assert 'prometheus_config { enable: true path: "/monitoring/prometheus/metrics" }' in written
    assert "starting TensorFlow Serving" in err and "listens on every address" in err


def test_tensorflow_serving_starts_from_a_given_path_with_the_options(base, stock, tmp_path):
    (tmp_path / "models.config").touch()
    (tmp_path / "ssl.config").touch()
    process, _, _ = serve(
        *(
            "--tensorflow-model-server",
            stock,
            "--model-config-file",
            tmp_path / "models.config",
            "--timeout",
            "2.5",
        ),
        *(
            "--ssl-config-file",
            tmp_path / "ssl.config",
            "--cors",
            "--batch-size",
            "9",
            "--host",
            "0.0.0.0",
        ),
    )
    assert process.returncode == 7
    flags = Path(f"{stock}.arguments").read_text().splitlines()
    assert {
        f"--model_config_file={tmp_path / 'models.config'}",
        f"--ssl_config_file={tmp_path / 'ssl.config'}",
        "--rest_api_enable_cors_support=true",
        "--rest_api_timeout_in_ms=2500",
    } <= {*flags}
    assert "--allow_version_labels_for_unavailable_models=true" in flags
    assert not any(flag.startswith("--model_base_path") for flag in flags)
    assert "max_batch_size { value: 30 }" in Path(f"{stock}.files").read_text()


@pytest.mark.parametrize(
    ("tensorflow", "is_too_old"), [("2.21.0", True), ("2.16.2", False), ("", False)]
)
@pytest.mark.parametrize("by_file", [False, True])
def test_a_server_older_than_the_model_causes_a_warning(
    base, stock, tensorflow, is_too_old, by_file
):
    card.save_card(card.Card(("O",), "1", tensorflow=tensorflow), base / "3")
    arguments = ["--model-base-path", base]
    if by_file:
        config = base.parent / "models.config"
        config.write_text(f'config {{ name: "ner" base_path: "{base}" }}')
        arguments = ["--model-config-file", config]
    process, _, err = serve(*arguments, "--tensorflow-model-server", stock)
    assert process.returncode == 7
    assert ("2.21 or newer loads it" in err) is is_too_old


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "expected one of --model-base-path and --model-config-file"),
        (["--model-base-path", "BASE", "--model-config-file", "x"], "expected one of"),
        (
            ["--model-base-path", "BASE", "--own-server", "--tensorflow-model-server", "x"],
            "expected one of them",
        ),
        (
            ["--model-base-path", "BASE", "--tensorflow-model-server", "/no/where"],
            "/no/where: no program there",
        ),
        (
            [
                "--model-base-path",
                "BASE",
                "--tensorflow-model-server",
                "STOCK",
                "--host",
                "127.0.0.1",
            ],
            "every address",
        ),
        (
            ["--model-base-path", "BASE", "--tensorflow-model-server", "STOCK", "--rest-port", "0"],
            "cannot choose one",
        ),
        (
            [
                "--model-base-path",
                "BASE",
                "--tensorflow-model-server",
                "STOCK",
                "--rest-port",
                "8500",
            ],
            "two different",
        ),
        (["--model-base-path", "BASE/3"], "this is a version; expected the folder of versions"),
        (["--model-base-path", "BASE/3/saved_model.pb"], "this is a file"),
        (["--model-base-path", "BASE/.."], "no version here"),
        (["--model-base-path", "BASE/none"], "none: cannot read"),
        (["--model-base-path", "BASE", "--model-name", "a/b"], "expected a name without / and :"),
        (["--model-config-file", "BASE/none"], "none: no such file"),
        (["--model-base-path", "BASE", "--ssl-config-file", "BASE/none"], "none: no such file"),
        (["--model-base-path", "BASE", "--rest-port", "65536"], "65536 is not in the range"),
        (["--model-base-path", "BASE", "--timeout", "0"], "not in the range"),
    ],
)
def test_invalid_options_are_refused_in_one_line(base, stock, arguments, message):
    arguments = [one.replace("BASE", str(base)).replace("STOCK", str(stock)) for one in arguments]
    process, out, err = serve(*arguments)
    assert process.returncode == 2 and out == ""
    assert message in err and "Traceback" not in err
    assert len(err.strip().splitlines()[-1]) < 300
