"""The choice of an interpreter (requirements/pick-python.sh), with versions that no machine has."""

import sys
import sysconfig
from pathlib import Path

import pytest


def pick(machine, *versions, **environment):
    ran = machine.run("requirements/pick-python.sh", *versions, **environment)
    assert ran.stderr == ""
    return ran.stdout.strip()


def test_finds_a_versioned_name_on_the_path(machine):
    expected = machine.python("3.98")
    assert pick(machine, "3.98") == str(expected)


def test_finds_a_plain_python3_of_that_version(machine):
    expected = machine.python("3.98", name="python3")
    assert pick(machine, "3.98") == str(expected)


def test_takes_the_first_available_version(machine):
    machine.python("3.97")
    expected = machine.python("3.98")
    assert pick(machine, "3.99", "3.98", "3.97") == str(expected)


def test_finds_pyenvs_versions_off_the_path(machine):
    expected = machine.python("3.98", machine.home / ".pyenv/versions/3.98.4/bin")
    assert pick(machine, "3.98") == str(expected)


def test_finds_the_versions_of_pyenv_in_its_root(machine, tmp_path):
    expected = machine.python("3.98", tmp_path / "elsewhere/versions/3.98.4/bin")
    assert pick(machine, "3.98", PYENV_ROOT=str(tmp_path / "elsewhere")) == str(expected)


def test_finds_a_python_that_uv_downloaded(machine):
    expected = machine.python(
        "3.98", machine.home / ".local/share/uv/python/cpython-3.98.1-linux-x86_64-gnu/bin"
    )
    assert pick(machine, "3.98") == str(expected)


def test_passes_over_a_shim_that_fails(machine):
    machine.program("python3.98", 'echo "pyenv: python3.98: command not found" >&2; exit 127')
    expected = machine.python("3.98", machine.home / ".pyenv/versions/3.98.4/bin")
    assert pick(machine, "3.98") == str(expected)


def test_passes_over_another_version_under_the_name(machine):
    machine.python("3.97", name="python3.98")
    assert pick(machine, "3.98") == ""


def test_passes_over_an_interpreter_without_headers(machine):
    machine.python("3.98", headers=False)
    expected = machine.python("3.97")
    assert pick(machine, "3.98", "3.97") == str(expected)


def test_takes_an_interpreter_without_headers_if_they_are_not_needed(machine):
    expected = machine.python("3.98", headers=False)
    assert pick(machine, "--without-headers", "3.98") == str(expected)


def test_exits_1_without_output_if_there_is_no_interpreter(machine):
    ran = machine.run("requirements/pick-python.sh", "3.98")
    assert (ran.returncode, ran.stdout, ran.stderr) == (1, "", "")


def test_an_interpreter_of_an_environment_is_replaced_by_its_base_interpreter(machine):
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        pytest.skip("this Python has no headers, so it does not fit")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    machine.program("python3", f'exec "{sys.executable}" "$@"')
    assert Path(pick(machine, version)).resolve() == Path(sys._base_executable).resolve()
