"""The Beam pipeline: each shard is read, goes through the model as one element, and is written.

A shard as the element makes order, restart and memory a matter of one file, on every runner: nothing is grouped or sorted,
and no more than a shard is in memory in each process.
"""

import atexit
import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Optional

import apache_beam as beam
from apache_beam.ml.inference.base import ModelHandler, PredictionResult, RunInference
from apache_beam.options.pipeline_options import PipelineOptions

from components.export.entity import Entity
from components.export.published_model import PublishedModel
from pipeline import exits
from pipeline.annotation.output import Job, Output, put
from pipeline.annotation.reading import Reading, Texts, read
from pipeline.annotation.shards import Shard
from pipeline.config import Beam
from pipeline.schedule.process import Process


class Recogniser(ModelHandler[Texts, PredictionResult, PublishedModel]):
    """A published model for RunInference: the inference of a shard is the entities of each of its texts.

    Args:
      path: the model's folder, as every worker sees it, or its address elsewhere: each machine then fetches it once.
      threads: how many TensorFlow takes in each process, 0 for one a core.
      starter: the process that waits for the end.
      minimum_score: entities with a lower score are left out.
    """

    def __init__(self, path: str, threads: int, starter: Process, minimum_score: float):
        super().__init__()
        self._path, self._threads, self._starter = path, threads, starter
        self._minimum_score = minimum_score

    def load_model(self) -> PublishedModel:
        if os.getpid() != self._starter.pid:
            # What was annotated is on the disk: at a worker's end TensorFlow need not be torn down, which takes seconds.
            atexit.register(exits.leave, exits.DONE)
        return PublishedModel(self._path, self._threads)

    def run_inference(
        self,
        batch: Sequence[Texts],
        model: PublishedModel,
        inference_args: Optional[dict[str, Any]] = None,
    ) -> list[PredictionResult]:
        return [PredictionResult(texts, self._entities(texts, model)) for texts in batch]

    def _entities(self, texts: Texts, model: PublishedModel) -> list[tuple[Entity, ...]]:
        return model.predict(texts.texts, minimum_score=self._minimum_score)

    def batch_elements_kwargs(self) -> Mapping[str, Any]:
        return {"min_batch_size": 1, "max_batch_size": 1}  # the model takes its texts in batches

    def get_num_bytes(self, batch: Sequence[Texts]) -> int:
        return sum(len(text) for texts in batch for text in texts.texts)


def run(
    shards: Sequence[Shard],
    job: Job,
    output: Output,
    settings: Beam,
    options: PipelineOptions,
) -> None:
    """Annotates the shards; returns when all are written."""
    threads = 0 if settings.runner == "direct" and settings.workers == 1 else 1
    starter = Process.of(os.getpid())
    with beam.Pipeline(options=options) as pipeline:
        _ = (
            pipeline
            | "Shards" >> beam.Create(shards)
            | "Read" >> beam.Map(partial(_read, job.reading, starter))
            | "Recognise"
            >> RunInference(Recogniser(job.model, threads, starter, job.minimum_score))
            | "Write" >> beam.Map(partial(_write, output))
        )


def _read(reading: Reading, starter: Process, shard: Shard) -> Texts:
    # A worker may outlive whoever started it, and who starts again would do the same shards.
    if starter.is_local and not starter.is_alive:
        raise RuntimeError("the process that started this annotation has gone")
    return read(shard, reading)


def _write(output: Output, result: PredictionResult) -> None:
    put(output, result.example, result.inference)
