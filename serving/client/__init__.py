"""A client for models that tfx-ner published and TensorFlow Serving serves, over gRPC or REST.

Outside this project it is the distribution tfx-ner-client and the package `tfx_ner_client`: it
imports neither TensorFlow nor TFX nor anything of tfx-ner. Modules here import each other
relatively, so that the package works under both names.
"""

from .client import AsyncClient, Client
from .errors import (
    BadAnswer,
    BadRequest,
    DeadlineExceeded,
    NotAllowed,
    NotFound,
    Overloaded,
    ResourceExhausted,
    ServerError,
    SettingsError,
    Unavailable,
)
from .protocol import Entity, Metadata, Signature, VersionStatus

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
    "Overloaded",
    "ResourceExhausted",
    "ServerError",
    "SettingsError",
    "Signature",
    "Unavailable",
    "VersionStatus",
]
