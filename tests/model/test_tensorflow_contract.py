"""The private session call of TensorFlow exists and returns the outputs of the public API."""

import numpy as np
import pytest
import tensorflow as tf

from components.compat import tensorflow_private

TEXTS = np.array([b"Ada met Bob", b""], object)


@pytest.fixture
def session():
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        text = tf.compat.v1.placeholder(tf.string, [None], name="text")
        tf.strings.length(text, name="length")
        tf.strings.upper(text, name="upper")
        yield session


def test_the_private_call_exists(session):
    assert tensorflow_private._private(session, {"text": "text:0"}, ["length:0"])


@pytest.mark.parametrize(
    "make", [tensorflow_private.session_function, tensorflow_private.public_session_function]
)
def test_both_calls_return_the_same_outputs(session, make):
    run = make(session, {"text": "text:0"}, ["length:0", "upper:0"])
    lengths, upper = run({"text": TEXTS}, tf.compat.v1.RunOptions())
    assert lengths.tolist() == [11, 0] and upper.tolist() == [b"ADA MET BOB", b""]


def test_the_public_call_is_the_fallback(session, monkeypatch):
    monkeypatch.setattr(tf.compat.v1.Session, "graph", property(lambda _: object()))
    run = tensorflow_private.session_function(session, {"text": "text:0"}, ["length:0"])
    assert run.__qualname__.startswith("public_session_function")
