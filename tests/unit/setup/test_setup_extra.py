"""requirements/setup-extra.sh on a machine that lacks what the optional parts need."""

import shutil

import pytest


@pytest.fixture
def checkout(machine, project, tmp_path):
    """A checkout whose .venv is ready, and whose uv succeeds without doing anything."""
    folder = tmp_path / "checkout"
    shutil.copytree(project / "requirements", folder / "requirements")
    version = (folder / "requirements/uv.txt").read_text().split("uv==")[1].split()[0]
    uv = f"""
    echo "$@" >>"$HOME/uv.log"
    case "$1" in
    --version) echo "uv {version}" ;;
    venv) mkdir -p {folder}/.venv-kubeflow/bin && cp {folder}/.venv/bin/python {folder}/.venv-kubeflow/bin ;;
    esac"""
    machine.home.mkdir()
    machine.program("uv", uv, folder / ".venv/uv/bin")
    machine.program("python", "echo 3.10", folder / ".venv/bin")
    for tool in ("cp", "readlink"):
        (machine.programs / tool).symlink_to(shutil.which(tool))
    return folder


def install(machine, checkout, *arguments, **environment):
    return machine.run("requirements/setup-extra.sh", *arguments, cwd=checkout, **environment)


def test_flink_without_java_is_a_skip_with_its_reason(machine, checkout, tmp_path):
    skips = tmp_path / "skips"
    ran = install(machine, checkout, "--or-skip", "flink", TFX_NER_SKIPS=str(skips))
    assert (ran.returncode, ran.stderr) == (
        0,
        "tfx-ner: skipped flink: java is not on the PATH\n",
    )
    assert skips.read_text() == "flink: java is not on the PATH\n"


def test_flink_without_curl_is_a_skip_with_its_reason(machine, checkout):
    machine.program("java", "exit 0")
    ran = install(machine, checkout, "--or-skip", "flink")
    assert (ran.returncode, ran.stderr) == (
        0,
        "tfx-ner: skipped flink: curl is not on the PATH\n",
    )


def test_flink_without_maven_central_is_a_skip_with_its_reason(machine, checkout):
    machine.program("java", "exit 0")
    machine.program("curl", "exit 6")
    ran = install(machine, checkout, "--or-skip", "flink")
    assert ran.returncode == 0
    assert ran.stderr.splitlines()[-1] == (
        "tfx-ner: skipped flink: Maven Central did not deliver all jars of requirements/flink.txt"
    )


def test_a_part_that_fails_does_not_stop_the_next_one(machine, checkout):
    ran = install(machine, checkout, "--or-skip", "flink", "kubeflow")
    assert ran.returncode == 0
    assert (checkout / ".venv-kubeflow/setup.stamp").exists()


def test_without_or_skip_a_missing_java_is_a_failure(machine, checkout):
    ran = install(machine, checkout, "flink")
    assert ran.returncode == 1
    assert "cannot install flink: java is not on the PATH" in ran.stderr


def test_a_part_that_uv_cannot_fetch_is_a_skip_with_uvs_reason(machine, checkout):
    uv = checkout / ".venv/uv/bin/uv"
    uv.write_text(
        uv.read_text() + '[ "$2" != sync ] || { echo "error: no network" >&2; exit 2; }\n'
    )
    ran = install(machine, checkout, "--or-skip", "kubeflow")
    assert ran.returncode == 0
    assert ran.stderr.splitlines()[-1] == "tfx-ner: skipped kubeflow: error: no network"


def test_a_second_call_installs_nothing(machine, checkout):
    install(machine, checkout, "kubeflow")
    calls = (machine.home / "uv.log").read_text()
    assert install(machine, checkout, "kubeflow").stderr == ""
    assert (machine.home / "uv.log").read_text() == calls


def test_an_unknown_part_is_named_with_the_known_ones(machine, checkout):
    ran = install(machine, checkout, "fink")
    assert ran.returncode == 1
    assert "found the part fink; expected airflow" in ran.stderr
