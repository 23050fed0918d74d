"""Warm start from a published model's weights: named rows are copied, the others stay initialized."""

import numpy as np
import pytest
import tensorflow as tf

from components.export import card
from components.features import preprocessing
from components.settings import Model
from components.tagger import network
from components.tagger.network import Sizes
from components.tagger.tagger import Tagger
from components.training.warm_start import copy_weights

SETTINGS = {"word_dimensions": 6, "character_filters": 4, "lstm_units": 5}
LABELS = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
BEFORE = {
    preprocessing.WORDS: [b"ada", b"basel", b"in"],
    preprocessing.CHARACTERS: [b"a", b"b"],
    preprocessing.AFFIXES: [b"^ad", b"el$"],
}


def tagger(names, labels=LABELS, **settings):
    sizes = Sizes(
        *(
            len(names[name])
            for name in (preprocessing.WORDS, preprocessing.CHARACTERS, preprocessing.AFFIXES)
        )
    )
    return Tagger(sizes, labels, Model(**{**SETTINGS, **settings}))


def widths(sizes, settings, evened=True):
    """The widths of `network.input_widths`, or the odd ones of an older release."""
    made = INPUT_WIDTHS(sizes, settings)
    return made if evened else {**made, "preceding_chars": settings.preceding_char_dimensions}


INPUT_WIDTHS = network.input_widths


@pytest.fixture
def published(tmp_path):
    """A function that saves a model with distinct weights in a version folder, and returns its tagger."""

    def make(names=BEFORE, labels=LABELS, **settings):
        model = tagger(names, labels, **settings)
        for number, variable in enumerate(model.variables):
            if np.issubdtype(variable.dtype, np.floating):
                count = int(np.prod(variable.shape))
                variable.assign(
                    np.reshape(np.arange(count, dtype=np.float32) + 1000 * number, variable.shape)
                )
        module = tf.Module()
        module.weights = [variable.value for variable in model.variables]
        tf.saved_model.save(module, str(tmp_path / "1"))
        for name, strings in names.items():
            (tmp_path / "1" / "assets" / name).write_bytes(
                b"".join(string + b"\n" for string in strings)
            )
        card.save_card(card.Card(labels, "1"), tmp_path / "1")
        return model, tmp_path / "1"

    return make


def test_with_equal_vocabularies_and_sizes_all_weights_but_those_fitted_on_dev_are_copied(
    published,
):
    before, path = published()
    now = tagger(BEFORE)
    taken = copy_weights(now, BEFORE, path)
    assert (taken.weights, taken.words, taken.of_words) == (taken.of_weights, 3, 3)
    different = [
        one.path
        for one, other in zip(now.variables, before.variables)
        if not np.array_equal(one, other) and np.issubdtype(one.dtype, np.floating)
    ]
    assert [path.rpartition("/")[2] for path in different] == [
        "temperature",
        "odds",
        "outside_bias",
    ]


def test_words_characters_and_affixes_are_matched_by_their_strings(published):
    before, path = published()
    names = {
        preprocessing.WORDS: [b"in", b"turin", b"ada"],
        preprocessing.CHARACTERS: [b"b", b"c", b"a"],
        preprocessing.AFFIXES: [b"el$"],
    }
    now = tagger(names)
    drawn = np.array(now.network.words.embeddings[1])
    assert copy_weights(now, names, path).words == 2
    old, new = np.array(before.network.words.embeddings), np.array(now.network.words.embeddings)
    assert np.array_equal(new[[0, 2, 3]], old[[2, 0, 3]]) and np.array_equal(new[1], drawn)
    old, new = (np.array(one.network.characters.embedding.embeddings) for one in (before, now))
    assert np.array_equal(
        new[[0, 1, 3, 4]], old[[0, 2, 1, 3]]
    )  # 0 is the padding, the last what is outside
    old, new = (np.array(one.network.affixes.embeddings) for one in (before, now))
    assert np.array_equal(new, old[[1, 2]])


def test_labels_are_matched_by_their_names(published):
    before, path = published(labels=("O", "B-PER", "I-PER"))
    now = tagger(BEFORE)
    copy_weights(now, BEFORE, path)
    old, new = np.array(before.network.emissions.kernel), np.array(now.network.emissions.kernel)
    assert np.array_equal(new[:, [0, 3, 4]], old)
    old, new = np.array(before.transitions), np.array(now.transitions)
    assert np.array_equal(new[np.ix_([0, 3, 4], [0, 3, 4])], old) and not new[1].any()


def test_weights_of_another_shape_are_not_copied(published):
    before, path = published(lstm_units=7)
    now = tagger(BEFORE)
    reader = np.array(now.network.bilstms[0].directions[0].kernel)
    taken = copy_weights(now, BEFORE, path)
    assert 0 < taken.weights < taken.of_weights and taken.words == 3
    assert np.array_equal(np.array(now.network.bilstms[0].directions[0].kernel), reader)
    assert np.array_equal(
        np.array(now.network.words.embeddings), np.array(before.network.words.embeddings)
    )


def test_a_model_of_an_older_release_without_an_id_for_the_inside_of_words_is_copied(
    published, monkeypatch
):
    with monkeypatch.context() as patched:
        patched.setattr(network.text_ops, "PRECEDING_CHAR_COUNT", 8)
        before, path = published()
    now = tagger(BEFORE)
    taken = copy_weights(now, BEFORE, path)
    assert taken.weights == taken.of_weights
    old, new = (np.array(model.network.preceding_chars) for model in (before, now))
    assert np.array_equal(new[:8], old) and not new[8].any()


def test_a_model_of_an_older_release_with_an_odd_input_width_is_copied(published, monkeypatch):
    """Its preceding-character feature had the width of the settings, one less than today."""
    with monkeypatch.context() as patched:
        patched.setattr(network, "input_widths", lambda *sizes: widths(*sizes, evened=False))
        before, path = published(preceding_char_dimensions=5)
    now = tagger(BEFORE, preceding_char_dimensions=5)
    (old_rows, _), (new_rows, _) = (
        model.network.bilstms[0].directions[0].kernel.shape for model in (before, now)
    )
    assert new_rows == old_rows + 1
    taken = copy_weights(now, BEFORE, path)
    assert taken.weights == taken.of_weights
    new_column = now.network.input_widths["words"] + 4 + 10 + 5
    for old, new in zip(before.network.bilstms[0].directions, now.network.bilstms[0].directions):
        np.testing.assert_array_equal(np.delete(new.kernel, new_column, axis=0), old.kernel)
    np.testing.assert_array_equal(
        now.network.preceding_chars[:, :5], before.network.preceding_chars
    )


def test_a_different_number_of_layers_copies_no_weights(published):
    _, path = published(lstm_layers=2)
    now = tagger(BEFORE)
    words = np.array(now.network.words.embeddings)
    taken = copy_weights(now, BEFORE, path)
    assert (taken.weights, taken.words) == (0, 0) and taken.of_weights > 10
    assert np.array_equal(np.array(now.network.words.embeddings), words)
