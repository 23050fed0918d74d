"""One run of the pipeline, from a configuration to an outcome."""

import contextlib
import datetime
import json
import logging
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Optional

import yaml

from components import tf_runtime
from components.corpus.reading import ReadOptions
from components.corpus.text_files import content_hash
from components.errors import UserError
from components.publishing import versions
from components.settings import Training
from components.tagger import vectors
from components.training import cluster
from components.validation import curated_schema
from pipeline import metadata_store, nodes, preflight, remote_inputs, report
from pipeline.config import Config, with_settings
from pipeline.console import RunConsole
from pipeline.history import cleanup, record
from pipeline.history.facts import Facts
from pipeline.outcome import PartialOutcome
from pipeline.workdir import Workdir

_CAUSED_BY = "Caused by: "


class Failure(Exception):
    """A node failed for a reason that is not the user's data; says which, why, and where the whole story is."""

    def __init__(self, node: str, error: str, log: Path):
        super().__init__(f"{node} failed: {error}. The log has the whole story: {log}")


def run(
    config: Config,
    corpus_path: str,
    label: str,
    console: RunConsole,
    trials: int = 0,
    because: str = record.BY_HAND,
    force_baseline: bool = False,
    until: str = "",
):
    """Runs the pipeline once and returns its `pipeline.outcome.Outcome`; with `until`, a `pipeline.outcome.PartialOutcome`.

    Args:
      config: the configuration, kept with the run.
      corpus_path: the corpus, a file or a folder.
      label: what to call the corpus.
      console: tells the user how far it is.
      trials: how many settings to try before, on the same data; the best ones are used, and kept for later runs.
      because: why it is run, for the history.
      force_baseline: whether the new model is not to be compared with the one that serves.
      until: the node to stop after, one of `pipeline.nodes.NODES`; "" to go to the end.

    Raises:
      UserError: bad data, or data that breaks the contract.
      Failure: any other failure of a node.
      StorageError: what lies elsewhere cannot be reached; a version that was published is copied there by the next run.
      StoreError: ML Metadata cannot be read or written.
    """
    if until and trials:
        raise UserError(
            f"--until {until}: found --tune beside it; the search goes before a whole run, expected one of them"
        )
    workdir = Workdir(Path(config.workdir).resolve(), config.name)
    given, config = config, remote_inputs.fetched(config, workdir, console.elsewhere)
    corpus_path = config.data or corpus_path
    config = _with_checked_vectors(_with_checked_schema(config, workdir))
    if config.training.distribute == "multi-worker":
        _refuse_unless_chief(trials)
    workdir.make()
    connection = metadata_store.connection(config.metadata, workdir)
    with workdir.locked(), cleanup.around_run(connection, workdir, config.keep):
        folder = _new_folder(workdir.runs)
        kept, asked = folder / "config.yaml", remote_inputs.as_given(config, given)
        kept.write_text(asked.dump(), encoding="utf-8")
        data = os.path.abspath(corpus_path) if asked.data == config.data else asked.data
        remembered = record.begun(
            connection, folder.name, asked, str(workdir.root), label, data, because
        )
        with record.ending(remembered):
            options = config.read_options
            found = preflight.look(corpus_path, options, folder / "left-out.jsonl", config.choice)
            spans = [
                {"number": span.number, "version": span.version} for span in found.splits.spans
            ]
            remembered.add(data_hash=found.fingerprint, sentences=found.sentences, spans=spans)
            console.surveyed(found, label, folder)
            with console.capturing(folder / "log.txt"):
                serves = versions.serving(workdir.versions)
                work = _Work(
                    workdir,
                    connection,
                    found,
                    options,
                    label,
                    console,
                    folder,
                    serves,
                    force_baseline,
                    until,
                )
                if trials:
                    config = _tune(config, work, trials)
                    kept.write_text(remote_inputs.as_given(config, given).dump(), encoding="utf-8")
                outcome = _run(config, work)
            _keep(outcome, folder)
            if not until:
                remote_inputs.publish(workdir.versions, config.publish.copy_to, console.elsewhere)
        remembered.end(outcome.verdict, outcome.code, **outcome.remembered)
        if until:
            return outcome
        with console.capturing(folder / "log.txt"):
            outcome = _with_report(outcome, remembered.facts, config, work)
        _keep(outcome, folder)
        return outcome


def _with_checked_schema(config: Config, workdir: Workdir) -> Config:
    """The configuration with the whole path of its schema. Raises UserError if that is none, before time is spent."""
    if config.schema_file is None:
        if workdir.schema.exists():
            curated_schema.read(workdir.schema)
        return config
    path = Path(config.schema_file).resolve()
    curated_schema.read(path)
    return config.model_copy(update={"schema_file": str(path)})


def _with_checked_vectors(config: Config) -> Config:
    """The configuration with the whole path of its vectors. Raises UserError if the file holds none, as its first lines show."""
    if config.vectors is None:
        return config
    path = str(Path(config.vectors).resolve())
    vectors.dimensions_of(path)
    return config.model_copy(update={"vectors": path})


def _refuse_unless_chief(trials: int) -> None:
    """Raises UserError unless TF_CONFIG gives the run other machines to train with, and it can have them."""
    place = cluster.place(os.environ.get(cluster.VARIABLE))
    if place.number:
        raise UserError(
            f"{cluster.VARIABLE} says that this is not the chief; expected `tfx-ner worker` here, and the run on {place.chief}"
        )
    if trials:
        raise UserError(
            "--tune: the other machines train along once and no more; expected training.distribute=none or mirrored beside it"
        )


def _new_folder(runs: Path) -> Path:
    """A folder for this run, named by the time it starts; its name is behind those there, also when the clock was set back."""
    now, form = datetime.datetime.now(), "%Y%m%d-%H%M%S-%f"
    for name in sorted((path.name for path in runs.iterdir()), reverse=True):
        with contextlib.suppress(ValueError):  # a folder that is not a run's
            now = max(
                now, datetime.datetime.strptime(name, form) + datetime.timedelta(microseconds=1)
            )
            break
    folder = runs / now.strftime(form)
    folder.mkdir()
    return folder


@dataclass(frozen=True)
class _Work:
    """What a run is done with, beside its configuration."""

    workdir: Workdir
    connection: object  # of ML Metadata
    found: preflight.Survey
    options: ReadOptions
    label: str
    console: RunConsole
    folder: Path
    serves: Optional[int]  # the version that does, before the run
    force_baseline: bool
    until: str  # the node to stop after, "" for none


def _run(config: Config, work: _Work):
    """Executes the pipeline and reads its outcome."""
    _execute(config, work)
    console = work.console
    if work.until:
        return PartialOutcome(work.until, console.nodes)
    from pipeline import outcome_reader

    return outcome_reader.read(
        work.connection,
        work.workdir.versions,
        console.executions,
        work.found.splits,
        work.serves,
        work.force_baseline,
        console.nodes,
    )


def _keep(outcome, folder: Path) -> None:
    """Writes the outcome into the run's folder; it is there whole or not at all."""
    partial = folder / "outcome.partial"
    partial.write_text(
        json.dumps(outcome.as_dict(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    partial.replace(folder / "outcome.json")


def _with_report(outcome, facts: Facts, config: Config, work: _Work):
    """The outcome with its report. Where there can be none, that is told and no more: the run has ended as it has."""
    from pipeline import outcome_reader
    from pipeline.history import pages, runs

    console = work.console
    console.working("writing the report")
    try:
        if console.failure:
            raise console.failure.error
        earlier = [
            one.facts
            for one in runs.load_runs(metadata_store.opened(work.connection), work.workdir)
            if one.name != facts.run
        ]
        measured = outcome_reader.measured(work.connection, console.executions)
        page = report.write(
            report.assemble(measured, work.found.spans, facts, config, outcome, earlier),
            work.workdir.reports,
        )
        pages.keep(
            metadata_store.opened(work.connection),
            facts.run,
            console.executions[nodes.REPORT],
            page.parent,
        )
    except Exception as error:  # whatever it is
        logging.getLogger().exception("no report")
        console.no_report(last_line(error), work.folder / "log.txt")
        return outcome
    return replace(outcome, report=str(page))


def _tune(config: Config, work: _Work, trials: int) -> Config:
    """Searches for settings, keeps the best in the workdir, and returns the configuration with them."""
    _execute(config, work, trials)
    from pipeline import outcome_reader

    best = outcome_reader.best_settings(work.connection, work.console.executions)
    groups: dict[str, dict] = {}
    for key, value in best.items():
        group, _, name = key.partition(".")
        groups.setdefault(group, {})[name] = value
    partial = work.workdir.tuned.with_suffix(".partial")
    partial.write_text(yaml.safe_dump(groups, sort_keys=True), encoding="utf-8")
    partial.replace(work.workdir.tuned)
    work.console.tuned(work.workdir.tuned)
    return with_settings(config, best)


def _execute(config: Config, work: _Work, trials: int = 0) -> None:
    """Runs every node of the pipeline, or of the search over `trials` settings."""
    # Imported here: TFX takes longer to import than a user waits for an error in the configuration.
    console = work.console
    console.working("starting TFX")
    _prepare_tensorflow(config.training)
    from pipeline import engines, graph, orchestrators

    engines.pipeline_options(config.beam)  # refused here, not by the first node
    vectors_content = content_hash(config.vectors) if config.vectors else ""
    corpus = graph.Corpus(
        work.found.splits,
        work.options,
        work.found.fingerprint,
        work.label,
        vectors_content,
        work.found.plan,
    )
    steps = (
        graph.create_tuning(config, work.workdir, corpus, work.connection, trials)
        if trials
        else graph.create_pipeline(
            config, work.workdir, corpus, work.connection, work.serves, not work.force_baseline
        )
    )
    try:
        run_name = f"{work.folder.name}{'.tuning' if trials else ''}"
        orchestrators.execute(steps, config.orchestrator, run_name, work.until)
    except Exception as error:  # whatever a node raised, through Beam or not
        cause = console.failure.error if console.failure else error
        if console.failure and console.failure.node == nodes.REPORT:
            return  # the last one, and what came of the run is there without it
        told = user_error(cause)
        if told:
            raise UserError(told) from error
        logging.getLogger().exception("the run failed")
        node = console.failure.node if console.failure else "the orchestrator"
        raise Failure(node, last_line(cause), work.folder / "log.txt") from error


def _prepare_tensorflow(training: Training) -> None:
    """Tells TensorFlow what it takes from the environment, before it is imported: how many threads it may have and, where another
    process trains, not to take all memory of the GPUs."""
    tf_runtime.limit_threads(training.threads)
    if training.distribute != "none":
        os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")


def user_error(error: Optional[BaseException]) -> Optional[str]:
    """The message of the UserError behind an exception, None if there is none.

    Beam raises errors of its workers anew, as text with the place in its graph behind it.
    """
    marker = f"{UserError.__name__}: "
    while error is not None:
        if isinstance(error, UserError):
            return _without_beam(str(error))
        text = str(error)
        if marker in text:
            return _without_beam(text[text.rindex(marker) + len(marker) :])
        error = error.__cause__ or error.__context__
    return None


def _without_beam(text: str) -> str:
    return text.partition(" [while running")[0].partition("\n")[0].strip()


def last_line(error: BaseException) -> str:
    """What an exception says in the end: Beam puts the whole traceback of a worker before it. A trace of Java's, as from Flink, ends
    with calls, and says last by what it was caused."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    causes = [line.removeprefix(_CAUSED_BY) for line in lines if line.startswith(_CAUSED_BY)]
    return (causes or lines or [type(error).__name__])[-1]
