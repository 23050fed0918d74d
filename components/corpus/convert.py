"""Converts a corpus file from one format to another."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from components.corpus.formats import Format, format_named
from components.corpus.options import REFUSE, ReadOptions
from components.corpus.reading import Plan, Splits, make_plan, read_records
from components.corpus.records import Notice, Read, Rejected, TextRecord, Unused
from components.errors import UserError


@dataclass
class Conversion:
    """The result of a conversion."""

    source_format: str
    sentences: int = 0
    """Sentences or texts written."""
    entities: int = 0
    """Entities written."""
    notices: Counter[str] = field(default_factory=Counter)
    """Notices about the source, with their numbers."""
    lost: Counter[str] = field(default_factory=Counter)
    """Properties that the target format cannot hold, with the number of sentences that had them."""
    rejected: int = 0
    """Sentences that cannot be read, left out by `bad_lines=skip`."""


def convert(source: str, target: str, to: str, options: ReadOptions) -> Conversion:
    """Converts one file, one record at a time as far as the formats allow.

    Args:
      source: the file to read; its format is detected unless `options.format` names it.
      target: the file to write; it must not exist.
      to: the name of the target format.
      options: how to read the source.

    Raises:
      UserError: the source cannot be read, the target exists, the format is only read, or a sentence
        does not fit into the format. Nothing is left behind then.
    """
    writer = format_named(to)
    if type(writer).write is Format.write:
        raise UserError(
            f"--to {to}: {writer.title} can be read but not written; choose another format"
        )
    if not os.path.isfile(source):
        raise UserError(f"{source}: there is no such file; expected a corpus file")
    plan = make_plan(Splits(source, {"all": (source,)}), options)
    conversion = Conversion(format_named(plan.files[source].format).title)
    conversion.notices.update(dict.fromkeys(plan.notes, 1))
    folder, name = os.path.split(os.path.abspath(target))
    if not os.path.isdir(folder):
        raise UserError(f"{target}: there is no folder {folder}; create it first")
    with tempfile.TemporaryDirectory(dir=folder, prefix=".convert-") as temporary:
        path = os.path.join(temporary, name)
        mode, text = ("xb", {}) if writer.binary else ("x", {"encoding": "utf-8", "newline": ""})
        with open(path, mode, **text) as file:
            try:
                writer.write(file, _items(source, plan, options, writer, conversion))
            except ValueError as error:
                raise UserError(
                    f"{source}: {error}; it cannot be written as {writer.title}"
                ) from None
        if not conversion.sentences:
            raise UserError(f"{source}: found no sentence to convert")
        made = sorted(os.listdir(temporary))
        for made_name in made:
            path = os.path.join(folder, made_name)
            if os.path.lexists(path):
                raise UserError(
                    f"{path}: this file exists and is not overwritten; name another file"
                )
        for made_name in made:
            # A link fails if the target exists, a rename would replace it.
            os.link(os.path.join(temporary, made_name), os.path.join(folder, made_name))
    return conversion


def _items(
    source: str, plan: Plan, options: ReadOptions, writer: Format, conversion: Conversion
) -> Iterator[Read]:
    """Yields the sentences of the source and counts everything else."""
    for record in read_records(source, plan, options):
        if isinstance(record, Read):
            conversion.sentences += 1
            conversion.entities += len(record.sentence.spans)
            conversion.lost.update(_lost(record, writer))
            yield record
        elif isinstance(record, Rejected):
            if options.bad_lines == REFUSE:
                raise UserError(
                    f"{record.bad}. Correct it, or leave such sentences out with --set bad_lines=skip"
                )
            conversion.rejected += 1
        elif isinstance(record, Notice):
            conversion.notices[record.what] += record.count
        elif isinstance(record, Unused):
            conversion.notices[f"texts left out: {record.reason}"] += 1


def _lost(item: Read, writer: Format) -> Iterator[str]:
    """Names what the target format does not keep of a sentence."""
    present = {
        "documents": item.sentence.document,
        "ids": item.id,
        "metadata": item.metadata,
        "texts": isinstance(item.record, TextRecord),
    }
    for what, value in present.items():
        if value and what not in writer.keeps:
            yield "the white space between tokens" if what == "texts" else what
