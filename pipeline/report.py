"""The report of a run, as JSON and as a page: the figures of its Report node and the facts of the run. Does not import TFX."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from components import atomic_io
from components.errors import UserError
from components.ner.granularity import WORDS
from components.report import card, figures, page
from pipeline.config import Config
from pipeline.outcome import Outcome
from pipeline.workdir import match_run_name

if TYPE_CHECKING:  # `tfx-ner report` starts without ML Metadata
    from pipeline.history.runs import Facts

JSON, PAGE, CARD = "report.json", "index.html", "model-card.json"
_MOST_HISTORY = 60  # runs
_DRIFT_FIELDS = ("of", "measure", "value", "threshold", "between")


def assemble(
    measured: figures.Measured,
    spans: tuple[figures.SpanFigures, ...],
    facts: Facts,
    config: Config,
    outcome: Outcome,
    before: Iterable[Facts],
) -> figures.Figures:
    """Puts a report together.

    Args:
      measured: the figures of the Report node.
      spans: sizes and types of each span of data.
      facts: what the history keeps of the run.
      config: its configuration, in which `tokenizer` is not auto.
      outcome: its outcome.
      before: what the history keeps of earlier runs, oldest first.
    """
    drift = tuple(
        figures.Drift(*(entry[field] for field in _DRIFT_FIELDS)) for entry in outcome.drift
    )
    data = replace(measured.data, drift=drift, spans=spans)
    verdict = figures.Verdict(
        run=facts.run,
        began=_moment(facts.started),
        corpus=facts.corpus,
        model=config.name,
        published=outcome.published,
        reasons=outcome.reasons if not outcome.held else (*outcome.reasons, outcome.held),
        nothing_ran=outcome.nothing_ran,
        incomparable=outcome.incomparable,
        minimum_f1=config.gate.minimum_f1,
        tolerance=config.gate.tolerance,
        evaluated_on=outcome.evaluated_on,
        history=tuple(_earlier_runs(before))[-_MOST_HISTORY:],
    )
    provenance = figures.Provenance(
        configuration=yaml.safe_load(config.dump()),
        versions=facts.packages,
        hashes={
            "data": facts.data_hash,
            "configuration": facts.config_hash,
            "code": facts.code_hash,
        },
        nodes=tuple(
            figures.Node(node.node, round(node.seconds, 2), node.cached, node.reason)
            for node in outcome.nodes
        ),
    )
    model_card = card.model_card(
        verdict,
        version=outcome.version,
        data_hash=facts.data_hash,
        settings=config.model,
        owner=config.card,
        evaluation=measured.evaluation,
        data=data,
        granularity=config.granularity or WORDS,
    )
    return figures.Figures(
        verdict, measured.evaluation, data, measured.training, provenance, model_card
    )


def write(report: figures.Figures, reports: Path) -> Path:
    """Writes a report into the folder of reports, and returns the page's path."""
    folder = reports / report.verdict.run
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / JSON, figures.as_json(report))
    _write(folder / CARD, card.as_json(report.card))
    return write_page(report, folder)


def write_page(report: figures.Figures, folder: Path) -> Path:
    """Writes the page of a report into its folder, and returns its path."""
    _write(folder / PAGE, page.render(report))
    return folder / PAGE


def write_comparison(old: figures.Figures, new: figures.Figures, folder: Path) -> Path:
    """Writes the page of two runs side by side into the folder of the second one's report, and returns its path."""
    path = folder / f"against-{old.verdict.run}.html"
    _write(path, page.render_comparison(old, new))
    return path


def find(reports: Path, run: str | None) -> Path:
    """The folder of a run's report; of the newest run for None.

    Args:
      reports: the folder of all reports.
      run: the name of the run, or its beginning.

    Raises UserError if there is no such report, or more than one.
    """
    folders = sorted(path.parent for path in reports.glob(f"[!.]*/{JSON}"))
    if not folders:
        raise UserError(
            f"{reports}: no report is here; name a workdir in which a run has ended with --workdir"
        )
    if run is None:
        return folders[-1]
    return reports / match_run_name([folder.name for folder in folders], run)


def read(folder: Path) -> figures.Figures:
    """A report from its folder. Raises UserError where it cannot be read."""
    path = folder / JSON
    try:
        return figures.parse_figures(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path}: cannot read the report ({error.strerror})") from None
    except ValueError as error:
        problem = str(error).splitlines()[0]
        raise UserError(
            f"{path}: not a report of this version of the program ({problem}); run it again"
        ) from None


def _earlier_runs(before: Iterable[Facts]) -> Iterable[figures.EarlierRun]:
    for facts in before:
        if facts.overall:
            published = facts.verdict in ("published", "canary")
            start, f1 = _moment(facts.started), facts.overall["f1"]
            yield figures.EarlierRun(facts.run, start, f1, published, facts.evaluated_on)


def _moment(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds).isoformat(timespec="seconds")


def _write(path: Path, text: str) -> None:
    """Writes a file atomically. Names of files may hold what UTF-8 cannot: it becomes a question mark."""
    atomic_io.write_bytes(path, text.encode("utf-8", errors="replace"))
