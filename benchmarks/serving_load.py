"""Throughput and latency of tfx-ner's own server against calling the model in process, in one run.

    python benchmarks/serving_load.py MODEL_BASE_PATH [--clients 1,8,64] [--seconds 10] [--texts FILE] [--json FILE]

Each client asks with one text at a time, a paragraph unless --texts names a file, and waits for the answer. Clients run in
processes of their own, on the same cores as the server.
In process, the model is called with batches of as many texts as there are clients, one call after the other;
every round measures it anew right before and after the server, for the machine's pace changes. One client is asked about
in turn with the model, text by text, which leaves the pace out: `added` is what a request takes longer at the median than the
model's call for the same text right before it, and from 8 clients on the server's median over the model's. `of the model` is the
server's throughput as a part of the model's.
"""

import argparse
import asyncio
import contextlib
import functools
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from components import threads  # noqa: E402 - found by the path above

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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base_path")
    parser.add_argument("--clients", default="1,8,64")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--texts", help="a file of texts, one a line")
    parser.add_argument("--transports", default="grpc,rest")
    parser.add_argument("--json")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    texts = Path(options.texts).read_text(encoding="utf-8").splitlines() if options.texts else list(_TEXTS)
    if options.child:
        transport, port, clients = options.child.split(",")
        taken = asyncio.run(_asking(transport, int(port), int(clients), texts, options.seconds))
        json.dump(taken, sys.stdout)
        return

    from serving.model import find

    model = find(options.base_path)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        server, ports = _server(options.base_path, Path(folder))
        try:
            print(f"{os.cpu_count()} cores; texts per second, and milliseconds of a request\n")
            print(f"{'':>16} {'clients':>7} {'texts/s':>9} {'p50':>8} {'p99':>8} {'added':>8} {'of the model':>13}")
            for clients in map(int, options.clients.split(",")):
                if clients == 1:
                    for row in _alone(
                        model, {name: ports[name] for name in options.transports.split(",")}, texts, options.seconds
                    ):
                        rows.append(row)
                        _show(row)
                    continue
                before = _in_process(model, clients, texts, options.seconds / 2)
                asked = {
                    transport: _asked(options, transport, ports[transport], clients)
                    for transport in options.transports.split(",")
                }
                after = _in_process(model, clients, texts, options.seconds / 2)
                base = _figures([*before, *after], clients, sum([*before, *after]))
                rows.append({"how": "in process", "clients": clients, **base})
                _show(rows[-1])
                for transport, taken in asked.items():
                    figures = _figures(taken, 1, options.seconds)
                    figures["added_ms"] = round(figures["p50_ms"] - base["p50_ms"], 2)
                    figures["of_the_model"] = round(figures["texts_per_second"] / base["texts_per_second"], 3)
                    rows.append({"how": transport, "clients": clients, **figures})
                    _show(rows[-1])
        finally:
            server.terminate()
            server.wait()
    if options.json:
        Path(options.json).write_text(json.dumps({"cores": os.cpu_count(), "rows": rows}, indent=1) + "\n")


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


def _server(base_path: str, folder: Path):
    log = folder / "server.log"
    server = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "pipeline.cli",
            "serve",
            "--own-server",
            "--model-base-path",
            str(Path(base_path).absolute()),
        ]
        + ["--rest-port", "0", "--grpc-port", "0"],
        cwd=ROOT,
        stderr=log.open("w"),
    )
    while "gRPC on" not in (said := log.read_text()):
        if server.poll() is not None:
            sys.exit(said)
        time.sleep(0.1)
    found = [int(port) for port in re.findall(r" on \S*:(\d+)$", said, re.MULTILINE)]
    return server, dict(zip(("rest", "grpc"), found))


@functools.lru_cache(maxsize=1)
def _model_call(model: Path):
    """What calls the model with texts and gives the seconds that it took."""
    threads.limit()  # as the server's does
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
            asking = {name: await stack.enter_async_context(_ALONE[name](port)) for name, port in ports.items()}
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
            row.update(added_ms=round(longer * 1e3, 2), of_the_model=round(sum(base) / sum(seconds_of_each), 3))
        rows.append(row)
    return rows


def _asked(options: argparse.Namespace, transport: str, port: int, clients: int) -> list[float]:
    """Seconds of each request that so many clients send."""
    processes = min(_PROCESSES, clients)
    running = [
        subprocess.Popen(
            [sys.executable, __file__, options.base_path, "--seconds", str(options.seconds)]
            + (["--texts", options.texts] if options.texts else [])
            + ["--child", f"{transport},{port},{clients // processes}"],
            stdout=subprocess.PIPE,
        )
        for _ in range(processes)
    ]
    return [second for one in running for second in json.loads(one.communicate()[0])]


async def _asking(transport: str, port: int, clients: int, texts: list[str], seconds: float) -> list[float]:
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
    """What sends a text by gRPC and waits for the answer."""
    import grpc

    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary(_PREDICT)

        async def ask(text: str) -> None:
            if len(await call(_predict_request(text))) < 50:
                raise RuntimeError("no answer")

        yield ask


_PREDICT = "/tensorflow.serving.PredictionService/Predict"


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
            b"POST /v1/models/ner:predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        )
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(head)
        await reader.readexactly(int(re.search(rb"content-length: (\d+)", head)[1]))
        pool.append(connection)

    yield ask


@contextlib.asynccontextmanager
async def _blocking_grpc(port: int):
    """As `_grpc`, for a caller who has nothing else to do meanwhile."""
    import grpc

    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary(_PREDICT)

        async def ask(text: str) -> None:
            if len(call(_predict_request(text))) < 50:
                raise RuntimeError("no answer")

        yield ask


_CLIENTS = {"grpc": _grpc, "rest": _rest}
_ALONE = {"grpc": _blocking_grpc, "rest": _rest}

if __name__ == "__main__":
    main()
