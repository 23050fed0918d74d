"""The figures of each tool, as rows of a table and as JSON, with notes on how to read them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.common import Machine

ROUNDS = 5  # of measuring speed


@dataclass(frozen=True)
class Options:
    """The user's options of a comparison."""

    seeds: int = 3  # models of tfx-ner to train
    assignments: tuple[str, ...] = ()  # settings of tfx-ner, KEY=VALUE
    vectors: str | None = None  # file of pretrained vectors for tfx-ner
    language: str = "xx"  # spaCy's language
    spacy_max_steps: int | None = None  # the most steps of spaCy's training; None for its default


@dataclass(frozen=True)
class Run:
    """The figures of one model of a tool; None for what was not measured."""

    f1: float  # on the evaluated split
    training_seconds: float  # of fitting
    training_peak_mb: float  # memory of the largest process
    tokens_per_second: float  # of tagging tokens
    milliseconds: float  # of one short sentence
    model_mb: float  # size on disk
    f1_from_text: float | None = None  # with the tool's own tokenizer
    calibration_error: float | None = None  # expected calibration error of the entities' scores
    whole_seconds: float | None = None  # of the whole pipeline
    text_tokens_per_second: float | None = None  # of tagging plain text


@dataclass(frozen=True)
class Tool:
    """A tool."""

    name: str  # its name
    version: str  # its version
    processes: int  # the number of processes that tag
    runs: tuple[Run, ...]  # its models, which differ by their seed

    def values(self, measure: str) -> list[float]:
        """Returns the values of a measure, of the runs that have it."""
        return [value for run in self.runs if (value := getattr(run, measure)) is not None]

    def as_dict(self) -> dict[str, Any]:
        """Returns mean, lowest, highest and all values of each measure; None for a measure without
        values.
        """
        figures: dict[str, Any] = {"version": self.version, "processes": self.processes}
        for field in fields(Run):
            values = self.values(field.name)
            figures[field.name] = (
                {"mean": mean(values), "low": min(values), "high": max(values), "runs": values}
                if values
                else None
            )
        return figures


@dataclass(frozen=True)
class Row:
    """How the table shows a measure."""

    measure: str  # a field of `Run`
    title: str  # the row's title
    form: str  # the format of its numbers
    combine: Callable[[Sequence[float]], float] = mean  # combines the values of several runs
    spread: bool = False  # whether the lowest and the highest value are shown


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
    """Returns the table's cells: a row with the tools' names, then a row for each measure."""
    cells = [["", *(f"{tool.name} {tool.version}" for tool in tools)]]
    for row in _ROWS:
        title = row.title.format(evaluated_on=evaluated_on)
        cells.append([title, *(_cell(row, tool.values(row.measure)) for tool in tools)])
    return cells


def _cell(row: Row, values: Sequence[float]) -> str:
    """Formats the combined value of all runs, and a dash if there is no value.

    >>> _cell(Row("f1", "F1", ".2f", spread=True), [0.1, 0.3])
    '0.20 (0.10 – 0.30)'
    """
    if not values:
        return "–"
    cell = format(row.combine(values), row.form)
    if row.spread and len(values) > 1:
        cell += f" ({min(values):{row.form}} – {max(values):{row.form}})"
    return cell


def notes(
    tools: Sequence[Tool], evaluated_on: str, options: Options, machine: Machine
) -> list[str]:
    """Returns what a reader of the table has to know, in the order of its rows."""
    [spacy_processes] = [tool.processes for tool in tools if tool.name == "spaCy"]
    one_seed = "one seed"
    several_seeds = f"the mean of {options.seeds} seeds (lowest to highest)"
    lines = [
        f"{machine.cores} cores ({machine.processor}), Python {machine.python}; trained one after"
        " the other, each in processes of its own.",
        "F1: exact span and type, counted by one function. tfx-ner:"
        f" {one_seed if options.seeds == 1 else several_seeds}; the others have one run.",
        "Calibration error: the expected calibration error of the entities' scores, from the run's"
        " report; not measured for the others.",
        "Training: for tfx-ner the pipeline's Trainer, export included; for CRFsuite and spaCy the"
        " whole process, from start to saved model, without the conversion to spaCy's format. The"
        " whole pipeline also reads, checks and counts the corpus, evaluates and publishes; it is"
        " that of the first seed, which finds nothing cached.",
        f"Tagging: all in turn, the median of {ROUNDS} rounds. CRFsuite has one core,"
        " features included; spaCy is the faster of one process and one a core, here"
        f" {spacy_processes}; a sentence of 5 to 12 tokens is plain text, tokens for CRFsuite.",
        "Memory: the largest process; tfx-ner's has TFX and the whole pipeline in it.",
    ]
    if evaluated_on != "test":
        lines.append(
            f"The corpus has no test: all are measured on {evaluated_on}, which also chose the"
            " models."
        )
    if options.vectors:
        vectors = Path(options.vectors).name
        lines.append(f"tfx-ner had pretrained vectors ({vectors}), the others had none.")
    if options.assignments:
        settings = ", ".join(options.assignments)
        lines.append(f"tfx-ner was given settings other than the default: {settings}.")
    if options.spacy_max_steps:
        lines.append(
            f"spaCy was stopped after at most {options.spacy_max_steps} steps: its figures are no"
            " comparison."
        )
    return lines
