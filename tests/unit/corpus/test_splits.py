"""The split of each file by its name, the stable split by a hash, and reading a corpus split by split."""

import os
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.corpus.reading import ReadOptions, make_plan, read_corpus, read_split
from components.corpus.splits import DEV_CUT, SplitRule, find_splits, splits_named
from components.errors import UserError
from components.ner.sentence import Sentence


@pytest.fixture
def find(write, tmp_path):
    """A function that creates files and returns their names by split, and the splits."""

    def find(*names):
        for name in names:
            write(name, "a\tB-X\n")
        splits = find_splits(str(tmp_path))
        return {
            split: [os.path.basename(file) for file in files]
            for split, files in splits.files.items()
        }, splits

    return find


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("train.conll", "train"),
        ("eng.train", "train"),
        ("wnut17train.conll", "train"),
        ("CDR_TrainingSet.tsv", "train"),
        ("TRAIN.txt", "train"),
        ("dev.conll", "dev"),
        ("devel.tsv", "dev"),
        ("valid.txt", "dev"),
        ("validation.jsonl", "dev"),
        ("my-eval.jsonl", "dev"),
        ("eng.testa", "dev"),
        ("test.conll", "test"),
        ("eng.testb", "test"),
        ("test1.txt", "test"),
        ("emerging.test.annotated", "test"),
        ("latest.conll", ""),
        ("attestation.txt", ""),
        ("trainer.conll", ""),
        ("contest.tsv", ""),
        ("device.txt", ""),
        ("evaluate.txt", ""),
        ("train_dev.tsv", "train dev"),
    ],
)
def test_a_split_is_recognised_as_a_word_of_the_file_name(name, expected):
    assert " ".join(splits_named(name)) == expected


def test_a_folder_with_all_splits(find):
    files, splits = find("train.conll", "dev.conll", "test.conll")
    assert files == {"train": ["train.conll"], "dev": ["dev.conll"], "test": ["test.conll"]}
    assert (splits.names, splits.evaluation, splits.notes) == (("train", "dev", "test"), "test", ())


def test_formats_may_be_mixed_and_a_split_may_have_several_files(find):
    files, _ = find("train-2.jsonl", "train-1.conll", "dev.conll", "test.tsv")
    assert files["train"] == ["train-1.conll", "train-2.jsonl"]


def test_files_that_are_not_a_corpus_are_ignored(find):
    files, _ = find(
        "wiki.conll.txt",
        "README.rst",
        "README.txt",
        "LICENSE",
        "LICENSE.txt",
        ".hidden.conll",
        "labels.txt",
        "other/notes.txt",
    )
    assert files == {"all": ["wiki.conll.txt"]}


def test_the_names_of_conll_2003_are_known(find):
    files, _ = find("eng.train", "eng.testa", "eng.testb")
    assert files == {"train": ["eng.train"], "dev": ["eng.testa"], "test": ["eng.testb"]}


def test_without_dev_a_hash_splits_it_from_train(find):
    files, splits = find("train.conll", "test.conll")
    assert (
        list(files) == ["train", "test"]
        and splits.names == ("train", "dev", "test")
        and "dev" in splits.notes[0]
    )


def test_without_test_the_model_is_evaluated_on_dev_with_a_note(find):
    _, splits = find("train.conll", "dev.conll")
    assert (splits.names, splits.evaluation) == (
        ("train", "dev"),
        "dev",
    ) and "evaluated on dev" in splits.notes[0]


def test_train_alone_is_split_by_hash(find):
    files, splits = find("train.conll")
    assert files == {"all": ["train.conll"]} and splits.notes


def test_files_without_a_split_in_their_names_are_split_by_hash(find):
    files, _ = find("news.conll", "notes.jsonl")
    assert files == {"all": ["news.conll", "notes.jsonl"]}


def test_a_single_file_is_split_by_hash_even_if_its_name_is_a_split(write):
    path = write("test.conll", "a\tB-X\n")
    assert find_splits(path).files == {"all": (path,)}


def test_files_without_a_split_in_their_name_are_ignored_with_a_note(find):
    files, splits = find("train.tsv", "train_dev.tsv", "devel.tsv", "test.tsv", "extra.tsv")
    assert files == {"train": ["train.tsv"], "dev": ["devel.tsv"], "test": ["test.tsv"]}
    assert splits.notes[0].startswith("train_dev.tsv is left aside") and splits.notes[1].startswith(
        "extra.tsv is left aside"
    )


@pytest.mark.parametrize(
    "names",
    [
        ("test.conll",),
        ("dev.conll", "test.conll"),
        ("train_dev.conll",),
        ("README.md",),
        (),
    ],
)
def test_a_folder_without_train_is_refused(find, names, tmp_path):
    with pytest.raises(UserError, match=r"expected .*train") as caught:
        find(*names)
    assert str(tmp_path) in str(caught.value)


def test_a_missing_path_is_refused(tmp_path):
    with pytest.raises(UserError, match="no such file or folder"):
        find_splits(tmp_path / "nowhere")


def numbered(count, document=""):
    return [
        Sentence((f"word{number}", "x"), (), document and f"{document}{number // 5}")
        for number in range(count)
    ]


def conll(sentences, tag="B-X"):
    return "".join(
        "".join(f"{token}\t{tag}\n" for token in sentence.tokens) + "\n" for sentence in sentences
    )


def test_split_sizes_are_close_to_the_requested_shares():
    counts = Counter(map(SplitRule().split_of, numbered(5000)))
    assert (
        3900 < counts["train"] < 4100 and 430 < counts["dev"] < 570 and 430 < counts["test"] < 570
    )


def test_the_split_does_not_depend_on_the_machine():
    letters = {"train": "-", "dev": "d", "test": "t"}
    assert (
        "".join(letters[SplitRule().split_of(sentence)] for sentence in numbered(40))
        == "--dt-----td--------------ttt-t---t---t--"
    )


def test_a_document_is_in_one_split_only():
    of_document = {}
    for sentence in numbered(2000, "document "):
        split = SplitRule().split_of(sentence)
        assert of_document.setdefault(sentence.document, split) == split
    assert set(of_document.values()) == {"train", "dev", "test"}


@given(st.lists(st.text(max_size=3), max_size=4))
def test_splitting_off_dev_gives_no_test(tokens):
    assert SplitRule(DEV_CUT).split_of(Sentence(tuple(tokens), ())) in ("train", "dev")


@pytest.mark.parametrize("document", ["", "-DOCSTART-\tO\n\n"])
def test_adding_sentences_moves_no_other_sentences(write, document):
    def splits(sentences):
        texts = (
            document + conll(sentences[start : start + 2]) for start in range(0, len(sentences), 2)
        )
        corpus = read_corpus(find_splits(write("a.conll", "".join(texts))))
        return {sentence.tokens: split for split, sentence in corpus}

    old, new = numbered(200), [Sentence((f"new{number}",), ()) for number in range(50)]
    before = splits(old)
    for after in (splits(old + new), splits(new + old), splits(old[:100] + new + old[100:])):
        assert {tokens: after[tokens] for tokens in before} == before


def test_dev_is_split_from_train_and_test_is_unchanged(write, tmp_path):
    write("train.conll", conll(numbered(100)))
    write("test.conll", conll(numbered(3)))
    counts = Counter(split for split, _ in read_corpus(find_splits(str(tmp_path))))
    assert counts["train"] + counts["dev"] == 100 and 3 < counts["dev"] < 20 and counts["test"] == 3


def test_two_splits_are_enough(write, tmp_path):
    write("train.conll", conll(numbered(3)))
    write("valid.conll", conll(numbered(2)))
    assert Counter(split for split, _ in read_corpus(find_splits(str(tmp_path)))) == {
        "train": 3,
        "dev": 2,
    }


@pytest.mark.parametrize(
    "names",
    [("a.conll",), ("train.conll", "test.conll"), ("train.conll", "dev.conll", "test.conll")],
)
def test_reading_split_by_split_equals_reading_the_corpus(write, tmp_path, names):
    for name in names:
        write(name, conll(numbered(100)))
    splits = find_splits(str(tmp_path))
    together = list(read_corpus(splits))
    plan = make_plan(splits)
    for split in splits.names:
        expected = [sentence for name, sentence in together if name == split]
        assert (
            list(read_split(splits, split))
            == list(read_split(splits, split, plan=plan))
            == expected
        )


def test_ids_are_unique_in_a_corpus(write, tmp_path):
    for name in ("train.conll", "dev.conll", "test.conll"):
        write(name, conll(numbered(20)))
    ids = [sentence.id for _, sentence in read_corpus(find_splits(str(tmp_path)))]
    assert len(set(ids)) == 60


def test_bad_sentences_of_a_corpus_are_reported(write, tmp_path):
    write("train.conll", conll(numbered(20)) + "bad\n\n")
    write("dev.conll", conll(numbered(2)))
    left_out = []
    corpus = list(
        read_corpus(
            find_splits(str(tmp_path)),
            ReadOptions(bad_lines="skip"),
            lambda bad, raw: left_out.append(raw),
        )
    )
    assert len(corpus) == 22 and left_out == ["bad"]
