"""A simulated machine: a PATH with a few real tools and with programs written for the test."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[3]
TOOLS = (
    "cat",
    "chmod",
    "dirname",
    "find",
    "flock",
    "grep",
    "head",
    "ls",
    "mkdir",
    "rm",
    "sed",
    "sha256sum",
)


@dataclass(frozen=True)
class Machine:
    """A folder of programs as the whole PATH, and a home folder."""

    programs: Path
    home: Path

    def program(self, name: str, body: str, folder: Path | None = None) -> Path:
        """Puts a shell script on the PATH, or into a folder that is not on it."""
        path = (folder or self.programs) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        return path

    def python(
        self,
        version: str,
        folder: Path | None = None,
        name: str | None = None,
        headers: bool = True,
    ) -> Path:
        """Creates a fake interpreter of a version, with every module, and with headers if `headers` is true."""
        fits = f'[ "$3" = {version} ]' + ("" if headers else ' && [ "$4" != headers ]')
        body = f"""
        case $* in
        *"sys.argv[1]"*) {fits} && echo "$0" ;;
        *"%d.%d"*) echo {version} ;;
        *) echo "Python {version}.0" ;;
        esac"""
        return self.program(name or f"python{version}", body, folder)

    def run(
        self, *command: str, cwd: Path = PROJECT, **environment: str
    ) -> subprocess.CompletedProcess:
        """Runs a command on the machine, without this process's environment."""
        return subprocess.run(
            command,
            cwd=cwd,
            env={"PATH": str(self.programs), "HOME": str(self.home), **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )


@pytest.fixture
def machine(tmp_path) -> Machine:
    """Debian 12, as the scripts see it: glibc 2.36 on x86_64, and no Python."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for tool in TOOLS:
        os.symlink(shutil.which(tool), programs / tool)
    made = Machine(programs, tmp_path / "home")
    made.program("uname", "case $1 in -s) echo Linux ;; -m) echo x86_64 ;; esac")
    made.program("getconf", "echo glibc 2.36")
    return made


@pytest.fixture
def project() -> Path:
    """The folder of the project."""
    return PROJECT
