"""The record of a run, which ML Metadata keeps as the custom properties of a context."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any

TYPE = "tfx_ner_run"  # of the context; its name is the run's folder's, and that of TFX's own context of the run


@dataclass(frozen=True)
class Facts:
    """What is recorded of a run."""

    run: str  # the name of its folder
    workdir: str  # the path of the workdir
    because: str  # why it started
    corpus: str  # the name of the corpus
    data: str  # the path of the corpus
    started: float  # when it started, in seconds since 1970
    process: int  # the number of its process
    host: str  # the machine on which that ran
    config_hash: str  # hash of its configuration
    code_hash: str  # hash of the code
    packages: Mapping[str, str] = field(default_factory=dict)  # versions of the packages by name
    data_hash: str = ""  # hash of the corpus
    # number and version of each span of data that it trained on
    spans: Sequence[Mapping[str, int]] = ()
    sentences: Mapping[str, int] = field(default_factory=dict)  # number of sentences by split
    seconds: float | None = None  # how long it took; None until it has ended
    verdict: str = ""  # how it ended, in a word; "" until it has ended
    code: int | None = None  # its exit code; None until it has ended
    error: str = ""  # the line with which it ended if it failed
    reasons: Sequence[str] = ()  # why the gate let nothing through
    evaluated_on: str = ""  # the split that the scores are of
    # scores over all types, as in `pipeline.outcome.Outcome`
    overall: Mapping[str, float] | None = None
    per_type: Mapping[str, Mapping[str, float]] | None = None  # scores by type
    before: Mapping[str, float] | None = None  # scores of the model that served before
    version: str = ""  # the version that it published, wherever that is now
    until: str = ""  # the node after which it had to stop; "" to run to the end
    nodes: Sequence[Mapping[str, Any]] = ()  # its nodes, as in `pipeline.outcome.Outcome`

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
