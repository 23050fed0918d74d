"""The development server: models, gRPC and REST on one event loop, from the first load to the end."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Optional

import uvicorn

from components.errors import UserError
from serving.server import config, grpc_api, rest_api, servable, tls
from serving.server.batching import Batcher, Limits
from serving.server.metrics import Metrics
from serving.server.models import ModelConfig, Models
from serving.server.predicting import Predictor
from serving.server.status import Code, RequestError
from serving.server.strict import Strict
from serving.server.versions import Retries, State

log = logging.getLogger("serving.server")


@dataclass(frozen=True)
class Options:
    """How to serve.

    host: the address to listen on.
    rest_port: port of REST; 0 for any free one.
    grpc_port: port of gRPC; 0 for any free one.
    seconds: time limit of a request.
    most_bytes: the largest request.
    limits: limits of batches.
    retries: how a version that cannot be loaded is tried again.
    poll_seconds: interval between two looks for new versions.
    ssl_config_file: TLS for gRPC.
    cors: whether pages of other addresses may ask.
    wait: whether to wait for the first version.
    model_config_file: the configuration file whose changes are followed.
    strict: which behaviour of TensorFlow Serving to show.
    """

    host: str = "127.0.0.1"
    rest_port: int = 8501
    grpc_port: int = 8500
    seconds: float = 30.0
    most_bytes: int = 16 * 2**20
    limits: Limits = field(default_factory=Limits)
    retries: Retries = field(default_factory=Retries)
    poll_seconds: float = 1.0
    ssl_config_file: Optional[str] = None
    cors: bool = False
    wait: bool = False
    model_config_file: Optional[str] = None
    strict: Strict | None = None


def run(models: Sequence[ModelConfig], options: Options) -> None:
    """Serves until SIGTERM or SIGINT, then answers the requests in flight.

    Raises UserError if a model cannot be loaded or a port is taken.
    """
    asyncio.run(_serve(models, options))


class _Rest(uvicorn.Server):
    """uvicorn's server without its signal handlers: `_serve` has its own."""

    @contextlib.contextmanager
    def capture_signals(self):
        yield


async def _serve(configs: Sequence[ModelConfig], options: Options) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stopper(stop))
    rest_socket = bound(options.host, options.rest_port)
    metrics = Metrics()
    strict = options.strict
    models = Models(_loader(metrics), _retries(options), options.poll_seconds, strict)
    predictor = Predictor(
        models,
        Batcher(
            ThreadPoolExecutor(options.limits.at_once, thread_name_prefix="model"),
            options.limits,
            metrics.batch,
        ),
        metrics,
        options.seconds,
    )

    def reload(configs) -> asyncio.Future:
        return loop.run_in_executor(None, models.configure, configs)

    in_flight = grpc_api.InFlight(strict.grpc_requests if strict else None)
    grpc_server, health = grpc_api.make_server(predictor, reload, options.most_bytes, in_flight)
    grpc_port = _grpc_port(grpc_server, options)
    gc.freeze()  # later collections need not look at the objects of start-up
    loading = asyncio.ensure_future(_load(models, configs, options.wait, strict is not None))
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait([loading, stopping], return_when=asyncio.FIRST_COMPLETED)
    if stop.is_set():
        _leave()
    loading.result()
    models.start()
    following = asyncio.ensure_future(
        _follow(options.model_config_file, configs, reload, options.poll_seconds)
    )
    rest = _Rest(
        uvicorn.Config(
            rest_api.make_app(
                predictor,
                options.most_bytes,
                options.cors,
                model=configs[0].name,
                threads=strict.rest_api_num_threads if strict else None,
            ),
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=int(options.seconds) + 1,
        )
    )
    rest_socket.listen(1024)
    serving = asyncio.ensure_future(rest.serve([rest_socket]))
    await grpc_server.start()
    await grpc_api.set_health(health, True)
    host = f"[{options.host}]" if ":" in options.host else options.host
    log.info("REST and page on http://%s:%d", host, rest_socket.getsockname()[1])
    log.info("gRPC%s on %s:%d", " with TLS" if options.ssl_config_file else "", host, grpc_port)
    if not is_loopback(options.host):
        log.warning(
            "%s can be reached from other machines, and nobody is asked for a password",
            options.host,
        )
    await asyncio.wait([stopping, serving], return_when=asyncio.FIRST_COMPLETED)
    if strict:
        _leave()  # TensorFlow Serving has no handler for SIGTERM
    log.info("stopping: requests in flight are answered first")
    following.cancel()
    models.stop()
    await grpc_api.set_health(health, False)
    rest.should_exit = True
    await asyncio.gather(_stop_grpc(grpc_server, in_flight, options.seconds), serving)
    log.info("stopped")
    _leave()


async def _stop_grpc(server, in_flight: grpc_api.InFlight, seconds: float) -> None:
    stopping = asyncio.ensure_future(server.stop(seconds))  # refuses new calls from now on
    await in_flight.wait_for_none(seconds)
    await server.stop(0.2)  # streams of the health service would last longer
    await stopping


def _stopper(stop: asyncio.Event):
    def ask() -> None:
        if stop.is_set():
            log.warning("stopped at once")
            _leave(1)
        stop.set()

    return ask


def _leave(code: int = 0) -> None:
    """Ends the process at once: a thread may be loading a model, and TensorFlow would wait for it."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _loader(metrics: Metrics):
    def load(name: str, path: Path) -> servable.SavedModel:
        log.info("%s: version %s is loading", name, path.name)
        try:
            model = servable.SavedModel(path)
        except RequestError:
            metrics.load(str(path), ok=False)
            raise
        metrics.load(str(path), ok=True)
        started, status = time.monotonic(), "OK"
        try:
            model.warm_up()
        except BaseException:
            model.close()
            status = "INTERNAL"
            raise
        finally:
            metrics.warmup(str(path), status, time.monotonic() - started)
        return model

    return load


def _retries(options: Options) -> Retries:
    if options.strict is None:
        return options.retries
    return Retries(
        options.strict.max_num_load_retries,
        options.strict.load_retry_interval_micros / 1e6,
        shown=False,
        blocking=options.strict.num_load_threads == 0,
    )


async def _load(models: Models, configs: Sequence[ModelConfig], wait: bool, strict: bool) -> None:
    """Loads the models for the first time.

    Args:
      models: the models.
      configs: the configuration of each.
      wait: whether to wait until each model has a version.
      strict: whether to wait for a version, and for all tries of one that does not load, and to end as
        TensorFlow Serving does.

    Raises:
      UserError: a model cannot be served.
    """
    waiting = False
    while True:
        try:
            await asyncio.get_running_loop().run_in_executor(None, models.configure, configs)
            return
        except RequestError as error:
            if strict and not _may_come_up(models, configs, error):
                log.error("Failed to start server. Error: %s: %s", error.code.name, error.message)
                _leave(255)
            if not wait and not strict:
                raise UserError(error.message) from None
            if not waiting:
                log.info("waiting: %s", error.message)
            waiting = True
        await asyncio.sleep(1)


def _may_come_up(models: Models, configs: Sequence[ModelConfig], error: RequestError) -> bool:
    """Whether TensorFlow Serving would still wait: for a first version, or for its next try."""
    if error.code is Code.FAILED_PRECONDITION:  # labels
        return False
    statuses = []
    for model in configs:
        with contextlib.suppress(RequestError):
            statuses += models.statuses(model.name)
    return all(status.state is not State.END for status in statuses)


async def _follow(
    file: Optional[str], configs: Sequence[ModelConfig], reload, seconds: float
) -> None:
    """Follows the changes of a `models.config`. A refused configuration is logged and tried again."""
    served, told = list(configs), ""
    while file:
        await asyncio.sleep(seconds)
        try:
            wanted = config.read(file)
            if wanted != served:
                await reload(wanted)
                served, told = wanted, ""
                log.info("%s: taken over", file)
        except (UserError, RequestError) as error:
            message = error.message if isinstance(error, RequestError) else str(error)
            if message != told:
                log.warning("%s: not taken over: %s", file, message)
            told = message


def bound(host: str, port: int) -> socket.socket:
    """A socket bound to an address. Raises UserError if that is not possible."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        )[0]
        bound = socket.socket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        return bound
    except OSError as error:
        raise UserError(
            f"cannot listen on {host}:{port} ({error.strerror}); choose another --rest-port or --host"
        ) from None


def _grpc_port(server, options: Options) -> int:
    host = f"[{options.host}]" if ":" in options.host else options.host
    address = f"{host}:{options.grpc_port}"
    try:
        if options.ssl_config_file:
            return server.add_secure_port(address, tls.credentials(options.ssl_config_file))
        return server.add_insecure_port(address)
    except RuntimeError:
        raise UserError(
            f"cannot listen on {address}; choose another --grpc-port or --host"
        ) from None


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine only."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
