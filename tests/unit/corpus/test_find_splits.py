"""Assigning files to splits by their names."""

import os

import pytest

from components.corpus.splits import find_splits, splits_named
from components.errors import UserError


@pytest.fixture
def found(write, tmp_path):
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


def test_a_folder_with_all_splits(found):
    files, splits = found("train.conll", "dev.conll", "test.conll")
    assert files == {"train": ["train.conll"], "dev": ["dev.conll"], "test": ["test.conll"]}
    assert (splits.names, splits.evaluation, splits.notes) == (("train", "dev", "test"), "test", ())


def test_formats_may_be_mixed_and_a_split_may_have_several_files(found):
    files, _ = found("train-2.jsonl", "train-1.conll", "dev.conll", "test.tsv")
    assert files["train"] == ["train-1.conll", "train-2.jsonl"]


def test_files_that_are_not_a_corpus_are_ignored(found):
    files, _ = found(
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


def test_the_names_of_conll_2003_are_known(found):
    files, _ = found("eng.train", "eng.testa", "eng.testb")
    assert files == {"train": ["eng.train"], "dev": ["eng.testa"], "test": ["eng.testb"]}


def test_without_dev_a_hash_splits_it_from_train(found):
    files, splits = found("train.conll", "test.conll")
    assert (
        list(files) == ["train", "test"]
        and splits.names == ("train", "dev", "test")
        and "dev" in splits.notes[0]
    )


def test_without_test_the_model_is_evaluated_on_dev_with_a_note(found):
    _, splits = found("train.conll", "dev.conll")
    assert (splits.names, splits.evaluation) == (
        ("train", "dev"),
        "dev",
    ) and "evaluated on dev" in splits.notes[0]


def test_train_alone_is_split_by_hash(found):
    files, splits = found("train.conll")
    assert files == {"all": ["train.conll"]} and splits.notes


def test_files_without_a_split_in_their_names_are_split_by_hash(found):
    files, _ = found("news.conll", "notes.jsonl")
    assert files == {"all": ["news.conll", "notes.jsonl"]}


def test_a_single_file_is_split_by_hash_even_if_its_name_is_a_split(write):
    path = write("test.conll", "a\tB-X\n")
    assert find_splits(path).files == {"all": (path,)}


def test_files_without_a_split_in_their_name_are_ignored_with_a_note(found):
    files, splits = found("train.tsv", "train_dev.tsv", "devel.tsv", "test.tsv", "extra.tsv")
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
def test_a_folder_without_train_is_refused(found, names, tmp_path):
    with pytest.raises(UserError, match=r"expected .*train") as caught:
        found(*names)
    assert str(tmp_path) in str(caught.value)


def test_a_missing_path_is_refused(tmp_path):
    with pytest.raises(UserError, match="no such file or folder"):
        find_splits(tmp_path / "nowhere")
