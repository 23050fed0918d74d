"""What both transports share: server and model, a request as bytes, and what responses hold.

The modules `rest_transport` and `grpc_transport` have the same names: `predict`, `status` and
`metadata` make an Exchange, and BlockingSender and AsyncioSender send it with `send(exchange,
seconds)`, which returns its result or raises ServerError, over connections that they keep open
until `close()`.
"""

import ipaddress
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

from .errors import BadAnswer, SettingsError

T = TypeVar("T")

_DEFAULT_PORTS = {"http": 80, "https": 443, "grpc": 8500, "grpcs": 8500}
_EXPECTED = (
    "expected http://HOST:8501 or https://… for REST, grpc://HOST:8500 or grpcs://… for gRPC"
)

SIGNATURE = "serving_default"
INPUT = "text"
# The model also returns each entity's text. It is cut out of the request's text here, which saves
# sending it.
OUTPUTS = ("count", "type", "start", "end", "score")


@dataclass(frozen=True)
class Address:
    """A server's address."""

    scheme: str  # http, https, grpc or grpcs
    host: str  # the host's name or IP address
    port: int  # the port
    # What comes before `/v1/…`, for a proxy with several servers behind it; otherwise "".
    path: str = ""

    @property
    def is_grpc(self) -> bool:
        return self.scheme in ("grpc", "grpcs")

    @property
    def is_encrypted(self) -> bool:
        return self.scheme in ("https", "grpcs")

    @property
    def authority(self) -> str:
        """Host and port as URLs and gRPC write them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether the server is on this machine, so that no proxy is used."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


def parse_address(url: str) -> Address:
    """Parses `http://host:8501`, `https://…`, `grpc://host:8500` or `grpcs://…`.

    Raises SettingsError for anything else.
    """
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme, parts.hostname, parts.port
    except ValueError as error:
        raise SettingsError(f"{url}: not an address of a server ({error}); {_EXPECTED}") from None
    if scheme not in _DEFAULT_PORTS or not host:
        raise SettingsError(f"{url}: not an address of a server; {_EXPECTED}")
    if parts.username is not None:
        raise SettingsError(
            f"{scheme}://…@{host}: found credentials in the address; expected them in a header"
        )
    path = parts.path.rstrip("/")
    if parts.query or parts.fragment or (path and scheme.startswith("grpc")):
        raise SettingsError(f"{url}: found more than host and port; {_EXPECTED}")
    if path.endswith("/v1") or "/v1/" in path:
        raise SettingsError(
            f"{url}: found a part of the REST interface; expected the address up to /v1"
        )
    return Address(scheme, host, _DEFAULT_PORTS[scheme] if port is None else port, path)


@dataclass(frozen=True)
class ModelSpec:
    """A model on a server."""

    name: str = "ner"  # the name that the server gives the model
    version: int | None = None  # the number of a version, instead of the newest
    label: str | None = None  # the label of a version, instead of its number

    def __post_init__(self) -> None:
        if self.version is not None and self.label is not None:
            raise SettingsError("found both a version and a label; expected one of them")
        if not self.name:
            raise SettingsError(
                "found an empty model name; expected the name that the server gives the model,"
                " such as ner"
            )


@dataclass(frozen=True)
class Exchange(Generic[T]):
    """A request that is ready to be sent, and the function that parses its response."""

    call: str  # a gRPC method, or a path below the server's address
    body: bytes | None  # the request's body, or None for an HTTP GET
    # Makes the result of the response's body; raises where the response has another form.
    parse: Callable[[bytes], T]

    def parse_from(self, server: str, response: bytes) -> T:
        """The result of a server's response; raises BadAnswer where it has another form."""
        try:
            return self.parse(response)
        except Exception as error:  # foreign bytes fail in many ways
            reason = f"{type(error).__name__}: {error}".rstrip(": ")
            raise BadAnswer(
                server,
                f"found an answer of another form ({reason}); expected a model that tfx-ner"
                " published",
            ) from error


@dataclass(frozen=True)
class Connection:
    """How a server is reached."""

    address: Address  # the server's address
    ca_file: str | None = None  # PEM file of the certificates to trust, instead of the system's
    headers: Mapping[str, str] = field(default_factory=dict)  # sent with each request
    max_message_bytes: int = 64 * 2**20  # a larger response is refused


@dataclass(frozen=True, slots=True)
class Entity:
    """An entity in a text.

    Attributes:
      text: the entity's own text, `text[start:end]` of the whole.
      type: its type, such as "PER".
      start: offset of its first character, in Unicode code points.
      end: offset after its last character.
      score: its probability.
    """

    text: str
    type: str
    start: int
    end: int
    score: float


Entities = tuple[Entity, ...]


@dataclass(frozen=True)
class VersionStatus:
    """The status of a model's version on the server.

    Attributes:
      version: the version's number.
      state: START, LOADING, AVAILABLE, UNLOADING or END.
      error: why the version failed, or "".
    """

    version: int
    state: str
    error: str = ""


@dataclass(frozen=True)
class Signature:
    """A signature of a model.

    Attributes:
      inputs: the dtype of each input by name, such as DT_STRING.
      outputs: the dtype of each output by name.
    """

    inputs: Mapping[str, str]
    outputs: Mapping[str, str]


@dataclass(frozen=True)
class Metadata:
    """The model version that answers requests.

    Attributes:
      model: the model's name.
      version: the version's number.
      signatures: the version's signatures by name.
    """

    model: str
    version: int
    signatures: Mapping[str, Signature]

    @property
    def finds_entities(self) -> bool:
        """Whether the model has the interface of those that tfx-ner publishes."""
        signature = self.signatures.get(SIGNATURE)
        return (
            signature is not None
            and set(signature.inputs) == {INPUT}
            and set(OUTPUTS) <= set(signature.outputs)
        )


def encode(text: str) -> bytes:
    """A text in UTF-8. Lone surrogates, which UTF-8 cannot encode, become question marks."""
    return text.encode("utf-8", "replace")


def entities_of(text: str, outputs: Mapping[str, Any]) -> Entities:
    """The entities of one text.

    Args:
      text: the text of the request.
      outputs: the model's outputs for it by name: `count`, and sequences of at least `count`
        types, starts, ends and scores.

    Returns:
      The entities, in the order of the text.

    Raises:
      KeyError, TypeError, ValueError: the outputs have another form.
    """
    count = outputs["count"]
    columns: list[Sequence[Any]] = [outputs[name] for name in OUTPUTS[1:]]
    if any(len(column) < count for column in columns):
        raise ValueError(f"found {min(map(len, columns))} entities; expected {count}")
    return tuple(
        Entity(text[start:end], _decode(type_), int(start), int(end), _as_float32(score))
        for type_, start, end, score in islice(zip(*columns), count)
    )


def _decode(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _as_float32(score: float) -> float:
    """A score as the model computed it: JSON may have rounded it, or have more digits."""
    return struct.unpack("f", struct.pack("f", score))[0]
