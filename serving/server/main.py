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
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from ipaddress import ip_address
from pathlib import Path

import grpc
import uvicorn

from components.errors import UserError
from serving.server import config, grpc_api, rest_api, servable
from serving.server.batching import Batcher, Limits
from serving.server.config import ModelConfig, Options
from serving.server.metrics import Metrics
from serving.server.models import Models, State
from serving.server.predicting import Predictor
from serving.server.status import Code, RequestError

log = logging.getLogger("serving.server")


def run(options: Options) -> None:
    """Serves until SIGTERM or SIGINT, then answers the requests in flight.

    Raises UserError if a model cannot be loaded or a port is taken.
    """
    if options.model_config_file:
        models = config.read_models(options.model_config_file)
    else:
        models = [ModelConfig(options.model_name, options.model_base_path)]
    asyncio.run(_serve(models, options))


class _Rest(uvicorn.Server):
    """uvicorn's server without its signal handlers: `_serve` has its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve(configs: Sequence[ModelConfig], options: Options) -> None:
    loop, stop, strict = asyncio.get_running_loop(), asyncio.Event(), options.strict
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop, stop)
    rest_socket = bind(options.host, options.rest_port)
    metrics = Metrics()
    models = Models(partial(_load, metrics), options.retries, options.poll_seconds, strict)
    # A batch alone keeps no more than one and a half cores busy.
    limits = Limits(options.batch_rows, at_once=2, refuse_larger=strict is not None)
    pool = ThreadPoolExecutor(limits.at_once, thread_name_prefix="model")
    batcher = Batcher(pool, limits, metrics.batch)
    predictor = Predictor(models, batcher, metrics, options.seconds)

    def configure(configs: Sequence[ModelConfig]) -> asyncio.Future[None]:
        return loop.run_in_executor(None, models.configure, configs)

    in_flight = grpc_api.InFlight(strict.grpc_requests if strict else None)
    grpc_server, health = grpc_api.make_server(predictor, configure, options.most_bytes, in_flight)
    grpc_port = _bind_grpc(grpc_server, options)
    gc.freeze()  # later collections need not look at the objects of start-up
    loading = asyncio.ensure_future(_load_models(models, configs, configure, options))
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait([loading, stopping], return_when=asyncio.FIRST_COMPLETED)
    if stop.is_set():
        _exit()
    loading.result()
    models.start()
    following = asyncio.ensure_future(_follow_config(configs, configure, options))
    app = rest_api.make_app(
        predictor,
        options.most_bytes,
        options.cors,
        model=configs[0].name,
        threads=strict.rest_api_num_threads if strict else None,
    )
    rest = _Rest(
        uvicorn.Config(
            app,
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
    await grpc_api.set_health(health, "SERVING")
    encryption = " with TLS" if options.ssl_config_file else ""
    log.info("REST and page on http://%s:%d", options.url_host, rest_socket.getsockname()[1])
    log.info("gRPC%s on %s:%d", encryption, options.url_host, grpc_port)
    if not is_loopback(options.host):
        log.warning(
            "%s can be reached from other machines, and nobody is asked for a password",
            options.host,
        )
    await asyncio.wait([stopping, serving], return_when=asyncio.FIRST_COMPLETED)
    if strict:
        _exit()  # TensorFlow Serving has no handler for SIGTERM
    log.info("stopping: requests in flight are answered first")
    following.cancel()
    models.stop()
    await grpc_api.set_health(health, "NOT_SERVING")
    rest.should_exit = True
    await asyncio.gather(_stop_grpc(grpc_server, in_flight, options.seconds), serving)
    log.info("stopped")
    _exit()


async def _stop_grpc(server: grpc.aio.Server, in_flight: grpc_api.InFlight, seconds: float) -> None:
    stopping = asyncio.ensure_future(server.stop(seconds))  # refuses new calls from now on
    await in_flight.wait_until_idle(seconds)
    await server.stop(0.2)  # streams of the health service would last longer
    await stopping


def _stop(stop: asyncio.Event) -> None:
    """Begins an orderly end; a second signal ends the process at once."""
    if stop.is_set():
        log.warning("stopped at once")
        _exit(1)
    stop.set()


def _exit(code: int = 0) -> None:
    """Ends the process at once: a thread may be loading a model, and TensorFlow would wait for it."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _load(metrics: Metrics, name: str, path: Path) -> servable.SavedModel:
    """Loads a version and warms it up. Raises RequestError."""
    log.info("%s: version %s is loading", name, path.name)
    try:
        model = servable.SavedModel(path)
    except RequestError:
        metrics.load(str(path), ok=False)
        raise
    metrics.load(str(path), ok=True)
    began, status = time.monotonic(), "OK"
    try:
        model.warm_up()
    except BaseException:
        model.close()
        status = "INTERNAL"
        raise
    finally:
        metrics.warmup(str(path), status, time.monotonic() - began)
    return model


Configure = Callable[[Sequence[ModelConfig]], Awaitable[None]]


async def _load_models(
    models: Models, configs: Sequence[ModelConfig], configure: Configure, options: Options
) -> None:
    """Loads the models for the first time, and waits for a version if the options say so.

    A strict server waits as long as TensorFlow Serving does, and ends as it does.

    Args:
      models: the models.
      configs: the configuration of each.
      configure: loads the models of a configuration.
      options: how to serve.

    Raises:
      UserError: a model cannot be served.
    """
    is_waiting = False
    while True:
        try:
            return await configure(configs)
        except RequestError as error:
            if options.strict and not _may_still_load(models, configs, error):
                log.error("Failed to start server. Error: %s: %s", error.code.name, error.message)
                _exit(255)
            if not options.wait and not options.strict:
                raise UserError(error.message) from None
            if not is_waiting:
                log.info("waiting: %s", error.message)
            is_waiting = True
        await asyncio.sleep(1)


def _may_still_load(models: Models, configs: Sequence[ModelConfig], error: RequestError) -> bool:
    """Whether TensorFlow Serving would still wait: for a first version, or for its next try."""
    if error.code is Code.FAILED_PRECONDITION:  # labels
        return False
    statuses = []
    for model in configs:
        with contextlib.suppress(RequestError):
            statuses += models.statuses(model.name)
    return all(status.state is not State.END for status in statuses)


async def _follow_config(
    configs: Sequence[ModelConfig], configure: Configure, options: Options
) -> None:
    """Follows the changes of a `models.config`. A refused configuration is logged and tried again."""
    file, served, logged = options.model_config_file, list(configs), ""
    while file:
        await asyncio.sleep(options.poll_seconds)
        try:
            wanted = config.read_models(file)
            if wanted != served:
                await configure(wanted)
                served, logged = wanted, ""
                log.info("%s: configuration applied", file)
        except (UserError, RequestError) as error:
            if str(error) != logged:
                log.warning("%s: configuration refused: %s", file, error)
            logged = str(error)


def bind(host: str, port: int) -> socket.socket:
    """A socket bound to an address. Raises UserError if that is not possible."""
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, address = addresses[0]
        bound = socket.socket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        return bound
    except OSError as error:
        raise UserError(
            f"cannot listen on {host}:{port} ({error.strerror}); choose another --rest-port or --host"
        ) from None


def _bind_grpc(server: grpc.aio.Server, options: Options) -> int:
    """Binds the server and returns its port. Raises UserError if that is not possible."""
    address = f"{options.url_host}:{options.grpc_port}"
    try:
        if options.ssl_config_file:
            credentials = config.read_credentials(options.ssl_config_file)
            return server.add_secure_port(address, credentials)
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
