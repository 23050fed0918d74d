"""The answers of REST and gRPC: predictions, and the status and the signatures of models.

gRPC sends the messages, REST sends them as JSON.
"""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

from serving.server.batching import Batcher, Job
from serving.server.metrics import Metrics
from serving.server.models import Models
from serving.server.signature import Signature, check_inputs
from serving.server.status import Code, RequestError, invalid_argument

DEFAULT_SIGNATURE = "serving_default"


@dataclass(frozen=True)
class Spec:
    """The model that a request names, its version or label if given, and a signature."""

    model: str
    version: int | None = None
    label: str | None = None
    signature: str = ""


@dataclass(frozen=True)
class Answer:
    """Outputs by alias, with the version and signature that computed them."""

    version: int
    signature_name: str
    signature: Signature
    outputs: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Predictor:
    """Answers requests; `seconds` is the time limit of a request."""

    models: Models
    batcher: Batcher
    metrics: Metrics
    seconds: float

    async def predict(
        self,
        spec: Spec,
        inputs_for: Callable[[Signature], Awaitable[Mapping[str, np.ndarray]]],
        entrypoint: str,
        seconds: float | None = None,
        output_filter: Sequence[str] = (),
    ) -> Answer:
        """The answer to a request.

        Args:
          spec: the model, version and signature.
          inputs_for: reads the inputs of the signature.
          entrypoint: "REST" or "GRPC".
          seconds: the time left until the client's deadline.
          output_filter: the aliases of the outputs to return; all by default.

        Raises:
          RequestError: with the code and message that the client gets.
        """
        began, code = time.monotonic(), Code.INTERNAL
        lease = self.models.lease(spec.model, spec.version, spec.label)
        try:
            try:
                name = spec.signature or DEFAULT_SIGNATURE
                signature = lease.servable.signatures.get(name)
                if signature is None:
                    raise RequestError(
                        Code.INVALID_ARGUMENT if entrypoint == "REST" else Code.FAILED_PRECONDITION,
                        f'Serving signature key "{name}" not found.',
                    )
                aliases = _filter_outputs(signature, output_filter)
                inputs = await inputs_for(signature)
                check_inputs(signature, inputs)
            except BaseException:
                lease.release()
                raise
            servable, run_began = lease.servable, time.monotonic()
            job = Job(
                key=(spec.model, lease.version, id(servable), name),
                signature=signature,
                run=lambda inputs, seconds: servable.run(name, inputs, seconds),
                inputs=inputs,
                deadline=began + (self.seconds if seconds is None else min(seconds, self.seconds)),
            )
            outputs = await self.batcher.run(job, lease.release)
            self.metrics.runtime(spec.model, time.monotonic() - run_began)
            code = Code.OK
            return Answer(
                lease.version, name, signature, {alias: outputs[alias] for alias in aliases}
            )
        except RequestError as error:
            code = error.code
            raise
        finally:
            api = "predict" if entrypoint == "REST" else "Predict"
            taken = time.monotonic() - began
            self.metrics.request(spec.model, code.name, api, entrypoint, taken)

    def status(
        self, model: str, version: int | None
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """The states of a model's versions, or of one version. Raises RequestError."""
        response = get_model_status_pb2.GetModelStatusResponse()
        for status in self.models.statuses(model, version):
            entry = response.model_version_status.add(
                version=status.version, state=int(status.state)
            )
            entry.status.error_code = status.code.value[0]
            entry.status.error_message = status.message
        return response

    def signatures(self, spec: Spec) -> tuple[int, get_model_metadata_pb2.SignatureDefMap]:
        """The version that answers requests, and its signatures. Raises RequestError."""
        signatures = get_model_metadata_pb2.SignatureDefMap()
        with self.models.lease(spec.model, spec.version, spec.label) as lease:
            for name, definition in lease.servable.definitions.items():
                signatures.signature_def[name].CopyFrom(definition)
            return lease.version, signatures

    def refuse_other_method(self, spec: Spec, method: str) -> NoReturn:
        """Raises the RequestError that a request to `classify` or `regress` gets."""
        with self.models.lease(spec.model, spec.version, spec.label) as lease:
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


def _filter_outputs(signature: Signature, aliases: Sequence[str]) -> list[str]:
    """The aliases of the outputs that a request asks for. Raises RequestError, INVALID_ARGUMENT."""
    for index, alias in enumerate(aliases):
        if alias not in signature.outputs:
            raise invalid_argument(f"output tensor alias not found in signature: {alias}")
        if alias in aliases[:index]:
            raise invalid_argument(f"duplicate output tensor alias: {alias}")
    return list(aliases or signature.outputs)
