"""The Beam pipeline of an annotation: reads each shard, applies the model, writes the shard.

A shard is one element. So order, restarts and memory concern one file at a time on every runner:
nothing is grouped or sorted, and a process holds one shard at most.
"""

import functools
import os
import socket
from collections.abc import Mapping, Sequence
from typing import Any

import apache_beam as beam
import psutil
from apache_beam.ml.inference.base import ModelHandler, PredictionResult, RunInference
from apache_beam.options.pipeline_options import PipelineOptions

from components.export.published_model import PublishedModel
from pipeline.annotation.output import AnnotationSpec, OutputFolder, store_shard
from pipeline.annotation.shards import InputFormat, Shard, ShardTexts, read_shard
from pipeline.config import Beam


class ShardModelHandler(ModelHandler[ShardTexts, PredictionResult, PublishedModel]):
    """A published model for Beam's RunInference; the inference of a shard is the entities of each text.

    Args:
      path: folder of the model as workers see it, or its address: each machine fetches it once.
      threads: threads of TensorFlow in each process; 0 for one a core.
      minimum_score: entities with a lower score are left out.
    """

    def __init__(self, path: str, threads: int, minimum_score: float) -> None:
        super().__init__()
        self._path, self._threads, self._minimum_score = path, threads, minimum_score

    def load_model(self) -> PublishedModel:
        return PublishedModel(self._path, self._threads)

    def run_inference(
        self,
        batch: Sequence[ShardTexts],
        model: PublishedModel,
        inference_args: dict[str, Any] | None = None,
    ) -> list[PredictionResult]:
        return [
            PredictionResult(texts, model.predict(texts.texts, minimum_score=self._minimum_score))
            for texts in batch
        ]

    def batch_elements_kwargs(self) -> Mapping[str, Any]:
        return {"min_batch_size": 1, "max_batch_size": 1}  # the model makes batches of its texts

    def get_num_bytes(self, batch: Sequence[ShardTexts]) -> int:
        return sum(len(text) for texts in batch for text in texts.texts)


def annotate_shards(
    shards: Sequence[Shard],
    spec: AnnotationSpec,
    output: OutputFolder,
    settings: Beam,
    options: PipelineOptions,
) -> None:
    """Annotates shards; returns when all are written."""
    threads = 0 if settings.runner == "direct" and settings.workers == 1 else 1
    handler = ShardModelHandler(spec.model, threads, spec.minimum_score)
    read = functools.partial(_read, spec.reading, socket.gethostname(), os.getpid())
    with beam.Pipeline(options=options) as pipeline:
        _ = (
            pipeline
            | "Shards" >> beam.Create(shards)
            | "Read" >> beam.Map(read)
            | "Predict" >> RunInference(handler)
            | "Write" >> beam.Map(functools.partial(_write, output))
        )


def _read(source: InputFormat, starter_host: str, starter_pid: int, shard: Shard) -> ShardTexts:
    # A worker can outlive the command; the next start would annotate the same shards.
    if starter_host == socket.gethostname() and not _is_running(starter_pid):
        raise RuntimeError("the process that started this annotation has ended")
    return read_shard(shard, source)


def _is_running(pid: int) -> bool:
    """Whether the process that started the annotation still runs."""
    try:
        process = _process(pid)
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@functools.cache
def _process(pid: int) -> psutil.Process:
    # Kept, since it also tells the process from a later one with the same number.
    return psutil.Process(pid)


def _write(output: OutputFolder, result: PredictionResult) -> None:
    store_shard(output, result.example, result.inference)
