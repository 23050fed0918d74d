"""Help texts, and the imports of commands that must be fast."""

import pytest

from pipeline import cli

COMMANDS = tuple(cli._COMMANDS)
HEAVY = (
    "tensorflow",
    "tfx",
    "apache_beam",
    "keras",
    "tensorflow_model_analysis",
    "ml_metadata",
    "google.protobuf",
    "numpy",
)

RUN = """
import sys
sys.argv = ["tfx-ner", *{arguments!r}]
from pipeline import cli
try:
    cli.main()
except SystemExit as ended:
    print("ended with", ended.code)
print("heavy:", [name for name in {heavy!r} if name in sys.modules])
"""


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_shows_the_usage_and_imports_no_heavy_package(in_a_process, command):
    arguments = [command, "--help"] if command else ["--help"]
    output = in_a_process(RUN.format(arguments=arguments, heavy=(*HEAVY, "pydantic", "yaml")))
    assert output.startswith("Usage: ") and "ended with 0" in output and "heavy: []" in output


def test_every_command_is_in_the_list(tfx_ner):
    listed = tfx_ner("--help").out.partition("Commands:")[2]
    assert all(f"  {command} " in listed for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_starts_with_its_summary_in_the_list(tfx_ner, command):
    assert cli._COMMANDS[command].split(":")[0].rstrip(".") in tfx_ner(
        command, "--help"
    ).out.replace("\n  ", " ")


def test_show_settings_imports_no_heavy_package(in_a_process):
    output = in_a_process(RUN.format(arguments=["run", "--show-settings"], heavy=HEAVY))
    assert "  epochs: 10\n" in output and "  password: ''\n" in output and "heavy: []" in output


def test_version_prints_the_version_of_the_package(tfx_ner):
    from pipeline import __version__

    assert tfx_ner("--version").out == f"tfx-ner, version {__version__}\n"


def test_check_needs_no_tensorflow(in_a_process, write):
    path = write("a.conll", "Ada\tB-PER\nspoke\tO\n\n" * 20)
    output = in_a_process(RUN.format(arguments=["check", path], heavy=HEAVY))
    assert "sentences" in output and "heavy: []" in output


@pytest.mark.parametrize(("module", "extra"), [("starlette", "serve"), ("apscheduler", "schedule")])
def test_a_missing_optional_package_is_named_with_the_extra_that_installs_it(
    in_a_process, module, extra
):
    program = f"""
import contextlib, sys
import click
from pipeline import cli
sys.modules[{module!r}] = None
sys.argv, sys.stderr = ["tfx-ner", "a-command"], sys.stdout
cli.cli.get_command = lambda context, name: click.Command(name, callback=lambda: __import__({module!r}))
with contextlib.suppress(SystemExit):
    cli.main()
"""
    assert f"pip install 'tfx-ner[{extra}]' installs it" in in_a_process(program)
