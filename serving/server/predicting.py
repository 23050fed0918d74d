"""Answers predict requests of REST and gRPC: finds version and signature, checks inputs, runs the model."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from serving.server import tensors
from serving.server.batching import Batcher, Job
from serving.server.metrics import Metrics
from serving.server.models import Models
from serving.server.signature import Signature
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
        began, code, is_known = time.monotonic(), Code.INTERNAL, False
        try:
            lease = self.models.lease(spec.model, spec.version, spec.label)
            is_known = True
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
                tensors.check_inputs(signature, inputs)
            except BaseException:
                lease.release()
                raise
            servable, run_began = lease.servable, time.monotonic()
            job = Job(
                key=(spec.model, lease.version, id(servable), name),
                signature=signature,
                run=lambda tensors, seconds: servable.run(name, tensors, seconds),
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
            if is_known:
                api = "predict" if entrypoint == "REST" else "Predict"
                taken = time.monotonic() - began
                self.metrics.request(spec.model, code.name, api, entrypoint, taken)


def _filter_outputs(signature: Signature, aliases: Sequence[str]) -> list[str]:
    """The aliases of the outputs that a request asks for. Raises RequestError, INVALID_ARGUMENT."""
    for index, alias in enumerate(aliases):
        if alias not in signature.outputs:
            raise invalid_argument(f"output tensor alias not found in signature: {alias}")
        if alias in aliases[:index]:
            raise invalid_argument(f"duplicate output tensor alias: {alias}")
    return list(aliases or signature.outputs)
