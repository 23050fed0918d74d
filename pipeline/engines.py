"""The engine that Beam runs on: its options, checked against Beam and the cluster before anything runs."""

import contextlib
import io
import shutil
import socket
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

import apache_beam as beam
import grpc
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability.api import (
    beam_job_api_pb2,
    beam_job_api_pb2_grpc,
    beam_runner_api_pb2,
)
from apache_beam.runners.portability import flink_runner
from apache_beam.runners.runner import create_runner

from components.compat import beam_private
from components.errors import UserError
from pipeline.config import Beam

_TIMEOUT = 10  # seconds for a part of a cluster to answer
_WITH_JOB_SERVER = ("flink", "spark", "portable")


class FlinkRunner(flink_runner.FlinkRunner):
    """Beam's Flink runner, with every worker reading files of a split; see `components.compat.beam_private`."""

    def run_portable_pipeline(
        self, pipeline: beam_runner_api_pb2.Pipeline, options: PipelineOptions
    ):
        shuffled = beam_private.shuffle_files_of_sources(pipeline)
        return super().run_portable_pipeline(shuffled, options)


def pipeline_options(settings: Beam) -> PipelineOptions:
    """The options of a Beam pipeline.

    Raises:
      UserError: Beam cannot load the runner, neither Beam nor the job server knows an option (Beam would ignore it), or the
        cluster does not answer.
    """
    arguments = settings.arguments()
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            options = PipelineOptions(arguments)
            known, given = (
                options.get_all_options(),
                options.get_all_options(retain_unknown_options=True),
            )
    except SystemExit:
        problem = said.getvalue().strip().rpartition("error: ")[2]
        raise UserError(
            f"beam.options: {problem}; expected options as Beam {beam.__version__} takes them"
        ) from None
    if (
        (master := known.get("flink_master"))
        and settings.runner == "flink"
        and not master.startswith("[")
    ):
        _refuse_silent("flink_master", master)
    unknown = set(given) - set(known)
    if settings.runner in _WITH_JOB_SERVER:
        unknown -= set(_job_server_knows(known.get("job_endpoint"), settings.runner, known))
    if unknown:
        raise UserError(
            f"beam.options: --{min(unknown)} is not an option of Beam {beam.__version__}; expected one of its options, as"
            " --name=value"
        )
    if (setup := known.get("setup_file")) and not Path(setup).is_file():
        raise UserError(
            f"beam.options: --setup_file={setup}: no such file; expected the project's setup.py"
        )
    try:
        create_runner(known["runner"])
    except (ValueError, ImportError, AttributeError) as error:
        problem = " ".join(str(error).split())
        raise UserError(f"beam.runner: cannot load {settings.runner} ({problem})") from None
    return options


def _job_server_knows(endpoint: str | None, runner: str, known: dict) -> Iterable[str]:
    """Names of the options of the job server at `endpoint`; none without an endpoint, where Beam starts a job server."""
    if not endpoint or endpoint == "embed":
        if (
            runner != "portable"
            and not known.get("flink_submit_uber_jar")
            and not shutil.which("java")
        ):
            raise UserError(
                f"beam.runner: {runner} needs a job server: found no java to start one with; expected java on the PATH, or"
                " --job_endpoint=host:port in beam.options"
            )
        return ()
    _refuse_silent("job_endpoint", endpoint)
    with grpc.insecure_channel(endpoint) as channel:
        service = beam_job_api_pb2_grpc.JobServiceStub(channel)
        try:
            described = service.DescribePipelineOptions(
                beam_job_api_pb2.DescribePipelineOptionsRequest(), timeout=_TIMEOUT
            )
        except grpc.RpcError as error:
            raise UserError(
                f"beam.options: --job_endpoint={endpoint} is not a Beam job server ({error.code().name}); expected its"
                " host:port"
            ) from None
    return [option.name for option in described.options]


def _refuse_silent(option: str, address: str) -> None:
    """Raises UserError if nothing listens at `address`, host:port with or without a scheme."""
    place = urlsplit(address if "://" in address else f"//{address}")
    try:
        host, port = place.hostname, place.port or (443 if place.scheme == "https" else 80)
        if not host:
            raise ValueError("no host")
        socket.create_connection((host, port), timeout=_TIMEOUT).close()
    except (OSError, ValueError) as error:
        problem = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UserError(
            f"beam.options: nothing answers at --{option}={address} ({problem}); expected host:port of a running cluster"
        ) from None
