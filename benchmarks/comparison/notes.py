"""What one has to know to read the table."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.comparison import in_turn
from benchmarks.comparison.corpus import Corpus
from benchmarks.comparison.machine import Machine
from benchmarks.comparison.options import Options
from benchmarks.comparison.results import Tool


def notes(
    measured: Sequence[Tool], corpus: Corpus, options: Options, machine: Machine
) -> list[str]:
    """A sentence or two about each thing, in the order of the table's rows, then what was out of
    the ordinary.
    """
    processes = {tool.name: tool.processes for tool in measured}
    lines = [
        f"{machine.cores} cores ({machine.processor}), Python {machine.python}; trained one after the other,"
        " each in processes of its own.",
        f"F1: exact span and type, counted by one function. tfx-ner: {_seeds(options.seeds)}; the others have one run.",
        "Calibration error: the expected one of the scores of the entities that are found, as the run's report has it; it was"
        " not measured of the others.",
        "Training: of tfx-ner the pipeline's Trainer, export included; of CRFsuite and spaCy the whole process, from start"
        " to saved model, less the conversion to spaCy's form. The whole pipeline also reads, checks and counts the corpus,"
        " evaluates and publishes; it is the first seed's, which finds nothing cached.",
        f"Tagging: all in turn, the median of {in_turn.ROUNDS} rounds. CRFsuite has one core, features included; spaCy is the"
        f" faster of one process and one a core, here {processes['spaCy']}; a sentence of 5 to 12 tokens is plain text, tokens"
        " for CRFsuite.",
        "Memory: the largest process; tfx-ner's has TFX and the whole pipeline in it.",
    ]
    if corpus.evaluated_on != "test":
        lines.append(
            f"There is no test here: all are measured on {corpus.evaluated_on}, which also chose the models."
        )
    if options.vectors:
        lines.append(
            f"tfx-ner had pretrained vectors ({Path(options.vectors).name}), the others had none."
        )
    if options.assignments:
        lines.append(
            f"tfx-ner was given settings other than the default: {', '.join(options.assignments)}."
        )
    if options.spacy_steps:
        lines.append(
            f"spaCy was stopped after at most {options.spacy_steps} steps: its figures are no comparison."
        )
    return lines


def _seeds(number: int) -> str:
    return "one seed" if number == 1 else f"the mean of {number} seeds (lowest to highest)"
