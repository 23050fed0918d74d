"""The outcome of a run, as plain values: what was measured, what the gate decided and what was published."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from components.progress import NodeEnded
from pipeline import exits
from pipeline.nodes import LOOKS_UP, following

Scores = Mapping[str, float]  # precision, recall, f1 and support


@dataclass(frozen=True)
class Outcome:
    """The outcome of a run that went to the end."""

    overall: Scores  # scores over all types
    per_type: Mapping[str, Scores]  # scores by type
    by_length: Mapping[str, Scores]  # scores by length of the sentence, in groups
    # recall of entities that train has (`seen`), has with another type only (`seen_as_other`), or
    # lacks (`unseen`)
    recall_by_novelty: Mapping[str, float]
    # overall scores of the serving model on the same data; None if it was not evaluated
    before: Scores | None
    incomparable: bool  # whether a model serves that cannot be evaluated on the same data
    blessed: bool  # whether the gate let the model through
    reasons: tuple[str, ...]  # why it did not
    # folder of the published version; None if nothing was published or the version must not serve
    published: str | None
    report: str = ""  # path of the report's page, "" if there is none
    version: str = ""  # number of the version, also where it is withdrawn
    held: str = ""  # why the version must not serve, "" if it may
    canary: bool = False  # whether the version is a canary
    evaluated_on: str = ""  # name of the evaluated split
    spans: tuple[Mapping[str, int], ...] = ()  # number and version of the spans of data
    # fields of `components.validation.data_gate.Drift`, and whether each is `past` its threshold
    drift: tuple[Mapping[str, Any], ...] = ()
    # whether the comparison with the serving model was switched off by --force-baseline
    forced: bool = False
    nodes: tuple[NodeEnded, ...] = ()  # the nodes in the order in which they ended

    @property
    def nothing_ran(self) -> bool:
        """Whether all nodes came from the cache. Resolvers do not count: they run each time."""
        nodes = [node for node in self.nodes if node.reason != LOOKS_UP]
        return bool(nodes) and all(node.cached for node in nodes)

    @property
    def verdict(self) -> str:
        """The outcome in one word, for the history."""
        if self.published:
            return "unchanged" if self.nothing_ran else "canary" if self.canary else "published"
        return "held" if self.held else "refused"

    @property
    def code(self) -> int:
        """The exit code."""
        return exits.DONE if self.published else exits.REFUSED

    def history_fields(self) -> dict[str, Any]:
        """The fields that the history keeps."""
        names = ("overall", "per_type", "before", "reasons", "evaluated_on", "version", "nodes")
        values = self.as_dict()
        return {name: values[name] for name in names}

    def as_dict(self) -> dict[str, Any]:
        nodes = tuple(node.as_dict() for node in self.nodes)
        return {**asdict(self), "nodes": nodes, "nothing_ran": self.nothing_ran}


@dataclass(frozen=True)
class PartialOutcome:
    """The outcome of a run that `--until` stopped."""

    until: str  # the node after which it stopped
    nodes: tuple[NodeEnded, ...]  # the nodes in the order in which they ended

    @property
    def next(self) -> str:
        """The node that comes next."""
        return following(self.until)

    @property
    def verdict(self) -> str:
        """The outcome in a few words, for the history."""
        return f"up to {self.until}"

    @property
    def code(self) -> int:
        """The exit code."""
        return exits.DONE

    def history_fields(self) -> dict[str, Any]:
        """The fields that the history keeps."""
        return {"until": self.until, "nodes": self.as_dict()["nodes"]}

    def as_dict(self) -> dict[str, Any]:
        nodes = tuple(node.as_dict() for node in self.nodes)
        return {"until": self.until, "next": self.next, "published": None, "nodes": nodes}
