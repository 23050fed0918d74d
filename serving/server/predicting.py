"""Answers predict requests of REST and gRPC: finds version and signature, checks inputs, runs the model."""

import inspect
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Optional

import numpy as np

from serving.server import tensors
from serving.server.batching import Batcher, Job
from serving.server.metrics import Metrics
from serving.server.models import Models
from serving.server.servable import SavedModel
from serving.server.signature import Signature
from serving.server.status import Code, RequestError

Inputs = Mapping[str, np.ndarray]
DEFAULT_SIGNATURE = "serving_default"


@dataclass(frozen=True)
class Spec:
    """What a request asks: a model, its version or label if given, and a signature."""

    model: str
    version: Optional[int] = None
    label: Optional[str] = None
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

    models: Models[SavedModel]
    batcher: Batcher
    metrics: Metrics
    seconds: float

    async def predict(
        self,
        spec: Spec,
        inputs_for: Callable[[Signature], Inputs | Awaitable[Inputs]],
        entrypoint: str,
        seconds: Optional[float] = None,
        unknown_signature: Code = Code.FAILED_PRECONDITION,
        check: Callable[[Signature], None] = lambda signature: None,
    ) -> Answer:
        """The answer to a request.

        Args:
          spec: what the request asks.
          inputs_for: reads the inputs of the signature.
          entrypoint: "REST" or "GRPC".
          seconds: the time left until the client's deadline.
          unknown_signature: the code for an unknown signature, which differs between REST and gRPC.
          check: further checks of the request against the signature.

        Raises:
          RequestError: with the code and message that the client gets.
        """
        started, api = time.monotonic(), "predict" if entrypoint == "REST" else "Predict"
        status, known = Code.INTERNAL, False
        try:
            lease = self.models.lease(spec.model, spec.version, spec.label)
            known = True
            try:
                name = spec.signature or DEFAULT_SIGNATURE
                signature = lease.servable.signatures.get(name)
                if signature is None:
                    raise RequestError(
                        unknown_signature, f'Serving signature key "{name}" not found.'
                    )
                check(signature)
                inputs = inputs_for(signature)
                if inspect.isawaitable(inputs):
                    inputs = await inputs
                tensors.check_inputs(signature, inputs)
            except BaseException:
                lease.release()
                raise
            servable, began = lease.servable, time.monotonic()
            job = Job(
                key=(spec.model, lease.version, id(servable), name),
                signature=signature,
                run=lambda tensors, seconds: servable.run(name, tensors, seconds),
                inputs=inputs,
                deadline=started + min(self.seconds, self.seconds if seconds is None else seconds),
            )
            outputs = await self.batcher.run(job, lease.release)
            self.metrics.runtime(spec.model, time.monotonic() - began)
            status = Code.OK
            return Answer(lease.version, name, signature, outputs)
        except RequestError as error:
            status = error.code
            raise
        finally:
            if known:
                self.metrics.request(
                    spec.model, status.name, api, entrypoint, time.monotonic() - started
                )
