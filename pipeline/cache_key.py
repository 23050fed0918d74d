"""Cache keys that do not depend on where the workdir and the corpus are.

TFX hashes the input artifacts, with their URIs and times, and all parameters of a node into its cache
key. Both hold absolute paths, so that a workdir that was moved would lose its cache. Here the workdir's
path is replaced by a token, and parameters that only say where something is are left out if another
parameter has a hash of its content.

`tfx.orchestration.portable.cache_utils` is private to TFX: seen in TFX 1.16 and 1.21, and checked by
`tests/model/test_cache_key.py`.
"""

import contextlib
import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tfx import types
from tfx.orchestration.portable import cache_utils

from pipeline.history.relocation import replace_root
from pipeline.workdir import Workdir

# Parameters, and the keys of JSON objects in them, that do not change what a node makes. The content of
# the corpus, the schema and the vectors is in `corpus.fingerprint`, `state` and `vectors_content`.
IRRELEVANT = frozenset(
    {
        "corpus.splits.path",
        "corpus.splits.files",
        "corpus.splits.spans.path",
        "corpus.plan",  # follows from the content, the options and the code
        "schema_file",  # of DataGate, for its message
        "custom_config.schema",
        "custom_config.checkpoints",
        "custom_config.vectors",
        "custom_config.corpus",  # the name of the corpus, which is that of its folder
    }
)


@contextlib.contextmanager
def portable_cache_keys(root: Path) -> Iterator[None]:
    """While it lasts, TFX's cache keys do not depend on the path of the workdir `root`."""
    original = cache_utils.get_cache_context

    def get_cache_context(*arguments: Any, **named: Any) -> Any:
        for name, portable in (
            ("input_artifacts", portable_artifacts),
            ("parameters", portable_parameters),
        ):
            if named.get(name):
                named[name] = portable(named[name], root)
        return original(*arguments, **named)

    cache_utils.get_cache_context = get_cache_context
    try:
        yield
    finally:
        cache_utils.get_cache_context = original


def portable_artifacts(
    artifacts: Mapping[str, Sequence[types.Artifact]], root: Path
) -> dict[str, list[types.Artifact]]:
    """Copies of artifacts without times, and with a token in place of the workdir's path."""
    return {
        key: [_portable_artifact(artifact, root) for artifact in group]
        for key, group in artifacts.items()
    }


def portable_parameters(parameters: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """The relevant parameters, with a token in place of the workdir's path."""
    portable = {}
    for name, value in parameters.items():
        if name in IRRELEVANT:
            continue
        if isinstance(value, str):
            value = replace_root(_without_irrelevant(name, value), str(root), _token(root))
            if name == "path" and value.startswith("/"):
                continue  # a schema file outside the workdir; its content is in `state`
        portable[name] = value
    return portable


def _portable_artifact(artifact: types.Artifact, root: Path) -> types.Artifact:
    portable = copy.deepcopy(artifact)
    record = portable.mlmd_artifact
    record.ClearField("create_time_since_epoch")
    record.ClearField("last_update_time_since_epoch")
    record.uri = replace_root(record.uri, str(root), _token(root))
    for properties in (record.properties, record.custom_properties):
        for value in properties.values():
            if value.WhichOneof("value") == "string_value":
                value.string_value = replace_root(value.string_value, str(root), _token(root))
    return portable


def _token(root: Path) -> str:
    """Stands for the workdir's path; workdirs that share a database have tokens of their own."""
    location = Workdir(root, "").location
    return f"workdir:{location.id if location else ''}"


def _without_irrelevant(name: str, text: str) -> str:
    """A parameter without its irrelevant keys, if it is a JSON object that has any."""
    if not any(key.startswith(f"{name}.") for key in IRRELEVANT):
        return text
    try:
        values = json.loads(text)
    except ValueError:
        return text
    return json.dumps(_pruned(values, name), sort_keys=True)


def _pruned(value: Any, name: str) -> Any:
    if isinstance(value, list):
        return [_pruned(element, name) for element in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _pruned(inner, f"{name}.{key}")
        for key, inner in value.items()
        if f"{name}.{key}" not in IRRELEVANT
    }
