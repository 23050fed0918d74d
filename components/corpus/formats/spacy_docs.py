"""spaCy's binary format `.spacy` (DocBin), read and written with spaCy, which is an extra; and spaCy 2's training JSON.

[{"id": 0, "paragraphs": [{"sentences": [{"tokens": [{"orth": "Ada", "ner": "U-PER"}, …]}]}]}]
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import astuple
from typing import IO, Any

from components.corpus.formats.base import Format, Record, Row, Sample, Source
from components.corpus.formats.jsonl import JsonFormat
from components.corpus.records import InvalidRecord, Read, TokenRecord
from components.corpus.text_files import base_name
from components.errors import UserError
from components.ner.sentence import Span

_REMEDY = "pip install spacy, or write the corpus as JSON with spaCy (Doc.to_json)"


class SpacyDocBin(Format):
    """A DocBin. Each sentence of a Doc is a sentence if the Doc has sentence boundaries, else the Doc."""

    name = "spacy"
    title = "spaCy's .spacy files"
    endings = ("spacy",)
    holds = "tokens"
    binary = True

    def detect(self, sample: Sample) -> bool:
        """The ending is .spacy and the content is compressed by zlib, as DocBin's is."""
        return sample.ending == "spacy" and sample.head[:1] == b"\x78"

    def read(self, source: Source) -> Iterator[Record]:
        """Yields the sentences of the file; line numbers are numbers of sentences, from 1."""
        spacy = _import_spacy(source.path)
        try:
            docs = spacy.tokens.DocBin().from_disk(source.path)
        except Exception as error:  # spaCy raises errors of several unrelated classes
            raise UserError(f"{source.path}: spaCy cannot read it ({error})") from error
        number = 0
        for index, doc in enumerate(docs.get_docs(spacy.blank("xx").vocab)):
            document = f"{base_name(source.path)}:{index}"
            for part in doc.sents if doc.has_annotation("SENT_START") else [doc[:]]:
                number += 1
                tokens = [token for token in part if not token.is_space]
                positions = {token.i: position for position, token in enumerate(tokens)}
                spans = []
                for entity in part.ents:
                    inside = [positions[token.i] for token in entity if token.i in positions]
                    if inside:
                        spans.append(Span(inside[0], inside[-1] + 1, entity.label_))
                if tokens:
                    words = [token.text for token in tokens]
                    yield TokenRecord(words, (), ((number, ""),), document, "", spans)

    def write(self, file: IO[Any], items: Iterable[Read]) -> None:
        """Writes one Doc for each sentence."""
        spacy = _import_spacy(str(file.name))
        vocab = spacy.blank("xx").vocab
        docs = spacy.tokens.DocBin()
        for item in items:
            doc = spacy.tokens.Doc(vocab, words=list(item.sentence.tokens))
            spans = item.sentence.spans
            doc.set_ents([spacy.tokens.Span(doc, *astuple(span)) for span in spans])
            docs.add(doc)
        file.write(docs.to_bytes())


class SpacyTrainingJson(JsonFormat):
    """Documents of paragraphs, sentences and tokens, as spaCy 2 was trained on; they are only read."""

    name = "spacy-json"
    title = "spaCy 2's training JSON"
    write = Format.write

    def detect(self, sample: Sample) -> bool:
        """The first document has paragraphs."""
        return isinstance(sample.json_item, dict) and "paragraphs" in sample.json_item

    def read_value(self, value: dict[str, Any], row: Row, source: Source) -> Iterator[Record]:
        """The sentences of a document."""
        document = f"{base_name(source.path)}:{value.get('id', row[0])}"
        try:
            for paragraph in value["paragraphs"]:
                for sentence in paragraph["sentences"]:
                    tokens = [
                        (token["orth"], token.get("ner", "-")) for token in sentence["tokens"]
                    ]
                    if tokens:
                        words, tags = zip(*tokens)
                        yield TokenRecord(words, tags, (row,), document)
        except (KeyError, TypeError, AttributeError) as error:
            expected = "paragraphs of sentences of tokens, each with orth and ner"
            raise InvalidRecord(f"a document without {error}", expected) from None


def _import_spacy(path: str) -> Any:
    try:
        import spacy  # pyright: ignore[reportMissingImports]
        import spacy.tokens  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise UserError(
            f"{path}: found a file of spaCy's, and spaCy is not installed; {_REMEDY}"
        ) from None
    return spacy
