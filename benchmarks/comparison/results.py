"""The figures of each tool, as rows of a table and as JSON."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from statistics import mean
from typing import Any


@dataclass(frozen=True)
class Run:
    """The figures of one model of a tool; None for what was not measured.

    Attributes:
        f1: on the evaluated split.
        training_seconds: of fitting.
        training_peak_mb: memory of the largest process.
        tokens_per_second: of tagging tokens.
        milliseconds: of one short sentence.
        model_mb: size on disk.
        f1_from_text: with the tool's own tokenizer.
        calibration_error: expected calibration error of the entities' scores.
        whole_seconds: all that the user waits for, where that is more than fitting.
        text_tokens_per_second: of tagging plain text.
    """

    f1: float
    training_seconds: float
    training_peak_mb: float
    tokens_per_second: float
    milliseconds: float
    model_mb: float
    f1_from_text: float | None = None
    calibration_error: float | None = None
    whole_seconds: float | None = None
    text_tokens_per_second: float | None = None


@dataclass(frozen=True)
class Tool:
    """A tool, its version, the processes that it tagged in, and its runs, which differ by their
    seed.
    """

    name: str
    version: str
    processes: int
    runs: tuple[Run, ...]

    def values(self, measure: str) -> list[float]:
        """Returns the values of a measure, of the runs that have it."""
        return [value for run in self.runs if (value := getattr(run, measure)) is not None]

    def as_dict(self) -> dict[str, Any]:
        """Returns mean, lowest, highest and all values of each measure; None for a measure without
        values.
        """
        return {
            "version": self.version,
            "processes": self.processes,
            **{field.name: _spread(self.values(field.name)) for field in fields(Run)},
        }


@dataclass(frozen=True)
class Row:
    """How the table shows a measure: its title, the format of its numbers, and how runs are
    combined.
    """

    measure: str
    title: str
    form: str
    combine: Callable[[Sequence[float]], float] = mean
    spread: bool = False


_ROWS = (
    Row("f1", "F1 on {evaluated_on}", ".4f", spread=True),
    Row("f1_from_text", "F1 on {evaluated_on}, from plain text", ".4f", spread=True),
    Row("calibration_error", "calibration error on {evaluated_on}", ".3f", spread=True),
    Row("training_seconds", "training, seconds", ",.1f"),
    Row("whole_seconds", "the whole pipeline, seconds", ",.1f"),
    Row("text_tokens_per_second", "tokens a second, from plain text", ",.0f"),
    Row("tokens_per_second", "tokens a second, from tokens", ",.0f"),
    Row("milliseconds", "milliseconds a short sentence", ".2f"),
    Row("training_peak_mb", "peak memory of training, MB", ",.0f", combine=max),
    Row("model_mb", "model on disk, MB", ",.1f"),
)


def table(tools: Sequence[Tool], evaluated_on: str) -> list[list[str]]:
    """Returns the table's cells: a row with the tools' names, then a row for each measure; a dash
    where a tool has none.
    """
    head = ["", *(f"{tool.name} {tool.version}" for tool in tools)]
    return [
        head,
        *(
            [
                row.title.format(evaluated_on=evaluated_on),
                *(_cell(row, tool.values(row.measure)) for tool in tools),
            ]
            for row in _ROWS
        ),
    ]


def _cell(row: Row, values: Sequence[float]) -> str:
    """Formats the combined value of all runs, with the lowest and the highest where the row shows
    them.

    >>> _cell(Row("f1", "F1", ".2f", spread=True), [0.1, 0.3])
    '0.20 (0.10 – 0.30)'
    """
    if not values:
        return "–"
    shown = format(row.combine(values), row.form)
    if row.spread and len(values) > 1:
        shown += f" ({min(values):{row.form}} – {max(values):{row.form}})"
    return shown


def _spread(values: Sequence[float]) -> Mapping[str, Any] | None:
    if not values:
        return None
    return {"mean": mean(values), "low": min(values), "high": max(values), "runs": list(values)}
