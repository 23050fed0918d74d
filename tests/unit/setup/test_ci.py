"""The exit code and the final lists of .ci/run, with a fake `make` that prints and fails on demand."""

import shutil

import pytest

MAKE = """
echo "making $*"
case $* in
"test-current"*) [ "${CURRENT_ENDS_WITH:-0}" = 0 ] || exit "$CURRENT_ENDS_WITH"
    echo "the newer stack in a Debian 13 root: debootstrap and chroot need root" >>"$TFX_NER_SKIPS" ;;
"test-rest") echo "3 tests: needs kubectl" >>"$TFX_NER_SKIPS"; exit ${REST_ENDS_WITH:-0} ;;
esac
"""


@pytest.fixture
def ci(machine, project, tmp_path):
    """A function that runs .ci/run in its own checkout as a user other than root."""
    folder = tmp_path / "checkout"
    for name in (".ci/run", "requirements/stack.sh"):
        (folder / name).parent.mkdir(parents=True)
        shutil.copy(project / name, folder / name)
    for tool in ("bash", "mktemp", "sort", "timeout"):
        (machine.programs / tool).symlink_to(shutil.which(tool))
    machine.program("id", "echo 1000")
    machine.program("make", MAKE)
    return lambda **environment: machine.run(".ci/run", cwd=folder, **environment)


def test_each_step_runs_and_is_listed_at_the_end(ci):
    ran = ci()
    assert ran.returncode == 0, ran.stderr
    listed = ran.stdout.partition("== What ran\n")[2]
    steps = [line.partition(",")[0] for line in listed.splitlines()[:3]]
    assert steps == [
        "TFX 1.16: make test: passed",
        "TFX 1.21 in a bare Debian 13: make demo test-model: passed",
        "TFX 1.16: make test-rest (reported only): passed",
    ]


def test_skips_are_listed_with_their_reasons(ci):
    listed = ci().stdout.partition("== What was skipped\n")[2]
    assert "the newer stack in a Debian 13 root: debootstrap and chroot need root" in listed
    assert "3 tests: needs kubectl" in listed
    assert "installing them needs root and apt-get" in listed


def test_a_step_that_fails_does_not_stop_the_next_one_and_decides_the_exit_code(ci):
    ran = ci(CURRENT_ENDS_WITH="2")
    assert ran.returncode == 1
    assert "make demo test-model: failed (2)" in ran.stdout
    assert "making test-rest" in ran.stdout


def test_slow_tests_are_reported_and_do_not_decide_the_exit_code(ci):
    ran = ci(REST_ENDS_WITH="2")
    assert ran.returncode == 0, ran.stderr
    assert "slow: making test-rest" in ran.stdout
    assert "make test-rest (reported only): failed (2)" in ran.stdout
