"""Throughput and latency of a server against calling the model in process, in one run.

    python benchmarks/serving_load.py MODEL_BASE_PATH [--clients 1,8,64] [--seconds 10] [--rounds 3] [--texts FILE] [--json FILE]

Each client asks with one text at a time, a paragraph unless --texts names a file, and waits for the answer. Clients run in
processes of their own, on the same cores as the server.
In process, the model is called with batches of as many texts as there are clients, one call after the other.
The machine's pace changes, so the model is looked at anew before and after each transport's turn, and `of the model` is the
server's throughput as a part of the model's around it, the median of the rounds. One client is asked about
in turn with the model, text by text: `added` is what a request takes longer at the median than the
model's call for the same text right before it, and from 8 clients on the server's median over the model's.
"""

import argparse
import asyncio
import collections
import contextlib
import functools
import json
import os
import re
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from itertools import chain, count, cycle, islice
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from components import tf_runtime  # noqa: E402 - found by the path above

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# About 80 words each, as a message or a paragraph of news has.
_TEXTS = tuple(
    " ".join(islice(cycle(sentences), first, first + 6))
    for first, sentences in enumerate(
        [
            (
                "Anna Example moved from Berlin to Example Works Ltd. on 3 May 2024 for 4.5 million euros.",
                "Nobody was at the station when the last train to Basel left at 11 pm.",
                "Just watched the new film with Tom and the others, what a night!",
                "Example Works Ltd. will open an office in Lisbon next year, the Evening Paper wrote on Monday.",
                "The river rose again, and the old bridge at Riverton had to be closed for the third time.",
            )
        ]
        * 5
    )
)
_PROCESSES = 2  # of clients
_WARM = 20  # requests that do not count


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("base_path")
    parser.add_argument("--clients", default="1,8,64")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--texts", help="a file of texts, one a line")
    parser.add_argument("--transports", default="grpc,rest")
    parser.add_argument("--json")
    parser.add_argument(
        "--tensorflow-model-server",
        metavar="PATH",
        dest="program",
        help="measure TensorFlow Serving, as tfx-ner serve starts it, in place of the development server",
    )
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    texts = (
        Path(options.texts).read_text(encoding="utf-8").splitlines()
        if options.texts
        else list(_TEXTS)
    )
    if options.child:
        transport, port, clients = options.child.split(",")
        taken = asyncio.run(_asking(transport, int(port), int(clients), texts, options.seconds))
        json.dump(taken, sys.stdout)
        return

    from components.export.published_model import find_version

    model, transports = find_version(options.base_path), options.transports.split(",")
    stolen, rows = _stolen(), []
    with tempfile.TemporaryDirectory() as folder:
        server, ports = _server(options.base_path, options.program, Path(folder))
        try:
            print(f"{os.cpu_count()} cores; texts per second, and milliseconds of a request\n")
            print(
                f"{'':>16} {'clients':>7} {'texts/s':>9} {'p50':>8} {'p99':>8} {'added':>8} {'of the model':>13}"
            )
            for clients in map(int, options.clients.split(",")):
                if clients == 1:
                    for row in _alone(
                        model, {name: ports[name] for name in transports}, texts, options.seconds
                    ):
                        rows.append(row)
                        _show(row)
                    continue
                for row in _together(
                    options, model, {name: ports[name] for name in transports}, clients, texts
                ):
                    rows.append(row)
                    _show(row)
        finally:
            server.terminate()
            server.wait()
    if stolen is not None:
        print(f"\n{_stolen() - stolen:.1f} s of the cores' time went to others than this machine")
    if options.json:
        Path(options.json).write_text(
            json.dumps({"cores": os.cpu_count(), "rows": rows}, indent=1) + "\n"
        )


def _figures(taken: list[float], texts: int, seconds: float) -> dict:
    cuts = statistics.quantiles(taken, n=100, method="inclusive") if len(taken) > 1 else taken * 99
    return {
        "texts_per_second": round(len(taken) * texts / seconds, 1),
        "p50_ms": round(cuts[49] * 1e3, 2),
        "p99_ms": round(cuts[98] * 1e3, 2),
    }


def _show(row: dict) -> None:
    versus = f"{row['added_ms']:>8.2f} {row['of_the_model']:>12.0%}" if "added_ms" in row else ""
    print(
        f"{row['how']:>16} {row['clients']:>7} {row['texts_per_second']:>9,.0f} {row['p50_ms']:>8.2f}"
        f" {row['p99_ms']:>8.2f} {versus}",
        flush=True,
    )


def _server(
    base_path: str, program: str | None, folder: Path
) -> tuple[subprocess.Popen, dict[str, int]]:
    """Starts a server of the model and waits until it answers.

    Args:
      base_path: folder of the model's versions.
      program: path of TensorFlow Serving, None for the development server.
      folder: where the server's log is written.

    Returns:
      The server's process, and its ports by transport.
    """
    ports = {"rest": _free_port(), "grpc": _free_port()}
    command = [sys.executable, "-m", "pipeline.cli", "serve"]
    command += ["--tensorflow-model-server", program] if program else ["--own-server"]
    command += ["--model-base-path", str(Path(base_path).absolute())]
    command += [f"--{name}-port={port}" for name, port in ports.items()]
    log = folder / "server.log"
    with log.open("w") as errors:
        server = subprocess.Popen(command, cwd=ROOT, stdout=errors, stderr=errors)
    while not all(map(_is_open, ports.values())):
        if server.poll() is not None:
            sys.exit(log.read_text(encoding="utf-8"))
        time.sleep(0.1)
    return server, ports


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def _is_open(port: int) -> bool:
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    return False


@functools.lru_cache(maxsize=1)
def _model_call(model: Path):
    """What calls the model with texts and gives the seconds that it took."""
    tf_runtime.limit_threads()  # as the server's does
    import tensorflow as tf

    loaded = tf.saved_model.load(str(model))
    call = loaded.signatures["serving_default"]

    def ask(texts: list[str]) -> float:
        encoded = [text.encode() for text in texts]
        started = time.perf_counter()
        for value in call(text=tf.constant(encoded)).values():
            value.numpy()
        return time.perf_counter() - started

    ask.model = loaded  # its variables live as long as it does
    return ask


def _in_process(model: Path, batch: int, texts: list[str], seconds: float) -> list[float]:
    """Seconds of each call of the model with a batch of texts, for so long."""
    call, source = _model_call(model), cycle(texts)
    for _ in range(5):
        call(list(islice(source, batch)))
    taken, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        taken.append(call(list(islice(source, batch))))
    return taken


def _alone(model: Path, ports: dict[str, int], texts: list[str], seconds: float) -> list[dict]:
    """The rows of a single caller, who asks the model and each transport in turn, text by text."""

    async def ask_all() -> dict[str, list[float]]:
        taken: dict[str, list[float]] = {name: [] for name in ("in process", *ports)}
        async with contextlib.AsyncExitStack() as stack:
            asking = {
                name: await stack.enter_async_context(_CLIENTS[name](port))
                for name, port in ports.items()
            }
            call = _model_call(model)
            end = None
            for number, text in enumerate(cycle(texts)):
                if number == _WARM:
                    taken = {name: [] for name in taken}
                    end = time.perf_counter() + seconds * len(taken)
                elif end and time.perf_counter() >= end:
                    return taken
                taken["in process"].append(call([text]))
                for name, ask in asking.items():
                    started = time.perf_counter()
                    await ask(text)
                    taken[name].append(time.perf_counter() - started)

    taken = asyncio.run(ask_all())
    base, rows = taken["in process"], []
    for name, seconds_of_each in taken.items():
        row = {"how": name, "clients": 1, **_figures(seconds_of_each, 1, sum(seconds_of_each))}
        if name != "in process":
            longer = statistics.median(one - model for one, model in zip(seconds_of_each, base))
            row.update(
                added_ms=round(longer * 1e3, 2),
                of_the_model=round(sum(base) / sum(seconds_of_each), 3),
            )
        rows.append(row)
    return rows


def _together(
    options, model: Path, ports: dict[str, int], clients: int, texts: list[str]
) -> list[dict]:
    """The rows of several callers at once: in each round every transport is asked between two looks at the model."""
    seconds = options.seconds / options.rounds
    looks = [_in_process(model, clients, texts, seconds / 2)]
    asked: dict[str, list[float]] = {name: [] for name in ports}
    parts: dict[str, list[float]] = {name: [] for name in ports}
    for _ in range(options.rounds):
        for name, port in ports.items():
            taken = _asked(options, name, port, clients, seconds)
            looks.append(_in_process(model, clients, texts, seconds / 2))
            around = looks[-2] + looks[-1]
            asked[name] += taken
            parts[name].append(len(taken) / seconds / (len(around) * clients / sum(around)))
    taken = list(chain.from_iterable(looks))
    base = _figures(taken, clients, sum(taken))
    rows = [{"how": "in process", "clients": clients, **base}]
    for name, taken in asked.items():
        figures = _figures(taken, 1, options.seconds)
        added = round(figures["p50_ms"] - base["p50_ms"], 2)
        of_the_model = round(statistics.median(parts[name]), 3)
        rows.append(
            {
                "how": name,
                "clients": clients,
                **figures,
                "added_ms": added,
                "of_the_model": of_the_model,
            }
        )
    return rows


def _stolen() -> float | None:
    """Seconds of the cores' time that a virtual machine's host gave to others since it started, where the system tells."""
    with contextlib.suppress(OSError):
        return int(Path("/proc/stat").read_text().split()[8]) / os.sysconf("SC_CLK_TCK")
    return None


def _asked(
    options: argparse.Namespace, transport: str, port: int, clients: int, seconds: float
) -> list[float]:
    """Seconds of each request that so many clients send."""
    processes = min(_PROCESSES, clients)
    running = [
        subprocess.Popen(
            [sys.executable, __file__, options.base_path, "--seconds", str(seconds)]
            + (["--texts", options.texts] if options.texts else [])
            + ["--child", f"{transport},{port},{clients // processes}"],
            stdout=subprocess.PIPE,
        )
        for _ in range(processes)
    ]
    return [second for one in running for second in json.loads(one.communicate()[0])]


async def _asking(
    transport: str, port: int, clients: int, texts: list[str], seconds: float
) -> list[float]:
    """Runs clients side by side; what they take counts once all are warm."""
    async with _CLIENTS[transport](port, clients) as ask:
        return await _side_by_side(ask, clients, texts, seconds)


async def _side_by_side(ask, clients: int, texts: list[str], seconds: float) -> list[float]:
    taken: list[float] = []
    warm = time.perf_counter() + 1.5
    end = warm + seconds

    async def client(number: int) -> None:
        for text in islice(cycle(texts), number, None):
            started = time.perf_counter()
            if started >= end:
                return
            await ask(text)
            now = time.perf_counter()
            if warm <= now < end:
                taken.append(now - started)

    await asyncio.gather(*map(client, range(clients)))
    return taken


@contextlib.asynccontextmanager
async def _grpc(port: int, clients: int = 1):
    """What sends a text by gRPC and waits for the answer; `clients` may at once, on one connection.

    No more of HTTP/2 (RFC 9113) and gRPC than that takes: grpcio needs several times as long for a call.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    # No table of headers (HPACK, RFC 7541), and windows that never fill up.
    writer.write(
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        + _frame(_SETTINGS, 0, 0, struct.pack(">HIHI", 1, 0, 4, 2**20))
    )
    writer.write(_frame(_WINDOW, 0, 0, struct.pack(">I", 2**30)))
    streams, data, answers = count(1, 2), collections.defaultdict(bytes), {}

    async def read() -> None:
        while True:
            head = await reader.readexactly(9)
            kind, flags, stream = struct.unpack(">BBI", head[3:])
            body = await reader.readexactly(int.from_bytes(head[:3], "big"))
            if kind in (_SETTINGS, _PING) and not flags & _ACK:
                writer.write(_frame(kind, _ACK, 0, body if kind == _PING else b""))
            elif kind == _DATA:
                data[stream] += body
            elif kind == _HEADERS and flags & _END:
                answers.pop(stream).set_result(data.pop(stream, b""))
            elif kind in (_RESET, _GOAWAY):
                raise RuntimeError(f"HTTP/2 frame of type {kind}: {body!r}")

    def tell(reading: asyncio.Future) -> None:
        for answer in [] if reading.cancelled() else answers.values():
            answer.set_exception(reading.exception())

    reading = asyncio.ensure_future(read())
    reading.add_done_callback(tell)

    async def ask(text: str) -> None:
        if reading.done():
            reading.result()
        message = _predict_request(text)
        if (
            len(message) > _MOST_BYTES // clients
        ):  # what a server takes without having said that it would
            raise RuntimeError(
                f"a text of {len(text)} characters is too long for {clients} callers at once"
            )
        answer = answers[stream := next(streams)] = asyncio.get_running_loop().create_future()
        prefixed = struct.pack(">BI", 0, len(message)) + message
        writer.write(
            _frame(_HEADERS, _END_HEADERS, stream, _HEAD) + _frame(_DATA, _END, stream, prefixed)
        )
        if len(await answer) < 50:
            raise RuntimeError("no answer")

    try:
        yield ask
    finally:
        reading.cancel()
        writer.close()


def _frame(kind: int, flags: int, stream: int, body: bytes) -> bytes:
    return len(body).to_bytes(3, "big") + struct.pack(">BBI", kind, flags, stream) + body


def _literal(name: bytes, value: bytes) -> bytes:
    return b"\x10" + bytes([len(name)]) + name + bytes([len(value)]) + value


_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _GOAWAY, _WINDOW = 0, 1, 3, 4, 6, 7, 8  # frames' types
_END, _ACK, _END_HEADERS = 1, 1, 4  # frames' flags
_MOST_BYTES = 2**16 - 1
_HEAD = b"\x83\x86" + b"".join(  # POST, http
    _literal(name, value)
    for name, value in (
        (b":path", b"/tensorflow.serving.PredictionService/Predict"),
        (b":authority", b"localhost"),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
    )
)


def _predict_request(text: str) -> bytes:
    # Field numbers by hand: the clients' own work must be small, for they run on the server's cores.
    def field(number: int, value: bytes) -> bytes:
        return _varint(number << 3 | 2) + _varint(len(value)) + value

    tensor = b"\x08\x07" + field(2, field(2, b"\x08\x01")) + field(8, text.encode())
    return field(1, field(1, b"ner")) + field(2, field(1, b"text") + field(2, tensor))


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


@contextlib.asynccontextmanager
async def _rest(port: int, clients: int = 1):
    """What sends a text by REST and waits for the answer; `clients` may at once."""
    pool: list = [await asyncio.open_connection("127.0.0.1", port) for _ in range(clients)]

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


_CLIENTS = {"grpc": _grpc, "rest": _rest}

if __name__ == "__main__":
    main()
