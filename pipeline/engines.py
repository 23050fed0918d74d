"""The engine that Beam runs on: its options, checked against Beam and the cluster before anything runs."""

import contextlib
import io
import shutil
import socket
from pathlib import Path
from urllib.parse import urlsplit

import apache_beam as beam
import grpc
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability.api import beam_job_api_pb2, beam_job_api_pb2_grpc, beam_runner_api_pb2
from apache_beam.runners.portability import flink_runner
from apache_beam.runners.runner import PipelineResult, create_runner

from components.compat import beam_private
from components.errors import UserError
from pipeline.config import Beam

_TIMEOUT = 10  # seconds for a part of a cluster to answer
_VERSION = beam.__version__
_WITH_JOB_SERVER = ("flink", "spark", "portable")


class FlinkRunner(flink_runner.FlinkRunner):
    """Beam's Flink runner, with every worker reading files of a split; see `components.compat.beam_private`."""

    def run_portable_pipeline(
        self, pipeline: beam_runner_api_pb2.Pipeline, options: PipelineOptions
    ) -> PipelineResult:
        shuffled = beam_private.shuffle_files_of_sources(pipeline)
        return super().run_portable_pipeline(shuffled, options)


def pipeline_options(settings: Beam) -> PipelineOptions:
    """The options of a Beam pipeline.

    Raises:
      UserError: Beam cannot load the runner, neither Beam nor the job server knows an option (Beam would ignore it), or the
        cluster does not answer.
    """
    output = io.StringIO()
    try:
        with contextlib.redirect_stderr(output):
            options = PipelineOptions(settings.arguments())
            known = options.get_all_options()
            given = options.get_all_options(retain_unknown_options=True)
    except SystemExit:
        problem = output.getvalue().strip().rpartition("error: ")[2]
        raise _bad_options(f"{problem}; expected options as Beam {_VERSION} takes them") from None
    flink_master = known.get("flink_master")
    if settings.runner == "flink" and flink_master and not flink_master.startswith("["):
        _refuse_silent("flink_master", flink_master)
    unknown = set(given) - set(known)
    if settings.runner in _WITH_JOB_SERVER:
        unknown -= _job_server_options(known.get("job_endpoint"), settings.runner, known)
    if unknown:
        raise _bad_options(
            f"--{min(unknown)} is not an option of Beam {_VERSION}; expected one of its options, as"
            " --name=value"
        )
    if (setup := known.get("setup_file")) and not Path(setup).is_file():
        raise _bad_options(f"--setup_file={setup}: no such file; expected the project's setup.py")
    try:
        create_runner(known["runner"])
    except (ValueError, ImportError, AttributeError) as error:
        problem = " ".join(str(error).split())
        raise UserError(f"beam.runner: cannot load {settings.runner} ({problem})") from None
    return options


def _job_server_options(endpoint: str | None, runner: str, known: dict) -> set[str]:
    """Names of the options of the job server at `endpoint`; empty without one, where Beam starts a job server."""
    if not endpoint or endpoint == "embed":
        starts_java = runner != "portable" and not known.get("flink_submit_uber_jar")
        if starts_java and not shutil.which("java"):
            raise UserError(
                f"beam.runner: {runner} needs a job server: found no java to start one with;"
                " expected java on the PATH, or --job_endpoint=host:port in beam.options"
            )
        return set()
    _refuse_silent("job_endpoint", endpoint)
    request = beam_job_api_pb2.DescribePipelineOptionsRequest()
    with grpc.insecure_channel(endpoint) as channel:
        service = beam_job_api_pb2_grpc.JobServiceStub(channel)
        try:
            described = service.DescribePipelineOptions(request, timeout=_TIMEOUT)
        except grpc.RpcError as error:
            raise _bad_options(
                f"--job_endpoint={endpoint} is not a Beam job server ({error.code().name});"
                " expected its host:port"
            ) from None
    return {option.name for option in described.options}


def _refuse_silent(option: str, address: str) -> None:
    """Raises UserError if nothing listens at `address`, host:port with or without a scheme."""
    url = urlsplit(address if "://" in address else f"//{address}")
    try:
        host, port = url.hostname, url.port or (443 if url.scheme == "https" else 80)
        if not host:
            raise ValueError("no host")
        socket.create_connection((host, port), timeout=_TIMEOUT).close()
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or str(error)
        raise _bad_options(
            f"nothing answers at --{option}={address} ({problem}); expected host:port of a running"
            " cluster"
        ) from None


def _bad_options(problem: str) -> UserError:
    return UserError(f"beam.options: {problem}")
