"""What is remembered of a run, and how ML Metadata holds it: the custom properties of a context of its own."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any, Optional

TYPE = "tfx_ner_run"  # of the context; its name is the run's folder's, and that of TFX's own context of the run


@dataclass(frozen=True)
class Facts:
    """A run. Scores are as in `pipeline.outcome.Outcome`, whose `nodes` these are, too.

    `because` says why it started; `started` is in seconds since 1970, `seconds` how long it took; `process` on `host` was at
    work. `data` is the corpus's path, `spans` those it was trained on. `verdict` is empty until it has ended, `code` its exit
    code, `error` the line it ended with. `version` is what it published, wherever that lies now. `until` is the node that it was
    to stop after, "" if it was to go to the end.
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
    seconds: Optional[float] = None
    verdict: str = ""
    code: Optional[int] = None
    error: str = ""
    reasons: Sequence[str] = ()
    evaluated_on: str = ""
    overall: Optional[Mapping[str, float]] = None
    per_type: Optional[Mapping[str, Mapping[str, float]]] = None
    before: Optional[Mapping[str, float]] = None
    version: str = ""
    until: str = ""
    nodes: Sequence[Mapping[str, Any]] = ()

    def properties(self) -> dict[str, str]:
        """The values by name; texts as they are, the rest as JSON, and nothing for what is empty."""
        return {
            name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            for name, value in asdict(self).items()
            if name != "run" and (name not in _OPTIONAL or value not in (None, "", (), [], {}))
        }

    @classmethod
    def of(cls, run: str, properties: Mapping[str, str]) -> "Facts":
        """A run's facts from its context's properties; what a later version of the program has written besides is left out."""
        known = {one.name: one.type for one in fields(cls)}
        return cls(
            run=run,
            **{
                name: value if known[name] is str else json.loads(value)
                for name, value in properties.items()
                if name in known
            },
        )


_OPTIONAL = {
    one.name
    for one in fields(Facts)
    if one.default is not MISSING or one.default_factory is not MISSING
}
