"""The corpus of a run, from one folder or several spans, and its evaluation split."""

import os

import pytest
from pydantic import TypeAdapter

from components.corpus.find_corpus import Choice, find_corpus
from components.corpus.reading import Splits, read_corpus
from components.errors import UserError

LINE = "Ada\tB-PER\n\n"


@pytest.fixture
def corpus(write, tmp_path):
    """A function that creates files in a folder `data` and returns the corpus found there."""

    def make(*names, **choice):
        for name in names:
            write(name if name.startswith("golden") else f"data/{name}", LINE)
        if "golden" in choice:
            choice["golden"] = str(tmp_path / choice["golden"])
        splits = find_corpus(tmp_path / "data", Choice(**choice))
        shown = {
            split: [os.path.relpath(file, tmp_path).removeprefix("data/") for file in files]
            for split, files in splits.files.items()
        }
        return shown, splits

    return make


def named(*spans):
    return [
        f"span-{number}/{split}.conll" for number in spans for split in ("train", "dev", "test")
    ]


def test_the_files_of_several_spans_are_joined_by_split_in_span_order(corpus):
    files, splits = corpus(*named(2, 10), gaps=True)
    assert files == {
        split: [f"span-2/{split}.conll", f"span-10/{split}.conll"]
        for split in ("train", "dev", "test")
    }
    assert [span.number for span in splits.spans] == [2, 10]


def test_the_newest_span_held_out_is_all_of_test(corpus):
    files, splits = corpus(*named(1, 2), held_out=True)
    assert files == {
        "train": ["span-1/train.conll"],
        "dev": ["span-1/dev.conll"],
        "test": ["span-2/dev.conll", "span-2/test.conll", "span-2/train.conll"],
    }
    assert splits.evaluated_on == "span 2, held out"
    assert "span 2 is held out to evaluate on" in splits.notes[0]
    assert "test.conll is left aside: another test is given." in splits.notes


def test_spans_without_splits_are_split_by_hash_and_a_held_out_span_is_test(
    corpus,
):
    names = [f"span-{number}/day.conll" for number in (1, 2)]
    assert corpus(*names)[0] == {"all": names}
    files, splits = corpus(*names, held_out=True)
    assert files == {"train": names[:1], "test": names[1:]} and splits.names == (
        "train",
        "dev",
        "test",
    )


def test_a_golden_set_is_all_of_test(corpus):
    files, splits = corpus(*named(1), "golden/test.conll", "golden/train.conll", golden="golden")
    assert files["test"] == ["golden/test.conll"] and splits.evaluated_on == "the golden set golden"
    files, _ = corpus(*named(1), "golden/a.conll", golden="golden/a.conll")
    assert files["test"] == ["golden/a.conll"]


def test_a_golden_set_is_test_for_a_corpus_without_spans(corpus):
    files, splits = corpus("train.conll", "golden/a.tsv", golden="golden/a.tsv")
    assert files == {"train": ["train.conll"], "test": ["golden/a.tsv"]} and splits.names == (
        "train",
        "dev",
        "test",
    )


def test_a_golden_set_that_is_missing_is_refused(corpus):
    with pytest.raises(UserError, match="golden: found no labelled text"):
        corpus(*named(1), golden="golden")


def test_a_golden_set_together_with_a_held_out_span_is_refused(corpus):
    with pytest.raises(UserError, match="golden"):
        corpus(*named(1, 2), "golden/a.conll", golden="golden", held_out=True)


@pytest.mark.parametrize(
    ("choice", "name"),
    [
        ({"window": 2}, "window"),
        ({"last": 0}, "spans.last"),
        ({"held_out": True}, "spans.newest=held-out"),
    ],
)
def test_a_span_setting_for_a_corpus_without_spans_is_refused(corpus, choice, name):
    with pytest.raises(UserError, match=f"no spans, to which {name} applies"):
        corpus("train.conll", **choice)


def test_the_span_of_a_file_is_known(corpus):
    _, splits = corpus(
        *named(1, 10), "span-10/version-3/train.conll", "golden/a.conll", golden="golden", gaps=True
    )
    assert {
        os.path.basename(file): splits.span_of(file) and splits.span_of(file).number
        for files in splits.files.values()
        for file in files
        if not file.endswith("dev.conll")
    } == {"train.conll": 10, "a.conll": None}
    assert splits.spans[-1].version == 3


def test_splits_go_to_json_and_back(corpus):
    _, splits = corpus(*named(1, 2), held_out=True)
    again = TypeAdapter(Splits).validate_json(TypeAdapter(Splits).dump_json(splits))
    assert again == splits


@pytest.mark.parametrize(
    "bad", ["Ada\tB-PER\nBob\tPERS", "Ada\tB-PE\nBob", "Ada\tB-PER\nB\xff\tO".encode("latin-1")]
)
def test_a_corrupt_span_is_refused_with_file_and_line(corpus, write, tmp_path, bad):
    corpus(*named(1, 2))
    path = write("data/span-2/dev.conll", bad)
    with pytest.raises(UserError) as caught:
        list(read_corpus(find_corpus(tmp_path / "data")))
    assert str(caught.value).startswith(f"{path}:2: found ")


def test_a_note_that_applies_to_several_spans_appears_once(corpus):
    _, splits = corpus(
        *(f"span-{number}/train.conll" for number in (1, 2)),
        *(f"span-3/{s}.tsv" for s in ("train", "dev", "test")),
    )
    assert [
        note
        for note in splits.notes
        if note.startswith("span 1, span 2: train.conll has no given splits")
    ]
    assert len(splits.notes) == 2
