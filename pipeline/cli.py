"""The command line. What a command needs is imported by the command, so that help is there at once."""

import os
import sys
from pathlib import Path

import click
from rich.console import Console

from components.errors import UserError
from pipeline import __version__

DONE, FAILED, BAD_INPUT, REFUSED = 0, 1, 2, 3


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tfx-ner")
def cli() -> None:
    """Trains, checks, publishes and runs a named-entity recogniser.

    Exit codes: 0 done, 1 a failure of the program or its surroundings, 2 bad input or usage, 3 the run finished and the
    gate let nothing through.
    """


@cli.command()
@click.option("--data", metavar="PATH", help="Labelled text, a file or a folder; the starter corpus if not given.")
@click.option("--config", "config_file", metavar="FILE", help="Settings as YAML.")
@click.option("--set", "assignments", metavar="KEY=VALUE", multiple=True, help="One setting, as in training.epochs=5.")
@click.option("--workdir", metavar="DIR", help="Folder for everything the run makes; 'work' if not given.")
@click.option("--orchestrator", type=click.Choice(["beam", "local"]), help="TFX's BeamDagRunner (the default) or LocalDagRunner.")
def run(data, config_file, assignments, workdir, orchestrator) -> None:
    """Run the pipeline once: from labelled text to a published model."""
    from pipeline import config, console, starter
    from pipeline.run import run as run_pipeline

    settings = config.load(config_file, assignments,
                           {"data": data, "workdir": workdir, "orchestrator": orchestrator})
    if settings.data is None:
        path, label = str(starter.corpus()), "the starter corpus"
        if settings.schema_file is None:
            settings = settings.model_copy(update={"schema_file": str(starter.schema())})
    else:
        path, label = settings.data, Path(settings.data).name
    screen = Console(highlight=False)
    outcome = run_pipeline(settings, path, label, console.RunConsole(screen))
    console.show_outcome(screen, outcome)
    _leave(DONE if outcome.published else REFUSED)


def _leave(code: int) -> None:
    """Ends the process without tearing TensorFlow down, which takes seconds and prints errors of its own."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def main() -> None:
    """The program: errors that the user can mend are one line on standard error."""
    try:
        cli.main(standalone_mode=False)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(BAD_INPUT)
    except (click.Abort, KeyboardInterrupt):
        print("Stopped.", file=sys.stderr)
        sys.exit(130)
    except UserError as error:
        print(f"tfx-ner: {error}", file=sys.stderr)
        sys.exit(BAD_INPUT)
    except BrokenPipeError:
        sys.exit(FAILED)
    except Exception as error:  # a fault of the program or its surroundings
        print(f"tfx-ner: {type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(FAILED)


if __name__ == "__main__":
    main()
