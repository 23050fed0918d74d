"""`tfx-ner run`."""

from pathlib import Path
from typing import Optional

import click
from rich.console import Console

from pipeline import exits
from pipeline.commands import options


@click.command()
@click.option(
    "--data",
    metavar="PATH",
    help="Labelled text: a file, a folder, or a folder of spans (span-1, …), local or on s3://, gs:// or hdfs://; by"
    " default the starter corpus.",
)
@click.option("--config", "config_file", metavar="FILE", help="Settings as YAML.")
@click.option(
    "--set",
    "assignments",
    metavar="KEY=VALUE",
    multiple=True,
    help="One setting, as in training.epochs=5; may be given again.",
)
@click.option(
    "--workdir", metavar="DIR", help="Folder for everything the run makes; by default ./work."
)
@click.option(
    "--orchestrator",
    type=click.Choice(["beam", "local"]),
    help="What runs the nodes: beam (the default) or local, as TFX's BeamDagRunner or LocalDagRunner.",
)
@click.option(
    "--tune",
    "trials",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Try N combinations of settings first, the current one included; this and later runs use the best on dev.",
)
@options.reason("Why it is run, for `tfx-ner runs`.", default="by hand")
@click.option(
    "--force-baseline",
    is_flag=True,
    help="Do not compare with the serving model, for example after a change of labels; gate.minimum_f1 still applies.",
)
@options.until(
    "Stop after this node; finished nodes come from the cache, and nothing is published."
)
@options.json_file
@click.option(
    "--show-settings",
    is_flag=True,
    help="Print all settings with their defaults as YAML, and stop.",
)
def run(
    data: Optional[str],
    config_file: Optional[str],
    assignments: tuple[str, ...],
    workdir: Optional[str],
    orchestrator: Optional[str],
    trials: int,
    reason: str,
    force_baseline: bool,
    until: Optional[str],
    json_file: Optional[str],
    show_settings: bool,
) -> None:
    """Run the pipeline once: from labelled text to a published model."""
    from pipeline import config, console, settings_reference, starter

    if show_settings:
        click.echo(settings_reference.as_yaml(), nl=False)
        return
    screen = Console(highlight=False, stderr=json_file == "-")
    options.refuse_unwritable(json_file)
    settings = config.load(
        config_file, assignments, {"data": data, "workdir": workdir, "orchestrator": orchestrator}
    )
    if settings.data is None:
        path, label = str(starter.corpus()), "the starter corpus"
        if settings.schema_file is None:
            settings = settings.model_copy(update={"schema_file": str(starter.schema())})
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
