"""Partial matches counted by nervaluate, for tests that compare with it."""

import sys
from dataclasses import asdict
from pathlib import Path

import pytest

ENVIRONMENT = Path(__file__).resolve().parents[1] / ".venv-nervaluate"


def nervaluate():
    """A function from pairs of true and predicted entities and the types to nervaluate's counts, overall and per type.

    Skips the test if nervaluate is not installed.
    """
    folders = [str(path) for path in ENVIRONMENT.glob("lib/python3.*/site-packages")]
    sys.path[:0] = folders
    try:
        evaluator = pytest.importorskip(
            "nervaluate.evaluator",
            reason="nervaluate is not installed: requirements/setup-extra.sh nervaluate installs it",
        )
    finally:
        del sys.path[: len(folders)]

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
