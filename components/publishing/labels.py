"""The labels `stable` and `canary`, and the configuration that tells servers of them. Plain Python.

TensorFlow Serving knows labels from its ModelServerConfig only, and puts one on a version only once that is loaded. It
reads the file anew every `--model_config_file_poll_wait_seconds`, so that a label follows its version by one look.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Optional

from components import atomic_io
from components.errors import UserError

_FILE = ".labels.json"
CONFIG = "models.config"


@dataclass(frozen=True)
class Labels:
    """Versions by label; `base_path` is the folder of versions as servers see it, where that is another than ours."""

    stable: int
    canary: Optional[int] = None
    base_path: Optional[str] = None


def read(live: Path) -> Optional[Labels]:
    """The labels of the versions in `live`, None where labels are not in use. Raises UserError if they cannot be read."""
    path = live / _FILE
    try:
        return Labels(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise UserError(
            f'{path}: cannot read the labels ({error}); expected {{"stable": VERSION, "canary": VERSION or null}}'
        ) from None


def write(live: Path, labels: Labels) -> None:
    """Labels the versions in `live`, and tells servers by `models.config` in the folder above."""
    atomic_io.write_text(live / _FILE, json.dumps(asdict(labels), indent=1) + "\n")
    write_config(live.parent)


def write_config(serving: Path) -> None:
    """Writes TensorFlow Serving's ModelServerConfig of every model in `serving`, from the labels of their versions."""
    models = (
        path
        for path in sorted(serving.iterdir())
        if path.is_dir() and not path.name.startswith(".")
    )
    configs = "".join(_config(path, read(path)) for path in models)
    atomic_io.write_text(
        serving / CONFIG,
        "# Written by tfx-ner whenever a version is published, promoted or rolled back.\n"
        f"model_config_list {{\n{configs}}}\n",
    )


def _config(live: Path, labels: Optional[Labels]) -> str:
    base_path = labels.base_path if labels and labels.base_path else str(live.resolve())
    policy, named = "latest { num_versions: 1 }", ""
    if labels:
        numbers = {"stable": labels.stable, **({"canary": labels.canary} if labels.canary else {})}
        policy = f"specific {{ {' '.join(f'versions: {number}' for number in dict.fromkeys(numbers.values()))} }}"
        named = "".join(
            f'    version_labels {{ key: "{label}" value: {number} }}\n'
            for label, number in numbers.items()
        )
    return (
        f"  config {{\n    name: {json.dumps(live.name)}\n    base_path: {json.dumps(base_path, ensure_ascii=False)}\n"
        f'    model_platform: "tensorflow"\n    model_version_policy {{ {policy} }}\n{named}  }}\n'
    )
