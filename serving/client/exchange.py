"""One request and its answer, as bytes, with nothing of how they travel."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, Optional, TypeVar

from serving.client.target import Target

T = TypeVar("T")


@dataclass(frozen=True)
class Exchange(Generic[T]):
    """A request that is ready to be sent, and how its answer is read.

    `call` is a gRPC method, or a path below a server's address; `body` is None for what REST only GETs. `read` raises
    KeyError, TypeError or ValueError where the answer is not of the promised form.
    """

    call: str
    body: Optional[bytes]
    read: Callable[[bytes], T]


@dataclass(frozen=True)
class Connection:
    """How a server is reached: `ca_file` holds the authorities that its certificate is held against, where it is not
    the system's; `headers` go with each request; an answer of more than `max_message_bytes` is refused.
    """

    target: Target
    ca_file: Optional[str] = None
    headers: Mapping[str, str] = field(default_factory=dict)
    max_message_bytes: int = 64 * 2**20
