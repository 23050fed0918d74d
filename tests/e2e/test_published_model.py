"""A published model, loaded by TensorFlow alone, by `evaluate` and by `predict`."""

import json
import subprocess
import sys

import pytest

TEXTS = ["Ada Corkson lives in Basel.", "", "In 🇫🇷 Lyon, Zoë met <b>Kai</b>.", "Nothing here"]

# Loads the model as a server does: from its folder, without the project.
LOAD_MODEL = """
import json, pathlib, sys
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

def plain(value):
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value.decode() if isinstance(value, bytes) else value

path = pathlib.Path(sys.argv[1])
model = tf.saved_model.load(str(path))
text, examples = model.signatures["serving_default"], model.signatures["examples"]
predicted = text(text=tf.constant(json.loads(sys.argv[2])))
example = tf.train.Example()
example.features.feature["tokens"].bytes_list.value.extend([b"Ada", b"Corkson", b"lives", b"in", b"Basel"])
tags = examples(examples=tf.constant([example.SerializeToString(), b""]))
replayed = 0
for record in tf.data.TFRecordDataset(str(path / "assets.extra" / "tf_serving_warmup_requests")):
    request = prediction_log_pb2.PredictionLog.FromString(record.numpy()).predict_log.request
    answer = model.signatures[request.model_spec.signature_name](
        **{name: tf.constant(tf.make_ndarray(value)) for name, value in request.inputs.items()})
    replayed += answer["count"].shape[0] == tf.make_ndarray(request.inputs["text"]).shape[0]
print(json.dumps({
    "predicted": {name: plain(value.numpy().tolist()) for name, value in predicted.items()},
    "tags": plain(tags["tags"].numpy().tolist()), "scores": tags["scores"].numpy().tolist(), "replayed": replayed,
    "foreign": [name for name in ("tfx", "components", "serving", "tensorflow_text", "tensorflow_transform")
                if name in sys.modules]}))
"""


def use_published_model(context):
    """Runs each command on a published model; returns the results by name."""
    first, program, folder = context.first(), context.program, context.folder
    data, base = first.data, first.version.parent
    results = {"folder": folder, "data": data, "run": first.result, "version": first.version}
    for name, more in (("tokens", ()), ("text", ("--from-text",))):
        results[name] = program.command(
            "evaluate",
            "--model",
            base,
            "--data",
            data,
            "--json",
            folder / f"{name}.json",
            "--predictions",
            folder / f"{name}.conll",
            *more,
        )
    (folder / "texts.txt").write_text("\n".join(TEXTS) + "\n", encoding="utf-8")
    results["table"] = program.command("predict", "--model", base, *TEXTS)
    results["jsonl"] = program.command(
        "predict", "--model", results["version"], "--format", "jsonl", stdin="\n".join(TEXTS) + "\n"
    )
    results["conll"] = program.command(
        "predict", "--model", base, "--format", "conll", "--input", folder / "texts.txt"
    )
    results["html"] = program.command(
        "predict", "--model", base, "--format", "html", "--input", folder / "texts.txt"
    )
    results["loaded"] = subprocess.run(
        [sys.executable, "-I", "-c", LOAD_MODEL, results["version"], json.dumps(TEXTS)],
        cwd="/",
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    return results


SCENARIOS = {"published": use_published_model}


@pytest.fixture
def results(scenario_result):
    return scenario_result("published")


@pytest.fixture
def loaded_model(results):
    assert results["loaded"].returncode == 0, results["loaded"].stderr[-2000:]
    return json.loads(results["loaded"].stdout)


def test_the_model_loads_and_predicts_without_the_projects_code(loaded_model):
    assert loaded_model["foreign"] == []
    assert loaded_model["predicted"]["count"][0] == 2 and loaded_model["predicted"]["count"][1] == 0


def test_outputs_are_dense_and_as_wide_as_the_largest_entity_count(loaded_model):
    most = int(max(loaded_model["predicted"]["count"]))
    assert most >= 2
    for name in ("type", "start", "end", "score", "surface"):
        assert [len(row) for row in loaded_model["predicted"][name]] == [most] * len(TEXTS)


def test_offsets_count_code_points_of_the_text(loaded_model):
    predicted = loaded_model["predicted"]
    for row, text in enumerate(TEXTS):
        for index in range(int(predicted["count"][row])):
            assert (
                text[int(predicted["start"][row][index]) : int(predicted["end"][row][index])]
                == predicted["surface"][row][index]
            )
            assert (
                predicted["type"][row][index] in ("PER", "LOC")
                and 0 < predicted["score"][row][index] <= 1
            )


def test_the_examples_signature_tags_tokens(loaded_model):
    full, empty = loaded_model["tags"]
    assert full == ["B-PER", "I-PER", "O", "O", "B-LOC"] and set(empty) == {""}
    assert loaded_model["scores"][0][0] > 0.5 and loaded_model["scores"][0][1:4] == [0, 0, 0]


def test_every_warmup_request_gets_a_response(loaded_model):
    assert loaded_model["replayed"] >= 3


@pytest.mark.parametrize("name", ["tokens", "text"])
def test_evaluate_has_the_scores_of_seqeval(results, seqeval_scores, round_scores, name):
    assert (results[name].code, results[name].err) == (0, "")
    figures = json.loads((results["folder"] / f"{name}.json").read_text())
    assert round_scores(figures) == seqeval_scores(results["folder"] / f"{name}.conll")
    assert figures["overall"]["f1"] > 0.5


def test_evaluate_on_tokens_has_the_scores_of_the_run(results, round_scores):
    figures = json.loads((results["folder"] / "tokens.json").read_text())
    assert round_scores(figures) == round_scores(
        json.loads(results["run"].run_file("outcome.json"))
    )


def test_evaluate_reports_the_numbers_of_sentences_and_tokens(results):
    figures = json.loads((results["folder"] / "tokens.json").read_text())
    lines = (results["data"] / "test.conll").read_text().split("\n")
    assert figures["sentences"] == 80
    assert figures["tokens"] == sum(
        1 for line in lines if line and not line.startswith("-DOCSTART-")
    )
    assert figures["seconds"] > 0 and "80 sentences" in results["tokens"].out


def test_the_table_of_evaluate_has_the_scores_of_its_json(results):
    figures = json.loads((results["folder"] / "tokens.json").read_text())
    [row] = [line.split() for line in results["tokens"].out.splitlines() if line.startswith("all ")]
    assert row[1:4] == [f"{figures['overall'][part]:.4f}" for part in ("precision", "recall", "f1")]
    assert set(row[4]) <= set("█▉▊▋▌▍▎▏") and row[5:] == [str(figures["overall"]["support"])]


def test_the_predictions_file_has_the_tokens_and_true_tags_of_the_corpus(results):
    def columns(path, count):
        return [line.split("\t")[:count] for line in path.read_text().split("\n") if "\t" in line]

    assert columns(results["folder"] / "tokens.conll", 2) == columns(
        results["data"] / "test.conll", 2
    )


def test_predict_writes_json_lines(results):
    assert (results["jsonl"].code, results["jsonl"].err) == (0, "")
    lines = [json.loads(line) for line in results["jsonl"].out.splitlines()]
    assert [line["text"] for line in lines] == TEXTS
    for line in lines:
        for entity in line["entities"]:
            assert set(entity) == {"text", "type", "start", "end", "score"}
            assert line["text"][entity["start"] : entity["end"]] == entity["text"]
    assert [entity["type"] for entity in lines[0]["entities"]] == ["PER", "LOC"]


def test_predict_has_the_entities_of_the_model_loaded_alone(results, loaded_model):
    lines = [json.loads(line) for line in results["jsonl"].out.splitlines()]
    assert [len(line["entities"]) for line in lines] == loaded_model["predicted"]["count"]
    assert [entity["text"] for entity in lines[2]["entities"]] == loaded_model["predicted"][
        "surface"
    ][2][: len(lines[2]["entities"])]


def test_predict_prints_a_table(results):
    assert (results["table"].code, results["table"].err) == (0, "")
    assert (
        results["table"].out.startswith(TEXTS[0] + "\n")
        and "PER" in results["table"].out
        and "no entities" in results["table"].out
    )


def test_predict_writes_conll(results):
    assert (results["conll"].code, results["conll"].err) == (0, "")
    blocks = results["conll"].out.split("\n\n")
    assert blocks[0].split("\n")[:2] == ["Ada\tB-PER", "Corkson\tI-PER"]
    assert "\n<\t" in results["conll"].out and results["conll"].out.endswith("\tO\n\n")


def test_predict_as_html_escapes_the_text(results):
    assert (results["html"].code, results["html"].err) == (0, "")
    body = results["html"].out.partition("<body>")[2]
    assert "<mark" in body and "&lt;" in body and "<b>" not in body and "</b>" not in body
