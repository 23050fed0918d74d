"""What a run would be made from: data, configuration and code, and whether any of it is new. Takes no TFX.

Files are told by size and times first, and by their content where only the times differ.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

from pydantic import BaseModel, ConfigDict

from components.corpus.find_corpus import find_corpus
from components.corpus.text_files import content_hash
from components.settings import flatten
from pipeline import code_hash, remote_inputs, starter
from pipeline.config import Config
from pipeline.workdir import Workdir

# What says how, where or when a run is done, and not what comes of it.
_NO_MATTER = ("schedule", "workdir", "orchestrator", "beam", "keep", "kubeflow")


class File(BaseModel):
    """A file's size, times (nanoseconds: of its content, and of anything about it) and, once it was read, content."""

    model_config = ConfigDict(frozen=True)

    size: int
    times: tuple[int, int]
    content: str = ""


class Inputs(BaseModel):
    """Settings by their whole name, a hash of the code, files by path, the spans that the data is of, each as text, and the
    contract on it, None where the first run is still to make it.
    """

    model_config = ConfigDict(frozen=True)

    settings: Mapping[str, Any]
    code: str
    files: Mapping[str, File]
    spans: tuple[str, ...] = ()
    contract: Optional[File] = None


def look(config: Config) -> Inputs:
    """What a run of this configuration would be made from now; of files, what can be told without reading them.

    Raises:
      UserError: the data is missing, or not whole yet.
      StorageError: it lies elsewhere and cannot be reached.
    """
    here = remote_inputs.fetched(config, Workdir(Path(config.workdir).resolve(), config.name))
    splits = find_corpus(here.data or starter.corpus(), here.choice)
    kept = {
        key: value
        for key, value in config.model_dump(by_alias=True, mode="json").items()
        if key not in _NO_MATTER
    }
    kept["metadata"].pop("password")
    paths = [path for files in splits.files.values() for path in files]
    if here.vectors:
        paths.append(os.path.abspath(here.vectors))
    return Inputs(
        settings=flatten(kept),
        code=code_hash.whole_hash(),
        files={path: _seen(path) for path in paths},
        spans=tuple(map(str, splits.spans)),
        contract=_seen(contract(config)) if contract(config).exists() else None,
    )


def contract(config: Config) -> Path:
    """Where the contract lies that is in force, once there is one."""
    return (
        Path(config.schema_file)
        if config.schema_file
        else Workdir(Path(config.workdir), config.name).schema
    )


def read(inputs: Inputs, config: Config) -> Inputs:
    """The same with the content of every file, as it is to be kept for comparison."""
    files = {path: _with_content(path, file) for path, file in inputs.files.items()}
    made = inputs.contract and _with_content(contract(config), inputs.contract)
    return inputs.model_copy(update={"files": files, "contract": made})


def with_contract(inputs: Inputs, config: Config) -> Inputs:
    """The same after the run, which made the contract if there was none."""
    path = contract(config)
    if inputs.contract or not path.exists():
        return inputs
    return inputs.model_copy(update={"contract": _with_content(path, _seen(path))})


def changes(now: Inputs, before: Inputs, config: Config) -> tuple[str, ...]:
    """What is new in comparison with what was read before, a phrase for each, the data first; none if nothing is."""
    return (*_data_changes(now, before), *_other_changes(now, before, config))


def as_seen(before: Inputs, now: Inputs) -> Inputs:
    """What was read before, with the times that files of the same content have now: they need not be read again."""
    files = {
        path: file.model_copy(update={"times": now.files[path].times})
        for path, file in before.files.items()
    }
    return before.model_copy(update={"files": files})


def _data_changes(now: Inputs, before: Inputs) -> Iterator[str]:
    if now.spans != before.spans:
        new = [span for span in now.spans if span not in before.spans]
        yield f"new data: {_listed(new)}" if new else f"other spans: {_listed(now.spans)}"
    else:
        for what, there, not_there in (("new data", now, before), ("data is gone", before, now)):
            names = [os.path.basename(path) for path in there.files if path not in not_there.files]
            if names:
                yield f"{what}: {_listed(names)}"
    other = [
        os.path.basename(path)
        for path, file in now.files.items()
        if path in before.files and _differs(path, file, before.files[path])
    ]
    if other:
        yield f"changed data: {_listed(other)}"


def _other_changes(now: Inputs, before: Inputs, config: Config) -> Iterator[str]:
    names = sorted(now.settings.keys() | before.settings.keys())
    other = [name for name in names if now.settings.get(name) != before.settings.get(name)]
    if other:
        yield f"changed settings: {_listed(other)}"
    if before.contract and not (
        now.contract and not _differs(contract(config), now.contract, before.contract)
    ):
        yield "changed contract"
    if now.code != before.code:
        yield "changed code of tfx-ner or its libraries"


def _differs(path: str | Path, now: File, before: File) -> bool:
    if now.size != before.size:
        return True
    return now.times != before.times and content_hash(path) != before.content


def _with_content(path: str | Path, file: File) -> File:
    return file.model_copy(update={"content": content_hash(path)})


def _seen(path: str | Path) -> File:
    found = os.stat(path)
    return File(size=found.st_size, times=(found.st_mtime_ns, found.st_ctime_ns))


def _listed(names: Sequence[str]) -> str:
    """At most four of the names.

    >>> _listed(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    return (
        ", ".join(names) if len(names) <= 4 else f"{', '.join(names[:3])} and {len(names) - 3} more"
    )
