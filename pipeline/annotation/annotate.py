"""Batch annotation: finds the entities in the texts of many files, and writes them in shards."""

import contextlib
import json
import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from components import stdio
from components.errors import UserError, find_user_error, last_line
from components.export.published_model import find_model, find_remote_version
from components.publishing.versions import content_hash
from components.storage.remote import Remote
from pipeline.annotation import output as output_files
from pipeline.annotation import shards as sharding
from pipeline.annotation.output import AnnotationSpec, Location, OutputFolder
from pipeline.annotation.shards import InputFormat, Shard, SourceFile
from pipeline.config import Beam
from pipeline.console import text_bar

_BAR_SECONDS, _LINE_SECONDS = 0.5, 60.0  # between updates on a terminal, and without one


class AnnotationError(Exception):
    """The annotation failed for a reason other than the user's data."""


@dataclass(frozen=True)
class AnnotationRequest:
    """What to annotate, with which model, and what to write."""

    input: str  # a file, a folder or a pattern
    output: Location  # the output folder
    model: str  # a published version, or the folder of versions
    format: str  # output format: jsonl, conll or parquet
    input_format: str | None  # text, jsonl or parquet; None to detect it from the files' names
    field: str  # the field or column that holds the text
    longest: int  # characters of the longest text that is accepted
    shard_bytes: int  # bytes of a shard; 0 for the default
    minimum_score: float = 0.0  # entities with a lower score are left out


def annotate(request: AnnotationRequest, beam: Beam, console: Console) -> Mapping[str, Any]:
    """Annotates the shards that are not finished yet.

    Args:
      request: what to annotate.
      beam: settings of the Beam runner.
      console: shows the progress.

    Returns:
      The summary: see `output.finish`.

    Raises:
      UserError: bad input or usage, or an output of another annotation.
      AnnotationError: any other failure. Finished shards are kept.
    """
    sources = sharding.find_sources(request.input)
    form = request.input_format or sharding.detect_format(sources)
    size = request.shard_bytes or sharding.default_size(sources)
    shards = sharding.cut_shards(sources, form, size)
    if form == sharding.PARQUET:
        for source in sources:
            sharding.check_text_column(source.path, request.field)
    model_folder, model_card = find_model(request.model)
    model_folder = model_folder.resolve()
    spec = AnnotationSpec(
        input=sources,
        reading=InputFormat(form, request.field, request.longest),
        format=request.format,
        # Workers on other machines fetch a remote model themselves.
        model=find_remote_version(request.model) or str(model_folder),
        model_hash=content_hash(model_folder),
        shard_bytes=size,
        minimum_score=request.minimum_score,
    )
    root = request.output if isinstance(request.output, Remote) else request.output.resolve()
    output = OutputFolder(root, request.format, len(shards), model_card.granularity)
    with output_files.locked(output.root, spec):
        began, finished = time.monotonic(), set(output.finished(range(len(shards))))
        remaining = [shard for shard in shards if shard.number not in finished]
        _show_start(console, sources, len(shards), len(finished))
        if remaining:
            output.summary.unlink(missing_ok=True)  # it exists only if all shards are finished
            _run_beam(remaining, spec, output, beam, console)
            if missing := len(shards) - len(output.finished(range(len(shards)))):
                raise AnnotationError(
                    f"{missing:,} shards are missing in {output.root}, though Beam has finished;"
                    " expected workers that see the input, the model and the output under the same"
                    " paths"
                )
        for source in sources:
            if SourceFile.of(source.path) != source:
                problem = "changed while it was read; annotate it into another --output"
                raise UserError(f"{source.path}: {problem}")
        if not remaining and output.summary.exists():
            return json.loads(output.summary.read_text(encoding="utf-8"))
        seconds = time.monotonic() - began
        return output_files.finish(output, shards, seconds, request.minimum_score)


def _show_start(
    console: Console, sources: Sequence[SourceFile], shards: int, finished: int
) -> None:
    size = sum(source.size for source in sources)
    files = f"{len(sources):,} files" if len(sources) > 1 else sources[0].path
    plural = "s" if shards > 1 else ""
    _print(console, f"{files}: {size:,} bytes in {shards:,} shard{plural}")
    if finished:
        remaining = shards - finished
        rest = f"{remaining:,} to go" if remaining else "nothing is left to do"
        _print(console, f"{finished:,} of them are finished from an earlier start; {rest}")


def show_summary(summary: Mapping[str, Any], output: Location, console: Console) -> None:
    """Prints how much was annotated, and what was left out."""
    entities = summary["entities"]
    by_type = ", ".join(f"{name} {count:,}" for name, count in entities.items())
    total = f"{sum(entities.values()):,} entities{f' ({by_type})' if by_type else ''}"
    _print(console, f"{summary['texts']:,} texts, {total}")
    if count := summary["bad_lines"]:
        bad_lines = f"{count:,} bad lines; they are in {output / '_bad-lines.jsonl'}"
        _print(console, f"Left out: {bad_lines}", style="yellow")
    _print(console, f"Shards: {output / 'part-*'}")


def _print(console: Console, line: str, style: str | None = None) -> None:
    console.print(line, soft_wrap=True, markup=False, style=style)


def _run_beam(
    remaining: Sequence[Shard],
    spec: AnnotationSpec,
    output: OutputFolder,
    beam: Beam,
    console: Console,
) -> None:
    with stdio.log_to_file(output.log, console.stderr) as stream:
        screen = Console(
            file=stream, no_color=console.no_color, width=console.width, highlight=False
        )
        try:
            with progress_shown(screen, output, remaining, output.shards):
                # Beam takes seconds to import: errors in the input are reported before.
                from pipeline import engines
                from pipeline.annotation.beam_pipeline import annotate_shards

                options = engines.pipeline_options(beam)
                annotate_shards(remaining, spec, output, beam, options)
        except Exception as error:  # Beam raises what a worker raised
            if _is_interrupt(error):
                raise KeyboardInterrupt from error
            if message := find_user_error(error):
                raise UserError(message) from error
            logging.getLogger().exception("the annotation failed")
            raise AnnotationError(
                f"{last_line(error)}. Finished shards are kept: start it again to continue."
                f" Log: {output.log}"
            ) from error


def _is_interrupt(error: BaseException | None) -> bool:
    """Whether the user pressed Ctrl-C, which Beam may raise as an error of a step."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


class Progress:
    """Counts finished shards and their texts by looking into the output folder, wherever the workers are.

    Attributes:
      total: shards that were missing at the start.
      finished: how many of them are finished.
      texts: texts in these.
    """

    def __init__(self, output: OutputFolder, remaining: Sequence[Shard]) -> None:
        self._output, self._missing = output, {shard.number for shard in remaining}
        self.total, self.finished, self.texts = len(remaining), 0, 0
        # Time and texts when the first shards were finished: starting workers takes long.
        self._began, self._texts_before = 0.0, 0

    def update(self) -> None:
        """Counts the shards that have been finished since the last call."""
        for number in self._output.finished(sorted(self._missing)):
            self._missing.discard(number)
            self.finished += 1
            self.texts += self._output.read_record(number)["texts"]
        if self.finished and not self._began:
            self._began, self._texts_before = time.monotonic(), self.texts

    @property
    def speed(self) -> float:
        """Texts a second since the first shards were finished."""
        return (self.texts - self._texts_before) / max(time.monotonic() - self._began, 1e-9)


@contextlib.contextmanager
def progress_shown(
    console: Console, output: OutputFolder, remaining: Sequence[Shard], shards: int
) -> Iterator[None]:
    """Shows the progress while the context is open: a bar on a terminal, else a line a minute."""
    ended = threading.Event()
    show = _show_bar if console.is_terminal else _show_lines
    arguments = (console, Progress(output, remaining), shards, ended)
    thread = threading.Thread(target=show, args=arguments, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _show_bar(console: Console, progress: Progress, shards: int, ended: threading.Event) -> None:
    finished_before = shards - progress.total
    with text_bar(console, redirect_stderr=False) as bar:
        task = bar.add_task("", total=shards, completed=finished_before, lines=0, speed=0.0)
        is_over = False
        while not is_over:
            is_over = ended.wait(_BAR_SECONDS)
            progress.update()
            completed = finished_before + progress.finished
            bar.update(task, completed=completed, lines=progress.texts, speed=progress.speed)


def _show_lines(console: Console, progress: Progress, shards: int, ended: threading.Event) -> None:
    while not ended.wait(_LINE_SECONDS):
        progress.update()
        finished = shards - progress.total + progress.finished
        texts = f"{progress.texts:,} texts, {progress.speed:,.0f} a second"
        console.print(f"{finished:,} of {shards:,} shards, {texts}")
