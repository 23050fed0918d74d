"""spaCy's binary format `.spacy` (DocBin), read and written with spaCy itself, which is an extra."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import IO, Any

from components.corpus.formats.base import Format, Record, Sample, Source
from components.corpus.records import Read, TokenRecord
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
            parts = doc.sents if doc.has_annotation("SENT_START") else [doc[:]]
            for part in parts:
                number += 1
                tokens = [token.text for token in part if not token.is_space]
                places = {
                    token.i: place
                    for place, token in enumerate(token for token in part if not token.is_space)
                }
                spans = []
                for entity in part.ents:
                    inside = [places[token.i] for token in entity if token.i in places]
                    if inside:
                        spans.append(Span(inside[0], inside[-1] + 1, entity.label_))
                if tokens:
                    document = f"{base_name(source.path)}:{index}"
                    yield TokenRecord(tokens, (), ((number, ""),), document, "", tuple(spans))

    def write(self, file: IO[Any], items: Iterable[Read]) -> int:
        """Writes one Doc for each sentence."""
        spacy = _import_spacy(str(file.name))
        vocab = spacy.blank("xx").vocab
        docs = spacy.tokens.DocBin()
        count = 0
        for item in items:
            count += 1
            sentence = item.sentence
            doc = spacy.tokens.Doc(vocab, words=list(sentence.tokens))
            doc.set_ents(
                [
                    spacy.tokens.Span(doc, span.start, span.end, label=span.type)
                    for span in sentence.spans
                ]
            )
            docs.add(doc)
        file.write(docs.to_bytes())
        return count


def _import_spacy(path: str) -> Any:
    try:
        import spacy  # pyright: ignore[reportMissingImports]
        import spacy.tokens  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise UserError(
            f"{path}: found a file of spaCy's, and spaCy is not installed; {_REMEDY}"
        ) from None
    return spacy
