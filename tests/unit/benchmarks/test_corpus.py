"""The corpus of a comparison: the files for the other tools, and the scores of predictions."""

import pytest

from components.corpus.reading import DEFAULTS
from components.errors import UserError

TRAIN = "-DOCSTART-\tO\n\nAda\tB-PER\nspoke\tO\n\n-DOCSTART-\tO\n\nIn\tO\nRio\tB-LOC\n\n"
DEV = "Bo\tI-PER\n\n"  # IOB1
TEST = "Ada\tI-PER\nLee\tI-PER\nin\tO\nRio\tI-LOC\n\nNo\tO\nBo\tI-PER\n\n"


@pytest.fixture
def folders(tmp_path):
    source, target = tmp_path / "corpus", tmp_path / "out"
    source.mkdir()
    target.mkdir()
    return source, target


@pytest.fixture
def corpus(folders):
    from benchmarks.comparison.tools import write_splits

    source, target = folders
    for name, text in (("train", TRAIN), ("dev", DEV), ("test", TEST)):
        (source / f"{name}.conll").write_text(text)
    return write_splits(str(source), DEFAULTS, target)


def test_every_split_is_written_in_iob2(corpus):
    from benchmarks.comparison import programs

    assert [list(programs.read_conll(str(corpus.files[split]))) for split in ("train", "dev")] == [
        [[["Ada", "spoke"], ["B-PER", "O"]], [["In", "Rio"], ["O", "B-LOC"]]],
        [[["Bo"], ["B-PER"]]],
    ]


def test_the_sizes_are_counted(corpus):
    assert corpus.sizes["test"] == {"sentences": 2, "tokens": 6, "entities": 3}


def test_without_test_the_models_are_evaluated_on_dev(folders):
    from benchmarks.comparison.tools import write_splits

    source, target = folders
    (source / "train.conll").write_text(TRAIN)
    (source / "dev.conll").write_text(DEV)
    corpus = write_splits(str(source), DEFAULTS, target)
    assert (corpus.evaluated_on, [one.tokens for one in corpus.gold], sorted(corpus.files)) == (
        "dev",
        [("Bo",)],
        ["dev", "train"],
    )


@pytest.mark.parametrize(
    ("tags", "f1"),
    [
        ((["B-PER", "I-PER", "O", "B-LOC"], ["O", "B-PER"]), 1.0),
        (
            (["I-PER", "I-PER", "O", "I-LOC"], ["O", "I-PER"]),
            1.0,
        ),  # ill-formed tags are mended, as CoNLL does
        ((["B-PER", "O", "O", "B-LOC"], ["O", "B-PER"]), 2 / 3),
        ((["O"] * 4, ["O"] * 2), 0.0),
    ],
)
def test_predictions_are_scored_by_exact_span_and_type(corpus, tmp_path, tags, f1):
    from benchmarks.comparison import programs
    from benchmarks.comparison.tools import f1 as f1_of

    predictions = tmp_path / "predictions"
    programs.write_conll(
        str(predictions), [(one.tokens, one.tags, found) for one, found in zip(corpus.gold, tags)]
    )
    assert f1_of(corpus, predictions) == pytest.approx(f1)


def test_predictions_on_other_sentences_are_refused(corpus, tmp_path):
    from benchmarks.comparison import programs
    from benchmarks.comparison.tools import f1

    predictions = tmp_path / "predictions"
    programs.write_conll(
        str(predictions), [(one.tokens, one.tags, one.tags) for one in corpus.gold[:1]]
    )
    with pytest.raises(ValueError, match="does not hold the sentences of test"):
        f1(corpus, predictions)


def test_a_corpus_that_cannot_be_read_is_refused(folders):
    from benchmarks.comparison.tools import write_splits

    source, target = folders
    with pytest.raises(UserError, match="found no corpus"):
        write_splits(str(source), DEFAULTS, target)


@pytest.mark.parametrize("token", ["a\u0085b", "a\u2028b", "a\x0bb", " ", "#", "-"])
def test_unusual_tokens_survive_writing_and_reading(tmp_path, token):
    from benchmarks.comparison import programs

    written = [[[token, "x"], ["B-PER", "O"]]]
    programs.write_conll(str(tmp_path / "file"), written)
    assert list(programs.read_conll(str(tmp_path / "file"))) == written
