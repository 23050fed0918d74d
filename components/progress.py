"""How steps that run deep inside TFX and Beam tell the user where they are.

They log structured records to one logger; whoever runs the pipeline in this process listens, and nobody has to. Logging
is the channel that crosses TFX's layers without being handed through them.
"""

import logging
from typing import Any

LOGGER = logging.getLogger("tfx_ner.progress")
LOGGER.setLevel(logging.INFO)


def report(kind: str, **facts: Any) -> None:
    """Tells a listener something; `kind` says what, `facts` are its particulars."""
    LOGGER.info("%s %s", kind, facts, extra={"kind": kind, "facts": facts})


def epoch(facts: dict[str, Any]) -> None:
    """Tells of a finished epoch of training: `epoch`, `epochs`, `loss`, `seconds`, `f1`, `precision`, `recall` on dev."""
    report("epoch", **facts)
