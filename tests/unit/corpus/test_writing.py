"""Written files are read back in every format and scheme."""

import io
import json
import tempfile
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.corpus.formats import format_named
from components.corpus.formats.conll import write_conll
from components.corpus.reading import read_sentences
from components.corpus.records import Read
from components.ner.sentence import Sentence, Span
from components.ner.tags import SCHEMES
from components.ner.tokens import text_of, tokenize

TYPES = st.sampled_from(["PER", "creative-work", "Work of art"])
# Not in a token: column and line separators, a byte order mark, which could start the file, and NUL.
TOKENS = st.one_of(
    st.sampled_from(["", " ", "#", "-", "O", "# newdoc", "a\u2028b", "\x85"]),
    st.text(min_size=1, max_size=6),
).filter(lambda token: not set(token) & set("\t\n\ufeff\0") and not token.startswith("-DOCSTART-"))
ADA = Sentence(("Ada", "spoke"), (Span(0, 1, "PER"),))


def spans_over(draw, length):
    borders = sorted(draw(st.sets(st.integers(0, length), max_size=6)))
    return tuple(
        Span(start, end, draw(TYPES)) for start, end in pairwise(borders) if draw(st.booleans())
    )


@st.composite
def token_sentences(draw):
    tokens = tuple(draw(st.lists(TOKENS, min_size=1, max_size=8)))
    return Sentence(tokens, spans_over(draw, len(tokens)))


@st.composite
def text_sentences(draw):
    text = draw(
        st.text(
            st.one_of(
                st.sampled_from("ab \u2028\x85😀é中"), st.characters(exclude_categories=["Cs"])
            ),
            max_size=20,
        ).filter(tokenize)
    )
    offsets = tuple(tokenize(text))
    tokens = tuple(text[start:end] for start, end in offsets)
    return Sentence(
        tokens,
        spans_over(draw, len(tokens)),
        offsets=offsets,
        text=text,
        document=draw(st.sampled_from(["", "note 7"])),
    )


def write_jsonl(file, sentences):
    format_named("jsonl").write(file, map(Read, sentences))


def read_back(writer, sentences, name, *arguments):
    """Writes sentences and reads them back."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        with open(path, "w", encoding="utf-8", newline="\n") as file:
            writer(file, sentences, *arguments)
        return list(read_sentences(str(path)))


@pytest.mark.parametrize("scheme", SCHEMES)
@settings(max_examples=60)
@given(st.lists(token_sentences(), min_size=1, max_size=4))
def test_columns_are_read_back(scheme, sentences):
    # The first sentence has every kind of tag, so that the scheme can be detected.
    telling = Sentence(tuple("abcdef"), (Span(0, 3, "X"), Span(3, 4, "X"), Span(5, 6, "X")))
    got = read_back(write_conll, [telling, *sentences], "a.conll", scheme)
    assert [(s.tokens, s.spans) for s in got] == [
        (s.tokens, s.spans) for s in [telling, *sentences]
    ]


@settings(max_examples=60)
@given(st.lists(text_sentences(), min_size=1, max_size=4))
def test_json_lines_are_read_back(sentences):
    got = read_back(write_jsonl, sentences, "a.jsonl")
    assert [(s.tokens, s.spans, s.text, s.offsets, s.document) for s in got] == [
        (s.tokens, s.spans, s.text, s.offsets, s.document) for s in sentences
    ]


def test_documents_stay_separate():
    documents = ["x", "x", "y", "", "z"]
    sentences = [
        Sentence((f"w{n}",), (Span(0, 1, "X"),), document) for n, document in enumerate(documents)
    ]
    got = [sentence.document for sentence in read_back(write_conll, sentences, "a.conll")]
    assert len(set(got)) == 4 and got[0] == got[1]


def test_predictions_are_a_third_column():
    file = io.StringIO()
    write_conll(file, [ADA, ADA], "IOB2", [(), (Span(0, 2, "ORG"),)])
    assert file.getvalue() == "Ada\tB-PER\tO\nspoke\tO\tO\n\nAda\tB-PER\tB-ORG\nspoke\tO\tI-ORG\n\n"


@pytest.mark.parametrize("predictions", [[()], [(), (), ()]])
def test_more_or_fewer_predictions_than_sentences_are_refused(predictions):
    with pytest.raises(ValueError, match="predictions than"):
        write_conll(io.StringIO(), [ADA, ADA], predictions=predictions)


@pytest.mark.parametrize("token", ["a\tb", "a\nb", "-DOCSTART-"])
def test_a_token_that_does_not_fit_a_column_is_refused(token):
    with pytest.raises(ValueError, match="cannot be written"):
        write_conll(io.StringIO(), [Sentence((token,), ())])


def test_tokens_without_text_are_joined_by_spaces():
    file = io.StringIO()
    write_jsonl(file, [Sentence(("Ada", "L"), (Span(1, 2, "X"),))])
    assert json.loads(file.getvalue()) == {"text": "Ada L", "entities": [[4, 5, "X"]]}


@given(token_sentences())
def test_joined_tokens_are_at_their_offsets(sentence):
    text, offsets = text_of(sentence)
    assert tuple(text[start:end] for start, end in offsets) == sentence.tokens


def test_white_space_at_the_boundary_of_an_entity_is_not_written():
    file = io.StringIO()
    write_jsonl(file, [Sentence(("", "Ada "), (Span(0, 2, "X"),))])
    assert json.loads(file.getvalue())["entities"] == [[1, 4, "X"]]


def test_an_entity_without_a_visible_character_is_refused():
    with pytest.raises(ValueError, match="no visible character"):
        write_jsonl(io.StringIO(), [Sentence((" ",), (Span(0, 1, "X"),))])
