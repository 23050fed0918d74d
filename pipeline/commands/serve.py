"""`tfx-ner serve`."""

import contextlib
import ctypes
import logging
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from components import tf_runtime
from components.errors import UserError

_PORT = click.IntRange(0, 65535)
_SECONDS = click.FloatRange(0, min_open=True)
_M_ARENA_MAX = -8  # of glibc's malloc.h
_MAX_ARENAS = 1000  # more than there are threads


@click.command()
@click.option(
    "--model-base-path", metavar="DIR", help="The folder of versions, as WORKDIR/serving/ner."
)
@click.option(
    "--model-name",
    default="ner",
    show_default=True,
    metavar="NAME",
    help="The model's name in requests.",
)
@click.option(
    "--model-config-file",
    metavar="FILE",
    help="The models to serve, in TensorFlow Serving's format, instead of the two above, as"
    " WORKDIR/serving/models.config for a model and its canary. The server follows changes of the file.",
)
@click.option(
    "--rest-port",
    type=_PORT,
    default=8501,
    show_default=True,
    help="Port of REST and of the page; 0 for any free port.",
)
@click.option(
    "--grpc-port",
    type=_PORT,
    default=8500,
    show_default=True,
    help="Port of gRPC; 0 for any free port.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--timeout",
    "seconds",
    type=_SECONDS,
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="Time limit of a request.",
)
@click.option(
    "--max-request-mb",
    type=click.FloatRange(0, 2047, min_open=True),
    default=16.0,
    show_default=True,
    metavar="MB",
    help="Size limit of a request, uncompressed.",
)
@click.option(
    "--batch-size",
    "batch_rows",
    type=click.IntRange(1),
    default=64,
    show_default=True,
    metavar="TEXTS",
    help="Maximum number of texts, of one or several requests, that the model processes together;"
    " with TensorFlow Serving also of the texts of a request, at least 30.",
)
@click.option(
    "--ssl-config-file",
    metavar="FILE",
    help="TLS for gRPC: key and certificate, in TensorFlow Serving's format.",
)
@click.option("--cors", is_flag=True, help="Allow requests from pages of other origins (CORS).")
@click.option(
    "--wait", is_flag=True, help="Wait for the first version; by default exit if there is none."
)
@click.option(
    "--poll-seconds",
    type=_SECONDS,
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="Interval between checks for new versions.",
)
@click.option(
    "--retry-seconds",
    type=_SECONDS,
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="With the development server: interval between the six attempts to load a version.",
)
@click.option(
    "--tensorflow-model-server",
    "program",
    metavar="PATH",
    help="The program of TensorFlow Serving, if it is not on the PATH.",
)
@click.option(
    "--own-server",
    is_flag=True,
    help="Start the development server even if TensorFlow Serving is installed.",
)
@click.option(
    "--strict",
    metavar="FLAGS",
    help="With the development server: behave as TensorFlow Serving does with these of its flags, as"
    " '--grpc_max_threads=512', in threads, broken versions, waits, labels and SIGTERM. For tests.",
)
@click.pass_context
def serve(
    context: click.Context,
    model_base_path: str | None,
    model_config_file: str | None,
    ssl_config_file: str | None,
    max_request_mb: float,
    program: str | None,
    own_server: bool,
    strict: str | None,
    **others: Any,
) -> None:
    """Serve a folder of published versions, by REST and gRPC, and a page to try them on.

    Starts TensorFlow Serving if it is installed, with batching, monitoring and warm-up; otherwise
    tfx-ner's development server, which has the same interfaces. A version that is published while the
    server runs replaces the previous one.

    The server runs until Ctrl-C or SIGTERM. The development server answers the requests in flight first.
    TensorFlow Serving ends at once and drops them: take it out of the load balancer before, or stop its
    clients.
    """
    from components.storage.remote import refuse_address
    from serving.server import tf_serving
    from serving.server.config import Options, parse_strict

    remedy = "Fetch the versions first; KServe does so by itself"
    refuse_address("--model-base-path", model_base_path, remedy)
    if (model_base_path is None) == (model_config_file is None):
        raise UserError("expected one of --model-base-path and --model-config-file")
    if own_server and program:
        found = "both --own-server and --tensorflow-model-server"
        raise UserError(f"found {found}; expected one of them")
    for file in (model_config_file, ssl_config_file):
        if file and not Path(file).is_file():
            raise UserError(f"{file}: no such file")
    options = Options(
        model_base_path=_absolute(model_base_path),
        model_config_file=_absolute(model_config_file),
        ssl_config_file=_absolute(ssl_config_file),
        most_bytes=int(max_request_mb * 2**20),
        strict=None if strict is None else parse_strict(strict),
        **others,  # as the fields are named
    )
    if model_base_path is not None:
        tf_serving.refuse_name(options.model_name)
        tf_serving.refuse_without_version(Path(model_base_path), options.wait or strict is not None)
    stock_server = None if own_server or options.strict else tf_serving.find(program)
    if stock_server:
        host_is_given = context.get_parameter_source("host") is ParameterSource.COMMANDLINE
        if host_is_given and options.host not in ("0.0.0.0", "::"):
            raise UserError(
                f"--host {options.host}: TensorFlow Serving listens on every address; leave --host out, or"
                " add --own-server"
            )
        tf_serving.execute(stock_server, options)

    print(
        "this is tfx-ner's own server, a stand-in for development: it is not TensorFlow Serving",
        file=sys.stderr,
        flush=True,
    )
    logging.basicConfig(level=logging.CRITICAL, format="%(message)s")
    logging.getLogger("serving").setLevel(logging.INFO)
    warnings.simplefilter("ignore")  # libraries ask users of Python 3.10 to upgrade
    separate_arenas()
    tf_runtime.import_tensorflow().get_logger().setLevel("ERROR")
    from serving.server import main

    main.run(options)


def separate_arenas() -> None:
    """Lets each thread of this process allocate from an arena of its own, if it has few threads yet.

    glibc has eight arenas a core, which later threads share. The two that run the model would wait
    for each other at each allocation if they met in one. MALLOC_ARENA_MAX, where it is set, decides.
    """
    if "MALLOC_ARENA_MAX" not in os.environ:
        with contextlib.suppress(OSError, AttributeError):  # the C library is not glibc
            ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _MAX_ARENAS)


def _absolute(path: str | None) -> Path | None:
    return Path(path).absolute() if path else None
