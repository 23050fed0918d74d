"""Shared by all tests: hypothesis profile, the `tensorflow` marker, and the file of skip reasons."""

import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import settings

UNIT = Path(__file__).parent / "unit"

# On a shared machine any example may take a second.
settings.register_profile("without deadlines", deadline=None)
settings.load_profile("without deadlines")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks everything outside tests/unit as `tensorflow`."""
    for item in items:
        if not item.path.is_relative_to(UNIT):
            item.add_marker(pytest.mark.tensorflow)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Appends the reasons of skipped tests to the file named by TFX_NER_SKIPS."""
    path = os.environ.get("TFX_NER_SKIPS")
    if not path:
        return
    reasons = Counter(
        report.longrepr[2].removeprefix("Skipped: ")
        for report in terminalreporter.stats.get("skipped", [])
        if isinstance(report.longrepr, tuple)
    )
    with open(path, "a", encoding="utf-8") as file:
        for reason, count in sorted(reasons.items()):
            file.write(f"{count} test{'s' * (count > 1)}: {reason}\n")
