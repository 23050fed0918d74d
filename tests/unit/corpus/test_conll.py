"""Reading CoNLL columns in the variants of real files."""

import pytest

from components.corpus.reading import ReadOptions, Splits, make_plan, read_sentences
from components.ner.sentence import Span

IOB2 = "Ada\tB-PER\nLovelace\tI-PER\nspoke\tO\n\nin\tO\nParis\tB-LOC\n"


@pytest.fixture
def sentences(write):
    def read_text(content, **options):
        return list(read_sentences(write("a.conll", content), ReadOptions(**options)))

    return read_text


def tokens(sentences):
    return [sentence.tokens for sentence in sentences]


def test_tokens_and_entities_are_read(sentences):
    first, second = sentences(IOB2)
    assert (first.tokens, first.spans) == (("Ada", "Lovelace", "spoke"), (Span(0, 2, "PER"),))
    assert (second.tokens, second.spans) == (("in", "Paris"), (Span(1, 2, "LOC"),))


def test_the_id_of_a_sentence_is_its_file_and_line(sentences, tmp_path):
    second = sentences(IOB2)[1]
    assert (second.id, second.file, second.line) == ("a.conll:5", str(tmp_path / "a.conll"), 5)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\t", " "),
        lambda text: text.replace("\t", "     "),
        lambda text: text.replace("\t", " ").replace("Ada", "  Ada"),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n\n", "\n\t\n"),
        lambda text: text.replace("\n\n", "\n \n"),
        lambda text: text.replace("\n\n", "\n\n\n\n"),
        lambda text: "\n\n" + text,
        lambda text: text.rstrip("\n"),
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "\t\n").replace("\n\t\n", "\n\n"),
        lambda text: "# a comment\n" + text.replace("spoke", "# another, O\nspoke"),
        lambda text: text.replace("\t", "\tNN\tx\t"),
        lambda text: "-DOCSTART- -X- -X- O\n\n" + text.replace("\t", " NN x "),
        lambda text: "-DOCSTART-\n" + text,
    ],
    ids=[
        "spaces",
        "runs of spaces",
        "leading spaces",
        "CRLF",
        "a tab between sentences",
        "a space between sentences",
        "many blank lines",
        "leading blank lines",
        "no line end at the end",
        "byte order mark",
        "tabs at the end of lines",
        "comments",
        "four columns",
        "CoNLL-2003",
        "DOCSTART without a blank line",
    ],
)
def test_layout_variants_have_the_same_sentences(sentences, change):
    assert [(s.tokens, s.spans) for s in sentences(change(IOB2))] == [
        (s.tokens, s.spans) for s in sentences(IOB2)
    ]


def test_a_token_between_tabs_may_be_empty_or_white_space(sentences):
    assert tokens(sentences("\tO\na b \tO\n \tO\n\u3000\tB-X\n")) == [("", "a b ", " ", "\u3000")]


@pytest.mark.parametrize(
    "character", ["\x85", "\u2028", "\u2029", "\x0b", "\x0c", "\x1c", "\r", "\xa0", "\u200b"]
)
def test_only_line_feeds_end_lines_and_only_spaces_and_tabs_divide_columns(sentences, character):
    token = f"a{character}b"
    assert tokens(sentences(f"{token}\tB-X\n")) == [(token,)]
    assert tokens(sentences(f"{token} B-X\n")) == [(token,)]


def test_a_hashtag_with_a_tag_is_a_token(sentences):
    assert tokens(sentences("#\tO\n#news\tB-X\n# newdoc\n#\tB-X\n# no token\n")) == [
        ("#", "#news"),
        ("#",),
    ]


def test_a_hashtag_is_a_token_in_a_file_with_spaces(sentences):
    assert tokens(sentences("# text = a b O\nwe O\n#news B-X\n# 1\n")) == [("we", "#news")]


def test_a_comment_without_tabs_is_no_token_in_a_file_with_tabs(sentences):
    assert tokens(sentences("# O\na\tB-X\n")) == [("a",)]


def test_a_sentence_of_thousands_of_tokens_is_read_completely(sentences):
    assert len(sentences("a\tO\n" * 5000 + "b\tB-X\n\nc\tO\n")[0].tokens) == 5001


def test_a_type_may_hold_hyphens_and_spaces(sentences):
    assert [span.type for span in sentences("a\tB-creative-work\nb\tB-of art\n")[0].spans] == [
        "creative-work",
        "of art",
    ]


def test_adjacent_entities_stay_separate(sentences):
    assert sentences("@\tB-PER\nada\tB-PER\n")[0].spans == (Span(0, 1, "PER"), Span(1, 2, "PER"))


def test_a_stray_inside_tag_opens_an_entity(sentences):
    assert sentences("a\tO\nb\tI-X\nc\tI-Y\nd\tB-Y\n")[0].spans == (
        Span(1, 2, "X"),
        Span(2, 3, "Y"),
        Span(3, 4, "Y"),
    )


@pytest.mark.parametrize(
    ("scheme", "tags"),
    [
        ("IOB1", "I-X I-X B-X O I-Y"),
        ("IOB2", "B-X I-X B-X O B-Y"),
        ("BIOES", "B-X E-X S-X O S-Y"),
        ("BILOU", "B-X L-X U-X O U-Y"),
    ],
)
def test_each_scheme_is_detected_and_read(write, scheme, tags):
    path = write("a.conll", "".join(f"w\t{tag}\n" for tag in tags.split()))
    assert make_plan(Splits(path, {"all": (path,)})).scheme == scheme
    assert next(read_sentences(path)).spans == (Span(0, 2, "X"), Span(2, 3, "X"), Span(4, 5, "Y"))


def test_one_scheme_is_detected_for_all_files_of_a_corpus(write):
    files = {
        "train": (write("train.conll", "a\tB-X\nb\tI-X\n" * 9),),
        "dev": (write("dev.conll", "a\tI-X\n"),),
    }
    assert make_plan(Splits("", files)).scheme == "IOB2"


def test_documents_are_distinguished(sentences):
    read_back = sentences(
        "a O\n\nb O\n\n-DOCSTART- O\n\nc O\n\nd O\n# newdoc id = note 7\ne O\n# newdoc\nf B-X\n"
    )
    documents = [sentence.document for sentence in read_back]
    assert (
        documents[0] == documents[1] and documents[2] == documents[3] and documents[4] == "note 7"
    )
    assert len(set(documents)) == 4 and "" not in documents


def test_a_document_keeps_its_identity_when_others_are_put_before_it(sentences):
    old = sentences("-DOCSTART- O\n\na O\n\n-DOCSTART- O\n\nb B-X\n")
    new = sentences(
        "-DOCSTART- O\n\nnew O\n\n-DOCSTART- O\n\na O\n\nmore O\n\n-DOCSTART- O\n\nb B-X\n"
    )
    assert [new[1].document, new[3].document] == [old[0].document, old[1].document]


def test_documents_with_the_same_first_sentence_are_distinguished(sentences):
    first, second = sentences("-DOCSTART- O\n\nNote B-X\n\n-DOCSTART- O\n\nNote B-X\n")
    assert first.document != second.document


def test_a_single_document_mark_defines_no_documents(sentences):
    assert {sentence.document for sentence in sentences("-DOCSTART- O\n\na B-X\n\nb O\n")} == {""}


def test_a_configured_encoding_is_read(sentences):
    assert tokens(sentences("Müller\tB-X\n“\tO\n".encode("cp1252"), encoding="cp1252")) == [
        ("Müller", "“")
    ]
    assert tokens(sentences("Müller\tB-X\n".encode("utf-16"), encoding="utf-16")) == [("Müller",)]


def test_the_scheme_can_be_overruled(write):
    path = write("a.conll", "a\tB-X\n")
    assert make_plan(Splits(path, {"all": (path,)}), ReadOptions(scheme="bioes")).scheme == "BIOES"
