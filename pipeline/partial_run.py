"""A run that stops early because the user wants it: where it may stop, and what came of it. Takes no TFX."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline import exits

# In the graph's order, less the resolvers, which only look up. From the Pusher on there is no stopping: it publishes.
NODES = (
    "CorpusExampleGen", "StatisticsGen", "Contract", "ExampleValidator", "DataGate", "Transform", "Trainer", "Evaluator",
    "TypeGate",
)  # fmt: skip
LAST = ("Pusher", "Report")

# What an orchestrator beside TFX's own does as tasks, each by `tfx-ner run --until NODE`; the last one goes to the end.
STEPS = {
    "data": "DataGate",
    "transform": "Transform",
    "train": "Trainer",
    "evaluate": "TypeGate",
    "publish": "",
}


@dataclass(frozen=True)
class Part:
    """A run that was to stop after the node `until`; `nodes` are as in `pipeline.outcome.Outcome`, in place of which it stands."""

    until: str
    nodes: tuple[Mapping[str, Any], ...]

    @property
    def next(self) -> str:
        """The node that comes next."""
        return (*NODES, *LAST)[NODES.index(self.until) + 1]

    @property
    def verdict(self) -> str:
        """What came of it, for the history."""
        return f"up to {self.until}"

    @property
    def code(self) -> int:
        """The exit code: it did what it was asked to."""
        return exits.DONE

    @property
    def remembered(self) -> dict[str, Any]:
        """What the history keeps of it."""
        return {"until": self.until, "nodes": self.nodes}

    def as_dict(self) -> dict[str, Any]:
        return {"until": self.until, "next": self.next, "published": None, "nodes": self.nodes}
