"""Batches, the best weights after a kill, and calibration."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from components.evaluation.reliability import expected_error
from components.ner.tags import label_map, spans_of
from components.tagger import crf
from components.tagger.batch import (
    IGNORE_INDEX,
    Sentences,
    load_batches,
    pack,
    unique_tokens_of_sentences,
)
from components.tagger.network import Sizes
from components.tagger.tagger import Tagger
from components.training import calibration, run
from components.training.callbacks import BestWeights, DevScores
from tests.model.conftest import SMALL, make_tagger
from tests.model.test_output_init import counted

SPEC = {
    name: tf.io.VarLenFeature(kind)
    for name, kind in (
        ("words", tf.int64),
        ("shapes", tf.int64),
        ("preceding_chars", tf.int64),
        ("affixes", tf.int64),
        ("characters", tf.int64),
        ("character_counts", tf.int64),
        ("surfaces", tf.string),
        ("tag_ids", tf.int64),
        ("begins", tf.int64),
    )
}
LENGTHS = [1, 2, 3, 9, 9, 30, 70, 130, 600]


def record(number, length):
    def ints(values):
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))

    return tf.train.Example(
        features=tf.train.Features(
            feature={
                "words": ints([number] * length),
                "shapes": ints([1] * length),
                "preceding_chars": ints([0] * length),
                "affixes": ints([2] * 4 * length),
                "characters": ints([5] * 2 * length),
                "character_counts": ints([2] * length),
                "tag_ids": ints([1] * length),
                "begins": ints([int(index % 3 == 0) for index in range(length)]),
                "surfaces": tf.train.Feature(
                    bytes_list=tf.train.BytesList(value=[b"w%d" % number] * length)
                ),
            }
        )
    ).SerializeToString()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("examples") / "train.gz")
    with tf.io.TFRecordWriter(path, "GZIP") as writer:
        for number, length in enumerate(LENGTHS):
            writer.write(record(number, length))
    return [path]


@pytest.mark.parametrize("seed", [None, 7])
def test_every_sentence_is_read_once_and_padded_on_the_right(files, seed):
    seen = {}
    for batch, tags in load_batches(files, SPEC, 2, seed):
        for row, length in enumerate(batch.lengths.numpy()):
            seen[int(batch.words[row, 0])] = int(length)
            assert set(batch.words[row, :length].numpy()) == {int(batch.words[row, 0])}
            assert tags[row, :length].numpy().all() and not tags[row, length:].numpy().any()
            assert (batch.characters[row, length:].numpy() == -1).all()
    assert seen == dict(enumerate(LENGTHS))


def test_the_same_seed_gives_the_same_batches_and_each_epoch_others(files):
    def epoch(data):
        return [batch.words[:, 0].numpy().tolist() for batch, _ in data]

    one, other = load_batches(files, SPEC, 2, 7), load_batches(files, SPEC, 2, 7)
    first, second = epoch(one), epoch(one)
    assert [first, second] == [epoch(other), epoch(other)] and first != second


def test_corpus_tags_are_those_of_first_model_tokens(files):
    """Every third token of the files starts a corpus token."""
    for batch, tags in load_batches(files, SPEC, 2, None, corpus_tags=True):
        for row, length in zip(tags.numpy(), batch.lengths.numpy()):
            assert row[:length].tolist() == [
                1 if index % 3 == 0 else IGNORE_INDEX for index in range(length)
            ]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 3)), min_size=1))
def test_entities_are_counted_over_corpus_tokens_with_any_number_of_model_tokens(tokens):
    """Model tokens tagged as Transform tags them, or arbitrarily: the entities are those of the first
    model tokens.
    """
    labels = ("O", "B-ORG", "I-ORG", "B-PER", "I-PER")
    first = [tag for tag, _ in tokens]
    gold = np.array(
        [number for tag, parts in tokens for number in [tag] + [IGNORE_INDEX] * (parts - 1)]
    )
    anything = np.where(gold == IGNORE_INDEX, 3, gold)
    expected = spans_of([labels[tag] for tag in first], "IOB2")
    assert (
        calibration.corpus_spans(gold, gold, labels)
        == calibration.corpus_spans(anything, gold, labels)
        == expected
    )


def test_emissions_do_not_depend_on_padding_or_the_rest_of_the_batch(tagger, files):
    batch, _ = next(iter(load_batches(files, SPEC, 2, None)))
    lengths = batch.lengths.numpy()
    assert len(lengths) > 1
    for row, together in enumerate(np.split(tagger(batch).numpy(), np.cumsum(lengths)[:-1])):
        length = lengths[row]
        alone = tagger(
            Sentences(
                *(part[row : row + 1, :length] for part in batch[:6]), batch.lengths[row : row + 1]
            )
        )
        np.testing.assert_allclose(alone, together, atol=1e-5)


@pytest.mark.parametrize("chance", [0.0, 0.9999])
def test_words_are_dropped_at_the_rate_of_the_settings(files, chance):
    tagger = make_tagger(SMALL.model_copy(update={"dropout": 0.0, "word_dropout": chance}))
    tagger.network.set_word_counts(np.ones(tagger.sizes.words + 1, np.int64))
    batch, _ = next(iter(load_batches(files, SPEC, 2, None)))
    same = np.allclose(tagger(batch, training=True), tagger(batch), atol=1e-5)
    assert same == (chance == 0)


def test_tag_transitions_are_counted_within_sentences_without_padding(files):
    tagger = make_tagger()
    counts = run.count_train(load_batches(files, SPEC, 4, shuffle_seed=1), tagger)
    sentences = [tags.numpy() for _, tags in load_batches(files, SPEC, 1, shuffle_seed=None)]
    assert len(sentences) > 4
    np.testing.assert_array_equal(counts.tag_bigrams, counted([tuple(row) for [row] in sentences]))
    assert counts.words.sum() == sum(row.size for row in sentences)


def test_best_weights_and_patience_survive_a_kill(tmp_path):
    def callback(weight):
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
        model.layers[0].set_weights([np.array([[weight]])])
        keep = BestWeights(tmp_path, patience=2)
        keep.set_model(SimpleNamespace(tagger=model, stop_training=False))
        return model, keep

    def logs(f1):
        return {"val_f1": f1, "val_precision": f1, "val_recall": f1}

    model, keep = callback(1.0)
    keep.on_epoch_end(0, logs(0.5))
    model, keep = callback(2.0)  # a new process
    keep.on_epoch_end(1, logs(0.4))
    assert not keep.model.stop_training
    keep.on_epoch_end(2, logs(0.4))
    assert keep.model.stop_training
    assert keep.restore(model)["f1"] == 0.5 and model.get_weights()[0] == [[1.0]]


def test_the_expected_error_of_calibrated_scores_is_zero():
    assert expected_error(np.array([0.75] * 4), np.array([1, 1, 1, 0], bool)) == pytest.approx(0)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1))
def test_expected_error_is_between_the_mean_difference_and_one(pairs):
    scores, right = (np.array(part) for part in zip(*pairs))
    error = expected_error(scores, right)
    assert abs(scores.mean() - right.mean()) - 1e-9 <= error <= 1


def test_outside_bias_predicts_entities_that_the_best_path_misses(files):
    """The tagger prefers O everywhere, and then the correct tag, so it predicts entities with
    outside_bias only.
    """
    tagger = make_tagger()
    data = load_batches(files, SPEC, 2, None, corpus_tags=True)
    gold = tagger.labels[1]
    tagger.network.emissions.set_weights(
        [np.zeros_like(weight) for weight in tagger.network.emissions.get_weights()]
    )
    bias = np.full(len(tagger.labels), -9.0, np.float32)
    bias[tagger.labels.index("O")], bias[1] = 1.0, 0.2
    tagger.network.emissions.bias.assign(bias)
    for weight in (tagger.transitions, tagger.start, tagger.end):
        weight.assign(tf.zeros_like(weight))
    batch, _ = next(iter(data))
    assert not tagger.decode(unique_tokens_of_sentences(batch)).tags.numpy().any()
    found = calibration.calibrate(tagger, calibration.compute_emissions(tagger, data))
    assert gold.startswith("B-") and found.outside_bias > 0.8 and found.dev.f1 == 1.0
    decoded = tagger.decode(unique_tokens_of_sentences(batch))
    assert (decoded.tags.numpy() == 1).all()
    # All are correct, so the scores are as high as so few examples allow.
    number = sum(
        len(tags.numpy())
        for tags in (tagger.decode(unique_tokens_of_sentences(one)).tags for one, _ in data)
    )
    assert decoded.scores.numpy() == pytest.approx((number + 1) / (number + 2), abs=0.02)


def test_each_type_has_its_own_odds_and_a_rare_type_the_overall_odds():
    """Of three types with the same scores, one is correct more often than the others."""
    tagger = Tagger(Sizes(9, 9, 9), label_map(["COMMON", "OFTEN", "RARE"]), SMALL)
    begin = {name: tagger.labels.index(f"B-{name}") for name in ("COMMON", "OFTEN", "RARE")}
    found = np.array([begin["COMMON"], begin["OFTEN"]] * 100 + [begin["RARE"]])
    right = (
        np.array([number % 10 < 5 for number in range(100)]),
        np.array([number % 10 < 9 for number in range(100)]),
    )
    gold = np.where(np.append(np.stack(right, 1).ravel(), False), found, 0)
    emissions = np.log(np.where(np.arange(len(tagger.labels)) == found[:, None], 0.7, 0.05)).astype(
        "f"
    )
    packing = pack(tf.ones(len(found), tf.int32))
    batch = calibration.DevBatch(tf.constant(emissions), packing, list(gold[:, None]))
    fitted = calibration.calibrate(tagger, [batch])
    outside_bias, temperature, odds = map(
        tf.convert_to_tensor, (tagger.outside_bias, tagger.temperature, tagger.odds)
    )
    tags = tagger.best_tags(batch.emissions, packing, outside_bias)
    np.testing.assert_array_equal(tags, found)
    scores = tagger.scores(batch.emissions, tags, packing, temperature, odds).numpy()
    assert scores[0] == pytest.approx(0.5, abs=0.03) and scores[1] == pytest.approx(0.9, abs=0.03)
    # A single error has little weight.
    by_type = fitted.odds_by_type
    assert by_type["COMMON"] < by_type["RARE"] < fitted.odds < by_type["OFTEN"]
    assert fitted.error < 0.02


def test_temperature_keeps_the_best_path_and_flattens_scores(tagger, files):
    batch, _ = next(iter(load_batches(files, SPEC, 2, None)))
    emissions = tagger(batch)
    packing = pack(batch.lengths)
    tags = crf.viterbi(emissions, packing, tagger.chain)
    plain, cool, surer = (
        tagger.scores(
            emissions, tags, packing, tf.constant(temperature), tf.fill(len(tagger.labels), odds)
        ).numpy()
        for temperature, odds in ((1.0, 1.0), (50.0, 1.0), (1.0, 3.0))
    )
    assert (plain > 0).any() and cool.max() <= plain.max()
    there = plain > 0
    assert ((surer > 0) == there).all()
    odds_of = [scores[there] / (1 - scores[there]) for scores in (plain, surer)]
    np.testing.assert_allclose(odds_of[1], 3 * odds_of[0], rtol=1e-3)


def test_dev_is_scored_with_a_tagger_whose_variables_belong_to_replicas():
    with tf.distribute.MirroredStrategy(["/cpu:0"]).scope():
        tagger = make_tagger()
    events, logs = [], {"loss": 1.0}
    callback = DevScores([], events.append, epochs=1)
    callback.set_model(SimpleNamespace(tagger=tagger))
    callback.on_epoch_begin(0)
    callback.on_epoch_end(0, logs)
    [event] = events
    assert (event.epoch, event.loss, event.f1) == (1, 1.0, logs["val_f1"])
