"""Where a server is and what is asked of it there."""

import ipaddress
from dataclasses import dataclass
from typing import Optional
from urllib.parse import urlsplit

from components.errors import UserError

_PORTS = {"http": 80, "https": 443, "grpc": 8500, "grpcs": 8500}
_EXPECTED = (
    "expected http://HOST:8501 or https://… for REST, grpc://HOST:8500 or grpcs://… for gRPC"
)


@dataclass(frozen=True)
class Target:
    """A server's address. `path` comes before `/v1/…`, for a proxy that serves several things; "" as a rule."""

    scheme: str
    host: str
    port: int
    path: str = ""

    @property
    def over_grpc(self) -> bool:
        return self.scheme in ("grpc", "grpcs")

    @property
    def encrypted(self) -> bool:
        return self.scheme in ("https", "grpcs")

    @property
    def authority(self) -> str:
        """Host and port as URLs and gRPC write them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """On this machine, where no proxy is wanted."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


def read(url: str) -> Target:
    """Reads `http://host:8501`, `https://…`, `grpc://host:8500` or `grpcs://…`. Raises UserError for anything else."""
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme, parts.hostname, parts.port
    except ValueError as error:
        raise UserError(f"{url}: not an address of a server ({error}); {_EXPECTED}") from None
    if scheme not in _PORTS or not host:
        raise UserError(f"{url}: not an address of a server; {_EXPECTED}")
    if parts.username is not None:
        raise UserError(
            f"{scheme}://…@{host}: found credentials in the address; expected them in a header"
        )
    path = parts.path.rstrip("/")
    if parts.query or parts.fragment or (path and scheme.startswith("grpc")):
        raise UserError(f"{url}: found more than host and port; {_EXPECTED}")
    if path.endswith("/v1") or "/v1/" in path:
        raise UserError(
            f"{url}: found a part of the REST interface; expected the address up to /v1"
        )
    return Target(scheme, host, _PORTS[scheme] if port is None else port, path)


@dataclass(frozen=True)
class Servable:
    """A model on a server: its newest version, or one by number or label."""

    name: str = "ner"
    version: Optional[int] = None
    label: Optional[str] = None

    def __post_init__(self):
        if self.version is not None and self.label is not None:
            raise UserError("found both a version and a label; expected one of them")
        if not self.name:
            raise UserError(
                "found an empty model name; expected the name that the server gives the model, as ner"
            )
