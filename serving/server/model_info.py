"""Answers about models, their versions and signatures: gRPC sends the messages, REST sends them as JSON."""

import inspect
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

from serving.server.models import Models
from serving.server.predicting import DEFAULT_SIGNATURE, Spec
from serving.server.status import Code, RequestError, invalid_argument

# Protobuf 5 renamed the option that prints fields without a value.
_OPTIONS = inspect.signature(json_format.MessageToDict).parameters
_PRINT_DEFAULTS = next(name for name in _OPTIONS if name.startswith(("always_", "including_")))


def model_status(
    models: Models, name: str, version: int | None
) -> get_model_status_pb2.GetModelStatusResponse:
    """The states of a model's versions, or of one version. Raises RequestError."""
    response = get_model_status_pb2.GetModelStatusResponse()
    for status in models.statuses(name, version):
        entry = response.model_version_status.add(version=status.version, state=int(status.state))
        entry.status.error_code = status.code.value[0]
        entry.status.error_message = status.message
    return response


def model_signatures(
    models: Models, spec: Spec
) -> tuple[int, get_model_metadata_pb2.SignatureDefMap]:
    """The version that answers requests, and its signatures. Raises RequestError."""
    signatures = get_model_metadata_pb2.SignatureDefMap()
    with models.lease(spec.model, spec.version, spec.label) as lease:
        for name, definition in lease.servable.definitions.items():
            signatures.signature_def[name].CopyFrom(definition)
        return lease.version, signatures


def refuse_other_method(models: Models, spec: Spec, method: str) -> None:
    """Raises the RequestError that a request to `classify` or `regress` gets."""
    with models.lease(spec.model, spec.version, spec.label) as lease:
        name = spec.signature or DEFAULT_SIGNATURE
        signature = lease.servable.signatures.get(name)
    if signature is None:
        raise invalid_argument(f"No signature was found with the name: {name}")
    if not signature.method.endswith(f"/{method}"):
        kind = {"classify": "classification", "regress": "regression"}[method]
        raise invalid_argument(
            f"Expected {kind} signature method_name to be tensorflow/serving/{method}."
            f" Was: {signature.method}"
        )
    raise RequestError(
        Code.UNIMPLEMENTED, f"{method} is not offered by the development server; use predict"
    )


def as_json(message: Message) -> dict[str, Any]:
    """A message as TensorFlow Serving writes it in JSON, with fields that have no value."""
    options = {_PRINT_DEFAULTS: True, "preserving_proto_field_name": True}
    return json_format.MessageToDict(message, **options)
