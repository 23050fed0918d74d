"""The canary: a separate model for a version on trial, and the server configuration.

A canary of the model `ner` is in `serving/ner-canary/VERSION`. Requests name it, so that requests
for `ner` never reach it. `serving/models.config` names both models with the policy `latest` and
never changes: renames alone add and remove versions. TensorFlow Serving opens its ports only when
each model of its configuration has a version, so `ner-canary` always holds a copy of the version
that serves, made of hard links.

TensorFlow Serving's version labels are not used. The server checks labels before it loads versions
and refuses the whole configuration if a label moves to a version that is not loaded yet.
"""

import json
import re
from pathlib import Path

from components import atomic_io
from components.errors import UserError
from components.publishing import versions
from components.publishing.versions import Folders

CONFIG = "models.config"
_LABELS = ".labels.json"  # written by earlier releases, which used version labels
_MODEL = re.compile(r'name: ("(?:[^"\\]|\\.)*")\s+base_path: ("(?:[^"\\]|\\.)*")')


def in_use(folders: Folders) -> bool:
    """Whether canaries are in use for the model."""
    return folders.canary.is_dir()


def set_up(folders: Folders, base_path: str | None) -> None:
    """Begins to use canaries: copies the version that serves and writes `models.config`.

    Args:
      folders: the model's versions, of which one serves.
      base_path: `folders.live` as servers see it, if that is another path than here.
    """
    folders.canary.mkdir(parents=True, exist_ok=True)
    update(folders)
    _write_config(folders, base_path)


def update(folders: Folders) -> None:
    """Brings the canary folder in line with the live versions, where canaries are in use.

    Afterwards it holds a copy of the version that serves and the newest canary, if that is higher.
    Other copies are removed, and earlier canaries are withdrawn. The highest version there changes
    last, so that a server loads each version once. A killed update is finished by the next one.
    """
    serves = versions.serving(folders)
    if not in_use(folders) or serves is None:
        return
    if serves not in versions.versions(folders.canary):
        versions.link(folders.live / str(serves), folders.canary)
    kept = {serves, versions.canary(folders)}
    copies = {*versions.versions(folders.live), *versions.versions(folders.withdrawn)}
    for number in versions.versions(folders.canary):
        if number in kept:
            continue
        if number in copies:
            versions.remove(folders.canary / str(number))
        else:
            versions.move(number, folders.canary, folders.withdrawn)


def migrate_labels(folders: Folders) -> str:
    """Replaces the version labels of an earlier release by canary folders.

    The version with the label `stable` serves throughout. Versions above it leave the live folder:
    the canary moves to the canary folder, others are withdrawn. `models.config` changes after that.
    A killed migration is finished by the next one.

    Args:
      folders: the versions of a model; other models in the same folder are migrated, too.

    Returns:
      A line about what changed, "" if labels are not in use.

    Raises:
      UserError: the labels cannot be read.
    """
    labelled = {
        path: Folders(path.parent, folders.withdrawn.with_name(path.parent.name))
        for path in sorted(folders.live.parent.glob(f"*/{_LABELS}"))
    }
    base_paths = {path: _without_labels(path, model) for path, model in labelled.items()}
    for path, model in labelled.items():
        if versions.serving(model) is not None:
            set_up(model, base_paths[path] or str(model.live.resolve()))
        path.unlink()
    if not labelled:
        return ""
    return (
        f"{folders.live.parent / CONFIG}: version labels are no longer used; a canary is the model"
        f" {', '.join(model.canary.name for model in labelled.values())}, and requests name it"
    )


def _without_labels(path: Path, folders: Folders) -> str | None:
    """Moves the versions above the stable one, and returns the base path that servers see."""
    try:
        labels = json.loads(path.read_text(encoding="utf-8"))
        stable, on_trial, base_path = (labels.get(key) for key in ("stable", "canary", "base_path"))
    except (OSError, ValueError, AttributeError) as error:
        raise UserError(
            f"{path}: cannot read the version labels of an earlier release ({error}); remove the"
            " file, and the highest version serves"
        ) from None
    versions.clear_partial(folders)
    live = versions.versions(folders.live)
    for number in live if stable in live else ():
        if number == on_trial:
            if number not in versions.versions(folders.canary):
                versions.link(folders.live / str(number), folders.canary)
            versions.remove(folders.live / str(number))
        elif number > stable:
            versions.move(number, folders.live, folders.withdrawn)
    return base_path


def model_names(serving: Path) -> list[str]:
    """The models in `models.config` of a folder of models; empty without that file."""
    path = serving / CONFIG
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    return [json.loads(name) for name, _ in _MODEL.findall(text)]


def _write_config(folders: Folders, base_path: str | None) -> None:
    """Writes `models.config` unless it names the model and its canary already.

    Models that it named before keep their base paths.
    """
    path = folders.live.parent / CONFIG
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    base_paths = {json.loads(name): json.loads(base) for name, base in _MODEL.findall(text)}
    names = {folders.live.name, folders.canary.name}
    if names <= base_paths.keys() and "version_labels" not in text:
        return
    live = base_path or base_paths.get(folders.live.name) or str(folders.live.resolve())
    base_paths |= {folders.live.name: live, folders.canary.name: f"{live}-canary"}
    models = "".join(
        f"  config {{\n    name: {json.dumps(name)}\n"
        f"    base_path: {json.dumps(base, ensure_ascii=False)}\n"
        '    model_platform: "tensorflow"\n'
        "    model_version_policy { latest { num_versions: 1 } }\n  }\n"
        for name, base in sorted(base_paths.items())
    )
    atomic_io.write_text(
        path,
        "# Written by tfx-ner. Versions come and go below the base paths; the file stays as it is.\n"
        f"model_config_list {{\n{models}}}\n",
    )
