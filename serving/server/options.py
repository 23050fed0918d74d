"""The options of `tfx-ner serve`, and the flags of TensorFlow Serving that `--strict` takes."""

import os
import shlex
from dataclasses import dataclass, field, fields
from pathlib import Path

from components.errors import UserError

_POLLERS = 2  # threads of grpc_max_threads that wait for requests and answer none
_PARSERS = {int: int, bool: {"true": True, "false": False}.__getitem__}


def _four_a_core() -> int:
    return 4 * len(os.sched_getaffinity(0))


@dataclass(frozen=True)
class Strict:
    """Flags of tensorflow_model_server 2.16.1, with its defaults.

    The development server is more forgiving than TensorFlow Serving: it queues all requests, and a
    version that does not load or a label on a missing version disturbs nothing. With `tfx-ner serve
    --strict FLAGS` it behaves as TensorFlow Serving was measured to with these flags, for tests of
    clients and runbooks.
    """

    # gRPC requests beyond it are refused as RESOURCE_EXHAUSTED.
    grpc_max_threads: int = field(default_factory=_four_a_core)
    rest_api_num_threads: int = field(default_factory=_four_a_core)  # REST requests beyond it wait
    # With 0, a version that does not load blocks all other changes while it is tried.
    num_load_threads: int = 0
    # How often a version that does not load is tried again; LOADING meanwhile.
    max_num_load_retries: int = 5
    load_retry_interval_micros: int = 60_000_000  # pause between two tries
    # New labels may name versions that are not loaded.
    allow_version_labels_for_unavailable_models: bool = False

    @property
    def grpc_requests(self) -> int:
        """The number of gRPC requests that are answered at the same time."""
        return max(1, self.grpc_max_threads - _POLLERS)


def parse_strict(flags: str) -> Strict:
    """Reads the flags of a command line of TensorFlow Serving; flags that change nothing here are ignored.

    >>> parse_strict("--port=8500 --grpc_max_threads=512 --num_load_threads=2").grpc_requests
    510
    """
    types = {one.name: one.type for one in fields(Strict)}
    values = {}
    for flag in shlex.split(flags):
        name, equals, value = flag.removeprefix("--").partition("=")
        if not flag.startswith("--") or not equals:
            raise UserError(f"--strict: found {flag}; expected flags as --grpc_max_threads=512")
        if name in types:
            try:
                values[name] = _PARSERS[types[name]](value)
            except (KeyError, ValueError):
                expected = types[name].__name__
                raise UserError(f"--strict: found {flag}; expected {expected}") from None
    return Strict(**values)


@dataclass(frozen=True)
class Options:
    """How to serve."""

    model_name: str = "ner"  # name of the model in requests
    model_base_path: Path | None = None  # folder of the model's versions
    model_config_file: Path | None = None  # the models to serve, in place of the two above
    # The address to listen on; TensorFlow Serving listens on every address.
    host: str = "127.0.0.1"
    rest_port: int = 8501  # port of REST; 0 for any free one
    grpc_port: int = 8500  # port of gRPC; 0 for any free one
    seconds: float = 30.0  # time limit of a request
    batch_rows: int = 64  # the most texts of a batch
    poll_seconds: float = 1.0  # interval between two looks for new versions
    ssl_config_file: Path | None = None  # TLS for gRPC
    cors: bool = False  # whether pages of other addresses may ask
    # The development server alone has these.
    most_bytes: int = 16 * 2**20  # the largest request
    retry_seconds: float = 60.0  # pause before a version that does not load is tried again
    wait: bool = False  # whether to wait for the first version
    strict: Strict | None = None  # which behaviour of TensorFlow Serving to show

    @property
    def url_host(self) -> str:
        """The host as URLs and gRPC write it."""
        return f"[{self.host}]" if ":" in self.host else self.host
