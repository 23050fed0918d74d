"""Published versions as a user reads them, in 80 columns."""

import datetime
from collections.abc import Sequence
from typing import Optional

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from components.publishing.hold import Hold
from pipeline.console import score_table
from pipeline.history.models import Model
from pipeline.history.tables import span_numbers

_STYLES = {"serving": "green", "canary": "cyan", "held": "yellow", "withdrawn": "yellow"}


def show_models(console: Console, models: Sequence[Model], hold: Optional[Hold]) -> None:
    """A line a version, and the hold."""
    if not models:
        console.print("No versions yet.")
    else:
        table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
        with_spans = any(model.run and model.run.facts.spans for model in models)
        for name in (
            "version",
            "state",
            "published",
            "F1",
            *(("spans",) if with_spans else ()),
            "run",
        ):
            table.add_column(name, no_wrap=True, justify="right" if name == "F1" else "left")
        table.add_column("corpus", overflow="ellipsis", no_wrap=True, ratio=1)
        for model in models:
            facts = model.run.facts if model.run else None
            table.add_row(
                str(model.version),
                f"[{_STYLES.get(model.state, 'default')}]{model.state}[/]",
                _when(model),
                f"{facts.overall['f1']:.4f}" if facts and facts.overall else "",
                *([span_numbers(facts.spans) if facts else ""] if with_spans else []),
                facts.run.rpartition("-")[0] if facts else "unknown",
                escape(facts.corpus) if facts else "",
            )
        console.print(table)
    if hold:
        console.print(f"[yellow]{escape(str(hold)[0].upper() + str(hold)[1:])}[/]", soft_wrap=True)
        console.print(
            "`tfx-ner models promote VERSION` or `tfx-ner models release` lifts the hold",
            soft_wrap=True,
        )


def show_model(console: Console, model: Model) -> None:
    """Everything of one version."""
    facts = model.run.facts if model.run else None

    def line(name: str, value: object) -> None:
        if value not in ("", None):
            console.print(f"{name:<15}{escape(str(value))}", soft_wrap=True)

    console.print(
        f"[bold]{model.version}[/]: [{_STYLES.get(model.state, 'default')}]{model.state}[/]"
    )
    line("folder", model.path)
    line("published", _when(model))
    line("types", ", ".join(model.types))
    line("signatures", model.signatures)
    if facts is None:
        console.print("ML Metadata knows no run that published it")
        return
    line("run", facts.run)
    line("why", facts.because)
    line("corpus", f"{facts.corpus}, {facts.data}")
    line("spans", span_numbers(facts.spans))
    line("data", facts.data_hash[:16])
    line("configuration", facts.config_hash)
    line("code", facts.code_hash)
    line("packages", ", ".join(f"{name} {version}" for name, version in facts.packages.items()))
    if facts.overall:
        console.print()
        console.print(
            score_table(f"Entities on {facts.evaluated_on}", facts.per_type or {}, facts.overall)
        )


def _when(model: Model) -> str:
    return (
        f"{datetime.datetime.fromtimestamp(model.published):%Y-%m-%d %H:%M}"
        if model.published
        else ""
    )
