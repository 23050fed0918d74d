"""Hashes of the project's own sources, so that a change of code reruns the nodes that depend on it.

TFX's cache key of a node has the names of functions and classes, not their code. So each node gets a
hash of the module that it runs, of everything in the project that the module imports, and of the
versions of the libraries that affect the result.
"""

import ast
import hashlib
import importlib.metadata
from collections.abc import Iterator
from functools import cache
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_PACKAGES = ("components", "serving")
_LIBRARIES = ("tfx", "tensorflow", "keras", "tensorflow-transform", "apache-beam")


@cache
def code_hash(*modules: str) -> str:
    """A hash of the sources of these modules and of what they import from the project, directly or not."""
    digest = _libraries()
    for module in sorted(reachable(*modules)):
        digest.update(module.encode() + b"\n" + _path(module).read_bytes())
    return digest.hexdigest()[:16]


def whole_hash() -> str:
    """A hash of the sources of all nodes. Faster than `code_hash`. Each call reads the files again, so it sees edits."""
    digest = _libraries()
    for package in _PACKAGES:
        for path in sorted((_ROOT / package).rglob("*.py")):
            digest.update(f"{path.relative_to(_ROOT)}\n".encode() + path.read_bytes())
    digest.update((_ROOT / "pipeline" / "graph.py").read_bytes())
    return digest.hexdigest()[:16]


def _libraries() -> "hashlib._Hash":
    digest = hashlib.sha256()
    for library in _LIBRARIES:
        digest.update(f"{library} {importlib.metadata.version(library)}\n".encode())
    return digest


def reachable(*modules: str) -> set[str]:
    """These modules, and those of the project that importing them loads."""
    modules_found: set[str] = set()
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module not in modules_found:
            modules_found.add(module)
            waiting.extend(_imports(module))
    return modules_found


def _imports(module: str) -> Iterator[str]:
    parents = module.split(".")[:-1]
    yield from (".".join(parents[:n]) for n in range(1, len(parents) + 1))
    for node in ast.walk(ast.parse(_path(module).read_bytes())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            # What is imported from a package may be a module in it, or a name of the package itself.
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        yield from (
            name for name in names if name.split(".")[0] in _PACKAGES and _path(name).is_file()
        )


def _path(module: str) -> Path:
    base = _ROOT.joinpath(*module.split("."))
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
