"""Trains and measures each tool, every step in a process of its own, one after the other on the same cores."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.comparison import cost
from benchmarks.comparison.corpus import Corpus, f1
from benchmarks.comparison.options import Options
from benchmarks.comparison.results import Run, Tool
from components.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
OTHERS = ROOT / ".venv-benchmark" / "bin" / "python"  # where CRFsuite and spaCy are installed


Tell = Callable[[str], None]
"""Shows how far it is."""


def tfx_ner(corpus: Corpus, options: Options, folder: Path, tell: Tell) -> Tool:
    """A run of the pipeline for each seed, with the tagger's default settings but for `options`.

    All in one work folder: from the second on, the steps before training come from the cache.
    """
    vectors = [f"vectors={options.vectors}"] if options.vectors else []
    # No model is refused here, however bad, nor for one before it with another seed.
    settings = [*options.assignments, *vectors, "gate.minimum_f1=0", "gate.tolerance=1", "gate.type_tolerance=1"]
    measured = []
    for seed in range(1, options.seeds + 1):
        log = folder / f"tfx-ner-{seed}.log"
        command = [sys.executable, "-m", "pipeline.cli", "run", "--data", corpus.path]
        for setting in [*settings, f"training.seed={seed}"]:
            command += ["--set", setting]
        tell(f"tfx-ner, seed {seed} of {options.seeds}: running the pipeline")
        spent = _spent([*command, "--workdir", str(folder / "work")], log)
        outcome = _newest_outcome(folder / "work")
        [trained] = [node for node in outcome["nodes"] if node["node"] == "Trainer"]
        tell(f"tfx-ner, seed {seed} of {options.seeds}: trained in {trained['seconds']:.1f} s; tagging")
        predictions, from_text, figures = (
            folder / f"tfx-ner-{seed}.{kind}" for kind in ("conll", "text.conll", "json")
        )
        read = json.dumps(asdict(corpus.options))
        program = _program(sys.executable, "tfx_ner_tagger")
        _spent([*program, corpus.path, read, outcome["published"], *map(str, (predictions, from_text, figures))], log)
        measured.append(
            (
                figures,
                {
                    "f1": f1(corpus, predictions),
                    "f1_from_text": f1(corpus, from_text),
                    "calibration_error": _calibration_error(outcome),
                    "training_seconds": trained["seconds"],
                    "whole_seconds": spent.seconds if seed == 1 else None,
                    "training_peak_mb": spent.peak_mb,
                },
            )
        )
    return _tool("tfx-ner", measured)


def crfsuite(corpus: Corpus, options: Options, folder: Path, tell: Tell) -> Tool:
    """One run: it comes out the same each time."""
    log, model, predictions, figures = (folder / f"CRFsuite.{kind}" for kind in ("log", "model", "conll", "json"))
    program = _program(OTHERS, "crfsuite_tagger")
    tell("CRFsuite: training")
    spent = _spent([*program, "train", str(corpus.files["train"]), str(model)], log)
    tell(f"CRFsuite: trained in {spent.seconds:.1f} s; tagging")
    _spent([*program, "tag", *map(str, (corpus.files[corpus.evaluated_on], model, predictions, figures))], log)
    return _tool("CRFsuite", [(figures, _trained(corpus, predictions, spent))])


def prepare(corpus: Corpus, options: Options, folder: Path) -> None:
    """What `spacy` needs, done before anything is trained: a language that spaCy does not have is told of at once."""
    log, config = folder / "spaCy.log", folder / "spaCy.cfg"
    chosen = ["--lang", options.language, "--pipeline", "ner", "--optimize", "efficiency"]
    try:
        for split in ("train", "dev"):
            program = _program(OTHERS, "spacy_tagger")
            _spent(
                [*program, "prepare", options.language, str(corpus.files[split]), str(folder / f"{split}.spacy")], log
            )
        _spent([str(OTHERS), "-m", "spacy", "init", "config", str(config), *chosen], log)
    except cost.Failed as error:
        raise UserError(f"--lang {options.language}: spaCy cannot begin with it ({error.last})") from None


def spacy(corpus: Corpus, options: Options, folder: Path, tell: Tell) -> Tool:
    """One run of `spacy train` from scratch with the settings that `spacy init config` gives for the CPU."""
    log, config, models, predictions, figures = (
        folder / f"spaCy.{kind}" for kind in ("log", "cfg", "models", "conll", "json")
    )
    command = [str(OTHERS), "-m", "spacy", "train", str(config), "--output", str(models)]
    for split in ("train", "dev"):
        command += [f"--paths.{split}", str(folder / f"{split}.spacy")]
    if options.spacy_steps:
        command += ["--training.max_steps", str(options.spacy_steps)]
    tell("spaCy: training")
    spent = _spent(command, log)
    tell(f"spaCy: trained in {spent.seconds:.1f} s; tagging")
    program = _program(OTHERS, "spacy_tagger")
    model = models / "model-best"
    _spent([*program, "tag", *map(str, (corpus.files[corpus.evaluated_on], model, predictions, figures))], log)
    return _tool("spaCy", [(figures, _trained(corpus, predictions, spent))])


def _program(python: str | Path, name: str) -> list[str]:
    return [str(python), "-m", f"benchmarks.comparison.{name}"]


def _spent(command: Sequence[str], log: Path) -> cost.Cost:
    return cost.of(command, log, ROOT)


def _trained(corpus: Corpus, predictions: Path, spent: cost.Cost) -> dict[str, Any]:
    return {
        "f1": f1(corpus, predictions),
        "training_seconds": spent.seconds,
        "training_peak_mb": spent.peak_mb,
    }


def _tool(name: str, measured: Sequence[tuple[Path, dict[str, Any]]]) -> Tool:
    """A tool from the figures that its program left for each run, and what was measured from outside."""
    left = [json.loads(figures.read_text(encoding="utf-8")) for figures, _ in measured]
    [(version, processes)] = {(own.pop("version"), own.pop("processes")) for own in left}
    return Tool(name, version, processes, tuple(Run(**own, **outside) for own, (_, outside) in zip(left, measured)))


def _newest_outcome(workdir: Path) -> dict[str, Any]:
    newest = max((workdir / "runs").iterdir())
    return json.loads((newest / "outcome.json").read_text(encoding="utf-8"))


def _calibration_error(outcome: dict[str, Any]) -> float:
    report = json.loads(Path(outcome["report"]).with_name("report.json").read_text(encoding="utf-8"))
    return report["evaluation"]["reliability"]["error"]
