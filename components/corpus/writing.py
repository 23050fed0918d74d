"""Writing sentences as CoNLL columns and as JSON Lines, so that the readers give the same ones back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import IO

from components.ner.sentence import Sentence, Span
from components.ner.tags import tags_of

JSONL_FORMS = ("spacy", "prodigy", "doccano")


def write_conll(
    file: IO[str],
    sentences: Iterable[Sentence],
    scheme: str = "IOB2",
    predictions: Iterable[Sequence[Span]] | None = None,
) -> int:
    """Writes token and tag, apart by a tab, and in a third column the predicted spans' tags where `predictions` are
    given, one a sentence.

    A `-DOCSTART-` line begins each document. Returns the number of sentences. Raises ValueError for a token that a line
    cannot hold, and where there are more or fewer predictions than sentences.
    """
    document = ""
    count = 0
    predicted = iter(predictions) if predictions is not None else None
    for count, sentence in enumerate(sentences, start=1):
        columns = [sentence.tokens, tags_of(sentence.spans, len(sentence.tokens), scheme)]
        if predicted is not None:
            spans = next(predicted, None)
            if spans is None:
                raise ValueError(
                    f"there are fewer predictions than sentences: sentence {count} has none"
                )
            columns.append(tags_of(spans, len(sentence.tokens), scheme))
        if sentence.document != document:
            file.write("\t".join(["-DOCSTART-", *["O"] * (len(columns) - 1)]) + "\n\n")
            document = sentence.document
        for row in zip(*columns, strict=True):
            _refuse_unwritable(row[0], sentence)
            file.write("\t".join(row) + "\n")
        file.write("\n")
    if predicted is not None and next(predicted, None) is not None:
        raise ValueError(f"there are more predictions than the {count} sentences")
    return count


def write_jsonl(file: IO[str], sentences: Iterable[Sentence], form: str = "spacy") -> int:
    """Writes a JSON object a line, in one of `JSONL_FORMS`. Returns the number of sentences.

    Where a sentence has no text, it is its tokens joined by spaces. Such a text read again has the tokens of the known
    way, which may be others. Raises ValueError for an unknown form, and for an entity without a visible character,
    which has no place in a text.
    """
    if form not in JSONL_FORMS:
        raise ValueError(
            f"{form!r} is no form of JSON Lines; the forms are {', '.join(JSONL_FORMS)}"
        )
    count = 0
    for sentence in sentences:
        count += 1
        text, offsets = text_of(sentence)
        places = [_place(span, text, offsets, sentence) for span in sentence.spans]
        entry: dict[str, object] = {"text": text}
        if form == "spacy":
            entry["entities"] = places
        elif form == "doccano":
            entry["label"] = places
        else:
            entry["spans"] = [
                {"start": start, "end": end, "label": label} for start, end, label in places
            ]
            entry["answer"] = "accept"
        if sentence.document:
            entry["document"] = sentence.document
        file.write(json.dumps(entry, ensure_ascii=False) + "\n")
    return count


def text_of(sentence: Sentence) -> tuple[str, tuple[tuple[int, int], ...]]:
    """The sentence's text and its tokens' places in it; the tokens joined by spaces if it has none.

    >>> text_of(Sentence(("Ada", "spoke"), ()))
    ('Ada spoke', ((0, 3), (4, 9)))
    """
    if sentence.text is not None and sentence.offsets is not None:
        return sentence.text, sentence.offsets
    offsets = []
    end = -1
    for token in sentence.tokens:
        start = end + 1
        end = start + len(token)
        offsets.append((start, end))
    return " ".join(sentence.tokens), tuple(offsets)


def _place(
    span: Span, text: str, offsets: Sequence[tuple[int, int]], sentence: Sentence
) -> tuple[int, int, str]:
    """The span in characters, without white space at its edges, which a token of a CoNLL file can have."""
    start, end = offsets[span.start][0], offsets[span.end - 1][1]
    surface = text[start:end]
    start += len(surface) - len(surface.lstrip())
    end -= len(surface) - len(surface.rstrip())
    if start >= end:
        raise ValueError(
            f"{sentence.id or sentence.tokens}: the entity at token {span.start} has no visible character"
        )
    return start, end, span.type


def _refuse_unwritable(token: str, sentence: Sentence) -> None:
    if "\t" in token or "\n" in token or token == "-DOCSTART-":
        raise ValueError(
            f"{sentence.id or sentence.tokens}: the token {token!r} cannot be written as a CoNLL column"
        )
