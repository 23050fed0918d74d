"""The contents of a wheel built from the source distribution, as a Beam worker builds it."""

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

import pipeline

PACKAGES = ("components", "pipeline", "serving")
SHIPPED = ("data", "schema")


def build(kind, project, target):
    """Builds with setuptools directly, because pip would need the network for a build environment."""
    target.mkdir()
    program = f"import sys; from setuptools import build_meta; print(build_meta.build_{kind}(sys.argv[1]))"
    command = [sys.executable, "-c", program, target]
    ran = subprocess.run(command, cwd=project, capture_output=True, text=True, check=True)
    return target / ran.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    project = Path(__file__).resolve().parents[3]
    work = tmp_path_factory.mktemp("wheel")
    checkout = work / "checkout"
    checkout.mkdir()
    for name in ("setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy(project / name, checkout)
    for name in (*PACKAGES, *SHIPPED, "requirements", "tests"):
        if (project / name).is_dir():
            shutil.copytree(
                project / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__")
            )
    with tarfile.open(build("sdist", checkout, work / "sdist")) as sdist:
        sdist.extractall(work / "unpacked", filter="data")
    with zipfile.ZipFile(
        build("wheel", next((work / "unpacked").iterdir()), work / "dist")
    ) as archive:
        yield archive


def metadata(wheel, name):
    return wheel.read(
        next(path for path in wheel.namelist() if path.endswith(f".dist-info/{name}"))
    ).decode()


def test_installs_the_three_packages_only(wheel):
    top = {path.split("/")[0] for path in wheel.namelist()}
    assert {name for name in top if not name.endswith(".dist-info")} == set(PACKAGES)


def test_holds_every_file_of_the_packages(wheel, project):
    files = {
        path.relative_to(project).as_posix()
        for package in PACKAGES
        for path in (project / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert files - set(wheel.namelist()) == set()


def test_ships_the_starter_corpus_and_the_schema_inside_pipeline(wheel, project):
    files = {
        f"pipeline/shipped/{path.relative_to(project).as_posix()}"
        for folder in SHIPPED
        for path in (project / folder).rglob("*")
        if path.is_file() and path.suffix not in {".py", ".pyc"}
    }
    assert {path for path in wheel.namelist() if path.startswith("pipeline/shipped/")} == files


@pytest.mark.parametrize(
    ("file", "extra"), [("runtime", None), ("serve", "serve"), ("schedule", "schedule")]
)
def test_requires_the_packages_of_the_requirements(wheel, project, file, extra):
    needed = message_from_string(metadata(wheel, "METADATA")).get_all("Requires-Dist")
    of_extra = [
        line for line in needed if line.partition("extra == ")[2].strip("\"'") == (extra or "")
    ]
    asked = (project / f"requirements/{file}.in").read_text().splitlines()
    assert len(of_extra) == sum(1 for line in asked if line and not line.startswith("#"))


def test_has_the_licence_and_the_version(wheel):
    described = message_from_string(metadata(wheel, "METADATA"))
    assert (described["License-Expression"], described["License-File"]) == ("Apache-2.0", "LICENSE")
    assert described["Version"] == pipeline.__version__


def test_brings_the_command(wheel):
    assert "tfx-ner = pipeline.cli:main" in metadata(wheel, "entry_points.txt")


def test_every_file_has_the_same_version(project):
    files = {
        "CHANGELOG.md": r"^## (\d\S+)",
        "serving/client/pyproject.toml": r'^version = "(.+)"',
        "pipeline/deploy/kubernetes/kustomization.yaml": r"newTag: ([\d.]+)",
        "pipeline/deploy/Dockerfile": r"tfx-ner:([\d.]+)",
    }
    found = {
        name: re.search(pattern, (project / name).read_text(), re.MULTILINE)[1]
        for name, pattern in files.items()
    }
    assert found == dict.fromkeys(files, pipeline.__version__)
