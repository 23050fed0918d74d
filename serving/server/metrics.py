"""The server's Prometheus metrics, with TensorFlow Serving's names; latencies are in microseconds."""

import re
from collections.abc import Sequence
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

PATH = "/monitoring/prometheus/metrics"
CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

_MICROSECONDS = tuple(10 * 1.8**n for n in range(33))  # TensorFlow Serving's buckets
_SIZES = tuple(2**n for n in range(14))
_TOTAL = re.compile(rb"^((?:# (?:HELP|TYPE) )?:tensorflow:[a-z_:]+?)_total(?=[ {])", re.MULTILINE)

_child = cache(lambda metric, *labels: metric.labels(*labels))


class Metrics:
    """A server's metrics, in a registry of their own."""

    def __init__(self):
        disable_created_metrics()
        self._registry = registry = CollectorRegistry()

        def counter(name: str, help_text: str, *labels: str) -> Counter:
            return Counter(f":tensorflow:{name}", help_text, labels, registry=registry)

        def histogram(name: str, help_text: str, *labels: str, buckets=_MICROSECONDS) -> Histogram:
            name = f":tensorflow:serving:{name}"
            return Histogram(name, help_text, labels, registry=registry, buckets=buckets)

        self._requests = counter(
            "serving:request_count", "The total number of requests.", "model_name", "status"
        )
        self._loads = counter(
            "cc:saved_model:load_attempt_count",
            "The number of times a SavedModel was loaded.",
            *("model_path", "status"),
        )
        self._latency = histogram(
            "request_latency",
            "The total time spent on a request.",
            *("model_name", "API", "entrypoint"),
        )
        self._runtime = histogram(
            "runtime_latency", "The time the model took.", "model_name", "API", "runtime"
        )
        self._warmup = histogram(
            "model_warmup_latency",
            "The time the warm-up requests took.",
            *("model_path", "status"),
        )
        self._queuing = histogram(
            "batching_session:queuing_latency",
            "The time requests waited for their batch.",
            "thread_pool_name",
        )
        self._batch = histogram(
            "batching_session:processed_batch_size", "Rows of a batch.", buckets=_SIZES
        )

    def request(self, model: str, status: str, api: str, entrypoint: str, seconds: float) -> None:
        """Counts a request that has ended, and the latency of one that was answered.

        Args:
          model: name of a served model. Names of others are not counted, which TensorFlow Serving
            does: callers could fill the memory with them.
          status: name of the status code.
          api: "predict" over REST, "Predict" over gRPC, "" for status and metadata.
          entrypoint: "REST" or "GRPC".
          seconds: from the request to its answer.
        """
        _child(self._requests, model, status).inc()
        if status == "OK":
            _child(self._latency, model, api, entrypoint).observe(seconds * 1e6)

    def runtime(self, model: str, seconds: float) -> None:
        """Counts a run of the model."""
        _child(self._runtime, model, "Predict", "TF1").observe(seconds * 1e6)

    def batch(self, rows: int, waited: Sequence[float]) -> None:
        """Counts a batch: its rows, and the seconds that each of its requests waited."""
        self._batch.observe(rows)
        for seconds in waited:
            _child(self._queuing, "").observe(seconds * 1e6)

    def warmup(self, path: str, status: str, seconds: float) -> None:
        """Counts the warm-up of a version."""
        self._warmup.labels(path, status).observe(seconds * 1e6)

    def load(self, path: str, ok: bool) -> None:
        """Counts an attempt to load a SavedModel."""
        self._loads.labels(path, "success" if ok else "fail").inc()

    def text(self) -> bytes:
        """The metrics in Prometheus's text format, without the suffix `_total` of its client."""
        return _TOTAL.sub(rb"\1", generate_latest(self._registry))
