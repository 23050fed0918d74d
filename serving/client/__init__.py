"""Asks a server that speaks TensorFlow Serving's protocol for the entities in texts.

Needs neither TensorFlow nor TFX; httpx and grpcio are imported where they are used.
"""

from components.export.entity import Entity
from serving.client.answers import Metadata, Signature, VersionStatus
from serving.client.async_client import AsyncClient
from serving.client.client import Client
from serving.client.errors import (
    BadAnswer,
    BadRequest,
    DeadlineExceeded,
    NotAllowed,
    NotFound,
    ResourceExhausted,
    ServerError,
    Unavailable,
)

__all__ = [
    "AsyncClient",
    "BadAnswer",
    "BadRequest",
    "Client",
    "DeadlineExceeded",
    "Entity",
    "Metadata",
    "NotAllowed",
    "NotFound",
    "ResourceExhausted",
    "ServerError",
    "Signature",
    "Unavailable",
    "VersionStatus",
]
