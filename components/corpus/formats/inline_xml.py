"""Inline XML, which is recognized only to name it: it has no agreed form to read."""

from __future__ import annotations

import re
from collections.abc import Iterator

from components.corpus.formats.base import Format, Record, Sample, Source
from components.errors import UserError

_TAGGED = re.compile(r"<(\w+)[^<>]*>[^<>]{1,200}</\1>")


class InlineXml(Format):
    """Text with entities in XML tags, as <ENAMEX TYPE="PER">Ada</ENAMEX>; it is refused."""

    name = "xml"
    title = "inline XML"
    holds = "texts"

    def detect(self, sample: Sample) -> bool:
        """The file begins with a tag and has text in tags."""
        begin = sample.text.lstrip()[:1]
        return begin == "<" and _TAGGED.search(sample.text[:100_000]) is not None

    def read(self, source: Source) -> Iterator[Record]:
        """Raises UserError with what to do."""
        raise UserError(
            f"{source.path}: found inline XML; expected one of the formats that tfx-ner reads. Export"
            " the corpus as CoNLL columns, brat standoff or JSON with character spans"
        )
        yield
