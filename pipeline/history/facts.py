"""The record of a run, which ML Metadata keeps as the custom properties of a context."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any

TYPE = "tfx_ner_run"  # of the context; its name is the run's folder's, and that of TFX's own context of the run


@dataclass(frozen=True)
class Facts:
    """What is recorded of a run.

    Attributes:
      run: the name of its folder.
      workdir: the path of the workdir.
      because: why it started.
      corpus: the name of the corpus.
      data: the path of the corpus.
      started: when it started, in seconds since 1970.
      process: the number of its process.
      host: the machine on which that ran.
      config_hash: hash of its configuration.
      code_hash: hash of the code.
      packages: versions of the packages by name.
      data_hash: hash of the corpus.
      spans: number and version of each span of data that it trained on.
      sentences: number of sentences by split.
      seconds: how long it took; None until it has ended.
      verdict: how it ended, in a word; "" until it has ended.
      code: its exit code; None until it has ended.
      error: the line with which it ended if it failed.
      reasons: why the gate let nothing through.
      evaluated_on: the split that the scores are of.
      overall: scores over all types, as in `pipeline.outcome.Outcome`.
      per_type: scores by type.
      before: scores of the model that served before.
      version: the version that it published, wherever that is now.
      until: the node after which it had to stop; "" to run to the end.
      nodes: its nodes, as in `pipeline.outcome.Outcome`.
    """

    run: str
    workdir: str
    because: str
    corpus: str
    data: str
    started: float
    process: int
    host: str
    config_hash: str
    code_hash: str
    packages: Mapping[str, str] = field(default_factory=dict)
    data_hash: str = ""
    spans: Sequence[Mapping[str, int]] = ()
    sentences: Mapping[str, int] = field(default_factory=dict)
    seconds: float | None = None
    verdict: str = ""
    code: int | None = None
    error: str = ""
    reasons: Sequence[str] = ()
    evaluated_on: str = ""
    overall: Mapping[str, float] | None = None
    per_type: Mapping[str, Mapping[str, float]] | None = None
    before: Mapping[str, float] | None = None
    version: str = ""
    until: str = ""
    nodes: Sequence[Mapping[str, Any]] = ()

    def properties(self) -> dict[str, str]:
        """The values by name: strings as they are, others as JSON; empty values are left out."""
        return {
            name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            for name, value in asdict(self).items()
            if name != "run" and (name not in _OPTIONAL or value not in (None, "", (), [], {}))
        }

    @classmethod
    def of(cls, run: str, properties: Mapping[str, str]) -> "Facts":
        """The facts in the properties of a run's context; properties of later versions are ignored."""
        known = {entry.name: entry.type for entry in fields(cls)}
        return cls(
            run=run,
            **{
                name: value if known[name] is str else json.loads(value)
                for name, value in properties.items()
                if name in known
            },
        )


_OPTIONAL = {
    entry.name
    for entry in fields(Facts)
    if entry.default is not MISSING or entry.default_factory is not MISSING
}
