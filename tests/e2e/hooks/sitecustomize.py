"""Pauses tfx-ner in one node, or makes one function fail. Python loads this module if its folder is on PYTHONPATH.

TEST_PAUSE_NODE=NODE, TEST_PAUSED=FILE: the program creates FILE and waits forever after the node's executor
has ended and before ML Metadata records it; in a node without an executor, before the node starts.
TEST_FAULT=MODULE:FUNCTION:MESSAGE: the function raises RuntimeError.
"""

import importlib.abc
import importlib.machinery
import os
import sys
import time
from pathlib import Path

LAUNCHER = "tfx.orchestration.portable.launcher"


def pause():
    Path(os.environ["TEST_PAUSED"]).touch()
    while True:
        time.sleep(3_600)


def pause_in_node(module):
    """Replaces two methods of TFX's Launcher, the base class of the project's launcher."""
    paused_node, owner = os.environ["TEST_PAUSE_NODE"], module.Launcher
    launch, publish = owner.launch, owner._publish_successful_execution

    def pausing_launch(self, *arguments, **named):
        spec = getattr(self, "_executor_spec", None)
        if self._pipeline_node.node_info.id == paused_node and spec is None:
            pause()
        return launch(self, *arguments, **named)

    def pausing_publish(self, *arguments, **named):
        if self._pipeline_node.node_info.id == paused_node:
            pause()
        return publish(self, *arguments, **named)

    owner.launch, owner._publish_successful_execution = pausing_launch, pausing_publish


def break_function(module):
    _, function, message = os.environ["TEST_FAULT"].split(":", 2)
    assert hasattr(module, function), f"{module.__name__} has no {function}"

    def failing(*_, **__):
        raise RuntimeError(message)

    setattr(module, function, failing)


class Finder(importlib.abc.MetaPathFinder):
    """Changes modules right after their import."""

    def __init__(self, changes):
        self._changes = changes

    def find_spec(self, name, path=None, target=None):
        if name not in self._changes:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        execute, change = spec.loader.exec_module, self._changes[name]

        def execute_and_change(module):
            execute(module)
            change(module)

        spec.loader.exec_module = execute_and_change
        return spec


changes = {}
if "TEST_PAUSE_NODE" in os.environ:
    changes[LAUNCHER] = pause_in_node
if "TEST_FAULT" in os.environ:
    changes[os.environ["TEST_FAULT"].partition(":")[0]] = break_function
if changes:
    sys.meta_path.insert(0, Finder(changes))
