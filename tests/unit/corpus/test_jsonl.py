"""JSON Lines with character spans."""

import json

import pytest

from components.corpus.reading import read_sentences
from components.ner.sentence import Span

TEXT = "😀 Ada Lovelace, née Byron"
LISTED = [[2, 14, "PER"], [20, 25, "PER"]]


@pytest.fixture
def sentences(write):
    def read_entries(*entries, name="a.jsonl"):
        return list(read_sentences(write(name, "\n".join(json.dumps(entry) for entry in entries))))

    return read_entries


FORMS = {
    "spaCy": {"text": TEXT, "entities": LISTED},
    "spaCy's pairs": [TEXT, {"entities": LISTED}],
    "Prodigy": {
        "text": TEXT,
        "tokens": [],
        "spans": [{"start": s, "end": e, "label": t} for s, e, t in LISTED],
        "answer": "accept",
        "_input_hash": 1,
    },
    "doccano": {"id": 7, "text": TEXT, "label": LISTED},
    "doccano, labels": {"text": TEXT, "labels": LISTED, "Comments": []},
    "doccano, entities": {
        "id": 7,
        "text": TEXT,
        "relations": [],
        "entities": [
            {"id": 1, "start_offset": s, "end_offset": e, "label": t} for s, e, t in LISTED
        ],
    },
}


@pytest.mark.parametrize("form", FORMS)
def test_each_json_lines_format_is_read(sentences, form):
    (sentence,) = sentences(FORMS[form])
    assert sentence.spans == (Span(1, 3, "PER"), Span(5, 6, "PER"))
    assert sentence.tokens == ("😀", "Ada", "Lovelace", ",", "née", "Byron")


def test_offsets_count_code_points_in_the_text(sentences):
    (sentence,) = sentences(FORMS["spaCy"])
    assert sentence.text == TEXT and [TEXT[start:end] for start, end in sentence.offsets] == list(
        sentence.tokens
    )


def test_the_id_of_a_text_is_its_file_and_line(sentences):
    assert sentences(FORMS["spaCy"], FORMS["doccano"])[1].id == "a.jsonl:2"


def test_spans_in_any_order_are_sorted(sentences):
    assert sentences({"text": TEXT, "entities": LISTED[::-1]})[0].spans == (
        Span(1, 3, "PER"),
        Span(5, 6, "PER"),
    )


@pytest.mark.parametrize("answer", ["reject", "ignore"])
def test_examples_that_annotators_did_not_accept_are_left_out(sentences, answer):
    assert len(sentences(FORMS["Prodigy"], {**FORMS["Prodigy"], "answer": answer})) == 1


def test_an_accepted_text_without_spans_has_no_entities(sentences):
    assert sentences({"text": TEXT, "answer": "accept"})[0].spans == ()


def test_line_separators_inside_a_text_do_not_end_the_line(write):
    path = write("a.jsonl", '{"text": "a\u2028b\x85c", "label": [[2, 3, "X"]]}\n')
    assert next(read_sentences(path)).tokens == ("a", "b", "c")


@pytest.mark.parametrize("document", ["note 7", 7])
def test_a_document_can_be_named(sentences, document):
    assert sentences({**FORMS["spaCy"], "document": document})[0].document == str(document)


def test_json_lines_are_detected_by_their_content(sentences):
    assert sentences(FORMS["doccano"], name="export.txt")[0].tokens[1] == "Ada"


def test_formats_may_be_mixed_and_blank_lines_are_ignored(write):
    lines = "\n\n".join(json.dumps(entry) for entry in FORMS.values())
    assert len(list(read_sentences(write("a.jsonl", f"\ufeff{lines}\r\n\r\n")))) == len(FORMS)
