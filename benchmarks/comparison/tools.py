"""Trains each tool, every step in a process of its own, one after the other on the same cores; then
measures them in turn.
"""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.comparison import cost, in_turn
from benchmarks.comparison.corpus import Corpus, f1
from benchmarks.comparison.options import Options
from benchmarks.comparison.results import Run, Tool
from components.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
OTHERS = ROOT / ".venv-benchmark" / "bin" / "python"  # where CRFsuite and spaCy are installed


Tell = Callable[[str], None]
"""Shows how far it is."""


@dataclass(frozen=True)
class Trained:
    """A tool's models: of each the program that tells how fast it is, and what was measured so far,
    as `Run` has it.
    """

    name: str
    models: Sequence[tuple[in_turn.Program, Mapping[str, Any]]]


def tfx_ner(corpus: Corpus, options: Options, folder: Path, tell: Tell) -> Trained:
    """A run of the pipeline for each seed, with the tagger's default settings but for `options`.

    All in one work folder: from the second on, the steps before training come from the cache.
    """
    vectors = [f"vectors={options.vectors}"] if options.vectors else []
    # No model is refused here, however bad, nor for one before it with another seed.
    settings = [
        *options.assignments,
        *vectors,
        "gate.minimum_f1=0",
        "gate.tolerance=1",
        "gate.type_tolerance=1",
    ]
    models = []
    for seed in range(1, options.seeds + 1):
        log = folder / f"tfx-ner-{seed}.log"
        command = [sys.executable, "-m", "pipeline.cli", "run", "--data", corpus.path]
        for setting in [*settings, f"training.seed={seed}"]:
            command += ["--set", setting]
        tell(f"tfx-ner, seed {seed} of {options.seeds}: running the pipeline")
        spent = _spent([*command, "--workdir", str(folder / "work")], log)
        outcome = _newest_outcome(folder / "work")
        [trained] = [node for node in outcome["nodes"] if node["node"] == "Trainer"]
        tell(
            f"tfx-ner, seed {seed} of {options.seeds}: trained in {trained['seconds']:.1f} s; tagging"
        )
        predictions, from_text = (
            folder / f"tfx-ner-{seed}.{kind}" for kind in ("conll", "text.conll")
        )
        program = _program(sys.executable, "tfx_ner_tagger")
        model = [corpus.path, json.dumps(asdict(corpus.options)), outcome["published"]]
        _spent([*program, "tag", *model, str(predictions), str(from_text)], log)
        models.append(
            (
                in_turn.Program([*program, "measure", *model], log, ROOT),
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
    return Trained("tfx-ner", models)


def crfsuite(corpus: Corpus, options: Options, folder: Path, tell: Tell) -> Trained:
    """One run: it comes out the same each time."""
    log, model, predictions = (folder / f"CRFsuite.{kind}" for kind in ("log", "model", "conll"))
    program = _program(OTHERS, "crfsuite_tagger")
    tell("CRFsuite: training")
    spent = _spent([*program, "train", str(corpus.files["train"]), str(model)], log)
    tell(f"CRFsuite: trained in {spent.seconds:.1f} s; tagging")
    return _tagged("CRFsuite", program, corpus, model, predictions, spent, log)


def prepare(corpus: Corpus, options: Options, folder: Path) -> None:
    """What `spacy` needs, done before anything is trained: a language that spaCy does not have is
    told of at once.
    """
    log, config = folder / "spaCy.log", folder / "spaCy.cfg"
    chosen = ["--lang", options.language, "--pipeline", "ner", "--optimize", "efficiency"]
    try:
        for split in ("train", "dev"):
            program = _program(OTHERS, "spacy_tagger")
            _spent(
                [
                    *program,
                    "prepare",
                    options.language,
                    str(corpus.files[split]),
                    str(folder / f"{split}.spacy"),
                ],
                log,
            )
        _spent([str(OTHERS), "-m", "spacy", "init", "config", str(config), *chosen], log)
    except cost.Failed as error:
        raise UserError(
            f"--lang {options.language}: spaCy cannot begin with it ({error.last})"
        ) from None


def spacy(corpus: Corpus, options: Options, folder: Path, tell: Tell) -> Trained:
    """One run of `spacy train` from scratch with the settings that `spacy init config` gives for
    the CPU.
    """
    log, config, models, predictions = (
        folder / f"spaCy.{kind}" for kind in ("log", "cfg", "models", "conll")
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
    return _tagged("spaCy", program, corpus, models / "model-best", predictions, spent, log)


def measured(trained: Sequence[Trained], tell: Tell) -> list[Tool]:
    """The tools with all that was measured, how fast their models are included."""
    tell("All, in turn: how fast they are")
    told = iter(in_turn.measure([program for tool in trained for program, _ in tool.models]))
    return [
        _tool(tool.name, [{**so_far, **next(told)} for _, so_far in tool.models])
        for tool in trained
    ]


def _program(python: str | Path, name: str) -> list[str]:
    return [str(python), "-m", f"benchmarks.comparison.{name}"]


def _spent(command: Sequence[str], log: Path) -> cost.Cost:
    return cost.of(command, log, ROOT)


def _tagged(
    name: str,
    program: list[str],
    corpus: Corpus,
    model: Path,
    predictions: Path,
    spent: cost.Cost,
    log: Path,
) -> Trained:
    """A tool with one model, whose training cost that."""
    given = [str(corpus.files[corpus.evaluated_on]), str(model)]
    _spent([*program, "tag", *given, str(predictions)], log)
    so_far = {
        "f1": f1(corpus, predictions),
        "training_seconds": spent.seconds,
        "training_peak_mb": spent.peak_mb,
    }
    return Trained(name, [(in_turn.Program([*program, "measure", *given], log, ROOT), so_far)])


def _tool(name: str, figures: Sequence[dict[str, Any]]) -> Tool:
    """A tool from all that was measured and told of each of its models."""
    [(version, processes)] = {(own.pop("version"), own.pop("processes")) for own in figures}
    return Tool(name, version, processes, tuple(Run(**own) for own in figures))


def _newest_outcome(workdir: Path) -> dict[str, Any]:
    newest = max((workdir / "runs").iterdir())
    return json.loads((newest / "outcome.json").read_text(encoding="utf-8"))


def _calibration_error(outcome: dict[str, Any]) -> float:
    report = json.loads(
        Path(outcome["report"]).with_name("report.json").read_text(encoding="utf-8")
    )
    return report["evaluation"]["reliability"]["error"]
