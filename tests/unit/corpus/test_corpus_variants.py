"""Variants of corpora in practice: detected, reported, and overridden by a setting."""

import json

import pytest
from pydantic import TypeAdapter

from components.corpus.check import check_corpus
from components.corpus.options import ReadOptions
from components.corpus.reading import Plan, make_plan, read_corpus, read_sentences
from components.corpus.splits import find_splits
from components.errors import UserError
from components.ner.sentence import Span
from components.ner.tokens import join_tokens

ADA = (Span(0, 2, "PER"), Span(3, 4, "LOC"))


def columns(tags, separator=" "):
    tokens = ("Ada", "Byron", "saw", "Oslo")
    rows = zip(tokens, tags.split(), strict=True)
    return "".join(f"{token}{separator}{tag}\n" for token, tag in rows) + "\n"


@pytest.mark.parametrize(
    ("tags", "reported"),
    [
        ("B-PER E-PER O S-LOC", ""),
        ("B_PER I_PER O B_LOC", "B_PER"),
        ("PER-B PER-I O LOC-B", "PER-B"),
        ("PER PER O LOC", "without B- and I-"),
        ("B-PER I-PER 0 B-LOC", "0 for O"),
    ],
)
def test_unusual_tag_formats_are_read_and_reported(write, tags, reported):
    path = write("a.conll", columns(tags) * 3)
    splits = find_splits(path)
    assert [sentence.spans for sentence in read_sentences(path)] == [ADA] * 3
    assert reported in " ".join(make_plan(splits).notes)


def test_bare_tags_get_the_type_that_is_set(write):
    path = write("a.conll", columns("B I O B"))
    [sentence] = read_sentences(path, ReadOptions(entity_type="NAME"))
    assert sentence.spans == (Span(0, 2, "NAME"), Span(3, 4, "NAME"))


def test_a_configured_tag_format_overrides_detection(write):
    path = write("a.conll", columns("PER PER O LOC"))
    with pytest.raises(UserError, match="'PER' of 'Ada'"):
        list(read_sentences(path, ReadOptions(tag_format="B-PER")))


def test_running_numbers_are_no_tokens(write):
    rows = "1 Ada B-PER\n2 Byron I-PER\n3 spoke O\n\n"
    path = write("a.conll", rows * 2)
    assert next(read_sentences(path)).tokens == ("Ada", "Byron", "spoke")
    assert next(read_sentences(path, ReadOptions(columns="1,-1"))).tokens == ("1", "2", "3")


def test_tags_before_the_last_column_are_detected(write):
    rows = "1\tAda\tB-PER\t-\tann1\n2\tByron\tI-PER\t-\tann1\n3\tspoke\tO\t-\tann1\n\n"
    path = write("a.iob2", rows * 2)
    assert [sentence.spans for sentence in read_sentences(path)] == [(Span(0, 2, "PER"),)] * 2
    assert "tags are read from column 3" in " ".join(make_plan(find_splits(path)).notes)


def test_a_lone_header_row_is_no_sentence(write):
    path = write("a.tsv", "word\tner\n\nAda\tB-PER\n\n")
    assert [sentence.tokens for sentence in read_sentences(path)] == [("Ada",)]


def test_a_header_row_names_the_columns(write):
    path = write("a.tsv", "ner\tpos\tword\nB-PER\tNNP\tAda\nO\tVBD\tspoke\n\n")
    [sentence] = read_sentences(path)
    assert (sentence.tokens, sentence.spans) == (("Ada", "spoke"), (Span(0, 1, "PER"),))


def test_a_file_without_blank_lines_is_refused_with_the_cause_and_a_remedy(write):
    path = write("a.conll", "Ada B-PER\nspoke O\n" * 600)
    with pytest.raises(UserError, match=r"no blank line.*--set missing_breaks=allow"):
        list(read_sentences(path))
    [sentence] = read_sentences(path, ReadOptions(missing_breaks="allow"))
    assert len(sentence.tokens) == 1200


def entry(text, *spans):
    return json.dumps({"text": text, "entities": spans}) + "\n"


def test_white_space_at_an_edge_is_trimmed_and_equal_spans_are_merged(write):
    path = write("a.jsonl", entry("Ada saw Oslo", [0, 4, "PER"], [8, 12, "LOC"], [8, 12, "LOC"]))
    notices = []
    [sentence] = read_sentences(path, on_notice=notices.append)
    assert sentence.spans == (Span(0, 1, "PER"), Span(2, 3, "LOC"))
    assert {notice.what.split(",")[1].strip() for notice in notices} == {"trimmed", "merged"}


@pytest.mark.parametrize(
    ("unit", "text", "span"),
    [
        ("utf16", "🎉 Ada spoke", [3, 6, "PER"]),
        ("utf8", "é Ada spoke", [3, 6, "PER"]),
        ("inclusive-end", "Ada spoke", [0, 2, "PER"]),
        ("from-1", "Ada spoke", [1, 4, "PER"]),
        ("crlf-as-1", "so\r\nAda spoke", [3, 6, "PER"]),
    ],
)
def test_offsets_in_another_unit_are_recognized_and_read_by_a_setting(write, unit, text, span):
    path = write("a.jsonl", entry(text, span))
    with pytest.raises(UserError, match=f"--set offsets={unit}"):
        list(read_sentences(path))
    [sentence] = read_sentences(path, ReadOptions(offsets=unit))
    assert [sentence.tokens[found.start] for found in sentence.spans] == ["Ada"]


def test_ambiguous_offset_units_are_reported(write):
    path = write("a.jsonl", entry("🎉🎉 A B C", [7, 8, "X"]))
    notices = []
    list(read_sentences(path, on_notice=notices.append))
    assert "offsets=utf16" in notices[0].what


@pytest.mark.parametrize(("choice", "expected"), [("expand", (Span(1, 2, "NUM"),)), ("drop", ())])
def test_a_span_inside_a_token_is_expanded_or_dropped_by_a_setting(write, choice, expected):
    path = write("a.jsonl", entry("take 10mg", [5, 7, "NUM"]))
    [sentence] = read_sentences(path, ReadOptions(unaligned_spans=choice))
    assert sentence.spans == expected


def test_spans_rejected_one_by_one_are_no_entities(write):
    spans = [
        {"start": 0, "end": 3, "label": "PER", "answer": "accept"},
        {"start": 8, "end": 12, "label": "LOC", "answer": "reject"},
    ]
    path = write("a.jsonl", json.dumps({"text": "Ada saw Oslo", "spans": spans}) + "\n")
    assert next(read_sentences(path)).spans == (Span(0, 1, "PER"),)


def test_the_output_of_predict_can_be_read_as_a_corpus(write):
    entities = [{"text": "Ada", "type": "PER", "start": 0, "end": 3, "score": 0.9}]
    path = write("a.jsonl", json.dumps({"text": "Ada spoke", "entities": entities}) + "\n")
    assert next(read_sentences(path)).spans == (Span(0, 1, "PER"),)


def test_types_are_renamed_and_dropped_by_the_setting_map(write):
    path = write("a.conll", columns("B-PER I-PER O B-LOC"))
    [sentence] = read_sentences(path, ReadOptions(map="PER=PERSON,LOC="))
    assert sentence.spans == (Span(0, 2, "PERSON"),)


def test_a_map_may_be_a_file(write):
    path = write("map.txt", "PER=PERSON\nLOC=PLACE\n")
    assert ReadOptions(map=path).type_map == {"PER": "PERSON", "LOC": "PLACE"}


def test_folders_named_after_splits_are_read_and_others_named(write, tmp_path):
    for name in ("train/a", "dev/b", "test/c.txt", "old/d.conll"):
        write(name, columns("B-PER I-PER O B-LOC"))
    splits = find_splits(str(tmp_path))
    assert set(splits.files) == {"train", "dev", "test"} and "old" in splits.notes[0]


def test_the_same_data_in_two_formats_is_refused(write, tmp_path):
    write("train.conll", columns("B-PER I-PER O B-LOC"))
    write("train.jsonl", entry("Ada", [0, 3, "PER"]))
    with pytest.raises(UserError, match="same data in two formats"):
        find_splits(str(tmp_path))


def test_a_lone_test_split_is_checked(write, tmp_path):
    write("test.conll", columns("B-PER I-PER O B-LOC"))
    report = check_corpus(str(tmp_path))
    assert list(report.splits) == ["test"] and not report.failed


def test_few_documents_are_split_by_sentence_so_that_each_split_has_entities(write):
    text = "-DOCSTART- O\n\n" + "".join(f"Ada{n} B-PER\nspoke O\n\n" for n in range(20))
    splits = find_splits(write("a.conll", text + text.replace("Ada", "Bob")))
    plan = make_plan(splits)
    assert {split for split, _ in read_corpus(splits, plan=plan)} == {"train", "dev", "test"}
    assert any("by sentence" in note for note in plan.notes)


def test_a_plan_as_json_reads_the_same(write):
    splits = find_splits(write("a.conll", "".join(f"Ada{n} PER-B\nspoke O\n\n" for n in range(20))))
    plan = make_plan(splits)
    again = TypeAdapter(Plan).validate_json(TypeAdapter(Plan).dump_json(plan))
    assert list(read_corpus(splits, plan=again)) == list(read_corpus(splits, plan=plan))


def test_tokens_are_joined_as_their_script_is_written():
    assert join_tokens(("Ada", "saw", "北", "京"))[0] == "Ada saw 北京"
    assert join_tokens((*"이두리는", " ", *"부산"))[0] == "이두리는 부산"


def test_a_corpus_of_single_characters_is_reported_if_the_tokenizer_makes_words(write):
    rows = "".join(
        f"{character}\t{tag}\n" for character, tag in zip("가나다는 라", "BIIOOO", strict=True)
    )
    rows = rows.replace("B\n", "B-PS\n").replace("I\n", "I-PS\n")
    options = ReadOptions(tokenizer="words")
    report = check_corpus(write("a.tsv", (rows + "\n") * 30), options)
    assert any("token_mismatch=allow" in finding.text for finding in report.findings)
