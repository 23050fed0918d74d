"""The gRPC side: TensorFlow Serving's PredictionService and ModelService, and the standard health service."""

import asyncio
import contextlib
import functools
import logging
from collections.abc import Awaitable, Callable

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from serving.server.config import models_of
from serving.server.predicting import Predictor, Spec
from serving.server.servable import arrays_of, fill
from serving.server.status import Code, RequestError, invalid_argument, message_of

log = logging.getLogger(__name__)
_SERVICES = ("", "PredictionService", "ModelService")  # of the health service


class InFlight:
    """Counts the requests that are being answered, for an orderly end and for a limit.

    Streams of the health service do not count: they last as long as their clients like.

    Args:
      limit: requests beyond this number are refused; None for no limit.
    """

    def __init__(self, limit: int | None = None):
        self._count, self._limit, self._idle = 0, limit, asyncio.Event()
        self._idle.set()

    def __enter__(self) -> None:
        if self._limit is not None and self._count >= self._limit:
            raise RequestError(Code.RESOURCE_EXHAUSTED, "Server Threadpool Exhausted")
        self._count += 1
        self._idle.clear()

    def __exit__(self, *_: object) -> None:
        self._count -= 1
        if not self._count:
            self._idle.set()

    async def wait_until_idle(self, seconds: float) -> None:
        """Waits until no request is in flight, or until the time is up."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._idle.wait(), seconds)


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
    servicer, services = health.aio.HealthServicer(), _Services(predictor, reload, in_flight)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(services, server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(services, server)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    return server, servicer


async def set_health(servicer: health.aio.HealthServicer, status: str) -> None:
    """Sets the status of the server and its services: "SERVING" or "NOT_SERVING"."""
    for name in _SERVICES:
        await servicer.set(name, health_pb2.HealthCheckResponse.ServingStatus.Value(status))


def _with_status(method: Callable) -> Callable:
    """Makes a RequestError of a method the call's status, and logs other exceptions in one line."""

    @functools.wraps(method)
    async def call(self: "_Services", request, context):
        try:
            with self.in_flight:
                return await method(self, request, context)
        except RequestError as error:
            code, message = error.code, error.message
        except Exception as error:  # a fault of this program
            log.error("%s failed: %r", method.__name__, error)
            code, message = Code.INTERNAL, message_of(error)
        context.set_code(code)
        context.set_details(message)
        return None

    return call


class _Services(
    prediction_service_pb2_grpc.PredictionServiceServicer,
    model_service_pb2_grpc.ModelServiceServicer,
):
    def __init__(
        self,
        predictor: Predictor,
        reload: Callable[[list], Awaitable[None]],
        in_flight: InFlight,
    ):
        self._predictor, self._reload, self.in_flight = predictor, reload, in_flight

    @_with_status
    async def Predict(self, request, context):
        async def inputs_for(_) -> dict:
            return arrays_of(request)

        answer = await self._predictor.predict(
            _spec_in(request),
            inputs_for,
            "GRPC",
            context.time_remaining(),
            request.output_filter,
        )
        response = predict_pb2.PredictResponse()
        spec = response.model_spec
        spec.name, spec.version.value = request.model_spec.name, answer.version
        spec.signature_name = answer.signature_name
        for alias, array in answer.outputs.items():
            fill(response.outputs[alias], array, answer.signature.outputs[alias].dtype)
        return response

    @_with_status
    async def GetModelMetadata(self, request, context):
        spec = _spec_in(request)
        if not request.metadata_field:
            raise invalid_argument(
                "GetModelMetadataRequest must specify at least one metadata_field"
            )
        for name in request.metadata_field:
            if name != "signature_def":
                raise invalid_argument(f"Metadata field {name} is not supported")
        version, signatures = self._predictor.signatures(spec)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.name, response.model_spec.version.value = spec.model, version
        response.metadata["signature_def"].Pack(signatures)
        return response

    @_with_status
    async def Classify(self, request, context):
        self._predictor.refuse_other_method(_spec_in(request), "classify")

    @_with_status
    async def Regress(self, request, context):
        self._predictor.refuse_other_method(_spec_in(request), "regress")

    @_with_status
    async def MultiInference(self, request, context):
        raise invalid_argument("MultiInference is not offered by the development server")

    @_with_status
    async def GetModelStatus(self, request, context) -> get_model_status_pb2.GetModelStatusResponse:
        _require_spec(request)
        spec = request.model_spec  # its label is ignored
        version = spec.version.value if spec.WhichOneof("version_choice") == "version" else None
        return self._predictor.status(spec.name, version)

    @_with_status
    async def HandleReloadConfigRequest(self, request, context):
        response = model_management_pb2.ReloadConfigResponse()
        try:
            await self._reload(models_of(request.config))
        except RequestError as error:  # TensorFlow Serving puts it into the answer
            response.status.error_code = error.code.value[0]
            response.status.error_message = error.message
        return response


def _spec_in(request) -> Spec:
    """The ModelSpec of a request. Raises RequestError, INVALID_ARGUMENT, if it names no model."""
    _require_spec(request)
    spec = request.model_spec
    if not spec.name:
        raise invalid_argument("ModelSpec has no name specified.")
    choice = spec.WhichOneof("version_choice")
    return Spec(
        spec.name,
        spec.version.value if choice == "version" else None,
        spec.version_label if choice == "version_label" else None,
        spec.signature_name,
    )


def _require_spec(request) -> None:
    if not request.HasField("model_spec"):
        raise invalid_argument("Missing ModelSpec")
