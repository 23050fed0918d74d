"""The outcome of a run, as plain values: what was measured, what the gate decided and what was published."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Optional

from pipeline import exits
from pipeline.nodes import LOOKS_UP, following


@dataclass(frozen=True)
class Outcome:
    """Scores are dicts of precision, recall, f1 and support; those of the model before are None where there was none.

    `recall_by_novelty` is the recall of entities that train has (`seen`), has with another type (`seen_as_other`) or
    has not (`unseen`); `incomparable` says that another model serves, which cannot be measured on the same data
    because its signatures are others or it is not of this workdir's runs; `published` is the version's folder, None
    where the gate let nothing through or the version must not serve: then `held` says why. `version` is its number
    wherever it is; `canary` says that it is on trial. `spans` are the numbers and versions of those that the data is
    of; `report` is the path of the run's report, "" if there is none; `drift` is what
    `components.validation.drift.Drift` says, and whether it is `past` the contract's threshold; `forced` says that
    the user wanted no comparison with the model that serves.
    """

    overall: Mapping[str, float]
    per_type: Mapping[str, Mapping[str, float]]
    by_length: Mapping[str, Mapping[str, float]]
    recall_by_novelty: Mapping[str, float]
    before: Optional[Mapping[str, float]]
    incomparable: bool
    blessed: bool
    reasons: tuple[str, ...]
    published: Optional[str]
    report: str = ""
    version: str = ""
    held: str = ""
    canary: bool = False
    evaluated_on: str = ""
    spans: tuple[Mapping[str, int], ...] = ()
    drift: tuple[Mapping[str, object], ...] = ()
    forced: bool = False
    nodes: tuple[Mapping[str, object], ...] = field(default=())

    @property
    def nothing_ran(self) -> bool:
        """Whether every step came from the cache. Resolvers, which only look up, do not count."""
        steps = [node for node in self.nodes if node["reason"] != LOOKS_UP]
        return bool(steps) and all(node["cached"] for node in steps)

    @property
    def verdict(self) -> str:
        """What came of it, in a word, for the history."""
        if self.published:
            return "unchanged" if self.nothing_ran else "canary" if self.canary else "published"
        return "held" if self.held else "refused"

    @property
    def code(self) -> int:
        """The exit code."""
        return exits.DONE if self.published else exits.REFUSED

    @property
    def remembered(self) -> dict:
        """What the history keeps of it."""
        kept = ("overall", "per_type", "before", "reasons", "evaluated_on", "version", "nodes")
        return {name: getattr(self, name) for name in kept}

    def as_dict(self) -> dict:
        return {**asdict(self), "nothing_ran": self.nothing_ran}


@dataclass(frozen=True)
class PartialOutcome:
    """The outcome of a run that `--until` stopped.

    Attributes:
      until: the node after which it stopped.
      nodes: as in `Outcome`.
    """

    until: str
    nodes: tuple[Mapping[str, Any], ...]

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

    @property
    def remembered(self) -> dict[str, Any]:
        """The fields that the history keeps."""
        return {"until": self.until, "nodes": self.nodes}

    def as_dict(self) -> dict[str, Any]:
        return {"until": self.until, "next": self.next, "published": None, "nodes": self.nodes}
