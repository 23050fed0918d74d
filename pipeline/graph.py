"""The graph of nodes: one definition for all orchestrators.

Names come from the modules that `tfx.v1` re-exports; `import tfx.v1` itself would also import google.cloud.aiplatform, which
takes seconds (tests/model/test_tfx_contract.py checks that they are the same)."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow_data_validation as tfdv
from ml_metadata.proto import metadata_store_pb2
from tensorflow_model_analysis.proto import config_pb2
from tfx.components import (
    Evaluator,
    ExampleValidator,
    Pusher,
    StatisticsGen,
    Trainer,
    Transform,
    Tuner,
)
from tfx.dsl.components.base import executor_spec
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.resolver import Resolver
from tfx.orchestration import pipeline
from tfx.proto import pusher_pb2, trainer_pb2, transform_pb2
from tfx.types import Channel, standard_artifacts
from tfx_bsl.public.proto import slicing_spec_pb2

from components.corpus.reading import Plan, ReadOptions, Splits, make_plan
from components.evaluation import entity_metric, resolvers
from components.evaluation.type_gate import TypeGate
from components.export import signatures
from components.ingest import features
from components.ingest.example_gen import CorpusExampleGen
from components.publishing import pusher
from components.report.component import Report
from components.validation.data_gate import DataBlessing, DataGate
from components.validation.schema_component import CuratedSchema, schema_state
from pipeline import __version__, nodes
from pipeline.code_hash import code_hash
from pipeline.config import Config
from pipeline.workdir import Workdir

PIPELINE = "tfx-ner"


@dataclass(frozen=True)
class Corpus:
    """The corpus of a run."""

    splits: Splits  # its files by split
    options: ReadOptions  # how to read them
    fingerprint: str  # hash of their content
    label: str  # name of the corpus
    vectors_content: str = ""  # hash of the pretrained vectors, "" without any
    plan: Plan | None = None  # how each file is read; made from the files where it is not given


@dataclass(frozen=True)
class _Data:
    """The nodes up to Transform, and the tokenizer's granularity, which all nodes share."""

    tokenizer: str
    example_gen: CorpusExampleGen
    statistics_gen: StatisticsGen
    schema: BaseNode
    validator: ExampleValidator
    transform: Transform
    steps: tuple[BaseNode, ...]

    def training_inputs(self) -> dict[str, Any]:
        """What Trainer and Tuner read."""
        return {
            "examples": self.transform.outputs["transformed_examples"],
            "transform_graph": self.transform.outputs["transform_graph"],
            "schema": self.schema.outputs["schema"],
            "train_args": trainer_pb2.TrainArgs(splits=["train"]),
            "eval_args": trainer_pb2.EvalArgs(splits=["dev"]),
        }


def _data_steps(config: Config, workdir: Workdir, corpus: Corpus) -> _Data:
    schema_path = config.schema_file or str(workdir.schema)
    plan = corpus.plan or make_plan(corpus.splits, corpus.options)
    tokenizer = str(plan.granularity)

    # Reads the corpus into tf.Examples, in the splits train, dev and, mostly, test.
    example_gen = CorpusExampleGen(
        corpus.splits,
        corpus.options,
        corpus.fingerprint,
        code_hash("components.ingest.example_gen"),
        plan,
    )

    # Computes statistics of each split.
    statistics_gen = StatisticsGen(
        examples=example_gen.outputs["examples"], stats_options=statistics_options(corpus.splits)
    )

    # Gives the curated schema; makes it on the first run.
    schema = CuratedSchema(
        statistics=statistics_gen.outputs["statistics"],
        path=schema_path,
        state=schema_state(schema_path),
        code=code_hash("components.validation.schema_component"),
    )

    # Validates the statistics against the schema.
    validator = ExampleValidator(
        statistics=statistics_gen.outputs["statistics"], schema=schema.outputs["schema"]
    )

    # Finds the statistics of the last accepted data, to measure drift.
    accepted_statistics = Resolver(
        strategy_class=resolvers.AcceptedStatisticsStrategy,
        statistics=Channel(
            type=standard_artifacts.ExampleStatistics, producer_component_id=statistics_gen.id
        ),
        blessing=Channel(type=DataBlessing),
        current=statistics_gen.outputs["statistics"],
    ).with_id(nodes.LATEST_ACCEPTED_STATISTICS)

    # Stops the run if the data has anomalies or drift.
    data_gate = DataGate(
        anomalies=validator.outputs["anomalies"],
        statistics=statistics_gen.outputs["statistics"],
        schema=schema.outputs["schema"],
        baseline=accepted_statistics.outputs["statistics"],
        schema_file=schema_path,
        drift_action=config.drift,
        newest=str(corpus.splits.spans[-1]) if corpus.splits.spans else "",
        code=code_hash("components.validation.data_gate"),
    )

    # Computes vocabularies on train, and turns tokens into indices.
    transform = Transform(
        examples=example_gen.outputs["examples"],
        schema=schema.outputs["schema"],
        # Nothing reads its statistics, and they take as long as the rest.
        disable_statistics=True,
        preprocessing_fn="components.features.preprocessing.preprocessing_fn",
        splits_config=transform_pb2.SplitsConfig(
            analyze=["train"], transform=list(corpus.splits.names)
        ),
        custom_config={
            "vocabulary": config.vocabulary.model_dump(),
            "schema": schema_path,
            "tokenizer": tokenizer,
            "code": code_hash("components.features.preprocessing"),
        },
    )
    transform.add_upstream_node(data_gate)

    nodes_up_to_transform = (
        example_gen,
        statistics_gen,
        schema,
        validator,
        accepted_statistics,
        data_gate,
        transform,
    )
    return _Data(
        tokenizer, example_gen, statistics_gen, schema, validator, transform, nodes_up_to_transform
    )


def statistics_options(splits: Splits) -> tfdv.StatsOptions:
    """Options of the statistics: with several spans, also statistics of the newest and of the earlier ones."""
    # Sketches, since the ids of sentences are all unique.
    options = tfdv.StatsOptions(experimental_use_sketch_based_topk_uniques=True)
    if len(splits.spans) > 1:
        by_arrival = slicing_spec_pb2.SlicingSpec(feature_keys=[features.ARRIVAL])
        options.slicing_config = slicing_spec_pb2.SlicingConfig(slicing_specs=[by_arrival])
    return options


def create_tuning(
    config: Config,
    workdir: Workdir,
    corpus: Corpus,
    connection: metadata_store_pb2.ConnectionConfig,
    trials: int,
) -> pipeline.Pipeline:
    """The pipeline that tries settings. It shares the nodes up to Transform, and their cache, with `create_pipeline`.

    Args:
      config: the configuration.
      workdir: where everything is stored.
      corpus: the corpus.
      connection: how to reach ML Metadata.
      trials: how many combinations of settings to try.
    """
    data = _data_steps(config, workdir, corpus)
    tuner = Tuner(
        tuner_fn="components.training.tune.tuner_fn",
        **data.training_inputs(),
        custom_config={
            "model": config.model.model_dump(),
            "training": config.training.model_dump(),
            "vectors": config.vectors,
            "vectors_content": corpus.vectors_content,
            "trials": trials,
            "code": code_hash("components.training.tune"),
        },
    )
    return _pipeline(config, workdir, connection, [*data.steps, tuner])


def create_pipeline(
    config: Config,
    workdir: Workdir,
    corpus: Corpus,
    connection: metadata_store_pb2.ConnectionConfig,
    serves: int | None = None,
    compare: bool = True,
) -> pipeline.Pipeline:
    """The pipeline from a corpus to a published model.

    Args:
      config: the configuration.
      workdir: where everything is stored.
      corpus: the corpus.
      connection: how to reach ML Metadata.
      serves: the version that serves now, None if there is none.
      compare: whether to compare the new model with that version.
    """
    data = _data_steps(config, workdir, corpus)
    version = str(serves or "")

    # Finds weights to start from (training.warm_start).
    warm_start = Resolver(
        strategy_class=resolvers.WarmStartStrategy,
        config={"version": version},
        model=Channel(type=standard_artifacts.Model, producer_component_id="Trainer"),
        current=data.transform.outputs["transform_graph"],
    ).with_id(nodes.WARM_START_RESOLVER)
    warm_start_nodes = (warm_start,) if config.training.warm_start else ()

    # Trains the tagger, and keeps the weights that are best on dev. After a kill it resumes from its checkpoints.
    training = {
        "model": config.model.model_dump(),
        "training": config.training.model_dump(),
        "vocabulary": config.vocabulary.model_dump(),
        "tokenizer": data.tokenizer,
        "corpus": corpus.label,
        "version": __version__,
        "vectors": config.vectors,
        "vectors_content": corpus.vectors_content,
        "code": code_hash("components.training.run"),
    }
    trainer = Trainer(
        run_fn="components.training.run.run_fn",
        **data.training_inputs(),
        base_model=warm_start.outputs["model"] if warm_start_nodes else None,
        custom_config={
            **training,
            "checkpoints": str(
                workdir.checkpoints / _checkpoint_name(training, corpus.fingerprint)
            ),
        },
    )

    # Finds the serving model.
    serving_model = Resolver(
        strategy_class=resolvers.ServingModelStrategy,
        config={"version": version if compare else ""},
        model=Channel(type=standard_artifacts.Model, producer_component_id=trainer.id),
        current=trainer.outputs["model"],
    ).with_id(nodes.SERVING_MODEL_RESOLVER)

    # Evaluates both models on the same data, and blesses the new one or not.
    evaluator = Evaluator(
        examples=data.example_gen.outputs["examples"],
        model=trainer.outputs["model"],
        baseline_model=serving_model.outputs["model"],
        schema=data.schema.outputs["schema"],
        eval_config=_eval_config(config),
        example_splits=[corpus.splits.evaluation],
    )

    # Withdraws the blessing if a single type has become much worse.
    type_gate = TypeGate(
        evaluation=evaluator.outputs["evaluation"],
        evaluator_blessing=evaluator.outputs["blessing"],
        model=trainer.outputs["model"],
        baseline_model=serving_model.outputs["model"],
        tolerance=config.gate.type_tolerance,
        support=config.gate.type_support,
        code=code_hash("components.evaluation.type_gate"),
    )

    # Publishes a blessed model.
    publisher = Pusher(
        model=trainer.outputs["model"],
        model_blessing=type_gate.outputs["blessing"],
        push_destination=pusher_pb2.PushDestination(
            filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=str(workdir.serving))
        ),
        custom_executor_spec=executor_spec.ExecutorClassSpec(pusher.Executor),
        custom_config={
            **pusher.destination(workdir.versions, config.publish.canary, config.publish.base_path),
            "code": code_hash("components.publishing.pusher"),
        },
    )

    # Computes the figures of the report. Last, since no other node needs them; runs also if the gate refuses the model.
    report = Report(
        examples=data.example_gen.outputs["examples"],
        model=trainer.outputs["model"],
        baseline_model=serving_model.outputs["model"],
        model_run=trainer.outputs["model_run"],
        statistics=data.statistics_gen.outputs["statistics"],
        anomalies=data.validator.outputs["anomalies"],
        evaluated_on=corpus.splits.evaluation,
        code=code_hash("components.report.component"),
    )
    report.add_upstream_node(publisher)

    steps = [
        *data.steps,
        *warm_start_nodes,
        trainer,
        serving_model,
        evaluator,
        type_gate,
        publisher,
        report,
    ]
    return _pipeline(config, workdir, connection, steps)


def _pipeline(
    config: Config,
    workdir: Workdir,
    connection: metadata_store_pb2.ConnectionConfig,
    steps: list[BaseNode],
) -> pipeline.Pipeline:
    return pipeline.Pipeline(
        pipeline_name=PIPELINE,
        pipeline_root=str(workdir.artifacts),
        enable_cache=True,
        metadata_connection_config=connection,
        beam_pipeline_args=config.beam.arguments(),
        components=steps,
    )


def _checkpoint_name(settings: Mapping[str, object], fingerprint: str) -> str:
    """A name that a training keeps when the workdir, the corpus or the vectors are moved."""
    relevant = {key: value for key, value in settings.items() if key not in ("corpus", "vectors")}
    text = json.dumps(relevant, sort_keys=True) + fingerprint
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _eval_config(config: Config) -> config_pb2.EvalConfig:
    overall = config_pb2.SlicingSpec()
    threshold = config_pb2.PerSliceMetricThreshold(
        slicing_specs=[overall],
        threshold=config_pb2.MetricThreshold(
            value_threshold=config_pb2.GenericValueThreshold(
                lower_bound={"value": config.gate.minimum_f1}
            ),
            change_threshold=config_pb2.GenericChangeThreshold(
                direction=config_pb2.MetricDirection.HIGHER_IS_BETTER,
                absolute={"value": -config.gate.tolerance},
            ),
        ),
    )
    # TFMA looks up a metric's thresholds by the name in its config, so that has to be the name of the F1 value.
    metric = config_pb2.MetricConfig(
        class_name=entity_metric.EntityScores.__name__,
        module=entity_metric.__name__,
        per_slice_thresholds=[threshold],
        config=json.dumps(
            {
                "name": entity_metric.metric_name("f1"),
                "code": code_hash("components.evaluation.entity_metric"),
            }
        ),
    )
    return config_pb2.EvalConfig(
        model_specs=[
            config_pb2.ModelSpec(signature_name=signatures.EXAMPLES, label_key=features.TAGS)
        ],
        slicing_specs=[overall, config_pb2.SlicingSpec(feature_keys=[features.LENGTH])],
        metrics_specs=[config_pb2.MetricsSpec(metrics=[metric])],
    )
