"""What is published, as its users meet it: loaded by TensorFlow alone, and by `evaluate` and `predict`."""

import json
import subprocess
import sys

import pytest

TEXTS = ["Ada Corkson lives in Basel.", "", "In 🇫🇷 Lyon, Zoë met <b>Kai</b>.", "Nothing here"]

# What a server does: it knows the folder, and nothing of this project.
ALONE = """
import json, pathlib, sys
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

def plain(value):
    if isinstance(value, list):
        return [plain(one) for one in value]
    return value.decode() if isinstance(value, bytes) else value

path = pathlib.Path(sys.argv[1])
model = tf.saved_model.load(str(path))
text, examples = model.signatures["serving_default"], model.signatures["examples"]
found = text(text=tf.constant(json.loads(sys.argv[2])))
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
    "found": {name: plain(value.numpy().tolist()) for name, value in found.items()},
    "tags": plain(tags["tags"].numpy().tolist()), "scores": tags["scores"].numpy().tolist(), "replayed": replayed,
    "foreign": [name for name in ("tfx", "components", "serving", "tensorflow_text", "tensorflow_transform")
                if name in sys.modules]}))
"""


def published(teller):
    """A published model, and what each command makes of it."""
    first, program, folder = teller.first(), teller.program, teller.folder
    data, base = first.data, first.version.parent
    kept = {"folder": folder, "data": data, "run": first.result, "version": first.version}
    for name, more in (("tokens", ()), ("text", ("--from-text",))):
        kept[name] = program.command(
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
    kept["table"] = program.command("predict", "--model", base, *TEXTS)
    kept["jsonl"] = program.command(
        "predict", "--model", kept["version"], "--format", "jsonl", stdin="\n".join(TEXTS) + "\n"
    )
    kept["conll"] = program.command(
        "predict", "--model", base, "--format", "conll", "--input", folder / "texts.txt"
    )
    kept["html"] = program.command(
        "predict", "--model", base, "--format", "html", "--input", folder / "texts.txt"
    )
    kept["alone"] = subprocess.run(
        [sys.executable, "-I", "-c", ALONE, kept["version"], json.dumps(TEXTS)],
        cwd="/",
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    return kept


STORIES = {"published": published}


@pytest.fixture
def kept(told):
    return told("published")


@pytest.fixture
def alone(kept):
    assert kept["alone"].returncode == 0, kept["alone"].stderr[-2000:]
    return json.loads(kept["alone"].stdout)


def test_it_loads_and_answers_without_any_of_the_projects_code(alone):
    assert alone["foreign"] == []
    assert alone["found"]["count"][0] == 2 and alone["found"]["count"][1] == 0


def test_its_answers_are_dense_and_as_wide_as_the_most_entities(alone):
    most = int(max(alone["found"]["count"]))
    assert most >= 2
    for name in ("type", "start", "end", "score", "surface"):
        assert [len(row) for row in alone["found"][name]] == [most] * len(TEXTS)


def test_its_places_are_code_points_of_the_text(alone):
    found = alone["found"]
    for row, text in enumerate(TEXTS):
        for n in range(int(found["count"][row])):
            assert (
                text[int(found["start"][row][n]) : int(found["end"][row][n])]
                == found["surface"][row][n]
            )
            assert found["type"][row][n] in ("PER", "LOC") and 0 < found["score"][row][n] <= 1


def test_its_second_signature_tags_tokens(alone):
    full, empty = alone["tags"]
    assert full == ["B-PER", "I-PER", "O", "O", "B-LOC"] and set(empty) == {""}
    assert alone["scores"][0][0] > 0.5 and alone["scores"][0][1:4] == [0, 0, 0]


def test_every_warm_up_request_is_answered(alone):
    assert alone["replayed"] >= 3


@pytest.mark.parametrize("name", ["tokens", "text"])
def test_evaluate_counts_as_seqeval_does(kept, seqeval_figures, rounded, name):
    assert (kept[name].code, kept[name].err) == (0, "")
    figures = json.loads((kept["folder"] / f"{name}.json").read_text())
    assert rounded(figures) == seqeval_figures(kept["folder"] / f"{name}.conll")
    assert figures["overall"]["f1"] > 0.5


def test_evaluate_by_tokens_gives_the_figures_of_the_run(kept, rounded):
    figures = json.loads((kept["folder"] / "tokens.json").read_text())
    assert rounded(figures) == rounded(json.loads(kept["run"].kept("outcome.json")))


def test_evaluate_says_how_much_it_went_through(kept):
    figures = json.loads((kept["folder"] / "tokens.json").read_text())
    lines = (kept["data"] / "test.conll").read_text().split("\n")
    assert figures["sentences"] == 80
    assert figures["tokens"] == sum(
        1 for line in lines if line and not line.startswith("-DOCSTART-")
    )
    assert figures["seconds"] > 0 and "80 sentences" in kept["tokens"].out


def test_evaluate_shows_a_table_of_the_same_scores(kept):
    figures = json.loads((kept["folder"] / "tokens.json").read_text())
    [row] = [line.split() for line in kept["tokens"].out.splitlines() if line.startswith("all ")]
    assert row[1:4] == [f"{figures['overall'][part]:.4f}" for part in ("precision", "recall", "f1")]
    assert set(row[4]) <= set("█▉▊▋▌▍▎▏") and row[5:] == [str(figures["overall"]["support"])]


def test_predictions_hold_the_corpus_and_the_models_tags(kept):
    def columns(path, count):
        return [line.split("\t")[:count] for line in path.read_text().split("\n") if "\t" in line]

    assert columns(kept["folder"] / "tokens.conll", 2) == columns(kept["data"] / "test.conll", 2)


def test_predict_as_json_lines(kept):
    assert (kept["jsonl"].code, kept["jsonl"].err) == (0, "")
    lines = [json.loads(line) for line in kept["jsonl"].out.splitlines()]
    assert [line["text"] for line in lines] == TEXTS
    for line in lines:
        for entity in line["entities"]:
            assert set(entity) == {"text", "type", "start", "end", "score"}
            assert line["text"][entity["start"] : entity["end"]] == entity["text"]
    assert [entity["type"] for entity in lines[0]["entities"]] == ["PER", "LOC"]


def test_predict_gives_what_the_model_gives_alone(kept, alone):
    lines = [json.loads(line) for line in kept["jsonl"].out.splitlines()]
    assert [len(line["entities"]) for line in lines] == alone["found"]["count"]
    assert [entity["text"] for entity in lines[2]["entities"]] == alone["found"]["surface"][2][
        : len(lines[2]["entities"])
    ]


def test_predict_as_a_table(kept):
    assert (kept["table"].code, kept["table"].err) == (0, "")
    assert (
        kept["table"].out.startswith(TEXTS[0] + "\n")
        and "PER" in kept["table"].out
        and "no entities" in kept["table"].out
    )


def test_predict_as_conll(kept):
    assert (kept["conll"].code, kept["conll"].err) == (0, "")
    blocks = kept["conll"].out.split("\n\n")
    assert blocks[0].split("\n")[:2] == ["Ada\tB-PER", "Corkson\tI-PER"]
    assert "\n<\t" in kept["conll"].out and kept["conll"].out.endswith("\tO\n\n")


def test_predict_as_a_page_escapes_the_text(kept):
    assert (kept["html"].code, kept["html"].err) == (0, "")
    body = kept["html"].out.partition("<body>")[2]
    assert "<mark" in body and "&lt;" in body and "<b>" not in body and "</b>" not in body
