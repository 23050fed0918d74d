"""The preflight check of a corpus before a run."""

import json

import pytest

from components.corpus.reading import ReadOptions
from components.errors import UserError
from pipeline import preflight

LINE = "Ada\tB-PER\nspoke\tO\n\n"


@pytest.fixture
def corpus(write, tmp_path):
    for name in ("train", "dev", "test"):
        write(f"corpus/{name}.conll", LINE)
    return tmp_path / "corpus"


def look(corpus, tmp_path, **options):
    return preflight.survey_corpus(str(corpus), ReadOptions(**options), tmp_path / "left-out.jsonl")


def test_sentences_are_counted_by_split(corpus, write, tmp_path):
    write("corpus/train.conll", LINE * 3)
    assert look(corpus, tmp_path).sentences == {"train": 3, "dev": 1, "test": 1}


def test_skipped_sentences_are_counted_and_written_to_a_file(corpus, write, tmp_path):
    path = write("corpus/train.conll", LINE * 2 + "Bob\tPER\n\n" + LINE)
    found = look(corpus, tmp_path, bad_lines="skip")
    (record,) = map(json.loads, (tmp_path / "left-out.jsonl").read_text().splitlines())
    assert found.left_out == 1 and found.sentences["train"] == 3
    assert (record["file"], record["line"], record["raw"]) == (path, 7, "Bob\tPER")
    assert "'PER'" in record["found"] and "B-" in record["expected"]


def test_without_bad_sentences_no_file_is_written(corpus, tmp_path):
    assert look(corpus, tmp_path, bad_lines="skip").left_out == 0
    assert not (tmp_path / "left-out.jsonl").exists()


def test_a_bad_line_is_refused_before_a_run(corpus, write, tmp_path):
    write("corpus/test.conll", "Bob\tPER\n")
    with pytest.raises(UserError, match=r"test\.conll:1"):
        look(corpus, tmp_path)


def test_the_fingerprint_of_content_does_not_depend_on_its_path(corpus, tmp_path):
    before = look(corpus, tmp_path).fingerprint
    moved = corpus.rename(tmp_path / "moved")
    assert look(moved, tmp_path).fingerprint == before


@pytest.mark.parametrize("change", ["content", "split"])
def test_other_content_or_another_split_has_another_fingerprint(corpus, write, tmp_path, change):
    before = look(corpus, tmp_path).fingerprint
    if change == "content":
        write("corpus/dev.conll", LINE.replace("spoke", "sang"))
    else:
        (corpus / "test.conll").unlink()
    assert look(corpus, tmp_path).fingerprint != before


def test_a_relative_path_becomes_absolute(corpus, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert look("corpus", tmp_path).splits.path == str(corpus)
