"""The part of the packaging that pyproject.toml cannot say. Beam installs its workers from here (`--setup_file=./setup.py`).

A checkout keeps the starter corpus and the curated schema in `data/` and `schema/`. A wheel must not claim such common names,
so it has them as `pipeline/shipped/data` and `pipeline/shipped/schema`.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
SHIPPED = ("data", "schema")


class BuildWithShippedFiles(build_py):
    """Copies the files of the shipped folders, except programs, into the package."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:  # a checkout has the folders themselves
            return
        for folder in SHIPPED:
            for source in sorted((ROOT / folder).rglob("*")):
                if source.is_file() and source.suffix not in {".py", ".pyc"}:
                    target = Path(self.build_lib, "pipeline", "shipped", source.relative_to(ROOT))
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(source, target)


setup(cmdclass={"build_py": BuildWithShippedFiles})
