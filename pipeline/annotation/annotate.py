"""One annotation, from a pattern of files to a folder of shards; goes on where an earlier start of the same one ended."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

from rich.console import Console

from components import stdio
from components.errors import UserError, find_user_error, last_line
from components.export.published_model import find_model, find_remote_version
from components.publishing.versions import content_hash
from components.storage.remote import Remote
from pipeline.annotation import output as outputs
from pipeline.annotation import shards as cutting
from pipeline.annotation.output import Job, Output
from pipeline.annotation.progress import watched
from pipeline.annotation.reading import Reading, refuse_without_column
from pipeline.config import Beam


class Failure(Exception):
    """The pipeline failed for a reason that is not the user's data."""


@dataclass(frozen=True)
class Wanted:
    """What is to be annotated by which model, and how it is to be written.

    `input` is a file, a folder or a pattern; `form` None is found out; `shard_bytes` 0 leaves the size of shards to the program.
    """

    input: str
    output: outputs.Place
    model: str
    format: str
    form: Optional[str]
    field: str
    longest: int
    shard_bytes: int
    minimum_score: float = 0.0


def annotate(wanted: Wanted, beam: Beam, console: Console) -> Mapping[str, Any]:
    """Annotates what is not annotated yet, and returns the summary of all.

    Args:
      beam: where it runs.
      console: tells the user how far it is.

    Raises:
      UserError: bad input or usage, or the output is another annotation's; nothing was written then.
      Failure: any other failure. Shards that are done are kept.
    """
    sources = cutting.find(wanted.input)
    form = wanted.form or cutting.form_of(sources)
    size = wanted.shard_bytes or cutting.default_size(sources)
    shards = cutting.cut(sources, form, size)
    if form == cutting.PARQUET:
        for source in sources:
            refuse_without_column(source.path, wanted.field)
    folder = find_model(wanted.model)[0].resolve()
    model = find_remote_version(wanted.model) or str(
        folder
    )  # workers on other machines have no copy from this one
    reading = Reading(form, wanted.field, wanted.longest)
    job = Job(
        sources, reading, wanted.format, model, content_hash(folder), size, wanted.minimum_score
    )
    root = wanted.output if isinstance(wanted.output, Remote) else wanted.output.resolve()
    output = Output(root, wanted.format, len(shards))
    with outputs.held(output.root, job):
        began, done = time.monotonic(), output.done(shards)
        left = [shard for shard in shards if shard.number not in done]
        _begin(console, sources, shards, len(done))
        if left:
            output.summary.unlink(missing_ok=True)  # it says that everything is done
            _run(left, len(shards), job, output, beam, console)
            if missing := len(shards) - len(output.done(shards)):
                raise Failure(
                    f"{missing:,} shards did not appear in {output.root}, though Beam is done; expected workers that see the"
                    " input, the model and the output under the same paths"
                )
        if changed := [one.path for one in sources if cutting.Source.of(one.path) != one]:
            raise UserError(
                f"{changed[0]}: changed while it was read; annotate it anew, into another --output"
            )
        if not left and output.summary.exists():
            return outputs.summary(output)
        return outputs.finish(output, shards, time.monotonic() - began, wanted.minimum_score)


def _begin(console: Console, sources, shards, done: int) -> None:
    size = sum(source.size for source in sources)
    files = f"{len(sources):,} files" if len(sources) > 1 else sources[0].path
    plural = "s" if len(shards) > 1 else ""
    console.print(
        f"{files}: {size:,} bytes in {len(shards):,} shard{plural}", soft_wrap=True, markup=False
    )
    if done:
        left = len(shards) - done
        more = f"; {left:,} to go" if left else "; nothing is left to do"
        console.print(f"{done:,} of them are there from an earlier start{more}", soft_wrap=True)


def _run(left, shards: int, job: Job, output: Output, beam: Beam, console: Console) -> None:
    with stdio.log_to_file(output.log, console.stderr) as shown:
        screen = Console(
            file=shown, no_color=console.no_color, width=console.width, highlight=False
        )
        try:
            with watched(screen, output, left, shards):
                # Imported here: Beam takes longer to import than a user waits for an error in the input.
                from pipeline import engines
                from pipeline.annotation import steps

                steps.run(left, job, output, beam, engines.pipeline_options(beam))
        except Exception as error:  # whatever a worker raised, through Beam
            if _stopped(error):
                raise KeyboardInterrupt from error
            if told := find_user_error(error):
                raise UserError(told) from error
            logging.getLogger().exception("the annotation failed")
            raise Failure(
                f"{last_line(error)}. What is done is kept: start it again to go on. The log has the whole story: {output.log}"
            ) from error


def _stopped(error: Optional[BaseException]) -> bool:
    """Whether the user stopped it: Beam raises that anew, too, as an error of the step that was at work."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def show(summary: Mapping[str, Any], output: outputs.Place, console: Console) -> None:
    """Prints how much was annotated, and what was left out."""
    entities = summary["entities"]
    by_type = ", ".join(f"{name} {count:,}" for name, count in entities.items())
    console.print(
        f"{summary['texts']:,} texts, {sum(entities.values()):,} entities{f' ({by_type})' if by_type else ''}",
        soft_wrap=True,
        markup=False,
    )
    if summary["bad_lines"]:
        console.print(
            f"Left out: {summary['bad_lines']:,} bad lines; they are in {output / '_bad-lines.jsonl'}",
            soft_wrap=True,
            markup=False,
            style="yellow",
        )
    console.print(f"Shards: {output / 'part-*'}", soft_wrap=True, markup=False)
