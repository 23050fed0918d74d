"""Options that several commands share, the workdir that they name, and how commands write their files."""

import functools
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from components.errors import UserError, warn
from components.storage.remote import refuse_address
from pipeline import durations
from pipeline.nodes import NODES, RENAMED_NODES

if TYPE_CHECKING:
    from ml_metadata import MetadataStore

    from components.corpus.options import ReadOptions
    from pipeline.config import Config
    from pipeline.workdir import Workdir


class Duration(click.ParamType):
    """A length of time such as 90s, 30m, 6h or 7d; the command gets it in seconds."""

    name = "duration"

    def convert(self, value: Any, param: Any, ctx: click.Context | None) -> int:
        try:
            return value if isinstance(value, int) else durations.seconds(value)
        except ValueError as error:
            raise UserError(f"{param.opts[0]} {value}: {error}") from None


def settings(example: str, config: str = "YAML file of settings.") -> Callable:
    """`--config` and `--set`, passed as `config_file` and `assignments`.

    Args:
      example: an assignment, for the help.
      config: the help of `--config`.
    """
    help_text = f"Override one setting, as in {example}; may be repeated."

    def add(command: Callable) -> Callable:
        command = click.option(
            "--set", "assignments", metavar="KEY=VALUE", multiple=True, help=help_text
        )(command)
        return click.option("--config", "config_file", metavar="FILE", help=config)(command)

    return add


@dataclass(frozen=True)
class RunOptions:
    """The options of a run."""

    data: str | None
    config_file: str | None
    assignments: tuple[str, ...]
    workdir: str | None
    orchestrator: str | None

    def load(self) -> "Config":
        """The configuration that they give. Raises UserError if they are not valid."""
        from pipeline import config

        return config.load(
            self.config_file,
            self.assignments,
            {"data": self.data, "workdir": self.workdir, "orchestrator": self.orchestrator},
        )


def run(command: Callable) -> Callable:
    """The options of a run, passed as one argument, `given`: a `RunOptions`."""

    @click.option(
        "--data",
        metavar="PATH",
        help="Labelled text: a file, a folder, or a folder of spans (span-1, …), local or on s3://,"
        " gs:// or hdfs://; by default the starter corpus.",
    )
    @settings("training.epochs=5")
    @click.option("--workdir", metavar="DIR", help="Folder for all output; by default ./work.")
    @click.option(
        "--orchestrator",
        type=click.Choice(["beam", "local"]),
        help="What runs the nodes: TFX's BeamDagRunner (the default) or LocalDagRunner.",
    )
    @functools.wraps(command)
    def with_options(
        data: str | None,
        config_file: str | None,
        assignments: tuple[str, ...],
        workdir: str | None,
        orchestrator: str | None,
        **others: Any,
    ) -> Any:
        given = RunOptions(data, config_file, assignments, workdir, orchestrator)
        return command(given=given, **others)

    return with_options


def workdir(command: Callable) -> Callable:
    """The options that name a workdir, passed as `work` (a Workdir) and `settings` (a Config)."""

    @click.option("--workdir", metavar="DIR", help="The workdir; by default ./work.")
    @settings("name=ner", "YAML file of settings; by default those of the newest run.")
    @functools.wraps(command)
    def with_workdir(
        workdir: str | None, config_file: str | None, assignments: tuple[str, ...], **others: Any
    ) -> Any:
        refuse_unwritable(others.get("json_file"))
        work, settings = find_workdir(workdir, config_file, assignments)
        return command(work=work, settings=settings, **others)

    return with_workdir


def find_workdir(
    root: str | None, config_file: str | None, assignments: tuple[str, ...]
) -> tuple["Workdir", "Config"]:
    """The workdir and its configuration, so that the model's name and the database need not be given again.

    Args:
      root: the path of the workdir; None for the one of the configuration.
      config_file: a YAML file of settings. Without it and without `assignments`, the settings are those
        of the newest run in the workdir.
      assignments: settings as KEY=VALUE.

    Raises UserError if the workdir has no runs.
    """
    from pipeline import config
    from pipeline.workdir import Workdir

    settings = config.load(config_file, assignments, {"workdir": root})
    found = Workdir(Path(settings.workdir).resolve(), settings.name)
    if not found.runs.is_dir():
        raise UserError(
            f"{settings.workdir}: no run has been here; name the workdir of a run with --workdir"
        )
    if not config_file and not assignments:
        settings = config.of_newest_run(found.runs) or settings
    return Workdir(found.root, settings.name), settings


def open_metadata(
    work: "Workdir", settings: "Config", update_paths: bool = False
) -> "MetadataStore":
    """Opens ML Metadata. With `update_paths`, its paths are updated first if the workdir was moved.

    Raises UserError if no run has been recorded.
    """
    from pipeline import metadata_store

    if settings.metadata.kind == "sqlite" and not work.metadata.exists():
        raise UserError(
            f"{work.root}: no run has been recorded here; name the workdir of a run with --workdir"
        )
    connection = metadata_store.connection(settings.metadata, work)
    if update_paths:
        from pipeline.history import relocation

        return relocation.open_store(work, connection)
    return metadata_store.opened(connection)


reading = click.option(
    "--set",
    "assignments",
    metavar="KEY=VALUE",
    multiple=True,
    help="How to read the corpus: scheme=IOB1, bad_lines=skip, encoding=cp1252; may be repeated.",
)


def _refuse_nan(context: click.Context, parameter: click.Parameter, value: float) -> float:
    """Refuses NaN, which `click.FloatRange` accepts: it compares as neither below nor above."""
    if math.isnan(value):
        raise click.BadParameter("nan is not in the range 0<=x<=1.", context, parameter)
    return value


minimum_score = click.option(
    "--minimum-score",
    type=click.FloatRange(0, 1),
    default=0.0,
    metavar="SCORE",
    callback=_refuse_nan,
    help="Leave out entities whose score is below this, from 0 to 1.  [default: 0, all entities]",
)
json_file = click.option(
    "--json", "json_file", metavar="FILE", help="Write the figures as JSON; - is standard output."
)


class _Node(click.Choice):
    """The id of a node; takes the ids of the last release with a warning."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value in RENAMED_NODES and RENAMED_NODES[value] in self.choices:
            warn(f"--until {value}: this node is now {RENAMED_NODES[value]}")
            value = RENAMED_NODES[value]
        return super().convert(value, param, ctx)


def until(help_text: str) -> Callable:
    """`--until`, the node to stop after."""
    help_text = f"{help_text} NODE is one of {', '.join(NODES)}."
    return click.option("--until", type=_Node(NODES), metavar="NODE", help=help_text)


def reason(help_text: str, default: str = "") -> Callable:
    """`--reason`, with the hidden old name `--because`, which is read for one release."""

    def use_old_name(context: click.Context, _: click.Parameter, value: str | None) -> None:
        if value is not None:
            warn("--because is now --reason")
            context.default_map = {**(context.default_map or {}), "reason": value}

    def add(command: Callable) -> Callable:
        command = click.option(
            "--because", callback=use_old_name, expose_value=False, hidden=True, is_eager=True
        )(command)
        return click.option(
            "--reason", metavar="TEXT", default=default, show_default=bool(default), help=help_text
        )(command)

    return add


class WithDefault(click.Group):
    """A group of commands that runs its first command by default."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or args[0] not in {*self.commands, *ctx.help_option_names}:
            args = [next(iter(self.commands)), *args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


def read_options(assignments: tuple[str, ...]) -> "ReadOptions":
    """How to read a corpus, from `--set`. Raises UserError for another key or a bad value."""
    from components.corpus.options import ReadOptions
    from pipeline import config

    loaded = config.load(None, assignments, {})
    *keys, last = ReadOptions.model_fields
    for assignment in assignments:
        if assignment.partition("=")[0] not in ReadOptions.model_fields:
            raise UserError(f"--set {assignment}: expected {', '.join(keys)} or {last} here")
    return loaded.read_options


def fetched(path: str) -> str:
    """The path of a local file; of a remote one, a copy in the user's cache. Prints a line when it copies."""
    from components.storage import copies

    return copies.local_copy(path, log=lambda line: click.echo(line, err=True))


def refuse_unwritable(*files: str | None) -> None:
    """Raises UserError if a file cannot be written, before time is spent on its content."""
    for file in files:
        refuse_address("cannot write to", file, "Write it there, and copy it")
        path = Path(file or "-")
        if file not in (None, "", "-") and (path.is_dir() or not path.absolute().parent.is_dir()):
            raise UserError(f"{file}: cannot write there; name a file in a folder that exists")


def write_json(figures: Mapping[str, object], file: str | None) -> None:
    """Writes figures as JSON to `file` unless that is None. Raises UserError if it cannot be written."""
    if not file:
        return
    text = json.dumps(figures, ensure_ascii=False, indent=1) + "\n"
    if file == "-":
        click.echo(text, nl=False)
    else:
        write_text(text, file)


def write_text(text: str, file: str) -> None:
    """Writes a file. Raises UserError if it cannot be written."""
    try:
        Path(file).write_text(text, encoding="utf-8")
    except OSError as error:
        problem = f"cannot write ({error.strerror}); name a file that can be written"
        raise UserError(f"{file}: {problem}") from None
