"""The node CuratedSchema: the user's schema, on the first run a schema inferred from the data."""

from pathlib import Path

import tensorflow_data_validation as tfdv
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import standard_artifacts

from components import atomic_io
from components.ingest import features
from components.ner.tags import types_of
from components.validation import curated_schema
from components.validation.statistics import load_statistics, string_values

INFERRED = "inferred"


@component
def CuratedSchema(
    statistics: InputArtifact[standard_artifacts.ExampleStatistics],
    schema: OutputArtifact[standard_artifacts.Schema],
    path: Parameter[str],
    state: Parameter[str],
    code: Parameter[str],
) -> None:
    """Writes the curated schema as an artifact.

    Args:
      statistics: statistics of all splits. They are read on the first run only.
      schema: the artifact.
      path: the schema's file. It is made on the first run and belongs to the user from then on.
      state: the file's content for the cache, from `schema_state`.
      code: hash of the sources that this node depends on.
    """
    file = Path(path)
    if not file.exists():
        tags = {
            tag
            for split in load_statistics(statistics).values()
            for tag in string_values(split, features.TAGS)
        }
        curated_schema.write_schema(curated_schema.make_schema(types_of(tags)), file)
        atomic_io.write_text(_inferred_copy(file), file.read_text(encoding="utf-8"))
    content = curated_schema.with_all_features(curated_schema.read_schema(file))
    tfdv.write_schema_text(content, str(Path(schema.uri) / "schema.pbtxt"))


def schema_state(path: str | Path) -> str:
    """The state of the schema's file, for the cache key.

    It is the file's content, or `INFERRED` while the content is as the first run wrote it: the run
    that infers the file and the next run, which reads it, have the same state. If the user removes
    the file, it is inferred again, so the state counts removals.
    """
    path = Path(path)
    inferred, counter = _inferred_copy(path), path.with_name(f".{path.name}.times-removed")
    content = path.read_text(encoding="utf-8") if path.exists() else None
    original = inferred.read_text(encoding="utf-8") if inferred.exists() else None
    if content is None and original is not None:
        counter.write_text(str(_read_number(counter) + 1), encoding="utf-8")
        inferred.unlink()
    if content is None or content == original:
        return f"{INFERRED} again, {_read_number(counter)}" if counter.exists() else INFERRED
    return content


def _inferred_copy(path: Path) -> Path:
    """The file with the schema as it was inferred, to detect edits by the user."""
    return path.with_name(f".{path.name}.as-inferred")


def _read_number(path: Path) -> int:
    return int(path.read_text(encoding="utf-8")) if path.exists() else 0
