"""The component that puts the contract in force: the owner's schema file, or one made from the first run's data."""

from pathlib import Path
from typing import Any

import tensorflow_data_validation as tfdv
from tfx import types
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.types import artifact_utils, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.ingest import features
from components.ner import labels
from components.validation import curated_schema, statistics

INFERRED = "inferred"


def state(path: str | Path) -> str:
    """What the cache needs to know of the contract at `path`: its content, or `INFERRED` while it is as it was made.

    A run that makes the file and the next one, which finds it, are the same to the cache. A file that its owner removed
    is made anew from the data at hand, whatever the cache holds: how often that happened is part of the state.
    """
    path = Path(path)
    record, count = _record(path), path.with_name(f".{path.name}.times-removed")
    content = path.read_text(encoding="utf-8") if path.exists() else None
    made = record.read_text(encoding="utf-8") if record.exists() else None
    if content is None and made is not None:
        count.write_text(str(_number(count) + 1), encoding="utf-8")
        record.unlink()
    if content is None or content == made:
        return f"{INFERRED} anew, {_number(count)}" if count.exists() else INFERRED
    return content


def _number(count: Path) -> int:
    return int(count.read_text(encoding="utf-8")) if count.exists() else 0


class Executor(base_executor.BaseExecutor):
    """Copies the contract into its artifact; makes it first where there is none."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        path = Path(exec_properties["path"])
        if not path.exists():
            found = statistics.load(artifact_utils.get_single_instance(input_dict["statistics"]))
            tags = {
                tag for split in found.values() for tag in statistics.values(split, features.TAGS)
            }
            curated_schema.write(curated_schema.make(labels.types_of(tags)), path)
            _record(path).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
        target = Path(artifact_utils.get_single_uri(output_dict["schema"])) / "schema.pbtxt"
        tfdv.write_schema_text(curated_schema.completed(curated_schema.read(path)), str(target))


def _record(path: Path) -> Path:
    """Where a contract is kept as it was made, to tell whether its owner has edited it since."""
    return path.with_name(f".{path.name}.as-inferred")


class _Spec(ComponentSpec):
    PARAMETERS = {
        "path": ExecutionParameter(type=str),
        "state": ExecutionParameter(type=str),
        "code": ExecutionParameter(type=str),
    }
    INPUTS = {"statistics": ChannelParameter(type=standard_artifacts.ExampleStatistics)}
    OUTPUTS = {"schema": ChannelParameter(type=standard_artifacts.Schema)}


class CuratedSchema(base_component.BaseComponent):
    """Node that puts the curated schema in force and gives it as a Schema artifact.

    Args:
      statistics: of all splits; read on the first run only.
      path: the contract's file; written on the first run, kept from then on.
      code: a hash of the sources that this step depends on.
    """

    SPEC_CLASS = _Spec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(self, statistics: types.BaseChannel, path: str, code: str):
        super().__init__(
            _Spec(
                statistics=statistics,
                path=path,
                state=state(path),
                code=code,
                schema=types.Channel(type=standard_artifacts.Schema),
            )
        )
