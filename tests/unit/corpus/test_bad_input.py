"""Bad input: each kind is refused in one line with location, found and expected values, and a remedy."""

import json

import pytest

from components.corpus.reading import ReadOptions, read_corpus, read_sentences
from components.corpus.splits import find_splits
from components.errors import UserError

GOOD_LINES = "Ada\tB-PER\nspoke\tO\n\n"
GOOD_ENTRY = '{"text": "Ada spoke", "entities": [[0, 3, "PER"]]}\n'


def refusal(path, **options):
    with pytest.raises(UserError) as caught:
        list(read_sentences(path, ReadOptions(**options)))
    message = str(caught.value)
    assert "\n" not in message and len(message) < 600
    return message


def spans(*items, text="Ada spoke"):
    return json.dumps({"text": text, "entities": items})


BAD_COLUMNS = {
    "no tag": ("spoke\n", "the token 'spoke' without a tag", "a token and its tag"),
    "an empty tag": ("spoke\t\n", "the token 'spoke' without a tag", "a token and its tag"),
    "too many columns": (
        "New\tYork\tB-LOC\n",
        "3 columns, 'New York B-LOC'",
        "2, as in most lines",
    ),
    "a tag without prefix": ("Paris\tLOC\n", "the tag 'LOC' of 'Paris'", "B-PER (IOB2)"),
    "a tag without type": ("Paris\tB-\n", "the tag 'B-' of 'Paris'", "and a type"),
    "a tag in lower case": ("Paris\tb-LOC\n", "the tag 'b-LOC'", "O, or B- or I- and a type"),
    "a tag of another scheme": ("Paris\tS-LOC\n", "the tag 'S-LOC'", "(IOB2)"),
}

BAD_ENTRIES = {
    "no JSON": ('{"text": ', "no valid JSON", "one JSON object"),
    "a number alone": ("17", "a number, 17", 'an object with "text"'),
    "no text": (
        '{"entities": []}',
        "an object without \"text\" (its keys: 'entities')",
        'an object with "text"',
    ),
    "a text that is none": ('{"text": null, "entities": []}', "null as text", "a string"),
    "a text without anything visible": (
        '{"text": " ", "entities": []}',
        "a text without a visible character",
        "at least one",
    ),
    "no spans": ('{"text": "Ada"}', "a text without spans", "an empty array"),
    "spans that are no list": (
        '{"text": "Ada", "label": "PER"}',
        "a string under 'label'",
        "an array of spans",
    ),
    "spans under two keys": (
        '{"text": "Ada", "label": [], "spans": []}',
        "under both 'spans' and 'label'",
        "one key",
    ),
    "a key twice": (
        '{"text": "Ada", "text": "Bob", "label": []}',
        "the key 'text' twice",
        "each key once",
    ),
    "half a surrogate pair": (
        '{"text": "\\ud800", "label": []}',
        "half of a surrogate pair",
        "UTF-8",
    ),
    "a number of thousands of digits": (
        '{"text": "Ada", "label": [[0, %s, "X"]]}' % ("9" * 5000),
        "",
        "expected",
    ),
    "brackets without end": ("[" * 100_000, "", "one JSON object"),
    "an answer unheard of": (
        '{"text": "Ada", "spans": [], "answer": "maybe"}',
        "the answer 'maybe'",
        '"accept", "reject" or "ignore"',
    ),
    "half a surrogate pair as document": (
        '{"text": "Ada", "label": [], "document": "\\udc00"}',
        "in the document's name",
        "UTF-8",
    ),
    "a document that is no name": (
        '{"text": "Ada", "spans": [], "document": []}',
        "an array as document",
        "a string",
    ),
    "a span that is a number": (spans(17), "a number as a span", "[start, end, label]"),
    "a span of two": (spans([0, 3]), "an array as a span", "[start, end, label]"),
    "a fraction as offset": (spans([0, 3.0, "PER"]), "a number as end", "an integer"),
    "a boolean as offset": (
        spans([False, 3, "PER"]),
        "a boolean as start",
        "an integer",
    ),
    "null as offset": (spans([0, None, "PER"]), "null as end", "an integer"),
    "a string as offset": (spans(["0", 3, "PER"]), "a string as start", "an integer"),
    "no label": (spans([0, 3, ""]), "a string as label", "a printable string"),
    "a label that is a number": (spans([0, 3, 1]), "a number as label", "a printable string"),
    "a label with a tab": (spans([0, 3, "A\tB"]), "a string as label", "a printable string"),
    "an empty span": (
        spans([3, 3, "PER"]),
        "the span 3 to 3, which is empty",
        "an end after the start",
    ),
    "a reversed span": (
        spans([3, 0, "PER"]),
        "the span 3 to 0, which is reversed",
        "an end after the start",
    ),
    "a span out of the text": (
        spans([4, 10, "PER"]),
        "the span 4 to 10 in a text of 9 characters",
        "from 0 to 9",
    ),
    "a span before the text": (spans([-3, 3, "PER"]), "the span -3 to 3", "from 0 to 9"),
    "a huge offset": (spans([0, 10**30, "PER"]), "in a text of 9 characters", "from 0 to 9"),
    "overlapping spans": (
        spans([0, 9, "X"], [4, 9, "PER"]),
        "the span 4 to 9, 'spoke', which overlaps",
        "share no character",
    ),
    "a span with two labels": (
        spans([0, 3, "PER"], [0, 3, "ORG"]),
        "which overlaps",
        "share no character",
    ),
    "a span inside a token": (
        spans([0, 2, "PER"]),
        "the span 0 to 2, 'Ad', which cuts the token 'Ada'",
        "whole tokens",
    ),
    "a span from inside a token": (
        spans([1, 3, "PER"]),
        "which cuts the token 'Ada'",
        "whole tokens",
    ),
    "a span of white space": (
        spans([3, 4, "PER"]),
        "which is white space",
        "a visible character",
    ),
}


@pytest.mark.parametrize("kind", BAD_COLUMNS)
def test_bad_columns_are_refused_with_file_and_line(write, kind):
    line, problem, expected = BAD_COLUMNS[kind]
    path = write("train.conll", GOOD_LINES * 3 + "in\tO\n" + line)
    message = refusal(path)
    assert (
        message.startswith(f"{path}:11: found ")
        and problem in message
        and "; expected " in message
        and expected in message
    )


@pytest.mark.parametrize("kind", BAD_ENTRIES)
def test_bad_entries_are_refused_with_file_and_line(write, kind):
    line, problem, expected = BAD_ENTRIES[kind]
    path = write("train.jsonl", GOOD_ENTRY + line + "\n")
    message = refusal(path)
    assert (
        message.startswith(f"{path}:2: found ")
        and problem in message
        and "; expected " in message
        and expected in message
    )


@pytest.mark.parametrize("kind", [*BAD_COLUMNS, *BAD_ENTRIES])
def test_bad_lines_skip_leaves_out_bad_sentences_and_reports_them(write, kind):
    if kind in BAD_COLUMNS:
        bad = BAD_COLUMNS[kind][0]
        path = write("a.conll", GOOD_LINES + bad + "\n" + GOOD_LINES)
    else:
        bad = BAD_ENTRIES[kind][0]
        path = write("a.jsonl", GOOD_ENTRY + bad + "\n" + GOOD_ENTRY)
    left_out = []
    sentences = list(
        read_sentences(path, ReadOptions(bad_lines="skip"), lambda *call: left_out.append(call))
    )
    assert [sentence.tokens for sentence in sentences] == [("Ada", "spoke")] * 2
    ((record, raw),) = left_out
    assert (record.file, record.line, raw) == (
        path,
        4 if kind in BAD_COLUMNS else 2,
        bad.rstrip("\n"),
    )


def test_a_refusal_says_how_to_leave_sentences_out(write):
    assert "--set bad_lines=skip" in refusal(write("a.conll", "a\n"))


def test_a_file_in_another_encoding_is_refused_with_the_byte(write):
    path = write("a.conll", "Ada\tO\nMüller\tO\n".encode("cp1252"))
    message = refusal(path)
    assert (
        message.startswith(f"{path}:2: found byte 0xFC at position 2")
        and "utf-8" in message
        and "--set encoding=cp1252" in message
    )


def test_an_undecodable_line_far_into_a_file_is_reported(write):
    path = write("a.conll", b"Ada\tB-PER\n\n" * 20_000 + b"\xff\tO\n")
    assert refusal(path, bad_lines="skip").startswith(
        f"{path}:40001: found byte 0xFF at position 1"
    )


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("Ada\tO\n".encode("utf-16"), "UTF-16"),
        (b"\x7fELF\0\0\n\0", "NUL"),
        (b"\x1f\x8b\x08\x00abc", "compressed"),
        (b"", "empty"),
        (b"\n \n\t\n", "blank"),
        (b"-DOCSTART- O\n\n# nothing\n", "no sentence"),
    ],
    ids=[
        "UTF-16",
        "binary",
        "compressed",
        "empty",
        "blank",
        "no sentence",
    ],
)
def test_a_file_that_is_no_corpus_is_refused_by_name(write, content, problem):
    path = write("a.json" if b"text" in content else "a.conll", content)
    message = refusal(path)
    assert message.startswith(path) and problem in message and "expected" in message


def test_an_unknown_encoding_is_refused(write):
    assert "encoding=latin-99" in refusal(write("a.conll", "a\tO\n"), encoding="latin-99")


def test_a_folder_where_a_file_should_be_is_refused(tmp_path):
    assert refusal(str(tmp_path)).startswith(str(tmp_path))


@pytest.mark.parametrize("options", [{"scheme": "BWES"}, {"bad_lines": "ignore"}])
def test_unknown_options_are_refused_with_the_known_ones(options):
    with pytest.raises(ValueError, match=r"'refuse' or 'skip'|IOB1, IOB2, BIOES, BILOU"):
        ReadOptions(**options)


def corpus_refusal(path):
    with pytest.raises(UserError) as caught:
        list(read_corpus(find_splits(path)))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_corpus_too_small_to_split_is_refused(write):
    message = corpus_refusal(write("a.conll", GOOD_LINES))
    assert "found no sentence for" in message and "expected more sentences" in message


def test_a_split_without_an_entity_is_refused(write, tmp_path):
    for name, line in (("train", "a\tB-X\n"), ("dev", "a\tB-X\n"), ("test", "a\tO\n")):
        write(f"{name}.conll", line)
    assert "found no entity in test" in corpus_refusal(str(tmp_path))


def test_a_split_without_a_sentence_is_refused(write, tmp_path):
    for name, line in (("train", "a\tB-X\n"), ("dev", "# none\n"), ("test", "a\tB-X\n")):
        write(f"{name}.conll", line)
    message = corpus_refusal(str(tmp_path))
    assert "found no sentence for dev" in message and "dev.conll" in message
