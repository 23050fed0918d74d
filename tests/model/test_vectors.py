"""Pretrained word vectors: reading the file, and their use in a tagger."""

import gzip

import numpy as np
import pytest
import tensorflow as tf

from components.errors import UserError
from components.features import text_ops
from components.tagger import vectors
from components.tagger.batch import UniqueTokens
from tests.model.conftest import make_tagger

LINES = "the 0.5 1\nApple 2 -3e-1\napple 9 9\nin 2004 7 8\n1999 4 5\n"


@pytest.fixture
def file(tmp_path):
    def write(content):
        path = tmp_path / "vectors"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write


@pytest.mark.parametrize(
    "content", [LINES, "5 2\n" + LINES, gzip.compress(LINES.encode()), LINES.replace("\n", " \n")]
)
def test_every_file_format_gives_the_same_vectors(file, content):
    read = vectors.read_vectors(file(content), {"apple", "absent"}, limit=2)
    assert (
        read.dimensions == 2
        and list(read.known) == ["apple"]
        and read.pretrained_only == ("the", "in 0000")
    )
    np.testing.assert_allclose(read.known["apple"], [2, -0.3], rtol=1e-6)
    np.testing.assert_allclose(read.pretrained_only_vectors, [[0.5, 1], [7, 8]])


def test_a_limit_of_zero_reads_no_other_words(file):
    read = vectors.read_vectors(file(LINES), {"apple"}, limit=0)
    assert read.pretrained_only == () and read.pretrained_only_vectors.shape == (0, 2)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("a 1 2\nb 1\n", 2),
        ("a 1 2\nb 1 x\n", 2),
        ("a 1 nan\n", 1),
        ("", 1),
        ("3 2\n", 1),
        ("words alone\n", 1),
        ("word\n", 1),
    ],
)
def test_a_malformed_file_is_refused_with_its_line(file, content, line):
    path = file(content)
    with pytest.raises(UserError, match=f"{path}:{line}: "):
        vectors.read_vectors(path, {"a", "b"}, limit=10)


def test_a_missing_file_and_a_truncated_gzip_file_are_refused(file, tmp_path):
    with pytest.raises(UserError, match="cannot read"):
        vectors.read_vectors(str(tmp_path / "none"), set(), 1)
    with pytest.raises(UserError, match="cannot read"):
        vectors.read_vectors(file(gzip.compress(LINES.encode() * 99)[:-20]), set(), 1)


def test_the_width_is_read_from_the_first_lines(file):
    assert vectors.dimensions_of(file("5 2\n" + LINES)) == 2


@pytest.mark.parametrize("scale", [1e-3, 1.0, 10.0])
def test_vectors_are_scaled_to_a_root_mean_square_of_one(scale):
    network = make_tagger(others=("pear", "plum")).network
    words, width = network.sizes.words, network.sizes.vectors
    random = np.random.default_rng(1)
    known, others = {3: random.normal(size=width)}, random.normal(size=(2, width))
    network.set_pretrained({word: scale * vector for word, vector in known.items()}, scale * others)
    table = network.pretrained.numpy()
    given = np.stack([known[3], *others])
    np.testing.assert_allclose(
        table[[3, words + 1, words + 2]], given / np.sqrt(np.mean(given**2)), rtol=1e-5
    )
    assert not table[[row for row in range(words + 1) if row != 3]].any()


def test_vectors_of_zeros_stay_zeros():
    network = make_tagger(others=("pear",)).network
    network.set_pretrained({}, np.zeros((1, network.sizes.vectors)))
    assert not network.pretrained.numpy().any()


def test_the_projection_of_a_vector_is_not_linear():
    network = make_tagger(others=("pear", "plum")).network
    vector = np.linspace(-1.0, 1.0, network.sizes.vectors)
    network.set_pretrained({}, np.stack([vector, -vector]))

    def token_input(word):
        """The input of a token with a vector and no other known feature."""
        zeros = tf.zeros([1], tf.int32)
        batch = UniqueTokens(
            words=zeros + network.sizes.words + word,
            shapes=zeros,
            preceding_chars=zeros,
            affixes=tf.zeros([1, text_ops.AFFIX_COUNT], tf.int32),
            characters=tf.zeros([1, 2], tf.int32),
            indices=zeros,
            lengths=zeros + 1,
        )
        return network.token_inputs(batch, training=False)[0].numpy()

    nothing, one, opposite = (token_input(word) for word in (0, 1, 2))
    width, hidden = network.sizes.vectors, network.settings.vector_units
    both = one + opposite - 2 * nothing
    np.testing.assert_allclose(both[:-hidden], 0, atol=1e-6)
    np.testing.assert_allclose(
        one[-hidden - width : -hidden], network.pretrained[-2].numpy(), rtol=1e-6
    )
    assert np.abs(both[-hidden:]).max() > 0.1


def test_the_hidden_layer_is_trained_and_the_vectors_are_not():
    network = make_tagger(others=("pear",)).network
    learnt = {id(weight) for weight in network.trainable_weights}
    assert id(network.hidden.kernel) in learnt and id(network.pretrained) not in learnt
