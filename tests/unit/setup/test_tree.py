"""Text that no file of the project may contain."""

import re
import subprocess

import pytest

FORBIDDEN = {
    "a path of one machine": re.compile(
        r"(?<![\w.$}{])/(?:[w]ork/(?:main|shared)|[t]mp/lab|[r]oot/)"
    ),
    "the address of an index": re.compile(
        r"https?://[^\s\"')]*(?:p[y]pi|python[h]osted|/[s]imple\b|[r]egistry)"
    ),
}


@pytest.fixture
def files(project):
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=project, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("git knows the files, and this is no checkout")
    return [
        project / name
        for name in listed.stdout.decode().split("\0")
        if name and (project / name).is_file()
    ]


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_contains(files, project, what):
    found = [
        f"{path.relative_to(project)}:{number}: {line.strip()}"
        for path in files
        for number, line in enumerate(
            path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1
        )
        if FORBIDDEN[what].search(line)
    ]
    assert found == []


def test_scripts_can_be_run(files):
    scripts = [path for path in files if path.suffix == ".sh" or path.parent.name == ".ci"]
    assert [path.name for path in scripts if not path.stat().st_mode & 0o100] == []
