"""Packages tfx-ner. Beam's workers install the project from here too (`--setup_file=./setup.py`).

A checkout keeps the starter corpus and the curated schema in `data/` and `schema/`. A wheel must not claim names as
common as these, so it carries them as `pipeline/shipped/data` and `pipeline/shipped/schema`.
"""

import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
SHIPPED = ("data", "schema")


class BuildWithShippedFiles(build_py):
    """Copies the shipped folders, less the programs in them, into the package that is being built."""

    def run(self):
        super().run()
        if self.editable_mode:  # a checkout has the folders themselves
            return
        for source in self.shipped_files():
            target = Path(self.build_lib, "pipeline", "shipped", source.relative_to(ROOT))
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)

    @staticmethod
    def shipped_files():
        return [
            path
            for folder in SHIPPED
            for path in sorted((ROOT / folder).rglob("*"))
            if path.is_file() and path.suffix not in {".py", ".pyc"}
        ]


def requirements():
    lines = (ROOT / "requirements" / "runtime.in").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if re.match(r"\w", line)]


def version():
    text = (ROOT / "pipeline" / "__init__.py").read_text(encoding="utf-8")
    return re.search(r'__version__ = "(.+)"', text).group(1)


setup(
    name="tfx-ner",
    version=version(),
    description="A named-entity recogniser kept in production: checked data, training, a gate, and publishing, on TFX",
    python_requires=">=3.10,<3.14",
    install_requires=requirements(),
    packages=find_packages(
        include=["pipeline", "pipeline.*", "components", "components.*", "serving", "serving.*"]
    ),
    package_data={"": ["**/*"]},
    exclude_package_data={"": ["**/*.pyc"]},
    entry_points={"console_scripts": ["tfx-ner = pipeline.cli:main"]},
    cmdclass={"build_py": BuildWithShippedFiles},
)
