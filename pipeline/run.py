"""One run of the pipeline, from a request to an outcome."""

import datetime
import json
import logging
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from components import atomic_io, progress, tf_runtime
from components.corpus.text_files import content_hash
from components.errors import UserError, find_user_error, last_line
from components.publishing import versions
from components.settings import set_key
from components.tagger import vectors
from components.training.subprocess_trainer import TF_CONFIG, parse_tf_config
from components.validation import curated_schema
from pipeline import metadata_store, nodes, preflight, remote_inputs, report
from pipeline.config import Config, with_settings
from pipeline.console import RunConsole
from pipeline.history import cleanup, runs
from pipeline.outcome import Outcome, PartialOutcome
from pipeline.workdir import Workdir

if TYPE_CHECKING:
    from ml_metadata.proto.metadata_store_pb2 import ConnectionConfig
    from tfx.orchestration.pipeline import Pipeline

    from pipeline.graph import Corpus

_RUN_NAME = "%Y%m%d-%H%M%S-%f"


class Failure(Exception):
    """A node failed, and not by the user's data. The message names the node, the reason and the log."""

    def __init__(self, node: str, error: str, log: Path):
        super().__init__(f"{node} failed: {error}. Details are in the log: {log}")


@dataclass(frozen=True)
class RunRequest:
    """What the user asks of a run."""

    config: Config  # the configuration as given
    corpus_path: str  # the corpus, a file or a folder
    label: str  # the name of the corpus
    # how many settings to try first; the best are used by this run and later ones. 0 for no search.
    trials: int = 0
    reason: str = runs.BY_HAND  # why the run starts, for the history
    force_baseline: bool = False  # whether to skip the comparison with the serving model
    until: str = ""  # the node to stop after, one of `pipeline.nodes.NODES`; "" to run all


@dataclass(frozen=True)
class ResolvedConfig:
    """The configuration of a run."""

    asked: Config  # as given, with absolute paths; kept with the run
    local: Config  # with local copies in place of remote files; what the nodes get

    def with_settings(self, settings: dict[str, float | int]) -> "ResolvedConfig":
        """The configuration with some settings replaced, by dotted key."""
        return ResolvedConfig(
            with_settings(self.asked, settings), with_settings(self.local, settings)
        )


@dataclass(frozen=True)
class _RunContext:
    """What the steps of one run share."""

    request: RunRequest  # what the user asks
    workdir: Workdir  # where the pipeline lives
    connection: "ConnectionConfig"  # how to reach ML Metadata
    folder: Path  # the run's own folder in the workdir
    record: runs.Record  # the run's record in the history
    survey: preflight.Survey  # the content of the corpus
    console: RunConsole  # shows progress

    @property
    def log(self) -> Path:
        return self.folder / "log.txt"


class NodeRecorder:
    """Keeps what became of the nodes, and writes all events to a file of JSON lines.

    Args:
      event_log: the file, None to write none.

    Attributes:
      nodes: the nodes that ended, in that order.
      failure: the first failure, None if there was none.
    """

    def __init__(self, event_log: Path | None = None) -> None:
        self._event_log = event_log
        self.nodes: tuple[progress.NodeEnded, ...] = ()
        self.failure: progress.NodeFailed | None = None

    @property
    def executions(self) -> dict[str, int]:
        """The id in ML Metadata of each node's execution."""
        return {node.node: node.execution for node in self.nodes}

    def handle(self, event: progress.Event) -> None:
        """Takes an event of `components.progress`."""
        if self._event_log:
            with self._event_log.open("a", encoding="utf-8") as file:
                file.write(progress.to_json(event) + "\n")
        if isinstance(event, progress.NodeEnded):
            self.nodes += (event,)
        elif isinstance(event, progress.NodeFailed):
            self.failure = self.failure or event


def run(request: RunRequest, console: RunConsole) -> Outcome | PartialOutcome:
    """Runs the pipeline once.

    Args:
      request: what to run.
      console: shows progress.

    Returns:
      The outcome; a PartialOutcome if the request says where to stop.

    Raises:
      BusyError: another run holds the workdir.
      UserError: bad settings or data, or data that does not fit the curated schema.
      Failure: a node failed for another reason.
      StorageError: remote storage cannot be reached. A version that was published is copied there by the next run.
      StoreError: ML Metadata cannot be read or written.
    """
    if request.until and request.trials:
        raise UserError(f"--until {request.until}: found --tune too; expected one of them")
    workdir = Workdir(Path(request.config.workdir).resolve(), request.config.name)
    config = resolve_config(request, workdir, console)
    workdir.make()
    connection = metadata_store.connection(config.local.metadata, workdir)
    with workdir.locked(), cleanup.around_run(connection, workdir, config.local.keep):
        folder = _make_run_folder(workdir.runs)
        _write_config(config, folder)
        record = runs.start_record(
            connection,
            folder.name,
            config.asked,
            str(workdir.root),
            request.label,
            _data_path(request, config),
            request.reason,
        )
        with runs.recording_errors(record):
            # Bad lines are refused here, before TFX is imported.
            survey = _survey(request, config.local, folder, console)
            record.add(
                data_hash=survey.fingerprint,
                sentences=survey.sentences,
                spans=survey.splits.span_numbers,
            )
            context = _RunContext(request, workdir, connection, folder, record, survey, console)
            if request.trials:
                config = _tune(config, context)
            outcome, recorder = _execute(config.local, context)
            _write_outcome(outcome, folder)
            if isinstance(outcome, Outcome):
                address = config.local.publish.copy_to
                remote_inputs.publish(workdir.versions, address, console.show_transfer)
        record.end(outcome.verdict, outcome.code, **outcome.history_fields())
        if isinstance(outcome, Outcome):
            outcome = _with_report(outcome, recorder, config.local, context)
            _write_outcome(outcome, folder)
        return outcome


def resolve_config(request: RunRequest, workdir: Workdir, console: RunConsole) -> ResolvedConfig:
    """Fetches remote inputs and checks, before time is spent, that schema and vectors can be read.

    Raises:
      UserError: one of them cannot, or this machine is not the chief of the cluster.
      StorageError: remote storage cannot be reached.
    """
    local = remote_inputs.fetched(request.config, workdir, console.show_transfer)
    if local.schema_file is not None:
        local = local.model_copy(update={"schema_file": str(Path(local.schema_file).resolve())})
    if local.schema_file is not None or workdir.schema.exists():
        curated_schema.read_schema(local.schema_file or workdir.schema)
    if local.vectors is not None:
        local = local.model_copy(update={"vectors": str(Path(local.vectors).resolve())})
        vectors.dimensions_of(local.vectors)
    if local.training.distribute == "multi-worker":
        _refuse_unless_chief(request.trials)
    return ResolvedConfig(remote_inputs.as_given(local, request.config), local)


def _refuse_unless_chief(trials: int) -> None:
    task = parse_tf_config(os.environ.get(TF_CONFIG))
    if task.rank:
        raise UserError(
            f"{TF_CONFIG}: this machine is not the chief; expected `tfx-ner worker` here, and"
            f" the run on {task.chief}"
        )
    if trials:
        raise UserError(
            "--tune: found training.distribute=multi-worker; expected none or mirrored, since"
            " workers train only once"
        )


def _data_path(request: RunRequest, config: ResolvedConfig) -> str:
    """The address of remote data, or the absolute path of local data."""
    if config.asked.data != config.local.data:
        return str(config.asked.data)
    return os.path.abspath(config.local.data or request.corpus_path)


def _survey(
    request: RunRequest, config: Config, folder: Path, console: RunConsole
) -> preflight.Survey:
    """Reads the corpus and shows its sizes. Sentences that are left out are written into the run's folder."""
    path, left_out = config.data or request.corpus_path, folder / "left-out.jsonl"
    survey = preflight.survey_corpus(path, config.read_options, left_out, config.choice)
    console.show_corpus(survey, request.label, left_out)
    return survey


def _tune(config: ResolvedConfig, context: _RunContext) -> ResolvedConfig:
    """Searches for settings, keeps the best in the workdir, and returns the configuration with them."""
    with context.console.logging_to(context.log):
        corpus = _start_tfx(config.local, context)
        from pipeline import graph, outcome_reader

        pipeline = graph.create_tuning(
            config.local, context.workdir, corpus, context.connection, context.request.trials
        )
        recorder = _run_nodes(pipeline, config.local, f"{context.folder.name}.tuning", context)
        best = outcome_reader.best_settings(context.connection, recorder.executions)
        groups: dict[str, Any] = {}
        for key, value in best.items():
            set_key(groups, key, value)
        atomic_io.write_text(context.workdir.tuned, yaml.safe_dump(groups, sort_keys=True))
        context.console.show_tuned(context.workdir.tuned)
    config = config.with_settings(dict(best))
    _write_config(config, context.folder)
    return config


def _execute(config: Config, context: _RunContext) -> tuple[Outcome | PartialOutcome, NodeRecorder]:
    """Runs the pipeline and reads its outcome."""
    request, folders = context.request, context.workdir.versions
    serving_version = versions.serving(folders)
    with context.console.logging_to(context.log):
        corpus = _start_tfx(config, context)
        from pipeline import graph, outcome_reader

        pipeline = graph.create_pipeline(
            config,
            context.workdir,
            corpus,
            context.connection,
            serving_version,
            compare=not request.force_baseline,
        )
        recorder = _run_nodes(pipeline, config, context.folder.name, context)
        if request.until:
            return PartialOutcome(request.until, recorder.nodes), recorder
        outcome = outcome_reader.read_outcome(
            context.connection,
            folders,
            recorder.executions,
            context.survey.splits,
            serving_version,
            request.force_baseline,
            recorder.nodes,
        )
        return outcome, recorder


def _start_tfx(config: Config, context: _RunContext) -> "Corpus":
    """Imports what runs nodes, and describes the corpus to it.

    Late, since TFX takes longer to import than a user should wait for an error in the configuration; and after the
    environment variables that TensorFlow reads at its import.
    """
    context.console.show_status("starting TFX")
    tf_runtime.limit_threads(config.training.threads)
    if config.training.distribute != "none":
        # Another process trains; this one must not take all memory of the GPUs.
        os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    from pipeline import engines, graph

    engines.pipeline_options(config.beam)  # refuses bad options here, before the first node does
    survey, label = context.survey, context.request.label
    vectors_content = content_hash(config.vectors) if config.vectors else ""
    return graph.Corpus(
        survey.splits, config.read_options, survey.fingerprint, label, vectors_content, survey.plan
    )


def _run_nodes(
    pipeline: "Pipeline", config: Config, run_id: str, context: _RunContext
) -> NodeRecorder:
    """Runs the nodes of a pipeline, and raises UserError or Failure if one fails, unless that is the report."""
    from pipeline import launch

    recorder = NodeRecorder(context.folder / "events.jsonl")
    with progress.listening(recorder.handle), progress.listening(context.console.handle):
        try:
            launch.run_graph(pipeline, config.orchestrator, run_id, context.request.until)
        except Exception as error:  # what a node raised, perhaps wrapped by Beam
            failure = recorder.failure
            if failure and failure.node == nodes.REPORT:
                # The model is published; `_with_report` says that there is no report.
                return recorder
            cause = failure.error if failure else error
            message = find_user_error(cause)
            if message:
                raise UserError(message) from error
            logging.getLogger().exception("the run failed")
            node = failure.node if failure else "the orchestrator"
            raise Failure(node, last_line(cause), context.log) from error
    return recorder


def _with_report(
    outcome: Outcome, recorder: NodeRecorder, config: Config, context: _RunContext
) -> Outcome:
    """The outcome with its report. An error here is shown and does not change how the run ended."""
    from pipeline import outcome_reader
    from pipeline.history import artifacts

    with context.console.logging_to(context.log):
        context.console.show_status("writing the report")
        try:
            if recorder.failure:
                raise recorder.failure.error
            store = metadata_store.opened(context.connection)
            facts = context.record.facts
            earlier = [
                other.facts
                for other in runs.load_runs(store, context.workdir)
                if other.name != facts.run
            ]
            measured = outcome_reader.read_figures(context.connection, recorder.executions)
            spans = context.survey.spans
            tokenizer = str(context.survey.plan.granularity)
            config = config.model_copy(update={"tokenizer": tokenizer})
            figures = report.assemble(measured, spans, facts, config, outcome, earlier)
            page = report.write(figures, context.workdir.reports)
            artifacts.record_page(store, facts.run, recorder.executions[nodes.REPORT], page.parent)
        except Exception as error:
            logging.getLogger().exception("no report")
            context.console.show_missing_report(last_line(error), context.log)
            return outcome
    return replace(outcome, report=str(page))


def _make_run_folder(runs: Path) -> Path:
    """Makes a folder named by the time. The name sorts after all others, also when the clock was set back."""
    now = datetime.datetime.now()
    for name in sorted((path.name for path in runs.iterdir()), reverse=True):
        try:
            newest = datetime.datetime.strptime(name, _RUN_NAME)
        except ValueError:  # not a run's folder
            continue
        now = max(now, newest + datetime.timedelta(microseconds=1))
        break
    folder = runs / now.strftime(_RUN_NAME)
    folder.mkdir()
    return folder


def _write_config(config: ResolvedConfig, folder: Path) -> None:
    atomic_io.write_text(folder / "config.yaml", config.asked.dump())


def _write_outcome(outcome: Outcome | PartialOutcome, folder: Path) -> None:
    text = json.dumps(outcome.as_dict(), indent=1, ensure_ascii=False) + "\n"
    atomic_io.write_text(folder / "outcome.json", text)
