"""The corpus of a run: the files of a folder or of the selected spans, and the test split."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from components.corpus.data_spans import DataSpan
from components.corpus.find_corpus import Choice, choose, find_corpus
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
    with pytest.raises(UserError, match=f"no spans, but {name} is set"):
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


def spans(*numbers, lacking=()):
    return tuple(
        DataSpan(number, 0, f"/d/span-{number}", "it holds no data" if number in lacking else "")
        for number in numbers
    )


def chosen(found, **choice):
    window = choose("/d", found, Choice(**choice))
    return [span.number for span in window.trained], window.held_out and window.held_out.number


def refused(found, *parts, **choice):
    with pytest.raises(UserError) as caught:
        choose("/d", found, Choice(**choice))
    assert all(part in str(caught.value) for part in parts), str(caught.value)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({}, ([1, 2, 3, 4], None)),
        ({"window": 2}, ([3, 4], None)),
        ({"window": 9}, ([1, 2, 3, 4], None)),
        ({"held_out": True}, ([1, 2, 3], 4)),
        ({"window": 2, "held_out": True}, ([2, 3], 4)),
        ({"window": 2, "last": 3}, ([2, 3], None)),
        ({"first": 2}, ([2, 3, 4], None)),
        ({"first": 2, "last": 3, "held_out": True}, ([2], 3)),
    ],
)
def test_the_newest_spans_are_taken(choice, expected):
    assert chosen(spans(1, 2, 3, 4), **choice) == expected


def test_a_missing_named_span_is_not_replaced_by_an_older_one():
    refused(spans(1, 2), "found no span 3", "spans.last", "expected one of 1, 2. ", last=3)
    refused(spans(2, 3), "found no span 1", "spans.first", first=1)


def test_span_0_can_be_named():
    assert chosen(spans(0, 1), last=0) == ([0], None)


def test_a_gap_in_the_window_is_named():
    refused(spans(3, 5), "span 4 is missing between span 3 and span 5", "spans.gaps=allow")
    refused(spans(3, 7), "spans 4 to 6 are missing", window=2)
    refused(spans(3, 5), "span 4 is missing", held_out=True)


def test_a_gap_before_the_window_does_not_matter():
    assert chosen(spans(1, 3, 4), window=2) == ([3, 4], None)


def test_a_gap_can_be_allowed():
    assert chosen(spans(1, 3, 5), window=2, gaps=True) == ([3, 5], None)


def test_a_late_span_is_in_the_window_again():
    assert chosen(spans(3, 5), window=3, gaps=True) == ([3, 5], None)
    assert chosen(spans(3, 4, 5), window=3) == ([3, 4, 5], None)


def test_an_incomplete_span_anywhere_in_the_window_stops_the_run():
    refused(spans(1, 2, 3, lacking={3}), "span 3 is not complete: it holds no data", "spans.last")
    refused(spans(1, 2, 3, lacking={2}), "span 2 is not complete")
    refused(spans(1, 2, 3, lacking={3}), "span 3 is not complete", held_out=True)
    assert chosen(spans(1, 2, 3, lacking={1}), window=2) == ([2, 3], None)


def test_a_window_without_spans_to_train_on_is_refused():
    refused((), "found no span")
    refused(spans(1), "found no span to train on before span 1", held_out=True)


@given(
    st.sets(st.integers(0, 20), min_size=1),
    st.one_of(st.none(), st.integers(1, 5)),
    st.booleans(),
)
def test_a_window_has_the_newest_spans_before_the_held_out_one(numbers, window, held_out):
    ordered = sorted(numbers)
    if held_out and len(ordered) == 1:
        return
    trained, held = chosen(spans(*ordered), window=window, held_out=held_out, gaps=True)
    assert (held == ordered[-1]) if held_out else held is None
    before = ordered[:-1] if held_out else ordered
    assert trained == before[len(before) - min(window or len(before), len(before)) :]
