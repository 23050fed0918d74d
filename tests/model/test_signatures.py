"""The saved model: its outputs, for single texts and batches, and loaded as a server loads it."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from components.export import signatures
from components.ner import tags

TEXTS = [
    "John Smith flew to Paris. He liked it.",
    "",
    "   \n",
    "\U0001f600\u200d\U0001f600",
    b"bad \xff\xfe bytes here",
    "a\x00b",
    "中国 abc中",
    "e\u0301te\u0301 ❤\ufe0fNY",
    "שלום עולם, مرحبا",
    "\u2400",
    "One.\n\nTwo three.\r\n\r\nFour",
    "@bytes #here @ bytes x.Y",
]


@pytest.fixture(scope="module")
def saved(tagger, transform, tmp_path_factory):
    path = str(tmp_path_factory.mktemp("model"))
    signatures.save(signatures.ServingModule(transform, tagger), path)
    return path


@pytest.fixture(scope="module")
def model(saved):
    return tf.saved_model.load(saved)


def recognise(model, texts):
    return {
        name: value.numpy()
        for name, value in model.signatures["serving_default"](text=tf.constant(texts)).items()
    }


def answers(outputs, row):
    """The entities of a row without scores, and the scores."""
    count = outputs["count"][row]
    return (
        [outputs[name][row, :count].tolist() for name in ("type", "start", "end", "surface")],
        outputs["score"][row, :count],
    )


def test_every_surface_is_the_text_between_start_and_end(model):
    outputs = recognise(model, TEXTS)
    assert outputs["count"].sum() > 5
    for row, text in enumerate(TEXTS):
        text = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
        _, starts, ends, surfaces = answers(outputs, row)[0]
        assert [text[start:end] for start, end in zip(starts, ends)] == [
            surface.decode() for surface in surfaces
        ]


def test_a_response_does_not_depend_on_the_rest_of_the_batch(model):
    together = recognise(model, TEXTS)
    for row, text in enumerate(TEXTS):
        alone = recognise(model, [text])
        assert answers(alone, 0)[0] == answers(together, row)[0]
        np.testing.assert_allclose(answers(alone, 0)[1], answers(together, row)[1], atol=1e-5)


def test_blank_texts_have_no_entities(model):
    assert recognise(model, ["", " ", "\t\x00"])["count"].tolist() == [0, 0, 0]


def test_an_empty_batch_gives_an_empty_response(model):
    assert recognise(model, np.zeros([0], object))["count"].tolist() == []


def test_scores_are_probabilities(model):
    outputs = recognise(model, TEXTS)
    assert ((outputs["score"] >= 0) & (outputs["score"] <= 1)).all()


def test_a_text_of_100_000_characters_is_tagged_to_its_end(model):
    text = "Ann Lee, of Rome. " * 5556
    outputs = recognise(model, [text])
    assert outputs["end"].max() > 99_000
    _, starts, ends, surfaces = answers(outputs, 0)[0]
    assert all(
        text[start:end] == surface.decode() for start, end, surface in zip(starts, ends, surfaces)
    )


def example(tokens):
    values = tf.train.BytesList(value=[token.encode() for token in tokens])
    return tf.train.Example(
        features=tf.train.Features(feature={"tokens": tf.train.Feature(bytes_list=values)})
    ).SerializeToString()


def test_examples_get_a_well_formed_tag_for_each_corpus_token(model):
    sentences = [["Dr.", "Li-Wu", "", "at", "中国"], [], ["x"], ["one", "don't", "3.5%"]]
    predicted = model.signatures["examples"](
        examples=tf.constant([example(tokens) for tokens in sentences])
    )["tags"].numpy()
    for tokens, row in zip(sentences, predicted):
        cut = [tag.decode() for tag in row]
        assert (
            all(cut[: len(tokens)])
            and not any(cut[len(tokens) :])
            and not tags.ill_formed(cut[: len(tokens)], "IOB2")
        )


def test_a_word_after_a_preceding_character_differs_from_a_word_after_a_space(model):
    """In some corpora @ and the name are one token and in others two, with different tags."""
    apart, joined = (
        model.signatures["examples"](examples=tf.constant([example(tokens)]))["scores"]
        .numpy()
        .max()
        for tokens in (["to", "@", "Ann", "Lee"], ["to", "@Ann", "Lee"])
    )
    assert apart > 0 and joined > 0 and apart != joined
    from_text = recognise(model, ["to @ Ann Lee", "to @Ann Lee"])["score"].max(1)
    np.testing.assert_allclose(from_text, [apart, joined], atol=1e-6)


def test_examples_without_tokens_get_no_tags(model):
    assert model.signatures["examples"](examples=tf.constant([example([])]))["tags"].shape == (1, 0)


def test_the_restore_operation_of_the_graph_loads_the_weights(saved, model):
    """TensorFlow Serving runs the graph's restore operation, without Python objects."""
    v1 = tf.compat.v1
    with v1.Session(graph=tf.Graph()) as session:
        definition = v1.saved_model.load(session, ["serve"], saved)
        restore = definition.saver_def
        session.run(
            restore.restore_op_name, {restore.filename_tensor_name: f"{saved}/variables/variables"}
        )
        signature = definition.signature_def["serving_default"]
        outputs = session.run(
            {name: output.name for name, output in signature.outputs.items()},
            {signature.inputs["text"].name: TEXTS},
        )
    for row in range(len(TEXTS)):
        assert answers(outputs, row)[0] == answers(recognise(model, TEXTS), row)[0]


ALONE = """
import sys, tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
response = model.signatures["serving_default"](text=tf.constant(["John Smith flew to Paris."]))
assert not {"components", "serving", "tfx", "tensorflow_transform", "tensorflow_text"} & set(sys.modules)
print(int(response["count"][0]))
"""


def test_the_model_loads_in_a_process_with_tensorflow_only(saved, model):
    done = subprocess.run(
        [sys.executable, "-I", "-c", ALONE, saved], cwd="/", capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) == recognise(model, ["John Smith flew to Paris."])["count"][0]
