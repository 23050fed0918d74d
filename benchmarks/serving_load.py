"""Throughput and latency of a server against calling the model in process, in one run.

    python benchmarks/serving_load.py MODEL_BASE_PATH [--clients 1,8,64] [--seconds 10] [--rounds 3]
                                      [--texts FILE] [--json FILE]

Each client sends one text at a time, a paragraph unless --texts names a file, and waits for the
answer. Clients run in processes of their own, on the same cores as the server. In process, the
model is called with batches of as many texts as there are clients, one call after the other.

The machine's pace changes, so the model is measured before and after each transport's turn, and
`of the model` is the server's throughput divided by the model's around it, the median of the
rounds. With one client, the model and the transports take turns text by text: `added` is the median
of what a request takes longer than the model's call for the same text right before it. With more
clients it is the difference of the medians.
"""

import asyncio
import collections
import contextlib
import functools
import json
import multiprocessing
import os
import re
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from itertools import chain, count, cycle, islice
from pathlib import Path

import psutil

sys.path[0] = str(Path(__file__).resolve().parent.parent)
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks import common  # noqa: E402
from components import tf_runtime  # noqa: E402
from serving.client import tf_serving_subset_pb2 as messages  # noqa: E402

_SENTENCES = (
    "Anna Example moved from Berlin to Example Works Ltd. on 3 May 2024 for 4.5 million euros.",
    "Nobody was at the station when the last train to Basel left at 11 pm.",
    "Just watched the new film with Tom and the others, what a night!",
    "Example Works Ltd. will open an office in Lisbon next year, the Evening Paper wrote on Monday.",
    "The river rose again, and the old bridge at Riverton had to be closed for the third time.",
)
# About 80 words each, as a message or a paragraph of news has.
_TEXTS = tuple(" ".join(islice(cycle(_SENTENCES), start, start + 6)) for start in range(5))
_PROCESSES = 2  # of clients
_WARM_UP_REQUESTS = 20  # of one client
_WARM_UP_SECONDS = 1.5  # of several clients

Ask = Callable[[str], Awaitable[None]]
Connect = Callable[[int, int], contextlib.AbstractAsyncContextManager[Ask]]


def main() -> None:
    """Reads the command line, measures and prints."""
    parser = common.make_parser(__doc__)
    parser.add_argument("base_path")
    parser.add_argument("--clients", default="1,8,64")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--texts", help="a file of texts, one a line")
    parser.add_argument("--transports", default="grpc,rest")
    parser.add_argument(
        "--tensorflow-model-server",
        metavar="PATH",
        dest="program",
        help="measure TensorFlow Serving, as tfx-ner serve starts it, in place of the development"
        " server",
    )
    options = parser.parse_args()
    file, seconds = options.texts, options.seconds
    texts = Path(file).read_text(encoding="utf-8").splitlines() if file else list(_TEXTS)
    stolen, rows = psutil.cpu_times().steal, []
    with (
        _start_server(options.base_path, options.program) as ports,
        ProcessPoolExecutor(_PROCESSES, multiprocessing.get_context("spawn")) as pool,
    ):
        model = InProcessModel(options.base_path)
        ports = {name: ports[name] for name in options.transports.split(",")}
        cores = common.this_machine().cores
        print(f"{cores} cores; texts per second, and milliseconds of a request\n")
        print(
            f"{'':>16} {'clients':>7} {'texts/s':>9} {'p50':>8} {'p99':>8} {'added':>8}"
            f" {'of the model':>13}"
        )
        for clients in map(int, options.clients.split(",")):
            if clients == 1:
                measured = measure_one_client(model, ports, texts, seconds)
            else:
                measured = measure_clients(
                    pool, model, ports, clients, texts, seconds / options.rounds, options.rounds
                )
            for row in measured:
                rows.append(row)
                _print_row(row)
    stolen = psutil.cpu_times().steal - stolen
    print(f"\n{stolen:.1f} s of the cores' time went to others than this machine")
    common.write_json(options.json, {"rows": rows})


def _print_row(row: Mapping) -> None:
    compared = f"{row['added_ms']:>8.2f} {row['of_the_model']:>12.0%}" if "added_ms" in row else ""
    print(
        f"{row['how']:>16} {row['clients']:>7} {row['texts_per_second']:>9,.0f} {row['p50_ms']:>8.2f}"
        f" {row['p99_ms']:>8.2f} {compared}",
        flush=True,
    )


@contextlib.contextmanager
def _start_server(base_path: str, program: str | None) -> Iterator[dict[str, int]]:
    """Starts a server of the model and waits until it answers.

    Args:
        base_path: folder of the model's versions.
        program: path of TensorFlow Serving, None for the development server.

    Yields:
        The server's ports by transport.
    """
    ports = {"rest": _free_port(), "grpc": _free_port()}
    command = [sys.executable, "-m", "pipeline.cli", "serve"]
    command += ["--tensorflow-model-server", program] if program else ["--own-server"]
    command += ["--model-base-path", str(Path(base_path).absolute())]
    command += [f"--{name}-port={port}" for name, port in ports.items()]
    with tempfile.TemporaryFile("w+") as log:
        server = subprocess.Popen(command, cwd=common.ROOT, stdout=log, stderr=log)
        try:
            while not all(map(_is_open, ports.values())):
                if server.poll() is not None:
                    log.seek(0)
                    sys.exit(log.read())
                time.sleep(0.1)
            yield ports
        finally:
            server.terminate()
            server.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def _is_open(port: int) -> bool:
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    return False


# --- Measuring ---


class InProcessModel:
    """The newest version of a model, called in this process."""

    def __init__(self, base_path: str):
        tf_runtime.limit_threads()  # as the server does
        import tensorflow as tf

        from components.export.published_model import find_version

        self._constant = tf.constant
        self._model = tf.saved_model.load(str(find_version(base_path)))

    def call(self, texts: Sequence[str]) -> float:
        """Calls the model; returns the seconds that it took."""
        encoded = [text.encode() for text in texts]
        began = time.perf_counter()
        for value in self._model.signatures["serving_default"](
            text=self._constant(encoded)
        ).values():
            value.numpy()
        return time.perf_counter() - began

    def call_often(self, texts: Sequence[str], batch: int, seconds: float) -> list[float]:
        """Calls the model with batches for some time; returns the seconds of each call."""
        source, times = cycle(texts), []
        for _ in range(5):
            self.call(list(islice(source, batch)))
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            times.append(self.call(list(islice(source, batch))))
        return times


def measure_one_client(
    model: InProcessModel, ports: Mapping[str, int], texts: Sequence[str], seconds: float
) -> list[dict]:
    """The rows of one client, which asks the model and each transport in turn, text by text."""

    async def ask_all() -> dict[str, list[float]]:
        times: dict[str, list[float]] = {name: [] for name in ("in process", *ports)}
        async with contextlib.AsyncExitStack() as stack:
            connections = {
                name: await stack.enter_async_context(_TRANSPORTS[name](port, 1))
                for name, port in ports.items()
            }
            end = None
            for index, text in enumerate(cycle(texts)):
                if index == _WARM_UP_REQUESTS:
                    times = {name: [] for name in times}
                    end = time.perf_counter() + seconds * len(times)
                elif end and time.perf_counter() >= end:
                    break
                times["in process"].append(model.call([text]))
                for name, ask in connections.items():
                    began = time.perf_counter()
                    await ask(text)
                    times[name].append(time.perf_counter() - began)
        return times

    times = asyncio.run(ask_all())
    base, rows = times["in process"], []
    for name, own in times.items():
        row = {"how": name, "clients": 1, **_figures(own, 1, sum(own))}
        if name != "in process":
            added = statistics.median(request - call for request, call in zip(own, base))
            row["added_ms"] = round(added * 1e3, 2)
            row["of_the_model"] = round(sum(base) / sum(own), 3)
        rows.append(row)
    return rows


def measure_clients(
    pool: Executor,
    model: InProcessModel,
    ports: Mapping[str, int],
    clients: int,
    texts: Sequence[str],
    seconds: float,
    rounds: int,
) -> list[dict]:
    """The rows of several clients: each round measures each transport between two of the model.

    Args:
        pool: the processes of the clients.
        model: the model in process.
        ports: the server's ports by transport.
        clients: how many clients ask at the same time.
        texts: the texts that they send.
        seconds: of a transport's turn.
        rounds: the number of rounds.
    """
    model_times = [model.call_often(texts, clients, seconds / 2)]
    times: dict[str, list[float]] = {name: [] for name in ports}
    shares: dict[str, list[float]] = {name: [] for name in ports}
    for _ in range(rounds):
        for name, port in ports.items():
            processes = min(_PROCESSES, clients)
            running = [
                pool.submit(_run_clients, name, port, clients // processes, texts, seconds)
                for _ in range(processes)
            ]
            taken = list(chain.from_iterable(future.result() for future in running))
            model_times.append(model.call_often(texts, clients, seconds / 2))
            around = model_times[-2] + model_times[-1]
            times[name] += taken
            shares[name].append(len(taken) / seconds / (len(around) * clients / sum(around)))
    calls = list(chain.from_iterable(model_times))
    base = _figures(calls, clients, sum(calls))
    rows = [{"how": "in process", "clients": clients, **base}]
    for name, own in times.items():
        row = {"how": name, "clients": clients, **_figures(own, 1, seconds * rounds)}
        row["added_ms"] = round(row["p50_ms"] - base["p50_ms"], 2)
        row["of_the_model"] = round(statistics.median(shares[name]), 3)
        rows.append(row)
    return rows


def _figures(times: Sequence[float], texts: int, seconds: float) -> dict:
    """The figures of calls with a number of texts each, which took some seconds together."""
    cuts = statistics.quantiles(times, n=100, method="inclusive") if len(times) > 1 else times * 99
    return {
        "texts_per_second": round(len(times) * texts / seconds, 1),
        "p50_ms": round(cuts[49] * 1e3, 2),
        "p99_ms": round(cuts[98] * 1e3, 2),
    }


def _run_clients(
    transport: str, port: int, clients: int, texts: Sequence[str], seconds: float
) -> list[float]:
    """Runs clients in this process; returns the seconds of each request after warming up."""

    async def run() -> list[float]:
        times: list[float] = []
        warm = time.perf_counter() + _WARM_UP_SECONDS
        end = warm + seconds

        async def client(ask: Ask, start: int) -> None:
            for text in islice(cycle(texts), start, None):
                began = time.perf_counter()
                if began >= end:
                    return
                await ask(text)
                now = time.perf_counter()
                if warm <= now < end:
                    times.append(now - began)

        async with _TRANSPORTS[transport](port, clients) as ask:
            await asyncio.gather(*(client(ask, index) for index in range(clients)))
        return times

    return asyncio.run(run())


# --- Clients, which do as little as possible: they run on the server's cores ---


@contextlib.asynccontextmanager
async def _rest(port: int, clients: int) -> AsyncIterator[Ask]:
    """A function that sends a text by REST, for as many callers at once as there are clients."""
    pool = [await asyncio.open_connection("127.0.0.1", port) for _ in range(clients)]

    async def ask(text: str) -> None:
        reader, writer = connection = pool.pop()
        body = json.dumps({"instances": [text]}).encode()
        writer.write(
            b"POST /v1/models/ner:predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
            % len(body)
            + body
        )
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(head)
        await reader.readexactly(int(re.search(rb"(?i)content-length: *(\d+)", head)[1]))
        pool.append(connection)

    yield ask


@contextlib.asynccontextmanager
async def _grpc(port: int, clients: int) -> AsyncIterator[Ask]:
    """A function that sends a text by gRPC, for several callers at once on one connection.

    It speaks only as much of HTTP/2 (RFC 9113) and gRPC as that takes: a call of grpcio costs
    several times as much.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    # No table of headers (HPACK, RFC 7541), and windows that never fill up.
    writer.write(
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        + _frame(_SETTINGS, 0, 0, struct.pack(">HIHI", 1, 0, 4, 2**20))
        + _frame(_WINDOW, 0, 0, struct.pack(">I", 2**30))
    )
    streams, bodies = count(1, 2), collections.defaultdict(bytes)
    answers: dict[int, asyncio.Future[bytes]] = {}

    async def read() -> None:
        while True:
            head = await reader.readexactly(9)
            kind, flags, stream = struct.unpack(">BBI", head[3:])
            body = await reader.readexactly(int.from_bytes(head[:3], "big"))
            if kind in (_SETTINGS, _PING) and not flags & _ACK:
                writer.write(_frame(kind, _ACK, 0, body if kind == _PING else b""))
            elif kind == _DATA:
                bodies[stream] += body
            elif kind == _HEADERS and flags & _END:
                answers.pop(stream).set_result(bodies.pop(stream, b""))
            elif kind in (_RESET, _GOAWAY):
                raise RuntimeError(f"HTTP/2 frame of type {kind}: {body!r}")

    def fail_all(reading: asyncio.Future) -> None:
        for answer in [] if reading.cancelled() else answers.values():
            answer.set_exception(reading.exception())

    reading = asyncio.ensure_future(read())
    reading.add_done_callback(fail_all)

    async def ask(text: str) -> None:
        if reading.done():
            reading.result()
        message = _predict_request(text)
        if len(message) > _INITIAL_WINDOW // clients:
            raise RuntimeError(
                f"a text of {len(text)} characters is too long for {clients} callers at once"
            )
        answer = answers[stream := next(streams)] = asyncio.get_running_loop().create_future()
        data = struct.pack(">BI", 0, len(message)) + message
        writer.write(
            _frame(_HEADERS, _END_HEADERS, stream, _HEAD) + _frame(_DATA, _END, stream, data)
        )
        if len(await answer) < 50:
            raise RuntimeError("no answer")

    try:
        yield ask
    finally:
        reading.cancel()
        writer.close()


@functools.cache
def _predict_request(text: str) -> bytes:
    request = messages.PredictRequest()
    request.model_spec.name = "ner"
    tensor = request.inputs["text"]
    tensor.dtype = 7  # DT_STRING
    tensor.tensor_shape.dim.add(size=1)
    tensor.string_val.append(text.encode())
    return request.SerializeToString()


def _frame(kind: int, flags: int, stream: int, body: bytes) -> bytes:
    return len(body).to_bytes(3, "big") + struct.pack(">BBI", kind, flags, stream) + body


def _literal_header(name: bytes, value: bytes) -> bytes:
    return b"\x10" + bytes([len(name)]) + name + bytes([len(value)]) + value


_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _GOAWAY, _WINDOW = 0, 1, 3, 4, 6, 7, 8  # frame types
_END, _ACK, _END_HEADERS = 1, 1, 4  # flags of frames
_INITIAL_WINDOW = 2**16 - 1  # bytes that a server takes before it has granted more
_HEAD = b"\x83\x86" + b"".join(  # POST, http
    (
        _literal_header(b":path", b"/tensorflow.serving.PredictionService/Predict"),
        _literal_header(b":authority", b"localhost"),
        _literal_header(b"te", b"trailers"),
        _literal_header(b"content-type", b"application/grpc"),
    )
)
_TRANSPORTS: dict[str, Connect] = {"grpc": _grpc, "rest": _rest}

if __name__ == "__main__":
    main()
