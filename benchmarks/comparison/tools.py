"""Writes the corpus as files for the tools that cannot read it, and trains each tool, every step in a
process of its own, one after the other on the same cores; then measures in turn how fast they tag.
"""

import datetime
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.common import ROOT
from benchmarks.comparison.programs import CommandFailed, Cost, read_conll, run_command
from benchmarks.comparison.results import ROUNDS, Options, Run, Tool
from components.corpus import reading
from components.corpus.formats import conll
from components.corpus.splits import find_splits
from components.errors import UserError
from components.ner import scores, tags
from components.ner.sentence import Sentence

OTHERS = ROOT / ".venv-benchmark" / "bin" / "python"  # where CRFsuite and spaCy are installed


@dataclass(frozen=True)
class Corpus:
    """A corpus and its splits as CoNLL files in IOB2."""

    path: str  # what tfx-ner reads
    options: reading.ReadOptions  # how tfx-ner reads it
    files: Mapping[str, Path]  # the CoNLL file of each split
    # The number of sentences, tokens and entities of each split.
    sizes: Mapping[str, Mapping[str, int]]
    evaluated_on: str  # test, or dev where there is no test
    gold: tuple[Sentence, ...]  # the sentences of that split


def write_splits(path: str, options: reading.ReadOptions, folder: Path) -> Corpus:
    """Reads a corpus and writes its splits into the folder.

    Raises UserError if tfx-ner cannot read it, or CoNLL cannot hold it.
    """
    splits = find_splits(path)
    by_split: dict[str, list[Sentence]] = {name: [] for name in splits.names}
    for split, sentence in reading.read_corpus(splits, options):
        by_split[split].append(sentence)
    files, sizes = {}, {}
    for split, sentences in by_split.items():
        files[split] = folder / f"{split}.conll"
        sizes[split] = {
            "sentences": len(sentences),
            "tokens": sum(len(sentence.tokens) for sentence in sentences),
            "entities": sum(len(sentence.spans) for sentence in sentences),
        }
        with files[split].open("w", encoding="utf-8", newline="\n") as file:
            try:
                conll.write_conll(file, sentences)
            except ValueError as error:
                raise UserError(f"{path}: {error}; the other tools read CoNLL") from None
    gold = tuple(by_split[splits.evaluation])
    return Corpus(os.path.abspath(path), options, files, sizes, splits.evaluation, gold)


def f1(corpus: Corpus, predictions: Path) -> float:
    """Computes the F1 of a file of predictions, in the same way for every tool.

    Raises:
        ValueError: the file does not have the sentences that are evaluated on.
    """
    predicted = list(read_conll(str(predictions)))
    if [tuple(tokens) for tokens, *_ in predicted] != [one.tokens for one in corpus.gold]:
        raise ValueError(f"{predictions} does not hold the sentences of {corpus.evaluated_on}")
    pairs = [
        (sentence.spans, tags.spans_of(predicted_tags))
        for sentence, (*_, predicted_tags) in zip(corpus.gold, predicted)
    ]
    return sum(scores.score_all(pairs).values(), scores.PRF()).f1


@dataclass(frozen=True)
class TrainedModel:
    """A model of a tool."""

    tool: str  # the tool's name
    speed_command: Sequence[str]  # prints the figures of its speed
    log: Path  # the file for output
    figures: Mapping[str, Any]  # the fields of `Run` that are known


def train_tfx_ner(corpus: Corpus, options: Options, folder: Path) -> list[TrainedModel]:
    """Runs the pipeline for each seed, all in one workdir.

    From the second seed on, the nodes before the Trainer are cached.
    """
    settings = [
        *options.assignments,
        *([f"vectors={options.vectors}"] if options.vectors else []),
        # The gate refuses no model, not even one that is worse than that of another seed.
        *("gate.minimum_f1=0", "gate.tolerance=1", "gate.type_tolerance=1"),
    ]
    workdir, program = folder / "work", _program(sys.executable, "tfx_ner_tagger")
    models = []
    for seed in range(1, options.seeds + 1):
        log = folder / f"tfx-ner-{seed}.log"
        run = [sys.executable, "-m", "pipeline.cli", "run"]
        run += ["--data", corpus.path, "--workdir", str(workdir)]
        run += [f"--set={setting}" for setting in (*settings, f"training.seed={seed}")]
        cost = _run(f"tfx-ner, seed {seed} of {options.seeds}: pipeline", run, log)
        newest = max((workdir / "runs").iterdir())
        outcome = json.loads((newest / "outcome.json").read_text(encoding="utf-8"))
        report = json.loads(
            Path(outcome["report"]).with_name("report.json").read_text(encoding="utf-8")
        )
        [trainer] = [node for node in outcome["nodes"] if node["node"] == "Trainer"]
        model = [corpus.path, corpus.options.model_dump_json(), outcome["published"]]
        predictions, from_text = log.with_suffix(".conll"), log.with_suffix(".text.conll")
        tag = [*program, "tag", *model, str(predictions), str(from_text)]
        _run(f"tfx-ner, seed {seed} of {options.seeds}: tagging", tag, log)
        figures = {
            "f1": f1(corpus, predictions),
            "f1_from_text": f1(corpus, from_text),
            "calibration_error": report["evaluation"]["reliability"]["error"],
            "training_seconds": trainer["seconds"],
            "whole_seconds": cost.seconds if seed == 1 else None,
            "training_peak_mb": cost.peak_mb,
        }
        models.append(TrainedModel("tfx-ner", [*program, "measure", *model], log, figures))
    return models


def train_crfsuite(corpus: Corpus, folder: Path) -> list[TrainedModel]:
    """Trains one model: the result is the same each time."""
    log, model = folder / "CRFsuite.log", folder / "CRFsuite.model"
    program = _program(OTHERS, "crfsuite_tagger")
    cost = _run(
        "CRFsuite: training", [*program, "train", str(corpus.files["train"]), str(model)], log
    )
    return _tag("CRFsuite", program, corpus, model, cost, log)


def prepare_spacy(corpus: Corpus, options: Options, folder: Path) -> None:
    """Writes the files that `spacy train` reads, before anything is trained.

    Raises UserError if spaCy has no such language.
    """
    log, program = folder / "spaCy.log", _program(OTHERS, "spacy_tagger")
    init = [str(OTHERS), "-m", "spacy", "init", "config", str(folder / "spaCy.cfg")]
    init += ["--lang", options.language, "--pipeline", "ner", "--optimize", "efficiency"]
    try:
        for split in ("train", "dev"):
            files = [str(corpus.files[split]), str(folder / f"{split}.spacy")]
            _run(f"spaCy: {split}", [*program, "prepare", options.language, *files], log)
        _run("spaCy: settings", init, log)
    except CommandFailed as error:
        raise UserError(
            f"--lang {options.language}: spaCy cannot begin with it ({error.last_line})"
        ) from None


def train_spacy(corpus: Corpus, options: Options, folder: Path) -> list[TrainedModel]:
    """Trains one model with the settings that `spacy init config` gives for the CPU."""
    log, models = folder / "spaCy.log", folder / "spaCy.models"
    command = [str(OTHERS), "-m", "spacy", "train", str(folder / "spaCy.cfg")]
    command += ["--output", str(models)]
    for split in ("train", "dev"):
        command += [f"--paths.{split}", str(folder / f"{split}.spacy")]
    if options.spacy_max_steps:
        command += ["--training.max_steps", str(options.spacy_max_steps)]
    cost = _run("spaCy: training", command, log)
    program = _program(OTHERS, "spacy_tagger")
    return _tag("spaCy", program, corpus, models / "model-best", cost, log)


def measure_speed(models: Sequence[TrainedModel]) -> list[Tool]:
    """Measures how fast each model tags, and returns the tools with all figures.

    The models take turns in each round, so that a slow minute of the machine slows all of them.
    """
    rounds = []
    for turn in range(1, ROUNDS + 1):
        _show_progress(f"speed of all models, round {turn} of {ROUNDS}")
        rounds.append([_measure_model(model) for model in models])
    runs: dict[str, list[Run]] = {}
    facts = {}
    for model, own in zip(models, zip(*rounds)):
        facts[model.tool] = own[0]["version"], own[0]["processes"]
        measures = own[0].keys() - {"version", "processes"}
        speed = {name: median(figures[name] for figures in own) for name in measures}
        runs.setdefault(model.tool, []).append(Run(**model.figures, **speed))
    return [Tool(name, *facts[name], tuple(own)) for name, own in runs.items()]


def _measure_model(model: TrainedModel) -> dict[str, Any]:
    run_command(model.speed_command, model.log, ROOT)
    lines = model.log.read_text(encoding="utf-8", errors="replace").splitlines()
    return json.loads(next(line for line in reversed(lines) if line.startswith("{")))


def _tag(
    name: str, program: list[str], corpus: Corpus, model: Path, training: Cost, log: Path
) -> list[TrainedModel]:
    """Tags the evaluated split with the only model of a tool."""
    arguments = [str(corpus.files[corpus.evaluated_on]), str(model)]
    predictions = log.with_suffix(".conll")
    _run(f"{name}: tagging", [*program, "tag", *arguments, str(predictions)], log)
    figures = {
        "f1": f1(corpus, predictions),
        "training_seconds": training.seconds,
        "training_peak_mb": training.peak_mb,
    }
    return [TrainedModel(name, [*program, "measure", *arguments], log, figures)]


def _program(python: str | Path, name: str) -> list[str]:
    return [str(python), "-m", f"benchmarks.comparison.{name}"]


def _run(activity: str, command: Sequence[str], log: Path) -> Cost:
    _show_progress(activity)
    return run_command(command, log, ROOT)


def _show_progress(activity: str) -> None:
    print(f"{datetime.datetime.now():%H:%M:%S} {activity}", file=sys.stderr, flush=True)
