"""The gRPC side: TensorFlow Serving's PredictionService and ModelService, and the standard health service."""

import asyncio
import contextlib
import functools
import logging
from collections.abc import Awaitable, Callable
from typing import Optional

import grpc
from google.protobuf import any_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from serving.server import tensors
from serving.server.config import configs_of
from serving.server.models import Models
from serving.server.predicting import Predictor, Spec
from serving.server.signature import Signature
from serving.server.status import Code, RequestError
from serving.server.versions import Status

log = logging.getLogger(__name__)
_CODES = {code.value[0]: code for code in grpc.StatusCode}
_SERVICES = ("", "PredictionService", "ModelService")  # of the health service


class InFlight:
    """Counts the requests that are being answered, for an orderly end and for a limit.

    Streams of the health service do not count: they last as long as their clients like.

    Args:
      most: requests beyond this number are refused; None for no limit.
    """

    def __init__(self, most: int | None = None):
        self._number, self._most, self._none = 0, most, asyncio.Event()
        self._none.set()

    def __enter__(self) -> None:
        if self._most is not None and self._number >= self._most:
            raise RequestError(Code.RESOURCE_EXHAUSTED, "Server Threadpool Exhausted")
        self._number += 1
        self._none.clear()

    def __exit__(self, *_) -> None:
        self._number -= 1
        if not self._number:
            self._none.set()

    async def wait_for_none(self, seconds: float) -> None:
        """Waits until no request is in flight, at most so many seconds."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._none.wait(), seconds)


def make_server(
    predictor: Predictor,
    reload: Callable[[list], Awaitable[None]],
    most_bytes: int,
    in_flight: InFlight,
) -> tuple[grpc.aio.Server, health.aio.HealthServicer]:
    """Makes the server, without a port, and its health service.

    Args:
      predictor: answers requests.
      reload: serves the models of a configuration from now on.
      most_bytes: the largest request message.
      in_flight: counts the requests.
    """
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", most_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 0),  # a second server on the port must fail, not share it
        ],
    )
    servicer = health.aio.HealthServicer()
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        _Prediction(predictor, in_flight), server
    )
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(
        _Model(predictor.models, reload, in_flight), server
    )
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    return server, servicer


def spec_of(proto) -> Spec:
    """Reads a ModelSpec. Raises RequestError, INVALID_ARGUMENT, if it names no model."""
    if not proto.name:
        raise RequestError(Code.INVALID_ARGUMENT, "ModelSpec has no name specified.")
    choice = proto.WhichOneof("version_choice")
    return Spec(
        proto.name,
        proto.version.value if choice == "version" else None,
        proto.version_label if choice == "version_label" else None,
        proto.signature_name,
    )


def _spec_in(request) -> Spec:
    if not request.HasField("model_spec"):
        raise RequestError(Code.INVALID_ARGUMENT, "Missing ModelSpec")
    return spec_of(request.model_spec)


def _with_status(method):
    """Makes a RequestError of a method the call's status, and logs other exceptions in one line."""

    @functools.wraps(method)
    async def call(self, request, context):
        try:
            with self.in_flight:
                return await method(self, request, context)
        except RequestError as error:
            code, message = error.code, error.message
        except Exception as error:  # a fault of this program
            log.error("%s failed: %r", method.__name__, error)
            code, message = Code.INTERNAL, " ".join(str(error).split()) or type(error).__name__
        context.set_code(_CODES[code])
        context.set_details(message)
        return None

    return call


class _Prediction(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, predictor: Predictor, in_flight: InFlight):
        self._predictor, self.in_flight = predictor, in_flight

    @_with_status
    async def Predict(self, request, context):
        chosen: list[str] = []
        answer = await self._predictor.predict(
            _spec_in(request),
            lambda _: {
                alias: tensors.array_of(proto, alias) for alias, proto in request.inputs.items()
            },
            "GRPC",
            context.time_remaining(),
            check=lambda signature: chosen.extend(_filtered(request.output_filter, signature)),
        )
        response = predict_pb2.PredictResponse()
        _fill(response.model_spec, request.model_spec.name, answer.version, answer.signature_name)
        for alias in chosen:
            tensors.fill(
                response.outputs[alias],
                answer.outputs[alias],
                answer.signature.outputs[alias].dtype,
            )
        return response

    @_with_status
    async def GetModelMetadata(self, request, context):
        spec = _spec_in(request)
        if not request.metadata_field:
            raise RequestError(
                Code.INVALID_ARGUMENT,
                "GetModelMetadataRequest must specify at least one metadata_field",
            )
        for name in request.metadata_field:
            if name != "signature_def":
                raise RequestError(Code.INVALID_ARGUMENT, f"Metadata field {name} is not supported")
        lease = self._predictor.models.lease(spec.model, spec.version, spec.label)
        try:
            response = get_model_metadata_pb2.GetModelMetadataResponse()
            _fill(response.model_spec, spec.model, lease.version, "")
            definitions = get_model_metadata_pb2.SignatureDefMap()
            for name, definition in lease.servable.definitions.items():
                definitions.signature_def[name].CopyFrom(definition)
        finally:
            lease.release()
        packed = any_pb2.Any()
        packed.Pack(definitions)
        response.metadata["signature_def"].CopyFrom(packed)
        return response

    @_with_status
    async def Classify(self, request, context) -> classification_pb2.ClassificationResponse:
        refuse_other_method(self._predictor.models, _spec_in(request), "classify")

    @_with_status
    async def Regress(self, request, context) -> regression_pb2.RegressionResponse:
        refuse_other_method(self._predictor.models, _spec_in(request), "regress")

    @_with_status
    async def MultiInference(self, request, context) -> inference_pb2.MultiInferenceResponse:
        raise RequestError(
            Code.INVALID_ARGUMENT, "MultiInference is not offered by the development server"
        )


class _Model(model_service_pb2_grpc.ModelServiceServicer):
    def __init__(
        self, models: Models, reload: Callable[[list], Awaitable[None]], in_flight: InFlight
    ):
        self._models, self._reload, self.in_flight = models, reload, in_flight

    @_with_status
    async def GetModelStatus(self, request, context):
        if not request.HasField("model_spec"):
            raise RequestError(Code.INVALID_ARGUMENT, "Missing ModelSpec")
        spec = request.model_spec  # its label is ignored
        version = spec.version.value if spec.WhichOneof("version_choice") == "version" else None
        response = get_model_status_pb2.GetModelStatusResponse()
        for status in self._models.statuses(spec.name, version):
            _add_status(response, status)
        return response

    @_with_status
    async def HandleReloadConfigRequest(self, request, context):
        response = model_management_pb2.ReloadConfigResponse()
        try:
            await self._reload(configs_of(request.config))
        except RequestError as error:  # TensorFlow Serving puts it into the answer
            response.status.error_code, response.status.error_message = (
                int(error.code),
                error.message,
            )
        return response


def refuse_other_method(models: Models, spec: Spec, wanted: str) -> None:
    """Raises the RequestError that a request to classify or regress gets."""
    lease = models.lease(spec.model, spec.version, spec.label)
    try:
        name = spec.signature or "serving_default"
        signature = lease.servable.signatures.get(name)
    finally:
        lease.release()
    if signature is None:
        raise RequestError(Code.INVALID_ARGUMENT, f"No signature was found with the name: {name}")
    if not signature.method.endswith(f"/{wanted}"):
        kind = {"classify": "classification", "regress": "regression"}[wanted]
        raise RequestError(
            Code.INVALID_ARGUMENT,
            f"Expected {kind} signature method_name to be tensorflow/serving/{wanted}. Was: {signature.method}",
        )
    raise RequestError(
        Code.UNIMPLEMENTED,
        f"{wanted} is not offered by the development server; use predict",
    )


def _filtered(names, signature: Signature) -> list[str]:
    """The aliases of the outputs that a request asks for. Raises RequestError, INVALID_ARGUMENT."""
    for index, name in enumerate(names):
        if name not in signature.outputs:
            raise RequestError(
                Code.INVALID_ARGUMENT, f"output tensor alias not found in signature: {name}"
            )
        if name in names[:index]:
            raise RequestError(Code.INVALID_ARGUMENT, f"duplicate output tensor alias: {name}")
    return list(names) or list(signature.outputs)


def _fill(spec, name: str, version: int, signature: str) -> None:
    spec.name, spec.version.value, spec.signature_name = name, version, signature


def _add_status(response, status: Status) -> None:
    entry = response.model_version_status.add(version=status.version, state=int(status.state))
    entry.status.error_code, entry.status.error_message = int(status.code), status.message


def set_health(servicer: Optional[health.aio.HealthServicer], serving: bool):
    """Sets the state of the server and its services in the health service; to be awaited."""
    state = (
        health_pb2.HealthCheckResponse.SERVING
        if serving
        else health_pb2.HealthCheckResponse.NOT_SERVING
    )

    async def tell() -> None:
        for name in _SERVICES:
            await servicer.set(name, state)

    return tell()
