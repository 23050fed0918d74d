"""The project's model on the server: results depend on the text alone, and the model loads as in TensorFlow
Serving.
"""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tensorflow as tf

from components.export import signatures
from tests.model.conftest import Transform, make_tagger
from tests.serving import server_process
from tests.serving.server_process import outputs, request

TEXTS = (
    "",
    " ",
    "\0",
    "👍🏽",
    "Ada met Zoe in Basel. Then she went home.",
    "a",
    "Ещё одна фраза, וגם אחת בעברית",
    "Zo\u0308e\n\nBea",
    "x " * 700,
    b"\xff\xfe broken \xc3",
)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A base path with one version, an untrained model with every part of a real one."""
    folder = tmp_path_factory.mktemp("real") / "1"
    signatures.save(signatures.ServingModule(Transform(), make_tagger()), str(folder))
    return folder.parent


@pytest.fixture(scope="module")
def real(saved, tmp_path_factory):
    server = server_process.start(tmp_path_factory.mktemp("server"), "--model-base-path", saved)
    yield server
    server.stop()


def ask(server, *texts):
    return outputs(server.prediction.Predict(request(*texts), timeout=120))


def same(one, other):
    """Whether two responses are the same up to rounding, which the large untrained weights amplify over hundreds of
    steps.
    """
    score, other_score = (np.array(answer["score"]) for answer in (one, other))
    return (
        {**one, "score": None} == {**other, "score": None}
        and score.shape == other_score.shape
        and np.allclose(score, other_score, atol=1e-3)
    )


def test_a_response_does_not_depend_on_the_other_texts_in_the_batch(real):
    alone = {text: ask(real, text) for text in TEXTS}
    assert sum(answer["count"][0] for answer in alone.values()) > 10
    with ThreadPoolExecutor(16) as pool:
        shared = list(pool.map(lambda text: (text, ask(real, text)), TEXTS * 12))
    metrics = real.http("/monitoring/prometheus/metrics")[1]
    batches = float(metrics.partition("processed_batch_size_count ")[2].split()[0])
    assert batches < len(TEXTS) * 13  # some did share one
    for text, answer in shared:
        assert same(answer, alone[text]), text


def test_both_transports_and_the_model_itself_agree(real, saved):
    model = tf.saved_model.load(str(saved / "1"))
    for text in TEXTS[:-1]:
        itself = {
            alias: value.numpy().tolist()
            for alias, value in model.signatures["serving_default"](
                text=tf.constant([text])
            ).items()
        }
        assert same(ask(real, text), itself), text
        status, answer = real.http("/v1/models/ner:predict", {"inputs": [text]})
        read = {
            alias: [[one.encode() for one in row] for row in rows]
            if alias in ("type", "surface")
            else rows
            for alias, rows in answer["outputs"].items()
        }
        assert status == 200 and same(read, itself), text


def test_a_batch_gives_each_text_its_result_of_a_single_request(real):
    together = ask(real, *TEXTS)
    for row, text in enumerate(TEXTS):
        count = together["count"][row]
        cut = {alias: [rows[row][:count]] for alias, rows in together.items() if alias != "count"}
        assert same({"count": [count], **cut}, ask(real, text)), text


def test_the_examples_signature_is_served(real):
    tokens = tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"Ada", b"met", b"Zoe"]))
    example = tf.train.Example(
        features=tf.train.Features(feature={"tokens": tokens})
    ).SerializeToString()
    asked = request(signature="examples")
    asked.ClearField("inputs")
    asked.inputs["examples"].CopyFrom(tf.make_tensor_proto([example]))
    found = outputs(real.prediction.Predict(asked, timeout=120))
    assert len(found["tags"][0]) == len(found["scores"][0]) == 3
    asked.inputs["examples"].string_val[:] = [b"no example"]
    with pytest.raises(Exception, match="INVALID_ARGUMENT"):
        real.prediction.Predict(asked, timeout=120)


LOADED = """
import sys, tensorflow as tf
with tf.compat.v1.Session(graph=tf.Graph()) as session:
    meta = tf.compat.v1.saved_model.loader.load(session, ["serve"], sys.argv[1])
    signature = meta.signature_def["serving_default"]
    fetches = {alias: info.name for alias, info in signature.outputs.items()}
    answer = session.run(fetches, {signature.inputs["text"].name: ["Ada met Zoe in Basel."]})
assert not {"components", "serving", "pipeline", "tfx"} & {*sys.modules}
print(answer["count"][0], answer["surface"][0].tolist())
"""


def test_the_model_loads_by_tag_in_a_process_without_the_project(saved):
    done = subprocess.run(
        [sys.executable, "-I", "-c", LOADED, str(saved / "1")],
        cwd="/",
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    itself = tf.saved_model.load(str(saved / "1")).signatures["serving_default"](
        text=tf.constant(["Ada met Zoe in Basel."])
    )
    assert (
        done.stdout.strip()
        == f"{itself['count'].numpy()[0]} {itself['surface'].numpy()[0].tolist()}"
    )
