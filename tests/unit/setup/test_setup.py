"""requirements/setup.sh with a fake uv that records its calls."""

import shutil

import pytest

UV = r"""
echo "$@" >>"$HOME/uv.log"
case "$1 $2" in
"--version ") echo "uv VERSION" ;;
"python install") [ -n "${UV_HAS_PYTHON:-}" ] ;;
"python find") echo "$UV_HAS_PYTHON" ;;
"venv "*)
    mkdir -p .venv/bin
    echo "$PWD/.venv" >.venv/bin/activate
    printf '#!/bin/sh\nexec %s "$@"\n' "$5" >.venv/bin/python
    chmod +x .venv/bin/python
    ;;
esac
"""


@pytest.fixture
def checkout(machine, project, tmp_path):
    """A copy of the files that set-up reads, with a fake uv, on a machine with a compiler."""
    folder = tmp_path / "checkout"
    shutil.copytree(project / "requirements", folder / "requirements")
    for name in ("setup.py", "pyproject.toml"):
        shutil.copy(project / name, folder)
    machine.home.mkdir()
    version = (folder / "requirements/uv.txt").read_text().split("uv==")[1].split()[0]
    machine.program("uv", UV.replace("VERSION", version), folder / ".venv/uv/bin")
    machine.program("c++", "exit 0")
    return folder


def uv_calls(machine, word):
    """The calls of uv that contain a word."""
    log = machine.home / "uv.log"
    return [line for line in log.read_text().splitlines() if word in line] if log.exists() else []


def set_up(machine, checkout, **environment):
    ran = machine.run("requirements/setup.sh", cwd=checkout, **environment)
    assert ran.returncode == 0, ran.stderr
    return ran


@pytest.mark.parametrize(
    ("glibc", "version", "lock"),
    [("2.36", "3.10", "tfx-1.16.txt"), ("2.41", "3.12", "tfx-1.21.txt")],
)
def test_installs_the_lock_of_the_machines_stack(machine, checkout, glibc, version, lock):
    machine.program("getconf", f"echo glibc {glibc}")
    machine.python(version)
    set_up(machine, checkout)
    assert uv_calls(machine, "sync") == [
        f"pip sync --quiet --compile-bytecode --require-hashes requirements/{lock}"
    ]


def test_a_second_call_installs_nothing(machine, checkout):
    machine.python("3.10")
    set_up(machine, checkout)
    calls = len(uv_calls(machine, ""))
    assert set_up(machine, checkout).stderr == ""
    assert len(uv_calls(machine, "")) == calls


def test_a_changed_lock_is_installed(machine, checkout):
    machine.python("3.10")
    set_up(machine, checkout)
    with open(checkout / "requirements/tfx-1.16.txt", "a") as lock:
        lock.write("# changed\n")
    set_up(machine, checkout)
    assert len(uv_calls(machine, "sync")) == 2


def test_a_changed_entry_point_is_installed(machine, checkout):
    machine.python("3.10")
    set_up(machine, checkout)
    metadata = checkout / "pyproject.toml"
    metadata.write_text(metadata.read_text().replace("[tool.pytest", "# changed\n[tool.pytest"))
    set_up(machine, checkout)
    assert len(uv_calls(machine, "sync")) == 2


def test_a_changed_tool_setting_installs_nothing(machine, checkout):
    machine.python("3.10")
    set_up(machine, checkout)
    with open(checkout / "pyproject.toml", "a") as tools:
        tools.write("# changed\n")
    set_up(machine, checkout)
    assert len(uv_calls(machine, "sync")) == 1


def test_missing_headers_are_taken_from_debians_package(machine, checkout):
    """Otherwise uv would have to download a Python, which not every network allows."""
    machine.python("3.10", headers=False)
    machine.program("apt-get", 'echo "$@" >>"$HOME/apt.log"')
    machine.program("dpkg-deb", "exit 0")
    uv = checkout / ".venv/uv/bin/uv"
    uv.write_text(uv.read_text() + 'echo "$CFLAGS" >>"$HOME/cflags"\n')
    set_up(machine, checkout)
    assert (machine.home / "apt.log").read_text() == "download libpython3.10-dev\n"
    assert "/.venv/headers/usr/include/python3.10" in (machine.home / "cflags").read_text()


def test_a_moved_environment_is_created_again(machine, checkout, tmp_path):
    machine.python("3.10")
    set_up(machine, checkout)
    moved = checkout.rename(tmp_path / "moved")
    set_up(machine, moved)
    assert (moved / ".venv/bin/activate").read_text() == f"{moved}/.venv\n"


def test_an_environment_of_another_python_is_created_again(machine, checkout):
    machine.python("3.10")
    set_up(machine, checkout)
    machine.program("python", "echo another", checkout / ".venv/bin")
    (checkout / ".venv/setup.stamp").unlink()
    set_up(machine, checkout)
    assert len(uv_calls(machine, "venv --quiet")) == 2


def test_an_environment_of_the_same_python_is_reused(machine, checkout):
    machine.python("3.10")
    set_up(machine, checkout)
    (checkout / ".venv/setup.stamp").unlink()
    set_up(machine, checkout)
    assert len(uv_calls(machine, "venv --quiet")) == 1


def test_an_install_that_failed_is_tried_again(machine, checkout):
    machine.python("3.10")
    set_up(machine, checkout)
    (checkout / ".venv/bin/python").unlink()
    uv = checkout / ".venv/uv/bin/uv"
    works = uv.read_text()
    uv.write_text(works + '[ "$2" != sync ] || exit 1\n')
    assert machine.run("requirements/setup.sh", cwd=checkout).returncode != 0
    uv.write_text(works)
    set_up(machine, checkout)
    assert len(uv_calls(machine, "sync")) == 3


def test_uv_downloads_a_python_if_there_is_no_suitable_interpreter(machine, checkout, tmp_path):
    downloaded = machine.python("3.10", tmp_path / "downloaded")
    set_up(machine, checkout, UV_HAS_PYTHON=str(downloaded))
    assert uv_calls(machine, "venv")[0].endswith(f"--python {downloaded} .venv")


@pytest.mark.parametrize(
    ("glibc", "versions"), [("2.36", "Python 3.10 only"), ("2.41", "Python 3.13, 3.12 or 3.11")]
)
def test_a_missing_python_is_reported_with_the_suitable_versions_and_the_reason(
    machine, checkout, glibc, versions
):
    machine.program("getconf", f"echo glibc {glibc}")
    machine.python("3.9")
    ran = machine.run("requirements/setup.sh", cwd=checkout)
    error = ran.stderr.splitlines()[-1]
    assert ran.returncode == 1
    assert "TFX" in error
    assert versions in error


def test_without_a_compiler_zig_is_used(machine, checkout):
    machine.python("3.10")
    (machine.programs / "c++").unlink()
    set_up(machine, checkout)
    assert [line.split()[-1] for line in uv_calls(machine, "--target")] == ["requirements/zig.txt"]
