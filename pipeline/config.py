"""The configuration of a run, from YAML and `--set KEY=VALUE`, validated by pydantic. Does not import TFX."""

import difflib
import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator

from components.corpus.data_spans import Rules
from components.corpus.find_corpus import Choice
from components.corpus.options import ReadOptions
from components.errors import UserError, warn
from components.settings import (
    RENAMED_KEYS,
    Card,
    Gate,
    Keep,
    Model,
    Publish,
    Settings,
    Spans,
    Training,
    Vocabulary,
    rename_keys,
    set_key,
)
from components.storage.remote import is_address, is_remote, refuse_address
from pipeline import durations
from pipeline.workdir import Workdir

# Beam's DirectRunner would try Prism first, a program that it downloads.
LOCAL_RUNNER = "FnApiRunner"
# Without an image for Beam's workers TFX packs its own sources before each node. The workers of the local runner
# are this process, so the name of the image does not matter.
_NOTHING_TO_PACK = "--sdk_container_image=none"

# Where the starter corpus and its schema are: in a checkout, or in an installed wheel.
_STARTER_ROOTS = (
    Path(__file__).resolve().parent.parent,
    Path(__file__).resolve().parent / "shipped",
)

_RUNNERS = {  # name in the settings -> class of Beam
    "flink": "pipeline.engines.FlinkRunner",
    "spark": "SparkRunner",
    "portable": "PortableRunner",
    "dataflow": "DataflowRunner",
}


class Beam(Settings):
    """How Beam runs the nodes that are Beam pipelines."""

    runner: str = "direct"
    """Beam runner of the data-parallel nodes: direct, flink, spark, portable, dataflow, or the
    class of another runner as package.module.Class."""
    workers: int = Field(1, ge=0, le=1_024)
    """Workers of the direct runner: 1 runs in this process, more are processes, 0 is one per core.
    Processes pay off on large corpora only, since each imports TFX."""
    options: tuple[str, ...] = ()
    """More options for Beam, as --name=value."""

    @field_validator("runner")
    @classmethod
    def _is_a_runner(cls, runner: str) -> str:
        name = runner.lower().removesuffix("runner")
        if name in ("direct", *_RUNNERS):
            return name
        if "." not in runner:
            names = ", ".join(("direct", *_RUNNERS))
            raise ValueError(f"expected {names}, or a runner's class as package.module.Class")
        return runner

    @field_validator("options")
    @classmethod
    def _options_are_flags(cls, options: tuple[str, ...]) -> tuple[str, ...]:
        for option in options:
            if not option.startswith("--"):
                raise ValueError(f"{option!r} is not an option of Beam; expected --name=value")
        return options

    def arguments(self) -> list[str]:
        """The command line that Beam's PipelineOptions reads."""
        if self.runner != "direct":
            return [f"--runner={_RUNNERS.get(self.runner, self.runner)}", *self.options]
        local = [f"--runner={LOCAL_RUNNER}", _NOTHING_TO_PACK]
        if self.workers != 1:
            # In processes: threads share one interpreter and gain nothing.
            local.append(f"--direct_num_workers={self.workers}")
            local.append("--direct_running_mode=multi_processing")
        return [*local, *self.options]


class Metadata(Settings):
    """Where ML Metadata is."""

    kind: Literal["sqlite", "mysql", "postgresql"] = "sqlite"
    """Database of ML Metadata; sqlite is a file in the workdir."""
    host: str = "127.0.0.1"
    """Host of the database server."""
    port: int = Field(0, ge=0, le=65_535)
    """Port of the database server, 0 for the default port of its kind."""
    database: str = Field("tfx_ner", min_length=1)
    """Name of the database."""
    user: str = ""
    """User name on the database server."""
    password: str = Field("", repr=False)
    """Password on the database server; the environment variable TFX_NER_METADATA_PASSWORD is a
    safer place."""


def _is_a_duration(text: Any) -> Any:
    durations.seconds(str(text))
    return text


_Duration = Annotated[str, BeforeValidator(_is_a_duration)]


class Schedule(Settings):
    """When `tfx-ner schedule` checks for new data, limits of a run, and notifications about its end."""

    cron: str | None = Field(None, min_length=1)
    """Times of checks as in crontab: '0 2 * * *'."""
    every: _Duration | None = None
    """Time between two checks, as 6h or 1h30m."""
    timezone: str | None = Field(None, min_length=1)
    """Time zone of cron, as Europe/Berlin; the machine's if not set."""
    poll: _Duration = "30s"
    """Time between two checks of --watch; data that changed in between is still being written."""
    limit: _Duration = "12h"
    """Longest time of a run; then it is stopped and repeated."""
    grace: _Duration = "30s"
    """Time between SIGTERM and SIGKILL when a run is stopped."""
    retries: int = Field(3, ge=0, le=100)
    """How often a failed run is repeated, unless its data is at fault: first after a minute, then
    after twice the time before, an hour at most."""
    on_success: tuple[str, ...] | None = None
    """Command or webhook address to call after a model was published; it may take 30 seconds."""
    on_failure: tuple[str, ...] | None = None
    """The same after a run failed or could not start."""
    on_refusal: tuple[str, ...] | None = None
    """The same after the gate refused a model."""

    @field_validator("on_success", "on_failure", "on_refusal", mode="before")
    @classmethod
    def _is_a_hook(cls, hook: Any) -> Any:
        """Splits a command given as one string as a shell would; no shell ever runs it."""
        words = shlex.split(hook) if isinstance(hook, str) else hook
        if words is None:
            return None
        is_list = isinstance(words, (list, tuple)) and len(words) > 0
        if not is_list or not all(word and isinstance(word, str) for word in words):
            command = "a command, as a string or a list of strings"
            raise ValueError(f"expected {command}, or a URL with http:// or https://")
        is_url = words[0].startswith(("http://", "https://"))
        if "://" in words[0] and (len(words) > 1 or not is_url):
            raise ValueError("expected one URL with http:// or https://")
        return words


_KUBERNETES_CPU = r"^\d+(\.\d+)?m?$"
_KUBERNETES_MEMORY = r"^\d+(\.\d+)?([KMGTPE]i?)?$"


class KubeflowStep(Settings):
    """Resources that a step requests from the cluster."""

    cpu: str | None = Field("2", pattern=_KUBERNETES_CPU)
    """Requested cores, as 2 or 500m; null for no request."""
    memory: str | None = Field("4Gi", pattern=_KUBERNETES_MEMORY)
    """Requested memory, which is also the limit; null for no limit."""
    gpu: int = Field(0, ge=0, le=64)
    """NVIDIA GPUs."""


class Kubeflow(Settings):
    """Kubeflow Pipelines. The fields with names of steps are the keys of `pipeline.nodes.STEPS`."""

    image: str | None = Field(None, min_length=1)
    """Container image with tfx-ner, with its tag."""
    data_claim: str = Field("ner-data", min_length=1)
    """Volume claim that is mounted at data."""
    work_claim: str = Field("ner-work", min_length=1)
    """Volume claim that is mounted at workdir."""
    secret: str | None = Field(None, min_length=1)
    """Secret whose key password holds the password of the metadata database."""
    data: KubeflowStep = KubeflowStep()
    """Step up to DataGate."""
    transform: KubeflowStep = KubeflowStep()
    """Step of Transform."""
    train: KubeflowStep = KubeflowStep()
    """Step of Trainer."""
    evaluate: KubeflowStep = KubeflowStep()
    """Step of Evaluator and TypeGate."""
    publish: KubeflowStep = KubeflowStep()
    """Step of Pusher and Report."""


class Config(ReadOptions):
    """All settings. Each run keeps its own as `config.yaml`."""

    data: str | None = Field(None, min_length=1)
    """The corpus: a file, a folder, or a folder of spans; by default the starter corpus."""
    workdir: str = Field("work", min_length=1)
    """Folder for everything that runs make."""
    name: str = Field("ner", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Name of the model on servers."""
    orchestrator: Literal["beam", "local"] = "beam"
    """What runs the nodes: beam (TFX's BeamDagRunner) or local (one after another, as TFX's
    LocalDagRunner)."""
    schema_file: str | None = Field(None, alias="schema", min_length=1)
    """Path of the curated schema; by default WORKDIR/schema/schema.pbtxt, which the first run
    makes."""
    vectors: str | None = Field(None, min_length=1)
    """File of pretrained word vectors: text as of GloVe or word2vec, or fastText's .vec, plain or
    gzip."""
    window: int | None = Field(None, ge=1)
    """Number of spans to train on, the newest ones; by default all. A span that is held out comes
    in addition."""
    spans: Spans = Spans()
    """Which spans of data are read, and when a span is complete."""
    golden: str | None = Field(None, min_length=1)
    """Labelled text, a file or a folder, to evaluate on in place of the corpus's own split."""
    drift: Literal["stop", "warn"] = "stop"
    """Whether a run stops if the data has drifted past the thresholds of the curated schema."""
    vocabulary: Vocabulary = Vocabulary()
    """What Transform counts on the train split."""
    model: Model = Model()
    """The tagger's layers."""
    training: Training = Training()
    """How the tagger is trained."""
    gate: Gate = Gate()
    """What a model must reach to be published: entity F1 on the evaluated split."""
    publish: Publish = Publish()
    """How a model that passed the gate is published."""
    keep: Keep = Keep()
    """Which old artifacts are kept."""
    card: Card = Card()
    """What the model card says that only its owner knows."""
    beam: Beam = Beam()
    """How Beam runs."""
    metadata: Metadata = Metadata()
    """Where ML Metadata is."""
    schedule: Schedule = Schedule()
    """When `tfx-ner schedule` starts runs, and whom it notifies."""
    kubeflow: Kubeflow = Kubeflow()
    """What `tfx-ner compile` writes for Kubeflow Pipelines."""

    @model_validator(mode="before")
    @classmethod
    def _take_old_keys(cls, values: Any) -> Any:
        """Configurations that were kept with runs of the last release have its keys."""
        return rename_keys(values)[0] if isinstance(values, Mapping) else values

    @field_validator("data", "vectors", "golden")
    @classmethod
    def _can_be_read(cls, path: str | None) -> str | None:
        if path and is_remote(path) and "{" in path:
            raise ValueError(
                "expected a file or a folder, which may have spans (span-1, …); patterns work on"
                " local paths only"
            )
        return path

    @field_validator("publish")
    @classmethod
    def _copies_are_elsewhere(cls, publish: Publish) -> Publish:
        if publish.copy_to and not is_remote(publish.copy_to):
            found = f"copy_to={publish.copy_to}"
            raise ValueError(f"{found}; expected an address, such as s3://bucket/models/ner")
        return publish

    @field_validator("workdir", "schema_file")
    @classmethod
    def _is_here(cls, path: str | None) -> str | None:
        if path and is_address(path):
            raise ValueError(
                "expected a local path, since files there are locked and renamed; data, golden,"
                " vectors and publish.copy_to may be remote"
            )
        return path

    @property
    def choice(self) -> Choice:
        """Which spans of the data to read, and what to evaluate on."""
        spans = self.spans
        rules = Rules(spans.marker, spans.quiet_seconds)
        held_out, gaps = spans.newest == "held-out", spans.gaps == "allow"
        return Choice(self.window, spans.first, spans.last, held_out, gaps, rules, self.golden)

    @property
    def read_options(self) -> ReadOptions:
        """How to read the corpus."""
        return ReadOptions(**{name: getattr(self, name) for name in ReadOptions.model_fields})

    def dump(self) -> str:
        """The configuration as YAML, without the groups that a run does not use, and without the password."""
        # The webhooks of the schedule are secrets too.
        values = self.model_dump(by_alias=True, mode="json", exclude={"schedule", "kubeflow"})
        values["metadata"].pop("password")
        return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)


def starter_corpus() -> Path:
    """The folder of the starter corpus."""
    return _starter_path("data/starter")


def starter_schema() -> Path:
    """The curated schema of the starter corpus."""
    return _starter_path("schema/starter.pbtxt")


def _starter_path(name: str) -> Path:
    for root in _STARTER_ROOTS:
        if (root / name).exists():
            return root / name
    raise UserError(f"{name} is not part of this installation; name a corpus with --data")


def load(file: str | None, assignments: Iterable[str], overrides: Mapping[str, Any]) -> Config:
    """Loads the configuration.

    Args:
      file: a YAML file, None for no file.
      assignments: texts `KEY=VALUE`, which override the file.
      overrides: settings by top-level key, which override both unless they are None.

    Returns:
      The configuration. The best settings of a search in the same workdir (`tuned.yaml`) are below all others.

    Raises:
      UserError: the file cannot be read, a key is unknown, or a value is not allowed.
    """
    values, origin = _read_yaml(file) if file else ({}, {})
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not key:
            example = "--set training.epochs=5"
            raise UserError(f"--set {assignment}: expected KEY=VALUE, as in {example}")
        if key in RENAMED_KEYS:
            _warn_old_keys("--set", [f"{key} is now {RENAMED_KEYS[key]}"])
            key = RENAMED_KEYS[key]
        _assign(values, key, text)
        origin[key] = "--set"
    values = _with_new_keys(values, "--set")
    values.update({key: value for key, value in overrides.items() if value is not None})
    config = _validated(values, origin)
    tuned = Workdir(Path(config.workdir), config.name).tuned
    if not tuned.exists():
        return config
    best, best_origin = _read_yaml(str(tuned))
    return _validated(_merged(best, values), {**best_origin, **origin})


def of_newest_run(runs: Path) -> Config | None:
    """The configuration of the newest of some runs that can be read; None if there is none.

    Args:
      runs: the folder of the runs.
    """
    for path in sorted(runs.glob("*/config.yaml"), reverse=True):
        try:
            return Config.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, yaml.YAMLError):
            continue  # incomplete, or written by another version of the program
    return None


def with_settings(config: Config, settings: Mapping[str, Any]) -> Config:
    """The configuration with some settings replaced, by dotted key: `{"model.dropout": 0.4}`."""
    values = config.model_dump(by_alias=True)
    for key, value in settings.items():
        set_key(values, key, value)
    return Config.model_validate(values)


def _validated(values: Mapping[str, Any], origin: Mapping[str, str]) -> Config:
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise UserError(
            "; ".join(_explain(entry, origin) for entry in error.errors()[:3])
        ) from None


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Merges two nested dicts; where both have a key, the value is that of `above`."""
    merged = dict(below)
    for key, value in above.items():
        are_groups = isinstance(value, dict) and isinstance(below.get(key), dict)
        merged[key] = _merged(below[key], value) if are_groups else value
    return merged


def _with_new_keys(values: Mapping[str, Any], source: str) -> dict[str, Any]:
    """The settings with today's keys; warns about old ones, naming `source`, where they were found."""
    try:
        renamed, notes = rename_keys(values)
    except UserError as error:
        raise UserError(f"{source}: {error}") from None
    _warn_old_keys(source, notes)
    return renamed


def _warn_old_keys(source: str, notes: list[str]) -> None:
    if notes:
        warn(f"{source}: {'; '.join(notes)}; old keys are read in this release only")


def _read_yaml(file: str) -> tuple[dict[str, Any], dict[str, str]]:
    """The settings in a YAML file, and the file and line of each key and group by dotted key."""
    refuse_address("--config", file, "Fetch the file first")
    try:
        text = Path(file).read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{file}: cannot read the configuration ({error.strerror})") from None
    except UnicodeDecodeError:
        raise UserError(f"{file}: the configuration is not text in UTF-8") from None
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        values = loader.construct_document(node) if node else None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f":{mark.line + 1}" if mark else ""
        problem = " ".join(str(getattr(error, "problem", error)).split())
        raise UserError(
            f"{file}{where}: not YAML ({problem}); expected keys and values, as in 'name: ner',"
            " with the same indentation for all keys of a group"
        ) from None
    if values is None:
        return {}, {}
    if not isinstance(values, dict):
        found = type(values).__name__
        raise UserError(f"{file}:1: found {found}; expected keys and values, as in 'name: ner'")
    # A group whose keys are all commented out is None in YAML.
    groups = {key: {} if value is None and keys([key]) else value for key, value in values.items()}
    return _with_new_keys(groups, file), dict(_lines(node, file))


def _lines(node: yaml.Node, file: str, prefix: str = "") -> Iterator[tuple[str, str]]:
    """The dotted key of each key and group in a YAML node, and its file and line."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            name = f"{prefix}{key.value}"
            yield RENAMED_KEYS.get(name, name), f"{file}:{key.start_mark.line + 1}"
            yield from _lines(value, file, f"{name}.")


def _assign(values: dict[str, Any], key: str, text: str) -> None:
    *groups, last = key.split(".")
    for group in groups:
        inner = values.setdefault(group, {})
        if not isinstance(inner, dict):
            raise UserError(f"--set {key}: {group} is a single value and has no keys in it")
        values = inner
    takes = _annotation((*groups, last))
    if takes is str or takes == str | None and text != "null":
        values[last] = text  # as it stands: a password may be 0123, a model's name 2024
        return
    try:
        values[last] = yaml.safe_load(text) if text else ""
    except yaml.YAMLError:
        values[last] = text


def _explain(error: Mapping[str, Any], origin: Mapping[str, str]) -> str:
    """A pydantic error as one line: source, key, the value found, and the values it takes."""
    *groups, name = [str(part) for part in error["loc"]] or [""]
    key = ".".join((*groups, name))
    # An error of a group may come from any key in it; the line of the group itself comes first.
    sources = [source for name, source in origin.items() if f"{name}.".startswith(f"{key}.")]
    where = f"{'--set' if '--set' in sources else sources[0]}: " if sources else ""
    if error["type"] == "extra_forbidden":
        known = keys(groups)
        close = difflib.get_close_matches(name, known, n=1)
        hint = f". Did you mean {'.'.join((*groups, *close))}?" if close else ""
        return f"{where}unknown key {key}; expected one of {', '.join(known) or 'nothing'}{hint}"
    value = error.get("input")
    is_plain = value is None or isinstance(value, (str, int, float, bool))
    found = f"found {value!r}; " if is_plain and name != "password" else ""
    if error["type"] == "model_type":
        return f"{where}{key}: {found}expected a group of keys: {', '.join(keys((*groups, name)))}"
    expected = error["msg"].removeprefix("Value error, ")
    if expected.startswith("Input should be "):
        value_is = "a value " if error["type"].startswith(("greater", "less")) else ""
        takes = expected.removeprefix("Input should be ").partition(", unable to")[0]
        expected = f"expected {value_is}{takes}"
    return f"{where}{key}: {found}{expected[0].lower()}{expected[1:]}"


def keys(groups: Iterable[str] = ()) -> tuple[str, ...]:
    """The keys of a group of settings, by default of the whole configuration; empty for an unknown group."""
    return tuple(
        field.alias or name
        for name, field in getattr(_annotation(groups), "model_fields", {}).items()
    )


def _annotation(key: Iterable[str]) -> Any:
    """The type of a setting or group; None if it does not exist."""
    takes: Any = Config
    for name in key:
        fields = getattr(takes, "model_fields", {})
        takes = next(
            (field.annotation for known, field in fields.items() if name == (field.alias or known)),
            None,
        )
    return takes
