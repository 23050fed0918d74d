"""Options that several commands share."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Optional

import click

from components.errors import UserError, warn
from components.storage.remote import refuse_address
from pipeline.nodes import NODES, RENAMED_NODES

if TYPE_CHECKING:
    from components.corpus.options import ReadOptions

reading = click.option(
    "--set",
    "assignments",
    metavar="KEY=VALUE",
    multiple=True,
    help="How to read: scheme=IOB1, bad_lines=skip, encoding=cp1252; may be given again.",
)


def _refuse_nan(context: click.Context, parameter: click.Parameter, value: float) -> float:
    """Refuses NaN, which `click.FloatRange` accepts because it compares as neither below nor above."""
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
    "--json",
    "json_file",
    metavar="FILE",
    help="Write the figures here as JSON; - is standard output.",
)


class _Node(click.Choice):
    """The id of a node; takes the ids of the last release with a warning."""

    def convert(self, value, param, ctx):
        if value in RENAMED_NODES and RENAMED_NODES[value] in self.choices:
            warn(f"--until {value}: this node is now {RENAMED_NODES[value]}")
            value = RENAMED_NODES[value]
        return super().convert(value, param, ctx)


def until(help_text: str):
    """An option that names the step to stop after."""
    return click.option(
        "--until",
        type=_Node(NODES),
        metavar="NODE",
        help=f"{help_text} NODE is one of {', '.join(NODES)}.",
    )


def reason(help_text: str, default: str = ""):
    """`--reason`, with the hidden old name `--because`, which is read for one release."""

    def use_old_name(context: click.Context, _: click.Parameter, value: str | None) -> None:
        if value is not None:
            warn("--because is now --reason")
            context.default_map = {**(context.default_map or {}), "reason": value}

    def add(command):
        command = click.option(
            "--because", callback=use_old_name, expose_value=False, hidden=True, is_eager=True
        )(command)
        return click.option(
            "--reason", metavar="TEXT", default=default, show_default=bool(default), help=help_text
        )(command)

    return add


def place(command):
    """Options that say which work folder a command is about, for `pipeline.history.place.find`."""
    for option in (
        click.option(
            "--set",
            "assignments",
            metavar="KEY=VALUE",
            multiple=True,
            help="One setting, as for `run`.",
        ),
        click.option(
            "--config",
            "config_file",
            metavar="FILE",
            help="Settings as YAML; those of the newest run if not given.",
        ),
        click.option("--workdir", metavar="DIR", help="The work folder; ./work if not given."),
    ):
        command = option(command)
    return command


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

    settings = config.load(None, assignments, {})
    for assignment in assignments:
        key = assignment.partition("=")[0]
        if key not in ReadOptions.model_fields:
            raise UserError(
                f"--set {assignment}: expected {', '.join([*ReadOptions.model_fields][:-1])} or"
                f" {[*ReadOptions.model_fields][-1]} here"
            )
    return settings.read_options


def fetched(path: str) -> str:
    """The path of a local file as it is; of a remote one, a copy in the user's cache. Prints a line when it copies."""
    from components.storage import copies

    return copies.local_copy(path, log=lambda line: click.echo(line, err=True))


def refuse_unwritable(*files: Optional[str]) -> None:
    """Raises UserError if one of the files cannot be written, before time is spent on its content."""
    for file in files:
        refuse_address("cannot write to", file, "Write it there, and copy it")
        if (
            file
            and file != "-"
            and (Path(file).is_dir() or not Path(file).absolute().parent.is_dir())
        ):
            raise UserError(f"{file}: cannot write there; name a file in a folder that exists")


def write_json(figures: Mapping[str, object], file: Optional[str]) -> None:
    """Writes figures as JSON to `file` unless that is None. Raises UserError if it cannot be written."""
    if not file:
        return
    text = json.dumps(figures, ensure_ascii=False, indent=1) + "\n"
    if file == "-":
        click.echo(text, nl=False)
        return
    write_text(text, file)


def write_text(text: str, file: str) -> None:
    """Writes a file. Raises UserError if it cannot be written."""
    try:
        Path(file).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(
            f"{file}: cannot write ({error.strerror}); name a file that can be written"
        ) from None
