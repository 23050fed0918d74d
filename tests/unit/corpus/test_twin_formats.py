"""Input in an unusual tag format has the entities of its IOB2 twin."""

import io
import json

import pytest

from components.corpus.formats.conll import write_conll
from components.corpus.reading import read_sentences
from components.ner.sentence import Sentence, Span
from components.ner.tokens import tokenize

# Text, and entities as (first token, last token, type).
TEXTS = [
    ("😀 Zoë Quist flew to Łódź 🇵🇱 #travel", [(1, 2, "PER"), (5, 5, "LOC")]),
    (
        "@ada @bob: 5,50 € 👍🏽 for Nörd-Werk",
        [(0, 1, "PER"), (2, 3, "PER"), (5, 8, "MONEY"), (12, 14, "ORG")],
    ),
    ("nothing here 🤷", []),
    ("E-Mail an S-Bahn 🚆", [(4, 6, "creative-work"), (7, 7, "ORG")]),
]


@pytest.fixture
def sentences():
    made = []
    for text, entities in TEXTS:
        offsets = tuple(tokenize(text))
        tokens = tuple(text[start:end] for start, end in offsets)
        spans = tuple(Span(first, last + 1, type_) for first, last, type_ in entities)
        made.append(Sentence(tokens, spans, offsets=offsets, text=text))
    return made


def entities(sentences):
    return [(sentence.tokens, sentence.spans) for sentence in sentences]


def written(writer, sentences, *arguments):
    file = io.StringIO()
    writer(file, sentences, *arguments)
    return file.getvalue()


@pytest.fixture
def twin(write, sentences):
    return entities(read_sentences(write("twin.conll", written(write_conll, sentences, "IOB2"))))


def test_the_twin_has_the_entities_of_the_original(twin, sentences):
    assert twin == entities(sentences)


@pytest.mark.parametrize("scheme", ["BIOES", "BILOU", "IOB1"])
def test_columns_with_spaces_crlf_and_comments(write, twin, sentences, scheme):
    lines = written(write_conll, sentences, scheme).replace("\t", "   ").split("\n")
    decorated = ["# made by hand", "", "# text = 😀 Zoë", *lines[:3], "# in between", *lines[3:]]
    assert entities(read_sentences(write("fifth.bioes", "\ufeff" + "\r\n".join(decorated)))) == twin


@pytest.mark.parametrize("key", ["label", "entities", "spans"])
def test_json_lines_with_emoji(write, twin, sentences, key):
    records = [
        {
            "text": sentence.text,
            key: [
                {
                    "start": sentence.offsets[span.start][0],
                    "end": sentence.offsets[span.end - 1][1],
                    "label": span.type,
                }
                for span in sentence.spans
            ],
        }
        for sentence in sentences
    ]
    lines = "\r\n".join(json.dumps(record, ensure_ascii=False) for record in records)
    assert entities(read_sentences(write("fifth.jsonl", lines))) == twin
