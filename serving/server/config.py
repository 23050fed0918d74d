"""How to serve: the options of `tfx-ner serve`, and TensorFlow Serving's flags and configuration files."""

import os
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TypeVar

import grpc
from google.protobuf import descriptor_pb2, proto_builder, text_format
from google.protobuf.message import Message
from tensorflow_serving.config import model_server_config_pb2

from components.errors import UserError
from serving.server.status import RequestError, invalid_argument

_M = TypeVar("_M", bound=Message)
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
class Retries:
    """How a version that cannot be loaded is tried again."""

    times: int = 5  # the number of further tries
    seconds: float = 60.0  # the pause between two tries
    # Whether the version's state is END, with the error, between tries, rather than LOADING.
    shown: bool = True
    blocking: bool = False  # whether no other version changes between tries


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

    @property
    def retries(self) -> Retries:
        """How a version that cannot be loaded is tried again."""
        if self.strict is None:
            return Retries(seconds=self.retry_seconds)
        return Retries(
            self.strict.max_num_load_retries,
            self.strict.load_retry_interval_micros / 1e6,
            shown=False,
            blocking=self.strict.num_load_threads == 0,
        )


@dataclass(frozen=True)
class Policy:
    """Which versions are served: the `latest` ones, `every` version, or the `specific` ones."""

    latest: int = 1
    every: bool = False
    specific: tuple[int, ...] = ()

    def choose(self, versions: Iterable[int]) -> list[int]:
        """The versions to serve, the highest first.

        >>> Policy(latest=2).choose([1, 10, 9])
        [10, 9]
        """
        ordered = sorted(versions, reverse=True)
        if self.every:
            return ordered
        if self.specific:
            return [version for version in ordered if version in self.specific]
        return ordered[: self.latest]


@dataclass(frozen=True)
class ModelConfig:
    """A model to serve."""

    name: str  # the name in requests
    base_path: Path  # the folder of versions
    policy: Policy = field(default_factory=Policy)  # which versions are served
    # Version by label; a label may name an available version only.
    labels: Mapping[str, int] = field(default_factory=dict)


def read_models(path: str | Path) -> list[ModelConfig]:
    """The models in a `models.config`. Raises UserError."""
    config = _parse_file(
        path,
        model_server_config_pb2.ModelServerConfig(),
        "model_config_list { config { … } }",
    )
    try:
        return models_of(config)
    except RequestError as error:
        raise UserError(f"{path}: {error.message}") from None


def models_of(config: model_server_config_pb2.ModelServerConfig) -> list[ModelConfig]:
    """The models of a ModelServerConfig. Raises RequestError, INVALID_ARGUMENT, if one is invalid."""
    if config.WhichOneof("config") != "model_config_list":
        raise invalid_argument("expected a model_config_list")
    return [_model(model) for model in config.model_config_list.config]


def _model(config: model_server_config_pb2.ModelConfig) -> ModelConfig:
    if not config.name or set(config.name) & set("/:"):
        raise invalid_argument(f'model name "{config.name}": expected one without / and :')
    if not Path(config.base_path).is_absolute():
        raise invalid_argument(
            f"Expected model {config.name} to have an absolute path or URI; got"
            f" base_path()={config.base_path}"
        )
    if config.model_platform not in ("", "tensorflow"):
        raise invalid_argument(f"model_platform {config.model_platform}: expected tensorflow")
    policy = config.model_version_policy
    choice = policy.WhichOneof("policy_choice")
    if choice == "specific" and not policy.specific.versions:
        raise invalid_argument("model_version_policy: specific names no versions")
    return ModelConfig(
        config.name,
        Path(config.base_path),
        Policy(
            latest=max(1, policy.latest.num_versions),
            every=choice == "all",
            specific=tuple(policy.specific.versions),
        ),
        dict(config.version_labels),
    )


def read_credentials(path: str | Path) -> grpc.ServerCredentials:
    """The server's credentials, from the file that `--ssl_config_file` of TensorFlow Serving takes.

    Raises UserError if the file is not an SSLConfig with key and certificate.
    """
    field = descriptor_pb2.FieldDescriptorProto
    names = ("server_key", "server_cert", "custom_ca")
    # tensorflow-serving-api lacks this message.
    ssl_config = proto_builder.MakeSimpleProtoClass(
        {**dict.fromkeys(names, field.TYPE_STRING), "client_verify": field.TYPE_BOOL}
    )
    config = _parse_file(path, ssl_config(), "server_key, server_cert, custom_ca and client_verify")
    for name in ("server_key", "server_cert"):
        if "-----BEGIN" not in getattr(config, name):
            raise UserError(
                f"{path}: {name} holds no PEM; expected the text of the file, not its name"
            )
    if config.client_verify and not config.custom_ca:
        raise UserError(
            f"{path}: client_verify needs custom_ca, the certificate that clients' are signed with"
        )
    return grpc.ssl_server_credentials(
        [(config.server_key.encode(), config.server_cert.encode())],
        root_certificates=config.custom_ca.encode() or None,
        require_client_auth=config.client_verify,
    )


def _parse_file(path: str | Path, message: _M, expected: str) -> _M:
    """Fills a message from a text file. Raises UserError, which says what was expected."""
    try:
        return text_format.Parse(Path(path).read_text(encoding="utf-8"), message)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{path}: cannot read ({reason})") from None
    except text_format.ParseError as error:
        raise UserError(f"{path}: {error}; expected {expected}") from None
