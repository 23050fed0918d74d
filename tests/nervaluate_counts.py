"""Partial matches as nervaluate counts them, for tests that compare with it."""

import sys
from dataclasses import asdict
from pathlib import Path

import pytest

FETCHED = Path(__file__).resolve().parents[1] / ".venv" / "nervaluate"


def nervaluate():
    """A function from pairs of true and found entities, and the types, to nervaluate's counts: of all, and of each type.

    Skips the test where nervaluate is not here.
    """
    sys.path.insert(0, str(FETCHED))
    try:
        evaluator = pytest.importorskip(
            "nervaluate.evaluator",
            reason="nervaluate is not here; requirements/setup-nervaluate.sh fetches it",
        )
    finally:
        sys.path.remove(str(FETCHED))

    def evaluate(pairs, types):
        gold, found = [_entities(pair[0]) for pair in pairs], [_entities(pair[1]) for pair in pairs]
        results = evaluator.Evaluator(gold, found, tags=list(types), loader="dict").evaluate()
        return _as_dicts(results["overall"]), {
            type_: _as_dicts(ways) for type_, ways in results["entities"].items()
        }

    return evaluate


def _entities(spans):
    return [{"label": span.type, "start": span.start, "end": span.end - 1} for span in spans]


def _as_dicts(ways):
    return {way: asdict(counts) for way, counts in ways.items()}
