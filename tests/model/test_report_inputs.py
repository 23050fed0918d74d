"""The inputs of a report: sentences from examples, and the record of a training."""

import json
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.ingest.examples import of_sentence, sentence_of
from components.ner.sentence import Sentence, Span
from components.report.component import TRAINING_RECORD
from components.report.figures import Epoch, Training, parse
from components.training import callbacks
from components.training.callbacks import EpochRecord

WORDS = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=5)


@settings(max_examples=50, deadline=None)
@given(st.lists(WORDS, min_size=3, max_size=9), WORDS, WORDS, WORDS)
def test_an_example_holds_its_sentence(tokens, type_, document, identity):
    sentence = Sentence(tuple(tokens), (Span(0, 1, type_), Span(1, 3, type_)), document, identity)
    assert sentence_of(of_sentence(sentence, {}).SerializeToString()) == sentence


def test_an_example_holds_the_offsets_of_tokens_in_their_text():
    sentence = Sentence(("a", "b"), (), "", "f:1", ((0, 1), (3, 4)), "a  b")
    again = sentence_of(of_sentence(sentence, {}).SerializeToString())
    assert again == Sentence(("a", "b"), (), "", "f:1", ((0, 1), (3, 4)))


@pytest.fixture
def epoch_record(tmp_path):
    """A function that creates the epoch record of a process with a fake model."""

    def begin():
        made = EpochRecord(tmp_path / "epochs.json", tokens=60)
        made.set_model(SimpleNamespace(optimizer=SimpleNamespace(learning_rate=0.5)))
        return made

    return begin


def logs(loss):
    return {"loss": loss, "val_precision": 0.1, "val_recall": 0.2, "val_f1": 0.3, "seconds": 2.0}


def test_the_record_has_each_epoch_once_even_after_a_kill(epoch_record, tmp_path):
    before = epoch_record()
    for epoch, loss in enumerate((0.9, 0.8, 0.7)):
        before.on_epoch_end(epoch, logs(loss))
    after = epoch_record()  # of another process, which runs the third epoch again
    for epoch, loss in ((2, 0.75), (3, 0.6)):
        after.on_epoch_end(epoch, logs(loss))
    found = callbacks.load_epochs(tmp_path / "epochs.json")
    assert [(one["epoch"], one["loss"]) for one in found] == [
        (1, 0.9),
        (2, 0.8),
        (3, 0.75),
        (4, 0.6),
    ]


def test_a_record_is_read_as_it_was_written(epoch_record, tmp_path):
    made = epoch_record()
    made.on_epoch_end(0, logs(0.9))
    callbacks.write_record(
        tmp_path / "run",
        callbacks.load_epochs(tmp_path / "epochs.json"),
        {"best_epoch": 1, "outside_bias": 0.5, "temperature": 1.5},
    )
    found = parse(Training, (tmp_path / "run" / TRAINING_RECORD).read_bytes())
    assert (
        found.epochs == (Epoch(1, 0.9, 0.1, 0.2, 0.3, 0.5, 2.0, 60),)
        and found.epochs[0].tokens_per_second == 30
    )
    assert (found.best_epoch, found.outside_bias, found.temperature, found.calibration_error) == (
        1,
        0.5,
        1.5,
        None,
    )
    assert (
        json.loads((tmp_path / "run" / callbacks.RECORD_FILE).read_text())["epochs"][0]["epoch"]
        == 1
    )
