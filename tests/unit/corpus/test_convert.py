"""Converting between formats preserves tokens and entities, reports losses, and overwrites no file."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.corpus.convert import convert
from components.corpus.formats import FORMATS, Format, format_named
from components.corpus.options import DEFAULTS, ReadOptions
from components.corpus.reading import read_sentences
from components.errors import UserError
from pipeline.cli import cli

WRITABLE = [
    known.name
    for known in FORMATS
    if type(known).write is not Format.write and known.name != "spacy"  # an extra
]
TOKENS = st.lists(
    st.sampled_from(["Ada", "met", "Łukasz", "in", "Graz", "北", "42", "don", "😀", "a"]),
    min_size=1,
    max_size=8,
)


@st.composite
def sentences(draw):
    """Tokens with disjoint entities, as (tokens, [(start, end, type)])."""
    tokens = draw(TOKENS)
    spans, position = [], 0
    while position < len(tokens):
        length = draw(st.integers(1, 3))
        if draw(st.booleans()) and position + length <= len(tokens):
            spans.append((position, position + length, draw(st.sampled_from(["PER", "LOC"]))))
        position += length
    return tokens, spans


def write_gliner(path, corpus):
    """Writes the source of a round trip in GLiNER's format, which has tokens and spans."""
    entries = [
        {"tokenized_text": tokens, "ner": [[start, end - 1, label] for start, end, label in spans]}
        for tokens, spans in corpus
    ]
    path.write_text(json.dumps(entries), encoding="utf-8")


def read(path, options=DEFAULTS):
    return [
        (list(sentence.tokens), [(span.start, span.end, span.type) for span in sentence.spans])
        for sentence in read_sentences(path, options)
    ]


@pytest.mark.parametrize("to", WRITABLE)
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(corpus=st.lists(sentences(), min_size=1, max_size=5))
def test_tokens_and_entities_survive_a_round_trip(to, tmp_path_factory, corpus):
    folder = tmp_path_factory.mktemp("convert")
    source = folder / "source.json"
    write_gliner(source, corpus)
    target = folder / ("target.ann" if to == "brat" else "target.data")
    conversion = convert(str(source), str(target), to, DEFAULTS)
    assert conversion.sentences == len(corpus)
    assert conversion.entities == sum(len(spans) for _, spans in corpus)
    assert read(target, ReadOptions(format=to, scheme=None)) == corpus


@pytest.mark.parametrize("to", WRITABLE)
def test_a_written_file_is_detected_as_its_format(to, tmp_path):
    source = tmp_path / "source.json"
    write_gliner(source, [(["Ada", "met", "Bob"], [(0, 1, "PER")]), (["Ada", "left"], [])])
    target = tmp_path / ("target.ann" if to == "brat" else "target.data")
    convert(str(source), str(target), to, DEFAULTS)
    assert read(target) == read(source)


def test_ids_metadata_and_documents_are_preserved_in_formats_that_have_them(tmp_path):
    source, target = tmp_path / "in.jsonl", tmp_path / "out.json"
    record = {
        "text": "Ada  met Bob.",
        "entities": [[0, 3, "PER"]],
        "document": "d1",
        "id": "7",
        "source": "mail",
    }
    source.write_text(json.dumps(record) + "\n", encoding="utf-8")
    conversion = convert(str(source), str(target), "labelstudio", DEFAULTS)
    assert not conversion.lost
    [task] = json.loads(target.read_text(encoding="utf-8"))
    assert (task["id"], task["data"]["text"], task["data"]["document"]) == (
        "7",
        "Ada  met Bob.",
        "d1",
    )
    assert task["meta"] == {"source": "mail"}


def test_losses_in_the_target_format_are_counted(tmp_path):
    source = tmp_path / "in.jsonl"
    record = {"text": "Ada met Bob.", "entities": [], "document": "d1", "id": 7, "source": "mail"}
    source.write_text(json.dumps(record) + "\n", encoding="utf-8")
    conversion = convert(str(source), str(tmp_path / "out.txt"), "pipes", DEFAULTS)
    assert conversion.lost == {
        "documents": 1,
        "ids": 1,
        "metadata": 1,
        "the white space between tokens": 1,
    }


@pytest.mark.parametrize("to", ["conll", "brat"])
def test_existing_files_are_not_overwritten(tmp_path, to):
    source = tmp_path / "in.json"
    write_gliner(source, [(["Ada"], [(0, 1, "PER")])])
    kept = tmp_path / ("out.txt" if to == "brat" else "out.ann")
    kept.write_text("mine", encoding="utf-8")
    with pytest.raises(UserError, match=r"out\..* exists and is not overwritten"):
        convert(str(source), str(tmp_path / "out.ann"), to, DEFAULTS)
    assert kept.read_text(encoding="utf-8") == "mine"
    with pytest.raises(UserError, match="exists and is not overwritten"):
        convert(str(source), str(source), "jsonl", DEFAULTS)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["in.json", kept.name])


def test_a_sentence_that_cannot_be_written_leaves_no_file(tmp_path):
    source = tmp_path / "in.json"
    write_gliner(source, [(["Ada"], []), (["two words"], [])])
    with pytest.raises(UserError, match="does not fit into a line; it cannot be written as"):
        convert(str(source), str(tmp_path / "out.txt"), "pipes", DEFAULTS)
    assert [path.name for path in tmp_path.iterdir()] == ["in.json"]


def test_the_command_reports_losses(tmp_path):
    source = tmp_path / "in.jsonl"
    source.write_text('{"text": "Ada met Bob.", "entities": [[0, 3, "PER"]], "id": 1}\n')
    arguments = ["convert", str(source), str(tmp_path / "out.csv"), "--to", "csv"]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, result.output
    text = Path(tmp_path / "out.csv").read_text(encoding="utf-8")
    assert text.splitlines()[:2] == ["Sentence #,Word,Tag", "Sentence: 1,Ada,B-PER"]


def test_every_format_has_its_own_name():
    assert len({known.name for known in FORMATS}) == len(FORMATS)
    assert all(format_named(known.name) is known for known in FORMATS)
