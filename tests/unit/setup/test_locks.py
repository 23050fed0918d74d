"""The lock files: every package is pinned and hashed, and no machine is named."""

import re
from itertools import pairwise

import pytest

STACKS = ["tfx-1.16", "tfx-1.21"]
LOCKS = [*STACKS, "uv", "zig", "nervaluate", "benchmark", "airflow", "kubeflow", "storage"]
PIN = re.compile(r"^([a-z0-9-]+)==([^ ;]+)( ;[^\\]+)? \\$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")


def lines(project, name):
    text = (project / "requirements" / f"{name}.txt").read_text()
    return [line for line in text.splitlines() if not line.lstrip().startswith("#")]


def pinned(project, name):
    return {match[1]: match[2] for match in map(PIN.match, lines(project, name)) if match}


def direct(project, name):
    """The normalized names of the packages in a .in file and the files it includes."""
    found = set()
    for line in (project / "requirements" / name).read_text().splitlines():
        if line.startswith("-r "):
            found |= direct(project, line.removeprefix("-r ").strip())
        elif match := re.match(r"[\w.-]+", line):
            found.add(re.sub(r"[-_.]+", "-", match[0]).lower())
    return found


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_has_pins_and_hashes_only(project, name):
    assert [
        line for line in lines(project, name) if not PIN.match(line) and not HASH.match(line)
    ] == []


@pytest.mark.parametrize("name", LOCKS)
def test_every_pin_is_followed_by_a_hash(project, name):
    pairs = pairwise([*lines(project, name), ""])
    assert [
        line for line, following in pairs if PIN.match(line) and not HASH.match(following)
    ] == []


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_address(project, name):
    assert "://" not in (project / "requirements" / f"{name}.txt").read_text()


@pytest.mark.parametrize("name", STACKS)
def test_a_stack_pins_every_direct_dependency(project, name):
    assert direct(project, f"{name}.in") - set(pinned(project, name)) == set()


@pytest.mark.parametrize(("name", "tfx"), [("tfx-1.16", "1.16.0"), ("tfx-1.21", "1.21.0")])
def test_a_stack_is_named_after_its_tfx(project, name, tfx):
    assert pinned(project, name)["tfx"] == tfx


def test_tfx_1_16_has_the_dill_that_it_imports(project):
    assert "dill" in pinned(project, "tfx-1.16")
