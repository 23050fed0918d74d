"""Synthetic outcomes of runs."""

from components.progress import NodeEnded
from pipeline.outcome import Outcome

SCORES = {"precision": 0.5, "recall": 0.25, "f1": 1 / 3, "support": 1234}


def make_outcome(**fields) -> Outcome:
    """An outcome that published version 17, with `fields` replaced."""
    return Outcome(
        **{
            "overall": SCORES,
            "per_type": {"LOC": SCORES},
            "by_length": {},
            "recall_by_novelty": {"seen": 0.9, "seen_as_other": 0.5},
            "before": None,
            "incomparable": False,
            "blessed": True,
            "reasons": (),
            "published": "/w/serving/ner/17",
            "version": "17",
            "evaluated_on": "test",
            "nodes": (NodeEnded("Trainer", 7, False, "first run", 1.5),),
            **fields,
        }
    )
