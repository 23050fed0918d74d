"""The command line. A command's imports happen when it runs, so that help appears at once."""

import importlib
import sys

import click

from components.errors import BusyError, UserError
from components.stdio import discard_stdout
from pipeline import __version__, exits

_COMMANDS = {
    "run": "Run the pipeline once: from labelled text to a published model.",
    "worker": "Take part in the training of a run on another machine.",
    "schedule": "Run the pipeline whenever there is something new.",
    "compile": "Write the pipeline as YAML for Kubeflow Pipelines.",
    "init-config": "Write a commented YAML file of all settings.",
    "check": "Check a corpus before a run.",
    "convert": "Convert the corpus file IN to another format.",
    "evaluate": "Score a published model on labelled text.",
    "predict": "Find the entities in text.",
    "annotate": "Find the entities in many texts with Apache Beam, and write them in shards.",
    "serve": "Serve a folder of published versions, by REST and gRPC.",
    "report": "Write the report of a run again, or show two runs side by side.",
    "runs": "Show the runs, check that metadata and files agree, and remove old artifacts.",
    "models": "Show what is published, and roll back, promote or remove versions.",
}

_EXTRAS = {
    "apscheduler": "schedule",
    "grpc_health": "serve",
    "prometheus_client": "serve",
    "starlette": "serve",
    "uvicorn": "serve",
}  # by the package that is imported: the extra of tfx-ner that installs it


class _Commands(click.Group):
    """Imports a command only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        module = name.replace("-", "_")
        if name not in _COMMANDS:
            return None
        return getattr(importlib.import_module(f"pipeline.commands.{module}"), module)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tfx-ner")
def cli() -> None:
    """Trains, checks, publishes and runs a named-entity recognizer.

    Exit codes: 0 success (for run: a model was published), 1 a failure of the program or its
    environment, 2 bad input or usage, 3 the run finished and a gate or a hold kept the model from
    being published, 75 another run is using the workdir: try again later.
    """


def main() -> None:
    """Runs the command line; an error is one line on standard error."""
    try:
        sys.exit(cli.main(prog_name="tfx-ner", standalone_mode=False))
    except click.ClickException as error:
        error.show()
        code = exits.BAD_INPUT
    except (click.Abort, KeyboardInterrupt):
        print("tfx-ner: stopped", file=sys.stderr)
        code = exits.STOPPED
    except UserError as error:
        print(f"tfx-ner: {error}", file=sys.stderr)
        code = exits.BUSY if isinstance(error, BusyError) else exits.BAD_INPUT
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").partition(".")[0])
        remedy = f"; pip install 'tfx-ner[{extra}]' installs it" if extra else ""
        print(f"tfx-ner: {error}{remedy}", file=sys.stderr)
        code = exits.FAILED
    except BrokenPipeError:
        discard_stdout()
        code = exits.FAILED
    except Exception as error:  # a fault of the program or its surroundings
        print(f"tfx-ner: {' '.join(str(error).split()) or type(error).__name__}", file=sys.stderr)
        code = exits.FAILED
    if "tensorflow" in sys.modules:
        exits.leave(code)
    sys.exit(code)


if __name__ == "__main__":
    main()
