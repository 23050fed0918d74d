"""What a run is made from: data, settings, schema and code; and what of it has changed. Needs no TFX.

Files are compared by size and times first, and by their hash only if the times differ.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from components.corpus.find_corpus import find_corpus
from components.corpus.text_files import content_hash
from components.settings import flatten
from pipeline import code_hash, remote_inputs
from pipeline.config import Config, starter_corpus
from pipeline.workdir import Workdir

# Settings of how, where and when a run is done, which do not change its result.
_IRRELEVANT_SETTINGS = ("schedule", "workdir", "orchestrator", "beam", "keep", "kubeflow")
# Settings that name files: the files are compared, so that moved data with the same content is not new.
_FILE_SETTINGS = ("data", "golden", "vectors", "schema")


class FileState(BaseModel):
    """A file as it was seen."""

    model_config = ConfigDict(frozen=True)

    size: int  # bytes
    # when its content and its metadata changed (mtime and ctime), in nanoseconds
    times: tuple[int, int]
    content: str = ""  # hash of its content; "" if it was not read

    @classmethod
    def of(cls, path: str | Path) -> "FileState":
        """The state of a file now, without its hash."""
        status = os.stat(path)
        return cls(size=status.st_size, times=(status.st_mtime_ns, status.st_ctime_ns))

    def with_hash(self, path: str | Path) -> "FileState":
        """The same with the hash of the file's content."""
        return self.model_copy(update={"content": content_hash(path)})

    def differs_from(self, before: "FileState", path: str | Path) -> bool:
        """Whether the content of the file at `path` is another than before."""
        if self.size != before.size:
            return True
        return self.times != before.times and content_hash(path) != before.content


class Inputs(BaseModel):
    """What a run is made from."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    settings: Mapping[str, Any]  # settings with dotted keys
    code: str  # hash of the code and its libraries
    files: Mapping[str, FileState]  # data files and word vectors by path
    spans: tuple[str, ...] = ()  # spans of the data, as text
    # the curated schema; None before the first run has made it
    schema_file: FileState | None = Field(
        None, validation_alias=AliasChoices("schema_file", "contract")
    )


def snapshot(config: Config) -> Inputs:
    """What a run would be made from now, without reading the files.

    Raises:
      UserError: the data is missing or incomplete.
      StorageError: the data is on remote storage that cannot be reached.
    """
    workdir = Workdir(Path(config.workdir).resolve(), config.name)
    local_config = remote_inputs.fetched(config, workdir)
    splits = find_corpus(local_config.data or starter_corpus(), local_config.choice)
    settings = {
        key: value
        for key, value in config.model_dump(by_alias=True, mode="json").items()
        if key not in _IRRELEVANT_SETTINGS
    }
    settings["metadata"].pop("password")
    paths = [path for files in splits.files.values() for path in files]
    if local_config.vectors:
        paths.append(os.path.abspath(local_config.vectors))
    schema = schema_path(config)
    return Inputs(
        settings=flatten(settings),
        code=code_hash.whole_hash(),
        files={path: FileState.of(path) for path in paths},
        spans=tuple(map(str, splits.spans)),
        schema_file=FileState.of(schema) if schema.exists() else None,
    )


def schema_path(config: Config) -> Path:
    """The path of the curated schema, which may not exist yet."""
    if config.schema_file:
        return Path(config.schema_file)
    return Workdir(Path(config.workdir), config.name).schema


def with_hashes(inputs: Inputs, config: Config) -> Inputs:
    """The same with the hash of every file."""
    files = {path: file.with_hash(path) for path, file in inputs.files.items()}
    schema = inputs.schema_file and inputs.schema_file.with_hash(schema_path(config))
    return inputs.model_copy(update={"files": files, "schema_file": schema})


def with_schema(inputs: Inputs, config: Config) -> Inputs:
    """The same with the schema that the run made, if there was none before."""
    path = schema_path(config)
    if inputs.schema_file or not path.exists():
        return inputs
    return inputs.model_copy(update={"schema_file": FileState.of(path).with_hash(path)})


def with_times_of(before: Inputs, now: Inputs) -> Inputs:
    """The inputs `before` with the times that the files have now; their content has to be the same."""
    files = {
        path: file.model_copy(update={"times": now.files[path].times})
        for path, file in _at_new_paths(before, now).items()
    }
    return before.model_copy(update={"files": files})


def changes(now: Inputs, before: Inputs, config: Config) -> tuple[str, ...]:
    """A phrase for each change, data first; empty if nothing has changed.

    Args:
      now: a snapshot.
      before: inputs with hashes.
      config: says where the schema is.
    """
    moved = before.model_copy(update={"files": _at_new_paths(before, now)})
    return (*_data_changes(now, moved), *_other_changes(now, moved, config))


def _at_new_paths(before: Inputs, now: Inputs) -> dict[str, FileState]:
    """The files of `before`; those that were moved are under the paths that they have now.

    A file was moved if its path is gone, and a new one has the same name, size and content.
    """
    added = [path for path in now.files if path not in before.files]
    files = {}
    for path, file in before.files.items():
        if path in now.files:
            files[path] = file
            continue
        new_path = next(
            (
                other
                for other in added
                if os.path.basename(other) == os.path.basename(path)
                and not now.files[other].differs_from(file, other)
            ),
            path,
        )
        if new_path != path:
            added.remove(new_path)
        files[new_path] = file
    return files


def _data_changes(now: Inputs, before: Inputs) -> Iterator[str]:
    if now.spans != before.spans:
        new = [span for span in now.spans if span not in before.spans]
        yield f"new data: {_shorten(new)}" if new else f"other spans: {_shorten(now.spans)}"
    else:
        for phrase, present, absent in (("new data", now, before), ("data is gone", before, now)):
            names = [os.path.basename(path) for path in present.files if path not in absent.files]
            if names:
                yield f"{phrase}: {_shorten(names)}"
    changed = [
        os.path.basename(path)
        for path, file in now.files.items()
        if path in before.files and file.differs_from(before.files[path], path)
    ]
    if changed:
        yield f"changed data: {_shorten(changed)}"


def _other_changes(now: Inputs, before: Inputs, config: Config) -> Iterator[str]:
    names = sorted((now.settings.keys() | before.settings.keys()) - set(_FILE_SETTINGS))
    changed = [name for name in names if now.settings.get(name) != before.settings.get(name)]
    if changed:
        yield f"changed settings: {_shorten(changed)}"
    if before.schema_file and (
        not now.schema_file or now.schema_file.differs_from(before.schema_file, schema_path(config))
    ):
        yield "changed schema"
    if now.code != before.code:
        yield "changed code of tfx-ner or its libraries"


def _shorten(names: Sequence[str]) -> str:
    """Lists four names at most.

    >>> _shorten(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    if len(names) <= 4:
        return ", ".join(names)
    return f"{', '.join(names[:3])} and {len(names) - 3} more"
