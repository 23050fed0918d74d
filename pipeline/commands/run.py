"""`tfx-ner run`."""

from pathlib import Path

import click

from pipeline import exits
from pipeline.commands import options


@click.command()
@options.run
@click.option(
    "--tune",
    "trials",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Try N combinations of settings first, the current one included; this and later runs use"
    " the one with the best F1 on dev.",
)
@options.reason("Why the run is started, for `tfx-ner runs`.", default="by hand")
@click.option(
    "--force-baseline",
    is_flag=True,
    help="Do not compare with the serving model, for example after a change of labels;"
    " gate.minimum_f1 still applies.",
)
@options.until(
    "Stop after this node; publish nothing. A later run takes finished nodes from the cache."
)
@options.json_file
@click.option(
    "--show-settings",
    is_flag=True,
    help="Print all settings with their defaults as YAML, and exit.",
)
def run(
    given: options.RunOptions,
    trials: int,
    reason: str,
    force_baseline: bool,
    until: str | None,
    json_file: str | None,
    show_settings: bool,
) -> None:
    """Run the pipeline once: from labelled text to a published model."""
    from rich.console import Console

    from pipeline import config, console, settings_reference

    if show_settings:
        click.echo(settings_reference.as_yaml(), nl=False)
        return
    screen = Console(highlight=False, stderr=json_file == "-")
    options.refuse_unwritable(json_file)
    settings = given.load()
    if settings.data is None:
        path, label = str(config.starter_corpus()), "the starter corpus"
        if settings.schema_file is None:
            schema = str(config.starter_schema())
            settings = settings.model_copy(update={"schema_file": schema})
    else:
        path, label = settings.data, Path(settings.data).resolve().name

    exits.use_own_temporary_folder()
    from pipeline.run import RunRequest
    from pipeline.run import run as run_pipeline

    request = RunRequest(settings, path, label, trials, reason, force_baseline, until or "")
    outcome = run_pipeline(request, console.RunConsole(screen))
    if until:
        console.show_partial_outcome(screen, outcome)
    else:
        console.show_outcome(screen, outcome)
    options.write_json(outcome.as_dict(), json_file)
    exits.leave(outcome.code)
