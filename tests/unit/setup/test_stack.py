"""The choice of a stack (requirements/stack.sh)."""

import pytest


@pytest.mark.parametrize(
    ("glibc", "stack"),
    [
        ("2.17", "1.16"),
        ("2.36", "1.16"),
        ("2.38", "1.16"),
        ("2.39", "1.21"),
        ("2.41", "1.21"),
        ("3.0", "1.21"),
    ],
)
def test_glibc_decides_the_stack(machine, glibc, stack):
    machine.program("getconf", f"echo glibc {glibc}")
    assert machine.run("requirements/stack.sh").stdout == f"{stack}\n"


@pytest.mark.parametrize(
    ("program", "body", "message"),
    [
        ("getconf", "echo glibc 2.12", "glibc 2.12 is too old"),
        ("getconf", "exit 1", "no glibc"),
        ("uname", "case $1 in -s) echo Linux ;; -m) echo aarch64 ;; esac", "Linux on aarch64"),
        ("uname", "case $1 in -s) echo Darwin ;; -m) echo x86_64 ;; esac", "Darwin on x86_64"),
    ],
)
def test_a_machine_without_a_suitable_stack_is_reported_in_one_line(
    machine, program, body, message
):
    machine.program(program, body)
    ran = machine.run("requirements/stack.sh")
    assert ran.returncode == 1
    assert message in ran.stderr
    assert ran.stderr.count("\n") == 1
