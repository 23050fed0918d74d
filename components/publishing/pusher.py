"""The Pusher: a version appears in the serving folder complete or not at all.

TFX's Pusher copies into the version folder, and a server that polls meanwhile sees a folder that it
cannot load. This one copies to another name and renames (`components.publishing.versions`).
"""

import json
import os
from pathlib import Path
from typing import Any

from tfx import types
from tfx.components.pusher import executor
from tfx.types import artifact_utils
from tfx.utils import io_utils, json_utils

from components.publishing import changes, versions


def destination(folders: versions.Folders, canary: bool, base_path: str | None) -> dict[str, Any]:
    """The executor's part of the component's `custom_config`: where to publish."""
    return {
        "live": str(folders.live),
        "withdrawn": str(folders.withdrawn),
        "canary": canary,
        "base_path": base_path,
        "lost": versions.lost_version(folders),
    }


class Executor(executor.Executor):
    """Publishes the model under the next version number if it is blessed."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        pushed = artifact_utils.get_single_instance(output_dict["pushed_model"])
        if not self.CheckBlessing(input_dict):
            self._MarkNotPushed(pushed)
            return
        config = json_utils.loads(exec_properties["custom_config"])
        folders = versions.Folders(Path(config["live"]), Path(config["withdrawn"]))
        path = changes.publish(
            self.GetModelPath(input_dict), folders, config["canary"], config["base_path"]
        )
        # The artifact holds the version's path rather than a second copy of the model.
        io_utils.write_string_file(
            os.path.join(pushed.uri, "published.json"), json.dumps({"path": str(path)}) + "\n"
        )
        self._MarkPushed(pushed, pushed_destination=str(path), pushed_version=path.name)
